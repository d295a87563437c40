//! Finds names of excluded fields that match no field, before anything is compared.

use super::field_names::Naming;
use super::ignore::Ignore;
use crate::dataset::snapshot::BackupReader;
use crate::model::{Error, Kind, Resource, Result, mistyped, near, quoted};

/// The objects that hold custom fields in backups and bundles. The name after them identifies the field.
const HOLDERS: [&str; 2] = ["custom_fields", "custom"];

/// The names that match no known field so far.
#[derive(Debug)]
pub(crate) struct Doubts<'i> {
    ignore: &'i Ignore,
    /// For each name in the list, the keys that rows would have to contain. `None` if a field has the
    /// name.
    open: Vec<Option<Vec<(&'static str, String)>>>,
    /// The known names, for suggestions.
    known: Vec<String>,
}

impl<'i> Doubts<'i> {
    pub(crate) fn new(ignore: &'i Ignore) -> Self {
        let open = vec![Some(Vec::new()); ignore.len()];
        Self { ignore, open, known: Vec::new() }
    }

    /// Adds a resource or array with these `names`. `known` returns whether it has a field of a name.
    pub(crate) fn describe(
        &mut self,
        of: &'static str,
        names: &[&str],
        known: impl Fn(&str) -> bool,
        fields: impl Iterator<Item = String>,
    ) {
        self.known.extend(fields);
        let paths = self.ignore.paths(names, &known);
        for (open, (met, path)) in self.open.iter_mut().zip(paths) {
            let (key, met) = match path.as_slice() {
                [holder, key, ..] if HOLDERS.contains(&holder.as_str()) => (key, known(key)),
                [key, ..] => (key, met),
                [] => continue,
            };
            match open {
                Some(keys) if !met => keys.push((of, quoted(key))),
                _ => *open = None,
            }
        }
    }

    /// Resolves names that refer to something that is not compared.
    fn resolve(&mut self, elsewhere: impl Fn(&str) -> bool) {
        for (open, first) in self.open.iter_mut().zip(self.ignore.firsts()) {
            if first.is_some_and(&elsewhere) {
                *open = None;
            }
        }
    }

    /// Returns whether the rows of this resource or array must be searched.
    pub(crate) fn about(&self, of: &str) -> bool {
        self.open.iter().flatten().flatten().any(|(one, _)| *one == of)
    }

    /// Searches a row for the names.
    pub(crate) fn row(&mut self, of: &str, json: &str) {
        for open in &mut self.open {
            let keys = open.iter().flatten();
            if keys.filter(|(one, _)| *one == of).any(|(_, key)| json.contains(key.as_str())) {
                *open = None;
            }
        }
    }

    /// Returns a [`Kind::Usage`] error if a name matches no field.
    pub(crate) fn refuse(self) -> Result<()> {
        let said = self.ignore.said().zip(&self.open);
        let unknown: Vec<&str> =
            said.filter(|(_, open)| open.is_some()).map(|(said, _)| said).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let close = |said: &str| {
            let name = said.rsplit('.').next().unwrap_or(said).trim_matches('"').to_owned();
            near(&name, self.known.iter().map(String::as_str))
        };
        let message = format!("nothing that is compared is called {}", mistyped(unknown, close));
        Err(Error::new(Kind::Usage, message).at("--ignore"))
    }
}

/// Refuses names that match no column, no custom field and no key of a compared row. Rows are searched
/// only for names that no definition contains.
pub(super) async fn refuse(
    ignore: &Ignore,
    sides: [&BackupReader; 2],
    resources: &[&'static Resource],
) -> Result<()> {
    if ignore.len() == 0 || resources.is_empty() {
        return Ok(());
    }
    let mut doubts = Doubts::new(ignore);
    for resource in resources {
        let naming = Naming::read(resource, sides[0], sides[1], false).await?;
        let columns = resource.columns.iter().map(|column| column.name.to_owned());
        let fields: Vec<String> = columns.chain(naming.fields().map(str::to_owned)).collect();
        let names = [resource.file, resource.name];
        doubts.describe(resource.file, &names, |name| naming.may_call(name), fields.into_iter());
    }
    doubts.resolve(|name| {
        let named = |resource: &Resource| resource.file == name || resource.name == name;
        Resource::all().any(named) && !resources.iter().any(|resource| named(resource))
    });
    for resource in resources {
        for side in sides {
            if !doubts.about(resource.file) {
                continue;
            }
            let mut rows = side.rows(resource.file, false).await?;
            while let Some(row) = rows.next().await? {
                doubts.row(resource.file, row.json);
            }
        }
    }
    doubts.refuse()
}
