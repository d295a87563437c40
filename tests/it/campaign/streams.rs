//! Keepers of streams: what a platform makes of `read`, and a Singer target of the tap.

use super::files::tells_deletes;
use super::weather::End;
use super::{Driver, Ended, carried_out};
use crate::support::tap::{Tap, spelled};
use crate::support::{Read, key, truth};
use fastrand::Rng;
use serde_json::{Value, json};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::Sandbox;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Incremental,
    FullRefresh,
    Singer,
}

/// A table of a destination: rows by key, with the version they came with.
type Table = BTreeMap<String, (Value, Value)>;

/// A destination that takes rows as they come, the last one of a key wins; and a platform that keeps
/// the states.
pub(super) struct Platform {
    tongue: Tongue,
    read: Read,
    tap: Tap,
    resources: Vec<&'static str>,
    name: String,
    tables: BTreeMap<&'static str, Table>,
    /// The schema of each stream, of Singer's.
    schemas: BTreeMap<&'static str, Value>,
    /// By stream as the platform keeps it; one for all of Singer's.
    states: BTreeMap<String, Value>,
    /// Rows that a state covers, as text.
    covered: BTreeMap<&'static str, BTreeSet<String>>,
    /// Rows that a state covered and that came again.
    repeated: Vec<String>,
    /// People changed something since the reading of a full refresh began.
    changed: bool,
    /// Streams of a full refresh that were whole before the last run.
    whole_before: BTreeSet<&'static str>,
    /// A full refresh ended: the next run begins another one.
    over: bool,
}

impl Platform {
    pub(super) fn incremental(
        account: &Sandbox,
        resources: Vec<&'static str>,
        dice: &mut Rng,
    ) -> Self {
        Self::new(Tongue::Incremental, account, resources, dice)
    }

    pub(super) fn full_refresh(
        account: &Sandbox,
        resources: Vec<&'static str>,
        dice: &mut Rng,
    ) -> Self {
        Self::new(Tongue::FullRefresh, account, resources, dice)
    }

    pub(super) fn singer(account: &Sandbox, resources: Vec<&'static str>, dice: &mut Rng) -> Self {
        Self::new(Tongue::Singer, account, resources, dice)
    }

    fn new(
        tongue: Tongue,
        account: &Sandbox,
        resources: Vec<&'static str>,
        dice: &mut Rng,
    ) -> Self {
        let concurrency = [1, 1, 3][dice.usize(..3)];
        let overlap = [60, 60, 0][dice.usize(..3)];
        let versions = dice.bool();
        let mode = if tongue == Tongue::FullRefresh { "full_refresh" } else { "incremental" };
        let read = Read::of(account, &resources)
            .mode(mode)
            .with("concurrency", concurrency)
            .with("overlap_seconds", overlap);
        let mut tap = Tap::of(account)
            .with("concurrency", concurrency)
            .with("overlap_seconds", overlap)
            .with("emit_activate_version_messages", versions);
        if tongue == Tongue::Singer {
            tap = tap.selecting(&resources);
        }
        let name = format!(
            "{tongue:?}, concurrency {concurrency}, overlap {overlap}, versions: {versions}, {resources:?}"
        );
        Self {
            tongue,
            read,
            tap,
            resources,
            name,
            tables: BTreeMap::new(),
            schemas: BTreeMap::new(),
            states: BTreeMap::new(),
            covered: BTreeMap::new(),
            repeated: Vec::new(),
            changed: false,
            whole_before: BTreeSet::new(),
            over: false,
        }
    }

    fn command(&mut self) -> Command {
        let states: Vec<Value> = self.states.values().cloned().collect();
        if self.tongue == Tongue::Singer {
            self.tap.state = states.first().cloned();
            self.tap.command(&[])
        } else {
            self.read.state = (!states.is_empty()).then(|| states.into());
            self.read.command()
        }
    }

    fn stream(&self, name: &Value) -> &'static str {
        let name = name.as_str().unwrap_or_default();
        self.resources.iter().find(|stream| **stream == name).expect("the stream was selected")
    }

    /// Reads the output of a run.
    fn take(&mut self, ended: &Ended) {
        let text = std::str::from_utf8(&ended.stdout).expect("stdout is UTF-8");
        let restarted =
            text.contains("again from the start") || ended.stderr.contains("again from the start");
        let mut pending: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            let singer = self.tongue == Tongue::Singer;
            match line["type"].as_str().unwrap_or_default() {
                "SCHEMA" => {
                    self.schemas.insert(self.stream(&line["stream"]), line["schema"].clone());
                }
                "RECORD" => {
                    let record = if singer { &line["record"] } else { &line["record"]["data"] };
                    let name = if singer { &line["stream"] } else { &line["record"]["stream"] };
                    let stream = self.stream(name);
                    let resource = Resource::named(stream).expect("the stream exists");
                    let (key, text) = (key(resource, record), record.to_string());
                    let covered = self.covered.get(stream).is_some_and(|rows| rows.contains(&text));
                    if covered && !restarted && self.covers(resource) {
                        self.repeated.push(format!("{stream} row {key}: {text}"));
                    }
                    pending.entry(stream).or_default().push(text);
                    let row = (record.clone(), line["version"].clone());
                    self.tables.entry(stream).or_default().insert(key, row);
                }
                "STATE" if singer => {
                    self.states.insert(String::new(), line["value"].clone());
                    for (stream, rows) in std::mem::take(&mut pending) {
                        self.covered.entry(stream).or_default().extend(rows);
                    }
                }
                "STATE" => {
                    let name = &line["state"]["stream"]["stream_descriptor"]["name"];
                    let stream = self.stream(name);
                    self.states.insert(stream.to_owned(), line["state"].clone());
                    let rows = pending.remove(stream).unwrap_or_default();
                    self.covered.entry(stream).or_default().extend(rows);
                }
                "ACTIVATE_VERSION" => {
                    let table = self.tables.entry(self.stream(&line["stream"])).or_default();
                    table.retain(|_, (_, version)| *version == line["version"]);
                }
                _ => {}
            }
        }
    }

    /// Whether a state says of each row that it went out. Rows per parent come again with their parent,
    /// and a list without times is read as a whole in each run.
    fn covers(&self, resource: &Resource) -> bool {
        let whole = self.tongue == Tongue::FullRefresh;
        resource.parent.is_none() && (resource.incremental() || whole)
    }

    fn is_whole(&self, stream: &str) -> bool {
        let state = self.states.get(stream);
        state.is_some_and(|state| {
            state["stream"]["stream_state"]["__ab_full_refresh_sync_complete"] == json!(true)
        })
    }

    /// Rows as a stream spells them.
    fn spelled(&self, stream: &str, rows: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        match self.schemas.get(stream) {
            Some(schema) => spelled(schema, rows),
            None => rows,
        }
    }
}

impl Driver for Platform {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(&mut self, account: &Sandbox, end: End, dice: &mut Rng, last: bool) -> Ended {
        let full = self.tongue == Tongue::FullRefresh;
        if full && (self.over || last && dice.bool()) {
            self.states.clear();
            self.tables.clear();
            self.covered.clear();
            (self.changed, self.over) = (false, false);
        }
        self.whole_before =
            self.resources.iter().copied().filter(|stream| full && self.is_whole(stream)).collect();
        let command = self.command();
        let ended = carried_out(command, account, end);
        self.take(&ended);
        self.over = ended.code == Some(0);
        ended
    }

    fn changed(&mut self) {
        self.changed = true;
    }

    fn assert_equal(&self, account: &Sandbox) {
        for stream in self.resources.iter().copied() {
            let full = self.tongue == Tongue::FullRefresh;
            let resource = Resource::named(stream).expect("the stream exists");
            let resumed = full && self.changed;
            // A resumed full refresh does not read completed streams again. Rows without times are as
            // they were when their page was read.
            if resumed && (self.whole_before.contains(stream) || !resource.incremental()) {
                continue;
            }
            let keeps_gone = if full { resumed } else { !tells_deletes(stream) };
            let truth = self.spelled(stream, truth(account, stream));
            let empty = Table::new();
            let table = self.tables.get(stream).unwrap_or(&empty);
            let lost: Vec<_> = truth.keys().filter(|key| !table.contains_key(*key)).collect();
            let gone = table.keys().filter(|key| !truth.contains_key(*key));
            let gone: Vec<_> = gone.filter(|_| !keeps_gone).collect();
            assert!(
                lost.is_empty() && gone.is_empty(),
                "{stream}: lost {lost:?}, there is still {gone:?}"
            );
            for (key, row) in truth {
                assert_eq!(table[&key].0, row, "{stream}: row {key} differs");
            }
        }
    }

    fn assert_tidy(&self, _: &Sandbox) {
        let repeated = &self.repeated;
        assert!(repeated.is_empty(), "rows were covered and came again: {repeated:?}");
    }
}
