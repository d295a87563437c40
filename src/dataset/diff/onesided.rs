//! Finds what only one of two backups can have: fields that no row of the other has, and rows that the
//! tool which wrote the other does not read. Each is reported in one line.

use super::fields::FieldChange;
use crate::dataset::snapshot::{BackupReader, Rows};
use crate::model::{Custom, Resource, Result, pairs};
use serde::Serialize;
use std::collections::HashSet;

/// Keys of a file that are remembered; one with more is taken to have every field.
const KEYS_MAX: usize = 10_000;

/// Data that only one of the backups has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OneSided {
    /// The file stem of the resource.
    pub resource: &'static str,
    /// The kind: `field` for a field that no row of the other side has, or `rows` for rows that the
    /// program that wrote the other side does not read.
    pub kind: &'static str,
    /// The name of the field, or `archived` or `deleted`.
    pub name: String,
    /// `A` for the older backup, `B` for the newer one.
    #[serde(rename = "presentIn")]
    pub present: &'static str,
    /// The number of rows, or of rows with a value in the field.
    pub rows: u64,
}

/// The side of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

impl Side {
    const fn name(self) -> &'static str {
        match self {
            Self::Old => "A",
            Self::New => "B",
        }
    }
}

/// The data that was found on one side only, with counts.
#[derive(Debug, Default)]
pub(super) struct Found {
    all: Vec<OneSided>,
}

impl Found {
    pub(super) fn add(
        &mut self,
        resource: &'static Resource,
        kind: &'static str,
        name: &str,
        side: Side,
    ) {
        let present = side.name();
        let known = self.all.iter_mut().find(|one| {
            let place = (one.resource, one.kind, one.present);
            place == (resource.file, kind, present) && one.name == name
        });
        match known {
            Some(known) => known.rows += 1,
            None => self.all.push(OneSided {
                resource: resource.file,
                kind,
                name: name.to_owned(),
                present,
                rows: 1,
            }),
        }
    }

    pub(super) fn all(&self) -> &[OneSided] {
        &self.all
    }
}

/// The fields of the rows of a file: their keys, and the keys of their custom fields.
#[derive(Debug, Default)]
pub(super) struct Fields {
    keys: HashSet<String>,
    custom: HashSet<String>,
    /// Whether the file has more keys than are recorded.
    many: bool,
}

impl Fields {
    /// Reads the keys of all rows of a resource.
    pub(super) async fn of(snapshot: &BackupReader, resource: &Resource) -> Result<Self> {
        let mut fields = Self::default();
        let mut rows: Rows = snapshot.rows(resource.file, false).await?;
        while let Some(row) = rows.next().await? {
            fields.add_row(resource, row.json);
        }
        Ok(fields)
    }

    fn add_row(&mut self, resource: &Resource, row: &str) {
        let Self { keys, custom, many } = self;
        let mut note = |set: &mut HashSet<String>, key: &str| {
            if !set.contains(key) {
                *many |= set.len() == KEYS_MAX || !set.insert(key.to_owned());
            }
        };
        // An invalid row is reported when it is compared.
        let _ = pairs(row, |key, value| {
            if resource.custom == Custom::Nested && key == "custom_fields" && value.starts_with('{')
            {
                let _ = pairs(value, |code, _| note(custom, &code));
            }
            note(keys, &key);
        });
    }

    /// Returns whether any row has the field of this difference.
    fn have(&self, field: &FieldChange) -> bool {
        match &field.keys[..] {
            _ if self.many => true,
            [custom, code] if custom == "custom_fields" => self.custom.contains(code),
            [key] => self.keys.contains(key),
            // A deeper value belongs to a field that both sides have.
            _ => true,
        }
    }
}

/// The fields of a resource on both sides, which are read on demand.
#[derive(Debug, Default)]
pub(super) struct Both {
    old: Option<Fields>,
    new: Option<Fields>,
}

impl Both {
    /// Returns the only side that has the field of this difference. `None` if both have it.
    pub(super) async fn one_sided(
        &mut self,
        (old, new): (&BackupReader, &BackupReader),
        resource: &Resource,
        field: &FieldChange,
    ) -> Result<Option<Side>> {
        let (lacks, snapshot, fields, side) = match (&field.old, &field.new) {
            (None, Some(_)) => (true, old, &mut self.old, Side::New),
            (Some(_), None) => (true, new, &mut self.new, Side::Old),
            _ => (false, old, &mut self.old, Side::New),
        };
        if !lacks {
            return Ok(None);
        }
        let fields = match fields {
            Some(fields) => fields,
            None => fields.insert(Fields::of(snapshot, resource).await?),
        };
        Ok((!fields.have(field)).then_some(side))
    }
}

/// Returns why pdcli does not read a row. `None` if pdcli reads it.
pub(super) fn unread(row: &str) -> Option<&'static str> {
    let (mut deleted, mut archived) = (false, false);
    // A row that cannot be parsed counts as neither.
    let _ = pairs(row, |key, value| match &*key {
        "is_deleted" => deleted |= value == "true",
        "status" => deleted |= value == "\"deleted\"",
        "is_archived" => archived |= value == "true",
        _ => {}
    });
    match (deleted, archived) {
        (true, _) => Some("deleted"),
        (false, true) => Some("archived"),
        (false, false) => None,
    }
}
