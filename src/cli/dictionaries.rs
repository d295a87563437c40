//! The field dictionaries of an account, before anything is read.

use crate::api::{Client, definitions};
use crate::model::{Definition, Kind, Resource, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Definitions by the name of their dictionary, and what a person should know about it.
#[derive(Debug, Default)]
pub(super) struct Dictionaries {
    pub(super) fields: BTreeMap<&'static str, Vec<Definition>>,
    pub(super) notes: Vec<String>,
}

impl Dictionaries {
    /// Reads those of these resources, side by side. One that this token may not see is left out,
    /// with a note.
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
            match outcome {
                Ok(definitions) => {
                    found.fields.insert(dictionary.name, definitions);
                }
                Err(error) if matches!(error.kind(), Kind::Permission | Kind::Refused) => {
                    found.notes.push(format!("custom fields stay undescribed: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The definitions of a resource's custom fields; none where it has none, or they are unknown.
    pub(super) fn of(&self, resource: &Resource) -> &[Definition] {
        resource.fields.and_then(|name| self.fields.get(name)).map_or(&[], Vec::as_slice)
    }
}
