//! The fields in which two versions of a row differ.

use super::naming::{Naming, Of};
use crate::model::{list, member, members, same};
use std::fmt::Write as _;

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// What people call the field: `address.locality`, `custom_fields.Region`, `emails[0].value`.
    pub label: String,
    /// A JSON pointer by the keys of the API: `/custom_fields/<hash>`.
    pub path: String,
    /// The older value as raw JSON on one line, labels in place of option ids; none if it was absent
    /// or null.
    pub old: Option<String>,
    /// The newer value, likewise.
    pub new: Option<String>,
}

/// Compares two versions of a row.
pub(super) struct Compare<'n> {
    naming: &'n Naming,
    path: Vec<String>,
    label: String,
    found: Vec<FieldChange>,
}

impl<'n> Compare<'n> {
    pub(super) fn new(naming: &'n Naming) -> Self {
        Self { naming, path: Vec::new(), label: String::new(), found: Vec::new() }
    }

    /// What differs, in the order of the newer version; what only the older one has comes last.
    pub(super) fn rows(mut self, old: &str, new: &str) -> Vec<FieldChange> {
        self.objects(old, new);
        self.found
    }

    fn objects(&mut self, old: &str, new: &str) {
        let (before, after) = (members(old), members(new));
        for (place, (key, value)) in after.iter().enumerate() {
            // Of a key that is there twice the last one counts.
            if member(&after, usize::MAX, key) == Some(*value) {
                let old = member(&before, place, key).unwrap_or("null");
                self.inside(key, |this| this.values(old, value));
            }
        }
        for (place, (key, value)) in before.iter().enumerate() {
            if member(&after, place, key).is_none() {
                self.inside(key, |this| this.values(value, "null"));
            }
        }
    }

    fn inside(&mut self, key: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.label.len();
        if !self.label.is_empty() {
            self.label.push('.');
        }
        self.label.push_str(&self.naming.name(&self.path, key));
        self.path.push(key.to_owned());
        compare(self);
        self.path.pop();
        self.label.truncate(length);
    }

    fn values(&mut self, old: &str, new: &str) {
        if same(old, new) {
            return;
        }
        let object = |value: &str| value.starts_with('{');
        // A row without custom fields has them all empty.
        let custom = self.path == ["custom_fields"];
        if object(old) && object(new) || custom && (object(old) || object(new)) {
            return self.objects(old, new);
        }
        let (before, after) = (list(old), list(new));
        let objects = |items: &[&str]| items.iter().all(|item| object(item));
        if !before.is_empty() && before.len() == after.len() && objects(&before) && objects(&after)
        {
            for (place, (old, new)) in before.into_iter().zip(after).enumerate() {
                let length = self.label.len();
                // A string takes everything.
                let _ = write!(self.label, "[{place}]");
                self.path.push(place.to_string());
                self.values(old, new);
                self.path.pop();
                self.label.truncate(length);
            }
            return;
        }
        self.found.push(self.change(old, new));
    }

    fn change(&self, old: &str, new: &str) -> FieldChange {
        let labelled = |of, value| self.naming.labelled(of, &self.path, value);
        let labels = (labelled(Of::Old, old), labelled(Of::New, new));
        // Two options may have one label.
        let (before, after) = if labels.0 == labels.1 { (None, None) } else { labels };
        let value = |labelled: Option<String>, raw: &str| {
            (raw != "null").then(|| labelled.unwrap_or_else(|| one_line(raw)))
        };
        let pointer = self.path.iter().map(|key| key.replace('~', "~0").replace('/', "~1"));
        FieldChange {
            label: self.label.clone(),
            path: pointer.fold(String::new(), |path, key| path + "/" + &key),
            old: value(before, old),
            new: value(after, new),
        }
    }
}

/// A raw value without line breaks, which stand between tokens only.
pub(crate) fn one_line(raw: &str) -> String {
    if raw.contains(['\n', '\r']) {
        let lines = raw.lines().map(str::trim);
        return lines.collect::<Vec<_>>().join(" ").trim().to_owned();
    }
    raw.to_owned()
}
