//! Encodes the bytes of a record as a protocol line.

use crate::model::{Change, Custom, Names, Normalizer, Record, Resource, Result, is_custom};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The encoding of the records of one stream.
///
/// A record is written as Pipedrive sent it, unless it contains a date or time that no loader accepts, or
/// readable names are configured.
#[derive(Debug, Clone)]
pub struct RecordEncoder {
    tidy: Normalizer,
    names: Option<Names>,
}

impl RecordEncoder {
    /// Returns the encoding for a resource, the schema that its loader uses, and readable names if
    /// configured.
    pub fn new(resource: &Resource, schema: &Value, names: Option<Names>) -> Self {
        Self { tidy: Normalizer::of(resource, schema), names }
    }

    /// Returns the keys of custom fields for the state of the stream.
    pub(super) fn pins(&self) -> BTreeMap<String, String> {
        self.names.as_ref().map(Names::pins).unwrap_or_default()
    }

    /// Returns whether a top-level property of a record is a column or a custom field.
    pub(super) fn is_known(&self, resource: &Resource, field: &str) -> bool {
        let top = field.split('.').next().unwrap_or(field);
        let flat = resource.custom == Custom::Flat;
        // With readable names the name of a field looks like any other key.
        let columns = self.names.as_ref().is_some_and(Names::are_columns);
        resource.column(top).is_some()
            || columns
            || flat && (is_custom(top) || self.names.is_some())
    }

    /// Returns the record as JSON on one line. Values that became null are added to `changes`.
    pub(super) fn line<'r>(
        &self,
        record: &'r Record,
        changes: &mut Vec<Change>,
    ) -> Result<Cow<'r, [u8]>> {
        let mut json = Cow::Borrowed(&record.json[..]);
        if let Some(names) = self.names.as_ref().filter(|names| names.rewrite()) {
            json = Cow::Owned(names.apply(text(&json))?);
        }
        if record.odd {
            json = Cow::Owned(self.tidy.mend(text(&json), changes)?);
        }
        if memchr::memchr2(b'\n', b'\r', &json).is_some() {
            // Line breaks occur between tokens only: inside strings they are always escaped.
            let kept = json.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r'));
            json = Cow::Owned(kept.collect());
        }
        Ok(json)
    }
}

fn text(json: &[u8]) -> &str {
    std::str::from_utf8(json).expect("a record is a slice of a page that was UTF-8")
}
