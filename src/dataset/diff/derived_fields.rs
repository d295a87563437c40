//! Fields that Pipedrive computes or stamps itself, and what it changes in a deleted row. The module is
//! pure.

use super::fields::FieldChange;
use crate::model::Resource;

/// Returns whether Pipedrive computes a top-level field, according to the resource's definition.
pub(super) fn is_computed(resource: &Resource, field: &str) -> bool {
    let column = resource.column(field).is_some_and(|column| column.computed);
    column || resource.counters.contains(&field)
}

/// Returns whether a difference means that the row was deleted.
pub(super) fn says_deleted(resource: &Resource, field: &FieldChange) -> bool {
    let [key] = &field.keys[..] else { return false };
    match (key.as_str(), field.new.as_deref()) {
        ("is_deleted", Some("true")) | ("status", Some("\"deleted\"")) => true,
        // This applies to notes, files and similar rows (pipedrive-api.md 2.5). An inactive user is not
        // deleted, but may not log in.
        ("active_flag", Some("false" | "0")) => resource.name != "users",
        _ => false,
    }
}
