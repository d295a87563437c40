//! Parses the fields that a command line excludes from a push to a CRM.

use crate::bundle::format::{Entity, value_of};
use crate::bundle::reader::Reader;
use crate::model::{Error, Kind, Result, folded, mistyped, near};
use std::path::Path;

/// The fields that are dropped from rows of one array or of all arrays.
#[derive(Debug, Clone, Default)]
pub struct Dropped(Vec<Field>);

/// A field that is dropped.
#[derive(Debug, Clone)]
struct Field {
    /// The text from the command line.
    said: String,
    of: Option<Entity>,
    name: String,
}

impl Dropped {
    /// Parses field names such as `custom` and `contacts.title`, ignoring case. A name that is neither a
    /// known field nor a field of the bundle is a [`Kind::Usage`] error.
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

    /// Returns whether no field is dropped.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a field of a row is dropped.
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

    /// Returns the known fields that the name may mean.
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

/// Returns known fields that are similar to a name, in all arrays or in the one that the name begins with.
fn close(said: &str) -> Vec<&'static str> {
    let field = Field::of(said);
    near(&field.name, field.known())
}
