//! Filters the rows of a list.

use super::account_state::PURGE_SECONDS;
use super::json;
use super::rows::{Row, Status};
use crate::model::{Listing, Paging, Resource, Time};
use std::collections::BTreeSet;

/// The conditions of a request on rows of a table.
#[derive(Debug)]
pub(super) struct Filter {
    archived: Option<bool>,
    statuses: Option<Vec<Status>>,
    keeps_deleted: bool,
    /// The time before which rows are left out. Rows without a time are left out too.
    pub(super) since: Option<Time>,
    until: Option<Time>,
    ids: Option<BTreeSet<u64>>,
    others: Vec<(String, String)>,
    purged: Time,
}

/// The parameters that do not select rows.
const NO_FILTERS: &[&str] = &[
    "limit",
    "cursor",
    "start",
    "sort",
    "sort_by",
    "sort_direction",
    "include_fields",
    "include_labels",
    "include_option_labels",
    "custom_fields",
    "deal_ids",
    "filter_id",
    "skip_users",
    "order_by",
    "term",
    "include_body",
];

impl Filter {
    /// Returns the filter of a request to a listing. The values were checked before. An unexpected value
    /// selects no rows.
    pub(super) fn of<S: AsRef<str>>(
        resource: &Resource,
        listing: &Listing,
        query: &[(S, S)],
        now: Time,
    ) -> Self {
        let get = |name: &str| {
            query.iter().find(|(key, _)| key.as_ref() == name).map(|(_, value)| value.as_ref())
        };
        let two = resource.listings.iter().any(|listing| listing.name == "live");
        let keeps_deleted = matches!(resource.name, "deals" | "projects");
        let statuses = keeps_deleted.then(|| get("status")).flatten();
        let known = |name: &str| listing.query.contains(&name);
        // A saved filter overrides the other parameters (pipedrive-api.md 2).
        let overruled = get("filter_id").is_some();
        let mut filter = Self {
            archived: two.then(|| listing.name == "archived"),
            statuses: statuses.map(|csv| csv.split(',').filter_map(Status::named).collect()),
            keeps_deleted,
            since: get("updated_since").filter(|_| known("updated_since")).and_then(Time::parse),
            until: get("updated_until").filter(|_| known("updated_until")).and_then(Time::parse),
            ids: get("ids").map(|csv| csv.split(',').filter_map(|id| id.parse().ok()).collect()),
            others: Vec::new(),
            purged: now.plus_seconds(-PURGE_SECONDS),
        };
        if overruled {
            filter.ids = None;
            return filter;
        }
        for (name, value) in query {
            let (name, value) = (name.as_ref(), value.as_ref());
            let done = ["status", "updated_since", "updated_until", "ids"].contains(&name);
            if known(name) && !done && !NO_FILTERS.contains(&name) && resource.parent.is_none() {
                filter.others.push((name.to_owned(), value.to_owned()));
            }
        }
        if listing.paging == Paging::Goals {
            if get("type.name").is_none() && get("assignee.type").is_none() {
                filter.others.push(("owner_id".to_owned(), "1".to_owned()));
            }
            if get("is_active").is_none() {
                filter.others.push(("is_active".to_owned(), "true".to_owned()));
            }
        }
        filter
    }

    /// Returns which part of the table must be walked.
    pub(super) const fn archived(&self) -> Option<bool> {
        self.archived
    }

    /// Returns whether the list contains the row.
    pub(super) fn takes(&self, row: &Row) -> bool {
        let stays = match row.deleted {
            None => true,
            Some(gone) => self.keeps_deleted && gone > self.purged,
        };
        let status = match &self.statuses {
            Some(statuses) => statuses.contains(&row.status),
            None => row.status != Status::Deleted,
        };
        let time = match (self.since, self.until, row.update) {
            (None, None, _) => true,
            (_, _, None) => false,
            (since, until, Some(time)) => {
                since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
            }
        };
        stays
            && status
            && time
            && self.archived.is_none_or(|archived| archived == row.archived)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&row.id))
            && self.others.iter().all(|(name, value)| matches(row, name, value))
    }
}

/// Returns whether a column of the row has the value of a parameter.
fn matches(row: &Row, name: &str, value: &str) -> bool {
    let column = match name {
        "folder" => "folders",
        "assignee_id" => "assignee_ids",
        "start_date" | "end_date" => {
            let day = row.add.date();
            return if name == "start_date" { *day >= *value } else { *day <= *value };
        }
        other => other,
    };
    let plural = format!("{name}s");
    let found = json::find(&row.json, column).or_else(|| json::find(&row.json, &plural));
    let Some(raw) = found else {
        return value == "null";
    };
    let quoted = json::quoted(value);
    match raw {
        "true" => value == "true" || value == "1",
        "false" => value == "false" || value == "0",
        _ if raw.starts_with('[') => {
            let inside = raw.trim_matches(['[', ']']);
            inside.split(',').any(|item| item.trim() == value || item.trim() == quoted)
        }
        _ => raw == value || raw == quoted,
    }
}
