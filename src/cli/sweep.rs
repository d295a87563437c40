//! The key sweep of `sync warehouse`: finds rows whose deletion Pipedrive does not report.

use super::run::{Run, Stop};
use super::setup::now;
use super::sync::Start;
use crate::dataset::warehouse::{Sweep, Warehouse};
use crate::extract::{Backpressure, MissingRows, Mode, Reader, Selected, find_missing_rows, plan};
use crate::model::{Error, Event, Kind, Resource, Result, Time};

/// The parameters of a sweep.
pub(super) struct Sweeping<'s> {
    pub(super) start: &'s mut Start,
    /// Whether the token can read everything.
    pub(super) admin: bool,
    /// Whether to apply any result of the sweep.
    pub(super) force: bool,
}

impl Run {
    /// Sweeps the resources that were read to the end. An interrupt is an error.
    pub(super) async fn sweep(
        &mut self,
        warehouse: &mut Warehouse,
        sweeping: &mut Sweeping<'_>,
        mut stop: Stop<'_>,
    ) -> Result<()> {
        for resource in self.resources.clone() {
            // A resource that this run read completely into an empty table needs no sweep.
            let fresh = resource.incremental() && sweeping.start.is_fresh(resource);
            let swept = Sweep::RESOURCES.contains(&resource.name) && !fresh;
            // A row without a usable id may be one that is known by its id.
            let row = self.report.row(resource);
            // A missing or incomplete resource does not show which rows still exist.
            if !swept || !row.was_read() || !row.is_keyed() || !row.is_whole() {
                continue;
            }
            let outcome = self.sweep_one(resource, warehouse, sweeping, stop.as_mut()).await;
            let Err(error) = outcome else { continue };
            if error.kind().stops_the_run() {
                return Err(error);
            }
            // The rows of the resource were read, so the run is only incomplete.
            let error = Error::new(Kind::Incomplete, format!("key sweep: {error}"));
            self.progress.note(&format!("{}: {error}", resource.name));
            self.report.fail(resource, &error);
        }
        Ok(())
    }

    async fn sweep_one(
        &mut self,
        resource: &'static Resource,
        warehouse: &mut Warehouse,
        sweeping: &mut Sweeping<'_>,
        mut stop: Stop<'_>,
    ) -> Result<()> {
        let incomplete = |why: String| Err(Error::new(Kind::Incomplete, why));
        if let Some(why) = warehouse.narrowed() {
            return incomplete(format!(
                "{why}, so rows that are missing need not be gone; --force sweeps all the same"
            ));
        }
        let bound = sweeping.start.bound;
        let mut sweep = warehouse.sweep(resource, bound.unwrap_or(Time::END), now()).await?;
        if sweep.needs_walk() {
            self.walk(resource, &mut sweep, sweeping, stop.as_mut()).await?;
        }
        let missing = sweep.missing();
        if let Some(why) = sweep.refusal(missing.len()).filter(|_| !sweeping.force) {
            return incomplete(why);
        }
        let fate = tokio::select! {
            biased;
            error = stop.as_mut() => Err(error),
            fate = self.fate(resource, missing, sweeping.admin) => fate,
        }?;
        sweep.remember_keys(fate.there)?;
        if sweep.found_rows() || !fate.gone.is_empty() {
            self.name_late(warehouse, resource, sweeping.start, stop).await?;
        }
        let until = sweeping.start.clock.now();
        let findings = warehouse.write_tombstones(sweep, &fate.gone, until, now()).await?;
        if findings.gone + findings.returned > 0 {
            self.progress.note(&format!(
                "{}: key sweep: {} deleted, {} newly visible",
                resource.name, findings.gone, findings.returned
            ));
        }
        Ok(())
    }

    async fn walk(
        &mut self,
        resource: &'static Resource,
        sweep: &mut Sweep,
        sweeping: &mut Sweeping<'_>,
        stop: Stop<'_>,
    ) -> Result<()> {
        let selected = Selected::new(resource, Mode::Scan, None);
        let jobs = plan(&self.setup.settings, vec![selected]);
        let bound = sweeping.start.bound;
        let reader =
            Reader::start(&self.client, &self.setup.settings, jobs, bound, Backpressure::Buffered);
        self.follow(reader, stop, async |run, event| {
            match event {
                Event::Batch(batch) => return sweep.remember_keys(batch.records),
                Event::Failed { error, .. } | Event::Unavailable { error, .. } => {
                    return Err(error);
                }
                // These rows are only compared, not written.
                Event::Finished { .. } => run.progress.leave(resource),
                event => {
                    run.progress.observe(&event);
                    run.report.observe(&event);
                }
            }
            Ok(())
        })
        .await
    }

    async fn fate(
        &self,
        resource: &'static Resource,
        missing: Vec<String>,
        admin: bool,
    ) -> Result<MissingRows> {
        if missing.is_empty() {
            return Ok(MissingRows::default());
        }
        find_missing_rows(&self.client, resource, missing, self.setup.settings.archived, admin)
            .await
    }
}
