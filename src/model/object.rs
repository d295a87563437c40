//! The top-level pairs of an object, as slices: for the few records that must be rewritten.

use super::error::{Error, Kind, Result};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Calls `each` with every key and raw value, in order.
pub(crate) fn pairs<'a>(json: &'a str, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<()> {
    struct Pairs<'f, F>(&'f mut F);
    impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Pairs<'_, F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                (self.0)(key, map.next_value::<&'de RawValue>()?.get());
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(json)
        .deserialize_map(Pairs(&mut each))
        .map_err(|error| Error::new(Kind::Shape, "record is not an object").because(error))
}

/// Writes an object pair by pair.
pub(super) struct Object(Vec<u8>);

impl Object {
    /// Begins an object of about this many bytes.
    pub(super) fn new(size: usize) -> Self {
        let mut bytes = Vec::with_capacity(size);
        bytes.push(b'{');
        Self(bytes)
    }

    /// Adds a pair; the value is JSON.
    pub(super) fn pair(&mut self, key: &str, value: impl AsRef<[u8]>) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.0.extend_from_slice(quoted(key).as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value.as_ref());
    }

    /// The object's bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// Text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
