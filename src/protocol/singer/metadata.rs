//! The metadata of a catalog entry: facts by breadcrumb.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The metadata of one stream. A breadcrumb is the path to a property; the empty one is the stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata(BTreeMap<Vec<String>, Value>);

impl Metadata {
    /// Parses the `metadata` of a catalog entry. Other values are ignored.
    pub(super) fn from_json(json: &Value) -> Self {
        let mut all = Self::default();
        for entry in json.as_array().into_iter().flatten() {
            let crumbs = entry["breadcrumb"].as_array().into_iter().flatten();
            let path: Vec<_> = crumbs.filter_map(Value::as_str).map(str::to_owned).collect();
            all.0.insert(path, entry["metadata"].clone());
        }
        all
    }

    /// Sets the facts of a breadcrumb.
    pub(super) fn put(&mut self, path: &[String], facts: Value) {
        self.0.insert(path.to_vec(), facts);
    }

    /// Returns the entries in the form of a catalog.
    pub(super) fn entries(self) -> Vec<Value> {
        let entry = |(path, facts)| json!({"breadcrumb": path, "metadata": facts});
        self.0.into_iter().map(entry).collect()
    }

    /// Returns a text of a breadcrumb.
    pub(super) fn text(&self, path: &[String], key: &str) -> Option<&str> {
        self.0.get(path)?.get(key)?.as_str()
    }

    /// Returns a flag of a breadcrumb. `"true"` and `"false"` are accepted too (protocols.md 10).
    pub(super) fn flag(&self, path: &[String], key: &str) -> Option<bool> {
        flag(self.0.get(path)?.get(key)?)
    }
}

pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
