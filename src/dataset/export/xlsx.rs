//! Writes an Excel workbook: one sheet a table, and more where a table has more rows than a sheet can hold.

use super::super::current::{Cell, Heading, Table};
use super::super::temp_file::TempFile;
use super::target::failed;
use crate::model::{Result, Time};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// Rows of a sheet, the titles among them: Excel's limit.
const SHEET_ROWS_MAX: u32 = 1_048_576;
/// Columns of a sheet: Excel's limit.
const SHEET_COLUMNS_MAX: usize = 16_384;
/// UTF-16 code units of a cell: Excel's limit.
const CELL_UNITS_MAX: usize = 32_767;
/// Characters of a sheet's name: Excel's limit.
const SHEET_NAME_CHARS_MAX: usize = 31;
/// The largest whole number of which Excel shows every digit: it has 15.
const WHOLE_MAX: u64 = 999_999_999_999_999;
/// The serial number of 1970-01-01 in Excel.
const EPOCH_DAYS: f64 = 25_569.0;
/// The range of serial numbers that have the same meaning in every program: 1900-03-01 to 9999-12-31.
/// Excel treats 1900 as a leap year, so earlier numbers differ by one day.
const DAYS: std::ops::RangeInclusive<f64> = 61.0..=2_958_465.0;
/// Microseconds per day.
const DAY_MICROS: f64 = 86_400e6;
/// Columns that are named when texts in them were cut.
const CUT_NAMED_MAX: usize = 10;

/// The workbook, under a temporary name until it is complete.
pub(super) struct Book {
    workbook: Workbook,
    scrap: TempFile,
    out: PathBuf,
    /// The names of the sheets, in lower case.
    names: BTreeSet<String>,
    formats: Formats,
    sheet: Sheet,
}

struct Formats {
    title: Format,
    date: Format,
    time: Format,
}

/// The sheet that is being written.
#[derive(Default)]
struct Sheet {
    table: String,
    /// The number of sheets of the current table.
    nth: u32,
    /// The index of the sheet in the workbook.
    place: usize,
    row: u32,
    titles: Vec<String>,
    /// The number of truncated texts, by column.
    cut: BTreeMap<usize, u64>,
}

impl Book {
    pub(super) fn begin(out: &Path) -> Result<Self> {
        let scrap = TempFile::beside(out, "new")?;
        let mut book = Workbook::new();
        // The parts of the workbook are written to its folder, which has the required space.
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        book.set_tempdir(folder.unwrap_or(Path::new("."))).map_err(|error| failed(out, error))?;
        let formats = Formats {
            title: Format::new().set_bold(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        };
        Ok(Self {
            workbook: book,
            scrap,
            out: out.to_owned(),
            names: BTreeSet::new(),
            formats,
            sheet: Sheet::default(),
        })
    }

    pub(super) fn table(&mut self, table: &Table<'_>) -> Result<Vec<String>> {
        let titles = table.headings().iter().map(|heading| heading.title.clone());
        let titles: Vec<_> = titles.collect();
        let left = titles.len().saturating_sub(SHEET_COLUMNS_MAX);
        let name = table.resource().name;
        self.sheet = Sheet { table: name.to_owned(), titles, ..Sheet::default() };
        self.sheet()?;
        let note = format!("a sheet has {SHEET_COLUMNS_MAX} columns: {left} are left out");
        Ok((left > 0).then_some(note).into_iter().collect())
    }

    /// Starts a sheet with the titles of the table.
    fn sheet(&mut self) -> Result<()> {
        self.sheet.nth += 1;
        let name = self.name();
        let Self { workbook: book, out, formats, sheet, .. } = self;
        let added = |sheet: &mut Sheet| -> std::result::Result<(), XlsxError> {
            let page = book.add_worksheet_with_constant_memory()?;
            page.set_name(name)?.set_freeze_panes(1, 0)?;
            for (column, title) in sheet.titles.iter().take(SHEET_COLUMNS_MAX).enumerate() {
                let title = shortened(title).0;
                page.write_string_with_format(0, number(column), title, &formats.title)?;
            }
            Ok(())
        };
        added(sheet).map_err(|error| failed(out, error))?;
        sheet.place = book.worksheets().len() - 1;
        sheet.row = 1;
        Ok(())
    }

    /// Returns an unused sheet name: the name of the table, shortened if necessary, with a number for
    /// later sheets.
    fn name(&mut self) -> String {
        let Sheet { table, nth, .. } = &self.sheet;
        let mut number = *nth;
        loop {
            let ending = if number > 1 { format!(" ({number})") } else { String::new() };
            let room = SHEET_NAME_CHARS_MAX - ending.len();
            let name: String = table.chars().take(room).chain(ending.chars()).collect();
            if self.names.insert(name.to_lowercase()) {
                return name;
            }
            number += 1;
        }
    }

    pub(super) fn row(&mut self, _: &[Heading], cells: &[Cell<'_>]) -> Result<()> {
        if self.sheet.row >= SHEET_ROWS_MAX {
            self.sheet()?;
        }
        let Self { workbook: book, out, formats, sheet, .. } = self;
        let mut written = || -> std::result::Result<(), XlsxError> {
            let page = book.worksheet_from_index(sheet.place)?;
            for (column, cell) in cells.iter().take(SHEET_COLUMNS_MAX).enumerate() {
                if write(page, (sheet.row, number(column)), cell, formats)? {
                    *sheet.cut.entry(column).or_default() += 1;
                }
            }
            Ok(())
        };
        written().map_err(|error| failed(out, error))?;
        sheet.row += 1;
        Ok(())
    }

    pub(super) fn end(&mut self, headings: &[Heading]) -> Result<Vec<String>> {
        let Self { workbook: book, out, sheet, .. } = self;
        let last = number(sheet.titles.len().clamp(1, SHEET_COLUMNS_MAX) - 1);
        let filtered = book
            .worksheet_from_index(sheet.place)
            .and_then(|page| page.autofilter(0, 0, sheet.row - 1, last).map(drop));
        filtered.map_err(|error| failed(out, error))?;
        let mut notes = Vec::new();
        if sheet.nth > 1 {
            notes.push(format!(
                "a sheet has {SHEET_ROWS_MAX} rows: later ones are in further sheets, {} in all",
                sheet.nth
            ));
        }
        if !sheet.cut.is_empty() {
            let named = sheet.cut.iter().take(CUT_NAMED_MAX);
            let named =
                named.map(|(column, times)| format!("{} ({times})", headings[*column].title));
            let more = sheet.cut.len().saturating_sub(CUT_NAMED_MAX);
            let more = (more > 0).then(|| format!("and {more} more"));
            let named: Vec<_> = named.chain(more).collect();
            notes.push(format!(
                "texts are cut that have more than {CELL_UNITS_MAX} characters, the most of a cell: {}",
                named.join(", ")
            ));
        }
        Ok(notes)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let file = BufWriter::new(self.scrap.file());
        self.workbook.save_to_writer(file).map_err(|error| failed(&self.out, error))?;
        self.scrap.persist(&self.out)
    }
}

/// Writes a cell. Returns whether its text was truncated.
fn write(
    page: &mut Worksheet,
    (row, column): (u32, u16),
    cell: &Cell<'_>,
    formats: &Formats,
) -> std::result::Result<bool, XlsxError> {
    let day = |days: f64| DAYS.contains(&days).then_some(days);
    match cell {
        Cell::Null => {}
        Cell::Bool(value) => {
            page.write_boolean(row, column, *value)?;
        }
        #[expect(clippy::cast_precision_loss, reason = "it has 15 digits at most")]
        Cell::Int(value) if value.unsigned_abs() <= WHOLE_MAX => {
            page.write_number(row, column, *value as f64)?;
        }
        Cell::Num(value) => {
            page.write_number(row, column, *value)?;
        }
        Cell::Date(days) if day(f64::from(*days) + EPOCH_DAYS).is_some() => {
            let days = f64::from(*days) + EPOCH_DAYS;
            page.write_number_with_format(row, column, days, &formats.date)?;
        }
        Cell::Time(micros) if day(excel(*micros)).is_some() => {
            page.write_number_with_format(row, column, excel(*micros), &formats.time)?;
        }
        Cell::Int(_) | Cell::Date(_) | Cell::Time(_) | Cell::Text(_) => {
            let text = cell.text().unwrap_or_default();
            let (text, cut) = shortened(&text);
            page.write_string(row, column, text)?;
            return Ok(cut);
        }
    }
    Ok(false)
}

/// Converts an instant to a serial number of Excel. Most instants lie between two doubles. Some programs
/// truncate to milliseconds, and would show a value that is slightly too low as the previous second.
/// Therefore the result is two doubles higher, which is about a microsecond. Whole days are exact.
#[expect(clippy::cast_precision_loss, reason = "a cell says no more than a double")]
fn excel(micros: i64) -> f64 {
    let days = Time::from_micros(micros).micros() as f64 / DAY_MICROS + EPOCH_DAYS;
    if days.fract() == 0.0 { days } else { days.next_up().next_up() }
}

/// Returns as much of a text as fits into a cell, and whether it was truncated.
fn shortened(text: &str) -> (Cow<'_, str>, bool) {
    // A text has at most as many UTF-16 code units as bytes.
    if text.len() <= CELL_UNITS_MAX {
        return (text.into(), false);
    }
    let mut units = 0;
    let end = text.char_indices().find_map(|(place, letter)| {
        units += letter.len_utf16();
        (units > CELL_UNITS_MAX).then_some(place)
    });
    end.map_or((text.into(), false), |end| (text[..end].into(), true))
}

fn number(column: usize) -> u16 {
    u16::try_from(column).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters_and_no_sooner_than_it_must() {
        let long = "x".repeat(CELL_UNITS_MAX);
        assert_eq!(shortened(&long), (long.as_str().into(), false));
        let wide = "é".repeat(CELL_UNITS_MAX);
        assert!(!shortened(&wide).1, "bytes are no characters");
        let longer = format!("{long}y");
        assert_eq!(shortened(&longer), (long.as_str().into(), true));
        let pair = format!("{}😀", "x".repeat(CELL_UNITS_MAX - 1));
        assert_eq!(shortened(&pair).0.len(), CELL_UNITS_MAX - 1);
    }

    #[test]
    fn days_are_those_of_excel() {
        // 2026-01-31T12:00:00Z.
        assert!((excel(1_769_860_800_000_000) - 46_053.5).abs() < 1e-9);
        assert!(DAYS.contains(&EPOCH_DAYS));
        assert!(
            (excel(1_769_817_600_000_000) - 46_053.0).abs() < f64::EPSILON,
            "midnight is exact"
        );
    }

    #[test]
    fn a_second_is_no_other_one_where_milliseconds_are_cut() {
        for second in (1_262_304_000_i64..2_208_988_800).step_by(99_991) {
            let days = excel(second * 1_000_000);
            let since_1970 = (days - EPOCH_DAYS) * 24.0 * 60.0 * 60.0 * 1000.0;
            let since_1900 = days * 24.0 * 60.0 * 60.0 * 1000.0 - EPOCH_DAYS * 86_400_000.0;
            for millis in [since_1970, since_1900, (days - EPOCH_DAYS) * 86_400_000.0] {
                assert_eq!(millis.trunc().to_string(), (second * 1000).to_string());
            }
        }
    }
}
