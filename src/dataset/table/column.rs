//! The column of a key, with the column of option labels beside it.

use super::cells::{Cells, ScalarText};
use super::exact;
use crate::model::{LABELS_BYTES_MAX, items};
use arrow_array::ArrayRef;
use arrow_schema::Field;
use std::collections::BTreeMap;

/// The column for the values of one key.
#[derive(Debug)]
pub(super) struct Column {
    name: String,
    cells: Cells,
    labels: Option<Labels>,
    /// How completely the column represents the value of the current row.
    pub(super) said: ScalarText,
}

/// The labels of the options of a field.
#[derive(Debug)]
struct Labels {
    name: String,
    cells: Cells,
    of_list: bool,
    by_id: BTreeMap<String, String>,
}

impl Column {
    /// Creates a column with this name.
    pub(super) fn new(name: &str, cells: Cells) -> Self {
        Self { name: name.to_owned(), cells, labels: None, said: ScalarText::Whole }
    }

    /// Adds a column for the labels of its options, by their ids as text.
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

    /// Returns the one or two Arrow fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        let labels = self.labels.as_ref().map(|labels| (&labels.name, &labels.cells));
        [(&self.name, &self.cells)]
            .into_iter()
            .chain(labels)
            .map(|(name, cells)| Field::new(name, cells.ty(), true))
    }

    /// Adds a value of well-formed JSON, not null, to a row. Returns how completely the column
    /// represents it.
    pub(super) fn put(&mut self, row: usize, raw: &str) -> ScalarText {
        if let Some(labels) = &mut self.labels {
            labels.put(row, raw);
        }
        self.cells.put(row, raw)
    }

    /// Returns the number of rows up to the last one that was added.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Removes the values from row `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        self.said = ScalarText::Whole;
        self.cells.truncate(rows);
        if let Some(labels) = &mut self.labels {
            labels.cells.truncate(rows);
        }
    }

    /// Returns the approximate memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.cells.bytes() + self.labels.as_ref().map_or(0, |labels| labels.cells.bytes())
    }

    /// Appends the one or two arrays of `rows` rows to `into`, and empties the column.
    pub(super) fn finish(&mut self, rows: usize, into: &mut Vec<ArrayRef>) {
        into.push(self.cells.finish(rows));
        into.extend(self.labels.as_mut().map(|labels| labels.cells.finish(rows)));
    }
}

impl Labels {
    /// Adds the label of an option id, or the labels of a list of ids. The label is null if an id is
    /// unknown, or if the labels are longer than [`LABELS_BYTES_MAX`] bytes together.
    fn put(&mut self, row: usize, raw: &str) {
        let Self { cells, of_list, by_id, .. } = self;
        let label = |raw: &str| by_id.get(exact::quoted(raw).unwrap_or(raw)).map(String::as_str);
        let mut room = LABELS_BYTES_MAX;
        // Returns whether a label fits into the limit. Other labels are not collected.
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
