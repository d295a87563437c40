//! Normalises the dates and times of a record so that strict loaders accept them.
//!
//! Pipedrive writes times without a zone, empty strings and zero dates where a loader expects RFC 3339 or
//! null. One of them fails a whole load (protocols.md 0.9). Where the schema has a place for it, an object
//! among texts (`lost_reason`) is split into its label and the object. Only records that were found odd
//! while their page was split are normalised.

use super::convert::{To, converted};
use super::error::{Error, Kind, Result};
use super::object::{Object, pairs, quoted};
use super::resource::{Resource, Type};
use super::time::Time;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The keys of a resource's records that hold dates or times.
#[derive(Debug, Clone, Default)]
pub struct Normalizer {
    keys: BTreeMap<String, Form>,
}

/// A value that was replaced by null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The path of the field. A dot separates keys.
    pub field: String,
}

#[derive(Debug, Clone)]
enum Form {
    Date,
    Time,
    Clock,
    /// Text, or an object. An object is moved to this key and replaced by its label.
    Label(String),
    NestedRows(Normalizer),
    /// Applies to each item of a list.
    Each(Normalizer),
}

impl Normalizer {
    /// Returns a normalizer for a resource and the custom fields that a stream's JSON Schema declares.
    pub fn of(resource: &Resource, schema: &Value) -> Self {
        let mut tidy = Self::of_schema(schema);
        for column in resource.columns {
            let form = match column.ty {
                Type::Date => Form::Date,
                Type::Time | Type::Naked => Form::Time,
                Type::Clock => Form::Clock,
                Type::TextOrObject => {
                    let beside = beside(column.name);
                    if schema["properties"].get(&beside).is_none() {
                        continue;
                    }
                    Form::Label(beside)
                }
                _ => continue,
            };
            tidy.keys.insert(column.name.to_owned(), form);
        }
        tidy
    }

    fn of_schema(schema: &Value) -> Self {
        let mut keys = BTreeMap::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let form = match property["format"].as_str() {
                Some("date") => Form::Date,
                Some("date-time") => Form::Time,
                _ => match (Self::of_schema(property), Self::of_schema(&property["items"])) {
                    (inside, _) if !inside.keys.is_empty() => Form::NestedRows(inside),
                    (_, each) if !each.keys.is_empty() => Form::Each(each),
                    _ => continue,
                },
            };
            keys.insert(name.clone(), form);
        }
        Self { keys }
    }

    /// Returns the corrected record. Every value that is replaced by null is added to `changes`.
    pub fn mend(&self, json: &str, changes: &mut Vec<Change>) -> Result<Vec<u8>> {
        self.inside(json, "", changes)
    }

    fn inside(&self, json: &str, path: &str, changes: &mut Vec<Change>) -> Result<Vec<u8>> {
        let mut out = Object::new(json.len() + 64);
        let mut inner = Ok(());
        pairs(json, |key, value| {
            let place = || if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            match self.keys.get(&*key) {
                Some(Form::NestedRows(tidy)) if value.starts_with('{') => {
                    match tidy.inside(value, &place(), changes) {
                        Ok(mended) => out.pair(&key, mended),
                        Err(error) => inner = Err(error),
                    }
                }
                Some(Form::Each(tidy)) if value.starts_with('[') => {
                    match tidy.each(value, &place(), changes) {
                        Ok(mended) => out.pair(&key, mended),
                        Err(error) => inner = Err(error),
                    }
                }
                Some(Form::Label(beside)) if value.starts_with('{') => {
                    let label = converted(value, To::Label).unwrap_or("null".into());
                    out.pair(&key, label.as_bytes());
                    out.pair(beside, value);
                }
                Some(Form::Label(_)) => out.pair(&key, value),
                Some(form) if value.starts_with('"') => match form.mended(value) {
                    Normalized::Same => out.pair(&key, value),
                    Normalized::To(text) => out.pair(&key, quoted(&text)),
                    Normalized::Null => {
                        changes.push(Change { field: place() });
                        out.pair(&key, "null");
                    }
                },
                _ => out.pair(&key, value),
            }
        })?;
        inner?;
        Ok(out.finish())
    }
}

/// Returns the name of the property that receives the objects of a text column, in schemas that have one.
pub fn beside(column: &str) -> String {
    format!("{column}_object")
}

impl Normalizer {
    fn each(&self, json: &str, path: &str, changes: &mut Vec<Change>) -> Result<Vec<u8>> {
        let items: Vec<&RawValue> = serde_json::from_str(json)
            .map_err(|error| Error::new(Kind::Shape, "record holds no list").because(error))?;
        let mut out = vec![b'['];
        for (nth, item) in items.into_iter().enumerate() {
            if nth > 0 {
                out.push(b',');
            }
            match item.get() {
                object if object.starts_with('{') => {
                    out.extend(self.inside(object, &format!("{path}.{nth}"), changes)?);
                }
                other => out.extend_from_slice(other.as_bytes()),
            }
        }
        out.push(b']');
        Ok(out)
    }
}

enum Normalized {
    Same,
    To(String),
    Null,
}

impl Form {
    fn mended(&self, value: &str) -> Normalized {
        let text = value.trim_matches('"');
        if text.is_empty() || text.starts_with("0000-00-00") {
            return Normalized::Null;
        }
        match (self, Time::parse(text)) {
            (Self::Time, Some(time)) => {
                let proper = time.to_string();
                if proper == text { Normalized::Same } else { Normalized::To(proper) }
            }
            (Self::Date, Some(time)) if text.len() > 10 => Normalized::To(time.date()),
            // A text that is not a time is passed on unchanged. It was reported when its page was parsed.
            _ => Normalized::Same,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(json: &str, expected: &str, nulled: &[&str]) {
        let notes = Resource::named("notes").expect("there are notes");
        let schema = json!({"properties": {"custom_fields": {"type": "object", "properties": {
            "due": {"type": ["null", "string"], "format": "date"},
            "range": {"properties": {"value": {"format": "date"}, "note": {"type": "string"}}},
        }}}});
        let mut changes = Vec::new();
        let mended =
            Normalizer::of(notes, &schema).mend(json, &mut changes).expect("it is an object");
        assert_eq!(String::from_utf8_lossy(&mended), expected);
        let fields: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, nulled);
    }

    #[test]
    fn times_become_what_loaders_take() {
        check(
            r#"{"id":1,"add_time":"2026-02-01 08:00:00","update_time":"2026-02-01T10:00:00+02:00"}"#,
            r#"{"id":1,"add_time":"2026-02-01T08:00:00Z","update_time":"2026-02-01T08:00:00Z"}"#,
            &[],
        );
    }

    #[test]
    fn what_is_no_time_becomes_null_and_is_named() {
        check(
            r#"{"add_time":"","update_time":"0000-00-00 00:00:00","content":"","user_id":1.50}"#,
            r#"{"add_time":null,"update_time":null,"content":"","user_id":1.50}"#,
            &["add_time", "update_time"],
        );
        check(
            r#"{"custom_fields":{"due":"","range":{"value":"0000-00-00","note":""},"text":""}}"#,
            r#"{"custom_fields":{"due":null,"range":{"value":null,"note":""},"text":""}}"#,
            &["custom_fields.due", "custom_fields.range.value"],
        );
    }

    #[test]
    fn dates_inside_lists_are_mended() {
        let fields = Resource::named("deal_fields").expect("there are fields");
        let schema = crate::model::json_schema(fields, &[], None);
        let mut changes = Vec::new();
        let json = r#"{"options":[{"id":1,"label":"","add_time":""},{"id":"a","add_time":"2026-01-01 00:00:00"}]}"#;
        let mended =
            Normalizer::of(fields, &schema).mend(json, &mut changes).expect("it is an object");
        assert_eq!(
            String::from_utf8_lossy(&mended),
            r#"{"options":[{"id":1,"label":"","add_time":null},{"id":"a","add_time":"2026-01-01T00:00:00Z"}]}"#
        );
        assert_eq!(changes.len(), 1);
    }

    #[test]
    fn an_object_among_texts_is_parted_where_there_is_a_place_for_it() {
        let deals = Resource::named("deals").expect("there are deals");
        let json = r#"{"id":1,"lost_reason":{"id":4,"label":"zu \"teuer\""},"won_time":""}"#;
        for (schema, expected) in [
            (
                json!({}),
                r#"{"id":1,"lost_reason":{"id":4,"label":"zu \"teuer\""},"won_time":null}"#,
            ),
            (
                json!({"properties": {"lost_reason_object": {"type": "string"}}}),
                r#"{"id":1,"lost_reason":"zu \"teuer\"","lost_reason_object":{"id":4,"label":"zu \"teuer\""},"won_time":null}"#,
            ),
        ] {
            let mended = Normalizer::of(deals, &schema).mend(json, &mut Vec::new());
            let mended = mended.expect("it is an object");
            assert_eq!(String::from_utf8_lossy(&mended), expected);
        }
    }

    #[test]
    fn words_pass_as_they_came() {
        check(
            r#"{"add_time":"soon","k\"ey":"\u00e9"}"#,
            r#"{"add_time":"soon","k\"ey":"\u00e9"}"#,
            &[],
        );
    }
}
