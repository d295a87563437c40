//! The column of a key, with the column of option labels beside it.

use super::cells::{Cells, ScalarText};
use super::exact;
use crate::model::{LABELS_BYTES_MAX, items};
use arrow_array::ArrayRef;
use arrow_schema::Field;
use std::collections::BTreeMap;

/// Where the values of one key go.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    cells: Cells,
    labels: Option<Labels>,
    /// How much it says of the value of the row that is being read.
    pub(super) said: ScalarText,
}

/// What the options of a field are called.
#[derive(Debug)]
struct Labels {
    name: String,
    cells: Cells,
    of_list: bool,
    by_id: BTreeMap<String, String>,
}

impl Column {
    /// A column of this name.
    pub(super) fn new(name: &str, cells: Cells) -> Self {
        Self { name: name.to_owned(), cells, labels: None, said: ScalarText::Whole }
    }

    /// The column with one beside it for the labels of its options, by their ids as text.
    pub(super) fn labelled(
        mut self,
        name: &str,
        of_list: bool,
        by_id: &BTreeMap<String, String>,
    ) -> Self {
        let cells = if of_list { Cells::text_lists() } else { Cells::texts() };
        self.labels = Some(Labels { name: name.to_owned(), cells, of_list, by_id: by_id.clone() });
        self
    }

    /// Its one or two Arrow fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        let labels = self.labels.as_ref().map(|labels| (&labels.name, &labels.cells));
        [(&self.name, &self.cells)]
            .into_iter()
            .chain(labels)
            .map(|(name, cells)| Field::new(name, cells.ty(), true))
    }

    /// Puts a value of well-formed JSON, not null, into a row. How much of it the column now says.
    pub(super) fn put(&mut self, row: usize, raw: &str) -> ScalarText {
        if let Some(labels) = &mut self.labels {
            labels.put(row, raw);
        }
        self.cells.put(row, raw)
    }

    /// Rows up to the last one that was put.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Takes back the values from this one on.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.said = ScalarText::Whole;
        self.cells.truncate(rows);
        if let Some(labels) = &mut self.labels {
            labels.cells.truncate(rows);
        }
    }

    /// Memory it holds, about.
    pub(super) fn bytes(&self) -> usize {
        self.cells.bytes() + self.labels.as_ref().map_or(0, |labels| labels.cells.bytes())
    }

    /// The one or two arrays of so many rows, leaving no values.
    pub(super) fn finish(&mut self, rows: usize, into: &mut Vec<ArrayRef>) {
        into.push(self.cells.finish(rows));
        into.extend(self.labels.as_mut().map(|labels| labels.cells.finish(rows)));
    }
}

impl Labels {
    /// Puts the label of an option id, or the labels of a list of them; null where one is unknown, and
    /// where they are longer than [`LABELS_BYTES_MAX`] together.
    fn put(&mut self, row: usize, raw: &str) {
        let Self { cells, of_list, by_id, .. } = self;
        let label = |raw: &str| by_id.get(exact::quoted(raw).unwrap_or(raw)).map(String::as_str);
        let mut room = LABELS_BYTES_MAX;
        // Whether there is room for a label; what has none is not collected.
        let mut fits = |label: Option<&str>| {
            let left = room.checked_sub(label.map_or(1, |label| label.len() + 1));
            room = left.unwrap_or(0);
            left.is_some()
        };
        match exact::quoted(raw) {
            _ if !*of_list => {
                if let Some(label) = label(raw).filter(|label| fits(Some(label))) {
                    cells.put_text(row, label);
                }
            }
            Some("") => {}
            Some(list) => {
                if list.split(',').map(label).all(fits) {
                    cells.put_list(row, list.split(',').map(label));
                }
            }
            None => {
                let (mut labels, mut all) = (Vec::new(), true);
                let read = items(raw, |item| {
                    let label = label(item);
                    all = all && fits(label);
                    if all {
                        labels.push(label);
                    }
                });
                if read.is_ok() && all {
                    cells.put_list(row, labels.into_iter());
                }
            }
        }
    }
}
