//! Asks an account for the sizes of its lists, at the cost of one request each.
//!
//! Pipedrive's lists return no totals. The highest id bounds the rows of a list that can be sorted by id. Of
//! any other list, and of what changed since a time, one page is counted.

use super::estimate::{ReadMode, extent, way};
use super::fetch::limited;
use super::plan::Job;
use super::sizes::{Bound, Extent, Rows, Sizes};
use super::task::{ListRequest, Task};
use super::thrift::is_per_row;
use crate::api::{Client, Request, fetch_page_with_retry, is_of_parameter, leaving_out};
use crate::model::{
    Asked, Changes, Layout, Listing, Next, Page, Paging, Resource, Result, Time, Type,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A list to probe.
#[derive(Debug, Clone, Copy)]
struct Probe {
    watched: &'static Resource,
    listing: &'static Listing,
    extent: Extent,
}

/// Requests the sizes that are worth a request: those of all lists that grow with the account. A size
/// that the account refuses stays unknown, and is reported in a sentence.
pub async fn probe(client: &Client, jobs: &[Job]) -> Result<(Sizes, Vec<String>)> {
    ask(client, looks(jobs)).await
}

/// The cost in tokens of a list above which its size is not requested for an estimate.
const GLANCE_TOKENS_MAX: u32 = 10;

/// Requests the sizes of lists that are read from the beginning and whose highest id bounds them, at one
/// request each. These are the lists whose rows are parents; with `all`, cheap ones too. Lists that an
/// `earlier` run counted or started are not requested, and changes since an earlier run count as zero.
pub async fn glance(
    client: &Client,
    jobs: &[Job],
    earlier: &BTreeMap<&'static str, u64>,
    all: bool,
) -> Result<Sizes> {
    let parents: BTreeSet<_> =
        jobs.iter().filter(|job| is_per_row(job)).map(|job| job.driving_resource().name).collect();
    let mut begun = BTreeSet::new();
    for job in jobs {
        for &listing in &job.listings {
            if job.state.listings.get(listing.name).is_some_and(|known| known.walk.is_some()) {
                begun.insert(extent(job.driving_resource(), listing, way(job, listing)));
            }
        }
    }
    let mut looks = looks(jobs);
    looks.retain(|look| {
        let name = look.watched.name;
        let cheap = look.listing.cost <= GLANCE_TOKENS_MAX && look.watched.feature.is_none();
        let wanted = all && cheap || parents.contains(name);
        wanted && look.numbered() && !earlier.contains_key(name) && !begun.contains(&look.extent)
    });
    let (mut sizes, _) = ask(client, looks).await?;
    for job in jobs {
        for &listing in &job.listings {
            let extent = extent(job.driving_resource(), listing, way(job, listing));
            if extent.since.is_some() {
                let nothing = Rows { count: 0, bound: Bound::Guess };
                sizes.asked.entry(extent).or_insert(nothing);
            }
        }
    }
    sizes.earlier.clone_from(earlier);
    Ok(sizes)
}

async fn ask(client: &Client, looks: Vec<Probe>) -> Result<(Sizes, Vec<String>)> {
    let answers = looks.iter().map(|look| look.ask(client));
    let answers = futures_util::future::join_all(answers).await;
    let (mut sizes, mut unknown) = (Sizes::default(), Vec::new());
    for (look, answer) in looks.iter().zip(answers) {
        match answer {
            Ok(rows) => {
                sizes.asked.insert(look.extent, rows);
            }
            Err(error) if error.kind().stops_the_run() => return Err(error),
            Err(error) => {
                unknown.push(format!("{}: its size is not known: {error}", look.watched.name));
            }
        }
    }
    Ok((sizes, unknown))
}

/// Returns each list once, however many streams read it.
fn looks(jobs: &[Job]) -> Vec<Probe> {
    let mut looks = BTreeMap::new();
    let parents: BTreeSet<_> =
        jobs.iter().filter_map(|job| job.resource.parent_resource()).map(|r| r.name).collect();
    for job in jobs {
        let watched = job.resource.parent_resource().unwrap_or(job.resource);
        for &listing in &job.listings {
            let way = way(job, listing);
            let paged = matches!(listing.paging, Paging::Cursor | Paging::Offset);
            let grows = listing.changes != Changes::FullRead || parents.contains(watched.name);
            if way != ReadMode::Done && paged && grows {
                let extent = extent(watched, listing, way);
                looks.insert(extent, Probe { watched, listing, extent });
            }
        }
    }
    looks.into_values().collect()
}

impl Probe {
    async fn ask(&self, client: &Client) -> Result<Rows> {
        let first = match self.part(client, None, Vec::new()).await {
            Ok(rows) => return Ok(rows),
            Err(error) => error,
        };
        for without in leaving_out(&first, self.listing.refusable) {
            match self.without(client, without).await {
                Err(error) if is_of_parameter(&error) => {}
                outcome => return outcome,
            }
        }
        Err(client.explained(first, self.watched))
    }

    /// Counts the rows without refused parameters; for a split parameter, the rows of each value.
    async fn without(&self, client: &Client, without: Vec<&'static str>) -> Result<Rows> {
        let split = self.listing.split.as_ref();
        let Some(split) = split.filter(|split| without.contains(&split.param)) else {
            return self.part(client, None, without).await;
        };
        let mut rows = Rows { count: 0, bound: Bound::Exact };
        for value in split.values {
            let part = self.part(client, Some(value), without.clone()).await?;
            rows.count += part.count;
            rows.bound = rows.bound.and(part.bound);
        }
        Ok(rows)
    }

    async fn part(
        &self,
        client: &Client,
        part: Option<&'static str>,
        without: Vec<&'static str>,
    ) -> Result<Rows> {
        let layout = Arc::new(Layout::of(self.watched, self.listing));
        let ask = ListRequest { listing: self.listing, layout, name: String::new(), part, without };
        let mut request = self.request(Task::request(&ask));
        let asked = Asked { whole: true, ..Asked::default() };
        let page = fetch_page_with_retry(client, &mut request, &ask.layout, asked).await?;
        Ok(self.rows(&page))
    }

    fn request(&self, request: Request) -> Request {
        let offset = self.listing.paging == Paging::Offset;
        if self.numbered() {
            return if offset {
                request.with("sort", "id DESC").with("start", "0").with("limit", "1")
            } else {
                request.with("sort_by", "id").with("sort_direction", "desc").with("limit", "1")
            };
        }
        let mut request = limited(request, self.listing);
        if offset {
            request = request.with("start", "0");
        }
        let Some(since) = self.extent.since else {
            return request;
        };
        match self.listing.changes {
            Changes::SinceUntil | Changes::Since => request
                .with("updated_since", since.to_string())
                .with("sort_by", "update_time")
                .with("sort_direction", "asc"),
            Changes::SinceByKey => {
                request.with("updated_since", since.to_string()).with("sort", "update_time ASC")
            }
            Changes::NewestFirst => request.with("sort", "update_time DESC"),
            Changes::FullRead => request,
        }
    }

    /// Returns whether the highest id bounds the list: all rows are selected, and ids are sortable
    /// numbers.
    fn numbered(&self) -> bool {
        let key = self.watched.key.first().and_then(|key| self.watched.column(key));
        let number = key.is_some_and(|column| matches!(column.ty, Type::Int));
        self.extent.since.is_none() && number && !self.listing.by_id.is_empty()
    }

    fn rows(&self, page: &Page) -> Rows {
        let count = page.records.len() as u64;
        if self.numbered() {
            let id = page.records.first().and_then(|record| record.key.as_deref());
            let id = id.and_then(|id| id.parse().ok());
            return match (id, count) {
                (Some(id), _) => Rows { count: id, bound: Bound::AtMost },
                (None, 0) => Rows { count: 0, bound: Bound::Exact },
                (None, _) => Rows { count, bound: Bound::AtLeast },
            };
        }
        let older = |since: Time| {
            let times = page.records.iter().filter_map(|record| record.time);
            times.filter(|time| *time < since).count() as u64
        };
        let older = match self.listing.changes {
            Changes::NewestFirst => self.extent.since.map_or(0, older),
            _ => 0,
        };
        let more = match page.next {
            Next::End => false,
            Next::Cursor(_) | Next::Start(_) => true,
            Next::Unsaid => count >= u64::from(self.listing.limit),
        };
        if more && older == 0 {
            return Rows { count: count + 1, bound: Bound::AtLeast };
        }
        if page.next == Next::Unsaid && self.listing.paging == Paging::Offset {
            // A walk needs one more request to see that this was the end.
            return Rows { count, bound: Bound::Guess };
        }
        Rows { count: count - older, bound: Bound::Exact }
    }
}
