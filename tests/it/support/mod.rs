//! Runs the real binary against a sandbox, and reads its output.

pub(crate) mod backup;
pub(crate) mod bucket;
pub(crate) mod bundle;
pub(crate) mod parquet;
pub(crate) mod tap;
pub(crate) mod warehouse;

use serde_json::{Value, json};
use source_pipedrive::model::{Record, Resource, Time, Type};
use source_pipedrive::sandbox::{Edit, Features, Habits, Options, Sandbox};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The connector's binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_source-pipedrive");

/// A folder of its own for a test, removed at its end.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("run-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("the target folder can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("the test's folder can be written");
        path
    }

    pub(crate) fn json(&self, name: &str, content: &Value) -> PathBuf {
        self.file(name, &content.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover folder in the target directory does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An account with these options on top of small pages, so that every walk has several.
pub(crate) fn sandbox(options: Options) -> Sandbox {
    Sandbox::start(options).expect("a loopback port is free")
}

/// Small, in pages of 20 rows, without limits: an account that has everything, with all the habits of
/// accounts in use.
pub(crate) fn small() -> Options {
    Options {
        scale: 0.05,
        page_max: Some(20),
        limits: false,
        features: Features::all(),
        habits: Habits::all(),
        ..Options::default()
    }
}

/// The same account as the documentation describes it, where a test counts what is out of the ordinary.
pub(crate) fn documented() -> Options {
    Options { habits: Habits::none(), ..small() }
}

/// Three accounts as people have them, as small as [`small`] and in its pages: one that has everything, one as most have it (no add-ons), and one that lacks all that
/// can be missing.
pub(crate) fn profiles() -> [(&'static str, Options); 3] {
    let with = |features| Options { features, ..small() };
    [
        ("everything", with(Features::all())),
        ("default", with(Options::default().features)),
        ("barest", with(Features::none())),
    ]
}

/// One of the three.
pub(crate) fn profile(name: &str) -> Options {
    let mut profiles = profiles().into_iter();
    profiles.find(|(known, _)| *known == name).expect("there is such a profile").1
}

/// What a run without a selection reads of an account.
pub(crate) fn usual(options: &Options) -> Vec<&'static str> {
    let usual = Resource::all().filter(|resource| !resource.on_request);
    usual.map(|resource| resource.name).filter(|name| options.features.opens(name)).collect()
}

/// A configured catalog of these streams, all in one mode.
pub(crate) fn catalog(streams: &[&str], mode: &str) -> Value {
    let streams: Vec<_> = streams
        .iter()
        .map(|name| {
            let resource = Resource::named(name);
            let schema = resource.map(|r| source_pipedrive::model::json_schema(r, &[], None));
            json!({
                "stream": {"name": name, "json_schema": schema, "supported_sync_modes": [mode]},
                "sync_mode": mode,
                "destination_sync_mode": "append",
            })
        })
        .collect();
    json!({ "streams": streams })
}

/// All stream names.
pub(crate) fn all() -> Vec<&'static str> {
    Resource::all().map(|resource| resource.name).collect()
}

/// A run of `read`, prepared.
#[derive(Debug)]
pub(crate) struct Read {
    folder: Folder,
    pub(crate) config: Value,
    pub(crate) catalog: Value,
    pub(crate) state: Option<Value>,
}

impl Read {
    pub(crate) fn of(sandbox: &Sandbox, streams: &[&str]) -> Self {
        Self {
            folder: Folder::new(),
            config: sandbox.config(),
            catalog: catalog(streams, "incremental"),
            state: None,
        }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    pub(crate) fn mode(mut self, mode: &str) -> Self {
        for stream in self.catalog["streams"].as_array_mut().into_iter().flatten() {
            stream["sync_mode"] = mode.into();
        }
        self
    }

    pub(crate) fn from(mut self, session: &Session) -> Self {
        self.state = Some(session.state());
        self
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("read");
        command.arg("--config").arg(self.folder.json("config.json", &self.config));
        command.arg("--catalog").arg(self.folder.json("catalog.json", &self.catalog));
        if let Some(state) = &self.state {
            command.arg("--state").arg(self.folder.json("state.json", state));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self) -> Session {
        Session::of(&self.output())
    }

    /// What a run wrote, byte for byte.
    pub(crate) fn output(&self) -> Output {
        self.command().output().expect("the binary starts")
    }

    /// Runs until the sandbox has hung a request, then kills the process.
    pub(crate) fn killed_at_hang(&self, sandbox: &Sandbox) -> Session {
        let mut output = ended_at_hang(self.command(), sandbox, |child| {
            child.kill().expect("the process can be killed");
        });
        // What is cut off by the kill is no line.
        let whole = output.stdout.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        output.stdout.truncate(whole);
        Session::of(&output)
    }
}

/// Runs a command until the sandbox has hung a request, and ends it then.
pub(crate) fn ended_at_hang(
    mut command: Command,
    sandbox: &Sandbox,
    end: impl FnOnce(&mut Child),
) -> Output {
    // Its output is read meanwhile, or a full pipe would keep it from the request that hangs.
    fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).expect("the pipe can be read");
            bytes
        })
    }
    let mut child = command.spawn().expect("the binary starts");
    let stdout = reader(child.stdout.take().expect("stdout is a pipe"));
    let stderr = reader(child.stderr.take().expect("stderr is a pipe"));
    sandbox.wait_for_hang();
    end(&mut child);
    let status = child.wait().expect("it ends");
    let stdout = stdout.join().expect("the reader ends");
    Output { status, stdout, stderr: stderr.join().expect("the reader ends") }
}

/// The output of a run.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<Value>,
    pub(crate) stderr: String,
}

impl Session {
    pub(crate) fn of(output: &Output) -> Self {
        let stdout = String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8");
        let lines = stdout.lines().map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in line {line:.200}"))
        });
        Self {
            code: output.status.code(),
            lines: lines.collect(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn of_type<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Value> {
        self.lines.iter().filter(move |line| line["type"] == name)
    }

    /// Records of a stream, in order.
    pub(crate) fn records(&self, stream: &str) -> Vec<&Value> {
        let records = self.of_type("RECORD").map(|line| &line["record"]);
        records.filter(|record| record["stream"] == stream).map(|record| &record["data"]).collect()
    }

    /// The last state of every stream, as the platform hands it back.
    pub(crate) fn state(&self) -> Value {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for line in self.of_type("STATE") {
            let name = line["state"]["stream"]["stream_descriptor"]["name"].to_string();
            last.insert(name, line["state"].clone());
        }
        last.into_values().collect()
    }

    /// The last state of one stream.
    pub(crate) fn state_of(&self, stream: &str) -> Value {
        let states = self.state();
        let found = states
            .as_array()
            .into_iter()
            .flatten()
            .find(|state| state["stream"]["stream_descriptor"]["name"] == stream);
        found.map(|state| state["stream"]["stream_state"].clone()).unwrap_or_default()
    }

    /// Statuses of a stream, in order.
    pub(crate) fn statuses(&self, stream: &str) -> Vec<String> {
        let statuses = self.of_type("TRACE").map(|line| &line["trace"]["stream_status"]);
        statuses
            .filter(|status| status["stream_descriptor"]["name"] == stream)
            .map(|status| status["status"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Messages of TRACE errors, with their stream.
    pub(crate) fn errors(&self) -> Vec<String> {
        let errors = self.of_type("TRACE").map(|line| &line["trace"]["error"]);
        errors
            .filter(|error| !error.is_null())
            .map(|error| {
                let stream = error["stream_descriptor"]["name"].as_str().unwrap_or("run");
                format!(
                    "{stream}: {}: {}",
                    error["failure_type"].as_str().unwrap_or_default(),
                    error["message"].as_str().unwrap_or_default()
                )
            })
            .collect()
    }

    /// Log messages.
    pub(crate) fn logs(&self) -> Vec<&str> {
        self.of_type("LOG").filter_map(|line| line["log"]["message"].as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "errors {:#?}, stderr {}", self.errors(), self.stderr);
        self
    }
}

/// Identity of a record: the values of its key columns.
pub(crate) fn key(resource: &Resource, record: &Value) -> String {
    let values = resource.key.iter().map(|column| match &record[*column] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    values.collect::<Vec<_>>().join("/")
}

/// Every row a complete read must deliver over the wire, by key: zoneless times as RFC 3339.
pub(crate) fn truth(sandbox: &Sandbox, stream: &str) -> BTreeMap<String, Value> {
    let resource = Resource::named(stream).expect("the stream exists");
    let rows = masked_truth(sandbox, stream).into_iter();
    let mut truth: BTreeMap<String, Value> = rows
        .map(|(key, text)| (key, serde_json::from_str(&text).expect("the sandbox writes JSON")))
        .collect();
    for row in truth.values_mut() {
        for column in resource.columns {
            let (Type::Naked | Type::Time, Some(text)) = (column.ty, row[column.name].as_str())
            else {
                continue;
            };
            row[column.name] = match Time::parse(text) {
                Some(_) if text.ends_with('Z') => continue,
                Some(_) => format!("{}Z", text.replace(' ', "T")).into(),
                None => Value::Null,
            };
        }
    }
    truth
}

/// The sandbox's own rows by key, byte for byte, with their secrets masked.
pub(crate) fn masked_truth(sandbox: &Sandbox, stream: &str) -> BTreeMap<String, String> {
    let resource = Resource::named(stream).expect("the stream exists");
    let rows = raw_truth(sandbox, stream).into_iter().map(|(key, row)| {
        let masked = source_pipedrive::model::masked(resource, &row).expect("a row is JSON");
        (key, masked.unwrap_or(row))
    });
    rows.collect()
}

/// The sandbox's own rows by key, byte for byte, with the columns that lists per parent lack.
pub(crate) fn raw_truth(sandbox: &Sandbox, stream: &str) -> BTreeMap<String, String> {
    let resource = Resource::named(stream).expect("the stream exists");
    let rows = sandbox.state(|account| account.truth(stream));
    let mut truth = BTreeMap::new();
    let mut identities = HashSet::new();
    for row in rows {
        let mut text = String::from_utf8(row.json.to_vec()).expect("the sandbox writes UTF-8");
        let mut add = |column: &str, value: Value| {
            let end = text.rfind('}').expect("a row is an object");
            text.replace_range(end.., &format!(",{}:{value}}}", json!(column)));
        };
        if let (Some(parent), Some(owner)) = (&resource.parent, &row.parent) {
            if let Some(column) = parent.column {
                add(column, owner.parse::<i64>().map_or(json!(owner), Value::from));
            }
            if let Some(column) = parent.digest {
                let columns = resource.columns.iter().filter(|column| !column.optional);
                let columns: Vec<_> = columns.map(|column| column.name).collect();
                let record = Record::bare(row.json.clone());
                let mut nth = 0;
                while !identities.insert(record.identity(owner, &columns, nth)) {
                    nth += 1;
                }
                add(column, record.identity(owner, &columns, nth).to_string().into());
            }
        }
        // A row that several parents list looks a little different in each: the first is read.
        let json = serde_json::from_str(&text).expect("the sandbox writes JSON");
        truth.entry(key(resource, &json)).or_insert(text);
    }
    truth
}

/// Requires that these records are the truth: every row once, with its content.
#[track_caller]
pub(crate) fn assert_equals_truth(
    stream: &str,
    records: &[&Value],
    truth: &BTreeMap<String, Value>,
) {
    let resource = Resource::named(stream).expect("the stream exists");
    let mut seen: BTreeMap<String, &Value> = BTreeMap::new();
    for record in records {
        let key = key(resource, record);
        assert!(seen.insert(key.clone(), record).is_none(), "{stream}: row {key} came twice");
    }
    let lost: BTreeSet<_> = truth.keys().filter(|key| !seen.contains_key(*key)).collect();
    let invented: BTreeSet<_> = seen.keys().filter(|key| !truth.contains_key(*key)).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "{stream}: lost {lost:?}, invented {invented:?}"
    );
    for (key, record) in seen {
        assert_eq!(record, &truth[&key], "{stream}: row {key} differs");
    }
}

#[track_caller]
pub(crate) fn assert_whole(sandbox: &Sandbox, session: &Session, streams: &[&str]) {
    for stream in streams {
        assert_equals_truth(stream, &session.records(stream), &truth(sandbox, stream));
        let statuses = session.statuses(stream);
        assert_eq!(statuses.first().map(String::as_str), Some("STARTED"), "{stream}");
        assert_eq!(statuses.get(1).map(String::as_str), Some("RUNNING"), "{stream}");
        assert_eq!(statuses.last().map(String::as_str), Some("COMPLETE"), "{stream}");
    }
}

/// Changes that many rows of each stream an hour later, and lets another minute pass.
pub(crate) fn change(
    sandbox: &Sandbox,
    streams: &[(&'static str, usize)],
) -> BTreeMap<&'static str, Vec<String>> {
    sandbox.state(|account| {
        account.advance(3600);
        let changed = streams.iter().map(|(resource, rows)| {
            (*resource, account.edit(Edit::Bulk { resource, rows: *rows }))
        });
        let changed = changed.collect();
        account.advance(90);
        changed
    })
}

/// Requires that a run delivered these rows, once each and as they are now, and nothing else.
#[track_caller]
pub(crate) fn assert_exactly(sandbox: &Sandbox, session: &Session, stream: &str, keys: &[String]) {
    let mut expected = truth(sandbox, stream);
    expected.retain(|key, _| keys.contains(key));
    assert_eq!(expected.len(), keys.len(), "{stream}: the edited rows are listed");
    assert_equals_truth(stream, &session.records(stream), &expected);
}

/// The last form of every row that some runs delivered, none of them twice in one run in the same
/// form.
#[track_caller]
pub(crate) fn latest<'s>(stream: &str, sessions: &[&'s Session]) -> Vec<&'s Value> {
    let resource = Resource::named(stream).expect("the stream exists");
    let mut rows: BTreeMap<String, &Value> = BTreeMap::new();
    for session in sessions {
        let mut once = BTreeSet::new();
        for record in session.records(stream) {
            let key = key(resource, record);
            let version = (key.clone(), record.to_string());
            assert!(once.insert(version), "{stream}: row {key} came twice in a run");
            rows.insert(key, record);
        }
    }
    rows.into_values().collect()
}
