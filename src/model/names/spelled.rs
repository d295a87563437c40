//! Writes records with readable keys: which properties they replace, and which are added beside them.

use super::{Field, LABELS_BYTES_MAX, Names};
use crate::model::convert::{To, converted};
use crate::model::definition::Definition;
use crate::model::error::Result;
use crate::model::normalize::beside;
use crate::model::object::{Object, pairs, quoted};
use crate::model::page::is_custom;
use crate::model::resource::{Custom, Type};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The form of the values of a column, which gives all of them one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The values are unchanged.
    Same,
    /// An integer, which the API may send as text.
    Int,
    /// A list of integers, which the API may send as one text with commas.
    Ints,
    /// Text; other values as JSON in a text.
    Json,
    /// Text. An object is replaced by its label, and is written as text to an additional column.
    Label,
}

impl Form {
    /// Returns the form of a custom field that is a column.
    pub(super) fn of(field: &Definition, flat: bool) -> Self {
        match (field.ty.as_str(), field.column(flat)) {
            ("enum", _) if flat => Self::Int,
            ("set", _) if flat => Self::Ints,
            (_, Type::Json) => Self::Json,
            _ => Self::Same,
        }
    }

    fn spelled(self, value: &str) -> Cow<'_, str> {
        let text = || as_identifier(value);
        match self {
            Self::Int | Self::Ints if value == "\"\"" => "null".into(),
            Self::Int if value.starts_with('"') && is_whole(&text()) => text().into(),
            Self::Ints if value.starts_with('"') && text().split(',').all(is_whole) => {
                format!("[{}]", text()).into()
            }
            Self::Json if !value.starts_with('"') && value != "null" => text_of(value).into(),
            _ => value.into(),
        }
    }
}

impl Names {
    /// Returns whether records are rewritten at all.
    pub fn rewrite(&self) -> bool {
        self.custom != Custom::None || !self.several.is_empty()
    }

    /// Rewrites a record with readable keys. All other parts stay unchanged. Where custom fields are columns,
    /// they follow all other columns, and every column has one type.
    pub fn apply(&self, json: &str) -> Result<Vec<u8>> {
        let mut out = Object::new(json.len() + json.len() / 4);
        let mut inner = Ok(());
        let mut columns = None;
        pairs(json, |key, value| match self.custom {
            Custom::Nested if key == "custom_fields" && value.starts_with('{') => {
                if self.columns {
                    columns = Some(value);
                    return;
                }
                let mut fields = Object::new(value.len() + value.len() / 4);
                inner = pairs(value, |code, value| self.field(&mut fields, &code, value));
                out.pair("custom_fields", fields.finish());
            }
            Custom::Nested if self.columns && key == "custom_fields" && value == "null" => {}
            Custom::Flat if is_custom(&key) => self.field(&mut out, &key, value),
            _ => self.column(&mut out, &key, value),
        })?;
        inner?;
        if let Some(fields) = columns {
            pairs(fields, |code, value| self.field(&mut out, &code, value))?;
        }
        Ok(out.finish())
    }

    fn column(&self, out: &mut Object, key: &str, value: &str) {
        match self.several.get(key) {
            Some(Form::Label) if value.starts_with('{') => {
                let label = converted(value, To::Label).unwrap_or("null".into());
                out.pair(key, label.as_bytes());
                out.pair(&beside(key), text_of(value));
            }
            Some(form) => out.pair(key, form.spelled(value).as_bytes()),
            None => out.pair(key, value),
        }
    }

    fn field(&self, out: &mut Object, code: &str, value: &str) {
        let (hash, part) = code.split_at_checked(40).unwrap_or((code, ""));
        let Some(field) = self.fields.get(hash) else {
            // A field without a definition keeps the key it had.
            match self.gone.get(hash) {
                Some(key) => out.pair(&format!("{key}{part}"), value),
                None => out.pair(code, value),
            }
            return;
        };
        if !part.is_empty() {
            out.pair(&format!("{}{part}", field.key), value);
            return;
        }
        let form = if self.columns { field.form } else { Form::Same };
        out.pair(&field.key, form.spelled(value).as_bytes());
        if !field.labels.is_empty() {
            out.pair(&field.label, field.labels_for(value));
        }
    }
}

impl Field {
    /// Returns the label of an option id, or the labels of a list of ids. An unknown id gives null.
    fn labels_for(&self, value: &str) -> String {
        let label = |id: &str| self.labels.get(id.trim()).map(String::as_str);
        let one = |label: Option<&str>| label.map_or_else(|| "null".to_owned(), quoted);
        let ids = as_identifier(value);
        if !self.set {
            let label = label(&ids).filter(|label| label.len() <= LABELS_BYTES_MAX);
            return if value == "null" { "null".to_owned() } else { one(label) };
        }
        let ids = ids.trim_start_matches('[').trim_end_matches(']');
        if value == "null" {
            return "null".to_owned();
        }
        let mut labels = String::from("[");
        for id in ids.split(',').filter(|_| !ids.trim().is_empty()) {
            if labels.len() > 1 {
                labels.push(',');
            }
            labels.push_str(&one(label(&as_identifier(id.trim()))));
            if labels.len() > LABELS_BYTES_MAX {
                return "null".to_owned();
            }
        }
        labels.push(']');
        labels
    }
}

/// Returns the labels by option id, as text.
pub(super) fn labels_of(definition: &Definition) -> BTreeMap<String, String> {
    let options = definition.options.iter().flatten();
    options.filter_map(|option| Some((option.key(), option.label.clone()?))).collect()
}

/// Returns a scalar without its quotes.
fn as_identifier(value: &str) -> String {
    let text: Cow<'_, str> = match value.strip_prefix('"') {
        Some(_) => serde_json::from_str::<String>(value).map_or(value.into(), Cow::Owned),
        None => value.into(),
    };
    text.into_owned()
}

/// Returns whether a text is an integer without a sign, as JSON writes it.
fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && {
        text == "0" || !text.starts_with('0')
    }
}

/// Returns JSON as a JSON string, without line breaks. Line breaks can occur only between tokens.
fn text_of(json: &str) -> String {
    quoted(&json.replace(['\n', '\r'], ""))
}
