//! The top-level pairs of an object, as slices: for the few records that must be rewritten.

use super::error::{Error, Kind, Result};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Calls `each` with every key and raw value, in order. Keys without escapes are borrowed.
pub(crate) fn pairs<'a>(json: &'a str, mut each: impl FnMut(Cow<'a, str>, &'a str)) -> Result<()> {
    struct Pairs<'f, F>(&'f mut F);
    impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Pairs<'_, F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key_seed(Key)? {
                (self.0)(key, map.next_value::<&'de RawValue>()?.get());
            }
            Ok(())
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    reader
        .deserialize_map(Pairs(&mut each))
        .and_then(|()| reader.end())
        .map_err(|error| Error::new(Kind::Shape, "record is not an object").because(error))
}

/// Calls `each` with every raw item of a list, in order.
pub(crate) fn items<'a>(json: &'a str, mut each: impl FnMut(&'a str)) -> Result<()> {
    struct Items<'f, F>(&'f mut F);
    impl<'de, F: FnMut(&'de str)> Visitor<'de> for Items<'_, F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element::<&'de RawValue>()? {
                (self.0)(item.get());
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(json)
        .deserialize_seq(Items(&mut each))
        .map_err(|error| Error::new(Kind::Shape, "value is not a list").because(error))
}

/// A key; `Cow<str>` by itself would always be copied.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }
    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
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
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
