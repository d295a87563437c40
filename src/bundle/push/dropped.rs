//! Parses the fields that a command line excludes from a push to a CRM.

use crate::bundle::format::{Entity, value_of};
use crate::bundle::reader::Reader;
use crate::model::{Error, Kind, Result, folded, mistyped, near};
use std::path::Path;

/// Fields that are left out of rows: of one array, or of all.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Vec<Field>);

/// A field that is left out.
#[derive(Debug, Clone)]
struct Field {
    /// The text of the command line.
    said: String,
    of: Option<Entity>,
    name: String,
}

impl Dropped {
    /// The fields of these names: `custom`, `contacts.title`, capitals as you like. A name is that of a
    /// field we know of, or of one that a row of the bundle has; all others are a [`Kind::Usage`] error.
    pub async fn of(names: &[String], bundle: &Path) -> Result<Self> {
        let names = names.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
        let fields: Vec<Field> = names.map(Field::of).collect();
        if let Some(field) = fields.iter().find(|field| field.name == "public_id") {
            let message = format!("{} cannot be dropped: rows are known by it", field.name);
            return Err(Error::new(Kind::Usage, message).at("--drop"));
        }
        let mut open: Vec<&Field> = fields.iter().filter(|field| !field.is_known()).collect();
        if !open.is_empty() {
            let mut rows = Reader::open(bundle)?;
            while let Some(row) = rows.next().await?
                && !open.is_empty()
            {
                open.retain(|field| {
                    !field.is_in(row.entity) || value_of(row.json, &field.name).is_none()
                });
            }
        }
        if open.is_empty() {
            return Ok(Self(fields));
        }
        let unknown = mistyped(open.into_iter().map(|field| &field.said), close);
        let message =
            format!("neither the bundle nor the CRM's documentation has a field {unknown}");
        Err(Error::new(Kind::Usage, message).at("--drop"))
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field of a row is left out.
    pub fn has(&self, entity: Entity, key: &str) -> bool {
        self.0.iter().any(|field| field.is_in(entity) && field.name == key)
    }
}

impl Field {
    fn of(said: &str) -> Self {
        let entity =
            |name: &str| Entity::ALL.into_iter().find(|a| folded(a.name()) == folded(name));
        let (of, name) = match said.split_once('.') {
            Some((first, field)) if entity(first).is_some() => (entity(first), field),
            _ => (None, said),
        };
        let mut field = Self { said: said.to_owned(), of, name: name.to_owned() };
        if !field.is_known()
            && let Some(known) = field.known().find(|known| folded(known) == folded(name))
        {
            field.name = known.to_owned();
        }
        field
    }

    fn is_in(&self, entity: Entity) -> bool {
        self.of.is_none_or(|of| of == entity)
    }

    /// The names of fields that it may be.
    fn known(&self) -> impl Iterator<Item = &'static str> + use<> {
        let of = self.of;
        let arrays =
            Entity::ALL.into_iter().filter(move |entity| of.is_none_or(|of| of == *entity));
        arrays.flat_map(|entity| entity.fields().map(|field| field.name))
    }

    fn is_known(&self) -> bool {
        self.known().any(|known| known == self.name)
    }
}

/// Fields that a name may have meant: of all arrays, or of the one it begins with.
fn close(said: &str) -> Vec<&'static str> {
    let field = Field::of(said);
    near(&field.name, field.known())
}
