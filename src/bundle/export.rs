//! Converts an account into a bundle and its side-car, record by record.

use super::format::Entity;
use super::map::{AccountSetup, LEARNT, Mapper};
use super::sidecar::{Sidecar, Source, Stamp};
use super::writer::{Writer, Written};
use crate::dataset::{TempFile, Turn};
use crate::model::{Resource, Result, Time};
use std::path::{Path, PathBuf};

/// A bundle that is being made of records. Nothing is visible before [`Export::finish`].
pub struct Export {
    path: PathBuf,
    mapper: Mapper,
    writer: Writer,
    source: Source,
    /// Deleted records of the resource at hand, which come after the others.
    waiting: Vec<(&'static Resource, String)>,
    waiting_bytes: usize,
}

/// Bytes of deleted records that wait for the others of their resource; more are taken as they come.
const WAITING_BYTES_MAX: usize = 64 << 20;

impl Export {
    /// Begins to export an account that says this of itself, beside this path as `what`: see
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

    /// Resources whose records must be passed to [`Export::learn`] before the first row: the account
    /// may keep public ids of an earlier push.
    pub fn known_ids(&self) -> &'static [&'static str] {
        if self.mapper.keeps_ids() { LEARNT } else { &[] }
    }

    /// Learns the public id of an organization or person.
    pub fn learn(&mut self, resource: &'static Resource, json: &str) {
        self.mapper.learn(resource, json);
    }

    /// Takes a record; those of one resource after the other, in the order of
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

    /// Takes the records that have waited.
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

    /// The fields that keep public ids by all appearances, although nothing says so. To be asked for
    /// after the last record.
    pub fn likely_markers(&self) -> Vec<(Entity, String)> {
        self.mapper.likely_markers()
    }

    /// Rows written so far, of each array.
    pub const fn rows(&self) -> [u64; 5] {
        self.writer.rows()
    }

    /// Records that came again and were left out: they moved while they were read.
    pub const fn repeats(&self) -> u64 {
        self.mapper.repeats()
    }

    /// Makes both files visible, the side-car first.
    pub fn finish(mut self) -> Result<(Written, Sidecar)> {
        self.catch_up()?;
        self.mapper.close();
        let (written, scrap) = self.writer.finish()?;
        let mut context = Sidecar::empty(Stamp::of(&written), self.source);
        // What a side-car that stands knows of other companies, and of CRMs, stays known.
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

    /// Ends the export without making anything visible: the bundle is gone with what this returns.
    pub fn hold(mut self) -> Result<TempFile> {
        self.catch_up()?;
        self.mapper.close();
        Ok(self.writer.finish()?.1)
    }
}
