//! A row that is consumed field by field while a row for the target is built from it.

use crate::bundle::format::Entity;
use crate::bundle::push::alike;
use crate::model::{Members, Time, members, quoted, text};
use std::borrow::Cow;

/// A row that is being built.
pub(super) struct RowBuilder<'r> {
    pub(super) entity: Entity,
    pub(super) fields: Members<'r>,
    /// The row in the account's own export. `None` for a new row.
    there: Option<Members<'r>>,
    /// The fields whose values differ from the account's.
    edited: Vec<Cow<'r, str>>,
    pub(super) taken: Vec<&'r str>,
    pub(super) out: Vec<(String, String)>,
    /// The fields of `out` that do not exactly match the bundle, with the reasons.
    inexact: Vec<(&'static str, Inexact, &'static str)>,
}

/// The way in which a value differs from the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inexact {
    /// The value is incomplete. It is written if the account has none.
    Part,
    /// The value is a guess or a substitute. It is written to new rows only.
    Guess,
}

impl<'r> RowBuilder<'r> {
    pub(super) fn of(entity: Entity, json: &'r str, there: Option<&'r str>) -> Self {
        Self {
            entity,
            fields: members(json),
            there: there.map(members),
            edited: Vec::new(),
            taken: Vec::new(),
            out: Vec::new(),
            inexact: Vec::new(),
        }
    }

    /// Returns whether the account does not have the row.
    pub(super) const fn is_new(&self) -> bool {
        self.there.is_none()
    }

    /// Returns the raw value of a field in the account.
    pub(super) fn other(&self, name: &str) -> &'r str {
        let there = self.there.iter().flatten();
        there.rev().find(|(key, _)| key == name).map_or("null", |(_, value)| *value)
    }

    /// Records the fields that differ from the account. `form` returns whether a value is only another form
    /// of the account's value.
    pub(super) fn compare(&mut self, form: impl Fn(&str, &str, &str) -> bool) {
        if self.is_new() {
            return;
        }
        let edited = self.fields.iter().filter(|(key, value)| {
            let other = self.other(key);
            !alike(value, other) && !form(key, value, other)
        });
        self.edited = edited.map(|(key, _)| key.clone()).collect();
    }

    /// Returns whether a field differs from the account. All fields of a new row do.
    pub(super) fn edited(&self, name: &str) -> bool {
        self.is_new() || self.edited.iter().any(|field| field == name)
    }

    /// Returns whether one of these fields differs from the account.
    pub(super) fn any_edited(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.edited(name))
    }

    /// Records that a field of the built row does not match the bundle.
    pub(super) fn doubt(&mut self, name: &'static str, how: Inexact, why: &'static str) {
        self.inexact.push((name, how, why));
    }

    /// Returns how a field of the built row differs from the bundle, and the reason.
    pub(super) fn doubted(&self, name: &str) -> Option<(Inexact, &'static str)> {
        let found = self.inexact.iter().find(|(field, ..)| *field == name);
        found.map(|(_, how, why)| (*how, *why))
    }

    /// Returns a field of the built row.
    pub(super) fn made(&self, name: &str) -> Option<&str> {
        self.out.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns the raw value of a field. Null counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&'r str> {
        let found = self.fields.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| *value).filter(|value| *value != "null")
    }

    /// Returns whether the row has a field, including a null one.
    pub(super) fn says(&self, name: &str) -> bool {
        self.fields.iter().any(|(key, _)| key == name)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// Replaces the value of a field in the row.
    pub(super) fn replace(&mut self, name: &'static str, value: &'r str) {
        self.fields.retain(|(key, _)| key != name);
        self.fields.push((Cow::Borrowed(name), value));
    }

    pub(super) fn consume(&mut self, name: &'r str) {
        self.taken.push(name);
    }

    /// Copies a field unchanged.
    pub(super) fn leave_as_is(&mut self, name: &'r str) {
        self.consume(name);
        if self.says(name) {
            let value = self.get(name).unwrap_or("null").to_owned();
            self.put(name, value);
        }
    }

    /// Copies a field unchanged, unless it is null or absent.
    pub(super) fn keep_some(&mut self, name: &'r str) {
        self.consume(name);
        if let Some(value) = self.get(name) {
            self.put(name, value);
        }
    }

    /// Copies a time, truncated to seconds as in Pipedrive. A date stays a date.
    pub(super) fn instant(&mut self, name: &'r str) {
        self.consume(name);
        let Some(value) = self.text(name) else { return };
        let at = Time::parse(&value).filter(|_| value.len() > 10);
        let at = at.map(|at| at.whole_second().to_string());
        self.put(name, quoted(&at.unwrap_or(value)));
    }

    pub(super) fn put(&mut self, name: &str, value: impl Into<String>) {
        self.out.push((name.to_owned(), value.into()));
    }

    /// Returns the row with the wanted fields only.
    pub(super) fn finish(&self, wanted: impl Fn(&str) -> bool) -> String {
        let pairs = self.out.iter().filter(|(key, _)| wanted(key));
        let pairs = pairs.map(|(key, value)| format!("{}:{value}", quoted(key)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}
