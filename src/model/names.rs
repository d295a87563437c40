//! Readable keys for custom fields, with option labels beside option ids.

use super::error::Result;
use super::object::{Object, pairs, quoted};
use super::page::is_custom;
use super::resource::{Custom, Resource};
use super::schema::Definition;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The readable keys of one account's custom fields for one resource.
///
/// A key is made of the field's name. Where two fields share it, or it is a column's or a
/// companion's name, all but the field with the smallest hash get `_` and the first eight digits
/// of their hash, so the outcome does not depend on the order of definitions.
#[derive(Debug, Clone)]
pub struct Names {
    custom: Custom,
    fields: BTreeMap<String, Field>,
}

#[derive(Debug, Clone)]
struct Field {
    key: String,
    set: bool,
    /// Label by option id as the API writes it; empty for fields without options.
    labels: BTreeMap<String, String>,
}

impl Names {
    /// The keys for these definitions.
    pub fn of(resource: &Resource, definitions: &[Definition]) -> Self {
        let mut custom: Vec<_> = definitions.iter().filter(|field| field.custom).collect();
        custom.sort_by(|a, b| a.code.cmp(&b.code));
        let mut taken: BTreeSet<String> = match resource.custom {
            Custom::Flat => resource.columns.iter().map(|column| column.name.to_owned()).collect(),
            Custom::Nested | Custom::None => BTreeSet::new(),
        };
        let mut fields = BTreeMap::new();
        for field in custom {
            let mut key = field.readable();
            if taken.contains(&key) || taken.contains(&label_of(&key, false)) {
                key = format!("{key}_{}", field.code.get(..8).unwrap_or(&field.code));
            }
            let set = field.ty == "set";
            let options = field.options.as_deref().unwrap_or_default();
            let labels: BTreeMap<_, _> =
                options.iter().map(|o| (plain(&o.id.to_string()), o.label.clone())).collect();
            if !labels.is_empty() {
                taken.insert(label_of(&key, set));
            }
            taken.insert(key.clone());
            fields.insert(field.code.clone(), Field { key, set, labels });
        }
        Self { custom: resource.custom, fields }
    }

    /// The readable key of a hash; the hash itself when it is not known.
    pub fn key<'n>(&'n self, code: &'n str) -> &'n str {
        self.fields.get(code).map_or(code, |field| &field.key)
    }

    /// The key under which a field's option labels stand, for fields with options.
    pub fn label_key(&self, code: &str) -> Option<String> {
        let field = self.fields.get(code).filter(|field| !field.labels.is_empty())?;
        Some(label_of(&field.key, field.set))
    }

    /// The record with readable keys. Everything else stays as it is.
    pub fn apply(&self, json: &str) -> Result<Vec<u8>> {
        let mut out = Object::new(json.len() + json.len() / 4);
        let mut inner = Ok(());
        pairs(json, |key, value| match self.custom {
            Custom::Nested if key == "custom_fields" && value.starts_with('{') => {
                let mut fields = Object::new(value.len() + value.len() / 4);
                inner = pairs(value, |code, value| self.field(&mut fields, &code, value));
                out.pair("custom_fields", fields.finish());
            }
            Custom::Flat if is_custom(&key) => self.field(&mut out, &key, value),
            _ => out.pair(&key, value),
        })?;
        inner?;
        Ok(out.finish())
    }

    fn field(&self, out: &mut Object, code: &str, value: &str) {
        let (hash, part) = code.split_at_checked(40).unwrap_or((code, ""));
        let Some(field) = self.fields.get(hash) else {
            out.pair(code, value);
            return;
        };
        if !part.is_empty() {
            out.pair(&format!("{}{part}", field.key), value);
            return;
        }
        out.pair(&field.key, value);
        if !field.labels.is_empty() {
            out.pair(&label_of(&field.key, field.set), field.label(value));
        }
    }
}

impl Field {
    /// The label of an option id, or the labels of a list of them; null where one is not known.
    fn label(&self, value: &str) -> String {
        let one =
            |id: &str| self.labels.get(id.trim()).map_or_else(|| "null".to_owned(), |l| quoted(l));
        let ids = plain(value);
        if !self.set {
            return if value == "null" { "null".to_owned() } else { one(&ids) };
        }
        let ids = ids.trim_start_matches('[').trim_end_matches(']');
        match value {
            "null" => "null".to_owned(),
            _ if ids.trim().is_empty() => "[]".to_owned(),
            _ => format!(
                "[{}]",
                ids.split(',').map(|id| one(&plain(id.trim()))).collect::<Vec<_>>().join(",")
            ),
        }
    }
}

fn label_of(key: &str, set: bool) -> String {
    format!("{key}_{}", if set { "labels" } else { "label" })
}

/// A scalar without its quotes.
fn plain(value: &str) -> String {
    let text: Cow<'_, str> = match value.strip_prefix('"') {
        Some(_) => serde_json::from_str::<String>(value).map_or(value.into(), Cow::Owned),
        None => value.into(),
    };
    text.into_owned()
}
