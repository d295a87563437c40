//! Pages instead of bytes: an answer that is no page is asked for again.

use super::client::{Client, Step};
use super::request::Request;
use super::split::split;
use crate::model::{Definition, Error, Kind, Layout, Next, Page, Paging, Resource, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Makes one attempt at a page. What comes back with status 200 and is no page (cut JSON, a web
/// page, `success: false`, `null`) counts as a failed attempt.
///
/// So does a full page of a cursor list that lacks `additional_data`, for a while: that should
/// mean the end (API facts 3.1), but an end that is none would lose every row after it.
pub async fn page(client: &Client, request: &mut Request, layout: &Layout) -> Result<Step<Page>> {
    let answer = match client.step(request).await? {
        Step::Done(answer) => answer,
        Step::Wait { pause, limited } => return Ok(Step::Wait { pause, limited }),
    };
    match split(&answer.body, layout).await {
        Ok(page) if page.next == Next::Unsaid && layout.is_full(&page) && request.doubt() => {
            client.lost(request, Error::new(Kind::Shape, "full page without additional_data"))
        }
        Ok(page) => Ok(Step::Done(page)),
        Err(error) => client.lost(request, error),
    }
}

/// A page, after as many attempts as it takes.
pub async fn page_in_the_end(
    client: &Client,
    request: &mut Request,
    layout: &Layout,
) -> Result<Page> {
    loop {
        match page(client, request, layout).await? {
            Step::Done(page) => return Ok(page),
            Step::Wait { pause, .. } => tokio::time::sleep(pause).await,
        }
    }
}

#[derive(Deserialize)]
struct One<'a> {
    success: bool,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// One row, after as many attempts as it takes; `None` when the answer says that there is none.
/// An answer that is no answer (cut JSON, a web page, `success: false`) is asked for again.
pub async fn one(client: &Client, mut request: Request) -> Result<Option<Bytes>> {
    loop {
        let step = match client.step(&mut request).await? {
            Step::Done(answer) if answer.body.is_empty() => return Ok(None),
            Step::Done(answer) => match serde_json::from_slice::<One<'_>>(&answer.body) {
                Ok(One { success: true, data }) => {
                    return Ok(data.map(|row| answer.body.slice_ref(row.get().as_bytes())));
                }
                Ok(_) => client.lost(&mut request, Error::new(Kind::Shape, "answer is no success")),
                Err(error) => {
                    let error = Error::new(Kind::Shape, "answer is not a row").because(error);
                    client.lost(&mut request, error)
                }
            },
            Step::Wait { pause, limited } => Ok(Step::Wait { pause, limited }),
        };
        let step: Step<()> = step?;
        if let Step::Wait { pause, .. } = step {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Pages a field dictionary may have: 50,000 definitions.
const DICTIONARY_PAGES_MAX: usize = 100;

/// Reads a v2 field dictionary to its end.
pub async fn definitions(
    client: &Client,
    dictionary: &'static Resource,
) -> Result<Vec<Definition>> {
    let mut definitions = Vec::new();
    for listing in dictionary.listings {
        let layout = Layout::of(dictionary, listing);
        let mut cursor: Option<String> = None;
        for nth in 0.. {
            let mut request = Request::new(listing.path, listing.cost);
            for (name, value) in listing.ask {
                request = request.with(name, *value);
            }
            if listing.paging == Paging::Cursor {
                request = request.with("limit", listing.limit.to_string());
            }
            if let Some(cursor) = &cursor {
                request = request.with("cursor", cursor.clone());
            }
            let page = page_in_the_end(client, &mut request, &layout).await?;
            for record in &page.records {
                definitions.push(Definition::from_json(&record.json)?);
            }
            match page.next {
                Next::Cursor(next) if nth < DICTIONARY_PAGES_MAX => cursor = Some(next),
                Next::Cursor(_) => {
                    let message = "list of field definitions does not come to an end";
                    return Err(Error::new(Kind::Shape, message).at(listing.path));
                }
                _ => break,
            }
        }
    }
    Ok(definitions)
}
