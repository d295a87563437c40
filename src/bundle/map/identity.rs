//! Assigns public ids to rows and ensures that they are unique.

use crate::bundle::format::{Entity, PUBLIC_ID_MAX};
use crate::bundle::index::number;
use std::collections::{HashMap, HashSet};

/// Why a row is not called as it says.
const TWICE: &str = "is in two rows; the later one gets a new id";
/// The same.
const TOO_LONG: &str = "is longer than 255 bytes, so the row gets an id of its own";

/// Rows that were taken, by id: what later rows may refer to.
#[derive(Debug, Default)]
pub(super) struct Known {
    company: i64,
    /// For each array: the public id, where it is not the one made of the id.
    pub(super) rows: [HashMap<u64, Option<Box<str>>>; 5],
    /// Public ids of accounts and contacts that keep one, from [`Mapper::learn`].
    pub(super) public_ids: [HashMap<u64, Box<str>>; 2],
    /// Their numbers.
    pub(super) learnt_ids: HashSet<u64>,
    /// Numbers of public ids that rows have and that are not made of their own ids.
    kept: HashSet<u64>,
}

impl Known {
    /// Nothing is known yet of the rows of a company.
    pub(super) fn of(company: i64) -> Self {
        Self { company, ..Self::default() }
    }

    /// The public id of an account or contact that may come later, and whether it came already.
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

    /// What a record is called: as it says itself, else after its own id. And why not as it says.
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

    /// A public id for a record whose own is another's.
    pub(super) fn another(&mut self, generated: &str) -> String {
        let mut id = generated.to_owned();
        let mut n = 1_u64;
        while !self.kept.insert(number(&id)) {
            n += 1;
            id = format!("{generated}_{n}");
        }
        id
    }

    /// Whether another row is called so: because it says so, or after its own id.
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

/// What a record is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// This, and nothing else is.
    Its(String),
    /// This, and another row is called so already.
    Taken(String),
}

/// The public id of a record that does not keep one: the same for the same record always, and
/// never that of another company's.
pub(in crate::bundle) fn generated_id(company: i64, entity: Entity, id: &str) -> String {
    format!("{}pd{company}_{id}", entity.prefix())
}

/// The number by which a record is known: its id, or what stands for a text that is one.
pub(super) fn key(entity: Entity, external: &str) -> u64 {
    match external.parse() {
        Ok(id) if entity != Entity::Leads => id,
        _ => number(external),
    }
}
