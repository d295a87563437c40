//! What became of rows that a walk of all keys did not see.

use crate::api::{Client, Request, Step, page};
use crate::model::{Kind, Layout, Listing, Reason, Record, Resource, Result};
use serde::Deserialize;
use std::collections::HashSet;

/// Ids of one call of `ids=` (API facts, gotcha 24).
const IDS_PER_CALL: usize = 100;
/// Most rows that are asked for one by one; the rest is told apart by what the token may see.
const ASKED_SINGLY_MAX: usize = 1_000;
/// Tokens of one GET by id: v2 1, v1 2 (API facts 4.3).
const SINGLE_COST: [u32; 2] = [1, 2];

/// What became of some rows.
#[derive(Debug, Default)]
pub struct Fate {
    /// They are there: they moved while the keys were walked.
    pub there: Vec<Record>,
    /// They are not, by key.
    pub gone: Vec<(String, Reason)>,
}

/// Asks what became of rows. `archived`: whether archived rows are read at all; `admin`: whether
/// the token sees everything, so that what it does not see is deleted.
pub async fn fate(
    client: &Client,
    resource: &'static Resource,
    missing: Vec<String>,
    archived: bool,
    admin: bool,
) -> Result<Fate> {
    let mut fate = Fate::default();
    let mut rest = missing;
    let by_ids = |listing: &&Listing| listing.query.contains(&"ids");
    for listing in resource.listings.iter().filter(by_ids) {
        let found = listed(client, resource, listing, &rest).await?;
        let keys: HashSet<&str> = found.iter().filter_map(|record| record.key.as_deref()).collect();
        let (known, unknown) = rest.into_iter().partition(|key| keys.contains(key.as_str()));
        rest = unknown;
        if listing.name == "archived" && !archived {
            fate.gone.extend(Vec::into_iter(known).map(|key| (key, Reason::Archived)));
        } else {
            fate.there.extend(found);
        }
    }
    let sure = admin && resource.listings.iter().any(|listing| by_ids(&listing));
    for (nth, key) in rest.into_iter().enumerate() {
        let reason = match (sure, admin) {
            (false, _) if nth < ASKED_SINGLY_MAX => {
                single(client, resource, &key, archived).await?
            }
            (_, true) => Some(Reason::Deleted),
            (_, false) => Some(Reason::NotVisible),
        };
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
    for keys in keys.chunks(IDS_PER_CALL) {
        let mut request = Request::new(listing.path, listing.cost);
        for (name, value) in listing.ask {
            request = request.with(name, *value);
        }
        request = request.with("ids", keys.join(",")).with("limit", IDS_PER_CALL.to_string());
        loop {
            match page(client, &mut request, &layout).await? {
                Step::Done(page) => break found.extend(page.records),
                Step::Wait { pause, .. } => tokio::time::sleep(pause).await,
            }
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct One {
    data: Option<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    is_deleted: bool,
    #[serde(default)]
    is_archived: bool,
    /// Notes are deleted by this (API facts 2.5).
    #[serde(default)]
    active_flag: Option<bool>,
}

/// Asks for one row: gone for which reason, or there after all.
async fn single(
    client: &Client,
    resource: &Resource,
    key: &str,
    archived: bool,
) -> Result<Option<Reason>> {
    let path = resource.listings[0].path;
    let cost = SINGLE_COST[usize::from(path.starts_with("/api/v1/"))];
    let answer = client.get(Request::new(format!("{path}/{key}"), cost)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.kind() == Kind::Permission => return Ok(Some(Reason::NotVisible)),
        Err(error) if matches!(error.http_status(), Some(404 | 410)) => {
            return Ok(Some(Reason::Deleted));
        }
        Err(error) => return Err(error),
    };
    // An answer without a row is as good as none (a missing v1 row may answer 204, API facts 1.3).
    let row = serde_json::from_slice::<One>(&answer.body).ok().and_then(|one| one.data);
    Ok(match row {
        None => Some(Reason::Deleted),
        Some(row) if row.is_deleted || row.active_flag == Some(false) => Some(Reason::Deleted),
        Some(row) if row.is_archived && !archived => Some(Reason::Archived),
        // The list leaves it out and it is there: nobody can say that it is gone.
        Some(_) => None,
    })
}
