//! Writes a backup of an account during one run.

use super::begin::{self, OpenedBackup};
use super::partial_file::{Entry, PartialFile, number};
use super::staging::Staging;
use crate::dataset::account::Account;
use crate::dataset::commit_log::{CommitLog, Owner};
use crate::dataset::forms::{NEXT, is_passing};
use crate::dataset::location::Location;
use crate::dataset::snapshot::{
    Backup, BackupReader, CONTENT_INDEX, Carry, Failure, File, Manifest, REFUSED_KEYS_MAX,
    Unfinished, file_name,
};
use crate::dataset::store::Store;
use crate::dataset::verify::dangling;
use crate::model::{Batch, Error, Kind, Resource, Result, StreamState, Time, masked};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The options of a backup.
#[expect(clippy::struct_excessive_bools, reason = "what was asked for on a command line")]
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The resources that the user named. The default is the selection of the resumed backup, or else
    /// `usual`.
    pub resources: Option<Vec<&'static Resource>>,
    /// The resources that are backed up by default.
    pub usual: Vec<&'static Resource>,
    /// Whether to include attachments.
    pub contents: bool,
    /// Whether to keep secrets in rows.
    pub secrets: bool,
    /// Whether to start a new backup instead of resuming an interrupted one.
    pub restart: bool,
    /// Whether to replace a backup whose token may have seen more rows.
    pub force: bool,
    /// Whether to take over from a run that holds the lock.
    pub break_lock: bool,
    /// The step of the storage at which the process aborts. For tests only.
    pub crash_at_step: Option<u64>,
}

/// A backup that is open for one run.
///
/// Files grow by pages. After each page the manifest states the durable length of the files and the
/// position to continue from. A process that ends at any moment leaves what the manifest states. The
/// previous backup is replaced when the new one is complete, by one write of the manifest.
#[derive(Debug)]
pub struct BackupWriter {
    pub(super) store: Store,
    commits: CommitLog,
    manifest: Manifest,
    area: Staging,
    secrets: bool,
    writing: BTreeMap<String, Writing>,
    /// The number of resources that were complete before this run.
    skipped: usize,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) growing: PartialFile,
    pub(super) read_from: Time,
    pub(super) state: Value,
    /// The rows that were carried over from the previous backup.
    pub(super) carried: Option<Carry>,
    /// The keys of parents whose lists Pipedrive refused.
    pub(super) refused: BTreeSet<String>,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// Whether every requested resource was read or permanently refused.
    pub finished: bool,
    /// Whether everything was read.
    pub complete: bool,
    /// The number of resources that this run read to the end.
    pub exported: usize,
    /// The number of resources that were complete before the run.
    pub skipped: usize,
    /// The number of requested resources.
    pub total: usize,
    /// The resources that could not be read, by file stem.
    pub failed: BTreeMap<String, Failure>,
    /// The resources that the company does not have, with Pipedrive's message.
    pub unavailable: BTreeMap<String, String>,
    /// The files of the backup, by stem.
    pub files: BTreeMap<String, File>,
}

impl BackupWriter {
    /// Opens a backup, or creates one in an empty location. Also returns messages for the user.
    ///
    /// Fails if the location holds other data, the backup of another company, or a newer or damaged
    /// manifest, or if another run holds the lock.
    pub async fn open(
        place: &Location,
        account: Account,
        options: &Options,
        owner: Owner,
    ) -> Result<(Self, Vec<String>)> {
        let store = Store::open(place, options.crash_at_step)?;
        let now = owner.since;
        let OpenedBackup { commits, manifest, area, writing, leftovers, notes } =
            begin::begin(&store, account, options, owner).await?;
        let skipped = area.of(&manifest).map_or(0, |backup| backup.completed.len());
        let mut archive =
            Self { store, commits, manifest, area, secrets: options.secrets, writing, skipped };
        archive.commit(now).await?;
        // The lock is held, so no other run can resume these files.
        for path in leftovers {
            archive.store.remove(&path).await?;
        }
        if area == Staging::Next {
            archive.store.make_folder(NEXT)?;
        }
        Ok((archive, notes))
    }

    /// Returns the resources to read, in the documented order.
    pub fn pending(&self) -> Vec<&'static Resource> {
        let Some(backup) = self.area.of(&self.manifest) else {
            return Vec::new();
        };
        let resources = Resource::all().filter(|r| backup.asked().contains(&r.file));
        resources.filter(|r| !backup.completed.iter().any(|stem| stem == r.file)).collect()
    }

    /// Returns the state from which to read a resource. `None` means to read all of it.
    pub fn state(&self, resource: &Resource) -> Result<Option<StreamState>> {
        match self.writing.get(resource.file) {
            Some(writing) => StreamState::from_json(resource, &writing.state),
            None => Ok(None),
        }
    }

    /// Returns the number of durable rows of a resource that is resumed.
    pub fn safe_rows(&self, resource: &Resource) -> u64 {
        self.writing.get(resource.file).map_or(0, |writing| writing.growing.rows())
    }

    /// Returns the number of rows of a resource in the previous backup, as an estimate.
    pub fn earlier_rows(&self, resource: &Resource) -> Option<u64> {
        let backup = &self.manifest.backup;
        let rows = backup.files.get(resource.file).map(|file| file.rows);
        rows.or_else(|| backup.counts.get(resource.file).copied())
    }

    /// Starts a resource. `at` is the current time by Pipedrive's clock.
    pub fn start(&mut self, resource: &Resource, at: Time) {
        self.writing(resource.file, at);
    }

    pub(super) fn writing(&mut self, stem: &str, at: Time) -> &mut Writing {
        let (store, area) = (&self.store, self.area);
        self.writing.entry(stem.to_owned()).or_insert_with(|| Writing {
            growing: PartialFile::new(store, area.growing(stem, store.supports_append())),
            read_from: at,
            state: Value::Null,
            carried: None,
            refused: BTreeSet::new(),
        })
    }

    /// Records that the rows of `more.parents` parents, which are written next, come from the previous
    /// backup. Those parents last changed before `more.unchanged_since`.
    pub fn carry(&mut self, resource: &Resource, more: Carry, at: Time) {
        let writing = self.writing(resource.file, at);
        let known = writing.carried.unwrap_or(Carry { parents: 0, rows: 0, ..more });
        writing.carried = Some(Carry {
            parents: known.parents + more.parents,
            rows: known.rows + more.rows,
            unchanged_since: known.unchanged_since.min(more.unchanged_since),
        });
    }

    /// Writes rows and the state that they reach. Both are durable afterwards.
    pub async fn write_batch(&mut self, batch: Batch, now: Time) -> Result<()> {
        let Batch { resource, records, reached, refused } = batch;
        let known = &mut self.writing(resource.file, now).refused;
        let room = REFUSED_KEYS_MAX.saturating_sub(known.len());
        known.extend(refused.into_iter().take(room));
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let key = record.key.as_deref().map(number);
            let json = if resource.secrets.is_empty() || self.secrets {
                record.json
            } else {
                hidden(resource, &record.json)?
            };
            entries.push(Entry { json, key });
        }
        self.append(resource.file, entries, reached.to_json(), now).await
    }

    /// Appends rows to a file, with the state that they reach.
    pub(super) async fn append(
        &mut self,
        stem: &str,
        entries: Vec<Entry>,
        state: Value,
        now: Time,
    ) -> Result<()> {
        let store = self.store.clone();
        let writing = self.writing(stem, now);
        writing.growing.append(&store, entries).await?;
        writing.state = state.clone();
        let mut unfinished = writing.growing.checkpoint(writing.read_from, state);
        (unfinished.carried, unfinished.refused) = (writing.carried, writing.refused.clone());
        self.backup_mut().in_progress.insert(stem.to_owned(), unfinished);
        self.commit(now).await
    }

    /// Completes the file of a resource that was read to the end. Returns the number of duplicate rows
    /// that were removed. The later row of a key is kept.
    pub async fn finish(
        &mut self,
        resource: &'static Resource,
        until: Time,
        now: Time,
    ) -> Result<u64> {
        let (store, stem) = (self.store.clone(), resource.file);
        let fresh = self.area.fresh(stem, store.supports_append());
        let writing = self.writing(stem, until);
        let once = writing.growing.without_repeats(&store, resource, &fresh).await?;
        let repeats = once.as_ref().map_or(0, |once| writing.growing.rows() - once.rows());
        if let Some(once) = once {
            writing.growing = once;
        }
        let mut endpoint: Vec<String> =
            resource.listings.iter().map(|listing| listing.path.to_owned()).collect();
        endpoint.dedup();
        self.complete(stem, endpoint, until, now).await?;
        Ok(repeats)
    }

    /// Completes a file, which becomes part of the backup.
    pub(super) async fn complete(
        &mut self,
        stem: &str,
        endpoint: Vec<String>,
        until: Time,
        now: Time,
    ) -> Result<()> {
        let (area, store) = (self.area, self.store.clone());
        let writing = self.writing(stem, until);
        let growing = &mut writing.growing;
        let lies = growing.close(&store, &area.whole(stem)).await?;
        let name = file_name(stem);
        let file = File {
            bytes: growing.bytes(),
            rows: growing.rows(),
            sha256: growing.sha256(),
            endpoint,
            // The start is never later than the end, even if one of the clocks was wrong.
            read_from: writing.read_from.min(until),
            read_until: until,
            staged: (lies != name).then(|| lies.clone()),
            kept: false,
            partial: false,
            carried: writing.carried,
            refused: std::mem::take(&mut writing.refused),
            gone: None,
        };
        self.writing.remove(stem);
        let backup = area.of_mut(&mut self.manifest);
        let unfinished = backup.in_progress.remove(stem);
        backup.failed.remove(stem);
        backup.unavailable.remove(stem);
        if stem != CONTENT_INDEX {
            backup.completed.push(stem.to_owned());
            backup.counts.insert(stem.to_owned(), file.rows);
        }
        backup.files.insert(stem.to_owned(), file);
        self.commit(now).await?;
        if area == Staging::Top {
            self.finish_renames().await?;
        }
        self.clear(stem, unfinished).await
    }

    /// Discards the rows of a file. The file starts empty with this state.
    pub(super) async fn restart(&mut self, stem: &str, state: Value, now: Time) -> Result<()> {
        let old = self.backup_mut().in_progress.remove(stem);
        self.writing.remove(stem);
        self.clear(stem, old).await?;
        self.append(stem, Vec::new(), state, now).await
    }

    /// Records a resource that could not be read to the end. Its rows stay, so that a later run can
    /// resume.
    pub async fn fail(&mut self, resource: &Resource, error: &Error, now: Time) -> Result<()> {
        self.refuse(resource.file, error.kind(), error.to_string(), now).await
    }

    /// Records a resource that the company lacks and that the user did not name. Rows of this run are
    /// discarded; a file of an earlier backup stays part of the backup.
    pub async fn lacks(&mut self, resource: &Resource, error: &Error, now: Time) -> Result<()> {
        let stem = resource.file;
        self.writing.remove(stem);
        let backup = self.backup_mut();
        let unfinished = backup.in_progress.remove(stem);
        backup.failed.remove(stem);
        backup.unavailable.insert(stem.to_owned(), error.in_short());
        self.commit(now).await?;
        self.clear(stem, unfinished).await
    }

    pub(super) async fn refuse(
        &mut self,
        stem: &str,
        kind: Kind,
        message: String,
        now: Time,
    ) -> Result<()> {
        if kind.stops_the_run() {
            // The error does not concern the resource, which the next run requests again.
            return Ok(());
        }
        let backup = self.backup_mut();
        let runs = backup.failed.get(stem).map_or(0, |failure| failure.runs) + 1;
        backup.unavailable.remove(stem);
        let failure = Failure { error: kind.name().to_owned(), message, runs };
        if failure.for_good() {
            backup.in_progress.remove(stem);
        }
        backup.failed.insert(stem.to_owned(), failure);
        self.commit(now).await
    }

    /// Ends the run. A complete backup replaces the previous one. Files of the previous backup that the
    /// new one lacks, or was refused, stay part of it. After a storage error the durable rows are kept,
    /// if the storage permits it.
    pub async fn close(&mut self, now: Time) -> Result<Closed> {
        let area = self.area;
        let backup = area.of_mut(&mut self.manifest);
        let finished = backup.finished();
        let complete = finished && backup.failed.is_empty();
        backup.complete = Some(complete);
        backup.finished_at = finished.then_some(now);
        let closed = Closed {
            finished,
            complete,
            exported: backup.completed.len().saturating_sub(self.skipped),
            skipped: self.skipped,
            total: backup.asked().len(),
            failed: backup.failed.clone(),
            unavailable: backup.unavailable.clone(),
            files: backup.files.clone(),
        };
        let mut replaced = Backup::default();
        if area == Staging::Next && finished {
            self.area = Staging::Top;
            let mut next = self.manifest.next.take().unwrap_or_default();
            replaced = std::mem::take(&mut self.manifest.backup);
            for (stem, file) in std::mem::take(&mut replaced.files) {
                next.files.entry(stem).or_insert(File { kept: true, ..file });
            }
            self.manifest.backup = next;
        }
        if finished {
            let coming = BackupReader::coming(&self.store, &self.manifest).await?;
            self.manifest.backup.dangling = Some(dangling(&coming).await?);
        }
        self.commit(now).await?;
        if self.area == Staging::Top && self.finish_renames().await? {
            self.commit(now).await?;
        }
        // No run resumes the unfinished files of the previous backup.
        for (stem, unfinished) in replaced.in_progress {
            self.clear(&stem, Some(unfinished)).await?;
        }
        if finished {
            self.forget_contents().await?;
            self.store.remove_folder(NEXT);
        }
        self.commits.end(&self.store).await?;
        Ok(closed)
    }

    /// Releases the lock after a storage error.
    pub async fn release(self) -> Result<()> {
        self.commits.end(&self.store).await
    }

    /// Returns the part of the manifest that describes this run.
    pub(super) fn backup(&self) -> Option<&Backup> {
        self.area.of(&self.manifest)
    }

    pub(super) fn backup_mut(&mut self) -> &mut Backup {
        self.area.of_mut(&mut self.manifest)
    }

    /// Returns path and entry of a stem's file that this run, or the one that it resumes, has read to the
    /// end.
    pub(super) fn whole(&self, stem: &str) -> Option<(String, &File)> {
        let file = self.backup()?.files.get(stem)?;
        Some((file.staged.clone().unwrap_or_else(|| file_name(stem)), file))
    }

    /// Returns the path of a stem's file in the previous backup.
    pub(super) fn standing(&self, stem: &str) -> Option<String> {
        let file = self.manifest.backup.files.get(stem)?;
        Some(file.staged.clone().unwrap_or_else(|| file_name(stem)))
    }

    pub(super) async fn commit(&mut self, now: Time) -> Result<()> {
        self.backup_mut().updated_at = Some(now);
        self.commits.replace(&self.store, self.manifest.to_json().into(), now).await
    }

    /// Renames the files of the current backup to their final names. Returns whether a file was renamed.
    async fn finish_renames(&mut self) -> Result<bool> {
        begin::finish_renames(&self.store, &mut self.manifest.backup, None).await
    }

    /// Removes the unfinished file of a stem, or its pieces.
    async fn clear(&self, stem: &str, unfinished: Option<Unfinished>) -> Result<()> {
        let Some(Unfinished { path, pieces, .. }) = unfinished else {
            return Ok(());
        };
        if pieces.is_none() {
            // The path may belong to the complete file, which must stay.
            let grown = self.whole(stem).is_none_or(|(lies, _)| lies != path);
            return if grown { self.store.remove(&path).await } else { Ok(()) };
        }
        for folder in [path, self.area.fresh(stem, false)] {
            let pieces = self.store.list(Some(&folder)).await?.into_keys();
            for piece in pieces.filter(|path| is_passing(path)) {
                self.store.remove(&piece).await?;
            }
        }
        Ok(())
    }
}

/// Returns a row with its secrets masked.
fn hidden(resource: &Resource, json: &Bytes) -> Result<Bytes> {
    let text = String::from_utf8_lossy(json);
    Ok(masked(resource, &text)?.map_or_else(|| json.clone(), Bytes::from))
}
