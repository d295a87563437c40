//! Stores attachments by their content digest, so that each is stored once and can be verified.

use super::partial_file::Entry;
use super::writer::BackupWriter;
use crate::dataset::forms::{self, ARRIVING, is_attachment};
use crate::dataset::json_stream::hex;
use crate::dataset::snapshot::{CONTENT_INDEX, CONTENTS, Rows, rows};
use crate::dataset::store::{Store, Upload};
use crate::model::{Error, Kind, Result, Time};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// The folder of attachments.
pub(super) const FOLDER: &str = CONTENTS;

/// An attachment as the account lists it: what we need of a row of `files.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    /// The file's id.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its size as Pipedrive tells it.
    #[serde(default)]
    pub file_size: Option<u64>,
    /// Where its bytes lie: `s3` is Pipedrive's own storage, anything else a service of others that
    /// Pipedrive only links to (pipedrive-api.md 5.2).
    #[serde(default)]
    pub remote_location: Option<String>,
    /// Whether it is not deleted.
    #[serde(default)]
    pub active_flag: Option<bool>,
}

impl Attachment {
    /// Whether Pipedrive has its bytes.
    pub fn is_stored(&self) -> bool {
        self.active_flag != Some(false)
            && self.remote_location.as_deref().is_none_or(|place| place == "s3")
    }
}

/// What became of an attachment: a row of `fileContents.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The file's id.
    pub id: u64,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The SHA-256 of its bytes: its name in the folder. None if there are no bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Why there are no bytes: `deleted`, the service that has them, or a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// Whether Pipedrive says that it no longer has the bytes (404, 410): there is nothing to be had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Whether that is a gap in the backup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl Content {
    /// Refuses a name that no attachment has. `place` names the index in errors.
    pub(in crate::dataset) fn must_be_named(&self, place: &str) -> Result<()> {
        self.sha256.as_ref().map_or(Ok(()), |name| forms::attachment(place, self.id, name))
    }
}

/// A place for attachments; several may be written side by side.
#[derive(Debug, Clone)]
pub struct AttachmentStore {
    store: Store,
    /// What is known of attachments that are here already, by id: they never change.
    known: BTreeMap<u64, (String, u64)>,
}

/// An attachment that is being written.
pub struct AttachmentUpload<'c> {
    store: &'c Store,
    path: String,
    upload: Upload<'c>,
    hash: Sha256,
    bytes: u64,
}

/// Attachments in order, one after the other.
pub struct Attachments {
    rows: Rows,
    unread: u64,
}

impl Attachments {
    /// Rows that were passed over, because they have no usable id or no form of a file.
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// The next ones, at most this many; empty when there are none left.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Attachment>> {
        let mut next = Vec::new();
        while next.len() < most
            && let Some(row) = self.rows.next().await?
        {
            match read(row.json) {
                Ok(attachment) => next.push(attachment),
                // One file that cannot be asked for keeps no other from it.
                Err(_) => self.unread += 1,
            }
        }
        Ok(next)
    }
}

impl AttachmentStore {
    /// One that is here already: its SHA-256 and size.
    pub fn known(&self, attachment: &Attachment) -> Option<(String, u64)> {
        let (sha256, bytes) = self.known.get(&attachment.id)?;
        let same = attachment.file_size.is_none_or(|size| size == *bytes);
        same.then(|| (sha256.clone(), *bytes))
    }

    /// Begins one.
    pub async fn start_upload(&self, id: u64) -> Result<AttachmentUpload<'_>> {
        let path = format!("{FOLDER}/{ARRIVING}{id}");
        let upload = self.store.upload(&path).await?;
        Ok(AttachmentUpload { store: &self.store, path, upload, hash: Sha256::new(), bytes: 0 })
    }
}

impl AttachmentUpload<'_> {
    /// Adds bytes.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        self.upload.write(bytes).await
    }

    /// How many bytes came.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts it into its place, called after its bytes. Returns its SHA-256 and size.
    pub async fn finish(self) -> Result<(String, u64)> {
        let Self { store, path, upload, hash, bytes } = self;
        upload.finish().await?;
        let sha256 = hex(&hash.finalize());
        store.relocate(&path, &format!("{FOLDER}/{sha256}")).await?;
        Ok((sha256, bytes))
    }
}

/// Attachments, for an [`BackupWriter`].
impl BackupWriter {
    /// Whether attachments belong to this backup and are not all here yet.
    pub fn wants_contents(&self) -> bool {
        self.backup().is_some_and(|backup| {
            let done = backup.files.contains_key(CONTENT_INDEX);
            let listed = backup.completed.iter().any(|stem| stem == "files");
            backup.includes_contents() && listed && !done
        })
    }

    /// The place for attachments, which knows those of earlier runs.
    pub async fn contents(&self) -> Result<AttachmentStore> {
        self.store.make_folder(FOLDER)?;
        let here = self.store.list(Some(FOLDER)).await?;
        let mut known = BTreeMap::new();
        if let Some(path) = self.standing(CONTENT_INDEX) {
            let mut rows = rows(&self.store, &path, false).await?;
            while let Some(row) = rows.next().await? {
                let content: Content = read(row.json)?;
                content.must_be_named(&self.store.place().name_of(&path))?;
                if let (Some(sha256), Some(bytes)) = (content.sha256, content.bytes)
                    && here.get(&format!("{FOLDER}/{sha256}")) == Some(&bytes)
                {
                    known.insert(content.id, (sha256, bytes));
                }
            }
        }
        Ok(AttachmentStore { store: self.store.clone(), known })
    }

    /// The attachments that nothing is known of yet, in the order of `files.json`.
    pub async fn attachments(&mut self, now: Time) -> Result<Attachments> {
        let Some((path, file)) = self.whole("files") else {
            return Err(Error::new(Kind::Bug, "attachments were asked for before their list"));
        };
        let state = json!({"files": file.sha256});
        if self.writing(CONTENT_INDEX, now).state != state {
            // The list was read again: the index starts empty, and the stored content stays.
            self.restart(CONTENT_INDEX, state, now).await?;
        }
        let rows = rows(&self.store, &path, false).await?;
        let mut attachments = Attachments { rows, unread: 0 };
        for _ in 0..self.writing(CONTENT_INDEX, now).growing.rows() {
            attachments.next(1).await?;
        }
        Ok(attachments)
    }

    /// Notes what became of some attachments; durable afterwards.
    pub async fn note_contents(&mut self, contents: &[Content], now: Time) -> Result<()> {
        let entries = contents.iter().map(|content| Entry {
            json: serde_json::to_vec(content).unwrap_or_default().into(),
            key: None,
        });
        let state = self.writing(CONTENT_INDEX, now).state.clone();
        self.append(CONTENT_INDEX, entries.collect(), state, now).await
    }

    /// All attachments are noted: the index becomes part of the backup. Returns those that could not
    /// be had, and those that are gone for good; the manifest counts these, and they are no gap.
    pub async fn finish_contents(&mut self, until: Time, now: Time) -> Result<Vec<Content>> {
        let endpoint = vec!["/api/v1/files/{id}/download".to_owned()];
        self.complete(CONTENT_INDEX, endpoint, until, now).await?;
        let (mut failed, mut gone) = (Vec::new(), Vec::new());
        if let Some((path, _)) = self.whole(CONTENT_INDEX) {
            let mut rows = rows(&self.store, &path, false).await?;
            while let Some(row) = rows.next().await? {
                let content: Content = read(row.json)?;
                match content {
                    content if content.failed => failed.push(content),
                    content if content.gone => gone.push(content),
                    _ => {}
                }
            }
        }
        if !failed.is_empty() {
            let message = format!("{} attachments could not be had", failed.len());
            self.refuse(CONTENT_INDEX, Kind::Refused, message, now).await?;
        }
        if !gone.is_empty()
            && let Some(file) = self.backup_mut().files.get_mut(CONTENT_INDEX)
        {
            file.gone = Some(gone.len() as u64);
            self.commit(now).await?;
        }
        failed.append(&mut gone);
        Ok(failed)
    }

    /// Removes attachments that no backup names any more.
    pub(super) async fn forget_contents(&mut self) -> Result<()> {
        let Some(path) = self.standing(CONTENT_INDEX) else {
            return Ok(());
        };
        let mut named = BTreeSet::new();
        let mut rows = rows(&self.store, &path, false).await?;
        while let Some(row) = rows.next().await? {
            let content: Content = read(row.json)?;
            named.extend(content.sha256);
        }
        // Only what is called like an attachment: other people's files stay.
        let here = self.store.list(Some(FOLDER)).await?.into_keys();
        for path in here.filter(|path| is_attachment(path)) {
            let name = path.rsplit('/').next().unwrap_or_default();
            if !named.contains(name) {
                self.store.remove(&path).await?;
            }
        }
        Ok(())
    }
}

/// Refuses an index of attachments that names one as no run does. What else may be wrong with it is
/// found when it is used.
pub(super) async fn must_be_named(store: &Store, path: &str) -> Result<()> {
    let mut rows = rows(store, path, false).await?;
    while let Ok(Some(row)) = rows.next().await {
        let content: Option<Content> = serde_json::from_str(row.json).ok();
        content.map_or(Ok(()), |content| content.must_be_named(&store.place().name_of(path)))?;
    }
    Ok(())
}

fn read<'r, T: Deserialize<'r>>(row: &'r str) -> Result<T> {
    serde_json::from_str(row).map_err(|error| {
        Error::new(Kind::Data, "row of an attachment is not readable").because(error)
    })
}
