//! The notices that a warehouse reports beside its rows.

use super::manifest::Table;
use super::writer::Warehouse;
use crate::model::{Resource, Time};

/// Letters of the hash of a custom field.
const HASH_LETTERS: usize = 40;

impl Warehouse {
    /// When the run before last committed something; `None` where nothing was read into it yet.
    pub fn before(&self) -> Option<Time> {
        self.before
    }

    /// Rows of the table that a resource has; `None` where it has none.
    pub fn held(&self, resource: &Resource) -> Option<u64> {
        self.manifest.tables.get(resource.name).map(Table::rows)
    }

    /// A field as people know it: that of a custom field by its column, where it has one.
    pub fn called(&self, resource: &Resource, field: &str) -> String {
        let key = field.strip_prefix("custom_fields.").unwrap_or(field);
        let (hash, part) = key.split_at_checked(HASH_LETTERS).unwrap_or((key, ""));
        let table = self.manifest.tables.get(resource.name);
        match table.and_then(|table| table.columns.get(hash)) {
            Some(column) => format!("{column}{part}"),
            None => field.to_owned(),
        }
    }
}
