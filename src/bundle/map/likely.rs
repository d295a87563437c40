//! Finds the field that stores public ids by its type and its values.
//!
//! It is used when neither a journal nor a side-car knows the field's key and the field was renamed.

use super::dictionary::dictionary;
use super::setup::AccountSetup;
use crate::bundle::format::{Entity, PUBLIC_ID_MAX};
use crate::bundle::index::number;
use crate::model::text;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many of a field's values must be public ids, and how many of these different ones, percent: people
/// edit some, and copies of rows carry the id of the first.
const IDS_PERCENT_MIN: u64 = 90;
/// The arrays that own the dictionaries.
const OWNERS: [Entity; 3] = [Entity::Accounts, Entity::Contacts, Entity::Opportunities];

/// The contents of the bundle that is pushed into the account.
#[derive(Debug, Default)]
pub struct Expected {
    /// The hashes of the public ids of its rows. 8 bytes each.
    pub numbers: HashSet<u64>,
    /// The names of its custom fields. A field with such a name does not store the rows' own public ids.
    pub names: HashSet<String>,
}

/// The statistics of a field.
#[derive(Debug, Default)]
struct Observed {
    /// The number of values.
    values: u64,
    /// The number of values that look like public ids.
    ids: u64,
    /// The hashes of the distinct ids. 8 bytes each.
    different: HashSet<u64>,
}

/// The fields that may store public ids.
#[derive(Debug, Default)]
pub(super) struct Likely {
    fields: [HashMap<String, Observed>; 3],
    expected: Arc<Expected>,
}

impl Likely {
    /// Collects the fields of an account whose type fits, for dictionaries without a known field.
    pub(super) fn of(setup: &AccountSetup) -> Self {
        let fields = std::array::from_fn(|place| {
            let suspects = setup.dictionaries[place].suspects();
            let other = |name: &str| setup.expected.names.contains(name);
            let suspects = suspects.filter(|(_, name)| !other(name));
            suspects.map(|(code, _)| (code.to_owned(), Observed::default())).collect()
        });
        Self { fields, expected: Arc::clone(&setup.expected) }
    }

    /// Returns whether the rows of an array need to be examined.
    pub(super) fn asks(&self, entity: Entity) -> bool {
        dictionary(entity).is_some_and(|place| !self.fields[place].is_empty())
    }

    /// Examines the custom values of a row.
    pub(super) fn add_row<'r>(
        &mut self,
        entity: Entity,
        values: impl Iterator<Item = (&'r str, &'r str)>,
    ) {
        let Some(place) = dictionary(entity) else { return };
        for (code, raw) in values.filter(|(_, raw)| *raw != "null") {
            let Some(seen) = self.fields[place].get_mut(code) else { continue };
            let Some(value) = text(raw).filter(|value| !value.is_empty()) else { continue };
            seen.values += 1;
            let number = number(&value);
            if looks_like_one(place, &value) || self.expected.numbers.contains(&number) {
                seen.ids += 1;
                seen.different.insert(number);
            }
        }
    }

    /// Returns the fields that probably store public ids. Each dictionary gives the field with the most
    /// ids.
    pub(super) fn found(&self) -> Vec<(Entity, String)> {
        let most = |part: u64, whole: u64| part * 100 >= whole * IDS_PERCENT_MIN;
        let found = OWNERS.into_iter().zip(&self.fields).filter_map(|(entity, fields)| {
            let fit = fields.iter().filter(|(_, seen)| {
                let different = seen.different.len() as u64;
                seen.ids > 0 && most(seen.ids, seen.values) && most(different, seen.ids)
            });
            let best = fit.max_by_key(|(code, seen)| (seen.ids, std::cmp::Reverse(*code)));
            best.map(|(code, _)| (entity, code.clone()))
        });
        found.collect()
    }
}

/// Returns whether a value begins like the public ids of the arrays that use this dictionary.
fn looks_like_one(place: usize, value: &str) -> bool {
    let arrays = Entity::ALL.into_iter().filter(|entity| dictionary(*entity) == Some(place));
    value.len() <= PUBLIC_ID_MAX
        && !value.contains(char::is_whitespace)
        && arrays.into_iter().any(|entity| value.starts_with(entity.prefix()))
}
