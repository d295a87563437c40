//! Edits of the account between two reads or during one.

use super::account_state::AccountState;
use super::children;
use super::json;
use super::reshape::{self, FieldEdit};
use super::rows::{Row, Status};
use crate::model::{Resource, Time};
use bytes::Bytes;
use serde_json::Value;

/// A change of the account. An edit of rows writes `update_time`, unless its description says otherwise.
/// [`Edit::Spoil`] does not.
///
/// An edit of a row that exists per parent (`deal_products`) is also an edit of its parent.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Sets top-level fields. Without fields, it changes the title (or name, or content).
    Change {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
        /// The fields and their new values.
        set: Vec<(&'static str, Value)>,
    },
    /// Changes this number of listed rows within one second, those with the lowest numbers.
    Bulk {
        /// The name of the resource.
        resource: &'static str,
        /// The number of rows.
        rows: usize,
    },
    /// Changes the bytes of a row without a new `update_time`.
    Touch {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Creates a row.
    Create {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the parent, for rows that exist per parent.
        parent: Option<u64>,
    },
    /// Deletes a row.
    Delete {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Merges one row into another: the first one is removed, and the other is written. References to a
    /// removed person or organization are changed to the other row, and their rows are written too.
    Merge {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row that is removed.
        from: String,
        /// The key of the row that stays.
        into: String,
    },
    /// Moves a deal, lead or project to the archive.
    Archive {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Moves a row out of the archive.
    Unarchive {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Archives a deal or lead without a new `update_time`, as the real API may do.
    ArchiveSilently {
        /// The name of the resource.
        resource: &'static str,
        /// The key of the row.
        key: String,
    },
    /// Replaces a row with arbitrary bytes, such as an invalid id or a field definition without a code.
    /// Lists and their order stay. It does not apply to rows that exist per parent.
    Spoil {
        /// The name of the resource.
        resource: &'static str,
        /// The key that the row had.
        key: String,
        /// The new content in lists.
        json: String,
    },
    /// Converts a lead to a deal: the lead is removed, and the deal has it as its source. The edit returns
    /// the key of the deal.
    Convert {
        /// The key of the lead.
        lead: String,
    },
    /// Changes a custom field. No row is written.
    Field {
        /// The name of the field dictionary: `deal_fields`.
        dictionary: &'static str,
        /// The code of the field.
        code: String,
        /// The change.
        edit: FieldEdit,
    },
    /// Advances the clock by this number of seconds.
    Advance(i64),
}

/// Applies an edit, and returns the keys of the rows that it changed.
pub(super) fn apply_edit(state: &mut AccountState, edit: Edit) -> Vec<String> {
    let now = state.now();
    match edit {
        Edit::Advance(seconds) => {
            state.tick(seconds);
            Vec::new()
        }
        Edit::Change { resource, key, set } => {
            let set = set.into_iter().map(|(name, value)| (name.to_owned(), value.to_string()));
            change(state, resource, &key, set.collect(), Some(now))
        }
        Edit::Touch { resource, key } => change(state, resource, &key, Vec::new(), None),
        Edit::Bulk { resource, rows } => {
            let listed = state.truth(resource);
            let keys = listed.into_iter().take(rows).map(|row| row.key);
            keys.flat_map(|key| change(state, resource, &key, Vec::new(), Some(now))).collect()
        }
        Edit::Create { resource, parent } => create(state, resource, parent),
        Edit::Delete { resource, key } => delete(state, resource, &key),
        Edit::Merge { resource, from, into } => {
            let mut keys = delete(state, resource, &from);
            keys.extend(change(state, resource, &into, Vec::new(), Some(now)));
            reshape::relink(state, resource, &from, &into);
            keys
        }
        Edit::Archive { resource, key } => archive(state, resource, &key, true, Some(now)),
        Edit::Unarchive { resource, key } => archive(state, resource, &key, false, Some(now)),
        Edit::ArchiveSilently { resource, key } => archive(state, resource, &key, true, None),
        Edit::Convert { lead } => reshape::convert(state, &lead),
        Edit::Field { dictionary, code, edit } => reshape::field(state, dictionary, code, edit),
        Edit::Spoil { resource, key, json } => {
            let resource = Resource::named(resource).filter(|resource| resource.parent.is_none());
            let Some(resource) = resource else { return Vec::new() };
            let table = state.table(resource);
            let Some(row) = table.get(&key).cloned() else { return Vec::new() };
            table.put(Row { json: Bytes::from(json), ..row });
            vec![key]
        }
    }
}

/// Sets fields of a row to raw JSON, and its `update_time` if a time is given.
pub(super) fn change(
    state: &mut AccountState,
    resource: &str,
    key: &str,
    mut set: Vec<(String, String)>,
    at: Option<Time>,
) -> Vec<String> {
    let Some(resource) = Resource::named(resource) else {
        return Vec::new();
    };
    if resource.parent.is_some() {
        return change_child(state, resource, key, set, at);
    }
    let version = state.version();
    let table = state.table(resource);
    let Some(row) = table.get(key) else {
        return Vec::new();
    };
    if set.is_empty() {
        set.push(new_words(row, version));
    }
    let entry = set[0].clone();
    let old = json::find(&row.json, &entry.0).unwrap_or("null").to_owned();
    let row = rewritten(resource, row, set, at);
    let id = row.id;
    table.put(row);
    if let Some(now) = at {
        log(state, resource.name, id, &entry, &old, now);
    }
    vec![key.to_owned()]
}

/// Writes the changelog of a row.
fn log(
    state: &mut AccountState,
    of: &str,
    parent: u64,
    entry: &(String, String),
    old: &str,
    now: Time,
) {
    let changelog = match of {
        "deals" => "deal_changelog",
        "persons" => "person_changelog",
        "organizations" => "organization_changelog",
        _ => return,
    };
    let changelog = Resource::named(changelog).expect("the table has the three changelogs");
    let mut rows = state.children(changelog, parent);
    let id = rows.last().map_or(0, |row| row.id).max(LATER) + 1;
    rows.push(children::log(id, entry, old, now));
    state.put_children(changelog.name, parent, rows);
}

/// The first id of later children. It is far above the ids reserved for the initial children of all parents.
const LATER: u64 = 1 << 40;

fn change_child(
    state: &mut AccountState,
    resource: &'static Resource,
    key: &str,
    mut set: Vec<(String, String)>,
    at: Option<Time>,
) -> Vec<String> {
    let Some((parent, place)) = find_child(state, resource, key) else {
        return Vec::new();
    };
    let mut rows = state.children(resource, parent);
    if set.is_empty() {
        set.push(new_words(&rows[place], state.version()));
    }
    rows[place] = rewritten(resource, &rows[place], set, at);
    state.put_children(resource.name, parent, rows);
    touch_parent(state, resource, parent);
    vec![key.to_owned()]
}

fn touch_parent(state: &mut AccountState, resource: &'static Resource, parent: u64) {
    let now = state.now();
    if let Some(of) = resource.parent_resource() {
        change(state, of.name, &parent.to_string(), vec![], Some(now));
    }
}

/// Returns the parent of a child row, and its index there.
fn find_child(
    state: &mut AccountState,
    resource: &'static Resource,
    key: &str,
) -> Option<(u64, usize)> {
    let id: u64 = key.parse().ok()?;
    let mut parents = vec![children::home(state.account(), resource.name, id)];
    parents.extend(state.edited_parents(resource.name));
    parents.into_iter().find_map(|parent| {
        let rows = state.children(resource, parent);
        Some((parent, rows.iter().position(|row| row.id == id)?))
    })
}

/// Returns a visible change: a new value for the first text of a row, with the number of the edit.
fn new_words(row: &Row, version: u64) -> (String, String) {
    let names = ["title", "name", "subject", "content", "field_name", "comments", "description"];
    let name = names.into_iter().find(|name| json::find(&row.json, name).is_some());
    (name.unwrap_or("note").to_owned(), json::quoted(&format!("edited, version {version} ✎")))
}

/// Returns the row with these fields, and with updated sort and filter values.
pub(super) fn rewritten(
    resource: &Resource,
    row: &Row,
    mut set: Vec<(String, String)>,
    at: Option<Time>,
) -> Row {
    let mut row = row.clone();
    if let Some(at) = at
        && let Some(column) = resource.column("update_time")
    {
        set.push(("update_time".to_owned(), time(resource, column.ty, at)));
        row.update = Some(at);
    }
    row.json = Bytes::from(json::replaced(&row.json, &set));
    for (name, value) in &set {
        match name.as_str() {
            "status" => {
                row.status = Status::named(value.trim_matches('"')).unwrap_or(row.status);
            }
            "is_archived" => row.archived = value == "true",
            "update_time" => row.update = Time::parse(value.trim_matches('"')),
            "add_time" => row.add = Time::parse(value.trim_matches('"')).unwrap_or(row.add),
            _ => {}
        }
    }
    row
}

/// Returns a time in the notation of this resource, as JSON.
pub(super) fn time(resource: &Resource, ty: crate::model::Type, at: Time) -> String {
    let spelling = match ty {
        crate::model::Type::Naked => json::Spelling::Naked,
        _ => super::fill::spelling(resource),
    };
    json::quoted(&json::spelt(at, spelling))
}

fn create(state: &mut AccountState, resource: &str, parent: Option<u64>) -> Vec<String> {
    let Some(resource) = Resource::named(resource) else {
        return Vec::new();
    };
    let (plan, now) = (state.plan(resource), state.now());
    if let Some(parent) = parent {
        let mut rows = state.children(resource, parent);
        let id = LATER + state.version();
        let mut row = plan.child(state.account(), id, parent, rows.len() as u64);
        let set = vec![("add_time".to_owned(), json::quoted(&now.to_string()))];
        let set = if resource.column("add_time").is_some() { set } else { Vec::new() };
        row = rewritten(resource, &row, set, Some(now));
        rows.push(row);
        state.put_children(resource.name, parent, rows);
        touch_parent(state, resource, parent);
        return vec![id.to_string()];
    }
    let id = state.table(resource).next_id();
    let row = plan.fresh(state.account(), id, now);
    let key = row.name.as_ref().map_or_else(|| id.to_string(), ToString::to_string);
    state.table(resource).put(row);
    vec![key]
}

/// Deletes a row. Deals and projects stay in lists for 30 days and are marked as deleted; other rows are
/// removed.
pub(super) fn delete(state: &mut AccountState, resource: &str, key: &str) -> Vec<String> {
    let (Some(resource), now) = (Resource::named(resource), state.now()) else {
        return Vec::new();
    };
    if resource.parent.is_some() {
        let Some((parent, place)) = find_child(state, resource, key) else {
            return Vec::new();
        };
        let mut rows = state.children(resource, parent);
        rows.remove(place);
        state.put_children(resource.name, parent, rows);
        touch_parent(state, resource, parent);
        return vec![key.to_owned()];
    }
    let mut set = Vec::new();
    if matches!(resource.name, "deals" | "projects") {
        set.push(("status".to_owned(), "\"deleted\"".to_owned()));
    }
    if resource.column("is_deleted").is_some() {
        set.push(("is_deleted".to_owned(), "true".to_owned()));
    }
    let table = state.table(resource);
    let Some(row) = table.get(key) else {
        return Vec::new();
    };
    let mut row = rewritten(resource, row, set, Some(now));
    row.deleted = Some(now);
    table.put(row);
    vec![key.to_owned()]
}

fn archive(
    state: &mut AccountState,
    resource: &str,
    key: &str,
    archived: bool,
    at: Option<Time>,
) -> Vec<String> {
    let now = state.now();
    let Some(resource) = Resource::named(resource) else {
        return Vec::new();
    };
    let mut set = Vec::new();
    if resource.column("is_archived").is_some() {
        set.push(("is_archived".to_owned(), archived.to_string()));
    }
    if let Some(column) = resource.column("archive_time") {
        let when = if archived { time(resource, column.ty, now) } else { "null".to_owned() };
        set.push(("archive_time".to_owned(), when));
    }
    let table = state.table(resource);
    let Some(row) = table.get(key) else {
        return Vec::new();
    };
    let mut row = rewritten(resource, row, set, at);
    row.archived = archived;
    table.put(row);
    vec![key.to_owned()]
}
