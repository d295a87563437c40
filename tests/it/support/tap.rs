//! Prepares and runs the Singer tap, and reads its output.

use crate::singer::property_order::assert_in_order;
use crate::support::{BINARY, Folder, Session, key};
use serde_json::{Value, json};
use source_pipedrive::model::{JSON_AS_TEXT, Resource};
use source_pipedrive::sandbox::Sandbox;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The tap: the program under its other name.
pub(crate) static TAP: LazyLock<String> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/tap-pipedrive");
    let _ = std::fs::remove_file(path);
    std::os::unix::fs::symlink(BINARY, path).expect("the folder of tests can be written to");
    path.to_owned()
});

/// A run of the tap.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) folder: Folder,
    pub(crate) config: Value,
    pub(crate) catalog: Option<Value>,
    pub(crate) state: Option<Value>,
}

impl Tap {
    /// Of this account, without a catalog.
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        Self { folder: Folder::new(), config: sandbox.config(), catalog: None, state: None }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// With the account's catalog, these streams selected and no other.
    pub(crate) fn selecting(mut self, streams: &[&str]) -> Self {
        let mut catalog = self.discover();
        for stream in catalog["streams"].as_array_mut().into_iter().flatten() {
            let name = stream["tap_stream_id"].as_str().unwrap_or_default().to_owned();
            root(stream)["selected"] = streams.contains(&name.as_str()).into();
        }
        self.catalog = Some(catalog);
        self
    }

    /// Adds metadata for a breadcrumb of a stream; the empty breadcrumb is the stream itself.
    pub(crate) fn saying(
        mut self,
        stream: &str,
        breadcrumb: &[&str],
        key: &str,
        value: Value,
    ) -> Self {
        let catalog = self.catalog.as_mut().expect("there is a catalog");
        let streams = catalog["streams"].as_array_mut().expect("it has streams");
        let stream =
            streams.iter_mut().find(|s| s["tap_stream_id"] == stream).expect("it is there");
        let entries = stream["metadata"].as_array_mut().expect("it has metadata");
        let entry = entries.iter_mut().find(|entry| entry["breadcrumb"] == json!(breadcrumb));
        entry.expect("every place has metadata")["metadata"][key] = value;
        self
    }

    pub(crate) fn from(mut self, state: Value) -> Self {
        self.state = Some(state);
        self
    }

    pub(crate) fn discover(&self) -> Value {
        let output = self.command(&["--discover"]).output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("the catalog is one JSON document")
    }

    fn config(&self) -> PathBuf {
        self.folder.json("config.json", &self.config)
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(&*TAP);
        command.arg("--config").arg(self.config()).args(more);
        if let Some(catalog) = &self.catalog {
            command.arg("--catalog").arg(self.folder.json("catalog.json", catalog));
        }
        if let Some(state) = &self.state {
            command.arg("--state").arg(self.folder.json("state.json", state));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self) -> Spoken {
        let output = self.command(&[]).output().expect("the binary starts");
        assert_in_order(&String::from_utf8_lossy(&output.stdout));
        let spoken = Spoken::of(Session::of(&output));
        // Whoever keeps the last line has the state.
        let last = spoken.0.lines.last().map(|line| &line["type"]);
        assert!(spoken.0.code != Some(0) || last.is_none_or(|last| last == "STATE"), "{last:?}");
        spoken
    }
}

/// Rows as they go to a target with this schema: columns of several types are text, and what is
/// declared and absent is null.
pub(crate) fn spelled(
    schema: &Value,
    mut rows: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    fn fill(schema: &Value, value: &mut Value) {
        for item in value.as_array_mut().into_iter().flatten() {
            fill(&schema["items"], item);
        }
        let Some(object) = value.as_object_mut() else { return };
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let value = object.entry(name).or_insert(Value::Null);
            fill(property, value);
            if property[JSON_AS_TEXT] == true && !value.is_string() && !value.is_null() {
                *value = value.to_string().into();
            }
        }
    }
    for row in rows.values_mut() {
        // An object among texts stands beside its label.
        let beside = "lost_reason_object";
        if schema["properties"][beside].is_object() && row["lost_reason"].is_object() {
            row[beside] = row["lost_reason"].take();
            row["lost_reason"] = row[beside]["label"].clone();
        }
        fill(schema, row);
    }
    rows
}

/// The metadata of a stream itself.
pub(crate) fn root(stream: &mut Value) -> &mut Value {
    let entries = stream["metadata"].as_array_mut().expect("it has metadata");
    let entry = entries.iter_mut().find(|entry| entry["breadcrumb"] == json!([]));
    &mut entry.expect("the stream has metadata")["metadata"]
}

/// The output of a run of the tap; every line is checked against the protocol.
#[derive(Debug)]
pub(crate) struct Spoken(pub(crate) Session);

impl Spoken {
    #[track_caller]
    fn of(session: Session) -> Self {
        let spoken = Self(session);
        spoken.assert_proper();
        spoken
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.0.code, Some(0), "{}", self.0.stderr);
        self
    }

    pub(crate) fn of_type<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Value> {
        self.0.of_type(name)
    }

    pub(crate) fn records(&self, stream: &str) -> Vec<&Value> {
        let records = self.of_type("RECORD").filter(|line| line["stream"] == stream);
        records.map(|line| &line["record"]).collect()
    }

    pub(crate) fn schema(&self, stream: &str) -> &Value {
        self.of_type("SCHEMA").find(|line| line["stream"] == stream).expect("it has a schema")
    }

    /// Returns the rows of this run in the form of [`spelled`].
    pub(crate) fn spelled(
        &self,
        stream: &str,
        rows: BTreeMap<String, Value>,
    ) -> BTreeMap<String, Value> {
        spelled(&self.schema(stream)["schema"], rows)
    }

    /// The value of the last STATE, as a target echoes it.
    pub(crate) fn state(&self) -> Value {
        self.of_type("STATE").last().map(|line| line["value"].clone()).unwrap_or_default()
    }

    /// Lines of stderr with this level.
    pub(crate) fn logged(&self, level: &str) -> Vec<&str> {
        self.0
            .stderr
            .lines()
            .filter_map(|line| line.strip_prefix(level)?.strip_prefix(' '))
            .collect()
    }

    /// The rules of protocols.md 0, 9, for every line.
    #[track_caller]
    fn assert_proper(&self) {
        let mut schemas: BTreeMap<&str, &Value> = BTreeMap::new();
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        let mut versions: BTreeMap<&str, &Value> = BTreeMap::new();
        for line in &self.0.lines {
            let stream = line["stream"].as_str().unwrap_or_default();
            match line["type"].as_str() {
                Some("SCHEMA") => {
                    assert!(schemas.insert(stream, line).is_none(), "{stream}: a second SCHEMA");
                    assert!(!line["schema"].to_string().contains("$ref"), "{stream}: $ref");
                    for key in line["key_properties"].as_array().expect("there are key_properties")
                    {
                        let key = key.as_str().expect("a key is text");
                        let types = &line["schema"]["properties"][key]["type"];
                        assert!(
                            types.is_array() || types.is_string(),
                            "{stream}: {key} undeclared"
                        );
                        assert!(!types.to_string().contains("null"), "{stream}: {key} may be null");
                    }
                }
                Some("RECORD") => {
                    let schema = schemas.get(stream).expect("SCHEMA comes before RECORD");
                    let record = line["record"].as_object().expect("a record is an object");
                    let declared = schema["schema"]["properties"].as_object().expect("properties");
                    for name in record.keys() {
                        assert!(declared.contains_key(name), "{stream}: {name} is undeclared");
                    }
                    assert_strict(&schema["schema"], &line["record"], stream);
                    let resource = Resource::named(stream).expect("it is a stream of ours");
                    for key in resource.key {
                        assert!(!line["record"][*key].is_null(), "{stream}: no {key}");
                    }
                    let key = key(resource, &line["record"]);
                    assert!(seen.insert((stream.to_owned(), key)), "{stream}: a key twice");
                    let when = line["time_extracted"].as_str().expect("time_extracted");
                    assert!(is_utc(when), "{when}");
                    if let Some(version) = line.get("version") {
                        assert!(version.is_i64(), "{stream}: version {version}");
                        assert_eq!(*versions.entry(stream).or_insert(version), version, "{stream}");
                    }
                }
                Some("STATE") => {
                    let bookmarks = line["value"]["bookmarks"].as_object().expect("bookmarks");
                    for state in bookmarks.values() {
                        assert!(state.get("progress_markers").is_none(), "{state}");
                    }
                }
                Some("ACTIVATE_VERSION") => {
                    assert_eq!(
                        versions.entry(stream).or_insert(&line["version"]),
                        &&line["version"]
                    );
                }
                other => panic!("{other:?} is no message of Singer's"),
            }
        }
        for line in self.0.stderr.lines() {
            let level = line.split(' ').next().unwrap_or_default();
            let known = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].contains(&level);
            assert!(known, "stderr: {line}");
            if let Some(metric) = line.strip_prefix("INFO METRIC: ") {
                let metric: Value = serde_json::from_str(metric).expect("a metric is JSON");
                assert!(metric["value"].is_number() && metric["tags"]["stream"].is_string());
            }
        }
    }
}

/// A value against a schema, as the strictest loader does it: `5.0` is no integer, a date is one of
/// the calendar, a time has its zone.
#[track_caller]
pub(crate) fn assert_strict(schema: &Value, value: &Value, path: &str) {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => panic!("{path}: a property without a type"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let number = kind == "integer" && types.contains(&"number");
    assert!(types.contains(&kind) || number, "{path}: {value} is not of {types:?}");
    match value {
        Value::String(text) => {
            assert!(!text.contains('\0'), "{path}: a NUL");
            match schema["format"].as_str() {
                Some("date") => assert!(is_date(text), "{path}: {text}"),
                Some("date-time") => assert!(is_utc(text), "{path}: {text}"),
                _ => {}
            }
        }
        Value::Array(items) if schema.get("items").is_some() => {
            for item in items {
                assert_strict(&schema["items"], item, path);
            }
        }
        Value::Object(members) => {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(member) = members.get(name) {
                    assert_strict(property, member, &format!("{path}.{name}"));
                }
            }
        }
        _ => {}
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && source_pipedrive::model::Time::parse(text).is_some()
}

fn is_utc(text: &str) -> bool {
    let time = source_pipedrive::model::Time::parse(text);
    text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z') && time.is_some()
}
