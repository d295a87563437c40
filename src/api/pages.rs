//! Pages instead of bytes: an answer that is no page is asked for again.

use super::client::{Client, Step};
use super::request::Request;
use crate::model::{
    Asked, Definition, Doubt, Error, Kind, Layout, Next, Page, Paging, Resource, Result,
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// How often a page that says neither that it is the last one nor what comes next is asked for
/// again.
const DOUBTS_MAX: u32 = 2;

/// Makes one attempt at a page. What comes back with status 200 and is no page (cut JSON, a web
/// page, `success: false`, `null`) counts as a failed attempt.
///
/// So does, for a while, a page that is not to be believed about what comes after it
/// ([`Layout::doubt`]): a wrong end loses every row behind it. A list that keeps saying nothing is a
/// [`Kind::Shape`] error, unless it was not followed yet and its last row shows that it is whole.
pub async fn page(
    client: &Client,
    request: &mut Request,
    layout: &Layout,
    asked: Asked,
) -> Result<Step<Page>> {
    let answer = match client.step(request).await? {
        Step::Done(answer) => answer,
        Step::Wait { pause, limited } => return Ok(Step::Wait { pause, limited }),
    };
    let page = match Page::split(&answer.body, layout) {
        Ok(page) => page,
        Err(error) => return client.lost(request, error),
    };
    match layout.doubt(&page, asked) {
        None => Ok(Step::Done(page)),
        Some(Doubt::Unlikely(_)) if request.doubts == 0 => {
            request.doubts += 1;
            Ok(Step::Wait { pause: Duration::ZERO, limited: false })
        }
        Some(Doubt::Unlikely(message)) => {
            if page.next == Next::Unsaid && !reaches_the_end(client, request, layout, &page).await?
            {
                return Err(Error::new(Kind::Shape, message).at(&request.path));
            }
            Ok(Step::Done(page))
        }
        Some(Doubt::Unfounded(message)) if request.doubts < DOUBTS_MAX => {
            request.doubts += 1;
            client.lost(request, Error::new(Kind::Shape, message))
        }
        Some(Doubt::Unfounded(message)) => Err(Error::new(Kind::Shape, message).at(&request.path)),
    }
}

/// Whether a page that does not say so is all of its list: nothing was there twice, or the row that
/// comes first when the order is turned round is on it. Of a list that cannot be turned round nobody
/// knows.
async fn reaches_the_end(
    client: &Client,
    request: &mut Request,
    layout: &Layout,
    page: &Page,
) -> Result<bool> {
    if layout.is_paged_by_offset() {
        return Ok(true);
    }
    let Some(mut turned) = request.turned_round() else {
        return Ok(page.records.is_empty());
    };
    let last = loop {
        match client.step(&mut turned).await? {
            Step::Done(answer) => match Page::split(&answer.body, layout) {
                Ok(last) => break last,
                Err(error) => {
                    if let Step::Wait { pause, .. } = client.lost::<()>(&mut turned, error)? {
                        tokio::time::sleep(pause).await;
                    }
                }
            },
            Step::Wait { pause, .. } => tokio::time::sleep(pause).await,
        }
    };
    request.sent += turned.sent;
    let key = last.records.first().and_then(|record| record.key.as_deref());
    Ok(last.records.is_empty()
        || key.is_some_and(|key| page.records.iter().any(|row| row.key.as_deref() == Some(key))))
}

/// A page, after as many attempts as it takes.
pub async fn page_in_the_end(
    client: &Client,
    request: &mut Request,
    layout: &Layout,
    asked: Asked,
) -> Result<Page> {
    loop {
        match page(client, request, layout, asked).await? {
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
            // Every dictionary holds the fields that Pipedrive itself brings.
            let asked = Asked { followed: cursor.is_some(), told: false, whole: true };
            let page = page_in_the_end(client, &mut request, &layout, asked).await?;
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
