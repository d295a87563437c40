//! Assigns public ids to rows and ensures that they are unique.

use crate::bundle::format::{Entity, PUBLIC_ID_MAX};
use crate::bundle::index::number;
use std::collections::{HashMap, HashSet};

/// The reason for replacing a public id that occurs twice.
const TWICE: &str = "is in two rows; the later one gets a new id";
/// The reason for replacing a public id that is too long.
const TOO_LONG: &str = "is longer than 255 bytes, so the row gets an id of its own";

/// The rows read so far, by id. Later rows can refer to them.
#[derive(Debug, Default)]
pub(super) struct Known {
    company: i64,
    /// For each array: the public id, or `None` if it is generated from the id.
    pub(super) rows: [HashMap<u64, Option<Box<str>>>; 5],
    /// The public ids that accounts and contacts store, from [`Mapper::learn`].
    pub(super) public_ids: [HashMap<u64, Box<str>>; 2],
    /// The hashes of these public ids.
    pub(super) learnt_ids: HashSet<u64>,
    /// The hashes of the public ids that are not generated from the row's own id.
    kept: HashSet<u64>,
}

impl Known {
    /// Creates an empty set for a company.
    pub(super) fn of(company: i64) -> Self {
        Self { company, ..Self::default() }
    }

    /// Returns the public id of an account or contact that may come later, and whether it is already read.
    pub(super) fn deferred_id(&self, entity: Entity, id: u64) -> (String, bool) {
        let came = self.rows[entity as usize].get(&id);
        let own = match came {
            Some(own) => own.as_ref(),
            None => self.public_ids.get(entity as usize).and_then(|public_ids| public_ids.get(&id)),
        };
        let public_id = own.map(ToString::to_string);
        let public_id =
            public_id.unwrap_or_else(|| generated_id(self.company, entity, &id.to_string()));
        (public_id, came.is_some())
    }

    /// Returns the public id of a record: the one it stores, otherwise the one generated from its id. Also
    /// returns the reason if the stored id is not used.
    pub(super) fn call(
        &mut self,
        says: Option<String>,
        generated: &str,
    ) -> (Called, Option<&'static str>) {
        let mut refused = None;
        match says {
            Some(id) if id.len() > PUBLIC_ID_MAX => refused = Some(TOO_LONG),
            Some(id) if self.is_taken(&id) => return (Called::Taken(id), Some(TWICE)),
            Some(id) => {
                self.kept.insert(number(&id));
                return (Called::Its(id), None);
            }
            None => {}
        }
        if self.kept.contains(&number(generated)) {
            return (Called::Taken(generated.to_owned()), refused.or(Some(TWICE)));
        }
        (Called::Its(generated.to_owned()), refused)
    }

    /// Returns a free public id for a record whose own id is taken.
    pub(super) fn another(&mut self, generated: &str) -> String {
        let mut id = generated.to_owned();
        let mut n = 1_u64;
        while !self.kept.insert(number(&id)) {
            n += 1;
            id = format!("{generated}_{n}");
        }
        id
    }

    /// Returns whether another row has this id, either stored or generated.
    fn is_taken(&self, id: &str) -> bool {
        let after_its_id = || {
            Entity::ALL.into_iter().any(|entity| {
                let own = id.strip_prefix(&*generated_id(self.company, entity, ""));
                let row = own.and_then(|own| self.rows[entity as usize].get(&key(entity, own)));
                row.is_some_and(Option::is_none)
            })
        };
        self.kept.contains(&number(id)) || after_its_id()
    }
}

/// The public id of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// An id that no other row has.
    Its(String),
    /// An id that another row has.
    Taken(String),
}

/// Returns the public id of a record that does not store one. It is always the same for a record and unique
/// across companies.
pub(in crate::bundle) fn generated_id(company: i64, entity: Entity, id: &str) -> String {
    format!("{}pd{company}_{id}", entity.prefix())
}

/// Returns the number that identifies a record: its id, or a hash of a text id.
pub(super) fn key(entity: Entity, external: &str) -> u64 {
    match external.parse() {
        Ok(id) if entity != Entity::Leads => id,
        _ => number(external),
    }
}
