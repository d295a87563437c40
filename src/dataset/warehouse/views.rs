//! Writes `views.sql`: views for `DuckDB` with the current rows of a Parquet warehouse.

use super::super::forms::VIEWS;
use super::super::location::Location;
use super::super::store::Store;
use super::layout::Format;
use super::manifest::{Manifest, Table};
use crate::model::{Resource, Result};
use std::fmt::Write as _;

/// The first line of a file of this program. Other files are not overwritten.
const MARK: &str = "-- Made by source-pipedrive sync warehouse";

/// The state of the file of views.
#[derive(Debug, Default)]
pub(super) enum Views {
    #[default]
    Unknown,
    /// The stored content of the file. `None` if it does not exist.
    Ours(Option<String>),
    /// A file of another program.
    Theirs,
}

impl Views {
    /// Writes the views of the committed data, if they differ from the stored ones. Reports a file of
    /// another program at their path.
    pub(super) async fn write(
        &mut self,
        store: &Store,
        manifest: &Manifest,
    ) -> Result<Option<String>> {
        if manifest.layout.format != Format::Parquet {
            return Ok(None);
        }
        let mut said = None;
        if let Self::Unknown = self {
            let there = store.get(VIEWS).await?;
            let there = there.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            *self = match there {
                Some(text) if !text.starts_with(MARK) => {
                    let place = store.place().name_of(VIEWS);
                    said = Some(format!(
                        "{place} was not written by this program and stays as it is: move it away to \
                         have views of the current rows there"
                    ));
                    Self::Theirs
                }
                there => Self::Ours(there),
            };
        }
        if let Self::Ours(there) = self {
            let text = views(store.place(), manifest);
            if there.as_ref() != Some(&text) {
                store.put(VIEWS, text.clone().into()).await?;
                *there = Some(text);
            }
        }
        Ok(said)
    }
}

/// Returns the statements that create a view of each table over the files in the manifest. In a folder
/// the paths are relative, so that the folder can be moved.
fn views(place: &Location, manifest: &Manifest) -> String {
    let how = if place.folder().is_some() {
        "-- Open it in this folder: duckdb -init views.sql\n\
         -- From elsewhere, first: SET file_search_path = '/path/of/this/folder';\n"
    } else {
        "-- Open it with credentials for the bucket, with your environment's for example:\n\
         -- CREATE SECRET (TYPE s3, PROVIDER credential_chain);\n"
    };
    let mut text = format!(
        "{MARK}, for DuckDB: the rows as they are now, without deleted ones.\n\
         -- Each run writes it again; read it again to see rows of later runs.\n{how}"
    );
    let mut empty = Vec::new();
    for resource in Resource::all() {
        match manifest.tables.get(resource.name) {
            Some(table) if !table.files.is_empty() => view(&mut text, place, resource, table),
            Some(_) => empty.push(resource.name),
            None => {}
        }
    }
    if !empty.is_empty() {
        let _ = write!(text, "\n-- Without rows so far: {}\n", empty.join(", "));
    }
    text
}

fn view(text: &mut String, place: &Location, resource: &Resource, table: &Table) {
    let key = resource.key.iter().map(|column| name(column)).collect::<Vec<_>>();
    let keyless = key.iter().map(|column| format!("{column} IS NULL")).collect::<Vec<_>>();
    let files = table.files.iter().map(|file| {
        let path = match place {
            Location::Folder(_) => file.path.clone(),
            Location::Bucket { .. } => place.name_of(&file.path),
        };
        format!("    '{}'", path.replace('\'', "''"))
    });
    let _ = write!(
        text,
        "\nCREATE OR REPLACE VIEW {} AS\n\
         SELECT * EXCLUDE (_deleted) FROM (\n  \
           SELECT * FROM read_parquet([\n{}\n  ], union_by_name = true)\n  \
           QUALIFY row_number() OVER (PARTITION BY {} ORDER BY _synced_at DESC) = 1 OR {}\n\
         ) WHERE NOT _deleted;\n",
        name(resource.name),
        files.collect::<Vec<_>>().join(",\n"),
        key.join(", "),
        keyless.join(" OR "),
    );
}

fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
