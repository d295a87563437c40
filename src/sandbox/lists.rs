//! Lists: their rows, their order, the start position, and what a page says about the next one.

use super::account_state::{AccountState, PURGE_SECONDS};
use super::checks;
use super::children;
use super::endpoints;
use super::filter::Filter;
use super::habits::Habit;
use super::http_request::{Refusal, Request};
use super::json;
use super::options::Options;
use super::rows::Row;
use super::table::{Order, Sort, SortKey, Table};
use crate::model::{Listing, Paging, PerParent, Resource, Time, Type};
use bytes::Bytes;
use serde_json::{Value, json};

/// A page of rows that is not serialized yet.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub(super) rows: Vec<Bytes>,
    pub(super) next: Next,
    pub(super) envelope: Envelope,
    /// The cursor of this page.
    pub(super) here: Option<String>,
    /// The cursor of the first page.
    pub(super) first: Option<String>,
}

/// The information of a page about the next one.
#[derive(Debug, Clone)]
pub(super) enum Next {
    /// No information.
    Unsaid,
    /// `"additional_data":null`
    Null,
    /// The cursor, or null on the last page.
    Cursor(Option<String>),
    /// `"additional_data":{}`
    Empty,
    /// This additional data. It states that there is more, but not where.
    Nowhere(&'static str),
    /// The offset paging of v1.
    Offset { start: usize, limit: usize, more: bool },
}

/// The parts of a response around the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Envelope {
    Plain,
    /// The rows are in `data.goals`.
    Goals,
    /// The only row is `data` itself.
    One,
    /// The rows are in `data.goals`, which is null if there are none.
    NullGoals,
    /// The rows are in `data.goals`. `data` is null if there are none.
    NoGoals,
    /// The response contains `"status":"ok"`.
    Webhooks,
    /// `data` is null if there are no rows.
    NullWhenEmpty,
}

impl Page {
    /// Returns the whole body.
    pub(super) fn body(&self) -> Bytes {
        let size: usize = self.rows.iter().map(|row| row.len() + 1).sum();
        let mut out = Vec::with_capacity(size + 512);
        let empty = self.rows.is_empty();
        let bare = empty && self.envelope == Envelope::NoGoals;
        let goals = !bare
            && matches!(self.envelope, Envelope::Goals | Envelope::NullGoals | Envelope::NoGoals);
        out.extend_from_slice(match self.envelope {
            _ if goals => b"{\"success\":true,\"data\":{\"goals\":".as_slice(),
            Envelope::Webhooks => b"{\"status\":\"ok\",\"success\":true,\"data\":",
            _ => b"{\"success\":true,\"data\":",
        });
        let nulls = [Envelope::NullWhenEmpty, Envelope::NullGoals, Envelope::NoGoals];
        if empty && nulls.contains(&self.envelope) {
            out.extend_from_slice(b"null");
        } else if let (Envelope::One, [row]) = (self.envelope, &*self.rows) {
            out.extend_from_slice(row);
        } else {
            out.push(b'[');
            for (place, row) in self.rows.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(row);
            }
            out.push(b']');
        }
        if goals || bare {
            out.extend_from_slice(if goals { b"}" } else { b"" });
            out.extend_from_slice(
                b",\"statusCode\":20000,\"statusText\":\"OK\",\"service\":\"goals\"}",
            );
            return Bytes::from(out);
        }
        let tail = match &self.next {
            Next::Unsaid => String::new(),
            Next::Null => ",\"additional_data\":null".to_owned(),
            Next::Empty => ",\"additional_data\":{}".to_owned(),
            Next::Nowhere(additional) => format!(",\"additional_data\":{additional}"),
            Next::Cursor(None) => ",\"additional_data\":{\"next_cursor\":null}".to_owned(),
            Next::Cursor(Some(cursor)) => {
                format!(",\"additional_data\":{{\"next_cursor\":\"{cursor}\"}}")
            }
            Next::Offset { start, limit, more } => {
                let next = start + self.rows.len();
                let next = if *more { format!(",\"next_start\":{next}") } else { String::new() };
                format!(
                    ",\"additional_data\":{{\"pagination\":{{\"start\":{start},\"limit\":{limit},\"more_items_in_collection\":{more}{next}}}}}"
                )
            }
        };
        out.extend_from_slice(tail.as_bytes());
        out.push(b'}');
        Bytes::from(out)
    }
}

/// Returns whether any list contains a row.
pub(super) fn listable(resource: &Resource, row: &Row, now: Time) -> bool {
    match row.deleted {
        None => true,
        Some(gone) => {
            matches!(resource.name, "deals" | "projects") && gone > now.plus_seconds(-PURGE_SECONDS)
        }
    }
}

/// Returns the requested page of a listing.
pub(super) fn list(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
    listing: &'static Listing,
    parent: Option<&str>,
    request: &Request,
) -> Result<Page, Refusal> {
    let sorting = if request.v2() {
        checks::v2(resource, listing, request, options)?
    } else {
        checks::v1(resource, listing, request)?
    };
    let keys = match parent.and_then(|key| named_parent(state, resource, key)) {
        Some(key) => vec![key?],
        None => endpoints::parents(resource, parent, request)?,
    };
    let filter = Filter::of(resource, listing, &request.query, state.now());
    let mut own;
    let table = if resource.parent.is_some() {
        own = of_parents(state, resource, &keys)?;
        &mut own
    } else {
        state.table(resource)
    };
    let order = Order {
        field: sorting.field,
        falling: sorting.falling,
        archived: filter.archived(),
        by_second: options.habits.has(Habit::SecondOrder),
    };
    let asked = Asked { listing, options, request, filter: &filter, order: &order };
    let mut page = match listing.paging {
        Paging::Cursor => asked.by_cursor(table)?,
        Paging::Offset => asked.by_offset(table, resource),
        Paging::Plain | Paging::Goals | Paging::One => asked.whole(table),
    };
    page.envelope = match (listing.paging, resource.name) {
        (Paging::One, _) => Envelope::One,
        (Paging::Goals, _) => match request.get("is_active") {
            Some("false") if options.habits.has(Habit::NullGoals) => Envelope::NoGoals,
            _ if options.habits.has(Habit::NullGoals) => Envelope::NullGoals,
            _ => Envelope::Goals,
        },
        (_, "webhooks") => Envelope::Webhooks,
        _ if options.null_empty && !request.v2() => Envelope::NullWhenEmpty,
        _ => Envelope::Plain,
    };
    if let Some(codes) = request.get("custom_fields").filter(|_| request.v2()) {
        let codes: Vec<&str> = codes.split(',').collect();
        page.rows = page.rows.iter().map(|row| narrowed(row, &codes)).collect();
    }
    if listing.wrapped.is_some() {
        let bodies = request.get("include_body") == Some("1");
        page.rows = page.rows.iter().map(|row| children::wrapped(row, bodies)).collect();
    }
    Ok(page)
}

/// Returns the number of the row that a path names by a text key. `None` if keys are numbers.
fn named_parent(
    state: &mut AccountState,
    resource: &'static Resource,
    key: &str,
) -> Option<Result<u64, Refusal>> {
    let of = resource.parent_resource()?;
    let named = of.key.first().and_then(|key| of.column(key))?;
    let table = matches!(named.ty, Type::Text).then(|| state.table(of))?;
    Some(table.get(key).map(|row| row.id).ok_or_else(Refusal::not_found))
}

/// Returns the rows of a child list for these parents. A parent in the path must exist.
fn of_parents(
    state: &mut AccountState,
    resource: &'static Resource,
    keys: &[u64],
) -> Result<Table, Refusal> {
    let of = resource.parent_resource().expect("a child resource has a parent");
    let in_path = resource.parent.as_ref().is_some_and(|parent| parent.ask == PerParent::Path);
    let now = state.now();
    let mut rows = Vec::new();
    for key in keys {
        let parent = state.table(of).numbered(*key);
        let parent = parent.filter(|row| listable(of, row, now));
        match parent.map(|row| row.deleted.is_some()) {
            Some(false) => rows.extend(state.children(resource, *key)),
            Some(true) if in_path => {
                return Err(Refusal::general(410, "Deal has been deleted", ""));
            }
            None if in_path && of.name == "deals" => {
                return Err(Refusal::general(404, "Deal not found", ""));
            }
            None if in_path => return Err(Refusal::not_found()),
            _ => {}
        }
    }
    rows.sort_by_key(|row| row.id);
    Ok(Table::new(rows))
}

struct Asked<'a> {
    listing: &'a Listing,
    options: &'a Options,
    request: &'a Request,
    filter: &'a Filter,
    order: &'a Order,
}

impl Asked<'_> {
    /// Returns the requested number of rows, limited to what the list allows.
    fn limit(&self) -> usize {
        let most = usize::try_from(self.listing.limit).unwrap_or(usize::MAX);
        let asked = self.request.get("limit").and_then(|limit| limit.parse().ok());
        asked.unwrap_or(100).clamp(1, most)
    }

    /// Returns the number of rows after which a list continues with another page, although it is
    /// documented as unpaged.
    fn plain_page(&self) -> Option<usize> {
        let paged = match self.listing.path {
            "/api/v1/noteFields" => 10,
            "/api/v1/organizationRelationships" => 1,
            _ => return self.options.plain_page,
        };
        let habit = self.options.habits.has(Habit::PagedPlain);
        self.options.plain_page.or_else(|| habit.then_some(paged))
    }

    /// Returns the number of rows of a page.
    fn size(&self) -> usize {
        self.limit().min(self.options.page_max.unwrap_or(usize::MAX)).max(1)
    }

    fn by_cursor(&self, table: &mut Table) -> Result<Page, Refusal> {
        let places = table.order(self.order);
        let mut from = 0;
        if let Some(cursor) = self.request.get("cursor") {
            let place = self.place(cursor).ok_or_else(|| {
                Refusal::invalid(&["cursor: Provided cursor is not valid".to_owned()])
            })?;
            from =
                places.partition_point(|other| other.compare(&place, self.order.falling).is_le());
        }
        if self.order.field == "update_time" && !self.order.falling && self.filter.since.is_some() {
            let since = Sort::time(self.filter.since);
            from = from.max(places.partition_point(|place| place.value < since));
        }
        let rows = table.rows();
        let mut shown = places[from..].iter().filter(|place| self.filter.takes(&rows[place.row]));
        let page: Vec<&SortKey> = shown.by_ref().take(self.size()).collect();
        let more = shown.next().is_some();
        let next = page.last().filter(|_| more).map(|place| self.cursor(place));
        let first = self.cursor(&SortKey { value: Sort::Null, id: 0, row: 0 });
        let before = from.checked_sub(1).map(|place| self.cursor(&places[place]));
        Ok(Page {
            rows: page.iter().map(|place| rows[place.row].json.clone()).collect(),
            next: Next::Cursor(next),
            envelope: Envelope::Plain,
            here: Some(before.unwrap_or_else(|| first.clone())),
            first: Some(first),
        })
    }

    fn by_offset(&self, table: &mut Table, resource: &Resource) -> Page {
        let start =
            self.request.get("start").and_then(|start| start.parse().ok()).unwrap_or(0_usize);
        let places = table.order(self.order);
        let rows = table.rows();
        // A client reads an offset list without paging information to the first page that is not full.
        let silent = resource.name == "mail_threads";
        let size = if silent { self.limit() } else { self.size() };
        let shown = places.iter().map(|place| &rows[place.row]);
        let mut shown = shown.filter(|row| self.filter.takes(row)).skip(start);
        let page: Vec<Bytes> = shown.by_ref().take(size).map(|row| row.json.clone()).collect();
        let next = if silent {
            Next::Unsaid
        } else {
            Next::Offset { start, limit: self.limit(), more: shown.next().is_some() }
        };
        Page { rows: page, next, envelope: Envelope::Plain, here: None, first: None }
    }

    fn whole(&self, table: &mut Table) -> Page {
        let places = table.order(self.order);
        let rows = table.rows();
        let shown = places.iter().map(|place| &rows[place.row]);
        let shown = shown.filter(|row| self.filter.takes(row));
        let mut rows: Vec<_> = shown.map(|row| row.json.clone()).collect();
        let mut next = if self.request.v2() { Next::Null } else { Next::Unsaid };
        let pages = self.listing.paging == Paging::Plain && !self.request.v2();
        if let Some(limit) = self.plain_page().filter(|_| pages) {
            let start = self.request.get("start").and_then(|start| start.parse().ok());
            let start: usize = start.unwrap_or(0);
            rows.drain(..start.min(rows.len()));
            next = Next::Offset { start, limit, more: rows.len() > limit };
            rows.truncate(limit);
        }
        Page { rows, next, envelope: Envelope::Plain, here: None, first: None }
    }

    /// Returns the cursor after this row. The walk continues strictly after its sort key, wherever the row is
    /// by then.
    fn cursor(&self, place: &SortKey) -> String {
        let value = match &place.value {
            Sort::Null => Value::Null,
            Sort::Number(number) if self.is_time() => {
                Value::from(Time::from_millis(*number).to_string())
            }
            Sort::Number(number) => Value::from(*number),
            Sort::Real(number) => Value::from(*number),
            Sort::Text(text) => Value::from(&**text),
        };
        let marker = json!({
            "field": self.order.field,
            "fieldValue": value,
            "sortDirection": if self.order.falling { "desc" } else { "asc" },
            "id": place.id,
        });
        json::base64(marker.to_string().as_bytes())
    }

    fn place(&self, cursor: &str) -> Option<SortKey> {
        let marker: Value = serde_json::from_slice(&json::from_base64(cursor)?).ok()?;
        let falling = marker["sortDirection"].as_str()? == "desc";
        if marker["field"].as_str()? != self.order.field || falling != self.order.falling {
            return None;
        }
        let value = match &marker["fieldValue"] {
            Value::Null => Sort::Null,
            Value::String(text) if self.is_time() => Sort::time(Some(Time::parse(text)?)),
            Value::String(text) => Sort::Text(text.as_str().into()),
            Value::Number(number) if matches!(self.order.field.as_str(), "id" | "") => {
                Sort::Number(number.as_i64()?)
            }
            Value::Number(number) => Sort::Real(number.as_f64()?),
            _ => return None,
        };
        Some(SortKey { value, id: marker["id"].as_u64()?, row: 0 })
    }

    fn is_time(&self) -> bool {
        matches!(self.order.field.as_str(), "update_time" | "add_time")
    }
}

/// Returns the row with these custom fields only.
fn narrowed(row: &[u8], codes: &[&str]) -> Bytes {
    let fields = json::find(row, "custom_fields").unwrap_or("{}");
    let mut kept = vec![b'{'];
    for (code, value) in json::pairs(fields.as_bytes()) {
        if codes.contains(&&*code) {
            json::pair(&mut kept, &code, value);
        }
    }
    kept.push(b'}');
    let kept = String::from_utf8_lossy(&kept).into_owned();
    Bytes::from(json::replaced(row, &[("custom_fields".to_owned(), kept)]))
}
