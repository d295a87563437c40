//! Finds out which features a company lacks, before anything is read.

use crate::api::{Client, Request, is_of_one_row};
use crate::model::{Kind, Paging, PerParent, Resource, Result};
use std::collections::BTreeMap;

/// Sends one request for each feature that these resources need and a company may lack
/// ([`Resource::feature`]). Returns Pipedrive's message by the names of the unavailable resources. Other
/// failures are left to the reader; an error is of a kind that stops a run.
pub async fn survey(
    client: &Client,
    resources: &[&'static Resource],
) -> Result<BTreeMap<&'static str, String>> {
    let mut features: BTreeMap<&'static str, &'static Resource> = BTreeMap::new();
    for resource in resources {
        if let Some(feature) = resource.feature {
            let asked = features.entry(feature).or_insert(resource);
            if asked.parent.is_some() && resource.parent.is_none() {
                *asked = resource;
            }
        }
    }
    let asked = features.iter().map(|(feature, resource)| async move {
        (*feature, *resource, client.ask(one_row(resource), |_| Ok(())).await)
    });
    let mut lacking = BTreeMap::new();
    for (feature, resource, answer) in futures_util::future::join_all(asked).await {
        let Err(error) = answer else { continue };
        if error.kind().stops_the_run() {
            return Err(error);
        }
        // Whether the requested parent exists proves nothing.
        let parent = is_of_one_row(&error) && error.http_status() != Some(403);
        let error = client.whole_list(error, resource);
        if error.kind() != Kind::Unavailable || resource.parent.is_some() && parent {
            continue;
        }
        let said = error.in_short();
        let named = resources.iter().filter(|resource| resource.feature == Some(feature));
        lacking.extend(named.map(|resource| (resource.name, said.clone())));
    }
    Ok(lacking)
}

/// Returns a request for one row of a list, or for the rows of the first parent.
fn one_row(resource: &Resource) -> Request {
    let listing = &resource.listings[0];
    let request = match resource.parent.as_ref().map(|parent| parent.ask) {
        None => Request::new(listing.path, listing.cost),
        Some(PerParent::Path) => Request::new(listing.path.replace("{id}", "1"), listing.cost),
        Some(PerParent::Query(name) | PerParent::Batch(name)) => {
            Request::new(listing.path, listing.cost).with(name, "1")
        }
    };
    match listing.paging {
        Paging::Cursor | Paging::Offset => request.with("limit", "1"),
        Paging::Plain | Paging::Goals | Paging::One => request,
    }
}
