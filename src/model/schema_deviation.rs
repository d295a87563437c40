//! Deviations from the documented schema: each kind is reported once a page, and their number is limited.

use super::resource::Column;
use super::work;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::mem;

/// Most surprises that are kept of a page; the rest is counted.
pub const SURPRISES_MAX: usize = 100;
/// Longest name of an unknown field that is kept, in bytes.
const NAME_BYTES_MAX: usize = 200;

/// A deviation of a column from the documentation. The record is passed on unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SchemaDeviation {
    /// A key that the table does not contain.
    Unknown(String),
    /// A value of another type than in the table.
    OtherType(&'static str),
    /// A number beyond the range of a double.
    TooLarge(&'static str),
    /// A key that the API always sends is missing.
    Missing(&'static str),
    /// A text ends inside a character. The half is replaced by U+FFFD.
    HalfCharacter,
    /// The number of further deviations on the page.
    Others(u64),
}

impl fmt::Display for SchemaDeviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(
                f,
                "field \"{name}\" is not known to this version: JSON passes it on, Parquet keeps it in \
                 _extra, Singer leaves it out"
            ),
            Self::OtherType(name) => write!(
                f,
                "field \"{name}\" has another type than documented: it is passed on as it came"
            ),
            Self::TooLarge(name) => {
                write!(
                    f,
                    "field \"{name}\" holds a number that no 64-bit float can hold: it is passed on as it came"
                )
            }
            Self::Missing(name) => write!(f, "field \"{name}\" is missing"),
            Self::HalfCharacter => {
                f.write_str("a text ends inside a character: the half is U+FFFD now")
            }
            Self::Others(count) => {
                write!(f, "{count} more fields of a page are not as documented and not named")
            }
        }
    }
}

/// The deviations of one page. Each costs one lookup, and memory is bounded by [`SURPRISES_MAX`].
#[derive(Debug, Default)]
pub(super) struct SchemaDeviations {
    named: Vec<SchemaDeviation>,
    unknown: HashSet<Box<str>>,
    /// The columns that were already reported, one bit each.
    other_type: u64,
    too_large: u64,
    missing: u64,
    others: u64,
}

impl SchemaDeviations {
    /// Notes a key that the table does not contain.
    pub(super) fn unknown(&mut self, name: &str) {
        work::count(1);
        let name = shortened(name);
        if self.unknown.contains(&*name) {
            return;
        }
        if self.add(|| SchemaDeviation::Unknown(name.clone().into_owned())) {
            self.unknown.insert(name.into());
        }
    }

    /// Notes a value of another type than the column's.
    pub(super) fn other_type(&mut self, place: usize, column: &Column) {
        if first_time(&mut self.other_type, place) {
            self.add(|| SchemaDeviation::OtherType(column.name));
        }
    }

    /// Notes a number in this column that is too large for a double.
    pub(super) fn too_large(&mut self, place: usize, column: &Column) {
        if first_time(&mut self.too_large, place) {
            self.add(|| SchemaDeviation::TooLarge(column.name));
        }
    }

    /// Notes columns that a row lacks, one bit each.
    pub(super) fn missing(&mut self, places: u64, columns: &[Column]) {
        let mut new = places & !self.missing;
        self.missing |= places;
        while new != 0 {
            let place = new.trailing_zeros() as usize;
            new &= new - 1;
            if let Some(column) = columns.get(place) {
                self.add(|| SchemaDeviation::Missing(column.name));
            }
        }
    }

    /// Adds a deviation, or counts it if the limit is reached. Returns whether it was added.
    fn add(&mut self, surprise: impl FnOnce() -> SchemaDeviation) -> bool {
        // The last position is reserved for the count.
        let kept = self.named.len() + 1 < SURPRISES_MAX;
        if kept {
            self.named.push(surprise());
        } else {
            self.others += 1;
        }
        kept
    }

    /// Removes and returns all deviations.
    pub(super) fn drain(&mut self) -> Vec<SchemaDeviation> {
        let mut all = mem::take(&mut self.named);
        if self.others > 0 {
            all.push(SchemaDeviation::Others(self.others));
        }
        *self = Self::default();
        all
    }
}

/// Sets a bit. Returns whether it was not set before.
fn first_time(bits: &mut u64, place: usize) -> bool {
    let bit = 1 << place;
    let first = *bits & bit == 0;
    *bits |= bit;
    first
}

/// Returns the beginning of a name that is too long to be shown.
fn shortened(name: &str) -> Cow<'_, str> {
    if name.len() <= NAME_BYTES_MAX {
        return name.into();
    }
    let end = name.floor_char_boundary(NAME_BYTES_MAX);
    format!("{}…", &name[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once_and_the_rest_is_counted() {
        let mut surprises = SchemaDeviations::default();
        for _ in 0..3 {
            surprises.unknown("x");
        }
        assert_eq!(surprises.drain(), [SchemaDeviation::Unknown("x".to_owned())]);
        for n in 0..1_000 {
            surprises.unknown(&format!("key{n}"));
        }
        let all = surprises.drain();
        assert_eq!(all.len(), SURPRISES_MAX);
        assert_eq!(all.last(), Some(&SchemaDeviation::Others(901)));
        assert_eq!(surprises.drain(), []);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let mut surprises = SchemaDeviations::default();
        surprises.unknown(&"é".repeat(1_000_000));
        let kept = format!("{}…", "é".repeat(NAME_BYTES_MAX / 2));
        assert_eq!(surprises.drain(), [SchemaDeviation::Unknown(kept)]);
    }
}
