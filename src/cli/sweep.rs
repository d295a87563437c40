//! The key sweep of `sync warehouse`: rows that vanish where Pipedrive does not tell.

use super::setup::now;
use super::sync::{Run, Start, Stop};
use crate::dataset::{Sweep, Warehouse};
use crate::extract::{Fate, Mode, Reader, Selected, fate, plan};
use crate::model::{Error, Event, Kind, Resource, Result};

/// What a sweep goes by.
pub(super) struct Sweeping<'s> {
    pub(super) start: &'s Start,
    /// Whether the token sees everything.
    pub(super) admin: bool,
    /// Whether to write whatever it finds.
    pub(super) force: bool,
}

/// How the walk of one resource's keys ended.
enum Walked {
    Whole,
    Failed(Error),
    Stopped(Error),
}

impl Run {
    /// Sweeps the resources that were read to their end. An interrupt ends it early, and is told.
    pub(super) async fn sweep(
        &mut self,
        warehouse: &mut Warehouse,
        sweeping: &Sweeping<'_>,
        mut stop: Stop<'_>,
    ) -> Result<Option<Error>> {
        for resource in self.resources.clone() {
            // What has just been read as a whole for the first time misses nothing.
            let fresh = resource.incremental() && sweeping.start.reads_whole(resource);
            let swept = Sweep::RESOURCES.contains(&resource.name) && !fresh;
            if !swept || !self.report.row(resource).complete() {
                continue;
            }
            if let Some(why) = warehouse.narrowed().map(|why| {
                format!(
                    "{why}, so rows that are missing need not be gone; --force sweeps all the same"
                )
            }) {
                self.refuse(resource, &why);
                continue;
            }
            let mut sweep = warehouse.sweep(resource, sweeping.start.bound, now()).await?;
            if sweep.needs_walk() {
                match self.walk(resource, &mut sweep, sweeping, stop.as_mut()).await? {
                    Walked::Whole => {}
                    Walked::Stopped(error) => return Ok(Some(error)),
                    Walked::Failed(error) => {
                        self.report.fail(resource, &error);
                        if error.kind().stops_the_run() {
                            return Ok(None);
                        }
                        continue;
                    }
                }
            }
            let missing = sweep.missing();
            if let Some(why) = sweep.refusal(missing.len()).filter(|_| !sweeping.force) {
                self.refuse(resource, &why);
                continue;
            }
            match self.fate(resource, missing, sweeping.admin).await {
                Ok(fate) => {
                    sweep.saw(fate.there)?;
                    let findings = warehouse
                        .bury(sweep, &fate.gone, sweeping.start.server_now(), now())
                        .await?;
                    self.progress.note(&format!(
                        "{}: key sweep: {} gone, {} come to light",
                        resource.name, findings.gone, findings.returned
                    ));
                }
                Err(error) => self.report.fail(resource, &error),
            }
        }
        Ok(None)
    }

    async fn walk(
        &mut self,
        resource: &'static Resource,
        sweep: &mut Sweep,
        sweeping: &Sweeping<'_>,
        stop: Stop<'_>,
    ) -> Result<Walked> {
        let selected = Selected { resource, mode: Mode::Full, state: None };
        let jobs = plan(&self.setup.settings, vec![selected]);
        let bound = sweeping.start.bound;
        let reader = Reader::start(&self.client, &self.setup.settings, jobs, bound);
        let mut walked = Walked::Whole;
        let stopped = self
            .follow(reader, stop, async |run, event| {
                match event {
                    Event::Batch(batch) => return sweep.saw(batch.records),
                    Event::Failed { error, .. } => walked = Walked::Failed(error),
                    // These rows are looked at, not taken.
                    Event::Finished { .. } => run.progress.leave(resource),
                    event => {
                        run.progress.take(&event);
                        run.report.take(&event);
                    }
                }
                Ok(())
            })
            .await?;
        Ok(stopped.map_or(walked, Walked::Stopped))
    }

    async fn fate(
        &mut self,
        resource: &'static Resource,
        missing: Vec<String>,
        admin: bool,
    ) -> Result<Fate> {
        if missing.is_empty() {
            return Ok(Fate::default());
        }
        fate(&self.client, resource, missing, self.setup.settings.archived, admin).await
    }

    /// A resource is incomplete for a reason that is nobody's failure.
    fn refuse(&mut self, resource: &'static Resource, why: &str) {
        let error = Error::new(Kind::Incomplete, format!("key sweep: {why}"));
        self.progress.note(&format!("{}: {error}", resource.name));
        self.report.fail(resource, &error);
    }
}
