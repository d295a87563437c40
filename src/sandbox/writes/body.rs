//! The body of a write: its keys, their values, and the bytes of the values.

use crate::sandbox::http_request::{Refusal, Request};
use crate::sandbox::json;
use serde_json::{Map, Value};

/// The keys of a request body, by name.
#[derive(Debug)]
pub(super) struct Body {
    map: Map<String, Value>,
    raw: Vec<(String, String)>,
}

impl Body {
    /// Reads the body of a request, which must be an object.
    pub(super) fn read(request: &Request) -> Result<Self, Refusal> {
        let Ok(Value::Object(map)) = serde_json::from_slice(&request.body) else {
            return Err(invalid(request, "body: Expected a JSON object"));
        };
        let raw = json::pairs(&request.body).into_iter();
        let raw = raw.map(|(key, raw)| (key.into_owned(), on_one_line(raw))).collect();
        Ok(Self { map, raw })
    }

    /// Returns the value of a key, null included.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key)
    }

    /// Returns the value of a key, unless it is null.
    pub(super) fn given(&self, key: &str) -> Option<&Value> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// Returns whether one of these keys is present.
    pub(super) fn has(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.map.contains_key(*key))
    }

    /// Returns the raw value of a key as it was written: 1.50 stays 1.50.
    pub(super) fn raw(&self, key: &str) -> Option<&str> {
        self.raw.iter().rev().find(|(name, _)| name == key).map(|(_, raw)| raw.as_str())
    }

    /// Returns all keys with their values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.map.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// Removes line breaks between tokens, because rows are stored without them.
pub(super) fn on_one_line(raw: &str) -> String {
    raw.replace(['\n', '\r'], "")
}

/// Returns the refusal of a parameter or key, in the form of the requested version.
pub(in crate::sandbox) fn invalid(request: &Request, fault: &str) -> Refusal {
    faulty(request, &[fault.to_owned()])
}

/// Returns the refusal for several errors. v2 reports all of them, v1 the first.
pub(super) fn faulty(request: &Request, faults: &[String]) -> Refusal {
    if request.v2() {
        Refusal::invalid(faults)
    } else {
        Refusal::general(400, faults.first().map_or("Bad request", String::as_str), "")
    }
}
