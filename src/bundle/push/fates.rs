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

/// What is known of a target beside its own rows.
#[derive(Debug, Default)]
pub struct Known<'k> {
    /// The Pipedrive company; none for a CRM.
    pub company: Option<i64>,
    /// What the journal knows of it.
    pub memory: Option<&'k Memory>,
}

/// What became of a row that the target had, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFate {
    /// It is there under the public id `own`, which is not the one it was pushed with. Its id in the
    /// target is `id`.
    As {
        /// The public id it has there.
        own: String,
        /// Its id there.
        id: String,
    },
    /// It is there, in another array.
    Moved(Entity),
    /// It was deleted.
    Gone,
    /// It was deleted, and is to be brought back.
    Again,
}

/// A row that was deleted in the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Its array.
    #[serde(rename = "array")]
    pub entity: Entity,
    /// Its place there.
    pub index: u64,
    /// Its public id.
    pub public_id: String,
    /// The id it had in the target, if that is known.
    pub id: Option<String>,
    /// When it was deleted, if the target says so.
    pub deleted_at: Option<String>,
}

/// What became of the rows of a bundle. Nothing is kept of rows that are new, or where their public id
/// says.
#[derive(Debug, Default)]
pub struct Fates {
    rows: HashMap<u64, (Entity, RowFate)>,
    /// Rows that were deleted in the target, in the order of the bundle.
    pub gone: Vec<Gone>,
}

/// Whether a row says that it was deleted.
pub(in crate::bundle) fn is_deleted(row: &str) -> bool {
    value_of(row, "deleted_at").is_some_and(|at| at != "null")
}

impl Fates {
    /// Looks up every living row of a bundle in the target. With `recreate`, rows that were deleted there
    /// are created again.
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

    /// Whether every row is new, or where its public id says.
    pub fn is_plain(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row is to be created again.
    pub fn brings_back(&self) -> bool {
        self.rows.values().any(|(_, fate)| *fate == RowFate::Again)
    }

    /// What became of the row with this public id; `None` for one that is new, or there.
    pub fn row(&self, public_id: &str) -> Option<&RowFate> {
        self.numbered(number(public_id))
    }

    /// The same, by the number of its public id.
    pub fn numbered(&self, number: u64) -> Option<&RowFate> {
        self.rows.get(&number).map(|(_, fate)| fate)
    }

    /// What a target has of a row, wherever its public id went.
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

    /// The array in which a row lies that moved to another one.
    pub fn moved(&self, public_id: &str) -> Option<Entity> {
        match self.row(public_id) {
            Some(RowFate::Moved(entity)) => Some(*entity),
            _ => None,
        }
    }

    /// Numbers of the public ids of rows that are gone, and stay so.
    pub fn left(&self) -> impl Iterator<Item = u64> {
        let gone = self.rows.iter().filter(|(_, (_, fate))| *fate == RowFate::Gone);
        gone.map(|(number, _)| *number)
    }

    /// Rows that are known by an id of the journal: array, number of the public id, id.
    pub fn by_id(&self) -> impl Iterator<Item = (Entity, u64, &str)> {
        self.rows.iter().filter_map(|(number, (entity, fate))| match fate {
            RowFate::As { id, .. } => Some((*entity, *number, id.as_str())),
            _ => None,
        })
    }
}

/// Looks for one living row. What is found of one that is gone is noted.
fn look(
    gone: &mut Gone,
    row: &str,
    target: &mut Index,
    known: &Known<'_>,
) -> Result<Option<RowFate>> {
    let (entity, public_id) = (gone.entity, gone.public_id.clone());
    if let Some(there) = target.row(entity, &public_id)? {
        // A CRM takes what a bundle says of life: `deleted_at: null` brings a row back there.
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
    // A public id that this company's rows have of themselves: one of them had it.
    let own = generated_id(company, entity, "");
    if let Some(id) = public_id.strip_prefix(&own) {
        gone.id = Some(id.to_owned());
        return Ok(Some(RowFate::Gone));
    }
    Ok(None)
}

/// The arrays in which a row may be found that is not in its own: leads become deals, and deals leads.
const fn others(entity: Entity) -> &'static [Entity] {
    match entity {
        Entity::Leads => &[Entity::Opportunities],
        Entity::Opportunities => &[Entity::Leads],
        _ => &[],
    }
}

impl Gone {
    /// Notes what the target says of the row.
    fn note(&mut self, there: &str) -> RowFate {
        let get = |name: &str| value_of(there, name).and_then(text);
        let id = get("external_id").and_then(|id| id.rsplit(':').next().map(str::to_owned));
        self.id = id.or_else(|| get("id")).or_else(|| self.id.take());
        self.deleted_at = get("deleted_at");
        RowFate::Gone
    }
}
