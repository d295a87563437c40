//! Maps public ids to rows of Pipedrive.

use crate::bundle::format::{Entity, public_id_of, value_of};
use crate::bundle::index::number;
use crate::bundle::push::Fates;
use crate::bundle::reader::Reader;
use crate::model::{Result, text};
use std::collections::HashMap;
use std::path::Path;

/// The Pipedrive ids by public id, as JSON. About 40 bytes per row.
#[derive(Debug, Default)]
pub struct IdMap {
    ids: [HashMap<u64, Box<str>>; 5],
}

impl IdMap {
    /// Reads the ids of an account from its export.
    pub async fn of(export: &Path) -> Result<Self> {
        let mut ids = Self::default();
        let mut reader = Reader::open(export)?;
        while let Some(row) = reader.next().await? {
            let external = value_of(row.json, "external_id").and_then(text);
            let id = external.as_deref().and_then(|id| id.rsplit(':').next());
            if let (Some(id), Some(public_id)) = (id, public_id_of(row.json)) {
                ids.add(row.entity, &public_id, id);
            }
        }
        Ok(ids)
    }

    /// Adds the ids that only a journal contains.
    pub fn know(&mut self, fates: &Fates) {
        for (entity, number, id) in fates.by_id() {
            self.ids[entity as usize].insert(number, json(entity, id).into());
        }
    }

    /// Adds the id of a row.
    pub fn add(&mut self, entity: Entity, public_id: &str, id: &str) {
        self.ids[entity as usize].insert(number(public_id), json(entity, id).into());
    }

    /// Returns the id of a row, as JSON.
    pub fn find(&self, entity: Entity, public_id: &str) -> Option<&str> {
        self.ids[entity as usize].get(&number(public_id)).map(AsRef::as_ref)
    }
}

/// Returns an id as JSON. The ids of leads are text.
fn json(entity: Entity, id: &str) -> String {
    if entity == Entity::Leads { crate::model::quoted(id) } else { id.to_owned() }
}
