//! Pages instead of bytes: an answer that is no page is asked for again.

use super::client::{Client, Step};
use super::request::Request;
use crate::model::{Definitions, Error, Kind, Layout, Next, Page, Paging, Resource, Result};

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
    match Page::split(&answer.body, layout) {
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
            let page = page_in_the_end(client, &mut request, &layout).await?;
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
