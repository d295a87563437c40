//! Finds rows of a bundle that the target had earlier and does not have now.
//!
//! A row that was deleted in the target is absent, and is not created again unless asked for. A row that is
//! found in another array, like a lead that became a deal, is the same row. A row whose public id was
//! removed is recognised by the id that the journal stores.

use super::memory::Memory;
use super::plan::in_order;
use crate::bundle::format::{Entity, public_id_of, value_of};
use crate::bundle::index::{Index, number};
use crate::bundle::map::generated_id;
use crate::bundle::reader::{Reader, Survey};
use crate::model::{Result, text};
use serde::Serialize;
use std::collections::HashMap;

/// The additional data about a target, beyond its rows.
#[derive(Debug, Default)]
pub struct Known<'k> {
    /// The Pipedrive company. `None` for a CRM.
    pub company: Option<i64>,
    /// The rows and fields that the journal records for the target.
    pub memory: Option<&'k Memory>,
}

/// The state in the target of a row that it has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFate {
    /// The row exists under the public id `own`, which differs from the pushed one. Its id in the target is
    /// `id`.
    As {
        /// The public id in the target.
        own: String,
        /// The id in the target.
        id: String,
    },
    /// The row exists in another array.
    Moved(Entity),
    /// The row was deleted.
    Gone,
    /// The row was deleted and is to be created again.
    Again,
}

/// A row that was deleted in the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// The array.
    #[serde(rename = "array")]
    pub entity: Entity,
    /// The index in the array of the bundle.
    pub index: u64,
    /// The public id.
    pub public_id: String,
    /// The id that the row had in the target, if known.
    pub id: Option<String>,
    /// The time of the deletion, if the target returns it.
    pub deleted_at: Option<String>,
}

/// The states of the rows of a bundle in the target. New rows, and rows found under their public id, have
/// no entry.
#[derive(Debug, Default)]
pub struct Fates {
    rows: HashMap<u64, (Entity, RowFate)>,
    /// The rows that were deleted in the target, in the order of the bundle.
    pub gone: Vec<Gone>,
}

/// Returns whether a row is marked as deleted.
pub(in crate::bundle) fn is_deleted(row: &str) -> bool {
    value_of(row, "deleted_at").is_some_and(|at| at != "null")
}

impl Fates {
    /// Looks up every row of a bundle that is not deleted in the target. With `recreate`, rows that were
    /// deleted there are created again.
    pub async fn of(
        survey: &Survey,
        target: &mut Index,
        known: &Known<'_>,
        recreate: bool,
    ) -> Result<Self> {
        let mut fates = Self::default();
        for span in in_order(survey) {
            let mut rows = Reader::of_array(&survey.path, span)?;
            while let Some(row) = rows.next().await? {
                let Some(public_id) = public_id_of(row.json).filter(|_| !is_deleted(row.json))
                else {
                    continue;
                };
                let number = number(&public_id);
                let mut gone = Gone {
                    entity: row.entity,
                    index: row.index,
                    public_id,
                    id: None,
                    deleted_at: None,
                };
                let Some(fate) = look(&mut gone, row.json, target, known)? else { continue };
                let fate = if fate == RowFate::Gone && recreate { RowFate::Again } else { fate };
                if matches!(fate, RowFate::Gone | RowFate::Again) {
                    fates.gone.push(gone);
                }
                fates.rows.insert(number, (row.entity, fate));
            }
        }
        Ok(fates)
    }

    /// Returns whether every row is new or exists under its public id.
    pub fn is_plain(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns whether any row is to be created again.
    pub fn brings_back(&self) -> bool {
        self.rows.values().any(|(_, fate)| *fate == RowFate::Again)
    }

    /// Returns the state of the row with this public id. Returns `None` for a new row and for one that
    /// exists under its public id.
    pub fn row(&self, public_id: &str) -> Option<&RowFate> {
        self.numbered(number(public_id))
    }

    /// Returns the state of a row by the hash of its public id.
    pub fn numbered(&self, number: u64) -> Option<&RowFate> {
        self.rows.get(&number).map(|(_, fate)| fate)
    }

    /// Returns the target's row, also if it exists under another public id.
    pub fn there(
        &self,
        target: &mut Index,
        entity: Entity,
        public_id: &str,
    ) -> Result<Option<String>> {
        match self.row(public_id) {
            None => target.row(entity, public_id),
            Some(RowFate::As { own, .. }) => target.row(entity, own),
            Some(RowFate::Moved(_) | RowFate::Gone | RowFate::Again) => Ok(None),
        }
    }

    /// Returns the array to which a row has moved.
    pub fn moved(&self, public_id: &str) -> Option<Entity> {
        match self.row(public_id) {
            Some(RowFate::Moved(entity)) => Some(*entity),
            _ => None,
        }
    }

    /// Returns the hashes of the public ids of deleted rows that are not created again.
    pub fn left(&self) -> impl Iterator<Item = u64> {
        let gone = self.rows.iter().filter(|(_, (_, fate))| *fate == RowFate::Gone);
        gone.map(|(number, _)| *number)
    }

    /// Returns the rows found by an id in the journal: array, hash of the public id, and id.
    pub fn by_id(&self) -> impl Iterator<Item = (Entity, u64, &str)> {
        self.rows.iter().filter_map(|(number, (entity, fate))| match fate {
            RowFate::As { id, .. } => Some((*entity, *number, id.as_str())),
            _ => None,
        })
    }
}

/// Looks up one row. The details of a deleted row are written to `gone`.
fn look(
    gone: &mut Gone,
    row: &str,
    target: &mut Index,
    known: &Known<'_>,
) -> Result<Option<RowFate>> {
    let (entity, public_id) = (gone.entity, gone.public_id.clone());
    if let Some(there) = target.row(entity, &public_id)? {
        // A CRM takes the deletion state from the bundle: `deleted_at: null` restores a row there.
        let says = known.company.is_none() && value_of(row, "deleted_at").is_some();
        return Ok((is_deleted(&there) && !says).then(|| gone.note(&there)));
    }
    for other in others(entity) {
        if let Some(there) = target.row(*other, &public_id)? {
            return Ok(Some(if is_deleted(&there) {
                gone.note(&there)
            } else {
                RowFate::Moved(*other)
            }));
        }
    }
    let Some(company) = known.company else { return Ok(None) };
    if let Some(id) = known.memory.and_then(|memory| memory.id(entity, number(&public_id))) {
        gone.id = Some(id.to_owned());
        let (own, id) = (generated_id(company, entity, id), id.to_owned());
        return Ok(Some(match target.row(entity, &own)? {
            Some(there) if is_deleted(&there) => gone.note(&there),
            Some(_) => RowFate::As { own, id },
            None => RowFate::Gone,
        }));
    }
    // A public id generated from this company's own ids: such a row existed.
    let own = generated_id(company, entity, "");
    if let Some(id) = public_id.strip_prefix(&own) {
        gone.id = Some(id.to_owned());
        return Ok(Some(RowFate::Gone));
    }
    Ok(None)
}

/// Returns the other arrays to which a row can move: leads become deals, and deals become leads.
const fn others(entity: Entity) -> &'static [Entity] {
    match entity {
        Entity::Leads => &[Entity::Opportunities],
        Entity::Opportunities => &[Entity::Leads],
        _ => &[],
    }
}

impl Gone {
    /// Records the target's data about the deleted row.
    fn note(&mut self, there: &str) -> RowFate {
        let get = |name: &str| value_of(there, name).and_then(text);
        let id = get("external_id").and_then(|id| id.rsplit(':').next().map(str::to_owned));
        self.id = id.or_else(|| get("id")).or_else(|| self.id.take());
        self.deleted_at = get("deleted_at");
        RowFate::Gone
    }
}
