//! What a push would do, and what it did, for people and for programs.

use crate::bundle::Array;
use crate::bundle::push::{Accounted, Gone, How, Plan, Refused, Used, Verified};
use crate::cli::figures::grouped;
use crate::cli::text::Text;
use crate::model::{Error, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Refused rows that are listed; all are counted.
const REFUSED_MAX: usize = 1_000;
/// What is said of rows that were deleted in the target.
const GONE: &str = "were deleted in the target (--recreate-deleted creates them again)";
/// Refused rows, and deleted ones, that a table shows.
const SHOWN_MAX: usize = 20;

/// A push, as far as it came.
#[derive(Default)]
pub(super) struct Report {
    /// The bundle's file.
    pub(super) bundle: String,
    /// Whose rows it holds.
    pub(super) from: String,
    /// Where they go.
    pub(super) to: String,
    pub(super) dry_run: bool,
    pub(super) plan: Plan,
    pub(super) stages: Vec<Used>,
    /// What the target cannot hold, by array and field: why, and how many rows.
    pub(super) losses: BTreeMap<(Array, String), (String, u64)>,
    /// Custom fields that are (to be) created: array, name, type.
    pub(super) fields: Vec<(Array, String, String)>,
    /// Tokens the push costs, in Pipedrive.
    pub(super) tokens: Option<u64>,
    /// Rows sent by an attempt that broke off.
    pub(super) earlier: u64,
    pub(super) sent: u64,
    pub(super) requests: u64,
    pub(super) refused: Vec<Refused>,
    /// Rows of the bundle that were deleted in the target.
    pub(super) gone: Vec<Gone>,
    /// Whether they are (to be) created again.
    pub(super) recreated: bool,
    pub(super) verified: Option<Verified>,
    pub(super) events: Option<Accounted>,
}

impl Report {
    fn total(&self, of: impl Fn(&crate::bundle::push::Checked) -> u64) -> u64 {
        self.verified.iter().flat_map(|verified| verified.arrays.values()).map(of).sum()
    }

    /// Whether the rows that were deleted in the target stay so, after a push.
    const fn stays_gone(&self) -> bool {
        !self.recreated && !self.dry_run
    }

    /// What is missing, if something is.
    pub(super) fn failure(&self) -> Option<Error> {
        let mut wrong = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                wrong.push(format!("{} rows {what}", grouped(count)));
            }
        };
        add(self.refused.len() as u64, "were refused");
        add(self.gone.len() as u64 * u64::from(self.stays_gone()), GONE);
        add(self.total(|checked| checked.missing), "are missing");
        add(self.total(|checked| checked.different), "are there with other values");
        add(self.events.as_ref().map_or(0, |events| events.unaccounted), "have no change event");
        if wrong.is_empty() {
            return None;
        }
        Some(Error::new(Kind::Incomplete, format!("incomplete: {}", wrong.join(", "))))
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let by_array = |of: &dyn Fn(Array) -> Value| {
            let rows = Array::ALL.into_iter().map(|array| (array.name().to_owned(), of(array)));
            Value::Object(rows.collect::<Map<_, _>>())
        };
        let fields = |fields: &BTreeMap<(Array, String), u64>| {
            let rows = fields.iter().map(|((array, field), rows)| {
                json!({"array": array.name(), "field": field, "rows": rows})
            });
            rows.collect::<Vec<_>>()
        };
        let losses = self.losses.iter().map(|((array, field), (why, rows))| {
            json!({"array": array.name(), "field": field, "rows": rows, "reason": why})
        });
        let created = self
            .fields
            .iter()
            .map(|(array, name, ty)| json!({"array": array.name(), "name": name, "type": ty}));
        let mut object = json!({
            "bundle": self.bundle,
            "from": self.from,
            "to": self.to,
            "dry_run": self.dry_run,
            "plan": by_array(&|array| json!(self.plan.counts(array))),
            "differences": fields(&self.plan.fields),
            "stages": self.stages,
            "losses": losses.collect::<Vec<_>>(),
            "fields_created": created.collect::<Vec<_>>(),
            "tokens": self.tokens,
            "gone": self.gone.iter().take(REFUSED_MAX).collect::<Vec<_>>(),
            "gone_total": self.gone.len(),
        });
        if self.dry_run {
            return object;
        }
        object["pushed"] = self.sent.into();
        object["pushed_earlier"] = self.earlier.into();
        object["requests"] = self.requests.into();
        object["refused"] = json!(self.refused.iter().take(REFUSED_MAX).collect::<Vec<_>>());
        object["refused_total"] = self.refused.len().into();
        object["complete"] = self.failure().is_none().into();
        if let Some(verified) = &self.verified {
            object["verified"] = self.total(|checked| checked.verified).into();
            object["missing"] = self.total(|checked| checked.missing).into();
            object["different"] = self.total(|checked| checked.different).into();
            object["arrays"] = by_array(&|array| json!(verified.arrays.get(&array)));
            object["missing_rows"] = json!(verified.missing);
            object["different_fields"] = fields(&verified.fields).into();
        }
        object["change_events"] = json!(self.events);
        object
    }

    /// The stages that change; those that were found by their type alone go together.
    fn mapping(&self) -> Vec<(String, String, String, u64)> {
        let mut rows: Vec<(String, String, String, u64)> = Vec::new();
        for used in &self.stages {
            if used.how == How::Id || used.how == How::Name && used.from == used.to {
                continue;
            }
            let from = match used.how {
                How::Type | How::Target => format!("others ({})", used.status),
                _ => format!("{} ({})", used.from, used.status),
            };
            let how = serde_json::to_value(used.how).unwrap_or_default();
            let how = how.as_str().unwrap_or_default().replace('_', " ");
            match rows.iter_mut().find(|row| row.0 == from && row.1 == used.to) {
                Some(row) => row.3 += used.rows,
                None => rows.push((from, used.to.clone(), how, used.rows)),
            }
        }
        rows.sort_by_key(|row| row.0.starts_with("others"));
        rows
    }

    /// For people.
    pub(super) fn text(&self) -> Text {
        let mut out = Text::of(format!("{} ({}) → {}", self.bundle, self.from, self.to));
        out.line(format!(
            "{:<14}{:>10}{:>10}{:>11}{:>9}{:>9}{:>9}",
            "", "create", "update", "unchanged", "left", "deleted", "moved"
        ));
        for array in Array::ALL {
            let counts = self.plan.counts(array);
            out.line(format!(
                "{:<14}{:>10}{:>10}{:>11}{:>9}{:>9}{:>9}",
                array.name(),
                grouped(counts.create),
                grouped(counts.update),
                grouped(counts.unchanged),
                grouped(counts.left),
                grouped(counts.gone),
                grouped(counts.moved)
            ));
        }
        self.deleted(&mut out);
        for ((array, field), rows) in &self.plan.fields {
            out.line(format!("differs: {}.{field} in {} rows", array.name(), grouped(*rows)));
        }
        for (from, to, how, rows) in self.mapping() {
            out.line(format!("stage: {from} → {to} [{how}], {} rows", grouped(rows)));
        }
        for (array, name, ty) in &self.fields {
            out.line(format!("creates the field {name:?} ({ty}) of {}", array.name()));
        }
        for ((array, field), (why, rows)) in &self.losses {
            out.line(format!("lost: {}.{field}: {why} ({} rows)", array.name(), grouped(*rows)));
        }
        if let Some(tokens) = self.tokens {
            let would = if self.dry_run { "would cost about" } else { "spent" };
            out.line(format!("{would} {} tokens", grouped(tokens)));
        }
        if self.dry_run {
            out.line("dry run: nothing was sent");
            return out;
        }
        self.outcome(&mut out);
        out
    }

    /// The rows that were deleted in the target, by name.
    fn deleted(&self, out: &mut Text) {
        for row in self.gone.iter().take(SHOWN_MAX) {
            let id = row.id.as_ref().map(|id| format!(" (id {id})")).unwrap_or_default();
            let at = row.deleted_at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            out.line(format!(
                "deleted in the target{at}: /{}/{} {}{id}",
                row.array.name(),
                row.index,
                row.public_id
            ));
        }
        if self.gone.len() > SHOWN_MAX {
            out.line(format!(
                "… {} more were deleted",
                grouped((self.gone.len() - SHOWN_MAX) as u64)
            ));
        }
        if !self.gone.is_empty() && !self.recreated {
            out.line("they are left alone: --recreate-deleted creates them again");
        }
    }

    fn outcome(&self, out: &mut Text) {
        for row in self.refused.iter().take(SHOWN_MAX) {
            out.line(format!(
                "refused: /{}/{} {}: {}",
                row.array, row.index, row.public_id, row.error
            ));
        }
        if self.refused.len() > SHOWN_MAX {
            let more = self.refused.len() - SHOWN_MAX;
            out.line(format!("… {more} more refused, see the journal"));
        }
        let earlier = match self.earlier {
            0 => String::new(),
            earlier => format!(" (and {} before it broke off)", grouped(earlier)),
        };
        out.line(format!(
            "pushed {}{earlier} in {} requests",
            grouped(self.sent),
            grouped(self.requests)
        ));
        if let Some(verified) = &self.verified {
            out.line(format!(
                "verified {}, missing {}, different {}",
                grouped(self.total(|checked| checked.verified)),
                grouped(self.total(|checked| checked.missing)),
                grouped(self.total(|checked| checked.different))
            ));
            for id in &verified.missing {
                out.line(format!("missing: {id}"));
            }
            for ((array, field), rows) in &verified.fields {
                out.line(format!(
                    "other values: {}.{field} in {} rows",
                    array.name(),
                    grouped(*rows)
                ));
            }
            let hidden = self.total(|checked| checked.hidden);
            if hidden > 0 {
                out.line(format!(
                    "{} deleted rows are not in the target's export",
                    grouped(hidden)
                ));
            }
        }
        if let Some(events) = &self.events {
            let how = if events.by_row {
                "row by row"
            } else {
                "by count: the target does not say its ids"
            };
            out.line(format!(
                "change events: {} rows imported, {} without an event ({how})",
                grouped(events.imported),
                grouped(events.unaccounted)
            ));
        }
    }
}
