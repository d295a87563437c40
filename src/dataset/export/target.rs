//! The parameters of an export, its destination, and its result.

use super::super::current::{Cell, Heading, Holding, Lists, Lookups, Table};
use super::csv::Sheets;
use super::sqlite::Database;
use super::xlsx::Book;
use crate::model::{Error, Kind, Resource, Result};
use std::path::{Path, PathBuf};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A file of comma-separated values a table, in a folder.
    Csv,
    /// A `SQLite` database.
    Sqlite,
    /// An Excel workbook, a sheet a table.
    Xlsx,
}

/// Where an export goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// What is written.
    pub form: Form,
    /// The file; of CSV the folder, or the file of the only table.
    pub out: PathBuf,
    /// Whether files that are there are replaced.
    pub overwrite: bool,
    /// Whether texts that a spreadsheet would take for a formula go into CSV as they are.
    pub raw: bool,
}

/// What became of a table.
#[derive(Debug, Clone)]
pub struct Written {
    /// The table.
    pub resource: &'static Resource,
    /// Rows that were written.
    pub rows: u64,
    /// Rows that are deleted and were left out.
    pub gone: u64,
    /// What is not there as it was, a sentence each.
    pub notes: Vec<String>,
}

/// One of the programs' forms, while it is written.
enum Writer {
    Csv(Box<Sheets>),
    Sqlite(Box<Database>),
    Xlsx(Box<Book>),
}

/// Writes the current rows of these tables.
///
/// Nothing has its name before everything is written. Fails with [`Kind::Usage`] where something is in the
/// way, before anything is read.
pub async fn export(
    holding: &Holding,
    resources: &[&'static Resource],
    target: &Target,
) -> Result<Vec<Written>> {
    target.check(resources)?;
    let mut writer = Writer::begin(target)?;
    // A database joins tables by itself.
    let (lists, lookups) = match target.form {
        Form::Sqlite => (Lists::Json, Lookups::default()),
        Form::Csv | Form::Xlsx => (Lists::Joined, holding.lookups(resources).await?),
    };
    let mut all = Vec::new();
    for resource in resources {
        let mut table = holding.table(resource).await?;
        let (gone, mut rows) = (table.gone(), 0);
        let unnamed = table.name_references(&lookups);
        let notes = unnamed.into_iter().chain(writer.table(&table)?);
        let notes: Vec<String> = notes.collect();
        let headings = table.headings().to_vec();
        table
            .rows(lists, &mut |cells| {
                rows += 1;
                writer.row(&headings, cells)
            })
            .await?;
        let notes = notes.into_iter().chain(writer.end(&headings)?).collect();
        all.push(Written { resource, rows, gone, notes });
    }
    writer.finish()?;
    Ok(all)
}

impl Target {
    /// Whether it is one file.
    fn is_file(&self) -> bool {
        let ending = self.out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        self.form != Form::Csv || ending.as_deref() == Some("csv")
    }

    /// The file of a table, of CSV.
    pub(super) fn file(&self, resource: &Resource) -> PathBuf {
        if self.is_file() {
            return self.out.clone();
        }
        self.out.join(format!("{}.csv", resource.name))
    }

    fn check(&self, resources: &[&'static Resource]) -> Result<()> {
        let refuse = |path: &Path, message: String| {
            Err(Error::new(Kind::Usage, message).at(format!("--out {}", path.display())))
        };
        if self.is_file() && self.form == Form::Csv && resources.len() != 1 {
            let message = format!(
                "names one file, and there are {} tables: name a folder, or one table with --resources",
                resources.len()
            );
            return refuse(&self.out, message);
        }
        let files: Vec<PathBuf> = if self.is_file() {
            vec![self.out.clone()]
        } else {
            resources.iter().map(|resource| self.file(resource)).collect()
        };
        for file in &files {
            let Ok(found) = std::fs::symlink_metadata(file) else { continue };
            if !found.is_file() {
                return refuse(file, "is there, and no regular file: choose another name".into());
            }
            if !self.overwrite {
                let message =
                    "is there already: choose another name, or replace it with --overwrite";
                return refuse(file, message.into());
            }
        }
        if !self.is_file() && self.out.exists() && !self.out.is_dir() {
            return refuse(&self.out, "is no folder: CSV is a file for each table".into());
        }
        let folder = if self.is_file() { self.out.parent() } else { None };
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        match folder.filter(|folder| !folder.is_dir()) {
            Some(folder) => refuse(folder, "there is no such folder: make it first".into()),
            None => Ok(()),
        }
    }
}

impl Writer {
    fn begin(target: &Target) -> Result<Self> {
        Ok(match target.form {
            Form::Csv => Self::Csv(Box::new(Sheets::begin(target))),
            Form::Sqlite => Self::Sqlite(Box::new(Database::begin(&target.out)?)),
            Form::Xlsx => Self::Xlsx(Box::new(Book::begin(&target.out)?)),
        })
    }

    fn table(&mut self, table: &Table<'_>) -> Result<Vec<String>> {
        match self {
            Self::Csv(sheets) => sheets.table(table).map(|()| Vec::new()),
            Self::Sqlite(database) => database.table(table),
            Self::Xlsx(book) => book.table(table),
        }
    }

    fn row(&mut self, headings: &[Heading], cells: &[Cell<'_>]) -> Result<()> {
        match self {
            Self::Csv(sheets) => sheets.row(cells),
            Self::Sqlite(database) => database.row(cells),
            Self::Xlsx(book) => book.row(headings, cells),
        }
    }

    fn end(&mut self, headings: &[Heading]) -> Result<Vec<String>> {
        match self {
            Self::Csv(sheets) => sheets.end(),
            Self::Sqlite(database) => database.end(headings),
            Self::Xlsx(book) => book.end(headings),
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Csv(sheets) => sheets.finish(),
            Self::Sqlite(database) => database.finish(),
            Self::Xlsx(book) => book.finish(),
        }
    }
}

/// A file that cannot be written.
pub(super) fn failed(out: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Storage, format!("cannot be written ({error})")).at(out.display().to_string())
}
