//! Writes Singer messages to one output, and log lines about them to another.

use super::super::checkpoint_policy::{self, CheckpointPolicy};
use super::super::lines;
use super::super::record_encoder::RecordEncoder;
use super::selection::{Method, Selection};
use crate::model::{
    Batch, Conformer, Cost, Error, InOrder, Kind, Names, Record, Resource, Result, StreamState,
    Time, TypeMismatches, custom_fields_of, plain_json, printable, with_names,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

/// Seconds between two metrics of a running stream.
const METRIC_SECONDS: i64 = 60;
/// Properties whose misfits are counted; more than any resource has.
const MISFITS_MAX: usize = 1_000;
/// Properties that are named when values of them did not fit; the rest is counted.
const MISFITS_NAMED_MAX: usize = 10;

/// Rows at the beginning of a stream that are looked at for the order of its custom fields.
const ROWS_LOOKED_AT_MAX: usize = 20;

/// The reason for leaving out a row that cannot be identified.
const NO_ID: &str = "no usable id";

/// Writes Singer messages, one JSON object a line, never half of one; metrics and warnings go to
/// `log`, a line each.
#[derive(Debug)]
pub struct Writer<W, L> {
    out: W,
    log: L,
    /// Whether metrics are logged.
    metrics: bool,
    buffer: Vec<u8>,
    streams: HashMap<&'static str, Stream>,
    /// What STATE holds: the object of every stream, as JSON.
    bookmarks: BTreeMap<String, String>,
    /// The last state written.
    last: Option<String>,
    pace: CheckpointPolicy,
}

#[derive(Debug)]
struct Stream {
    /// What was selected, until its SCHEMA is written.
    unannounced: Option<Selection>,
    wire: RecordEncoder,
    /// What its bookmarks hold besides: the keys of custom fields, by hash.
    names: BTreeMap<String, String>,
    fit: Conformer,
    prefix: Vec<u8>,
    /// What `ACTIVATE_VERSION` will name; `None` where none is to be sent.
    version: Option<i64>,
    reached: Option<StreamState>,
    began: Time,
    counted: Time,
    /// Rows that were not counted yet.
    records: u64,
    cost: Cost,
    nulled: BTreeMap<String, u64>,
    undeclared: BTreeMap<String, u64>,
    /// Rows whose texts held a NUL.
    nuls: u64,
    /// Rows that no target takes, by what is wrong with them: they were left out.
    left_out: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct Schema<'s> {
    #[serde(rename = "type")]
    kind: &'static str,
    stream: &'static str,
    key_properties: &'static [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    bookmark_properties: Option<[&'static str; 1]>,
    #[serde(rename = "schema")]
    properties: InOrder<'s>,
}

impl<W: Write, L: Write> Writer<W, L> {
    /// Returns a writer that continues from these bookmarks. Those of streams that are not read stay as
    /// they are.
    pub fn new(out: W, log: L, bookmarks: &BTreeMap<String, Value>, now: Time) -> Self {
        let bookmarks = bookmarks.iter().map(|(name, state)| (name.clone(), state.to_string()));
        Self {
            out,
            log,
            metrics: true,
            buffer: Vec::new(),
            streams: HashMap::new(),
            bookmarks: bookmarks.collect(),
            last: None,
            pace: CheckpointPolicy::new(now),
        }
    }

    /// Logs no metrics.
    #[must_use]
    pub fn without_metrics(self) -> Self {
        Self { metrics: false, ..self }
    }

    /// A stream begins; its SCHEMA comes with its first rows, or at its end. With `versioned`, its rows
    /// carry a version, and when they have all come, `ACTIVATE_VERSION` says that there are no others.
    pub fn started(
        &mut self,
        selection: &Selection,
        names: Option<Names>,
        versioned: bool,
        now: Time,
    ) {
        let resource = selection.resource;
        let name = Value::from(resource.name);
        let prefix = format!(r#"{{"type":"RECORD","stream":{name},"record":"#);
        let wire = RecordEncoder::new(resource, &selection.whole, names);
        let stream = Stream {
            unannounced: Some(selection.clone()),
            names: wire.pins(),
            wire,
            fit: Conformer::of(resource, &selection.schema, &selection.whole, &[]),
            prefix: prefix.into_bytes(),
            version: versioned.then(|| now.millis()),
            reached: None,
            began: now,
            counted: now,
            records: 0,
            cost: Cost::default(),
            nulled: BTreeMap::new(),
            undeclared: BTreeMap::new(),
            nuls: 0,
            left_out: BTreeMap::new(),
        };
        self.streams.insert(resource.name, stream);
    }

    /// The SCHEMA of a stream, once: custom fields are in the order in which its first rows have them, so
    /// that they need not be put in another one.
    fn announce(&mut self, resource: &'static Resource, rows: &[Record]) -> Result<()> {
        let Some(stream) = self.streams.get_mut(resource.name) else {
            return Ok(());
        };
        let Some(selection) = stream.unannounced.take() else {
            return Ok(());
        };
        let mut seen = Vec::new();
        for row in rows.iter().take(ROWS_LOOKED_AT_MAX) {
            let line = stream.wire.line(row, &mut Vec::new())?;
            let line = String::from_utf8_lossy(&line);
            seen = custom_fields_of(&line, &selection.whole, resource.columns);
            if !seen.is_empty() {
                break;
            }
        }
        stream.fit = Conformer::of(resource, &selection.schema, &selection.whole, &seen);
        let cursor = resource.cursor.filter(|_| selection.method == Method::Incremental);
        self.message(&Schema {
            kind: "SCHEMA",
            stream: resource.name,
            key_properties: resource.key,
            bookmark_properties: cursor.map(|cursor| [cursor]),
            properties: InOrder::of(&selection.schema, resource.columns, &seen),
        });
        Ok(())
    }

    /// RECORD for every row of a batch, and a STATE when one is due.
    pub fn batch(&mut self, batch: Batch, now: Time) -> Result<()> {
        let name = batch.resource.name;
        self.announce(batch.resource, &batch.records)?;
        let Some(stream) = self.streams.get_mut(name) else {
            return Err(Error::new(Kind::Bug, "batch of a stream that was not started"));
        };
        let version = stream.version.map(|version| format!(",\"version\":{version}"));
        let suffix =
            format!(",\"time_extracted\":\"{now}\"{}}}\n", version.as_deref().unwrap_or_default());
        let (before, mut rows) = (self.buffer.len(), 0);
        for record in &batch.records {
            let here = self.buffer.len();
            self.buffer.extend_from_slice(&stream.prefix);
            match stream.put(record, &mut self.buffer) {
                Ok(None) => {
                    self.buffer.extend_from_slice(suffix.as_bytes());
                    rows += 1;
                }
                // The row is counted, and the others are written.
                Ok(Some(why)) => {
                    self.buffer.truncate(here);
                    count([why], &mut stream.left_out);
                }
                Err(error) => {
                    // Never half a line.
                    self.buffer.truncate(before);
                    return Err(error.at(name));
                }
            }
        }
        stream.records += rows as u64;
        self.pace.count(rows, self.buffer.len() - before);
        stream.reached = Some(batch.reached);
        if stream.counted.plus_seconds(METRIC_SECONDS) <= now {
            let (records, name) = (std::mem::take(&mut stream.records), Value::from(name));
            stream.counted = now;
            self.metric("counter", "record_count", &records.into(), &json!({"stream": name}));
        }
        let reached = self.streams.values().filter_map(|stream| stream.reached.as_ref());
        let size: usize = reached.map(checkpoint_policy::size).sum();
        let others: usize = self.bookmarks.values().map(String::len).sum();
        if self.pace.due(size + others, now) {
            self.state(now)?;
        }
        self.flush()
    }

    /// A page was answered: what it cost.
    pub fn answered(&mut self, resource: &'static Resource, cost: Cost) {
        if let Some(stream) = self.streams.get_mut(resource.name) {
            stream.cost += cost;
        }
    }

    /// The stream was read to its end: `ACTIVATE_VERSION` if it is versioned, and STATE.
    pub fn finished(
        &mut self,
        resource: &'static Resource,
        reached: StreamState,
        now: Time,
    ) -> Result<()> {
        self.announce(resource, &[])?;
        let Some(stream) = self.streams.get_mut(resource.name) else {
            return Err(Error::new(Kind::Bug, "end of a stream that was not started"));
        };
        stream.reached = Some(reached);
        if !stream.left_out.is_empty() {
            // What was left out may be a row that the target has under its key.
            return self.ended(resource, "failed", now);
        }
        if let Some(version) = stream.version {
            self.message(&json!({
                "type": "ACTIVATE_VERSION", "stream": resource.name, "version": version,
            }));
        }
        self.ended(resource, "succeeded", now)
    }

    /// The error of a stream that is read when rows of it were left out because no target takes them,
    /// although they have a usable id.
    pub fn left_out(&self, resource: &Resource) -> Option<Error> {
        let left_out = self.streams.get(resource.name)?.left_out.iter();
        let message = match left_out.filter(|(why, _)| *why != NO_ID).map(|(_, rows)| rows).sum() {
            0_u64 => return None,
            1 => "1 row was left out that no target takes".to_owned(),
            rows => format!("{rows} rows were left out that no target takes"),
        };
        Some(Error::new(Kind::Shape, message))
    }

    /// The stream ended before its end.
    pub fn failed(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        self.ended(resource, "failed", now)
    }

    /// The company has not the stream: there is nothing of it, and what is known of it stays as it is.
    pub fn unavailable(&mut self, resource: &'static Resource, now: Time) -> Result<()> {
        self.ended(resource, "unavailable", now)
    }

    fn ended(&mut self, resource: &'static Resource, status: &str, now: Time) -> Result<()> {
        self.announce(resource, &[])?;
        self.state(now)?;
        self.flush()?;
        let Some(stream) = self.streams.remove(resource.name) else {
            return Ok(());
        };
        let name = resource.name;
        let tags = json!({ "stream": name });
        self.metric("counter", "record_count", &stream.records.into(), &tags);
        self.metric("counter", "http_request_count", &stream.cost.requests.into(), &tags);
        self.metric("counter", "api_token_count", &stream.cost.tokens.into(), &tags);
        #[expect(clippy::cast_precision_loss, reason = "a time that passed, in milliseconds")]
        let seconds = (now.millis() - stream.began.millis()) as f64 / 1000.0;
        let tags = json!({"stream": name, "status": status});
        self.metric("timer", "sync_duration", &seconds.into(), &tags);
        if let Some(counts) = counted(&stream.nulled) {
            self.warn(&format!(
                "{name}: values that are not of their declared type went out as null: {counts}"
            ));
        }
        if let Some(counts) = counted(&stream.left_out) {
            self.warn(&format!("{name}: rows that no target takes were left out: {counts}"));
        }
        if stream.nuls > 0 {
            self.warn(&format!(
                "{name}: texts of {} rows held NUL characters, which databases refuse; they are \
                 U+FFFD now",
                stream.nuls
            ));
        }
        // Keys that no version of the catalog could contain were reported when their page was read.
        let known = |field: &str| stream.wire.is_known(resource, field);
        let undeclared = stream.undeclared.iter().filter(|(field, _)| known(field));
        let undeclared = undeclared.map(|(field, rows)| (field.clone(), *rows)).collect();
        if let Some(counts) = counted(&undeclared) {
            self.warn(&format!(
                "{name}: fields that the catalog does not have were left out, run --discover to \
                 have them: {counts}"
            ));
        }
        Ok(())
    }

    /// Writes the current state of the run, unless it was the last one written.
    pub fn state(&mut self, now: Time) -> Result<()> {
        for (name, stream) in &mut self.streams {
            if let Some(reached) = stream.reached.take() {
                let bookmark = with_names(reached.to_sealed_json(), &stream.names);
                self.bookmarks.insert((*name).to_owned(), bookmark.to_string());
            }
        }
        let mut state = String::from(r#"{"type":"STATE","value":{"bookmarks":{"#);
        for (nth, (name, bookmark)) in self.bookmarks.iter().enumerate() {
            if nth > 0 {
                state.push(',');
            }
            state.push_str(&Value::from(name.as_str()).to_string());
            state.push(':');
            state.push_str(bookmark);
        }
        state.push_str("}}}\n");
        if self.pace.records == 0 && self.last.as_deref() == Some(&state) {
            return Ok(());
        }
        self.pace = CheckpointPolicy::new(now);
        self.buffer.extend_from_slice(plain_json(&state).as_bytes());
        self.last = Some(state);
        Ok(())
    }

    /// Sees everything out.
    pub fn flush(&mut self) -> Result<()> {
        lines::flush(&mut self.out, &mut self.buffer)
    }

    fn message(&mut self, message: &impl Serialize) {
        // The last line of a run is its state, also when that has not changed.
        self.last = None;
        lines::push(&mut self.buffer, message);
    }

    /// A metric as taps log them (protocols.md 10).
    fn metric(&mut self, kind: &str, metric: &str, value: &Value, tags: &Value) {
        if !self.metrics {
            return;
        }
        let point = json!({"type": kind, "metric": metric, "value": value, "tags": tags});
        // A failed write to stderr cannot be reported.
        let _ = writeln!(self.log, "INFO METRIC: {}", plain_json(&point.to_string()));
    }

    fn warn(&mut self, text: &str) {
        let _ = writeln!(self.log, "WARNING {}", printable(text));
    }
}

impl Stream {
    /// The record as the target takes it: with the properties of the schema, in its order. If no target
    /// takes it, what is wrong with it; part of it was written then.
    fn put(&mut self, record: &Record, buffer: &mut Vec<u8>) -> Result<Option<String>> {
        if record.key.is_none() {
            return Ok(Some(NO_ID.to_owned()));
        }
        // Values that become null here are times that were never set. Nothing is lost and nothing is
        // reported.
        let line = self.wire.line(record, &mut Vec::new())?;
        let mut line = line;
        if let Some(mended) = without_nul(&line) {
            self.nuls += 1;
            line = Cow::Owned(mended);
        }
        let json = simdutf8::basic::from_utf8(&line)
            .map_err(|error| Error::new(Kind::Bug, "a record is not UTF-8").because(error))?;
        // What was rewritten stands elsewhere than it was found.
        let exact = record.exact.filter(|_| matches!(line, Cow::Borrowed(_)));
        let mut misfits = TypeMismatches::default();
        match self.fit.put(json, exact.as_ref(), buffer, &mut misfits) {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Shape => return Ok(Some(error.summary())),
            Err(error) => return Err(error),
        }
        count(misfits.nulled, &mut self.nulled);
        count(misfits.undeclared, &mut self.undeclared);
        Ok(None)
    }
}

fn count(fields: impl IntoIterator<Item = String>, counts: &mut BTreeMap<String, u64>) {
    for field in fields {
        if counts.len() < MISFITS_MAX || counts.contains_key(&field) {
            *counts.entry(field).or_default() += 1;
        }
    }
}

/// The record with U+FFFD in place of every NUL in a text; `None` when there is none.
fn without_nul(json: &[u8]) -> Option<Vec<u8>> {
    const NUL: &[u8] = br"\u0000";
    memchr::memmem::find(json, NUL)?;
    let (mut out, mut at) = (json.to_vec(), 0);
    while let Some(found) = memchr::memchr(b'\\', &out[at..]) {
        at += found;
        if out[at..].starts_with(NUL) {
            out[at..at + NUL.len()].copy_from_slice(br"\ufffd");
        }
        // Over the escape, which may be of a backslash.
        at += 2;
    }
    Some(out)
}

/// `probability (2), custom_fields.9dc8… (1)`.
fn counted(counts: &BTreeMap<String, u64>) -> Option<String> {
    let named = counts.iter().take(MISFITS_NAMED_MAX).map(|(field, n)| format!("{field} ({n})"));
    let mut named: Vec<_> = named.collect();
    if counts.len() > MISFITS_NAMED_MAX {
        named.push(format!("and {} more", counts.len() - MISFITS_NAMED_MAX));
    }
    (!named.is_empty()).then(|| named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_told_from_what_looks_like_it() {
        for (json, expected) in [
            (r#"{"a":"x\u0000y\u0000"}"#, Some(r#"{"a":"x\ufffdy\ufffd"}"#)),
            (r#"{"a":"\\u0000\\\u0000"}"#, Some(r#"{"a":"\\u0000\\\ufffd"}"#)),
            (r#"{"a":"\u0001"}"#, None),
        ] {
            let mended = without_nul(json.as_bytes());
            assert_eq!(mended.as_deref().map(String::from_utf8_lossy).as_deref(), expected);
        }
    }
}
