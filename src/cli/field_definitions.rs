//! Reads the field definitions of an account before its rows.

use crate::api::{Client, definitions};
use crate::model::{Definition, Definitions, Error, Kind, Resource, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The field definitions by dictionary, and messages about them.
#[derive(Debug, Default)]
pub(super) struct FieldDefinitions {
    pub(super) fields: BTreeMap<&'static str, Vec<Definition>>,
    /// The warnings about skipped and unreadable definitions, one sentence each.
    pub(super) warnings: Vec<String>,
    /// The notes about missing dictionaries, one sentence each.
    pub(super) notes: Vec<String>,
    /// The dictionaries with unreadable rows.
    patchy: BTreeSet<&'static str>,
    /// The dictionaries that could not be read, with the errors.
    missing: BTreeMap<&'static str, Error>,
}

impl FieldDefinitions {
    /// Reads the field definitions of these resources concurrently. An unreadable dictionary does not
    /// affect the others: its rows are read with custom fields under their hashes. Only an error of a kind
    /// that stops a run is returned.
    pub(super) async fn read(
        client: &Client,
        resources: impl Iterator<Item = &'static Resource>,
    ) -> Result<Self> {
        let names: BTreeSet<_> = resources.filter_map(|resource| resource.fields).collect();
        let dictionaries: Vec<_> = names.into_iter().filter_map(Resource::named).collect();
        let reads = dictionaries.iter().map(|dictionary| definitions(client, dictionary));
        let outcomes = futures_util::future::join_all(reads).await;
        let mut found = Self::default();
        for (dictionary, outcome) in dictionaries.into_iter().zip(outcomes) {
            let refused =
                |error| client.explained(client.whole_list(error, dictionary), dictionary);
            match outcome.map_err(refused) {
                Err(error) if error.kind().stops_the_run() => return Err(error),
                outcome => found.add(dictionary.name, outcome),
            }
        }
        Ok(found)
    }

    /// Adds the result of reading a dictionary, with warnings and notes.
    pub(super) fn add(&mut self, name: &'static str, outcome: Result<Definitions>) {
        if self.fields.contains_key(name) || self.missing.contains_key(name) {
            return;
        }
        match outcome {
            Ok(definitions) => {
                if definitions.is_patchy() {
                    self.patchy.insert(name);
                }
                if !definitions.without.is_empty() {
                    let without = definitions.without.join(", ");
                    let text = format!("{name}: Pipedrive refuses {without}: read without it");
                    self.notes.push(text);
                }
                let odd = definitions.odd().into_iter();
                self.warnings.extend(odd.map(|odd| format!("{name}: {odd}")));
                self.fields.insert(name, definitions.known);
            }
            Err(error) if error.kind() == Kind::Unavailable => {
                self.notes.push(format!("{name} cannot be read: {error}"));
                self.missing.insert(name, error);
            }
            Err(error) => {
                self.warnings.push(format!("{name} cannot be read: {error}; {BY_HASH}"));
                self.missing.insert(name, error);
            }
        }
    }

    /// Adds other definitions.
    pub(super) fn join(&mut self, other: Self) {
        self.fields.extend(other.fields);
        self.patchy.extend(other.patchy);
        self.missing.extend(other.missing);
        self.warnings.extend(other.warnings);
        self.notes.extend(other.notes);
    }

    /// Returns the definitions of a resource's custom fields. The list is empty if there are none or they
    /// are unknown.
    pub(super) fn of(&self, resource: &Resource) -> &[Definition] {
        resource.fields.and_then(|name| self.fields.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Returns whether the definitions are complete. If so, a field without a definition was deleted.
    pub(super) fn whole(&self, resource: &Resource) -> bool {
        let name = resource.fields.filter(|name| self.fields.contains_key(name));
        name.is_some_and(|name| !self.patchy.contains(name))
    }

    /// Returns an error if the rows of a resource lack field names because the dictionary is unreadable.
    pub(super) fn lack(&self, resource: &Resource) -> Option<Error> {
        let (name, error) = self.missing.get_key_value(resource.fields?)?;
        Some(Error::new(error.kind(), format!("{BY_HASH}: {name} cannot be read ({error})")))
    }

    /// Returns the error of [`Self::lack`] for a protocol whose runs either succeed or fail. A permanent
    /// error, such as a missing permission, is excluded because every run would fail. It is a warning only.
    pub(super) fn failure(&self, resource: &Resource) -> Option<Error> {
        let lasting = |error: &Error| {
            matches!(error.kind(), Kind::Permission | Kind::Unavailable | Kind::Refused)
        };
        self.lack(resource).filter(|error| !lasting(error))
    }
}

/// The message about custom fields without a dictionary.
const BY_HASH: &str = "custom fields keep the names they had, or their hashes";
