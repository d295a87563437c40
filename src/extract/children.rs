//! Reads lists per parent row, for the parents that changed.

use super::fetch::{Fetch, limited};
use super::guard::Guard;
use super::offset::{Offset, PagePosition};
use super::task::{Task, refused};
use crate::api::{Request, is_of_company, is_of_one_row};
use crate::model::{
    Asked, BATCH_PARENTS_MAX, Digest, Error, Event, Kind, Layout, Listing, Next, Paging, Parent,
    PerParent, Record, Resource, Result, SchemaDeviation, Type, key_of,
};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The number of parents between two checkpoints, for lists with one parent a request.
pub(super) const PARENTS_PER_CHECKPOINT: usize = 20;
/// The number of concurrent requests of one stream for lists per parent.
pub(super) const REQUESTS_IN_FLIGHT_MAX: usize = 4;
/// The number of refused requests, without any other response, after which the list counts as refused and
/// not a parent.
const REFUSALS_MAX: usize = 16;
/// The number of missing parents (404, 410) together after which the list counts as missing.
const GONE_MIN: usize = 3;
/// The number of parents with refused lists that are named. Others are counted.
const REFUSED_NAMED_MAX: usize = 10;
/// The number of remembered keys of rows that several parents list.
const SHARED_KEYS_MAX: usize = 1_000_000;

impl Task {
    /// Reads the rows of these parents, in the order of the parents. Carried parents come first.
    ///
    /// A deleted parent has no lists. A parent whose list is refused (403, 404, 410) is left out, and
    /// reported at the end.
    pub(super) async fn children(&mut self, parents: &[Record]) -> Result<Vec<Record>> {
        let Some(parent) = &self.resource.parent else {
            return Err(Error::new(Kind::Bug, "rows per parent of a resource without parents"));
        };
        let here = parents.iter().filter(|p| !p.deleted);
        let mut rows = Vec::new();
        let mut keys: Vec<&str> = Vec::new();
        for parent in here {
            let Some(key) = parent.key.as_deref() else { continue };
            match self.carried.as_ref().and_then(|carried| carried.of(parent)) {
                Some(carried) => rows.extend(carried.iter().map(|json| Record {
                    key: key_of(self.resource, &String::from_utf8_lossy(json)),
                    ..Record::bare(json.clone())
                })),
                None => keys.push(key),
            }
        }
        let nameless = parents.iter().filter(|p| !p.deleted && p.key.is_none()).count();
        if nameless > 0 {
            let of = self.watched.name;
            let message = format!("the lists of {nameless} rows of {of} without a usable id");
            let error = Error::new(Kind::Shape, format!("{message} cannot be asked for"));
            self.tell(Event::Lacking { resource: self.resource, error }).await;
        }
        let mut surprises = Vec::new();
        for listing in self.resource.listings {
            let layout = Layout::of(self.resource, listing);
            let fetch = Fetch { task: self, client: &self.client, layout: &layout };
            let size = match parent.ask {
                PerParent::Batch(_) => BATCH_PARENTS_MAX,
                PerParent::Path | PerParent::Query(_) => 1,
            };
            let lists: Vec<_> =
                keys.chunks(size).map(|keys| lists(&fetch, listing, parent, keys)).collect();
            let lists: Vec<Lists> =
                stream::iter(lists).buffered(REQUESTS_IN_FLIGHT_MAX).try_collect().await?;
            self.heard |= lists.iter().any(|lists| lists.answered);
            self.known |= self.heard;
            let mut refused = Vec::new();
            for lists in lists {
                rows.extend(lists.rows);
                surprises.extend(lists.surprises);
                refused.extend(lists.refused);
            }
            if !self.known
                && let Some(error) = self.none_at_all(&mut refused, keys.len())
            {
                return Err(error);
            }
            self.refused.add(refused);
        }
        self.surprised(surprises).await;
        if parent.shared {
            rows.retain(|row| self.unseen(row));
        }
        let quoted = self.watched.key.first().and_then(|key| self.watched.column(key));
        let quoted = quoted.is_some_and(|column| matches!(column.ty, Type::Text));
        if parent.column.is_some() || parent.digest.is_some() {
            let columns = self.resource.columns.iter().filter(|column| !column.optional);
            let columns: Vec<_> = columns.map(|column| column.name).collect();
            let mut equals: HashMap<Digest, u32> = HashMap::new();
            let complete = |row: &Record| completed(row, parent, quoted, &columns, &mut equals);
            rows = rows.iter().map(complete).collect();
        }
        Ok(rows)
    }

    /// Returns the error of a list that refused all of these parents and never responded: the list itself
    /// is then refused. One or two missing parents prove nothing.
    fn none_at_all(&self, refused: &mut Vec<(String, Error)>, parents: usize) -> Option<Error> {
        let gone = |error: &Error| matches!(error.http_status(), Some(404 | 410));
        let few = refused.len() < GONE_MIN && refused.iter().all(|(_, error)| gone(error));
        if refused.len() < parents.min(REFUSALS_MAX) || few {
            return None;
        }
        let (_, error) = refused.pop()?;
        Some(self.client.whole_list(error, self.resource))
    }

    fn unseen(&mut self, row: &Record) -> bool {
        let Some(key) = &row.key else {
            return true;
        };
        self.shared.len() >= SHARED_KEYS_MAX || self.shared.insert(Digest::of(key.as_bytes()))
    }
}

/// Parents whose lists were refused while others were not. They are left out.
#[derive(Debug, Default)]
pub(super) struct Refused {
    count: u64,
    /// The names of the first of them, with the server's message.
    named: Vec<String>,
    /// Parents that the consumer was not informed of yet, together with the rows of the others.
    untold: Vec<String>,
}

impl Refused {
    fn add(&mut self, refused: Vec<(String, Error)>) {
        for (key, error) in refused {
            self.count += 1;
            if self.named.len() < REFUSED_NAMED_MAX {
                self.named.push(format!("{key} ({})", error.in_short()));
            }
            self.untold.push(key);
        }
    }

    /// Returns the keys that were not taken before.
    pub(super) fn take_keys(&mut self) -> Vec<String> {
        std::mem::take(&mut self.untold)
    }

    /// Returns the message about them, if there are any.
    pub(super) fn text(&self, parents: &Resource) -> Option<String> {
        let more = self.count - self.named.len() as u64;
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let named = self.named.join(", ");
        let text = format!(
            "Pipedrive refuses the lists of {} rows of {}, which are left out: {named}{more}",
            self.count, parents.name
        );
        (self.count > 0).then_some(text)
    }
}

/// The result of requests for the lists of some parents.
#[derive(Debug, Default)]
struct Lists {
    rows: Vec<Record>,
    surprises: Vec<SchemaDeviation>,
    /// Parents that were refused individually.
    refused: Vec<(String, Error)>,
    /// Whether any request succeeded.
    answered: bool,
}

/// Reads the lists of these parents. A refusal of several parents is halved until one is left; breadth
/// first, so that a list that is refused as a whole is detected soon.
async fn lists(
    fetch: &Fetch<'_>,
    listing: &'static Listing,
    parent: &Parent,
    keys: &[&str],
) -> Result<Lists> {
    let mut lists = Lists::default();
    let mut parts: BTreeMap<usize, Vec<Record>> = BTreeMap::new();
    let mut open = VecDeque::from([(0, keys)]);
    let mut refusals = 0;
    let batch = matches!(parent.ask, PerParent::Batch(_));
    while let Some((place, keys)) = open.pop_front() {
        match list(fetch, listing, parent, keys).await {
            Ok((rows, surprises)) => {
                lists.answered = true;
                lists.surprises.extend(surprises);
                parts.insert(place, rows);
            }
            Err(error) if is_of_company(&error) && !fetch.task.heard && !lists.answered => {
                return Err(fetch.client.whole_list(error, fetch.task.resource));
            }
            Err(error)
                if is_of_one_row(&error)
                    || is_of_company(&error)
                    || refused(&error) && batch && (keys.len() > 1 || lists.answered) =>
            {
                refusals += 1;
                let hopeless = refusals >= REFUSALS_MAX && !lists.answered && !fetch.task.known;
                if keys.len() == 1 {
                    lists.refused.push((keys.concat(), error));
                } else if hopeless {
                    return Err(fetch.client.whole_list(error, fetch.task.resource));
                } else {
                    let half = keys.len() / 2;
                    open.push_back((place, &keys[..half]));
                    open.push_back((place + half, &keys[half..]));
                }
            }
            Err(error) => return Err(error),
        }
    }
    lists.rows = parts.into_values().flatten().collect();
    Ok(lists)
}

/// Reads all rows of one list of these parents.
async fn list(
    fetch: &Fetch<'_>,
    listing: &'static Listing,
    parent: &Parent,
    keys: &[&str],
) -> Result<(Vec<Record>, Vec<SchemaDeviation>)> {
    let (mut rows, mut surprises): (Vec<Record>, Vec<SchemaDeviation>) = (Vec::new(), Vec::new());
    let mut cursor: Option<String> = None;
    let mut offset = Offset::new(0, Vec::new(), listing.limit);
    let mut guard = Guard::default();
    loop {
        let mut request = limited(request(listing, parent, keys), listing);
        if fetch.task.run.bodies && listing.query.contains(&"include_body") {
            request = request.with("include_body", "1");
        }
        for (name, value) in listing.by_id {
            request = request.with(name, *value);
        }
        if let Some(cursor) = &cursor {
            request = request.with("cursor", cursor.clone());
        }
        if listing.paging == Paging::Offset || offset.start > 0 {
            request = request.with("start", offset.start.to_string());
        }
        let followed = cursor.is_some() || offset.start > 0;
        // One parent without rows is common; a hundred without any are not.
        let whole = matches!(parent.ask, PerParent::Batch(_));
        let asked = Asked { followed, told: offset.told, whole };
        let page = match fetch.page(request, asked).await {
            Ok(page) => page,
            // The parent was deleted between two pages.
            Err(error) if followed && keys.len() == 1 && is_of_one_row(&error) => break,
            Err(error) => return Err(error),
        };
        guard.check(&page.records, &page.next, fetch.layout.has_keys())?;
        surprises.extend(page.surprises);
        let at = match listing.paging {
            Paging::Offset | Paging::Plain | Paging::Goals => match offset.place(&page.records)? {
                PagePosition::From(at) => at,
                PagePosition::Back => continue,
                PagePosition::Restart => {
                    rows.clear();
                    continue;
                }
            },
            Paging::Cursor | Paging::One => 0,
        };
        let fresh = &page.records[at..];
        rows.extend(
            fresh.iter().map(|row| Record { key: keyed(row, parent, keys), ..row.clone() }),
        );
        match page.next {
            Next::Cursor(next) => cursor = Some(next),
            // A list that is documented as unpaged may have pages.
            next if listing.paging == Paging::Offset || matches!(next, Next::Start(_)) => {
                if !offset.advance(page.records.len(), fresh, &next)? {
                    break;
                }
            }
            Next::Start(_) | Next::Unsaid | Next::End => break,
        }
    }
    Ok((rows, surprises))
}

fn request(listing: &Listing, parent: &Parent, keys: &[&str]) -> Request {
    let keys = keys.join(",");
    let request = match parent.ask {
        PerParent::Path => Request::new(listing.path.replace("{id}", &keys), listing.cost),
        PerParent::Query(name) | PerParent::Batch(name) => {
            Request::new(listing.path, listing.cost).with(name, keys)
        }
    };
    listing.ask.iter().fold(request, |request, (name, value)| request.with(name, *value))
}

/// Returns the key of a row, prefixed with the parent's key if the row does not contain it.
fn keyed(row: &Record, parent: &Parent, keys: &[&str]) -> Option<String> {
    match (parent.column, &row.key) {
        (None, key) => key.clone(),
        (Some(_), Some(key)) => Some(format!("{}/{key}", keys.concat())),
        // The owner's key is known, and the row's own id is unusable or missing.
        (Some(_), None) => Some(format!("{}/", keys.concat())),
    }
}

/// Returns the row with the columns that its API row lacks, inserted at the front. Everything else stays
/// byte for byte.
///
/// A row without a key is identified by its parent and the columns that the API always sends, so that a
/// column added later changes nothing. Equal rows are numbered.
fn completed(
    row: &Record,
    parent: &Parent,
    quoted: bool,
    columns: &[&str],
    equals: &mut HashMap<Digest, u32>,
) -> Record {
    let key = row.key.as_deref().unwrap_or_default();
    let owner = key.split('/').next().unwrap_or_default();
    let mut json = Vec::with_capacity(row.json.len() + 80);
    json.push(b'{');
    let mut key = row.key.clone();
    if let Some(column) = parent.digest {
        let nth = equals.entry(row.identity(owner, columns, 0)).or_insert(0);
        let digest = row.identity(owner, columns, *nth).to_string();
        *nth += 1;
        json.extend_from_slice(format!("\"{column}\":\"{digest}\",").as_bytes());
        key = Some(digest);
    }
    if let Some(column) = parent.column {
        let quote = if quoted { "\"" } else { "" };
        json.extend_from_slice(format!("\"{column}\":{quote}{owner}{quote}").as_bytes());
    }
    let rest = row.json.get(1..).unwrap_or_default();
    if rest.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'}') {
        json.push(b',');
    }
    json.extend_from_slice(rest);
    let key = key.filter(|key| key.strip_suffix('/') != Some(owner));
    Record { json: Bytes::from(json), key, exact: None, ..row.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unusable id is not replaced by the parent's.
    #[test]
    fn rows_without_an_id_of_their_own_keep_their_parent_and_get_no_key() {
        for resource in Resource::all() {
            let Some(parent) = &resource.parent else { continue };
            let Some(column) = parent.column else { continue };
            let row = Record::bare(Bytes::from_static(br#"{"x":1}"#));
            let row = Record { key: keyed(&row, parent, &["7"]), ..row };
            let row = completed(&row, parent, false, &[], &mut HashMap::new());
            let json = String::from_utf8_lossy(&row.json).into_owned();
            assert!(json.ends_with(&format!("\"{column}\":7,\"x\":1}}")), "{json}");
            assert_eq!(row.key.is_some(), parent.digest.is_some(), "{}", resource.name);
        }
    }
}
