//! Converts an account into a bundle and its side-car, record by record.

use super::format::Entity;
use super::map::{AccountSetup, LEARNT, Mapper};
use super::sidecar::{Sidecar, Source, Stamp};
use super::writer::{Writer, Written};
use crate::dataset::{TempFile, Turn};
use crate::model::{Resource, Result, Time};
use std::path::{Path, PathBuf};

/// A bundle that is being written from records. Nothing is visible before [`Export::finish`].
pub struct Export {
    path: PathBuf,
    mapper: Mapper,
    writer: Writer,
    source: Source,
    /// The deleted records of the current resource. They are written after the others.
    waiting: Vec<(&'static Resource, String)>,
    waiting_bytes: usize,
}

/// Bytes of deleted records that wait for the others of their resource; more are taken as they come.
const WAITING_BYTES_MAX: usize = 64 << 20;

impl Export {
    /// Starts an export of an account. The temporary file is next to `path`, with `what` in its name: see
    /// [`TempFile`].
    pub fn start(
        path: &Path,
        what: &str,
        setup: AccountSetup,
        source: Source,
        exported_at: Time,
    ) -> Result<Self> {
        let organization = format!("pipedrive:{}", setup.company);
        let writer = Writer::create(path, what, exported_at, &organization)?;
        let mapper = Mapper::new(setup);
        let path = path.to_owned();
        Ok(Self { path, mapper, writer, source, waiting: Vec::new(), waiting_bytes: 0 })
    }

    /// Returns the resources whose records must be passed to [`Export::learn`] before the first row. The
    /// account may keep public ids of an earlier push.
    pub fn known_ids(&self) -> &'static [&'static str] {
        if self.mapper.keeps_ids() { LEARNT } else { &[] }
    }

    /// Records the public id of an organization or person.
    pub fn learn(&mut self, resource: &'static Resource, json: &str) {
        self.mapper.learn(resource, json);
    }

    /// Adds a record. The records of a resource are added together, in the order of
    /// [`super::map::RESOURCES`].
    pub fn add_row(&mut self, resource: &'static Resource, json: &str) -> Result<()> {
        if self.waiting.first().is_some_and(|(of, _)| of.name != resource.name) {
            self.catch_up()?;
        }
        let bytes = self.waiting_bytes.saturating_add(json.len());
        if bytes <= WAITING_BYTES_MAX && self.mapper.waits(resource, json) {
            self.waiting_bytes = bytes;
            self.waiting.push((resource, json.to_owned()));
            return Ok(());
        }
        self.write(resource, json)
    }

    /// Writes the waiting records.
    fn catch_up(&mut self) -> Result<()> {
        self.waiting_bytes = 0;
        for (resource, json) in std::mem::take(&mut self.waiting) {
            self.write(resource, &json)?;
        }
        Ok(())
    }

    fn write(&mut self, resource: &'static Resource, json: &str) -> Result<()> {
        match self.mapper.row(resource, json)? {
            Some((entity, row)) => self.writer.row(entity, row),
            None => Ok(()),
        }
    }

    /// Returns the fields that probably keep public ids, although neither their name nor a key identifies
    /// them. Call it after the last record.
    pub fn likely_markers(&self) -> Vec<(Entity, String)> {
        self.mapper.likely_markers()
    }

    /// Returns the number of rows written so far, for each array.
    pub const fn rows(&self) -> [u64; 5] {
        self.writer.rows()
    }

    /// Returns the number of records that were returned twice, because they moved between pages, and were
    /// skipped.
    pub const fn repeats(&self) -> u64 {
        self.mapper.repeats()
    }

    /// Makes both files visible, the side-car first.
    pub fn finish(mut self) -> Result<(Written, Sidecar)> {
        self.catch_up()?;
        self.mapper.close();
        let (written, scrap) = self.writer.finish()?;
        let mut context = Sidecar::empty(Stamp::of(&written), self.source);
        // Keeps what an existing side-car records about other companies and about CRMs.
        if let Some(before) = Sidecar::read(&self.path).ok().flatten() {
            context.id_fields = before.id_fields;
            context.forms = before.forms;
        }
        self.mapper.describe(&mut context);
        let turn = Turn::beside(&self.path)?;
        context.write(&self.path)?;
        scrap.persist(&self.path)?;
        drop(turn);
        Ok((written, context))
    }

    /// Finishes the bundle without making it visible. The file is deleted when the returned value is
    /// dropped.
    pub fn hold(mut self) -> Result<TempFile> {
        self.catch_up()?;
        self.mapper.close();
        Ok(self.writer.finish()?.1)
    }
}
