//! Resolves ids to names of the rows that they refer to, like an `owner_id` or a `stage_id`.

use super::cells::{Cell, Lists};
use super::headings::{Heading, Kind, Part};
use super::holding::{Held, Holding};
use super::table::Table;
use crate::model::{Resource, Result, Type, reference};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most rows of a table whose names are put beside references to them: they are held in memory.
const NAMED_ROWS_MAX: u64 = 100_000;
/// The columns that name a row for people.
const NAMES: [&str; 2] = ["name", "title"];

/// The names of rows in referenced tables, by key.
#[derive(Debug, Default)]
pub struct Lookups {
    names: BTreeMap<&'static str, Arc<BTreeMap<String, String>>>,
    /// The tables with too many rows.
    large: BTreeSet<&'static str>,
}

impl Holding {
    /// Returns the names of the rows that these resources may reference, for the tables that exist.
    pub async fn lookups(&self, resources: &[&'static Resource]) -> Result<Lookups> {
        let mut wanted: BTreeMap<&str, &'static Resource> = BTreeMap::new();
        for resource in resources {
            let targets = resource.columns.iter().filter_map(|c| reference(resource.name, c.name));
            wanted.extend(targets.map(|target| (target.name, target)));
        }
        let held = self.resources();
        let mut lookups = Lookups::default();
        for target in wanted.into_values() {
            let column = NAMES.iter().find(|name| {
                target.column(name).is_some_and(|column| matches!(column.ty, Type::Text))
            });
            let there = held.iter().any(|resource| resource.name == target.name);
            let Some(name) = column.filter(|_| there && target.key.len() == 1) else { continue };
            if self.rows(target) > NAMED_ROWS_MAX {
                lookups.large.insert(target.name);
                continue;
            }
            let names = names(self.table(target).await?, name).await?;
            lookups.names.insert(target.name, Arc::new(names));
        }
        Ok(lookups)
    }

    /// Returns the number of rows of a table, including older versions of a row.
    fn rows(&self, resource: &Resource) -> u64 {
        match &self.0 {
            Held::Warehouse(inventory) => inventory.rows(resource).unwrap_or_default(),
            Held::Backup(snapshot) => snapshot.file(resource.file).map_or(0, |file| file.rows),
        }
    }
}

async fn names(table: Table<'_>, column: &str) -> Result<BTreeMap<String, String>> {
    let place = |name: &str| table.headings().iter().position(|heading| heading.name == name);
    let key = table.resource().key.first().and_then(|key| place(key));
    let Some((key, name)) = key.zip(place(column)) else { return Ok(BTreeMap::new()) };
    let mut names = BTreeMap::new();
    let mut take = |cells: &[Cell<'_>]| {
        if let (Some(key), Some(name)) = (cells[key].text(), cells[name].text()) {
            names.insert(key.into_owned(), name.into_owned());
        }
        Ok(())
    };
    table.rows(Lists::Json, &mut take).await?;
    Ok(names)
}

impl Lookups {
    /// Adds a column of names after each column that references other rows. Returns a message about
    /// tables with too many names.
    pub(super) fn join(&self, resource: &Resource, headings: &mut Vec<Heading>) -> Option<String> {
        let mut taken: BTreeSet<String> =
            headings.iter().map(|heading| heading.title.to_lowercase()).collect();
        let mut all = Vec::with_capacity(headings.len());
        let mut large: BTreeSet<&str> = BTreeSet::new();
        for heading in std::mem::take(headings) {
            let own = heading.from == heading.name && resource.column(&heading.from).is_some();
            let target = reference(resource.name, &heading.from).filter(|_| own);
            let from = heading.from.clone();
            all.push(heading);
            let Some(target) = target else { continue };
            let Some(names) = self.names.get(target.name) else {
                large.extend(self.large.get(target.name));
                continue;
            };
            let name = match (from.strip_suffix("_id"), from.strip_suffix("_ids")) {
                (Some(one), _) => format!("{one}_name"),
                (None, Some(one)) => format!("{one}_names"),
                (None, None) => format!("{from}_name"),
            };
            if taken.insert(name.clone()) {
                let part = Part::Labels(Arc::clone(names));
                let (title, kind, field) = (name.clone(), Kind::Text, None);
                all.push(Heading { name, title, kind, field, from, part });
            }
        }
        *headings = all;
        let large: Vec<_> = large.into_iter().collect();
        (!large.is_empty()).then(|| {
            format!(
                "names of {} do not stand beside their ids: there are more than {NAMED_ROWS_MAX}",
                large.join(" and ")
            )
        })
    }
}
