//! Lists per parent row: asked for the parents that changed.

use super::fetch::{Fetch, limited};
use super::guard::Guard;
use super::offset::{Offset, Place};
use super::task::Task;
use crate::api::Request;
use crate::model::{
    Asked, BATCH_PARENTS_MAX, ByParent, Digest, Error, Event, Kind, Layout, Listing, Next, Paging,
    Parent, Record, Result, Surprise, Type,
};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use std::collections::HashMap;

/// Parents between two checkpoints, for lists of one parent a request.
pub(super) const PARENTS_PER_CHECKPOINT: usize = 20;
/// Requests one stream keeps in flight for lists per parent.
pub(super) const REQUESTS_IN_FLIGHT_MAX: usize = 4;
/// Keys remembered of rows that several parents list.
const SHARED_KEYS_MAX: usize = 1_000_000;

impl Task {
    /// The rows of these parents, in the parents' order.
    ///
    /// A deleted parent has no lists any more, nor has one that vanished in between (404, 410).
    pub(super) async fn children(&mut self, parents: &[Record]) -> Result<Vec<Record>> {
        let Some(parent) = &self.resource.parent else {
            return Err(Error::new(Kind::Bug, "rows per parent of a resource without parents"));
        };
        let keys: Vec<&str> =
            parents.iter().filter(|p| !p.deleted).filter_map(|p| p.key.as_deref()).collect();
        let nameless = parents.iter().filter(|p| !p.deleted && p.key.is_none()).count();
        if nameless > 0 {
            let of = self.watched.name;
            let message = format!("the lists of {nameless} rows of {of} without a usable id");
            let error = Error::new(Kind::Shape, format!("{message} cannot be asked for"));
            self.tell(Event::Lacking { resource: self.resource, error }).await;
        }
        let mut rows = Vec::new();
        let mut surprises = Vec::new();
        for listing in self.resource.listings {
            let layout = Layout::of(self.resource, listing);
            let fetch = Fetch { task: self, client: &self.client, layout: &layout };
            let size = match parent.ask {
                ByParent::Batch(_) => BATCH_PARENTS_MAX,
                ByParent::Path | ByParent::Query(_) => 1,
            };
            let lists: Vec<_> =
                keys.chunks(size).map(|keys| list(&fetch, listing, parent, keys)).collect();
            let lists: Vec<(Vec<Record>, Vec<Surprise>)> =
                stream::iter(lists).buffered(REQUESTS_IN_FLIGHT_MAX).try_collect().await?;
            for (records, surprising) in lists {
                rows.extend(records);
                surprises.extend(surprising);
            }
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

    fn unseen(&mut self, row: &Record) -> bool {
        let Some(key) = &row.key else {
            return true;
        };
        self.shared.len() >= SHARED_KEYS_MAX || self.shared.insert(Digest::of(key.as_bytes()))
    }
}

/// All rows of one list, whose parent or parents these are.
async fn list(
    fetch: &Fetch<'_>,
    listing: &'static Listing,
    parent: &Parent,
    keys: &[&str],
) -> Result<(Vec<Record>, Vec<Surprise>)> {
    let (mut rows, mut surprises): (Vec<Record>, Vec<Surprise>) = (Vec::new(), Vec::new());
    let mut cursor: Option<String> = None;
    let mut offset = Offset::new(0, Vec::new(), listing.limit);
    let mut guard = Guard::default();
    loop {
        let mut request = limited(request(listing, parent, keys), listing);
        for (name, value) in listing.by_id {
            request = request.with(name, *value);
        }
        if let Some(cursor) = &cursor {
            request = request.with("cursor", cursor.clone());
        }
        if listing.paging == Paging::Offset {
            request = request.with("start", offset.start.to_string());
        }
        let followed = cursor.is_some() || offset.start > 0;
        // That one parent has no rows is usual; that a hundred together have none is not.
        let whole = matches!(parent.ask, ByParent::Batch(_));
        let asked = Asked { followed, told: offset.told, whole };
        let page = match fetch.page(request, asked).await {
            Ok(page) => page,
            Err(error) if !matches!(parent.ask, ByParent::Batch(_)) && gone(&error) => break,
            Err(error) => return Err(error),
        };
        guard.check(&page.records, &page.next, fetch.layout.has_keys())?;
        surprises.extend(page.surprises);
        let at = match listing.paging {
            Paging::Offset => match offset.place(&page.records)? {
                Place::From(at) => at,
                Place::Back => continue,
                Place::Restart => {
                    rows.clear();
                    continue;
                }
            },
            Paging::Cursor | Paging::Plain | Paging::Goals => 0,
        };
        let fresh = &page.records[at..];
        rows.extend(
            fresh.iter().map(|row| Record { key: keyed(row, parent, keys), ..row.clone() }),
        );
        match page.next {
            Next::Cursor(next) => cursor = Some(next),
            next if listing.paging == Paging::Offset => {
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
        ByParent::Path => Request::new(listing.path.replace("{id}", &keys), listing.cost),
        ByParent::Query(name) | ByParent::Batch(name) => {
            Request::new(listing.path, listing.cost).with(name, keys)
        }
    };
    listing.ask.iter().fold(request, |request, (name, value)| request.with(name, *value))
}

/// Whether a parent's list is gone with its parent.
fn gone(error: &Error) -> bool {
    error.kind() == Kind::Refused && matches!(error.http_status(), Some(404 | 410))
}

/// The key of a row, with its parent's in front where the row does not carry it.
fn keyed(row: &Record, parent: &Parent, keys: &[&str]) -> Option<String> {
    match (parent.column, &row.key) {
        (None, key) => key.clone(),
        (Some(_), Some(key)) => Some(format!("{}/{key}", keys.concat())),
        // An owner, and nothing after it: an id of its own that cannot be used, or none at all.
        (Some(_), None) => Some(format!("{}/", keys.concat())),
    }
}

/// The row with the columns its API row lacks, put in front; everything else byte for byte.
///
/// A row without a key is identified by its parent and the columns the API always sends, so that a
/// column added later changes nothing; equal rows are counted.
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
    use crate::model::Resource;

    /// An id that cannot be used is not made up of the parent's.
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
