//! A row that is consumed field by field while a row for the target is built from it.

use crate::bundle::format::Entity;
use crate::bundle::push::alike;
use crate::model::{Members, Time, members, quoted, text};
use std::borrow::Cow;

/// A row that is being made.
pub(super) struct RowBuilder<'r> {
    pub(super) entity: Entity,
    pub(super) fields: Members<'r>,
    /// What the account has of it, as its own export says it; `None` of a row that is new.
    there: Option<Members<'r>>,
    /// Fields that say something else than what is there.
    edited: Vec<Cow<'r, str>>,
    pub(super) taken: Vec<&'r str>,
    pub(super) out: Vec<(String, String)>,
    /// Fields of `out` that do not say exactly what the bundle does, and why.
    inexact: Vec<(&'static str, Inexact, &'static str)>,
}

/// How a value says something else than the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inexact {
    /// It is what is left of it: better than nothing.
    Part,
    /// It is a guess, or stands for something that has no place: good for a new row only.
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

    /// Whether the account has nothing of it.
    pub(super) const fn is_new(&self) -> bool {
        self.there.is_none()
    }

    /// The raw value of a field in the account.
    pub(super) fn other(&self, name: &str) -> &'r str {
        let there = self.there.iter().flatten();
        there.rev().find(|(key, _)| key == name).map_or("null", |(_, value)| *value)
    }

    /// Notes which fields say something else than what is there; `form` tells what of them is only
    /// another form of it.
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

    /// Whether a field says something that is not there yet: of a new row all do.
    pub(super) fn edited(&self, name: &str) -> bool {
        self.is_new() || self.edited.iter().any(|field| field == name)
    }

    /// Whether one of these fields does.
    pub(super) fn any_edited(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.edited(name))
    }

    /// Notes that a field of the row that is made does not say what the bundle does.
    pub(super) fn doubt(&mut self, name: &'static str, how: Inexact, why: &'static str) {
        self.inexact.push((name, how, why));
    }

    /// How a field of the row that is made is not what the bundle says.
    pub(super) fn doubted(&self, name: &str) -> Option<(Inexact, &'static str)> {
        let found = self.inexact.iter().find(|(field, ..)| *field == name);
        found.map(|(_, how, why)| (*how, *why))
    }

    /// A field of the row that is made.
    pub(super) fn made(&self, name: &str) -> Option<&str> {
        self.out.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
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

    pub(super) fn consume(&mut self, name: &'r str) {
        self.taken.push(name);
    }

    /// Takes a field as it is.
    pub(super) fn leave_as_is(&mut self, name: &'r str) {
        self.consume(name);
        if self.says(name) {
            let value = self.get(name).unwrap_or("null").to_owned();
            self.put(name, value);
        }
    }

    /// Takes a field as it is, unless it says nothing.
    pub(super) fn keep_some(&mut self, name: &'r str) {
        self.consume(name);
        if let Some(value) = self.get(name) {
            self.put(name, value);
        }
    }

    /// Takes an instant, to the second as Pipedrive has them; a date stays one.
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

    /// The row, with these fields alone.
    pub(super) fn finish(&self, wanted: impl Fn(&str) -> bool) -> String {
        let pairs = self.out.iter().filter(|(key, _)| wanted(key));
        let pairs = pairs.map(|(key, value)| format!("{}:{value}", quoted(key)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}
