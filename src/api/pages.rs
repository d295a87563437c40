//! Fetches pages of a list. A response that is not a valid page is a failed attempt.

use super::client::{Answer, Client, Step};
use super::refusal::{is_of_parameter, leaving_out};
use super::request::Request;
use super::retry::DOUBTS_MAX;
use super::split::split;
use crate::model::{
    Asked, Definitions, Doubt, Error, Kind, Layout, Listing, Next, Page, Paging, Resource, Result,
};
use std::sync::PoisonError;
use std::time::Duration;

/// The smallest page size in rows, for pages whose responses are too large.
const PAGE_ROWS_MIN: u32 = 1;

/// Makes one attempt at a page. A response with status 200 that is not a page (cut JSON, a web page,
/// `success: false`, `null`) counts as a failed attempt.
///
/// A page whose claim about the end of the list is doubtful ([`Layout::doubt`]) is a failed attempt too,
/// for some attempts: a wrong end loses every row behind it. A list without paging information is a
/// [`Kind::Shape`] error, unless it is the first page and its last row shows that it is complete.
pub async fn page(
    client: &Client,
    request: &mut Request,
    layout: &Layout,
    asked: Asked,
) -> Result<Step<Page>> {
    if let Some(smaller) = client.page_size(request.path()) {
        request.limit_to(smaller);
    }
    if let Some(key) = request.common_key().filter(|_| request.turn.0.is_none()) {
        let turn = client.reused.turn(key).await;
        if let Some(body) = turn.answer() {
            return Ok(Step::Done(split(&body, layout).await?));
        }
        request.turn.0 = Some(turn);
    }
    let mut body = None;
    let read = async |answer: &Answer| {
        body = Some(answer.body.clone());
        split(&answer.body, layout).await
    };
    let page = match client.attempt(request, read).await {
        Ok(Step::Done(page)) => page,
        Ok(Step::Wait { pause, limited }) => return Ok(Step::Wait { pause, limited }),
        Err(error) if error.is_too_large() && client.halve(request) => {
            return Ok(Step::Wait { pause: Duration::ZERO, limited: false });
        }
        Err(error) => return Err(error),
    };
    match layout.doubt(&page, asked, request.limit()) {
        Some(Doubt::Unlikely(_)) if request.doubts == 0 => {
            request.doubts += 1;
            return Ok(Step::Wait { pause: Duration::ZERO, limited: false });
        }
        Some(Doubt::Unlikely(message))
            if page.next == Next::Unsaid
                && !reaches_the_end(client, request, layout, &page).await? =>
        {
            return Err(Error::new(Kind::Shape, message).at(&request.path));
        }
        Some(Doubt::Unlikely(_)) | None => {}
        Some(Doubt::Unfounded(message)) if request.doubts < DOUBTS_MAX => {
            request.doubts += 1;
            return client.lost(request, Error::new(Kind::Shape, message));
        }
        Some(Doubt::Unfounded(message)) => {
            return Err(Error::new(Kind::Shape, message).at(&request.path));
        }
    }
    // The same reader may request a page without rows once more.
    let turn = request.turn.0.take();
    if let (Some(turn), Some(body)) = (turn, body.filter(|_| !page.records.is_empty())) {
        client.reused.keep(turn, body);
    }
    Ok(Step::Done(page))
}

impl Client {
    /// Returns the reduced page size of this path, if there is one.
    fn page_size(&self, path: &str) -> Option<u32> {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.get(path).copied()
    }

    /// Halves the page size of a path whose response was too large, for this request and later ones.
    /// Returns `false` if a page cannot be smaller.
    fn halve(&self, request: &Request) -> bool {
        let Some(limit) = request.limit().filter(|limit| *limit > PAGE_ROWS_MIN) else {
            return false;
        };
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.insert(request.path().to_owned(), (limit / 2).max(PAGE_ROWS_MIN));
        true
    }
}

/// Returns whether a page without paging information is its whole list: no row occurs twice, or the page
/// contains the row that comes first in reverse order. A list that cannot be reversed stays uncertain.
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

/// Fetches a page in as many attempts as needed.
pub async fn fetch_page_with_retry(
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

/// Fetches the first page of a list, and repeats the request without parameters that Pipedrive refuses.
/// Returns the page and the omitted parameters.
pub async fn first_page(
    client: &Client,
    request: Request,
    (listing, layout): (&Listing, &Layout),
    asked: Asked,
) -> Result<(Page, Vec<&'static str>)> {
    let first = match fetch_page_with_retry(client, &mut request.clone(), layout, asked).await {
        Ok(page) => return Ok((page, Vec::new())),
        Err(error) => error,
    };
    for without in leaving_out(&first, listing.refusable) {
        let mut request = request.without(&without);
        match fetch_page_with_retry(client, &mut request, layout, asked).await {
            Err(error) if is_of_parameter(&error) => {}
            outcome => return outcome.map(|page| (page, without)),
        }
    }
    Err(first)
}

/// The maximum number of pages of a field dictionary: 50,000 definitions.
const DICTIONARY_PAGES_MAX: usize = 100;

/// Reads a v2 field dictionary to the end. A definition that cannot be read is left out, and named in
/// [`Definitions::odd`].
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
            // The stream of the same list, if it is read, sends the same request.
            request = request.in_common(String::new());
            // Every dictionary contains Pipedrive's built-in fields.
            let asked = Asked { followed: cursor.is_some(), told: false, whole: true };
            let page = if cursor.is_none() {
                let list = (listing, &layout);
                let (page, left_out) = first_page(client, request, list, asked).await?;
                definitions.without.extend_from_slice(&left_out);
                page
            } else {
                let mut request = request.without(&definitions.without);
                fetch_page_with_retry(client, &mut request, &layout, asked).await?
            };
            for record in &page.records {
                definitions.add_page(&record.json);
            }
            match page.next {
                Next::Cursor(next) if nth < DICTIONARY_PAGES_MAX => cursor = Some(next),
                Next::Cursor(_) => {
                    let message = "list of field definitions does not end";
                    return Err(Error::new(Kind::Shape, message).at(listing.path));
                }
                _ => break,
            }
        }
    }
    Ok(definitions)
}
