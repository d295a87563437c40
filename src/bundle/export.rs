//! An account becomes a bundle and its side-car, record by record.

use super::context::{Context, Source, Stamp};
use super::map::{LEARNT, Mapper, Setup};
use super::writer::{Writer, Written};
use crate::dataset::{Scrap, Turn};
use crate::model::{Resource, Result, Time};
use std::path::{Path, PathBuf};

/// A bundle that is being made of records. Nothing is visible before [`Export::finish`].
pub struct Export {
    path: PathBuf,
    mapper: Mapper,
    writer: Writer,
    source: Source,
}

impl Export {
    /// Begins to export an account that says this of itself, beside this path as `what`: see
    /// [`Scrap`].
    pub fn begin(
        path: &Path,
        what: &str,
        setup: Setup,
        source: Source,
        exported_at: Time,
    ) -> Result<Self> {
        let organization = format!("pipedrive:{}", setup.company);
        let writer = Writer::create(path, what, exported_at, &organization)?;
        Ok(Self { path: path.to_owned(), mapper: Mapper::new(setup), writer, source })
    }

    /// Resources whose records must be passed to [`Export::learn`] before the first row: the account
    /// may keep public ids of an earlier push.
    pub fn learnt(&self) -> &'static [&'static str] {
        if self.mapper.keeps_ids() { LEARNT } else { &[] }
    }

    /// Learns the public id of an organization or person.
    pub fn learn(&mut self, resource: &'static Resource, json: &str) {
        self.mapper.learn(resource, json);
    }

    /// Takes a record; those of one resource after the other, in the order of
    /// [`super::map::RESOURCES`].
    pub fn take(&mut self, resource: &'static Resource, json: &str) -> Result<()> {
        match self.mapper.row(resource, json)? {
            Some((array, row)) => self.writer.row(array, row),
            None => Ok(()),
        }
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
    pub fn finish(mut self) -> Result<(Written, Context)> {
        self.mapper.close();
        let (written, scrap) = self.writer.finish()?;
        let mut context = Context::empty(Stamp::of(&written), self.source);
        self.mapper.describe(&mut context);
        let turn = Turn::beside(&self.path)?;
        context.write(&self.path)?;
        scrap.settle(&self.path)?;
        drop(turn);
        Ok((written, context))
    }

    /// Ends the export without making anything visible: the bundle is gone with what this returns.
    pub fn hold(mut self) -> Result<Scrap> {
        self.mapper.close();
        Ok(self.writer.finish()?.1)
    }
}
