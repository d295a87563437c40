//! A row that is taken field by field, while another is made of it.

use crate::bundle::portable::Array;
use crate::model::{Members, Time, members, quoted, text};
use std::borrow::Cow;

/// A row that is being made.
pub(super) struct Made<'r> {
    pub(super) array: Array,
    pub(super) fields: Members<'r>,
    pub(super) taken: Vec<&'r str>,
    pub(super) out: Vec<(String, String)>,
}

impl<'r> Made<'r> {
    pub(super) fn of(array: Array, json: &'r str) -> Self {
        Self { array, fields: members(json), taken: Vec::new(), out: Vec::new() }
    }

    /// The raw value of a field, null and absent alike.
    pub(super) fn get(&self, name: &str) -> Option<&'r str> {
        let found = self.fields.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| *value).filter(|value| *value != "null")
    }

    /// Whether the row says something of a field, be it null.
    pub(super) fn says(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// Gives a field of the row another value.
    pub(super) fn replace(&mut self, name: &'static str, value: &'r str) {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((Cow::Borrowed(name), value));
    }

    pub(super) fn take(&mut self, name: &'r str) {
        self.taken.push(name);
    }

    /// Takes a field as it is.
    pub(super) fn keep(&mut self, name: &'r str) {
        self.take(name);
        if self.says(name) {
            let value = self.get(name).unwrap_or("null").to_owned();
            self.put(name, value);
        }
    }

    /// Takes a field as it is, unless it says nothing.
    pub(super) fn keep_some(&mut self, name: &'r str) {
        self.take(name);
        if let Some(value) = self.get(name) {
            self.put(name, value);
        }
    }

    /// Takes an instant, to the second as Pipedrive has them; a date stays one.
    pub(super) fn instant(&mut self, name: &'r str) {
        self.take(name);
        let Some(value) = self.text(name) else { return };
        let at = Time::parse(&value).filter(|_| value.len() > 10);
        let at = at.map(|at| at.whole_second().to_string());
        self.put(name, quoted(&at.unwrap_or(value)));
    }

    pub(super) fn put(&mut self, name: &str, value: impl Into<String>) {
        self.out.push((name.to_owned(), value.into()));
    }

    pub(super) fn finish(self) -> String {
        let pairs = self.out.iter().map(|(key, value)| format!("{}:{value}", quoted(key)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}
