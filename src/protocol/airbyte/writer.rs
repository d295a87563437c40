//! Writes Airbyte messages: records, checkpoints, statuses, logs.

use super::super::checkpoint_policy::{self, CheckpointPolicy};
use super::super::lines::{self, BUFFER_BYTES};
use super::super::record_encoder::RecordEncoder;
use crate::model::{
    Batch, Error, Kind, Mask, Resource, Result, StreamState, Time, printable, with_names,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The level of a LOG message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Details that help to find a cause.
    Debug,
    /// Information about the run.
    Info,
    /// A warning.
    Warn,
}

/// Writes protocol lines, one JSON object each, and never a part of one.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    streams: HashMap<&'static str, Stream>,
    mask: Mask,
    /// Error messages of streams, which are written at the end: a reader that stops at the first error
    /// would lose the records and states of all later streams.
    held: Vec<Value>,
}

#[derive(Debug)]
struct Stream {
    wire: RecordEncoder,
    /// The keys of custom fields by hash, which its states also contain.
    names: BTreeMap<String, String>,
    prefix: Vec<u8>,
    running: bool,
    /// The amount written since the last checkpoint.
    pace: CheckpointPolicy,
    pending: Option<StreamState>,
    /// The last state written.
    last: Option<StreamState>,
}

impl<W: Write> Writer<W> {
    /// Returns a writer that masks these secrets in all text for people.
    pub fn new(out: W, secrets: &[&str]) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            streams: HashMap::new(),
            mask: Mask::new(secrets),
            held: Vec::new(),
        }
    }

    /// Masks one more secret from here on.
    pub fn mask(&mut self, secret: &str) {
        self.mask.add(secret);
    }

    /// Returns text for people with secrets masked.
    pub fn masked(&self, text: &str) -> String {
        self.mask.apply(text)
    }

    /// Returns one line for people, made safe by [`plain`], with secrets masked.
    fn sentence(&self, text: &str) -> String {
        printable(&self.masked(text)).into_owned()
    }

    /// Ends a command: writes the errors of its streams, each as TRACE ERROR, and its own error with exit
    /// code 1, unless the reader closed the output.
    pub fn conclude(&mut self, outcome: Result<ExitCode>, now: Time) -> Result<ExitCode> {
        let outcome = match outcome {
            Err(error) if error.kind() != Kind::Pipe => {
                let fault = self.fault(&error, None, now);
                self.held.push(fault);
                Ok(ExitCode::from(1))
            }
            Err(error) => return Err(error),
            outcome => outcome,
        };
        for fault in std::mem::take(&mut self.held) {
            self.message(&fault)?;
        }
        self.flush()?;
        outcome
    }

    /// Writes SPEC.
    pub fn spec(&mut self, spec: &Value) -> Result<()> {
        self.message(&json!({"type": "SPEC", "spec": spec}))?;
        self.flush()
    }

    /// Writes `CONNECTION_STATUS`, succeeded.
    pub fn succeeded(&mut self, message: &str) -> Result<()> {
        self.status_of_connection("SUCCEEDED", message)
    }

    /// Writes `CONNECTION_STATUS`, failed.
    pub fn refused(&mut self, error: &Error) -> Result<()> {
        self.status_of_connection("FAILED", &error.to_string())
    }

    fn status_of_connection(&mut self, status: &str, message: &str) -> Result<()> {
        let message = self.sentence(message);
        self.message(&json!({
            "type": "CONNECTION_STATUS",
            "connectionStatus": {"status": status, "message": message},
        }))?;
        self.flush()
    }

    /// Writes CATALOG.
    pub fn catalog(&mut self, catalog: &Value) -> Result<()> {
        self.message(&json!({"type": "CATALOG", "catalog": catalog}))?;
        self.flush()
    }

    /// Writes CONTROL: the changed configuration, which the platform stores. It is the only message with
    /// secrets.
    pub fn config(&mut self, config: &Value, now: Time) -> Result<()> {
        self.message(&json!({
            "type": "CONTROL",
            "control": {
                "type": "CONNECTOR_CONFIG",
                "emitted_at": millis(now),
                "connectorConfig": {"config": config},
            },
        }))?;
        self.flush()
    }

    /// Writes LOG.
    pub fn log(&mut self, level: Level, text: &str) -> Result<()> {
        let level = match level {
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
        };
        let text = self.sentence(text);
        self.message(&json!({"type": "LOG", "log": {"level": level, "message": text}}))?;
        self.flush()
    }

    /// Writes a TRACE ERROR about the run immediately.
    pub fn error(&mut self, error: &Error, now: Time) -> Result<()> {
        let fault = self.fault(error, None, now);
        self.message(&fault)?;
        self.flush()
    }

    /// Returns a TRACE ERROR about one stream or the run.
    fn fault(&self, error: &Error, stream: Option<&str>, now: Time) -> Value {
        let message = self.sentence(&error.to_string());
        let causes = error.causes();
        let causes: Vec<_> = causes.iter().map(|cause| self.sentence(cause)).collect();
        let causes = causes.join("\n");
        let mut fault = json!({
            "message": message,
            "internal_message": if causes.is_empty() { error.kind().name().to_owned() } else { causes },
            "failure_type": failure_type(error.kind()),
        });
        if let Some(stream) = stream {
            fault["stream_descriptor"] = json!({"name": stream});
        }
        json!({
            "type": "TRACE",
            "trace": {"type": "ERROR", "emitted_at": millis(now), "error": fault},
        })
    }

    /// Reports the start of a stream.
    pub fn started(
        &mut self,
        resource: &'static Resource,
        wire: RecordEncoder,
        now: Time,
    ) -> Result<()> {
        let name = Value::from(resource.name);
        let prefix = format!(r#"{{"type":"RECORD","record":{{"stream":{name},"data":"#);
        let stream = Stream {
            names: wire.pins(),
            wire,
            prefix: prefix.into_bytes(),
            running: false,
            pace: CheckpointPolicy::new(now),
            pending: None,
            last: None,
        };
        self.streams.insert(resource.name, stream);
        self.status(resource, "STARTED", None, now)?;
        self.flush()
    }

    /// Writes RECORD for every row of a batch, and a STATE if one is due.
    pub fn batch(&mut self, batch: Batch, now: Time) -> Result<()> {
        let resource = batch.resource;
        self.run(resource, now)?;
        let Some(stream) = self.streams.get_mut(resource.name) else {
            return Err(Error::new(Kind::Bug, "batch of a stream that was not started"));
        };
        let suffix = format!(",\"emitted_at\":{}}}}}\n", now.millis());
        let before = self.buffer.len();
        let mut changes = Vec::new();
        for record in &batch.records {
            self.buffer.extend_from_slice(&stream.prefix);
            match stream.wire.line(record, &mut changes) {
                Ok(line) => self.buffer.extend_from_slice(&line),
                Err(error) => {
                    // A line is never written in part.
                    self.buffer.truncate(before);
                    return Err(error);
                }
            }
            if changes.is_empty() {
                self.buffer.extend_from_slice(suffix.as_bytes());
            } else {
                let nulled: Vec<_> = changes
                    .drain(..)
                    .map(|change| {
                        json!({"field": change.field, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"})
                    })
                    .collect();
                let meta = json!({ "changes": nulled });
                let tail = format!(",\"emitted_at\":{},\"meta\":{meta}}}}}\n", now.millis());
                self.buffer.extend_from_slice(tail.as_bytes());
            }
        }
        stream.pace.count(batch.records.len(), self.buffer.len() - before);
        let due = stream.pace.due(checkpoint_policy::size(&batch.reached), now);
        stream.pending = Some(batch.reached);
        if due {
            self.checkpoint(resource, now)?;
        }
        self.flush()
    }

    /// Reports that the stream waits because Pipedrive limits the rate.
    pub fn waiting(
        &mut self,
        resource: &'static Resource,
        pause: Duration,
        now: Time,
    ) -> Result<()> {
        let until =
            now.millis().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
        let reasons = json!([{"type": "RATE_LIMITED", "rate_limited": {"quota_reset": until}}]);
        self.begin(resource);
        self.status(resource, "RUNNING", Some(&reasons), now)?;
        self.flush()
    }

    /// Reports that the stream continues.
    pub fn resumed(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        self.status(resource, "RUNNING", None, now)?;
        self.flush()
    }

    /// Reports a stream that was read to the end: its last STATE, then COMPLETE; or INCOMPLETE, and what
    /// is missing.
    pub fn finished(
        &mut self,
        resource: &'static Resource,
        reached: StreamState,
        lack: Option<&Error>,
        now: Time,
    ) -> Result<()> {
        self.run(resource, now)?;
        if let Some(stream) = self.streams.get_mut(resource.name) {
            stream.pending = Some(reached);
        }
        if let Some(lack) = lack {
            return self.failed(resource, lack, now);
        }
        self.checkpoint(resource, now)?;
        self.status(resource, "COMPLETE", None, now)?;
        self.flush()
    }

    /// Reports a stream that the company lacks: COMPLETE, without rows and without STATE, so that a later
    /// run continues from its state or reads it from the beginning.
    pub fn unavailable(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        self.run(resource, now)?;
        self.checkpoint(resource, now)?;
        self.status(resource, "COMPLETE", None, now)?;
        self.flush()
    }

    /// Reports an incomplete stream: the state it proved, then INCOMPLETE. The reason is reported at the
    /// end of the command.
    pub fn failed(&mut self, resource: &'static Resource, error: &Error, now: Time) -> Result<()> {
        self.checkpoint(resource, now)?;
        self.status(resource, "INCOMPLETE", None, now)?;
        let fault = self.fault(error, Some(resource.name), now);
        self.held.push(fault);
        self.flush()
    }

    /// Writes RUNNING once.
    fn run(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        if self.begin(resource) { self.status(resource, "RUNNING", None, now) } else { Ok(()) }
    }

    fn begin(&mut self, resource: &'static Resource) -> bool {
        self.streams
            .get_mut(resource.name)
            .is_some_and(|s| !std::mem::replace(&mut s.running, true))
    }

    /// Writes a STATE, if there is one to write.
    fn checkpoint(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        let Some(stream) = self.streams.get_mut(resource.name) else {
            return Ok(());
        };
        let Some(state) = stream.pending.take() else {
            return Ok(());
        };
        if stream.pace.records == 0 && stream.last.as_ref() == Some(&state) {
            return Ok(());
        }
        #[expect(clippy::cast_precision_loss, reason = "a count below 2^53, written as 5.0")]
        let records = stream.pace.records as f64;
        stream.pace = CheckpointPolicy::new(now);
        let json = with_names(state.to_json(), &stream.names);
        stream.last = Some(state);
        self.message(&json!({
            "type": "STATE",
            "state": {
                "type": "STREAM",
                "stream": {
                    "stream_descriptor": {"name": resource.name},
                    "stream_state": json,
                },
                "sourceStats": {"recordCount": records},
            },
        }))
    }

    fn status(
        &mut self,
        resource: &Resource,
        status: &str,
        reasons: Option<&Value>,
        now: Time,
    ) -> Result<()> {
        let mut body = json!({"stream_descriptor": {"name": resource.name}, "status": status});
        if let Some(reasons) = reasons {
            body["reasons"] = reasons.clone();
        }
        self.message(&json!({
            "type": "TRACE",
            "trace": {"type": "STREAM_STATUS", "emitted_at": millis(now), "stream_status": body},
        }))
    }

    fn message(&mut self, message: &Value) -> Result<()> {
        lines::push(&mut self.buffer, message);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        lines::flush(&mut self.out, &mut self.buffer)
    }
}

/// Returns who must act, in Airbyte's terms: the user, no one (retry), or us.
pub fn failure_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage
        | Kind::Unavailable
        | Kind::Config
        | Kind::Refused
        | Kind::Auth
        | Kind::Permission
        | Kind::State
        | Kind::Data
        | Kind::Storage => "config_error",
        // A stream that stopped with the run is read by the next run.
        Kind::Incomplete
        | Kind::Quota
        | Kind::Upstream
        | Kind::Network
        | Kind::Shape
        | Kind::Interrupted
        | Kind::Pipe => "transient_error",
        Kind::Bug => "system_error",
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double exactly")]
fn millis(now: Time) -> f64 {
    now.millis() as f64
}
