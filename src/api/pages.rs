//! Pages instead of bytes: an answer that is no page is asked for again.

use super::client::{Answer, Client, Step};
use super::refusal::{is_of_parameter, leaving_out};
use super::request::Request;
use super::retry::DOUBTS_MAX;
use super::split::split;
use crate::model::{
    Asked, Definitions, Doubt, Error, Kind, Layout, Listing, Next, Page, Paging, Resource, Result,
};
use std::time::Duration;

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
    let split = async |answer: &Answer| split(&answer.body, layout).await;
    let page = match client.attempt(request, split).await? {
        Step::Done(page) => page,
        Step::Wait { pause, limited } => return Ok(Step::Wait { pause, limited }),
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
        let split = async |answer: &Answer| split(&answer.body, layout).await;
        match client.attempt(&mut turned, split).await? {
            Step::Done(last) => break last,
            Step::Wait { pause, .. } => tokio::time::sleep(pause).await,
        }
    };
    request.sent += turned.sent;
    let Some(last) = last.records.first() else {
        return Ok(page.records.is_empty());
    };
    Ok(last.key.is_some() && page.records.iter().any(|row| row.key == last.key))
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

/// The first page of a list, asked for again without parameters of it that Pipedrive refuses. With it
/// comes what was left out.
pub async fn first_page(
    client: &Client,
    request: Request,
    (listing, layout): (&Listing, &Layout),
    asked: Asked,
) -> Result<(Page, Vec<&'static str>)> {
    let first = match page_in_the_end(client, &mut request.clone(), layout, asked).await {
        Ok(page) => return Ok((page, Vec::new())),
        Err(error) => error,
    };
    for without in leaving_out(&first, listing.refusable) {
        let mut request = request.without(&without);
        match page_in_the_end(client, &mut request, layout, asked).await {
            Err(error) if is_of_parameter(&error) => {}
            outcome => return outcome.map(|page| (page, without)),
        }
    }
    Err(first)
}

/// Pages a field dictionary may have: 50,000 definitions.
const DICTIONARY_PAGES_MAX: usize = 100;

/// Reads a v2 field dictionary to its end. A definition that cannot be read stops nothing: it is left
/// out, and named among [`Definitions::odd`].
pub async fn definitions(client: &Client, dictionary: &'static Resource) -> Result<Definitions> {
    let mut definitions = Definitions::default();
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
            let page = if cursor.is_none() {
                let list = (listing, &layout);
                let (page, left_out) = first_page(client, request, list, asked).await?;
                definitions.without.extend_from_slice(&left_out);
                page
            } else {
                let mut request = request.without(&definitions.without);
                page_in_the_end(client, &mut request, &layout, asked).await?
            };
            for record in &page.records {
                definitions.take(&record.json);
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
