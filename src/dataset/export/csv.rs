//! Writes CSV: one file a table, in UTF-8, as RFC 4180 defines it.

use super::super::current::{Cell, Table};
use super::super::temp_file::TempFile;
use super::target::{Target, failed};
use crate::model::Result;
use ::csv::Writer;
use std::borrow::Cow;
use std::fs::File;
use std::path::PathBuf;

/// The CSV files. Each has a temporary name until all are written.
pub(super) struct Sheets {
    target: Target,
    files: Vec<(TempFile, PathBuf)>,
    open: Option<Writer<File>>,
    guarded: u64,
}

impl Sheets {
    pub(super) fn begin(target: &Target) -> Self {
        Self { target: target.clone(), files: Vec::new(), open: None, guarded: 0 }
    }

    pub(super) fn table(&mut self, table: &Table<'_>) -> Result<()> {
        let path = self.target.file(table.resource());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        let scrap = TempFile::beside(&path, "new")?;
        let file = scrap.file().try_clone().map_err(|error| failed(&path, error))?;
        self.files.push((scrap, path));
        self.open = Some(Writer::from_writer(file));
        let titles: Vec<Cell<'_>> = table
            .headings()
            .iter()
            .map(|heading| Cell::Text(heading.title.as_str().into()))
            .collect();
        self.row(&titles)
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let Some(writer) = &mut self.open else { return Ok(()) };
        let written = cells.iter().try_for_each(|cell| {
            let text = cell.text().unwrap_or_default();
            let formula = !self.target.raw && matches!(cell, Cell::Text(_)) && is_formula(&text);
            let text = if formula {
                self.guarded += 1;
                Cow::Owned(format!("'{text}"))
            } else {
                text
            };
            writer.write_field(&*text)
        });
        let written = written.and_then(|()| writer.write_record(None::<&[u8]>));
        written.map_err(|error| failed(&self.target.out, error))
    }

    pub(super) fn end(&mut self) -> Result<Vec<String>> {
        if let Some(mut writer) = self.open.take() {
            writer.flush().map_err(|error| failed(&self.target.out, error))?;
        }
        let guarded = match std::mem::take(&mut self.guarded) {
            0 => None,
            1 => Some(
                "1 text that a spreadsheet would run as a formula has a ' before it".to_owned(),
            ),
            many => Some(format!(
                "{many} texts that a spreadsheet would run as formulas have a ' before them"
            )),
        };
        Ok(guarded.into_iter().collect())
    }

    pub(super) fn finish(self) -> Result<()> {
        self.files.into_iter().try_for_each(|(scrap, path)| scrap.persist(&path))
    }
}

/// Returns whether a spreadsheet would treat a text as a formula: it begins like a formula, and is
/// neither a number nor a phone number.
fn is_formula(text: &str) -> bool {
    let harmless = |part: &str| {
        let rest = part.strip_prefix(['+', '-']).unwrap_or(part);
        rest.bytes().all(|byte| byte.is_ascii_digit() || b" ()./-".contains(&byte))
    };
    match text.as_bytes().first() {
        Some(b'=' | b'@' | b'\t' | b'\r') => true,
        // A list of phone numbers is separated by commas.
        Some(b'+' | b'-') => !text.split(", ").all(harmless),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_told_from_phone_numbers() {
        for text in
            ["=1+2", "+1, =2", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", "- a note", "\r=1"]
        {
            assert!(is_formula(text), "{text:?}");
        }
        for text in ["+49 (170) 123-45/6", "+49 170, +44 20, 030/1", "-5.25", "a=1", "", "'=1", "+"]
        {
            assert!(!is_formula(text), "{text:?}");
        }
    }
}
