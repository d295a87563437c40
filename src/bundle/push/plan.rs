//! Plans a push: which rows the target lacks, which differ, and which are equal.

use super::fates::{Fates, RowFate};
use super::journal::Refused;
use crate::bundle::format::{Entity, STAMPS, public_id_of};
use crate::bundle::index::Index;
use crate::bundle::reader::{Reader, Span, Survey};
use crate::model::{Error, Kind, Lookup, Result, json_eq, members};
use std::collections::BTreeMap;

/// The action that a push takes for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The target does not have the row.
    Create,
    /// The target has other values.
    Update,
    /// The target has the same values.
    Keep,
    /// The row is not pushed: it is deleted and the target never had it, or the target cannot store it.
    Leave,
    /// The row was deleted in the target and is not created again.
    Gone,
    /// The target has the row in another array, where it is not changed.
    Moved,
    /// The target has other values and would refuse the change.
    Locked,
}

/// A row in the form that a target accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// The row to send. For an existing row it may contain only the fields that change.
    pub json: String,
    /// The fields of an existing row that would change. Empty for a new row.
    pub changes: Vec<String>,
    /// The reason why the target would refuse to change the row.
    pub locked: Option<&'static str>,
}

impl Fitted {
    /// Creates a row that is sent with all fields.
    pub fn whole(json: String, there: Option<&str>) -> Self {
        let changes = there.map(|there| differing(&json, there)).unwrap_or_default();
        Self { json, changes, locked: None }
    }
}

/// Most fields that are counted by name; the others are counted together, as [`OTHERS`].
const FIELDS_MAX: usize = 1_000;
/// The name that replaces fields above the limit.
const OTHERS: &str = "(other fields)";

/// The actions for all rows of a bundle. One byte per row.
#[derive(Debug, Default)]
pub struct Plan {
    acts: [Vec<Act>; 5],
    /// The fields that change in existing rows, by array, and the number of rows.
    pub fields: BTreeMap<(Entity, String), u64>,
    /// The rows that the target would refuse to change, with the reasons.
    pub locked: Vec<Refused>,
    /// The number of rows to update that came from the target itself, by array.
    pub own: [u64; 5],
}

/// The number of rows by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// The number of rows that the target does not have.
    pub create: u64,
    /// The number of rows that the target has with other values.
    pub update: u64,
    /// The number of rows that the target has with the same values.
    pub unchanged: u64,
    /// The number of rows that are not pushed.
    pub left: u64,
    /// The number of rows that were deleted in the target.
    pub gone: u64,
    /// The number of rows that the target has in another array.
    pub moved: u64,
    /// The number of rows with other values that the target would refuse to change.
    pub locked: u64,
}

/// Returns the arrays of a bundle in import order.
pub(in crate::bundle) fn in_order(survey: &Survey) -> Vec<Span> {
    let mut spans = survey.spans.clone();
    spans.sort_by_key(|span| span.entity);
    spans
}

impl Plan {
    /// Compares a bundle with the target's rows. `fit` returns what would be sent for a row and the target's
    /// row, or `None` if the row cannot be sent. `own` returns whether a row came from the target itself.
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

    /// Returns the action for a row.
    pub fn act_of(&self, entity: Entity, index: u64) -> Act {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        self.acts[entity as usize].get(place).copied().unwrap_or(Act::Leave)
    }

    /// Returns the number of rows in an array.
    pub(super) fn rows(&self, entity: Entity) -> u64 {
        self.acts[entity as usize].len() as u64
    }

    /// Returns whether a row is sent.
    pub fn sends(&self, entity: Entity, index: u64) -> bool {
        matches!(self.act_of(entity, index), Act::Create | Act::Update)
    }

    /// Returns the counts of an array.
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

    /// Returns whether a field changes in existing rows.
    pub fn changes(&self, entity: Entity, field: &str) -> bool {
        [field, OTHERS].iter().any(|name| self.fields.contains_key(&(entity, (*name).to_owned())))
    }

    /// Returns the number of rows to send.
    pub fn work(&self) -> u64 {
        let sent = |act: &&Act| matches!(act, Act::Create | Act::Update);
        self.acts.iter().flatten().filter(sent).count() as u64
    }
}

/// Returns the public id of a validated row.
pub(in crate::bundle) fn known(row: &str) -> Result<String> {
    public_id_of(row)
        .ok_or_else(|| Error::new(Kind::Bug, "a row without a public id was not found before"))
}

/// Returns the fields of a row that differ in the target, with custom fields listed one by one. Additional
/// fields of the target and the times of creation and update are ignored.
pub fn differing(wanted: &str, there: &str) -> Vec<String> {
    // Most rows are unchanged, with the target's own fields in front. If one object ends with all the
    // members of the other, no member differs.
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

/// Returns the name of a custom field in a list of fields.
pub(in crate::bundle) fn custom_field(name: &str) -> String {
    format!("custom.{name}")
}

/// Returns the names of the members in which two objects differ.
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

/// Returns whether a CRM treats two values as equal. Empty text, lists and objects are equal to null.
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
