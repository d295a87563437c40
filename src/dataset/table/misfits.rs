//! Values that fit no column. They are kept as received and counted by field.

use super::texts::one_line;
use crate::model::quoted;
use std::collections::{BTreeMap, HashSet};

/// The number of values of each field that are stored in `_extra`.
#[derive(Debug, Default)]
pub(super) struct TypeMismatches(BTreeMap<String, u64>);

/// Most fields that are counted by name. Beyond it the count goes to [`OTHERS`], so that keys made
/// of data cannot fill the memory.
const NAMED_MAX: usize = 1_000;

const OTHERS: &str = "(other fields)";

impl TypeMismatches {
    /// Counts a value.
    pub(super) fn count(&mut self, field: &str) {
        if let Some(count) = self.0.get_mut(field) {
            *count += 1;
        } else {
            let name = if self.0.len() < NAMED_MAX { field } else { OTHERS };
            *self.0.entry(name.to_owned()).or_default() += 1;
        }
    }

    /// Returns the counts by field.
    pub(super) const fn by_field(&self) -> &BTreeMap<String, u64> {
        &self.0
    }
}

/// The pairs of one object that are stored in `_extra`.
#[derive(Debug, Default)]
pub(super) struct LeftOver {
    json: String,
    unknown: HashSet<String>,
}

impl LeftOver {
    /// Keeps a pair whose value does not fit, or whose key is unknown (`fits` is `None`). Null under an
    /// unknown key is kept only if it overrides an earlier value. Returns whether the pair was kept.
    pub(super) fn keep(&mut self, key: &str, raw: &str, fits: Option<bool>) -> bool {
        let kept = match fits {
            Some(fits) => !fits,
            None if raw == "null" => self.unknown.contains(key),
            None => {
                self.unknown.insert(key.to_owned());
                true
            }
        };
        if kept {
            self.json.push(if self.json.is_empty() { '{' } else { ',' });
            self.json.push_str(&quoted(key));
            self.json.push(':');
            self.json.push_str(&one_line(raw));
        }
        kept
    }

    /// Returns the object. `None` if no pair was kept.
    pub(super) fn finish(mut self) -> Option<String> {
        self.json.push('}');
        (self.json.len() > 1).then_some(self.json)
    }
}
