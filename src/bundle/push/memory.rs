//! What the journals of earlier pushes record: which row of the target belongs to which row of the
//! bundle, and the same for fields.
//!
//! People can rename fields and edit values. Ids and keys do not change.

use crate::bundle::format::Entity;
use crate::bundle::index::number;
use std::collections::HashMap;

/// The rows and fields that earlier pushes wrote to one target. About 40 bytes per row.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    ids: [HashMap<u64, Box<str>>; 5],
    fields: Vec<KnownField>,
}

/// A custom field of the target that a push created or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownField {
    /// The array that owns the field.
    pub entity: Entity,
    /// The name at the time of creation.
    pub name: String,
    /// The key.
    pub key: String,
    /// The key of the field in the source account, if it is another one.
    pub source: Option<String>,
}

impl Memory {
    /// Records the id of a row. The latest one wins.
    pub(super) fn row(&mut self, entity: &str, public_id: &str, id: &str) {
        if let Some(entity) = Entity::named(entity) {
            self.ids[entity as usize].insert(number(public_id), id.into());
        }
    }

    /// Records the key of a field. The latest one for a name wins.
    pub(super) fn field(
        &mut self,
        entity: &str,
        name: String,
        key: String,
        source: Option<String>,
    ) {
        let Some(entity) = Entity::named(entity) else { return };
        self.fields.retain(|known| (known.entity, &known.name) != (entity, &name));
        self.fields.push(KnownField { entity, name, key, source });
    }

    /// Returns the id of a pushed row in the target, by the hash of its public id.
    pub fn id(&self, entity: Entity, number: u64) -> Option<&str> {
        self.ids[entity as usize].get(&number).map(AsRef::as_ref)
    }

    /// Returns the fields that were created or found.
    pub fn fields(&self) -> &[KnownField] {
        &self.fields
    }

    /// Returns the key of the field that was created under this name.
    pub fn key(&self, entity: Entity, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|known| known.entity == entity && known.name == name);
        found.map(|known| known.key.as_str())
    }
}
