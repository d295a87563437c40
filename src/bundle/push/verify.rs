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

/// The state of an array in the target after a push.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// The number of rows with the values that were sent.
    pub verified: u64,
    /// The number of missing rows.
    pub missing: u64,
    /// The number of rows with other values.
    pub different: u64,
    /// The number of deleted rows that the target does not export.
    pub hidden: u64,
    /// The number of rows that were deleted in the target before the push and were not created again.
    pub gone: u64,
    /// The number of rows that exist in another array.
    pub moved: u64,
    /// The number of rows that the target would refuse to change.
    pub locked: u64,
}

/// The results of the verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// The results by array.
    pub arrays: BTreeMap<Entity, Checked>,
    /// The public ids of the first missing rows.
    pub missing: Vec<String>,
    /// The fields that differ, by array, with the number of rows.
    pub fields: BTreeMap<(Entity, String), u64>,
    /// The arrays of the pushed rows, by the hash of their internal id. They are matched with change
    /// events.
    pub pushed: HashMap<u64, Entity>,
    /// The number of pushed rows for which the target exports no internal id, by array.
    pub nameless: BTreeMap<Entity, u64>,
}

impl Verified {
    fn of(&mut self, entity: Entity) -> &mut Checked {
        self.arrays.entry(entity).or_default()
    }

    /// Returns the last entry of the journal.
    pub fn entry(&self) -> Entry {
        let count = |of: fn(&Checked) -> u64| self.arrays.values().map(of).sum();
        Entry::End {
            verified: count(|checked| checked.verified),
            missing: count(|checked| checked.missing + checked.different),
        }
    }
}

/// Compares every row of the bundle with the target's export. `fit` returns what would still be sent for a
/// row and the target's row, or `None` if the row is not sent at all. `pushed` returns whether a row was
/// sent by this push or an earlier attempt.
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
            // A row that is deleted only in the target counts as missing.
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

/// The pushed rows found in the change events.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Accounted {
    /// The number of pushed rows with an event `imported`.
    pub imported: u64,
    /// The number of pushed rows without such an event.
    pub unaccounted: u64,
    /// Whether events were matched by row. Otherwise some were counted by array.
    pub by_row: bool,
}

/// Searches the change events for the rows that were pushed since a time of the target's clock.
pub async fn account(events: &Path, verified: &Verified, since: Option<Time>) -> Result<Accounted> {
    let mut waiting = verified.pushed.clone();
    let mut counts: BTreeMap<Entity, u64> = BTreeMap::new();
    let mut listing = Listing::open(events)?;
    while let Some(event) = listing.next().await? {
        let get = |name| value_of(event, name).and_then(text);
        let imported = get("event_type").is_some_and(|ty| ty == "imported");
        // An event without a time counts as an event of this push.
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
