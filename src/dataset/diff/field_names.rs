//! The names of fields and options in two backups.

use super::equality::Likeness;
use crate::dataset::snapshot::BackupReader;
use crate::model::{
    Custom, Definition, Definitions, LABELS_BYTES_MAX, Resource, Result, is_custom, list, quoted,
    text,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Labels by option id, as text.
type Labels = HashMap<String, String>;

/// The names of one resource's fields, and the labels of its options on either side.
#[derive(Debug, Default)]
pub(super) struct Naming {
    resource: Option<&'static Resource>,
    custom: Option<Custom>,
    names: HashMap<String, String>,
    /// Custom fields that hold several options.
    sets: HashSet<String>,
    /// Whether hashes and ids stay as they are.
    raw: bool,
    old: Side,
    new: Side,
}

/// Options of one side.
#[derive(Debug, Default)]
struct Side {
    /// By custom field, for those that are chosen from options.
    fields: HashMap<String, Labels>,
    /// Of the column `label_ids`.
    labels: Labels,
}

/// Which of the two backups a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Old,
    New,
}

impl Naming {
    /// Reads the names from both sides. A field is called what the newer one calls it.
    pub(super) async fn read(
        resource: &'static Resource,
        old: &BackupReader,
        new: &BackupReader,
        raw: bool,
    ) -> Result<Self> {
        let before = definitions(old, resource).await?;
        let after = definitions(new, resource).await?;
        let sets = before.iter().chain(&after).filter(|field| field.custom && field.ty == "set");
        let mut naming = Self {
            resource: Some(resource),
            custom: Some(resource.custom),
            sets: sets.map(|field| field.code.clone()).collect(),
            raw,
            names: names(&before, &after),
            old: Side::of(&before),
            new: Side::of(&after),
        };
        if resource.name == "leads" {
            naming.old.labels = lead_labels(old).await?;
            naming.new.labels = lead_labels(new).await?;
        }
        Ok(naming)
    }

    /// Whether a column or a custom field, by name or hash, is called so.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.resource.is_some_and(|resource| resource.column(name).is_some())
            || self.names.contains_key(name)
            || self.names.values().any(|known| known == name)
    }

    /// Whether a field may be called so: also the part of a flat custom field beside it, like its
    /// currency.
    pub(super) fn may_call(&self, name: &str) -> bool {
        let part = |known: &String| {
            name.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('_'))
        };
        self.knows(name) || self.names.iter().any(|(code, known)| part(code) || part(known))
    }

    /// What custom fields are called.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// How the value at a path is compared.
    pub(super) fn likeness(&self, path: &[String]) -> Likeness {
        let code = match (path, self.custom) {
            ([custom, code], Some(Custom::Nested)) if custom == "custom_fields" => Some(code),
            ([code], Some(Custom::Flat)) => Some(code),
            _ => None,
        };
        if code.is_some_and(|code| self.sets.contains(code)) {
            return Likeness::Set;
        }
        let [column] = path else { return Likeness::Plain };
        let column = self.resource.and_then(|resource| resource.column(column));
        column.map_or(Likeness::Plain, Likeness::of)
    }

    /// What a key of an object is called. `path` are the keys that lead to the object.
    pub(super) fn name<'n>(&'n self, path: &[String], key: &'n str) -> std::borrow::Cow<'n, str> {
        if self.raw {
            return key.into();
        }
        let nested = self.custom == Some(Custom::Nested) && path == ["custom_fields"];
        if nested && let Some(name) = self.names.get(key) {
            return name.into();
        }
        if self.custom == Some(Custom::Flat) && path.is_empty() && is_custom(key) {
            let (code, part) = key.split_at(40);
            if let Some(name) = self.names.get(code) {
                return format!("{name}{part}").into();
            }
        }
        key.into()
    }

    /// A value with labels in place of option ids; `None` if it has none.
    pub(super) fn labelled(&self, of: Of, path: &[String], value: &str) -> Option<String> {
        if self.raw {
            return None;
        }
        let side = match of {
            Of::Old => &self.old,
            Of::New => &self.new,
        };
        let labels = match path {
            [column] if column == "label_ids" => Some(&side.labels).filter(|map| !map.is_empty()),
            [custom, code] if custom == "custom_fields" => side.fields.get(code),
            [code] if self.custom == Some(Custom::Flat) => side.fields.get(code),
            _ => None,
        }?;
        let one = |id: &str| {
            let id = id.trim();
            labels.get(id.trim_matches('"')).map_or_else(|| id.to_owned(), |label| quoted(label))
        };
        match value.as_bytes().first()? {
            b'[' => together(list(value).into_iter().map(one)),
            // One text contains several options of a flat field.
            b'"' if value.contains(',') => {
                let ids = text(value)?;
                let ids = ids.split(',').map(|id| {
                    labels.get(id.trim()).map_or_else(|| quoted(id), |label| quoted(label))
                });
                together(ids)
            }
            b'"' | b'0'..=b'9' => Some(one(value)),
            _ => None,
        }
    }
}

/// Labels as a list; `None` where they are longer than [`LABELS_BYTES_MAX`] together: a value may name
/// an option as often as it likes.
fn together(labels: impl Iterator<Item = String>) -> Option<String> {
    let mut all = String::from("[");
    for label in labels {
        if all.len() > 1 {
            all.push(',');
        }
        all.push_str(&label);
        if all.len() > LABELS_BYTES_MAX {
            return None;
        }
    }
    all.push(']');
    Some(all)
}

impl Side {
    fn of(definitions: &[Definition]) -> Self {
        let labels = |definition: &Definition| -> Labels {
            let options = definition.options.iter().flatten();
            options.filter_map(|option| Some((option.key(), option.label.clone()?))).collect()
        };
        let chosen = definitions.iter().filter(|field| field.custom && field.chosen());
        let own = definitions.iter().find(|field| field.code == "label_ids");
        Self {
            fields: chosen.map(|field| (field.code.clone(), labels(field))).collect(),
            labels: own.map(labels).unwrap_or_default(),
        }
    }
}

/// Returns a name for each custom field. The beginning of the hash distinguishes equal names.
fn names(old: &[Definition], new: &[Definition]) -> HashMap<String, String> {
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for definition in old.iter().chain(new).filter(|definition| definition.custom) {
        named.insert(&definition.code, &definition.name);
    }
    let mut times: HashMap<&str, usize> = HashMap::new();
    for name in named.values() {
        *times.entry(name).or_insert(0) += 1;
    }
    let unique = |code: &str, name: &str| match times.get(name) {
        Some(1) | None => name.to_owned(),
        Some(_) => format!("{name} ({})", code.get(..8).unwrap_or(code)),
    };
    named.iter().map(|(code, name)| ((*code).to_owned(), unique(code, name))).collect()
}

async fn definitions(
    snapshot: &BackupReader,
    resource: &'static Resource,
) -> Result<Vec<Definition>> {
    let mut definitions = Definitions::default();
    let Some(dictionary) = resource.fields.and_then(Resource::named) else {
        return Ok(Vec::new());
    };
    if snapshot.holds(dictionary.file) {
        let mut rows = snapshot.rows(dictionary.file, false).await?;
        while let Some(row) = rows.next().await? {
            // A definition that cannot be read names nothing; that is no reason to compare nothing.
            definitions.add_page(row.json.as_bytes());
        }
    }
    Ok(definitions.known)
}

#[derive(Deserialize)]
struct Label {
    id: String,
    name: String,
}

async fn lead_labels(snapshot: &BackupReader) -> Result<Labels> {
    let mut labels = Labels::new();
    if snapshot.holds("leadLabels") {
        let mut rows = snapshot.rows("leadLabels", false).await?;
        while let Some(row) = rows.next().await? {
            let label = serde_json::from_str::<Label>(row.json);
            labels.extend(label.ok().map(|label| (label.id, label.name)));
        }
    }
    Ok(labels)
}
