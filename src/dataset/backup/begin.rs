//! Opens a backup for writing: checks its owner, its committed files, and where the run writes.

use super::attachments;
use super::partial_file::PartialFile;
use super::staging::{OpenPlan, Staging, course};
use super::writer::{Options, Writing};
use crate::dataset::account::Account;
use crate::dataset::commit_log::{CommitLog, Found, MANIFEST, Owner};
use crate::dataset::folder::Listed;
use crate::dataset::forms::{BACKUP_FOLDERS, is_of_backup, is_passing, stub_of};
use crate::dataset::ownership;
use crate::dataset::snapshot::{
    Backup, CONTENT_INDEX, File, MANIFEST_VERSION, Manifest, SEED_LACKS, digest, file_name,
    resource_of, rows,
};
use crate::dataset::store::Store;
use crate::model::{Error, Kind, Resource, Result, Time};
use std::collections::{BTreeMap, BTreeSet};

/// A backup that was opened and checked.
pub(super) struct OpenedBackup {
    pub(super) commits: CommitLog,
    pub(super) manifest: Manifest,
    pub(super) area: Staging,
    pub(super) writing: BTreeMap<String, Writing>,
    /// Files of earlier runs that no manifest names.
    pub(super) leftovers: Vec<String>,
    pub(super) notes: Vec<String>,
}

pub(super) async fn begin(
    store: &Store,
    account: Account,
    options: &Options,
    owner: Owner,
) -> Result<OpenedBackup> {
    if store.supports_append() {
        // The check comes before a lock is written to a folder of another program, or to one that is a
        // link.
        ownership::refuse(store).await?;
        let manifest = store.get(MANIFEST).await?;
        look(store, manifest.as_deref()).await?;
    }
    let now = owner.since;
    let place = store.place().to_string();
    let Found { commits, manifest, unconditional } =
        CommitLog::open(store, owner, options.break_lock).await?;
    let mut notes = Vec::new();
    if unconditional {
        notes.push(format!(
            "{place} ignores conditional writes: a lock object keeps a second run away instead, which \
             is weaker; do not start two runs within a second"
        ));
    }
    if manifest.is_none() {
        ownership::refuse(store).await?;
    }
    let (manifest, mut listed) = look(store, manifest.as_deref()).await?;
    for holder in manifest.iter().flat_map(holders) {
        account.must_be(holder, &place)?;
    }
    let OpenPlan { area, resumes, restarts } = course(manifest.as_ref(), options.restart);
    let mut manifest = manifest.unwrap_or_default();
    if let Some(why) = holders(&manifest).find_map(|holder| account.narrower_than(holder))
        && !options.force
    {
        let message = format!(
            "{why}: what is read now may be less than the backup holds; use another --dir, or --force \
             to go on"
        );
        return Err(Error::new(Kind::Config, message).at(place));
    }
    notes.extend(begins(area.of(&manifest), &manifest.backup, (resumes, restarts)));
    finish_renames(store, &mut manifest.backup, Some(&mut listed)).await?;
    let seeds = manifest.backup.is_pdcli_backup() && !manifest.backup.completed.is_empty();
    if seeds {
        let damaged = adopt(store, &mut manifest.backup, &listed, now).await?;
        if resumes {
            notes.extend(damaged);
        }
    }
    let mut writing = BTreeMap::new();
    if resumes {
        if seeds {
            notes.push(
                "resuming a backup of pdcli: it does not record whose account it is".to_owned(),
            );
            manifest.backup.resources =
                manifest.backup.asked().into_iter().map(str::to_owned).collect();
            notes.extend(read_lacking_again(&mut manifest.backup));
        }
        let backup = area.of_mut(&mut manifest);
        prove(store, backup, &listed, &mut notes).await?;
        writing = go_on(store, backup, &listed, &mut notes).await?;
        ask(backup, options, false);
    } else {
        let mut backup = Backup { started_at: Some(now), ..Backup::default() };
        ask(&mut backup, options, true);
        manifest.next = None;
        *area.of_mut(&mut manifest) = backup;
    }
    let backup = area.of_mut(&mut manifest);
    backup.version = Some(MANIFEST_VERSION);
    backup.tool = Some(concat!("source-pipedrive ", env!("CARGO_PKG_VERSION")).to_owned());
    backup.account = Some(account);
    backup.complete = Some(false);
    backup.finished_at = None;
    backup.dangling = None;
    let leftovers = leftovers(store, &manifest, &listed);
    Ok(OpenedBackup { commits, manifest, area, writing, leftovers, notes })
}

/// Returns the manifest and the listed files. Refuses entries that are links, and invalid names.
async fn look(
    store: &Store,
    manifest: Option<&[u8]>,
) -> Result<(Option<Manifest>, BTreeMap<String, u64>)> {
    let place = store.place().name_of(MANIFEST);
    let manifest = manifest.map(|bytes| Manifest::from_json(bytes, &place)).transpose()?;
    let listed: Listed = store.survey(None).await?;
    ownership::links(store, &listed, is_of_backup, |path| BACKUP_FOLDERS.contains(&path))?;
    let next = manifest.as_ref().and_then(|manifest| manifest.next.as_ref());
    for backup in manifest.iter().map(|manifest| &manifest.backup).chain(next) {
        let Some(file) = backup.files.get(CONTENT_INDEX) else { continue };
        let lies = file.staged.iter().cloned().chain([file_name(CONTENT_INDEX)]);
        for path in lies.filter(|path| listed.files.contains_key(path)) {
            attachments::must_be_named(store, &path).await?;
        }
    }
    Ok((manifest, listed.files))
}

/// Returns the first message of a run at the location of an earlier one: whether it resumes that or
/// starts a new backup.
fn begins(
    unfinished: Option<&Backup>,
    stands: &Backup,
    (resumes, restarts): (bool, bool),
) -> Option<String> {
    let when = |time: Option<Time>| time.map(|time| format!(" ({time})")).unwrap_or_default();
    match unfinished {
        Some(backup) if resumes => Some(format!(
            "continuing the backup that was interrupted{}: {} of {} resources are complete; --restart starts \
             over",
            when(backup.updated_at),
            backup.completed.len(),
            backup.asked().len()
        )),
        _ if restarts => Some("a new backup is begun, the unfinished one is discarded".to_owned()),
        _ if stands.finished() && !stands.asked().is_empty() => Some(format!(
            "the last backup is finished{}: a new one is begun",
            when(stands.updated_at)
        )),
        _ => None,
    }
}

/// Returns the accounts that the manifest names.
fn holders(manifest: &Manifest) -> impl Iterator<Item = &Account> {
    let next = manifest.next.as_ref().and_then(|next| next.account.as_ref());
    manifest.backup.account.iter().chain(next)
}

/// Adds the requested resources and options to those of the backup.
fn ask(backup: &mut Backup, options: &Options, fresh: bool) {
    // A history resource is in `usual` only if the user requested it.
    let usual = options.usual.iter().filter(|resource| fresh || resource.is_history());
    let wanted: Vec<_> = match &options.resources {
        Some(named) => named.iter().collect(),
        None => usual.collect(),
    };
    for resource in wanted {
        if !backup.resources.iter().any(|stem| stem == resource.file) {
            backup.resources.push(resource.file.to_owned());
        }
    }
    let included = [("file_contents", options.contents), ("secrets", options.secrets)];
    for (name, _) in included.iter().filter(|(_, included)| *included) {
        if !backup.include.iter().any(|known| known == name) {
            backup.include.push((*name).to_owned());
        }
    }
    if backup.includes_contents() && !backup.resources.iter().any(|stem| stem == "files") {
        backup.resources.push("files".to_owned());
    }
}

/// Completes the renames that belong to a commit. Returns whether a file was renamed.
pub(super) async fn finish_renames(
    store: &Store,
    backup: &mut Backup,
    mut listed: Option<&mut BTreeMap<String, u64>>,
) -> Result<bool> {
    let mut moved = false;
    for (stem, file) in &mut backup.files {
        let Some(staged) = file.staged.take() else { continue };
        moved = true;
        match &mut listed {
            None => store.relocate(&staged, &file_name(stem)).await?,
            Some(listed) => {
                if let Some(size) = listed.remove(&staged) {
                    store.relocate(&staged, &file_name(stem)).await?;
                    listed.insert(file_name(stem), size);
                }
            }
        }
    }
    Ok(moved)
}

/// Records sizes and hashes of the files of a pdcli backup, which has none. Returns a message for each
/// damaged file; a damaged file is no longer part of the backup.
async fn adopt(
    store: &Store,
    backup: &mut Backup,
    listed: &BTreeMap<String, u64>,
    now: Time,
) -> Result<Vec<String>> {
    let mut damaged = Vec::new();
    let (from, until) = (backup.started_at.unwrap_or(now), backup.updated_at.unwrap_or(now));
    for stem in backup.completed.clone() {
        if backup.files.contains_key(&stem) {
            continue;
        }
        let outcome = match (resource_of(&stem), listed.contains_key(&file_name(&stem))) {
            (None, _) => continue,
            (_, false) => Err(Error::new(Kind::Data, "is missing")),
            (Some(resource), true) => counted(store, resource, backup.counts.get(&stem)).await,
        };
        match outcome {
            Ok(file) => {
                let file = File { read_from: from, read_until: until.max(from), ..file };
                backup.files.insert(stem, file);
            }
            Err(error) if error.kind() == Kind::Data => {
                damaged.push(again(&file_name(&stem), &error));
                backup.completed.retain(|done| *done != stem);
                backup.counts.remove(&stem);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(damaged)
}

/// Marks files of which pdcli reads only some rows to be read again. They stay part of the backup until
/// the new file is complete.
fn read_lacking_again(backup: &mut Backup) -> Option<String> {
    let lacking = |stem: &String| backup.files.get(stem).is_some_and(|file| file.partial);
    let lacking: Vec<String> =
        backup.completed.iter().filter(|stem| lacking(stem)).cloned().collect();
    backup.completed.retain(|stem| !lacking.contains(stem));
    (!lacking.is_empty()).then(|| {
        format!(
            "{} are read again: pdcli asks neither for archived nor for deleted ones",
            lacking.join(" and ")
        )
    })
}

/// Returns the size and hash of a file. Fails if its number of rows differs from the expected one.
async fn counted(store: &Store, resource: &Resource, expected: Option<&u64>) -> Result<File> {
    let mut rows = rows(store, &file_name(resource.file), true).await?;
    while rows.next().await?.is_some() {}
    let proof = rows.proof();
    if expected.is_some_and(|expected| *expected != proof.rows) {
        let message = format!("holds {} rows, not as many as the manifest says", proof.rows);
        return Err(Error::new(Kind::Data, message));
    }
    Ok(File {
        bytes: proof.bytes,
        rows: proof.rows,
        sha256: proof.sha256.unwrap_or_default(),
        endpoint: resource.listings.iter().take(1).map(|listing| listing.path.to_owned()).collect(),
        read_from: Time::EPOCH,
        read_until: Time::EPOCH,
        staged: None,
        kept: false,
        partial: SEED_LACKS.contains(&resource.file),
        carried: None,
        refused: BTreeSet::new(),
        gone: None,
    })
}

/// Checks the size and hash of every complete file in the manifest. A file that fails the check is read
/// again.
async fn prove(
    store: &Store,
    backup: &mut Backup,
    listed: &BTreeMap<String, u64>,
    notes: &mut Vec<String>,
) -> Result<()> {
    let mut damaged: Vec<String> = Vec::new();
    for (stem, file) in backup.files.iter().filter(|(_, file)| !file.kept) {
        let path = file.staged.clone().unwrap_or_else(|| file_name(stem));
        let why = match listed.get(&path) {
            None => Some("is missing".to_owned()),
            Some(size) if *size != file.bytes => {
                Some(format!("has {size} bytes where the manifest says {}", file.bytes))
            }
            Some(_) if digest(store, &path).await?.0 != file.sha256 => {
                Some("has another SHA-256 than the manifest says".to_owned())
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            notes.push(again(&path, &Error::new(Kind::Data, why)));
            damaged.push(stem.clone());
        }
    }
    for stem in damaged {
        backup.files.remove(&stem);
        backup.counts.remove(&stem);
        backup.completed.retain(|done| *done != stem);
    }
    // A stem without a file is not complete.
    let files = &backup.files;
    backup.completed.retain(|stem| files.contains_key(stem));
    Ok(())
}

fn again(path: &str, error: &Error) -> String {
    format!("warning: {path} is damaged and is read again: {error}")
}

/// Resumes unfinished files from their last durable position.
async fn go_on(
    store: &Store,
    backup: &mut Backup,
    listed: &BTreeMap<String, u64>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, Writing>> {
    let mut writing = BTreeMap::new();
    for (stem, unfinished) in std::mem::take(&mut backup.in_progress) {
        let resource = resource_of(&stem);
        if resource.is_none() && stem != CONTENT_INDEX {
            continue;
        }
        let short = match unfinished.pieces {
            None => listed.get(&unfinished.path).copied().unwrap_or(0) < unfinished.bytes,
            Some(_) => false,
        };
        let outcome = if short {
            Err(Error::new(Kind::Data, "it is shorter than the manifest says, or missing"))
        } else {
            PartialFile::resumed(store, &unfinished, resource).await
        };
        match outcome {
            Ok(growing) => {
                let (read_from, state) = (unfinished.read_from, unfinished.state.clone());
                let (carried, refused) = (unfinished.carried, unfinished.refused.clone());
                writing
                    .insert(stem.clone(), Writing { growing, read_from, state, carried, refused });
                backup.in_progress.insert(stem, unfinished);
            }
            Err(error) if error.kind() == Kind::Data => notes.push(again(&unfinished.path, &error)),
            Err(error) => return Err(error),
        }
    }
    Ok(writing)
}

/// Returns files of this program that the manifest does not name.
fn leftovers(store: &Store, manifest: &Manifest, listed: &BTreeMap<String, u64>) -> Vec<String> {
    let backups = || [Some(&manifest.backup), manifest.next.as_ref()].into_iter().flatten();
    let named = |path: &str| {
        backups().any(|backup| {
            let staged = backup.files.values().any(|file| file.staged.as_deref() == Some(path));
            staged
                || backup.in_progress.values().any(|unfinished| match unfinished.pieces {
                    None => unfinished.path == path,
                    Some(_) => {
                        path.strip_prefix(&unfinished.path).is_some_and(|p| p.starts_with('/'))
                    }
                })
        })
    };
    let stub = |path: &str| store.supports_append() && stub_of(path).is_some_and(is_of_backup);
    let left = |path: &&String| is_passing(path) && !named(path) || stub(path);
    listed.keys().filter(left).cloned().collect()
}
