//! `bundle`, run as its user runs it, in a folder of its own.

use crate::support::{BINARY, Folder};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use source_pipedrive::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// The arrays of a bundle.
pub(crate) const ARRAYS: [&str; 5] =
    ["accounts", "contacts", "opportunities", "leads", "activities"];

/// A folder with bundles, and the CRM's key that commands run with.
#[derive(Debug)]
pub(crate) struct BundleFixture {
    folder: Folder,
    /// Address and key of the CRM.
    crm: Option<(String, String)>,
    config: Option<Value>,
}

/// The output of a command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl BundleFixture {
    pub(crate) fn new() -> Self {
        Self { folder: Folder::new(), crm: None, config: None }
    }

    /// Commands talk to the CRM of this sandbox, as this organization.
    pub(crate) fn crm(mut self, sandbox: &Sandbox, organization: usize) -> Self {
        self.crm = Some((sandbox.origin(), sandbox.crm_key(organization)));
        self
    }

    /// Commands come with this key.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.crm = self.crm.map(|(address, _)| (address, key.to_owned()));
        self
    }

    /// Commands talk to the account of this sandbox.
    pub(crate) fn account(mut self, sandbox: &Sandbox) -> Self {
        self.config = Some(sandbox.config());
        self
    }

    /// The same with this configuration.
    pub(crate) fn configured(mut self, config: Value) -> Self {
        self.config = Some(config);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Names of all files in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).expect("the folder is there");
        let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, content: &str) {
        self.folder.file(name, content);
    }

    /// Reads a bundle.
    pub(crate) fn bundle(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path(name)).expect("the bundle is there");
        serde_json::from_str(&text).expect("a bundle is JSON")
    }

    /// Gives a field (`custom.NAME` too) of a row of a bundle another value; all others stay byte for byte.
    pub(crate) fn edit(&self, name: &str, array: &str, id: &str, field: &str, value: &Value) {
        type Object = BTreeMap<String, Box<RawValue>>;
        let text = std::fs::read_to_string(self.path(name)).expect("the bundle is there");
        let mut bundle: Object = serde_json::from_str(&text).expect("a bundle is JSON");
        let mut rows: Vec<Object> = serde_json::from_str(bundle[array].get()).expect("rows");
        let quoted = json!(id).to_string();
        let row = rows.iter_mut().find(|row| row["public_id"].get() == quoted);
        let row = row.expect("the row is there");
        let new = to_raw_value(value).expect("a value is JSON");
        if let Some(name) = field.strip_prefix("custom.") {
            let mut custom: Object = serde_json::from_str(row["custom"].get()).expect("an object");
            custom.insert(name.to_owned(), new);
            row.insert("custom".to_owned(), to_raw_value(&custom).expect("it is JSON"));
        } else {
            row.insert(field.to_owned(), new);
        }
        bundle.insert(array.to_owned(), to_raw_value(&rows).expect("rows are JSON"));
        self.put(name, &serde_json::to_string(&bundle).expect("a bundle is JSON"));
    }

    /// Reads the side-car of a bundle.
    pub(crate) fn context(&self, name: &str) -> Value {
        self.bundle(&format!("{name}.context.json"))
    }

    /// Returns a command; a push runs without confirmation.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.unattended(arguments);
        if arguments[0] == "push" && !arguments.contains(&"--dry-run") {
            command.arg("--yes");
        }
        command
    }

    /// A command, word for word.
    pub(crate) fn unattended(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("bundle").args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("PIPEDRIVE_") || name.starts_with("DRIPPULSE_") {
                command.env_remove(name);
            }
        }
        if let Some((address, key)) = &self.crm {
            command.env("DRIPPULSE_BASE_URL", address).env("DRIPPULSE_API_KEY", key);
            command.env("DRIPPULSE_BACKOFF_MILLIS", "1");
        }
        let account = arguments[0] == "export" || arguments.contains(&"pipedrive");
        if let (Some(config), true) = (&self.config, account) {
            command.arg("--config").arg(self.folder.json("config.json", config));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(arguments).output().expect("the binary starts"))
    }

    /// Exports the account as a bundle of this name.
    pub(crate) fn export(&self, name: &str) -> Value {
        self.run(&["export", "--out", name]).json()
    }
}

impl CommandOutput {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The object that was printed by a command that succeeded.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self.object()
    }

    /// The object that was printed.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// The error of a command that failed, with its exit code.
    #[track_caller]
    pub(crate) fn error(&self) -> (i32, String) {
        let last = self.stderr.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr));
        (self.code.unwrap_or(-1), error["message"].as_str().unwrap_or_default().to_owned())
    }
}

/// The rows of an array by public id; each may be there once.
pub(crate) fn rows(bundle: &Value, array: &str) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    for row in bundle[array].as_array().into_iter().flatten() {
        let id = row["public_id"].as_str().expect("a row has a public id").to_owned();
        assert!(rows.insert(id.clone(), row.clone()).is_none(), "{id} is there twice");
    }
    rows
}

/// The rows that an organization of the CRM has, as a bundle.
pub(crate) fn held(sandbox: &Sandbox, organization: usize) -> Value {
    let mut bundle = json!({});
    for array in ARRAYS {
        let rows = sandbox.crm_rows(organization, array);
        let rows = rows.iter().map(|row| serde_json::from_slice(row).expect("a row is JSON"));
        bundle[array] = rows.collect::<Vec<Value>>().into();
    }
    bundle
}

/// Rows without what belongs to the CRM alone: internal ids, and ids of pipelines and stages.
pub(crate) fn portable(rows: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut rows = rows.clone();
    for row in rows.values_mut() {
        let row = row.as_object_mut().expect("a row is an object");
        for name in ["id", "pipeline_id", "pipeline_stage_id"] {
            row.remove(name);
        }
        row.retain(|_, value| !value.is_null());
    }
    rows
}

/// Holds the rows of two bundles against each other, apart from what belongs to a CRM alone.
#[track_caller]
pub(crate) fn assert_same(one: &Value, other: &Value) {
    for array in ARRAYS {
        let (one, other) = (portable(&rows(one, array)), portable(&rows(other, array)));
        let ids = |rows: &BTreeMap<String, Value>| rows.keys().cloned().collect::<Vec<_>>();
        assert_eq!(ids(&one), ids(&other), "{array}");
        for (id, row) in &one {
            assert_eq!(row, &other[id], "{id}");
        }
    }
}
