//! Reads several resources concurrently into one channel. The consumer owns the loop.

use super::plan::Job;
use super::task::{Run, Task};
use super::thrift::side_by_side;
use crate::api::Client;
use crate::model::{Error, Event, Kind, Resource, Settings, Time};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{Id, JoinSet};

/// The number of events that wait for the consumer. With one page for each stream that is read
/// concurrently, it bounds memory.
const EVENTS_IN_FLIGHT_MAX: usize = 2;

/// The limit on how far reading may be ahead of the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backpressure {
    /// As far as the channel allows: the next page is fetched while this one is written.
    Buffered,
    /// Not ahead: a resource requests its next page after the consumer took the rows of the last one, so
    /// that at most one page of it is paid twice after a kill. Resources do not wait for each other.
    Lockstep,
}

/// An event in the channel.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) event: Event,
    /// Dropped when the consumer is done with the event. The sender may wait for that.
    pub(super) taken: Option<oneshot::Sender<()>>,
}

/// A run in progress. Dropping it ends the run.
#[derive(Debug)]
pub struct Reader {
    events: mpsc::Receiver<Envelope>,
    /// The acknowledgement of the consumer's current event.
    taken: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
    reads: HashMap<Id, &'static Resource>,
}

impl Reader {
    /// Starts reading. Rows changed at or after `bound`, the server's clock at the run's first response,
    /// are left to the next run. Without a time in that response no rows are left.
    ///
    /// Must be called inside a tokio runtime.
    pub fn start(
        client: &Arc<Client>,
        settings: &Settings,
        jobs: Vec<Job>,
        bound: Option<Time>,
        backpressure: Backpressure,
    ) -> Self {
        let (out, events) = mpsc::channel(EVENTS_IN_FLIGHT_MAX);
        let turns = Arc::new(Semaphore::new(side_by_side(settings)));
        let mut tasks = JoinSet::new();
        let mut reads = HashMap::new();
        let bound = bound.map_or(Time::END, Time::whole_second);
        let run = Run {
            bound,
            start: settings.start,
            overlap: settings.overlap,
            backpressure,
            bodies: settings.mail_bodies,
            capped: settings.max_tokens.is_some(),
        };
        for job in jobs {
            let resource = job.resource;
            let task = Task::new(Arc::clone(client), run, job, out.clone());
            let turns = Arc::clone(&turns);
            let task = tasks.spawn(async move {
                // The semaphore is fair, so jobs start in the order of the plan. It is closed when the
                // whole run ends.
                if let Ok(_turn) = turns.acquire().await
                    && task.run().await
                {
                    turns.close();
                }
            });
            reads.insert(task.id(), resource);
        }
        Self { events, taken: None, tasks, reads }
    }

    /// Returns the next event. `None` at the end, or after a failure that stops the run. The call
    /// acknowledges the previous event.
    pub async fn next(&mut self) -> Option<Event> {
        self.taken = None;
        let told = self.events.recv().await;
        let event = told.map(|told| {
            self.taken = told.taken;
            told.event
        });
        if let Some(Event::Failed { error, .. }) = &event
            && error.kind().stops_the_run()
        {
            // Events in the channel are still delivered: their rows were read.
            self.tasks.abort_all();
        }
        if event.is_some() {
            return event;
        }
        // All tasks have ended. A task that panicked did not report it.
        while let Some(end) = self.tasks.join_next().await {
            if let Err(end) = end
                && end.is_panic()
                && let Some(resource) = self.reads.get(&end.id())
            {
                let error = Error::new(Kind::Bug, "reading broke down, please report it");
                return Some(Event::Failed { resource, error });
            }
        }
        None
    }
}
