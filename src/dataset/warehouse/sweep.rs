//! The key sweep: finds rows of a warehouse that were removed from the account.
//!
//! Pipedrive lists no deleted persons, organizations, activities, products, pipelines, stages, leads or
//! notes, and no purged deals. The sweep therefore reads all keys and compares them with the keys of the
//! warehouse. A missing key is requested by id, and then gets a tombstone. A token that sees less than the
//! token before, or a fault of the server, must not look like a mass deletion: see [`Sweep::refusal`].

use super::key_status::{self, KeyStatus};
use super::writer::Warehouse;
use crate::model::{DeletionReason, Record, Resource, Result, Time, Type};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Largest share of a resource that may vanish in one sweep, percent.
const VANISHING_PERCENT_MAX: usize = 20;
/// Most rows that are taken in because the account lists them and the warehouse lacks them; the
/// next sweep finds the rest.
const RETURNED_MAX: usize = 10_000;

/// The state of a sweep of one resource.
#[derive(Debug)]
pub struct Sweep {
    resource: &'static Resource,
    rows: HashMap<Box<str>, Row>,
    /// The number of rows that were present and not deleted at the start.
    expected: usize,
    returned: Vec<Record>,
    /// The time from which changed rows are left to the next run.
    bound: Time,
    /// The time before which changed rows are excluded from this warehouse.
    start: Option<Time>,
    /// Whether the keys are not walked yet.
    walk: bool,
}

#[derive(Debug)]
struct Row {
    standing: KeyStatus,
    seen: bool,
}

/// The changes of a sweep.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Findings {
    /// The number of rows that got a tombstone.
    pub gone: u64,
    /// The number of rows that the account listed and the warehouse lacked or held with another status.
    pub returned: u64,
}

impl Sweep {
    /// The names of the resources that are swept. Their rows can disappear from the API without notice.
    pub const RESOURCES: &'static [&'static str] = &[
        "deals",
        "persons",
        "organizations",
        "activities",
        "products",
        "pipelines",
        "stages",
        "leads",
        "notes",
    ];

    /// Returns whether the keys must be walked. They need not be if this run has read the complete list.
    pub fn needs_walk(&self) -> bool {
        self.walk
    }

    /// Records the keys that a walk returns.
    pub fn remember_keys(&mut self, records: Vec<Record>) -> Result<()> {
        for record in records {
            let Some((key, standing)) = key_status::standing(&record.json)? else {
                continue;
            };
            let before = self.rows.insert(key, Row { standing, seen: true });
            let news = before.is_none_or(|row| row.standing != standing);
            let wanted = match (record.time, self.start) {
                (Some(time), start) => time < self.bound && start.is_none_or(|start| time >= start),
                (None, start) => start.is_none(),
            };
            if news && wanted && self.returned.len() < RETURNED_MAX {
                self.returned.push(record);
            }
        }
        Ok(())
    }

    /// Returns whether the sweep found rows that the warehouse lacks.
    pub fn found_rows(&self) -> bool {
        !self.returned.is_empty()
    }

    /// Returns the keys that the warehouse holds and the walk did not return.
    pub fn missing(&self) -> Vec<String> {
        let missing = |row: &Row| !row.seen && row.standing != KeyStatus::Gone;
        let mut keys: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| missing(row))
            .map(|(key, _)| key.to_string())
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Returns why no tombstone may be written, if too many rows would be marked as deleted.
    pub fn refusal(&self, missing: usize) -> Option<String> {
        (missing * 100 > self.expected * VANISHING_PERCENT_MAX).then(|| {
            format!(
                "{missing} of {} rows would be marked as gone, more than {VANISHING_PERCENT_MAX} %: nothing was \
                 written; look at the account and at what its token may see, then use --force",
                self.expected
            )
        })
    }

    fn tombstone(
        &self,
        key: &str,
        reason: DeletionReason,
        between: (Option<Time>, Time),
    ) -> Vec<u8> {
        let text =
            self.resource.column(key_status::KEY).is_some_and(|c| matches!(c.ty, Type::Text));
        let id = match key.parse::<i64>() {
            Ok(number) if !text => Value::from(number),
            _ => Value::from(key),
        };
        let between = json!([between.0, between.1]);
        let reason = reason.name();
        format!(
            r#"{{"{}":{id},"_deleted":true,"reason":"{reason}","detected_between":{between}}}"#,
            key_status::KEY
        )
        .into_bytes()
    }
}

impl Warehouse {
    /// Starts a sweep. Reads the keys in the warehouse. Rows changed from `bound` on are left to the
    /// next run.
    pub async fn sweep(
        &mut self,
        resource: &'static Resource,
        bound: Time,
        now: Time,
    ) -> Result<Sweep> {
        self.flush(now).await?;
        let layout = self.layout();
        let stream = self.stream(resource)?;
        let rows: HashMap<Box<str>, Row> = if let Some(index) = &stream.index {
            let row =
                |(key, seen): (&str, bool)| (key.into(), Row { standing: KeyStatus::Live, seen });
            index.rows().map(row).collect()
        } else {
            let files = stream.table.files.clone();
            let known = key_status::known(self.store(), layout, &files).await?;
            known.into_iter().map(|(key, standing)| (key, Row { standing, seen: false })).collect()
        };
        let expected = rows.values().filter(|row| row.standing != KeyStatus::Gone).count();
        let walk = resource.incremental();
        let start = self.stream(resource)?.table.start;
        Ok(Sweep { resource, rows, expected, returned: Vec::new(), bound, start, walk })
    }

    /// Ends a sweep. Writes a tombstone for each of these keys, and the rows that the warehouse lacked.
    /// `until` is the current time by Pipedrive's clock.
    pub async fn write_tombstones(
        &mut self,
        sweep: Sweep,
        gone: &[(String, DeletionReason)],
        until: Time,
        now: Time,
    ) -> Result<Findings> {
        let since = self.stream(sweep.resource)?.table.checked;
        let tombstones: Vec<Vec<u8>> = gone
            .iter()
            .map(|(key, reason)| sweep.tombstone(key, *reason, (since, until)))
            .collect();
        let stream = self.stream(sweep.resource)?;
        if let Some(index) = &mut stream.index {
            let keys: Vec<String> = gone.iter().map(|(key, _)| key.clone()).collect();
            index.forget(&keys);
        }
        if let Some(reached) = &mut stream.reached {
            sweep.returned.iter().for_each(|record| reached.remember(record));
        }
        stream.table.checked = Some(sweep.bound);
        let findings = Findings { gone: gone.len() as u64, returned: sweep.returned.len() as u64 };
        self.amend(sweep.resource, &sweep.returned, &tombstones, now).await?;
        Ok(findings)
    }
}
