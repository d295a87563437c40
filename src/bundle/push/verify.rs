//! Verifies a push against the target's own export and its change events.

use super::fates::{Fates, RowFate, is_deleted};
use super::journal::Entry;
use super::plan::{Fitted, in_order};
use crate::bundle::format::{Entity, public_id_of, value_of};
use crate::bundle::index::{Index, number};
use crate::bundle::listing::Listing;
use crate::bundle::reader::{Reader, Survey};
use crate::model::{Result, Time, text};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Rows that are named in a report; all are counted.
pub const NAMED_MAX: usize = 20;

/// What the target has of an array afterwards.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// Rows that are there as they were sent.
    pub verified: u64,
    /// Rows that are not there.
    pub missing: u64,
    /// Rows that are there with other values.
    pub different: u64,
    /// Deleted rows that the target does not export.
    pub hidden: u64,
    /// Rows that were deleted there before, and not brought back.
    pub gone: u64,
    /// Rows that are there in another array.
    pub moved: u64,
    /// Rows that the target would refuse to change.
    pub locked: u64,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verified {
    /// By array.
    pub arrays: BTreeMap<Entity, Checked>,
    /// Some of the rows that are not there.
    pub missing: Vec<String>,
    /// Fields that differ, by array, in how many rows.
    pub fields: BTreeMap<(Entity, String), u64>,
    /// Internal ids of pushed rows, for the events: by the number of the id.
    pub pushed: HashMap<u64, Entity>,
    /// Pushed rows of which the target does not say its internal id.
    pub nameless: BTreeMap<Entity, u64>,
}

impl Verified {
    fn of(&mut self, entity: Entity) -> &mut Checked {
        self.arrays.entry(entity).or_default()
    }

    /// How the journal ends.
    pub fn entry(&self) -> Entry {
        let count = |of: fn(&Checked) -> u64| self.arrays.values().map(of).sum();
        Entry::End {
            verified: count(|checked| checked.verified),
            missing: count(|checked| checked.missing + checked.different),
        }
    }
}

/// Holds every row of the bundle against the target's export. `fit` makes of a row, and of what is
/// there of it, what is still to be sent (`None` if it is not sent at all), `pushed` tells which rows were sent now or by an earlier attempt.
pub async fn verify<F>(
    survey: &Survey,
    target: &mut Index,
    fates: &Fates,
    mut fit: F,
    pushed: impl Fn(Entity, u64) -> bool,
) -> Result<Verified>
where
    F: FnMut(Entity, &str, Option<&str>) -> Result<Option<Fitted>>,
{
    let mut found = Verified::default();
    for span in in_order(survey) {
        let mut rows = Reader::of_array(&survey.path, span)?;
        while let Some(row) = rows.next().await? {
            let Some(id) = public_id_of(row.json) else { continue };
            match fates.row(&id) {
                Some(RowFate::Gone) => {
                    found.of(row.entity).gone += 1;
                    continue;
                }
                Some(RowFate::Moved(_)) => {
                    found.of(row.entity).moved += 1;
                    continue;
                }
                _ => {}
            }
            // A row that lives in the bundle and is deleted in the target is not there.
            let deleted = is_deleted(row.json);
            let there = target.row(row.entity, &id)?;
            let there = there.filter(|there| deleted || !is_deleted(there));
            let Some(fitted) = fit(row.entity, row.json, there.as_deref())? else { continue };
            let Some(there) = there else {
                if deleted {
                    found.of(row.entity).hidden += 1;
                } else {
                    found.of(row.entity).missing += 1;
                    if found.missing.len() < NAMED_MAX {
                        found.missing.push(id);
                    }
                }
                continue;
            };
            let checked = found.of(row.entity);
            match (fitted.changes.is_empty(), fitted.locked) {
                (true, _) => checked.verified += 1,
                (false, Some(_)) => checked.locked += 1,
                (false, None) => checked.different += 1,
            }
            if fitted.locked.is_none() {
                for field in fitted.changes {
                    *found.fields.entry((row.entity, field)).or_insert(0) += 1;
                }
            }
            if pushed(row.entity, row.index) {
                match value_of(&there, "id").and_then(text) {
                    Some(id) => {
                        found.pushed.insert(number(&id), row.entity);
                    }
                    None => *found.nameless.entry(row.entity).or_insert(0) += 1,
                }
            }
        }
    }
    Ok(found)
}

/// What the change events say of the pushed rows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Accounted {
    /// Pushed rows with an event `imported`.
    pub imported: u64,
    /// Pushed rows without one.
    pub unaccounted: u64,
    /// Whether rows were distinguished; otherwise events were counted by array.
    pub by_row: bool,
}

/// Reads the change events for what was pushed since then (by the target's clock).
pub async fn account(events: &Path, verified: &Verified, since: Option<Time>) -> Result<Accounted> {
    let mut waiting = verified.pushed.clone();
    let mut counts: BTreeMap<Entity, u64> = BTreeMap::new();
    let mut listing = Listing::open(events)?;
    while let Some(event) = listing.next().await? {
        let get = |name| value_of(event, name).and_then(text);
        let imported = get("event_type").is_some_and(|ty| ty == "imported");
        // Events that do not say when they happened are taken for ours.
        let at = get("created_at").and_then(|at| Time::parse(&at));
        let ours = match (at, since) {
            (Some(at), Some(since)) => at >= since.whole_second(),
            _ => true,
        };
        if !imported || !ours {
            continue;
        }
        let entity = get("record_type")
            .and_then(|name| Entity::ALL.into_iter().find(|entity| entity.record_type() == name));
        if let Some(id) = get("record_id")
            && waiting.remove(&number(&id)).is_none()
            && let Some(entity) = entity
        {
            *counts.entry(entity).or_insert(0) += 1;
        }
    }
    let nameless: u64 = verified.nameless.values().sum();
    let counted: u64 = verified
        .nameless
        .iter()
        .map(|(entity, rows)| counts.get(entity).copied().unwrap_or(0).min(*rows))
        .sum();
    let rows = verified.pushed.len() as u64;
    let unaccounted = waiting.len() as u64 + (nameless - counted);
    Ok(Accounted { imported: rows + nameless - unaccounted, unaccounted, by_row: nameless == 0 })
}
