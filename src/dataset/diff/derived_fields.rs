//! Fields that Pipedrive computes or stamps itself, and what it changes in a deleted row. The module is
//! pure.

use super::fields::FieldChange;
use crate::model::Resource;

/// Whether a top-level field changes without anybody's doing: the resource's row says so.
pub(super) fn is_computed(resource: &Resource, field: &str) -> bool {
    let column = resource.column(field).is_some_and(|column| column.computed);
    column || resource.counters.contains(&field)
}

/// Whether a difference says that the row was deleted.
pub(super) fn says_deleted(resource: &Resource, field: &FieldChange) -> bool {
    let [key] = &field.keys[..] else { return false };
    match (key.as_str(), field.new.as_deref()) {
        ("is_deleted", Some("true")) | ("status", Some("\"deleted\"")) => true,
        // Of notes, files and the like (pipedrive-api.md 2.5); a user without it may not log in, no
        // more.
        ("active_flag", Some("false" | "0")) => resource.name != "users",
        _ => false,
    }
}
