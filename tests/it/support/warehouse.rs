//! `sync warehouse`, run as its user runs it, and what then lies in the folder.

use crate::support::parquet::{self, Cell, Json, canonical, rebuilt};
use crate::support::{BINARY, Folder, key, masked_truth};
use serde_json::{Value, json};
use source_pipedrive::dataset::table::Encoded;
use source_pipedrive::model::{Definition, Resource};
use source_pipedrive::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A warehouse in a folder of its own, and how it is synced.
#[derive(Debug)]
pub(crate) struct WarehouseFixture {
    folder: Folder,
    pub(crate) config: Value,
    resources: Vec<&'static str>,
    args: Vec<String>,
}

impl WarehouseFixture {
    /// Of these resources, in this format. Everything is committed at once, so that a kill finds
    /// commits on both sides.
    pub(crate) fn of(sandbox: &Sandbox, format: &str, resources: &[&'static str]) -> Self {
        let mut config = sandbox.config();
        config["commit_seconds"] = 0.into();
        let args = vec!["--format".to_owned(), format.to_owned()];
        Self { folder: Folder::new(), config, resources: resources.to_vec(), args }
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

    /// Is held against these resources from now on.
    pub(crate) fn holding(mut self, resources: &[&'static str]) -> Self {
        self.resources = resources.to_vec();
        self
    }

    pub(crate) fn resources(&self) -> &[&'static str] {
        &self.resources
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("warehouse")
    }

    pub(crate) fn command(&self, more: &[&str]) -> Command {
        self.command_with(&self.config, more)
    }

    pub(crate) fn command_with(&self, config: &Value, more: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(["sync", "warehouse", "-o", "json"]);
        command.arg("--config").arg(self.folder.json("config.json", config));
        command.arg("--dir").arg(self.dir());
        if !self.resources.is_empty() {
            command.arg("--resources").arg(self.resources.join(","));
        }
        command.args(&self.args).args(more);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PIPEDRIVE_") {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn sync(&self, more: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(more).output().expect("the binary starts"))
    }

    /// A run that aborts at this step of its storage; `None` when it came to its end before.
    pub(crate) fn crash(&self, step: u64, more: &[&str]) -> Option<CommandOutput> {
        let mut config = self.config.clone();
        config["crash_at_step"] = step.into();
        let output = self.command_with(&config, more).output().expect("the binary starts");
        // Whatever moment a run ends at, views are of files that are there.
        for path in self.viewed().iter().flat_map(BTreeMap::values).flatten() {
            assert!(self.dir().join(path).is_file(), "step {step}: {path} of views.sql");
        }
        output.status.code().is_some().then(|| CommandOutput::of(&output))
    }

    /// A run that is killed as soon as the sandbox has hung a request.
    pub(crate) fn killed_at_hang(&self, sandbox: &Sandbox) {
        let mut child = self.start(&[]);
        sandbox.wait_for_hang();
        child.kill().expect("the process can be killed");
        child.wait().expect("it ends");
    }

    pub(crate) fn start(&self, more: &[&str]) -> Child {
        let mut command = self.command(more);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the binary starts")
    }

    pub(crate) fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.dir().join("manifest.json")).expect("there is a manifest");
        serde_json::from_slice(&bytes).expect("the manifest is JSON")
    }

    /// The files of a resource, as the manifest names them.
    pub(crate) fn files(&self, resource: &str) -> Vec<PathBuf> {
        let manifest = self.manifest();
        let files = manifest["files"][resource].as_array().cloned().unwrap_or_default();
        files.iter().map(|file| self.dir().join(file["path"].as_str().expect("a path"))).collect()
    }

    /// All rows of a resource in the order they were written in, as a reader of all its files
    /// sees them.
    pub(crate) fn rows(&self, sandbox: &Sandbox, resource: &'static str) -> Vec<Stored> {
        let manifest = self.manifest();
        let row = Resource::named(resource).expect("the resource exists");
        if manifest["format"] == "parquet" {
            return self.table(sandbox, row);
        }
        let mut rows = Vec::new();
        for file in self.files(resource) {
            let text = std::fs::read_to_string(&file).expect("the file is there");
            assert!(text.is_empty() || text.ends_with('\n'), "{} has a torn tail", file.display());
            rows.extend(text.lines().map(|line| {
                let json: Value = serde_json::from_str(line).expect("a line is JSON");
                let gone = json["_deleted"] == true;
                Stored { key: key(row, &json), gone, json: Json::parse(line) }
            }));
        }
        rows
    }

    fn table(&self, sandbox: &Sandbox, resource: &'static Resource) -> Vec<Stored> {
        let fields = definitions(sandbox, resource);
        let mapping = std::fs::read(self.dir().join("_fields.json")).unwrap_or_default();
        let mapping: Value = serde_json::from_slice(&mapping).unwrap_or_default();
        let mapping = mapping.get(resource.name).cloned().unwrap_or_else(|| json!([]));
        let manifest = self.manifest();
        let files = manifest["files"][resource.name].as_array().cloned().unwrap_or_default();
        let parts = files.iter().map(|file| {
            let path = self.dir().join(file["path"].as_str().expect("a path"));
            let bytes = std::fs::read(path).expect("the file is there").into();
            Encoded { bytes, rows: file["rows"].as_u64().expect("rows") }
        });
        let parts: Vec<_> = parts.collect();
        let mut stored = Vec::new();
        for row in parquet::read(&parts) {
            let Cell::Time(stamp) = row["_synced_at"] else { panic!("a row has no stamp") };
            let gone =
                matches!(&row["_extra"], Cell::Text(extra) if extra.contains("\"_deleted\":true"));
            let key = resource.key.iter().map(|column| match &row[*column] {
                Cell::Int(number) => number.to_string(),
                Cell::Text(text) => text.clone(),
                other => panic!("{other:?} is no key"),
            });
            let key = key.collect::<Vec<_>>().join("/");
            let json = canonical(rebuilt(&row, resource, &fields, &mapping), resource, &fields);
            stored.push((stamp, Stored { key, gone, json }));
        }
        // The stamp distinguishes rows of one key, whatever their order in the file.
        stored.sort_by_key(|(stamp, _)| *stamp);
        stored.into_iter().map(|(_, row)| row).collect()
    }

    /// What the account holds, in the spelling of the warehouse's format.
    fn truth(&self, sandbox: &Sandbox, resource: &'static str) -> BTreeMap<String, Json> {
        let parquet = self.manifest()["format"] == "parquet";
        let row = Resource::named(resource).expect("the resource exists");
        let fields = definitions(sandbox, row);
        let rows = masked_truth(sandbox, resource).into_iter().map(|(key, json)| {
            let json = Json::parse(&json);
            (key, if parquet { canonical(json, row, &fields) } else { json })
        });
        rows.collect()
    }

    /// The last row of each key, but for those that are gone.
    pub(crate) fn current(
        &self,
        sandbox: &Sandbox,
        resource: &'static str,
    ) -> BTreeMap<String, Json> {
        let mut current = BTreeMap::new();
        for row in self.rows(sandbox, resource) {
            if row.gone {
                current.remove(&row.key);
            } else {
                current.insert(row.key, row.json);
            }
        }
        current
    }

    /// Requires that the warehouse holds every row of the account once, as it is, and nothing else.
    #[track_caller]
    pub(crate) fn assert_once(&self, sandbox: &Sandbox) {
        for resource in self.resources.clone() {
            let (rows, truth) = (self.rows(sandbox, resource), self.truth(sandbox, resource));
            assert_eq!(rows.len(), truth.len(), "{resource}: rows that are lost, or come twice");
        }
        self.assert_current(sandbox);
    }

    /// Requires that the current rows are those of the account.
    #[track_caller]
    pub(crate) fn assert_current(&self, sandbox: &Sandbox) {
        self.assert_current_but(sandbox, |_, _| false);
    }

    /// The same, but for rows of a resource that are still there and may be.
    #[track_caller]
    pub(crate) fn assert_current_but(
        &self,
        sandbox: &Sandbox,
        may_stay: impl Fn(&str, &str) -> bool,
    ) {
        for resource in self.resources.clone() {
            let (current, truth) = (self.current(sandbox, resource), self.truth(sandbox, resource));
            let lost: Vec<_> = truth.keys().filter(|key| !current.contains_key(*key)).collect();
            let invented = current.keys().filter(|key| !truth.contains_key(*key));
            let invented: Vec<_> = invented.filter(|key| !may_stay(resource, key)).collect();
            assert!(
                lost.is_empty() && invented.is_empty(),
                "{resource}: lost {lost:?}, invented {invented:?}"
            );
            for (key, row) in truth {
                // A whole row would drown the message.
                assert!(current[&key] == row, "{resource}: row {key} differs");
            }
        }
    }

    /// Names of all files below the folder, but the lock.
    pub(crate) fn names(&self) -> Vec<String> {
        fn below(folder: &Path, root: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("the folder can be read") {
                let path = entry.expect("the folder can be read").path();
                if path.is_dir() {
                    below(&path, root, names);
                } else {
                    let name = path.strip_prefix(root).expect("it is below");
                    names.push(name.display().to_string());
                }
            }
        }
        let mut names = Vec::new();
        below(&self.dir(), &self.dir(), &mut names);
        names.retain(|name| name != "manifest.lock");
        names.sort();
        names
    }

    /// The files that the views of the current rows are made of, by table; none if there are no views.
    pub(crate) fn viewed(&self) -> Option<BTreeMap<String, Vec<String>>> {
        let text = std::fs::read_to_string(self.dir().join("views.sql")).ok()?;
        let mut views: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut table = String::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("CREATE OR REPLACE VIEW ") {
                name.split('"').nth(1).expect("it is quoted").clone_into(&mut table);
            } else if let Some(path) = line.strip_prefix("    '") {
                let path = path.split('\'').next().expect("it is quoted");
                views.entry(table.clone()).or_default().push(path.to_owned());
            }
        }
        Some(views)
    }

    /// Requires that there is no file which the manifest does not name, and that the views of a Parquet
    /// warehouse are of the files that it names.
    #[track_caller]
    pub(crate) fn assert_tidy(&self) {
        let manifest = self.manifest();
        let mut known: Vec<_> =
            ["manifest.json", "_fields.json", "views.sql"].map(str::to_owned).into();
        let parquet = manifest["format"] == "parquet";
        let named = manifest["files"].as_object().into_iter().flatten().map(|(table, files)| {
            let paths = files.as_array().into_iter().flatten().filter_map(|f| f["path"].as_str());
            (table.clone(), paths.map(str::to_owned).collect::<Vec<_>>())
        });
        let named: BTreeMap<_, _> = named.filter(|(_, paths)| !paths.is_empty()).collect();
        assert_eq!(self.viewed(), parquet.then_some(named));
        for files in manifest["files"].as_object().into_iter().flat_map(|files| files.values()) {
            let paths = files.as_array().into_iter().flatten().map(|file| file["path"].clone());
            known.extend(paths.filter_map(|path| path.as_str().map(str::to_owned)));
        }
        let indexes = manifest["indexes"].as_object().into_iter().flat_map(|map| map.values());
        known.extend(indexes.filter_map(|path| path.as_str().map(str::to_owned)));
        let strangers: Vec<_> = self.names().into_iter().filter(|n| !known.contains(n)).collect();
        assert!(strangers.is_empty(), "named by no manifest: {strangers:?}");
    }
}

/// A row as it lies there.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) key: String,
    pub(crate) gone: bool,
    pub(crate) json: Json,
}

fn definitions(sandbox: &Sandbox, resource: &Resource) -> Vec<Definition> {
    let rows = sandbox.state(|account| resource.fields.map(|fields| account.truth(fields)));
    let rows = rows.unwrap_or_default().into_iter();
    let rows =
        rows.map(|row| Definition::from_json(&row.json).expect("the sandbox defines fields"));
    rows.filter(|field| field.custom).collect()
}

/// The output of a run.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) summary: Value,
    pub(crate) stderr: String,
}

impl CommandOutput {
    /// The same where what was printed may be anything.
    pub(crate) fn of_text(output: &Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
        Self { code: output.status.code(), summary, stderr }
    }

    pub(crate) fn of(output: &Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let summary = match stdout.trim() {
            "" => Value::Null,
            text => serde_json::from_str(text).expect("the summary is JSON"),
        };
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), summary, stderr }
    }

    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        assert_eq!(self.summary["complete"], true);
        self
    }

    /// The error object on stderr.
    pub(crate) fn error(&self) -> Value {
        let last = self.stderr.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|_| json!({ "message": self.stderr }))
    }

    #[track_caller]
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        let error = self.error();
        assert_eq!(self.code, Some(code), "{error}");
        assert_eq!(error["exitCode"], code, "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
    }

    /// Rows this run wrote of a resource.
    pub(crate) fn rows(&self, resource: &str) -> u64 {
        self.summary["counts"][resource].as_u64().expect("the resource is in the summary")
    }
}
