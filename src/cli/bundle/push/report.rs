//! The report of a push, planned or done, as text or JSON.

use crate::bundle::push::{Accounted, Gone, How, Plan, Refused, Used, Verified};
use crate::bundle::{Entity, Losses};
use crate::cli::format::grouped;
use crate::cli::text::Text;
use crate::model::{Error, Kind};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Refused rows that are listed; all are counted.
const REFUSED_MAX: usize = 1_000;
/// The message about rows that were deleted in the target.
const GONE: &str = "were deleted in the target (--recreate-deleted creates them again)";
/// The message about rows that the target would refuse to change.
const LOCKED: &str = "cannot be changed in the target";
/// Refused rows, and deleted ones, that a table shows.
const SHOWN_MAX: usize = 20;

/// The texts for a push of rows that came from the target itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Itself {
    pub(super) place: &'static str,
    /// The command that makes a backup of the target.
    pub(super) backup: &'static str,
}

/// The state and the results of a push.
#[expect(clippy::struct_excessive_bools, reason = "what was asked, and what came of it")]
#[derive(Default)]
pub(super) struct Report {
    /// The file of the bundle.
    pub(super) bundle: String,
    /// The owner of its rows.
    pub(super) from: String,
    /// The target.
    pub(super) to: String,
    pub(super) itself: Itself,
    pub(super) dry_run: bool,
    /// Whether the plan was already shown.
    pub(super) shown: bool,
    /// Whether the user did not confirm the push.
    pub(super) declined: bool,
    pub(super) plan: Plan,
    pub(super) stages: Vec<Used>,
    /// The values of new rows that the target cannot store, by array and field: reason and number of rows.
    pub(super) losses: Losses,
    /// The differences that are not written to existing rows, by array and field: reason and number of
    /// rows.
    pub(super) kept: Losses,
    /// The rows that are not created, by array and reason.
    pub(super) left_out: BTreeMap<(Entity, &'static str), u64>,
    /// The custom fields to create, or created: array, name and type.
    pub(super) fields: Vec<(Entity, String, String)>,
    /// The tokens that the push costs in Pipedrive.
    pub(super) tokens: Option<u64>,
    /// The number of rows sent by an interrupted attempt.
    pub(super) earlier: u64,
    pub(super) sent: u64,
    pub(super) requests: u64,
    pub(super) refused: Vec<Refused>,
    /// The rows of the bundle that were deleted in the target.
    pub(super) gone: Vec<Gone>,
    /// Whether deleted rows are created again.
    pub(super) recreated: bool,
    pub(super) verified: Option<Verified>,
    pub(super) events: Option<Accounted>,
}

impl Report {
    fn total(&self, of: impl Fn(&crate::bundle::push::Checked) -> u64) -> u64 {
        self.verified.iter().flat_map(|verified| verified.arrays.values()).map(of).sum()
    }

    /// Returns whether the report is only a plan: a dry run, or a push that the user declined.
    const fn is_plan(&self) -> bool {
        self.dry_run || self.declined
    }

    /// Returns whether deleted rows stay deleted after the push.
    const fn stays_gone(&self) -> bool {
        !self.recreated && !self.is_plan()
    }

    /// Returns an error if rows are missing, refused or different.
    pub(super) fn failure(&self) -> Option<Error> {
        let mut wrong = Vec::new();
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                wrong.push(format!("{} rows {what}", grouped(count)));
            }
        };
        add(self.refused.len() as u64, "were refused");
        add(self.gone.len() as u64 * u64::from(self.stays_gone()), GONE);
        let locked = if self.is_plan() { 0 } else { self.plan.locked.len() as u64 };
        add(locked, LOCKED);
        add(self.total(|checked| checked.missing), "are missing");
        add(self.total(|checked| checked.different), "are there with other values");
        add(self.events.as_ref().map_or(0, |events| events.unaccounted), "have no change event");
        if wrong.is_empty() {
            return None;
        }
        Some(Error::new(Kind::Incomplete, format!("incomplete: {}", wrong.join(", "))))
    }

    /// Returns the report as JSON.
    pub(super) fn json(&self) -> Value {
        let by_array = |of: &dyn Fn(Entity) -> Value| {
            let rows = Entity::ALL.into_iter().map(|entity| (entity.name().to_owned(), of(entity)));
            Value::Object(rows.collect::<Map<_, _>>())
        };
        let fields = |fields: &BTreeMap<(Entity, String), u64>| {
            let rows = fields.iter().map(|((entity, field), rows)| {
                json!({"array": entity.name(), "field": field, "rows": rows})
            });
            rows.collect::<Vec<_>>()
        };
        let counted = |losses: &Losses| {
            let fields = losses.iter().map(|((entity, field), (why, rows))| {
                json!({"array": entity.name(), "field": field, "rows": rows, "reason": why})
            });
            fields.collect::<Vec<_>>()
        };
        let left = self.left_out.iter();
        let left = left.map(
            |((entity, why), rows)| json!({"array": entity.name(), "rows": rows, "reason": why}),
        );
        let created = self
            .fields
            .iter()
            .map(|(entity, name, ty)| json!({"array": entity.name(), "name": name, "type": ty}));
        let mut object = json!({
            "bundle": self.bundle,
            "from": self.from,
            "to": self.to,
            "dry_run": self.dry_run,
            "plan": by_array(&|entity| json!(self.plan.counts(entity))),
            "differences": fields(&self.plan.fields),
            "stages": self.stages,
            "left_out": left.collect::<Vec<_>>(),
            "locked": self.plan.locked.iter().take(REFUSED_MAX).collect::<Vec<_>>(),
            "losses": counted(&self.losses),
            "kept": counted(&self.kept),
            "own_rows_changed": self.plan.own.iter().sum::<u64>(),
            "fields_created": created.collect::<Vec<_>>(),
            "tokens": self.tokens,
            "gone": self.gone.iter().take(REFUSED_MAX).collect::<Vec<_>>(),
            "gone_total": self.gone.len(),
        });
        if self.declined {
            object["declined"] = true.into();
        }
        if self.is_plan() {
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
            object["arrays"] = by_array(&|entity| json!(verified.arrays.get(&entity)));
            object["missing_rows"] = json!(verified.missing);
            object["different_fields"] = fields(&verified.fields).into();
        }
        object["change_events"] = json!(self.events);
        object
    }

    /// Returns the stages that change. Stages that were found by type alone are combined.
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

    /// Returns the part of the report that was not shown yet, as text.
    pub(super) fn text(&self) -> Text {
        let mut out = if self.shown { Text::new() } else { self.plan_text() };
        if self.dry_run {
            out.line("dry run: nothing was sent");
        } else if self.declined {
            out.line("nothing was sent");
        } else {
            self.outcome(&mut out);
        }
        out
    }

    /// Returns the question before a push.
    pub(super) fn question(&self) -> String {
        format!("Write {} rows into {}? [y/N]", grouped(self.plan.work()), self.to)
    }

    /// Returns the plan. Rows that will not arrive and changes of the target's data come first.
    pub(super) fn plan_text(&self) -> Text {
        let mut out = Text::of(format!("{} ({}) → {}", self.bundle, self.from, self.to));
        self.warnings(&mut out);
        out.line(format!(
            "{:<14}{:>9}{:>9}{:>10}{:>8}{:>8}{:>8}{:>8}",
            "", "create", "update", "unchanged", "left", "deleted", "moved", "locked"
        ));
        for entity in Entity::ALL {
            let counts = self.plan.counts(entity);
            out.line(format!(
                "{:<14}{:>9}{:>9}{:>10}{:>8}{:>8}{:>8}{:>8}",
                entity.name(),
                grouped(counts.create),
                grouped(counts.update),
                grouped(counts.unchanged),
                grouped(counts.left),
                grouped(counts.gone),
                grouped(counts.moved),
                grouped(counts.locked)
            ));
        }
        self.deleted(&mut out);
        for row in self.plan.locked.iter().take(SHOWN_MAX) {
            out.line(format!("locked: /{}/{} {}", row.entity, row.index, row.public_id));
        }
        for ((entity, field), rows) in &self.plan.fields {
            out.line(format!("differs: {}.{field} in {} rows", entity.name(), grouped(*rows)));
        }
        for (from, to, how, rows) in self.mapping() {
            out.line(format!("stage: {from} → {to} [{how}], {} rows", grouped(rows)));
        }
        for (entity, name, ty) in &self.fields {
            out.line(format!("creates the field \"{name}\" ({ty}) of {}", entity.name()));
        }
        for ((entity, field), (why, rows)) in &self.losses {
            out.line(format!("lost: {}.{field}: {why} ({} rows)", entity.name(), grouped(*rows)));
        }
        if let Some(tokens) = self.tokens {
            out.line(format!("costs about {} tokens", grouped(tokens)));
        }
        out
    }

    /// Writes the rows that will not arrive and the changes of the target's data.
    fn warnings(&self, out: &mut Text) {
        for ((entity, why), rows) in &self.left_out {
            out.line(format!("will not arrive: {} {}: {why}", grouped(*rows), entity.name()));
        }
        if !self.recreated {
            for entity in Entity::ALL {
                let rows = self.gone.iter().filter(|row| row.entity == entity).count() as u64;
                if rows > 0 {
                    out.line(format!(
                        "will not arrive: {} {} {GONE}",
                        grouped(rows),
                        entity.name()
                    ));
                }
            }
        }
        let mut locked: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for row in &self.plan.locked {
            *locked.entry((&row.entity, &row.error)).or_insert(0) += 1;
        }
        for ((entity, why), rows) in locked {
            out.line(format!("will not arrive: changes of {} {entity}: {why}", grouped(rows)));
        }
        for ((entity, field), (why, rows)) in &self.kept {
            let (entity, rows) = (entity.name(), grouped(*rows));
            out.line(format!("stays as it is: {entity}.{field} of {rows} rows: {why}"));
        }
        let own: u64 = self.plan.own.iter().sum();
        if own > 0 {
            let Itself { place, backup } = self.itself;
            let rows = grouped(own);
            out.line(format!("changes {rows} rows that came from this very {place}: make a backup first ({backup})"));
        }
    }

    /// Writes the rows that were deleted in the target.
    fn deleted(&self, out: &mut Text) {
        for row in self.gone.iter().take(SHOWN_MAX) {
            let id = row.id.as_ref().map(|id| format!(" (id {id})")).unwrap_or_default();
            let at = row.deleted_at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
            out.line(format!(
                "deleted in the target{at}: /{}/{} {}{id}",
                row.entity.name(),
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
    }

    fn outcome(&self, out: &mut Text) {
        for row in self.refused.iter().take(SHOWN_MAX) {
            out.line(format!(
                "refused: /{}/{} {}: {}",
                row.entity, row.index, row.public_id, row.error
            ));
        }
        if self.refused.len() > SHOWN_MAX {
            let more = self.refused.len() - SHOWN_MAX;
            out.line(format!("… {more} more refused, see the journal"));
        }
        let earlier = match self.earlier {
            0 => String::new(),
            earlier => format!(" (and {} before the interruption)", grouped(earlier)),
        };
        out.line(format!(
            "pushed {}{earlier} in {} requests",
            grouped(self.sent),
            grouped(self.requests)
        ));
        if let Some(tokens) = self.tokens {
            out.line(format!("spent {} tokens", grouped(tokens)));
        }
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
            for ((entity, field), rows) in &verified.fields {
                out.line(format!(
                    "other values: {}.{field} in {} rows",
                    entity.name(),
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
