//! Fetches one page with all attempts that it takes, and reports the waits.

use super::task::{ListRequest, Task};
use crate::api::{Client, Request, Step, page};
use crate::model::{Asked, Event, Layout, Listing, Page, Paging, Result};
use std::sync::Arc;

impl Task {
    /// Returns a request for a listing, with its fixed parameters.
    pub(super) fn request(ask: &ListRequest) -> Request {
        let listing = ask.listing;
        let mut request = Request::new(listing.path, listing.cost);
        for (name, value) in listing.ask {
            let part = listing.split.as_ref().filter(|split| split.param == *name);
            if part.and(ask.part).is_none() && ask.without.contains(name) {
                continue;
            }
            request = request.with(name, part.and(ask.part).unwrap_or(value));
        }
        request
    }

    /// Fetches a page of a listing, with this knowledge about the list.
    pub(super) async fn page(
        &mut self,
        ask: &ListRequest,
        request: Request,
        asked: Asked,
    ) -> Result<Page> {
        let fetch = Fetch { task: self, client: &self.client, layout: &ask.layout };
        let page = fetch.page(request, asked).await?;
        (self.answered, self.met) = (true, true);
        if let Some(text) = self.telling.take() {
            self.warn(text).await;
        }
        self.surprised_by(page).await
    }

    async fn surprised_by(&mut self, mut page: Page) -> Result<Page> {
        // Rows of parents are not delivered here: their own stream reports deviations.
        let surprises = std::mem::take(&mut page.surprises);
        if self.resource.parent.is_none() {
            self.surprised(surprises).await;
        }
        Ok(page)
    }
}

/// The parts of a task that fetching needs. They are small enough to fetch several pages concurrently.
pub(super) struct Fetch<'t> {
    pub(super) task: &'t Task,
    pub(super) client: &'t Arc<Client>,
    pub(super) layout: &'t Layout,
}

impl Fetch<'_> {
    pub(super) async fn page(&self, mut request: Request, asked: Asked) -> Result<Page> {
        let outcome = self.attempts(&mut request, asked).await;
        let (resource, cost) = (self.task.resource, request.cost());
        // A spent budget sends no request.
        if cost.requests > 0 {
            self.task.tell(Event::Answered { resource, cost }).await;
        }
        outcome
    }

    async fn attempts(&self, request: &mut Request, asked: Asked) -> Result<Page> {
        let resource = self.task.resource;
        let mut waited = false;
        loop {
            match page(self.client, request, self.layout, asked).await {
                Ok(Step::Done(page)) => {
                    if waited {
                        self.task.tell(Event::Resumed { resource }).await;
                    }
                    return Ok(page);
                }
                Ok(Step::Wait { pause, limited }) => {
                    if limited {
                        waited = true;
                        self.task.tell(Event::Waiting { resource, pause }).await;
                    }
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Adds the page size, for listings with pages.
pub(super) fn limited(request: Request, listing: &Listing) -> Request {
    match listing.paging {
        Paging::Cursor | Paging::Offset => request.with("limit", listing.limit.to_string()),
        Paging::Plain | Paging::Goals | Paging::One => request,
    }
}
