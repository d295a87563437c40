//! What a push would do: which rows the target lacks, which it has otherwise, which it has.

use super::fates::{Fate, Fates};
use crate::bundle::index::Index;
use crate::bundle::portable::{Array, STAMPS, public_id_of};
use crate::bundle::reader::{Reader, Span, Survey};
use crate::model::{Error, Kind, Lookup, Result, members, same, text};
use std::borrow::Cow;
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
    pub fields: BTreeMap<(Array, String), u64>,
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
}

/// The arrays of a bundle in the order in which they are imported.
pub(in crate::bundle) fn in_order(survey: &Survey) -> Vec<Span> {
    let mut spans = survey.spans.clone();
    spans.sort_by_key(|span| span.array);
    spans
}

impl Plan {
    /// Holds a bundle against the target's own rows. `fit` makes of a row what would be sent; `None`
    /// if it cannot be.
    pub async fn of<F>(
        survey: &Survey,
        target: &mut Index,
        fates: &Fates,
        mut fit: F,
    ) -> Result<Self>
    where
        F: FnMut(Array, &str) -> Result<Option<String>>,
    {
        let mut plan = Self::default();
        for span in in_order(survey) {
            let mut rows = Reader::of_array(&survey.path, span)?;
            while let Some(row) = rows.next().await? {
                let act = match fit(row.array, row.json)? {
                    None => Act::Leave,
                    Some(wanted) => plan.act(row.array, &wanted, target, fates)?,
                };
                plan.acts[row.array as usize].push(act);
            }
        }
        Ok(plan)
    }

    fn act(
        &mut self,
        array: Array,
        wanted: &str,
        target: &mut Index,
        fates: &Fates,
    ) -> Result<Act> {
        let id = public_id_of(wanted).ok_or_else(|| {
            Error::new(Kind::Bug, "a row without a public id was not found before")
        })?;
        let there = match fates.row(&id) {
            None => target.row(array, &id)?,
            Some(Fate::As { own, .. }) => target.row(array, own)?,
            Some(Fate::Moved(_)) => return Ok(Act::Moved),
            Some(Fate::Gone) => return Ok(Act::Gone),
            Some(Fate::Again) => None,
        };
        let Some(there) = there else {
            return Ok(Act::Create);
        };
        let differing = differing(wanted, &there);
        if differing.is_empty() {
            let again = fates.brings_back() && refers_again(wanted, fates);
            return Ok(if again { Act::Update } else { Act::Keep });
        }
        for field in differing {
            let named = self.fields.len() < FIELDS_MAX;
            let field = (array, field.into_owned());
            let field = if named || self.fields.contains_key(&field) {
                field
            } else {
                (array, OTHERS.to_owned())
            };
            *self.fields.entry(field).or_insert(0) += 1;
        }
        Ok(Act::Update)
    }

    /// What becomes of a row.
    pub fn act_of(&self, array: Array, index: u64) -> Act {
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        self.acts[array as usize].get(place).copied().unwrap_or(Act::Leave)
    }

    /// How many rows an array has.
    pub(super) fn rows(&self, array: Array) -> u64 {
        self.acts[array as usize].len() as u64
    }

    /// Whether a row is sent.
    pub fn sends(&self, array: Array, index: u64) -> bool {
        matches!(self.act_of(array, index), Act::Create | Act::Update)
    }

    /// The counts of an array.
    pub fn counts(&self, array: Array) -> Counts {
        let mut counts = Counts::default();
        for act in &self.acts[array as usize] {
            match act {
                Act::Create => counts.create += 1,
                Act::Update => counts.update += 1,
                Act::Keep => counts.unchanged += 1,
                Act::Leave => counts.left += 1,
                Act::Gone => counts.gone += 1,
                Act::Moved => counts.moved += 1,
            }
        }
        counts
    }

    /// How many rows would be sent.
    pub fn work(&self) -> u64 {
        let sent = |act: &&Act| matches!(act, Act::Create | Act::Update);
        self.acts.iter().flatten().filter(sent).count() as u64
    }
}

/// Whether a row refers to one that is to be created again: it still leads to the one that was deleted,
/// which has the same public id.
fn refers_again(row: &str, fates: &Fates) -> bool {
    members(row).iter().any(|(key, value)| {
        let again = || text(value).is_some_and(|id| fates.row(&id) == Some(&Fate::Again));
        key.ends_with("_public_id") && again()
    })
}

/// The fields of a row that the target has otherwise. What the target has beyond does not count, nor
/// when a row was written.
pub fn differing<'w>(wanted: &'w str, there: &str) -> Vec<Cow<'w, str>> {
    // Most rows are as they were sent, behind what the target has put before them: an object whose end
    // is the whole of another one has its members.
    if wanted.len() > 2 && there.ends_with(&wanted[1..]) {
        return Vec::new();
    }
    let (wanted, there) = (members(wanted), members(there));
    let there = Lookup::of(&there);
    let fields = wanted.into_iter().enumerate().filter(|(place, (key, value))| {
        let other = there.get(*place, key).unwrap_or("null");
        !STAMPS.contains(&key.as_ref()) && !alike(value, other)
    });
    fields.map(|(_, (key, _))| key).collect()
}

/// Whether two values are the same to a CRM: an empty list or object is as good as none.
fn alike(one: &str, other: &str) -> bool {
    let bare = |value| matches!(value, "null" | "[]" | "{}" | "\"\"");
    bare(one) && bare(other) || same(one, other)
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
    }
}
