//! Compares two bundles with the engine of `backup diff`.

use super::format::{Entity, public_id_of};
use super::index::Index;
use super::push::in_order;
use super::reader::{Reader, Span, Survey};
use crate::dataset::diff::{
    Change, Counts, Doubts, Ignore, Meanings, Skipped, What, called, field_changes, one_line,
};
use crate::model::{Digest, Result};
use std::collections::VecDeque;
use std::path::Path;

/// The internal id. A CRM adds it to its own export; it is not part of the bundle format.
const INTERNAL: &str = "id";

/// A comparison of two bundles. Rows are matched by public id.
///
/// Memory: 24 bytes per row of the older bundle.
pub struct Diff {
    old: Index,
    new: Survey,
    ignore: Ignore,
    rest: VecDeque<Span>,
    current: Option<Current>,
    skipped: Vec<Skipped>,
    counts: Vec<(Entity, Counts)>,
}

/// The array being compared.
struct Current {
    entity: Entity,
    /// The rows of the newer bundle. `None` after the last one was read.
    rows: Option<Reader>,
    ignored: Meanings,
}

impl Diff {
    /// Starts a comparison. An ignored field name that no row has is a [`crate::model::Kind::Usage`] error.
    pub async fn open(old: &Path, new: &Path, ignore: Ignore) -> Result<Self> {
        let (index, before) = Index::of(old).await?;
        let mut reader = Reader::open(new)?;
        while reader.next().await?.is_some() {}
        let after = reader.survey();
        let holds = |survey: &Survey, entity| survey.spans.iter().any(|span| span.entity == entity);
        let skipped = Entity::ALL.into_iter().filter_map(|entity| {
            let present = match (holds(&before, entity), holds(&after, entity)) {
                (true, false) => "A",
                (false, true) => "B",
                _ => return None,
            };
            Some(Skipped { resource: entity.name(), present })
        });
        let skipped = skipped.collect();
        let both = in_order(&after).into_iter().filter(|span| holds(&before, span.entity));
        let both: Vec<Span> = both.collect();
        refuse(&ignore, [old, new], &both).await?;
        let ignore = ignore.with(INTERNAL);
        let (rest, counts) = (both.into(), Vec::new());
        Ok(Self { old: index, new: after, ignore, rest, current: None, skipped, counts })
    }

    /// Returns the arrays that only one of the bundles has.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Returns the ignored field names that matched nothing. Call it after the last change.
    pub fn unmet(&self) -> Vec<&str> {
        self.ignore.unmet()
    }

    /// Returns the counts so far, by array.
    pub fn counts(&self) -> Vec<(&'static str, Counts)> {
        self.counts.iter().map(|(entity, counts)| (entity.name(), *counts)).collect()
    }

    /// Returns the next change. Changes come by array, in the order of the newer bundle; removed rows come
    /// last.
    pub async fn next(&mut self) -> Result<Option<Change>> {
        loop {
            let Some(current) = &mut self.current else {
                let Some(span) = self.rest.pop_front() else { return Ok(None) };
                let rows = Some(Reader::of_array(&self.new.path, span)?);
                let ignored =
                    self.ignore.of(&[span.entity.name()], |name| is_field(span.entity, name));
                self.current = Some(Current { entity: span.entity, rows, ignored });
                self.counts.push((span.entity, Counts::default()));
                continue;
            };
            let entity = current.entity;
            let (key, name, what) = if let Some(rows) = &mut current.rows {
                let Some(row) = rows.next().await? else {
                    current.rows = None;
                    self.old.sort(entity);
                    continue;
                };
                let key = key(row.json);
                let what = match self.old.row(entity, &key)? {
                    None => What::Added(one_line(row.json)),
                    Some(old) => {
                        let mut fields = field_changes(&old, row.json);
                        fields.retain(|field| !self.ignore.takes(&current.ignored, field));
                        if fields.is_empty() {
                            continue;
                        }
                        What::Modified(fields)
                    }
                };
                (key, called(row.json), what)
            } else {
                let Some(old) = self.old.unseen(entity)? else {
                    self.current = None;
                    continue;
                };
                (key(&old), called(&old), What::Removed(one_line(&old)))
            };
            if let Some((_, counts)) = self.counts.last_mut() {
                counts.take(&what);
            }
            return Ok(Some(Change { resource: entity.name(), key, name, what }));
        }
    }
}

fn is_field(entity: Entity, name: &str) -> bool {
    name == INTERNAL || entity.field(name).is_some()
}

/// Returns an error for ignored field names that are neither known nor present in a row.
async fn refuse(ignore: &Ignore, files: [&Path; 2], both: &[Span]) -> Result<()> {
    let mut doubts = Doubts::new(ignore);
    for Span { entity, .. } in both {
        let fields = entity.fields().map(|field| field.name.to_owned());
        doubts.describe(entity.name(), &[entity.name()], |name| is_field(*entity, name), fields);
    }
    if both.iter().any(|span| doubts.about(span.entity.name())) {
        for file in files {
            let mut rows = Reader::open(file)?;
            while let Some(row) = rows.next().await? {
                doubts.row(row.entity.name(), row.json);
            }
        }
    }
    if both.is_empty() { Ok(()) } else { doubts.refuse() }
}

/// Returns the public id of a row, or a hash of its content if it has none.
fn key(row: &str) -> String {
    public_id_of(row).unwrap_or_else(|| Digest::of(row.as_bytes()).to_string())
}
