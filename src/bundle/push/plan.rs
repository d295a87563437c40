//! Plans a push: which rows the target lacks, which differ, and which are equal.

use super::fates::{Fates, RowFate};
use super::journal::Refused;
use crate::bundle::format::{Entity, STAMPS, public_id_of};
use crate::bundle::index::Index;
use crate::bundle::reader::{Reader, Span, Survey};
use crate::model::{Error, Kind, Lookup, Result, json_eq, members};
use std::collections::BTreeMap;

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The target lacks it.
    Create,
    /// The target has other values.
    Update,
    /// The target has it so.
    Keep,
    /// It is not pushed: deleted, and the target never had it; or the target cannot hold it.
    Leave,
    /// It was deleted in the target, and stays so.
    Gone,
    /// The target has it in another array, where it is left as it is.
    Moved,
    /// The target has other values, and would refuse the change.
    Locked,
}

/// A row as a target takes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// What is sent. Of a row that is there this may be the fields alone that change.
    pub json: String,
    /// The fields of a row that is there which would get another value; none of a row that is new.
    pub changes: Vec<String>,
    /// Why the target would refuse to change the row.
    pub locked: Option<&'static str>,
}

impl Fitted {
    /// A row that is sent whole.
    pub fn whole(json: String, there: Option<&str>) -> Self {
        let changes = there.map(|there| differing(&json, there)).unwrap_or_default();
        Self { json, changes, locked: None }
    }
}

/// Most fields that are counted by name; the others are counted together, as [`OTHERS`].
const FIELDS_MAX: usize = 1_000;
/// What stands for fields that are not named.
const OTHERS: &str = "(other fields)";

/// What becomes of each row of a bundle. One byte a row.
#[derive(Debug, Default)]
pub struct Plan {
    acts: [Vec<Act>; 5],
    /// Fields in which rows to be updated differ, by array, and in how many rows.
    pub fields: BTreeMap<(Entity, String), u64>,
    /// Rows that the target would refuse to change, and why.
    pub locked: Vec<Refused>,
    /// Rows to be updated that came from the target itself, by array.
    pub own: [u64; 5],
}

/// How many rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// That the target lacks.
    pub create: u64,
    /// That it has otherwise.
    pub update: u64,
    /// That it has.
    pub unchanged: u64,
    /// That are not pushed.
    pub left: u64,
    /// That were deleted in the target.
    pub gone: u64,
    /// That it has in another array.
    pub moved: u64,
    /// That it has otherwise, and would refuse to change.
    pub locked: u64,
}

/// The arrays of a bundle in the order in which they are imported.
pub(in crate::bundle) fn in_order(survey: &Survey) -> Vec<Span> {
    let mut spans = survey.spans.clone();
    spans.sort_by_key(|span| span.entity);
    spans
}

impl Plan {
    /// Holds a bundle against the target's own rows. `fit` makes of a row, and of what is there of it,
    /// what would be sent; `None` if it cannot be. `own` tells rows that came from the target itself.
    pub async fn of<F>(
        survey: &Survey,
        target: &mut Index,
        fates: &Fates,
        own: impl Fn(Entity, &str) -> bool,
        mut fit: F,
    ) -> Result<Self>
    where
        F: FnMut(Entity, &str, Option<&str>) -> Result<Option<Fitted>>,
    {
        let mut plan = Self::default();
        for span in in_order(survey) {
            let mut rows = Reader::of_array(&survey.path, span)?;
            while let Some(row) = rows.next().await? {
                let (entity, id) = (row.entity, known(row.json)?);
                let act = match fates.row(&id) {
                    Some(RowFate::Moved(_)) => Act::Moved,
                    Some(RowFate::Gone) => Act::Gone,
                    _ => {
                        let there = fates.there(target, entity, &id)?;
                        let fitted = fit(entity, row.json, there.as_deref())?;
                        plan.act(entity, row.index, &id, fitted, there.is_some())
                    }
                };
                if act == Act::Update && own(entity, &id) {
                    plan.own[entity as usize] += 1;
                }
                plan.acts[entity as usize].push(act);
            }
        }
        Ok(plan)
    }

    fn act(
        &mut self,
        entity: Entity,
        index: u64,
        id: &str,
        fitted: Option<Fitted>,
        there: bool,
    ) -> Act {
        let Some(fitted) = fitted else { return Act::Leave };
        if !there {
            return Act::Create;
        }
        if fitted.changes.is_empty() {
            return Act::Keep;
        }
        for field in fitted.changes {
            let named = self.fields.len() < FIELDS_MAX;
            let field = (entity, field);
            let field = if named || self.fields.contains_key(&field) {
                field
            } else {
                (entity, OTHERS.to_owned())
            };
            *self.fields.entry(field).or_insert(0) += 1;
        }
        let Some(why) = fitted.locked else { return Act::Update };
        let (entity, public_id) = (entity.name().to_owned(), id.to_owned());
        self.locked.push(Refused { entity, index, public_id, error: why.to_owned() });
        Act::Locked
    }

    /// What becomes of a row.
    pub fn act_of(&self, entity: Entity, index: u64) -> Act {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        self.acts[entity as usize].get(place).copied().unwrap_or(Act::Leave)
    }

    /// How many rows an array has.
    pub(super) fn rows(&self, entity: Entity) -> u64 {
        self.acts[entity as usize].len() as u64
    }

    /// Whether a row is sent.
    pub fn sends(&self, entity: Entity, index: u64) -> bool {
        matches!(self.act_of(entity, index), Act::Create | Act::Update)
    }

    /// The counts of an array.
    pub fn counts(&self, entity: Entity) -> Counts {
        let mut counts = Counts::default();
        for act in &self.acts[entity as usize] {
            match act {
                Act::Create => counts.create += 1,
                Act::Update => counts.update += 1,
                Act::Keep => counts.unchanged += 1,
                Act::Leave => counts.left += 1,
                Act::Gone => counts.gone += 1,
                Act::Moved => counts.moved += 1,
                Act::Locked => counts.locked += 1,
            }
        }
        counts
    }

    /// Whether a field changes in rows that are there.
    pub fn changes(&self, entity: Entity, field: &str) -> bool {
        [field, OTHERS].iter().any(|name| self.fields.contains_key(&(entity, (*name).to_owned())))
    }

    /// How many rows would be sent.
    pub fn work(&self) -> u64 {
        let sent = |act: &&Act| matches!(act, Act::Create | Act::Update);
        self.acts.iter().flatten().filter(sent).count() as u64
    }
}

/// The public id of a row that was validated.
pub(in crate::bundle) fn known(row: &str) -> Result<String> {
    public_id_of(row)
        .ok_or_else(|| Error::new(Kind::Bug, "a row without a public id was not found before"))
}

/// The fields of a row that the target has otherwise; custom fields one by one. What the target has
/// beyond does not count, nor when a row was written.
pub fn differing(wanted: &str, there: &str) -> Vec<String> {
    // Most rows are as they were sent, behind what the target has put before them: an object whose end
    // is the whole of another one has its members.
    if wanted.len() > 2 && there.ends_with(&wanted[1..]) {
        return Vec::new();
    }
    let (wanted, there) = (members(wanted), members(there));
    let there = Lookup::of(&there);
    let mut differing = Vec::new();
    for (place, (key, value)) in wanted.into_iter().enumerate() {
        let other = there.get(place, &key).unwrap_or("null");
        if STAMPS.contains(&key.as_ref()) || alike(value, other) {
            continue;
        }
        let objects = [value, other].iter().all(|raw| raw.starts_with('{') || *raw == "null");
        if key == "custom" && objects {
            differing.extend(differing_members(value, other).iter().map(|name| custom_field(name)));
        } else {
            differing.push(key.into_owned());
        }
    }
    differing
}

/// What a custom field is called beside the fields of every row.
pub(in crate::bundle) fn custom_field(name: &str) -> String {
    format!("custom.{name}")
}

/// The members in which two objects differ, of either.
fn differing_members(one: &str, other: &str) -> Vec<String> {
    let (one, other) = (members(one), members(other));
    let (first, second) = (Lookup::of(&one), Lookup::of(&other));
    let both = one
        .iter()
        .enumerate()
        .filter(|(place, (key, value))| !alike(value, second.get(*place, key).unwrap_or("null")));
    let more = other
        .iter()
        .enumerate()
        .filter(|(place, (key, value))| first.get(*place, key).is_none() && !alike(value, "null"));
    both.chain(more).map(|(_, (key, _))| key.to_string()).collect()
}

/// Whether two values are the same to a CRM: an empty list or object is as good as none.
pub(in crate::bundle) fn alike(one: &str, other: &str) -> bool {
    let bare = |value| matches!(value, "null" | "[]" | "{}" | "\"\"");
    bare(one) && bare(other) || json_eq(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, there: &str, expected: &[&str]) {
        assert_eq!(differing(wanted, there), expected);
    }

    #[test]
    fn what_the_target_adds_is_no_difference() {
        let there = r#"{"id":"x","public_id":"a","name":"N","amount":10.0,"labels":[],"updated_at":"2026-01-02T00:00:00Z"}"#;
        check(
            r#"{"public_id":"a","name":"N","amount":10,"labels":null,"updated_at":"2025-01-01T00:00:00Z"}"#,
            there,
            &[],
        );
        check(r#"{"public_id":"a","name":"M","custom":{},"phone":"1"}"#, there, &["name", "phone"]);
        check(r#"{"name":null}"#, there, &["name"]);
        check(r#"{"labels":[],"updated_at":"2026-01-02T00:00:00Z"}"#, there, &[]);
        check("{}", there, &[]);
        let there = r#"{"custom":{"Tier":"gold","Score":7,"Region":[]}}"#;
        check(r#"{"custom":{"Score":7.0,"Tier":"silver","Grade":null}}"#, there, &["custom.Tier"]);
        check(r#"{"custom":{"Tier":"gold"}}"#, there, &["custom.Score"]);
        check(r#"{"custom":null}"#, there, &["custom.Tier", "custom.Score"]);
    }
}
