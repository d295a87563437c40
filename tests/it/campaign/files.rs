//! Keepers of files: warehouse and backup.

use super::weather::End;
use super::{Driver, Ended, carried_out};
use crate::support::backup::BackupFixture;
use crate::support::raw_truth;
use crate::support::warehouse::WarehouseFixture;
use fastrand::Rng;
use serde_json::Value;
use source_pipedrive::dataset::warehouse::Sweep;
use source_pipedrive::model::{Resource, Time};
use source_pipedrive::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::process::Command;

/// Whether Pipedrive says of this resource's rows that they are gone.
pub(super) fn tells_deletes(resource: &str) -> bool {
    matches!(resource, "deals" | "projects")
}

/// A command whose configuration has one more key for this run.
fn crashing(config: &mut Value, end: End, command: impl FnOnce(&Value) -> Command) -> Command {
    let object = config.as_object_mut().expect("a configuration is an object");
    match end {
        End::Crashed(step) => object.insert("crash_at_step".to_owned(), step.into()),
        _ => object.remove("crash_at_step"),
    };
    command(config)
}

/// `sync warehouse`.
pub(super) struct Warehouse {
    fixture: WarehouseFixture,
    sweeps: bool,
    name: String,
    /// A walk restarted, so that rows may be repeated.
    restarted: bool,
}

impl Warehouse {
    pub(super) fn new(
        account: &Sandbox,
        format: &str,
        resources: &[&'static str],
        dice: &mut Rng,
    ) -> Self {
        let sweeps = dice.u8(..3) == 0;
        let concurrency = [1, 1, 3][dice.usize(..3)];
        let overlap = [60, 60, 0][dice.usize(..3)];
        let commit = [0, 3_600][dice.usize(..2)];
        let name = format!(
            "warehouse of {format}, sweeps: {sweeps}, concurrency {concurrency}, overlap {overlap}, \
             commit_seconds {commit}, {resources:?}"
        );
        let warehouse = WarehouseFixture::of(account, format, resources)
            .with("concurrency", concurrency)
            .with("overlap_seconds", overlap)
            .with("commit_seconds", commit);
        Self { fixture: warehouse, sweeps, name, restarted: false }
    }

    /// Whether rows of a resource may be here that the account no longer lists.
    fn keeps_gone(&self, resource: &str) -> bool {
        let listed = !tells_deletes(resource);
        listed && !(self.sweeps && Sweep::RESOURCES.contains(&resource))
    }
}

impl Driver for Warehouse {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(&mut self, account: &Sandbox, end: End, dice: &mut Rng, last: bool) -> Ended {
        let mut flags = Vec::new();
        if !last && dice.u8(..5) == 0 {
            flags.push("--full");
        }
        if self.sweeps {
            // So few rows are soon a large share.
            flags.extend(["--deletes", "sweep", "--force"]);
        }
        let mut config = std::mem::take(&mut self.fixture.config);
        let command = crashing(&mut config, end, |config| {
            self.fixture.config = config.clone();
            self.fixture.command(&flags)
        });
        let mut ended = carried_out(command, account, end);
        self.restarted |= ended.stderr.contains("again from the start");
        ended.stderr = format!("{flags:?}: {}", ended.stderr);
        ended
    }

    fn changed(&mut self) {}

    fn assert_equal(&self, account: &Sandbox) {
        self.fixture.assert_current_but(account, |resource, _| self.keeps_gone(resource));
    }

    fn assert_tidy(&self, account: &Sandbox) {
        self.fixture.assert_tidy();
        if self.restarted {
            return;
        }
        for resource in self.fixture.resources() {
            let row = Resource::named(resource).expect("the resource exists");
            // Rows per parent come again with their parent, and the state of a list without times says
            // nothing about its rows.
            if row.parent.is_some() || !row.incremental() {
                continue;
            }
            let mut last = BTreeMap::new();
            for row in self.fixture.rows(account, resource) {
                let before = last.insert(row.key.clone(), (row.gone, row.json));
                let same = before.as_ref() == last.get(&row.key);
                assert!(!same, "{resource}: row {} is there twice in the same form", row.key);
            }
        }
    }
}

/// `backup`.
pub(super) struct Backup {
    backups: BackupFixture,
    name: String,
    /// A backup is under way.
    broken: bool,
    /// People changed something since it began.
    changed: bool,
    /// The clock was wrong all the time in a run of it.
    untimely: bool,
}

impl Backup {
    pub(super) fn new(account: &Sandbox, resources: &[&'static str], dice: &mut Rng) -> Self {
        let concurrency = [1, 1, 3][dice.usize(..3)];
        let name = format!("backup, concurrency {concurrency}, {resources:?}");
        let backups = BackupFixture::of(account, resources).with("concurrency", concurrency);
        Self { backups, name, broken: false, changed: false, untimely: false }
    }

    /// Requires of a backup that was read while people edited what its manifest says: how the account
    /// was at `read_until`.
    fn assert_true_to_its_times(&self, account: &Sandbox) {
        self.backups.assert_proven();
        let manifest = self.backups.manifest();
        for name in &self.backups.resources {
            let resource = Resource::named(name).expect("the resource exists");
            if !resource.incremental() || resource.parent.is_some() {
                continue;
            }
            let until = manifest["files"][resource.file]["read_until"].as_str();
            let until = until.and_then(Time::parse).expect("the manifest says until when");
            let rows = self.backups.rows(name);
            for (key, row) in raw_truth(account, name) {
                let json: Value = serde_json::from_str(&row).expect("the sandbox writes JSON");
                let time = resource.cursor.and_then(|column| json[column].as_str());
                if time.and_then(Time::parse).is_none_or(|time| time >= until) {
                    continue;
                }
                assert!(
                    rows.get(&key) == Some(&row),
                    "{name}: row {key} is not as it was before {until}: {:?}, and not {row}",
                    rows.get(&key)
                );
            }
        }
    }
}

impl Driver for Backup {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn run(&mut self, account: &Sandbox, end: End, dice: &mut Rng, last: bool) -> Ended {
        let resumes = if last { dice.bool() } else { dice.u8(..4) > 0 };
        let flags: &[&str] = if resumes { &[] } else { &["--restart"] };
        if !resumes || !self.broken {
            (self.changed, self.untimely) = (false, false);
        }
        let mut config = std::mem::take(&mut self.backups.config);
        let command = crashing(&mut config, end, |config| {
            self.backups.config = config.clone();
            self.backups.command(flags)
        });
        let mut ended = carried_out(command, account, end);
        self.broken = ended.code != Some(0);
        ended.stderr = format!("{flags:?}: {}", ended.stderr);
        ended
    }

    fn changed(&mut self) {
        self.changed = true;
    }

    fn lied_to(&mut self) {
        self.untimely = true;
    }

    fn assert_equal(&self, account: &Sandbox) {
        self.backups.assert_verified();
        if self.changed && self.untimely {
            self.backups.assert_proven();
        } else if self.changed {
            self.assert_true_to_its_times(account);
        } else {
            self.backups.assert_whole(account);
        }
    }

    fn assert_tidy(&self, _: &Sandbox) {
        self.backups.assert_proven();
    }
}
