//! The commit log: a sequence of manifests, written by one writer at a time.
//!
//! In a folder the manifest is one file. A rename replaces it under a lock that the system releases when
//! its owner dies. In a bucket every commit is an object of its own that is created and never overwritten:
//! of two writers that continue from the same commit, the second fails. The newest object is the
//! authoritative one, and `manifest.json` is a copy of it for readers.

use super::forms::commit_number;
use super::store::Store;
use crate::model::{Error, Kind, Result, Time};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};

/// The manifest. In a bucket it is a copy for readers.
pub(super) const MANIFEST: &str = "manifest.json";
/// The lock file of a folder.
pub(super) const LOCK_FILE: &str = "manifest.lock";
/// The first bytes of a lock file, followed by its maximum size.
const LOCK_HEAD: &[u8] = b"{\"run\":";
const LOCK_BYTES_MAX: u64 = 4096;
/// The folder of the commits in a bucket.
pub(super) const COMMITS: &str = "_manifest";
/// The lock object in a bucket whose server ignores conditional writes.
const LOCK_OBJECT: &str = "_manifest/lock.json";
/// The beginning of the name of the object that probes conditional writes. The name of the run follows.
pub(super) const PROBE: &str = "_manifest/probe-";
/// Seconds after which a lock object expires. It is renewed before that.
const LOCK_SECONDS: i64 = 30 * 60;
/// The number of commits that are kept in a bucket.
const COMMITS_KEPT: u64 = 2;

/// The right to commit, which one run holds.
#[derive(Debug)]
pub(super) struct CommitLog {
    owner: Owner,
    right: Right,
}

#[derive(Debug)]
enum Right {
    /// The lock, which is released when the file is closed.
    Folder { _lock: File },
    /// The number of the newest commit.
    Bucket { newest: u64 },
    /// The number of the newest commit, on a server that ignores conditional writes. A lock object
    /// protects it until `until`.
    Locked { newest: u64, until: Time },
}

/// The run that writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The name of the run, which is unique.
    pub run: String,
    /// The process and host of the run.
    pub process: String,
    /// The start of the run.
    pub since: Time,
    /// The time at which the lock object of this owner expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

/// Returns the name of this machine.
#[cfg(unix)]
fn host() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

/// Returns the name of this machine.
#[cfg(not(unix))]
fn host() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

impl Owner {
    /// Creates the owner for a run of this process.
    pub fn new(run: String, now: Time) -> Self {
        let host = host().unwrap_or_else(|| "this host".to_owned());
        Self {
            run,
            process: format!("process {} on {host}", std::process::id()),
            since: now,
            expires: None,
        }
    }
}

/// The state that was found when the right to commit was taken.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) commits: CommitLog,
    /// The newest manifest. `None` if there is none.
    pub(super) manifest: Option<Bytes>,
    /// Whether a lock object enforces the single writer, because the server ignores conditional writes.
    pub(super) unconditional: bool,
}

impl CommitLog {
    /// Takes the right to commit. Fails if another run holds it, unless `break_lock` states that the
    /// other run has ended.
    pub(super) async fn open(store: &Store, owner: Owner, break_lock: bool) -> Result<Found> {
        if store.place().folder().is_some() {
            let lock = lock_folder(store, &owner, break_lock).await?;
            let manifest = store.get(MANIFEST).await?;
            let commits = Self { owner, right: Right::Folder { _lock: lock } };
            return Ok(Found { commits, manifest, unconditional: false });
        }
        let (newest, manifest) = newest(store).await?;
        let probe = format!("{PROBE}{}", owner.run);
        if store.supports_conditional_put(&probe).await? {
            let commits = Self { owner, right: Right::Bucket { newest } };
            return Ok(Found { commits, manifest, unconditional: false });
        }
        let until = lock_object(store, &owner, break_lock).await?;
        // The manifest is read again, because a commit may have occurred between the listing and the
        // lock.
        let (newest, manifest) = self::newest(store).await?;
        let commits = Self { owner, right: Right::Locked { newest, until } };
        Ok(Found { commits, manifest, unconditional: true })
    }

    /// Fails if another process took over the lock of a folder. This run must then write nothing more.
    pub(super) fn still_ours(&self, store: &Store) -> Result<()> {
        let lost = matches!(self.right, Right::Folder { .. })
            && held_by(store).is_none_or(|holder| holder.run != self.owner.run);
        if lost { Err(taken_over(store)) } else { Ok(()) }
    }

    /// Replaces the manifest atomically. Afterwards the manifest is durable, and all files that it names
    /// are visible.
    ///
    /// After an error the previous manifest is still valid, and this run must not continue.
    pub(super) async fn replace(
        &mut self,
        store: &Store,
        manifest: Bytes,
        now: Time,
    ) -> Result<()> {
        self.still_ours(store)?;
        match &mut self.right {
            Right::Folder { .. } => store.put(MANIFEST, manifest).await,
            Right::Bucket { newest } => {
                let next = *newest + 1;
                let path = commit(next);
                // A repeated request after a lost response finds the object of the first request.
                if !store.create(&path, manifest.clone()).await?
                    && store.get(&path).await?.as_ref() != Some(&manifest)
                {
                    return Err(taken_over(store));
                }
                *newest = next;
                published(store, next, manifest).await
            }
            Right::Locked { newest, until } => {
                let holder = object_holder(store).await?;
                if holder.is_none_or(|holder| holder.run != self.owner.run) {
                    return Err(taken_over(store));
                }
                if now.plus_seconds(LOCK_SECONDS / 2) > *until {
                    *until = write_lock_object(store, &self.owner, now).await?;
                }
                let next = *newest + 1;
                store.put(&commit(next), manifest.clone()).await?;
                *newest = next;
                published(store, next, manifest).await
            }
        }
    }

    /// Releases the right to commit.
    pub(super) async fn end(&self, store: &Store) -> Result<()> {
        match &self.right {
            // The file stays. If it were removed, two runs could hold locks on two files of the same
            // name.
            Right::Folder { .. } | Right::Bucket { .. } => Ok(()),
            Right::Locked { .. } => store.remove(LOCK_OBJECT).await,
        }
    }
}

/// Returns the path of a commit: `_manifest/00000000000000000042.json`.
fn commit(number: u64) -> String {
    format!("{COMMITS}/{number:020}.json")
}

/// Returns the newest manifest.
pub(super) async fn newest_manifest(store: &Store) -> Result<Option<Bytes>> {
    match store.place().folder() {
        Some(_) => store.get(MANIFEST).await,
        None => Ok(newest(store).await?.1),
    }
}

/// Returns the number and content of the newest commit of a bucket. The number is 0 if there is none.
async fn newest(store: &Store) -> Result<(u64, Option<Bytes>)> {
    let listed = store.list(Some(COMMITS)).await?;
    let Some(newest) = listed.keys().filter_map(|path| commit_number(path)).max() else {
        return Ok((0, None));
    };
    match store.get(&commit(newest)).await? {
        Some(manifest) => Ok((newest, Some(manifest))),
        // A concurrent writer has already removed the commit.
        None => Err(taken_over(store)),
    }
}

/// Completes a commit: writes the copy for readers, checks that no writer continued from an older commit,
/// and removes old commits.
async fn published(store: &Store, number: u64, manifest: Bytes) -> Result<()> {
    store.put(MANIFEST, manifest).await?;
    let listed = store.list(Some(COMMITS)).await?;
    let numbers: Vec<u64> = listed.keys().filter_map(|path| commit_number(path)).collect();
    if let Some(newest) = numbers.iter().max().filter(|newest| **newest > number) {
        // A newer commit exists. The copy must not name files that were removed.
        if let Some(manifest) = store.get(&commit(*newest)).await? {
            store.put(MANIFEST, manifest).await?;
        }
        return Err(taken_over(store));
    }
    for old in numbers.into_iter().filter(|old| old + COMMITS_KEPT <= number) {
        store.remove(&commit(old)).await?;
    }
    Ok(())
}

pub(super) fn taken_over(store: &Store) -> Error {
    Error::new(
        Kind::Storage,
        "another run writes here: what it committed stands, what this run took since its \
         last commit does not; run again when the other is done",
    )
    .at(store.place().to_string())
}

fn locked(store: &Store, holder: Option<Owner>) -> Error {
    let who = holder.map_or_else(
        || "another run".to_owned(),
        |holder| format!("{} (run {}, since {})", holder.process, holder.run, holder.since),
    );
    Error::new(
        Kind::Storage,
        format!("{who} is writing here: wait for it to end; if it is gone for sure, --break-lock takes over"),
    )
    .at(store.place().to_string())
}

async fn lock_folder(store: &Store, owner: &Owner, break_lock: bool) -> Result<File> {
    if break_lock {
        // The file is checked before it is removed: it must be a lock of this program.
        if let Some(bytes) = store.get(LOCK_FILE).await? {
            must_be_lock(store, &bytes)?;
            store.remove(LOCK_FILE).await?;
        }
    }
    let mut file = store.writing(LOCK_FILE)?;
    let failed = |error: std::io::Error| {
        Error::new(Kind::Storage, format!("cannot be written ({error})"))
            .at(store.place().name_of(LOCK_FILE))
            .because(error)
    };
    let mut before = Vec::new();
    (&file).take(LOCK_BYTES_MAX + 1).read_to_end(&mut before).map_err(failed)?;
    must_be_lock(store, &before)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(locked(store, held_by(store))),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let text = serde_json::to_string(owner).unwrap_or_default();
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(failed)?;
    Ok(file)
}

/// Refuses to overwrite a file that only has the name of a lock. A lock may be empty or incomplete,
/// because its run may have ended during the write.
pub(super) fn must_be_lock(store: &Store, bytes: &[u8]) -> Result<()> {
    let head = &bytes[..bytes.len().min(LOCK_HEAD.len())];
    if bytes.len() as u64 <= LOCK_BYTES_MAX && LOCK_HEAD.starts_with(head) {
        return Ok(());
    }
    let message = "is no lock of ours: move it away, or use another --dir";
    Err(Error::new(Kind::Data, message).at(store.place().name_of(LOCK_FILE)))
}

/// Returns the owner that the lock file of a folder names.
fn held_by(store: &Store) -> Option<Owner> {
    let mut text = String::new();
    store.reading(LOCK_FILE).ok()?.take(LOCK_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

async fn object_holder(store: &Store) -> Result<Option<Owner>> {
    let found = store.get(LOCK_OBJECT).await?;
    Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

async fn lock_object(store: &Store, owner: &Owner, break_lock: bool) -> Result<Time> {
    let now = owner.since;
    let holder = object_holder(store).await?;
    if let Some(holder) = holder.filter(|holder| holder.run != owner.run && !break_lock)
        && holder.expires.is_some_and(|expires| expires > now)
    {
        return Err(locked(store, Some(holder)));
    }
    let until = write_lock_object(store, owner, now).await?;
    // If two runs wrote the lock object at the same time, the last one holds the lock.
    match object_holder(store).await? {
        Some(holder) if holder.run == owner.run => Ok(until),
        holder => Err(locked(store, holder)),
    }
}

async fn write_lock_object(store: &Store, owner: &Owner, now: Time) -> Result<Time> {
    let until = now.plus_seconds(LOCK_SECONDS);
    let owner = Owner { expires: Some(until), ..owner.clone() };
    let text = serde_json::to_vec(&owner).unwrap_or_default();
    store.put(LOCK_OBJECT, text.into()).await?;
    Ok(until)
}
