//! The parameters of an export, its destination, and its result.

use super::super::current::{Cell, Heading, Holding, Lists, Lookups, Table};
use super::csv::Sheets;
use super::sqlite::Database;
use super::xlsx::Book;
use crate::model::{Error, Kind, Resource, Result};
use std::path::{Path, PathBuf};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder with one file of comma-separated values per table.
    Csv,
    /// A `SQLite` database.
    Sqlite,
    /// An Excel workbook with one sheet per table.
    Xlsx,
}

/// The destination of an export.
#[derive(Debug, Clone)]
pub struct Target {
    /// The format.
    pub form: Form,
    /// The output file. For CSV it is the folder, or the file if there is only one table.
    pub out: PathBuf,
    /// Whether to replace existing files.
    pub overwrite: bool,
    /// Whether to write texts to CSV unchanged that a spreadsheet would treat as a formula.
    pub raw: bool,
}

/// The result of exporting a table.
#[derive(Debug, Clone)]
pub struct Written {
    /// The resource of the table.
    pub resource: &'static Resource,
    /// The number of rows that were written.
    pub rows: u64,
    /// The number of deleted rows, which were left out.
    pub gone: u64,
    /// Messages about values that were changed or left out, one sentence each.
    pub notes: Vec<String>,
}

/// The writer for the selected format.
enum Writer {
    Csv(Box<Sheets>),
    Sqlite(Box<Database>),
    Xlsx(Box<Book>),
}

/// Exports the current rows of these tables.
///
/// The files get their final names after all of them are written. Fails with [`Kind::Usage`] before
/// reading if a file already exists.
pub async fn export(
    holding: &Holding,
    resources: &[&'static Resource],
    target: &Target,
) -> Result<Vec<Written>> {
    target.check(resources)?;
    let mut writer = Writer::begin(target)?;
    // A database can join tables itself.
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
    /// Returns whether the output is a single file.
    fn is_file(&self) -> bool {
        let ending = self.out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        self.form != Form::Csv || ending.as_deref() == Some("csv")
    }

    /// Returns the CSV file of a table.
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

/// Creates the error for a file that cannot be written.
pub(super) fn failed(out: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Storage, format!("cannot be written ({error})")).at(out.display().to_string())
}
