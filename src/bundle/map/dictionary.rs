//! The custom fields of an account, by key and by name, and the fields that store public ids.

use crate::bundle::format::Entity;
use crate::bundle::sidecar::CustomField;
use crate::model::Definition;
use std::collections::HashMap;

/// The name of the custom field of accounts, contacts, opportunities and leads in which a push into
/// Pipedrive stores the public id.
pub const PUBLIC_ID_FIELD: &str = "Portable id";

/// The field definitions of organizations, persons or deals.
#[derive(Debug, Clone, Default)]
pub(super) struct Dictionary {
    pub(super) custom: HashMap<String, CustomValue>,
    /// The codes of the custom fields, in the order of the definitions.
    pub(super) codes: Vec<String>,
    /// The labels of the options of built-in fields, by field and option id.
    labels: HashMap<String, HashMap<String, String>>,
    /// The ids of these options, by field and label.
    pub(super) label_ids: HashMap<String, HashMap<String, String>>,
    /// The codes of custom fields, by their keys in `custom`.
    pub(super) by_name: HashMap<String, String>,
    /// The code of the field that stores public ids.
    pub(super) marker: Option<String>,
    /// The problem with the field that a journal or side-car names as the store of public ids.
    pub(super) lost: Option<&'static str>,
}

/// The field keys recorded in a journal or a side-car. They identify fields that were renamed since.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// The keys of the fields that store public ids, by dictionary.
    pub(super) markers: [Option<String>; 3],
    /// The names in `custom`, by key.
    pub(super) names: [HashMap<String, String>; 3],
}

/// A custom field and the data to read its values.
#[derive(Debug, Clone)]
pub(super) struct CustomValue {
    /// The key in `custom`.
    pub(super) name: String,
    /// The type in Pipedrive.
    pub(super) ty: String,
    /// The labels, by option id.
    pub(super) labels: HashMap<String, String>,
    /// The option ids and labels, in order.
    pub(super) options: Vec<(String, String)>,
    /// The option ids, by label.
    pub(super) ids: HashMap<String, String>,
}

/// A custom field as the target of a write.
#[derive(Debug, Clone, Copy)]
pub struct Target<'s> {
    /// The key.
    pub code: &'s str,
    /// The type.
    pub ty: &'s str,
    /// The option ids, by label.
    pub options: &'s HashMap<String, String>,
}

/// Returns the index of an array's dictionary. Leads share the fields of deals. Activities have none.
pub(super) const fn dictionary(entity: Entity) -> Option<usize> {
    match entity {
        Entity::Accounts => Some(0),
        Entity::Contacts => Some(1),
        Entity::Opportunities | Entity::Leads => Some(2),
        Entity::Activities => None,
    }
}

impl Pins {
    /// Records that the field with this key stores the public ids of an array's rows.
    pub fn marker(&mut self, entity: Entity, key: &str) {
        if let Some(place) = dictionary(entity) {
            self.markers[place] = Some(key.to_owned());
        }
    }

    /// Records that the field with this key has this name in `custom`.
    pub fn name(&mut self, entity: Entity, key: &str, name: &str) {
        if let Some(place) = dictionary(entity) {
            self.names[place].insert(key.to_owned(), name.to_owned());
        }
    }
}

/// Returns whether a field of this type can store public ids.
fn keeps_text(ty: &str) -> bool {
    matches!(ty, "varchar" | "text")
}

impl Dictionary {
    /// Finds the field that stores public ids: by its key if that is known, otherwise by the name and type
    /// with which a push creates it.
    pub(super) fn mark(&mut self, fields: &[Definition], key: Option<&str>) {
        let mut custom = fields.iter().filter(|field| field.custom);
        let found = match key {
            Some(key) => custom.find(|field| field.code == key),
            None => custom.find(|field| field.name == PUBLIC_ID_FIELD && keeps_text(&field.ty)),
        };
        self.lost = match (key, found) {
            (Some(_), None) => Some("is gone"),
            (Some(_), Some(field)) if !keeps_text(&field.ty) => Some("has become another type"),
            _ => None,
        };
        self.marker = found.filter(|_| self.lost.is_none()).map(|field| field.code.clone());
    }

    /// Returns the keys and names of the fields whose type can store public ids. Returns nothing if the
    /// field is known or lost.
    pub(super) fn suspects(&self) -> impl Iterator<Item = (&str, &str)> {
        let unknown = self.marker.is_none() && self.lost.is_none();
        let codes = self.codes.iter().filter(move |_| unknown);
        codes.filter_map(|code| {
            let field = self.custom.get(code).filter(|field| keeps_text(&field.ty))?;
            Some((code.as_str(), field.name.as_str()))
        })
    }

    pub(super) fn add_definition(&mut self, definition: Definition) {
        // An option without a label is skipped, so its id is kept in values.
        let options = definition.options.iter().flatten();
        let options = options.filter_map(|option| Some((option.key(), option.label.clone()?)));
        let (labels, options): (_, Vec<_>) = (options.clone().collect(), options.collect());
        let mut ids = HashMap::new();
        for (id, label) in &options {
            // If two options share a label, the first wins.
            ids.entry(label.clone()).or_insert_with(|| id.clone());
        }
        let Definition { name, code, ty, custom, .. } = definition;
        if !custom {
            self.label_ids.insert(code.clone(), ids);
            self.labels.insert(code, labels);
        } else if self.marker.as_ref() != Some(&code) {
            self.codes.push(code.clone());
            self.custom.insert(code, CustomValue { name, ty, labels, options, ids });
        }
    }

    /// Sets the names of custom fields. A recorded name is kept; a name that several fields share gets the
    /// first 8 characters of the field's hash.
    pub(super) fn name(&mut self, pinned: &HashMap<String, String>) {
        let mut times: HashMap<String, usize> = HashMap::new();
        for (code, field) in &mut self.custom {
            if let Some(name) = pinned.get(code) {
                field.name.clone_from(name);
            }
        }
        for field in self.custom.values() {
            *times.entry(field.name.clone()).or_insert(0) += 1;
        }
        for (code, field) in &mut self.custom {
            let shared = times.get(&field.name).is_some_and(|times| *times > 1);
            if shared && !pinned.contains_key(code) {
                field.name = format!("{} ({})", field.name, code.get(..8).unwrap_or(code));
            }
        }
        let named = self.custom.iter().map(|(code, field)| (field.name.clone(), code.clone()));
        self.by_name = named.collect();
    }

    /// Returns the label of an option of a built-in field.
    pub(super) fn label(&self, field: &str, option: &str) -> Option<&str> {
        let labels = self.labels.get(field)?;
        labels.get(option.trim_matches('"')).map(String::as_str)
    }

    pub(super) fn described(&self) -> Vec<CustomField> {
        let fields = self.codes.iter().filter_map(|code| Some((code, self.custom.get(code)?)));
        fields
            .map(|(code, field)| CustomField {
                name: field.name.clone(),
                key: code.clone(),
                ty: field.ty.clone(),
                options: if matches!(field.ty.as_str(), "enum" | "set") {
                    field.options.iter().map(|(_, label)| label.clone()).collect()
                } else {
                    Vec::new()
                },
            })
            .collect()
    }
}
