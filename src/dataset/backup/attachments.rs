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

/// An attachment as the account lists it: the used columns of a row of `files.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Attachment {
    /// The file's id.
    pub id: u64,
    /// The file's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The size in bytes that Pipedrive reports.
    #[serde(default)]
    pub file_size: Option<u64>,
    /// The storage of the content: `s3` is Pipedrive's own storage. Any other value is an external
    /// service to which Pipedrive only links (pipedrive-api.md 5.2).
    #[serde(default)]
    pub remote_location: Option<String>,
    /// Whether the file is not deleted.
    #[serde(default)]
    pub active_flag: Option<bool>,
}

impl Attachment {
    /// Returns whether the file is not deleted and Pipedrive stores its content.
    pub fn is_stored(&self) -> bool {
        self.active_flag != Some(false)
            && self.remote_location.as_deref().is_none_or(|place| place == "s3")
    }
}

/// The outcome for an attachment: a row of `fileContents.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The file's id.
    pub id: u64,
    /// The file's name.
    #[serde(default)]
    pub name: Option<String>,
    /// The size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The SHA-256 of the content, which is also its file name in the folder. `None` if there is no
    /// content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The reason why there is no content: `deleted`, the service that stores it, or a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
    /// Whether Pipedrive no longer has the content (404, 410), so that it can never be downloaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Whether the missing content is a gap in the backup.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

impl Content {
    /// Refuses a name that is no name of an attachment. `place` names the index in errors.
    pub(in crate::dataset) fn must_be_named(&self, place: &str) -> Result<()> {
        self.sha256.as_ref().map_or(Ok(()), |name| forms::attachment(place, self.id, name))
    }
}

/// The storage of attachments. Several uploads may be written at the same time.
#[derive(Debug, Clone)]
pub struct AttachmentStore {
    store: Store,
    /// The SHA-256 and size of each stored attachment, by id. Stored attachments never change.
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

/// The attachments of an account, in order.
pub struct Attachments {
    rows: Rows,
    unread: u64,
}

impl Attachments {
    /// Returns the number of rows that were skipped because they have no usable id or are not a valid
    /// file row.
    pub const fn unread(&self) -> u64 {
        self.unread
    }

    /// Returns at most `most` next attachments. The list is empty at the end.
    pub async fn next(&mut self, most: usize) -> Result<Vec<Attachment>> {
        let mut next = Vec::new();
        while next.len() < most
            && let Some(row) = self.rows.next().await?
        {
            match read(row.json) {
                Ok(attachment) => next.push(attachment),
                // A row that cannot be parsed does not stop the others.
                Err(_) => self.unread += 1,
            }
        }
        Ok(next)
    }
}

impl AttachmentStore {
    /// Returns the SHA-256 and size of a stored attachment. `None` if it is not stored, or if its listed
    /// size differs.
    pub fn known(&self, attachment: &Attachment) -> Option<(String, u64)> {
        let (sha256, bytes) = self.known.get(&attachment.id)?;
        let same = attachment.file_size.is_none_or(|size| size == *bytes);
        same.then(|| (sha256.clone(), *bytes))
    }

    /// Starts an upload.
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

    /// Returns the number of bytes that were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Finishes the file and names it by its SHA-256. Returns the SHA-256 and the size in bytes.
    pub async fn finish(self) -> Result<(String, u64)> {
        let Self { store, path, upload, hash, bytes } = self;
        upload.finish().await?;
        let sha256 = hex(&hash.finalize());
        store.relocate(&path, &format!("{FOLDER}/{sha256}")).await?;
        Ok((sha256, bytes))
    }
}

/// The part of [`BackupWriter`] that handles attachments.
impl BackupWriter {
    /// Returns whether the backup includes attachments and their index is not complete yet.
    pub fn wants_contents(&self) -> bool {
        self.backup().is_some_and(|backup| {
            let done = backup.files.contains_key(CONTENT_INDEX);
            let listed = backup.completed.iter().any(|stem| stem == "files");
            backup.includes_contents() && listed && !done
        })
    }

    /// Opens the storage of attachments, with the attachments of earlier runs.
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

    /// Returns the attachments without a recorded outcome, in the order of `files.json`.
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

    /// Records the outcome of attachments. The records are durable afterwards.
    pub async fn note_contents(&mut self, contents: &[Content], now: Time) -> Result<()> {
        let entries = contents.iter().map(|content| Entry {
            json: serde_json::to_vec(content).unwrap_or_default().into(),
            key: None,
        });
        let state = self.writing(CONTENT_INDEX, now).state.clone();
        self.append(CONTENT_INDEX, entries.collect(), state, now).await
    }

    /// Completes the index of attachments, which becomes part of the backup. Returns the attachments
    /// that failed, and those that are gone. The manifest counts the gone ones, which are not a gap.
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

    /// Removes stored attachments that the index does not name.
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
        // Only files whose name is that of an attachment are removed. Foreign files stay.
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

/// Refuses an index with a name that is no name of an attachment. Other defects are found when the index
/// is used.
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
