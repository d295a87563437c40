//! The rows of one resource, and the orders in which lists return them.

use super::json;
use super::rows::Row;
use crate::model::Time;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// The rows by number, with sort orders that are built when they are first needed.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    names: HashMap<Box<str>, usize>,
    orders: HashMap<Order, Arc<Vec<SortKey>>>,
}

/// A sort order of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Order {
    /// The column. Rows with equal values are sorted by id.
    pub(super) field: String,
    /// Whether the order is descending.
    pub(super) falling: bool,
    /// The selected rows: archived ones, the others, or all.
    pub(super) archived: Option<bool>,
    /// Whether times are compared by whole seconds.
    pub(super) by_second: bool,
}

/// The sort key of a row in an order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SortKey {
    /// The value of the sort column.
    pub(super) value: Sort,
    /// The number of the row.
    pub(super) id: u64,
    /// The index in the table.
    pub(super) row: usize,
}

/// A sort value. Nulls come first in both directions.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Sort {
    /// No value.
    Null,
    /// A number or an instant.
    Number(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text or a date.
    Text(Box<str>),
}

impl Sort {
    /// Returns the sort value of a time.
    pub(super) fn time(time: Option<Time>) -> Self {
        time.map_or(Self::Null, |time| Self::Number(time.millis()))
    }
}

impl SortKey {
    /// Compares two sort keys in the given direction.
    pub(super) fn compare(&self, other: &Self, falling: bool) -> Ordering {
        let nulls = (self.value != Sort::Null).cmp(&(other.value != Sort::Null));
        let values = self.value.partial_cmp(&other.value).unwrap_or(Ordering::Equal);
        let within = values.then(self.id.cmp(&other.id));
        nulls.then(if falling { within.reverse() } else { within })
    }
}

impl Table {
    /// Returns a table of these rows.
    pub(super) fn new(rows: Vec<Row>) -> Self {
        let numbered = rows.iter().enumerate();
        let names = numbered.filter_map(|(place, row)| Some((row.name.clone()?, place))).collect();
        Self { rows, names, orders: HashMap::new() }
    }

    /// Returns all rows, including deleted ones.
    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Rewrites every row. Sort values must not change.
    pub(super) fn each(&mut self, change: impl FnMut(&mut Row)) {
        self.rows.iter_mut().for_each(change);
    }

    /// Returns the number of the next new row.
    pub(super) fn next_id(&self) -> u64 {
        // The rows are stored in the order of their numbers.
        self.rows.last().map_or(0, |row| row.id) + 1
    }

    /// Returns the index of the row with this key.
    pub(super) fn find(&self, key: &str) -> Option<usize> {
        if let Some(place) = self.names.get(key) {
            return Some(*place);
        }
        let id: u64 = key.parse().ok()?;
        let at = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        self.rows[at].name.is_none().then_some(at)
    }

    /// Returns the row with this key.
    pub(super) fn get(&self, key: &str) -> Option<&Row> {
        self.find(key).map(|place| &self.rows[place])
    }

    /// Returns the row of this number.
    pub(super) fn numbered(&self, id: u64) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&id, |row| row.id).ok()?;
        self.rows.get(at)
    }

    /// Replaces the row with the same number, or appends the row.
    pub(super) fn put(&mut self, row: Row) {
        self.orders.clear();
        match self.rows.binary_search_by_key(&row.id, |row| row.id) {
            Ok(place) => self.rows[place] = row,
            Err(place) => {
                if let Some(name) = &row.name {
                    self.names.insert(name.clone(), place);
                }
                self.rows.insert(place, row);
            }
        }
    }

    /// Returns the rows in an order. They are sorted once.
    pub(super) fn order(&mut self, order: &Order) -> Arc<Vec<SortKey>> {
        if let Some(places) = self.orders.get(order) {
            return Arc::clone(places);
        }
        let rows = self.rows.iter().enumerate();
        let mut places: Vec<SortKey> = rows
            .filter(|(_, row)| order.archived.is_none_or(|archived| archived == row.archived))
            .map(|(place, row)| SortKey { value: sort(row, order), id: row.id, row: place })
            .collect();
        places.sort_unstable_by(|a, b| a.compare(b, order.falling));
        let places = Arc::new(places);
        self.orders.insert(order.clone(), Arc::clone(&places));
        places
    }
}

/// Returns the sort value of a row in an order.
fn sort(row: &Row, order: &Order) -> Sort {
    let time = |time: Option<Time>| {
        Sort::time(if order.by_second { time.map(Time::whole_second) } else { time })
    };
    match order.field.as_str() {
        "id" => match &row.name {
            Some(name) => Sort::Text(name.clone()),
            None => Sort::Number(i64::try_from(row.id).unwrap_or(i64::MAX)),
        },
        // An empty name is the order of creation.
        "" => Sort::Number(i64::try_from(row.id).unwrap_or(i64::MAX)),
        "update_time" => time(row.update),
        "add_time" => time(Some(row.add)),
        field => match json::find(&row.json, field) {
            None | Some("null") => Sort::Null,
            Some(raw) if raw.starts_with('"') => {
                Sort::Text(serde_json::from_str::<String>(raw).unwrap_or_default().into())
            }
            Some(raw) => raw.parse().map_or(Sort::Null, Sort::Real),
        },
    }
}
