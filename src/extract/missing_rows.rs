//! Finds out why rows are missing from a walk of all keys: deleted, moved, or no longer visible.

use crate::api::{Answer, Client, Request, data, fetch_page_with_retry, first_page};
use crate::model::{
    Asked, DeletionReason, Error, Kind, Layout, Listing, Next, Record, Resource, Result,
};
use serde::Deserialize;
use std::collections::HashSet;

/// The maximum number of ids of one `ids=` request (pipedrive-api.md 8.24).
const IDS_PER_CALL: usize = 100;
/// The maximum number of rows that are requested by id. Further rows are classified by what the token may
/// see.
const ASKED_SINGLY_MAX: usize = 1_000;
/// The cost in tokens of one GET by id: v2 1, v1 2 (pipedrive-api.md 4.3).
const SINGLE_COST: [u32; 2] = [1, 2];

/// The result for some missing rows.
#[derive(Debug, Default)]
pub struct MissingRows {
    /// Rows that exist: they moved while the keys were read.
    pub there: Vec<Record>,
    /// Rows that do not exist, by key.
    pub gone: Vec<(String, DeletionReason)>,
}

/// Finds out why rows are missing. `archived`: whether archived rows are read at all; `admin`: whether
/// the token sees everything, so that an invisible row is deleted.
pub async fn find_missing_rows(
    client: &Client,
    resource: &'static Resource,
    missing: Vec<String>,
    archived: bool,
    admin: bool,
) -> Result<MissingRows> {
    let mut fate = MissingRows::default();
    let mut rest = missing;
    let by_ids = |listing: &&Listing| listing.query.contains(&"ids");
    for listing in resource.listings.iter().filter(by_ids) {
        let found = listed(client, resource, listing, &rest).await?;
        let keys: HashSet<&str> = found.iter().filter_map(|record| record.key.as_deref()).collect();
        let (known, unknown): (Vec<String>, _) =
            rest.into_iter().partition(|key| keys.contains(key.as_str()));
        rest = unknown;
        if listing.name == "archived" && !archived {
            fate.gone.extend(known.into_iter().map(|key| (key, DeletionReason::Archived)));
        } else {
            fate.there.extend(found);
        }
    }
    let sure = admin && resource.listings.iter().any(|listing| by_ids(&listing));
    if sure {
        fate.gone.extend(rest.into_iter().map(|key| (key, DeletionReason::Deleted)));
        return Ok(fate);
    }
    // The next sweep requests the remaining rows.
    for key in rest.into_iter().take(ASKED_SINGLY_MAX) {
        let reason = single(client, resource, &key, archived).await?;
        fate.gone.extend(reason.map(|reason| (key, reason)));
    }
    Ok(fate)
}

async fn listed(
    client: &Client,
    resource: &'static Resource,
    listing: &Listing,
    keys: &[String],
) -> Result<Vec<Record>> {
    let layout = Layout::of(resource, listing);
    let mut found = Vec::new();
    let mut without: Vec<&str> = Vec::new();
    for keys in keys.chunks(IDS_PER_CALL) {
        let mut cursor: Option<String> = None;
        // Servers may send fewer rows a page than requested, but at least one.
        let mut pages = 0;
        loop {
            let mut request = Request::new(listing.path, listing.cost);
            for (name, value) in listing.ask {
                request = request.with(name, *value);
            }
            request = request.with("ids", keys.join(",")).with("limit", IDS_PER_CALL.to_string());
            // Rows that are missing from the response count as deleted.
            let asked = Asked { followed: cursor.is_some(), told: false, whole: true };
            if let Some(cursor) = cursor {
                request = request.with("cursor", cursor);
            }
            let page = if asked.followed {
                let mut request = request.without(&without);
                fetch_page_with_retry(client, &mut request, &layout, asked).await?
            } else {
                let (page, left_out) =
                    first_page(client, request.without(&without), (listing, &layout), asked)
                        .await?;
                without.extend(left_out);
                page
            };
            found.extend(page.records);
            let Next::Cursor(next) = page.next else { break };
            cursor = Some(next);
            pages += 1;
            if pages > IDS_PER_CALL {
                let message = format!("list of {IDS_PER_CALL} ids does not end");
                return Err(Error::new(Kind::Shape, message).at(listing.path));
            }
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    is_deleted: Option<bool>,
    #[serde(default)]
    is_archived: Option<bool>,
    /// Notes are marked as deleted by this (pipedrive-api.md 2.5).
    #[serde(default)]
    active_flag: Option<bool>,
}

/// Requests one row: it is missing for a reason, or exists after all.
async fn single(
    client: &Client,
    resource: &Resource,
    key: &str,
    archived: bool,
) -> Result<Option<DeletionReason>> {
    let path = resource.listings[0].path;
    let cost = SINGLE_COST[usize::from(path.starts_with("/api/v1/"))];
    let request = Request::new(format!("{path}/{key}"), cost);
    let mut answer = client.ask(request.clone(), row).await;
    if matches!(answer, Ok(None)) {
        // An empty result is believed if a second response repeats it.
        answer = client.ask(request, row).await;
    }
    let row = match answer {
        Ok(Some(row)) => row,
        // A missing v1 row may return 204 (pipedrive-api.md 1.5).
        Ok(None) => return Ok(Some(DeletionReason::Deleted)),
        Err(error) if error.kind() == Kind::Permission => {
            return Ok(Some(DeletionReason::NotVisible));
        }
        Err(error) if matches!(error.http_status(), Some(404 | 410)) => {
            return Ok(Some(DeletionReason::Deleted));
        }
        Err(error) => return Err(error),
    };
    Ok(match row {
        row if row.is_deleted == Some(true) || row.active_flag == Some(false) => {
            Some(DeletionReason::Deleted)
        }
        row if row.is_archived == Some(true) && !archived => Some(DeletionReason::Archived),
        // The list leaves the row out, and the row exists: nothing proves its deletion.
        _ => None,
    })
}

/// Returns the row of a response, if there is one.
fn row(answer: &Answer) -> Result<Option<Row>> {
    let row = data(answer)?.map(|row| serde_json::from_slice(&row)).transpose();
    row.map_err(|error| Error::new(Kind::Shape, "answer is not a row").because(error))
}
