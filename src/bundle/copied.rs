//! A bundle whose rows are copies: each gets a new public id, and references are changed to match.

use super::format::{Entity, PUBLIC_ID_MAX, public_id_of};
use super::index::number;
use super::push::in_order;
use super::reader::{Reader, Survey};
use super::writer::Writer;
use crate::dataset::{TempFile, hex};
use crate::model::{Result, Time, list, members, quoted, text};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::path::Path;

/// The number of hash bytes that distinguish the copies of one target from those of another.
const TARGET_BYTES: usize = 4;
/// The internal id. A copy does not have it.
const INTERNAL: &str = "id";

/// Copies a bundle for a target into a temporary file next to the bundle. The same bundle and target always
/// give the same copy. The file is deleted when the returned value is dropped.
///
/// Memory: 16 bytes per row.
pub async fn copied(bundle: &Path, target: &str) -> Result<TempFile> {
    let mut reader = Reader::open(bundle)?;
    let mut ids = HashSet::new();
    while let Some(row) = reader.next().await? {
        ids.extend(public_id_of(row.json).map(|id| number(&id)));
    }
    let survey: Survey = reader.survey();
    let copies = Copies { ids, target: hex(&Sha256::digest(target.as_bytes())[..TARGET_BYTES]) };
    let at = survey.head.exported().unwrap_or(Time::EPOCH);
    let mut writer = Writer::create(bundle, "copy", at, target)?;
    for span in in_order(&survey) {
        let mut rows = Reader::of_array(&survey.path, span)?;
        while let Some(row) = rows.next().await? {
            writer.row(row.entity, &copies.row(row.json))?;
        }
    }
    Ok(writer.finish()?.1)
}

/// The ids to replace and the target they are derived from.
struct Copies {
    /// The hashes of the public ids of the bundle.
    ids: HashSet<u64>,
    target: String,
}

impl Copies {
    fn row(&self, json: &str) -> String {
        let fields = members(json).into_iter().filter(|(key, _)| key != INTERNAL);
        let pairs = fields.map(|(key, value)| {
            let refers = matches!(key.as_ref(), "participants" | "custom");
            let value = if key == "public_id" || key.ends_with("_public_id") || refers {
                self.value(value)
            } else {
                value.to_owned()
            };
            format!("{}:{value}", quoted(&key))
        });
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }

    /// Replaces each public id of the bundle inside a value with the id of the copy.
    fn value(&self, raw: &str) -> String {
        match raw.as_bytes().first() {
            Some(b'"') => match text(raw).filter(|id| self.ids.contains(&number(id))) {
                Some(id) => quoted(&self.id(&id)),
                None => raw.to_owned(),
            },
            Some(b'[') => {
                let items = list(raw).into_iter().map(|item| self.value(item));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
            Some(b'{') => {
                let pairs = members(raw).into_iter();
                let pairs =
                    pairs.map(|(key, value)| format!("{}:{}", quoted(&key), self.value(value)));
                format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
            }
            _ => raw.to_owned(),
        }
    }

    /// Returns the id of the copy: the prefix of the array, the hash of the target, and the rest of the
    /// original id.
    fn id(&self, id: &str) -> String {
        let prefix =
            Entity::ALL.into_iter().map(Entity::prefix).find(|prefix| id.starts_with(prefix));
        let prefix = prefix.unwrap_or_default();
        let rest = &id[prefix.len()..];
        let copy = format!("{prefix}c{}_{rest}", self.target);
        if copy.len() <= PUBLIC_ID_MAX {
            return copy;
        }
        format!("{prefix}c{}_{}", self.target, hex(&Sha256::digest(rest.as_bytes())))
    }
}
