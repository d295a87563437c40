//! Finds the fields in which two versions of a row differ.

use super::equality::{Contacts, Likeness, contacts, same_sets};
use super::field_names::{Naming, Of};
use crate::model::{Lookup, json_eq, list, members};
use std::fmt::Write as _;

/// A value that differs between two versions of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field's name for people: `address.locality`, `custom_fields.Region`, `emails[0].value`.
    pub label: String,
    /// A JSON pointer with the keys of the API: `/custom_fields/<hash>`.
    pub path: String,
    /// The keys of the path.
    pub keys: Vec<String>,
    /// The name of each key for people. An index in a list is `[0]`.
    pub names: Vec<String>,
    /// The older value as raw JSON on one line, with labels in place of option ids. `None` if it was
    /// absent or null.
    pub old: Option<String>,
    /// The newer value in the same form.
    pub new: Option<String>,
}

/// The deepest level on which differences are reported one by one. What is below it differs as a whole.
const LEVELS_MAX: usize = 32;

/// Compares two versions of a row.
pub(super) struct Compare<'n> {
    naming: &'n Naming,
    path: Vec<String>,
    names: Vec<String>,
    label: String,
    found: Vec<FieldChange>,
}

impl<'n> Compare<'n> {
    pub(super) fn new(naming: &'n Naming) -> Self {
        let (path, names) = (Vec::new(), Vec::new());
        Self { naming, path, names, label: String::new(), found: Vec::new() }
    }

    /// Returns the differences in the order of the newer version. Values that only the older version has
    /// come last.
    pub(super) fn rows(mut self, old: &str, new: &str) -> Vec<FieldChange> {
        self.objects(old, new);
        self.found
    }

    fn objects(&mut self, old: &str, new: &str) {
        let (before, after) = (members(old), members(new));
        let (old, new) = (Lookup::of(&before), Lookup::of(&after));
        for (place, (key, value)) in after.iter().enumerate() {
            // The last value of a repeated key counts.
            if new.last(key) == Some(place) {
                let old = old.get(place, key).unwrap_or("null");
                self.inside(key, |this| this.values(old, value));
            }
        }
        for (place, (key, value)) in before.iter().enumerate() {
            if new.last(key).is_none() && old.last(key) == Some(place) {
                self.inside(key, |this| this.values(value, "null"));
            }
        }
    }

    fn inside(&mut self, key: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.label.len();
        if !self.label.is_empty() {
            self.label.push('.');
        }
        let name = self.naming.name(&self.path, key).into_owned();
        self.label.push_str(&name);
        self.names.push(name);
        self.path.push(key.to_owned());
        compare(self);
        self.path.pop();
        self.names.pop();
        self.label.truncate(length);
    }

    /// Compares two values. If both are objects or lists of objects, it compares their members.
    fn values(&mut self, old: &str, new: &str) {
        if old == new {
            return;
        }
        if self.path.len() >= LEVELS_MAX {
            return self.whole(old, new);
        }
        match self.naming.likeness(&self.path) {
            Likeness::Set if same_sets(old, new) => return,
            Likeness::Set => return self.whole(old, new),
            Likeness::Contacts => match contacts(old, new) {
                Contacts::Alike => return,
                Contacts::Moved => return self.whole(old, new),
                Contacts::InPlace => {}
            },
            Likeness::Plain => {}
        }
        let object = |value: &str| value.starts_with('{');
        // A row without custom fields equals one in which all of them are empty.
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
                // Writing to a string cannot fail.
                let _ = write!(self.label, "[{place}]");
                self.names.push(format!("[{place}]"));
                self.path.push(place.to_string());
                self.values(old, new);
                self.path.pop();
                self.names.pop();
                self.label.truncate(length);
            }
            return;
        }
        self.whole(old, new);
    }

    fn whole(&mut self, old: &str, new: &str) {
        if !json_eq(old, new) {
            self.found.push(self.change(old, new));
        }
    }

    fn change(&self, old: &str, new: &str) -> FieldChange {
        let labelled = |of, value| self.naming.labelled(of, &self.path, value);
        let labels = (labelled(Of::Old, old), labelled(Of::New, new));
        // Two options may have the same label. The ids are then shown.
        let (before, after) = if labels.0 == labels.1 { (None, None) } else { labels };
        let value = |labelled: Option<String>, raw: &str| {
            (raw != "null").then(|| labelled.unwrap_or_else(|| one_line(raw)))
        };
        let pointer = self.path.iter().map(|key| key.replace('~', "~0").replace('/', "~1"));
        FieldChange {
            label: self.label.clone(),
            path: pointer.fold(String::new(), |path, key| path + "/" + &key),
            keys: self.path.clone(),
            names: self.names.clone(),
            old: value(before, old),
            new: value(after, new),
        }
    }
}

/// Returns raw JSON on one line. Line breaks can occur only between tokens.
pub(crate) fn one_line(raw: &str) -> String {
    if raw.contains(['\n', '\r']) {
        let lines = raw.lines().map(str::trim);
        return lines.collect::<Vec<_>>().join(" ").trim().to_owned();
    }
    raw.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::work;

    fn changes(old: &str, new: &str) -> Vec<String> {
        let found = Compare::new(&Naming::default()).rows(old, new);
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let all = found.iter().map(|change| {
            format!("{}: {} -> {}", change.path, shown(&change.old), shown(&change.new))
        });
        all.collect()
    }

    #[test]
    fn differences_are_told_where_they_are() {
        let check = |old: &str, new: &str, expected: &[&str]| {
            assert_eq!(changes(old, new), expected);
        };
        check(
            r#"{"a":1,"b":{"c":[{"d":1},{"d":2}]}}"#,
            r#"{"b":{"c":[{"d":1.0},{"d":3}]}}"#,
            &["/b/c/1/d: 2 -> 3", "/a: 1 -> none"],
        );
        check(r#"{"a":1,"a":2,"b":null}"#, r#"{"a":3,"a":2}"#, &[]);
        check(r#"{"a":{}}"#, r#"{"a":[{}]}"#, &["/a: {} -> [{}]"]);
    }

    #[test]
    fn deep_differences_are_told_as_a_whole() {
        let nested = |inner: &str| "{\"a\":".repeat(500) + inner + &"}".repeat(500);
        assert_eq!(changes(&nested("1"), &nested("1.0")), [""; 0]);
        let found = Compare::new(&Naming::default()).rows(&nested("1"), &nested("2"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "/a".repeat(LEVELS_MAX));
    }

    #[test]
    fn the_work_grows_with_the_rows() {
        let row = |keys: usize, prefix: &str| {
            let pairs = (0..keys).map(|n| format!("\"{prefix}{n}\":{n}"));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
        };
        work::grows_with_its_input("no key in common", 2_000, |keys| {
            assert_eq!(changes(&row(keys, "old"), &row(keys, "new")).len(), 2 * keys);
        });
        work::grows_with_its_input("one key again and again", 2_000, |keys| {
            let again =
                |value: &str| format!("{{{}}}", vec![format!("\"a\":{value}"); keys].join(","));
            assert_eq!(changes(&again("1"), &again("2")), ["/a: 1 -> 2"]);
        });
    }
}
