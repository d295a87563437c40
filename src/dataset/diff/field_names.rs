//! The names of fields and options in two backups.

use super::equality::Likeness;
use crate::dataset::snapshot::BackupReader;
use crate::model::{
    Custom, Definition, Definitions, LABELS_BYTES_MAX, Resource, Result, is_custom, list, quoted,
    text,
};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Labels of options by id as text.
type Labels = HashMap<String, String>;

/// The names of a resource's fields, and the labels of its options on both sides.
#[derive(Debug, Default)]
pub(super) struct Naming {
    resource: Option<&'static Resource>,
    custom: Option<Custom>,
    names: HashMap<String, String>,
    /// Custom fields that hold several options.
    sets: HashSet<String>,
    /// Whether to keep hashes and ids.
    raw: bool,
    old: Side,
    new: Side,
}

/// The options of one side.
#[derive(Debug, Default)]
struct Side {
    /// The labels by custom field, for fields with options.
    fields: HashMap<String, Labels>,
    /// The labels of the column `label_ids`.
    labels: Labels,
}

/// The backup that a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Old,
    New,
}

impl Naming {
    /// Reads the names from both sides. The newer name of a field is used.
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

    /// Returns whether a column or a custom field has this name or hash.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.resource.is_some_and(|resource| resource.column(name).is_some())
            || self.names.contains_key(name)
            || self.names.values().any(|known| known == name)
    }

    /// Returns whether a field may have this name. This includes the companions of a flat custom field,
    /// such as its currency.
    pub(super) fn may_call(&self, name: &str) -> bool {
        let part = |known: &String| {
            name.strip_prefix(known.as_str()).is_some_and(|rest| rest.starts_with('_'))
        };
        self.knows(name) || self.names.iter().any(|(code, known)| part(code) || part(known))
    }

    /// Returns the names of the custom fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &str> {
        self.names.values().map(String::as_str)
    }

    /// Returns the comparison for the value at a path.
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

    /// Returns the name for a key of an object. `path` holds the keys that lead to the object.
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

    /// Returns a value with labels in place of option ids. `None` if the value has no labels.
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
            // The text of a flat field holds several option ids.
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

/// Returns the labels as a list. `None` if they are longer than [`LABELS_BYTES_MAX`] together, because a
/// value may repeat an option any number of times.
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
            // An unreadable definition is skipped and does not end the comparison.
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
