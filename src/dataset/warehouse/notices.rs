//! The notices that a warehouse reports beside its rows.

use super::manifest::Table;
use super::writer::Warehouse;
use crate::model::{Resource, Time};

/// The number of characters of the hash of a custom field.
const HASH_LETTERS: usize = 40;

impl Warehouse {
    /// Returns the time of the previous run's last commit. `None` if nothing was read into the warehouse
    /// yet.
    pub fn before(&self) -> Option<Time> {
        self.before
    }

    /// Returns the number of rows of a resource's table. `None` if it has no table.
    pub fn held(&self, resource: &Resource) -> Option<u64> {
        self.manifest.tables.get(resource.name).map(Table::rows)
    }

    /// Returns the name of a field for people. For a custom field it is the column, if there is one.
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
