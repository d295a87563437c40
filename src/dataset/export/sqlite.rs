//! Writes a `SQLite` database: one table a resource, with its primary key.

use super::super::current::{Cell, Heading, Kind as Of, Table};
use super::super::temp_file::TempFile;
use super::target::failed;
use crate::model::Result;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ToSql};
use std::path::{Path, PathBuf};

/// The name of the table that describes the custom field of each column.
const COLUMNS: &str = "_columns";
/// The definition of that table.
const COLUMNS_DDL: &str = "CREATE TABLE \"_columns\" (\"table\" TEXT, \"column\" TEXT, \"field\" TEXT, \
                           \"hash\" TEXT, \"type\" TEXT, \"label_column\" TEXT, \"options\" TEXT)";

/// Columns of a table: `SQLite`'s limit.
const COLUMNS_MAX: usize = 2_000;

/// The database, under a temporary name until it is complete.
pub(super) struct Database {
    connection: Connection,
    scrap: TempFile,
    out: PathBuf,
    name: String,
    insert: String,
    /// The statement that creates the index on the key. The index is unique if every row has a key.
    index: Option<String>,
}

impl Database {
    pub(super) fn begin(out: &Path) -> Result<Self> {
        let scrap = TempFile::beside(out, "new")?;
        let connection = Connection::open(scrap.path()).map_err(|error| failed(out, error))?;
        // An incomplete file is removed as a whole, so no rollback journal is required.
        let begun = connection.execute_batch(&format!(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN; {COLUMNS_DDL};"
        ));
        begun.map_err(|error| failed(out, error))?;
        Ok(Self {
            connection,
            scrap,
            out: out.to_owned(),
            name: String::new(),
            insert: String::new(),
            index: None,
        })
    }

    pub(super) fn table(&mut self, table: &Table<'_>) -> Result<Vec<String>> {
        let resource = table.resource();
        let headings = &table.headings()[..COLUMNS_MAX.min(table.headings().len())];
        let columns = headings.iter().map(|heading| {
            let ty = match heading.kind {
                Of::Bool | Of::Int => "INTEGER",
                Of::Num => "REAL",
                Of::Date | Of::Time | Of::Text => "TEXT",
            };
            format!("{} {ty}", quoted(&heading.name))
        });
        let name = quoted(resource.name);
        let columns: Vec<_> = columns.collect();
        self.run(&format!("CREATE TABLE {name} ({})", columns.join(", ")))?;
        let places: Vec<_> = (1..=headings.len()).map(|place| format!("?{place}")).collect();
        self.insert = format!("INSERT INTO {name} VALUES ({})", places.join(", "));
        let key: Vec<_> = resource.key.iter().map(|column| quoted(column)).collect();
        let unique = if table.is_keyed() { "UNIQUE " } else { "" };
        let index = quoted(&format!("{}_key", resource.name));
        self.index = Some(format!("CREATE {unique}INDEX {index} ON {name} ({})", key.join(", ")));
        resource.name.clone_into(&mut self.name);
        let left: Vec<_> =
            table.headings().iter().skip(COLUMNS_MAX).map(|h| h.name.as_str()).collect();
        let note = format!(
            "a table of SQLite has room for {COLUMNS_MAX} columns: {} are left out, {} the first",
            left.len(),
            left.first().unwrap_or(&"")
        );
        Ok((!left.is_empty()).then_some(note).into_iter().collect())
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let mut insert = self.connection.prepare_cached(&self.insert).map_err(|e| self.fault(e))?;
        let values = cells.iter().take(COLUMNS_MAX).map(Bound);
        insert.execute(rusqlite::params_from_iter(values)).map_err(|error| self.fault(error))?;
        Ok(())
    }

    pub(super) fn end(&mut self, headings: &[Heading]) -> Result<Vec<String>> {
        if let Some(index) = self.index.take() {
            self.run(&index)?;
        }
        for heading in headings.iter().take(COLUMNS_MAX) {
            let Some(field) = &heading.field else { continue };
            let text = |key: &str| field[key].as_str().map(str::to_owned);
            let options = field.get("options").map(ToString::to_string);
            let row = (
                &self.name,
                &heading.name,
                text("name"),
                text("hash"),
                text("type"),
                text("label_column"),
                options,
            );
            let sql =
                format!("INSERT INTO {} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", quoted(COLUMNS));
            self.connection.execute(&sql, row).map_err(|error| self.fault(error))?;
        }
        Ok(Vec::new())
    }

    pub(super) fn finish(self) -> Result<()> {
        self.run("COMMIT")?;
        let Self { connection, scrap, out, .. } = self;
        connection.close().map_err(|(_, error)| failed(&out, error))?;
        scrap.persist(&out)
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|error| self.fault(error))
    }

    fn fault(&self, error: rusqlite::Error) -> crate::model::Error {
        failed(&self.out, error)
    }
}

/// A cell as a value for `SQLite`. Dates and times are text.
struct Bound<'c>(&'c Cell<'c>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Null => ToSqlOutput::Owned(rusqlite::types::Value::Null),
            Cell::Bool(value) => (*value).into(),
            Cell::Int(value) => (*value).into(),
            Cell::Num(value) => (*value).into(),
            Cell::Text(text) => {
                ToSqlOutput::Borrowed(rusqlite::types::ValueRef::Text(text.as_bytes()))
            }
            Cell::Date(_) | Cell::Time(_) => self.0.text().unwrap_or_default().into_owned().into(),
        })
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
