//! The top-level pairs of an object as slices, for records that must be rewritten or typed.

use super::error::Result;
use super::json::Json;
use std::borrow::Cow;

/// Calls `each` with every key and raw value, in order. Keys without escapes are borrowed.
pub(crate) fn pairs<'a>(json: &'a str, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<()> {
    let mut json = Json::new(json);
    let mut more = json.open(b'{')?;
    while more {
        let key = json.key()?;
        each(key, json.value()?);
        more = json.more(b'{')?;
    }
    json.end()
}

/// Calls `each` with every raw item of a list, in order.
pub(crate) fn items<'a>(json: &'a str, mut each: impl FnMut(&'a str)) -> Result<()> {
    let mut json = Json::new(json);
    let mut more = json.open(b'[')?;
    while more {
        each(json.value()?);
        more = json.more(b'[')?;
    }
    json.end()
}

/// A writer for an object, pair by pair.
pub(super) struct Object(Vec<u8>);

impl Object {
    /// Starts an object of about this many bytes.
    pub(super) fn new(size: usize) -> Self {
        let mut bytes = Vec::with_capacity(size);
        bytes.push(b'{');
        Self(bytes)
    }

    /// Adds a pair. The value is JSON.
    pub(super) fn pair(&mut self, key: &str, value: impl AsRef<[u8]>) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.extend_from_slice(quoted(key).as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value.as_ref());
    }

    /// Returns the bytes of the object.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// Returns text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
