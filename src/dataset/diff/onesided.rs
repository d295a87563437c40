//! Finds what only one of two backups can have: fields that no row of the other has, and rows that the
//! tool which wrote the other does not read. Each is reported in one line.

use super::fields::FieldChange;
use crate::dataset::snapshot::{BackupReader, Rows};
use crate::model::{Custom, Resource, Result, pairs};
use serde::Serialize;
use std::collections::HashSet;

/// Keys of a file that are remembered; one with more is taken to have every field.
const KEYS_MAX: usize = 10_000;

/// What only one of the backups has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OneSided {
    /// The file stem of the resource.
    pub resource: &'static str,
    /// `field` for a field that no row of the other side has, `rows` for rows that the tool which made
    /// the other side does not read.
    pub kind: &'static str,
    /// What the field is called, or `archived` or `deleted`.
    pub name: String,
    /// `A` for the older one, `B` for the newer.
    #[serde(rename = "presentIn")]
    pub present: &'static str,
    /// Rows with a value in the field, or rows.
    pub rows: u64,
}

/// The side a backup is on.
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

/// What was found on one side only, and was counted.
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

/// The fields that rows of a file have: their keys, and those of their custom fields.
#[derive(Debug, Default)]
pub(super) struct Fields {
    keys: HashSet<String>,
    custom: HashSet<String>,
    /// Whether there are too many to remember.
    many: bool,
}

impl Fields {
    /// Reads the file of a resource for its keys.
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
        // What is no row is found where it is compared.
        let _ = pairs(row, |key, value| {
            if resource.custom == Custom::Nested && key == "custom_fields" && value.starts_with('{')
            {
                let _ = pairs(value, |code, _| note(custom, &code));
            }
            note(keys, &key);
        });
    }

    /// Whether some row has the field in which this difference is.
    fn have(&self, field: &FieldChange) -> bool {
        match &field.keys[..] {
            _ if self.many => true,
            [custom, code] if custom == "custom_fields" => self.custom.contains(code),
            [key] => self.keys.contains(key),
            // What is deeper is in a field that both have.
            _ => true,
        }
    }
}

/// The fields of both sides of a resource, read when they are asked for.
#[derive(Debug, Default)]
pub(super) struct Both {
    old: Option<Fields>,
    new: Option<Fields>,
}

impl Both {
    /// The side that alone has the field in which this difference is; `None` if both have it.
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

/// How a row is one that pdcli does not read; `None` if it is none.
pub(super) fn unread(row: &str) -> Option<&'static str> {
    let (mut deleted, mut archived) = (false, false);
    // What is no row is neither.
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
