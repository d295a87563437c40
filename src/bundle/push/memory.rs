//! What the journals of earlier pushes record: which row of the target belongs to which row of the
//! bundle, and the same for fields.
//!
//! People can rename fields and edit values. Ids and keys do not change.

use crate::bundle::format::Entity;
use crate::bundle::index::number;
use std::collections::HashMap;

/// Rows and fields that earlier pushes wrote to one target. About 40 bytes a row.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    ids: [HashMap<u64, Box<str>>; 5],
    fields: Vec<KnownField>,
}

/// A custom field of the target that a push created, or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownField {
    /// Whose field.
    pub entity: Entity,
    /// The name it was created under.
    pub name: String,
    /// Its key.
    pub key: String,
    /// The key of the field where the bundle came from, if that is another one.
    pub source: Option<String>,
}

impl Memory {
    /// Notes the id of a row. The latest counts.
    pub(super) fn row(&mut self, entity: &str, public_id: &str, id: &str) {
        if let Some(entity) = Entity::named(entity) {
            self.ids[entity as usize].insert(number(public_id), id.into());
        }
    }

    /// Notes the key of a field. The latest of a name counts.
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

    /// The id in the target of a row that was pushed, by the number of its public id.
    pub fn id(&self, entity: Entity, number: u64) -> Option<&str> {
        self.ids[entity as usize].get(&number).map(AsRef::as_ref)
    }

    /// The fields that were created or found.
    pub fn fields(&self) -> &[KnownField] {
        &self.fields
    }

    /// The key of the field that was created under this name.
    pub fn key(&self, entity: Entity, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|known| known.entity == entity && known.name == name);
        found.map(|known| known.key.as_str())
    }
}
