//! `backup`, run as its user runs it, and what then lies in the folder.

use crate::support::warehouse::CommandOutput;
use crate::support::{BINARY, Folder, key, raw_truth};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// A backup in a folder of its own, and how it is made.
#[derive(Debug)]
pub(crate) struct BackupFixture {
    folder: Folder,
    pub(crate) config: Value,
    pub(crate) resources: Vec<&'static str>,
}

impl BackupFixture {
    /// Of these resources; with none, of all that are backed up without being asked for.
    pub(crate) fn of(sandbox: &Sandbox, resources: &[&'static str]) -> Self {
        Self { folder: Folder::new(), config: sandbox.config(), resources: resources.to_vec() }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// Reads another account from now on.
    pub(crate) fn pointed_at(&mut self, sandbox: &Sandbox) {
        for (key, value) in sandbox.config().as_object().into_iter().flatten() {
            self.config[key] = value.clone();
        }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        self.command_with(&self.config, more)
    }

    fn command_with(&self, config: &Value, more: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("backup");
        if !more.contains(&"-o") {
            command.args(["-o", "json"]);
        }
        command.arg("--config").arg(self.folder.json("config.json", config));
        command.arg("--dir").arg(self.dir());
        if !self.resources.is_empty() && !more.contains(&"--resources") {
            command.arg("--resources").arg(self.resources.join(","));
        }
        command.args(more);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PIPEDRIVE_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, more: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(more).output().expect("the binary starts"))
    }

    /// A run that aborts at this step of its storage; `None` when it came to its end before.
    pub(crate) fn crash(&self, step: u64, more: &[&str]) -> Option<CommandOutput> {
        let mut config = self.config.clone();
        config["crash_at_step"] = step.into();
        let output = self.command_with(&config, more).output().expect("the binary starts");
        output.status.code().is_some().then(|| CommandOutput::of(&output))
    }

    /// A run that is killed as soon as the sandbox has hung a request.
    pub(crate) fn killed_at_hang(&self, sandbox: &Sandbox, more: &[&str]) {
        let mut command = self.command(more);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        sandbox.wait_for_hang();
        child.kill().expect("the process can be killed");
        child.wait().expect("it ends");
    }

    /// A run that is interrupted, as by Ctrl-C, as soon as the sandbox has hung a request.
    pub(crate) fn interrupted_at_hang(&self, sandbox: &Sandbox, more: &[&str]) -> CommandOutput {
        let child = self.command(more).spawn().expect("the binary starts");
        sandbox.wait_for_hang();
        let id = child.id().to_string();
        let told = Command::new("kill").args(["-INT", &id]).status().expect("there is kill");
        assert!(told.success());
        CommandOutput::of(&child.wait_with_output().expect("it ends"))
    }

    pub(crate) fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.dir().join("manifest.json")).expect("there is a manifest");
        serde_json::from_slice(&bytes).expect("the manifest is JSON")
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join(name)).expect("the file is there")
    }

    /// Returns the rows of a resource by key, as the text in the file.
    pub(crate) fn rows(&self, resource: &str) -> BTreeMap<String, String> {
        let resource = Resource::named(resource).expect("the resource exists");
        let text = self.text(&format!("{}.json", resource.file));
        let rows: Vec<Box<serde_json::value::RawValue>> =
            serde_json::from_str(&text).expect("the file is a JSON array");
        let mut keyed = BTreeMap::new();
        for row in rows {
            let json: Value = serde_json::from_str(row.get()).expect("a row is JSON");
            let key = key(resource, &json);
            let before = keyed.insert(key.clone(), row.get().to_owned());
            assert!(before.is_none(), "{}: row {key} is there twice", resource.name);
        }
        keyed
    }

    /// Requires that the backup holds every row of the account once, byte for byte, and nothing else.
    #[track_caller]
    pub(crate) fn assert_whole(&self, sandbox: &Sandbox) {
        let all: Vec<&str> = Resource::all().filter(|r| !r.is_history()).map(|r| r.name).collect();
        let resources = if self.resources.is_empty() { all } else { self.resources.clone() };
        for name in resources {
            let resource = Resource::named(name).expect("the resource exists");
            let (rows, truth) = (self.rows(name), raw_truth(sandbox, name));
            let lost: Vec<_> = truth.keys().filter(|key| !rows.contains_key(*key)).collect();
            let invented: Vec<_> = rows.keys().filter(|key| !truth.contains_key(*key)).collect();
            assert!(
                lost.is_empty() && invented.is_empty(),
                "{name}: lost {lost:?}, invented {invented:?}"
            );
            let completed = resource.parent.as_ref().is_some_and(|p| p.column.is_some());
            for (key, row) in truth {
                // Columns that the API's rows lack are added at another end here.
                let same = if completed || !resource.secrets.is_empty() {
                    let parsed = |text: &str| -> Value {
                        let mut row: Value = serde_json::from_str(text).expect("a row is JSON");
                        for secret in resource.secrets {
                            if !row[*secret].is_null() {
                                row[*secret] = json!("****");
                            }
                        }
                        row
                    };
                    parsed(&rows[&key]) == parsed(&row)
                } else {
                    rows[&key] == row
                };
                assert!(same, "{name}: row {key} differs");
            }
        }
        self.assert_proven();
    }

    /// Requires that every file the manifest calls whole is there, with its size and hash; and, for
    /// a backup without a newer one under way, that there is nothing else.
    #[track_caller]
    pub(crate) fn assert_proven(&self) {
        let manifest = self.manifest();
        let mut known = vec!["manifest.json".to_owned(), "manifest.lock".to_owned()];
        let mut settled = true;
        for (stem, file) in manifest["files"].as_object().into_iter().flatten() {
            let mut name = format!("{stem}.json");
            let staged = file["staged"].as_str().map(str::to_owned);
            if let Some(staged) = staged.filter(|staged| self.dir().join(staged).exists()) {
                name = staged;
                settled = false;
            }
            let bytes = std::fs::read(self.dir().join(&name)).unwrap_or_else(|_| {
                panic!("{name} is missing");
            });
            assert_eq!(file["bytes"], bytes.len(), "{name}");
            assert_eq!(file["sha256"], sha256(&bytes), "{name}");
            known.push(name);
        }
        if settled && manifest["complete"] == true && manifest["next"].is_null() {
            let strangers: Vec<_> =
                self.names().into_iter().filter(|name| !known.contains(name)).collect();
            assert!(strangers.is_empty(), "named by no manifest: {strangers:?}");
        }
    }

    /// Requires that `backup verify` finds no damage.
    #[track_caller]
    pub(crate) fn assert_verified(&self) {
        let mut command = Command::new(BINARY);
        command.args(["backup", "verify", "-o", "table"]);
        let output = command.arg(self.dir()).output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// Names of all files, but attachments.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for folder in ["", "_next"] {
            // A folder that is not there has no files.
            let entries = std::fs::read_dir(self.dir().join(folder)).into_iter().flatten();
            for entry in entries.filter_map(Result::ok).filter(|entry| entry.path().is_file()) {
                let name = entry.file_name().to_string_lossy().into_owned();
                names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
            }
        }
        names.sort();
        names
    }
}
