//! A backup that is open for reading.

use super::file::File;
use super::manifest::{Backup, CONTENTS, Manifest, PDCLI_LAYOUT, file_name};
use super::rows::Rows;
use crate::dataset::commit_log::{self, MANIFEST};
use crate::dataset::folder::{Listed, Other};
use crate::dataset::forms::{BACKUP_FOLDERS, is_of_backup};
use crate::dataset::json_stream::Source;
use crate::dataset::location::Location;
use crate::dataset::ownership;
use crate::dataset::store::Store;
use crate::model::{Error, Kind, Resource, Result};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};

/// A backup of this program or of pdcli, opened for reading. It is never changed.
#[derive(Debug)]
pub struct BackupReader {
    store: Store,
    manifest: Manifest,
    /// The sizes in bytes of all files in the location, by path.
    listed: BTreeMap<String, u64>,
    /// The entries in the location that are not regular files.
    others: BTreeMap<String, Other>,
    /// Whether the manifest's SHA-256 matches.
    as_written: bool,
}

impl BackupReader {
    /// Opens a backup. A pdcli backup may have no manifest; its files are then the backup. Fails with
    /// [`Kind::Usage`] if there is no backup.
    pub async fn open(place: &Location) -> Result<Self> {
        let none = || {
            let message = "this is no backup: there is no manifest.json and no file of a resource";
            Error::new(Kind::Usage, message).at(place.to_string())
        };
        if place.folder().is_some_and(|folder| !folder.is_dir()) {
            let message = "there is no such folder";
            return Err(Error::new(Kind::Usage, message).at(place.to_string()));
        }
        let store = Store::look(place)?;
        let found = store.survey(None).await?;
        ownership::links(&store, &found, is_of_backup, |path| BACKUP_FOLDERS.contains(&path))?;
        let Listed { files: listed, others } = found;
        let (manifest, as_written) = if let Some(bytes) =
            commit_log::newest_manifest(&store).await?
        {
            let manifest = Manifest::from_json(&bytes, &place.name_of(MANIFEST))?;
            let as_written = manifest.is_as_written(&bytes);
            (manifest, as_written)
        } else {
            let stems = PDCLI_LAYOUT.iter().filter(|stem| listed.contains_key(&file_name(stem)));
            let completed = stems.map(|stem| (*stem).to_owned()).collect();
            let backup = Backup { completed, ..Backup::default() };
            (Manifest { backup, next: None }, true)
        };
        let snapshot = Self { store, manifest, listed, others, as_written };
        if snapshot.manifest.backup.is_pdcli_backup()
            && !Resource::all().any(|r| snapshot.holds(r.file))
        {
            return Err(none());
        }
        Ok(snapshot)
    }

    /// Opens a backup whose manifest is not written yet, but whose files exist.
    pub(in crate::dataset) async fn coming(store: &Store, manifest: &Manifest) -> Result<Self> {
        let Listed { files: listed, others } = store.survey(None).await?;
        let (store, manifest) = (store.clone(), manifest.clone());
        Ok(Self { store, manifest, listed, others, as_written: true })
    }

    /// Returns whether the manifest's SHA-256 matches. Manifests of pdcli and of older versions have
    /// none and are accepted.
    pub fn manifest_is_as_written(&self) -> bool {
        self.as_written
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the current backup.
    pub fn backup(&self) -> &Backup {
        &self.manifest.backup
    }

    /// Returns the location.
    pub fn place(&self) -> &Location {
        self.store.place()
    }

    /// Returns the sizes in bytes of all files in the location, by path.
    pub fn listed(&self) -> &BTreeMap<String, u64> {
        &self.listed
    }

    /// Returns the paths of entries that are neither files nor readable folders, with a description.
    pub fn strange(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let others = self.others.iter().filter(|(_, other)| **other != Other::Folder);
        others.map(|(path, other)| (path.as_str(), other.what()))
    }

    /// Returns the manifest's entry of a file.
    pub fn file(&self, stem: &str) -> Option<&File> {
        self.manifest.backup.files.get(stem)
    }

    /// Returns the path of a stem's file. The file need not exist.
    pub fn path(&self, stem: &str) -> String {
        let staged = self.file(stem).and_then(|file| file.staged.as_ref());
        // The rename after the commit may already be complete.
        match staged.filter(|staged| self.listed.contains_key(*staged)) {
            Some(staged) => staged.clone(),
            None => file_name(stem),
        }
    }

    /// Returns whether the manifest states that the backup has a file of this stem.
    pub fn claims(&self, stem: &str) -> bool {
        let backup = self.backup();
        backup.files.contains_key(stem)
            || backup.is_pdcli_backup() && backup.completed.iter().any(|done| done == stem)
    }

    /// Returns whether a file of this stem exists and belongs to the backup. For pdcli every existing
    /// file belongs to it, because its manifest omits files of earlier runs.
    pub fn holds(&self, stem: &str) -> bool {
        let there = self.listed.contains_key(&self.path(stem));
        there && (self.backup().is_pdcli_backup() || self.claims(stem))
    }

    /// Returns the actual size in bytes of a stem's file. `None` if it does not exist.
    pub fn size(&self, stem: &str) -> Option<u64> {
        self.listed.get(&self.path(stem)).copied()
    }

    /// Returns the rows of a file. With `hashed` their reader computes the SHA-256.
    pub async fn rows(&self, stem: &str, hashed: bool) -> Result<Rows> {
        rows(&self.store, &self.path(stem), hashed).await
    }

    /// Returns the SHA-256 and the size in bytes of a file in the location.
    pub async fn digest(&self, path: &str) -> Result<(String, u64)> {
        super::digest::digest(&self.store, path).await
    }

    /// Opens the file of a stem for random access.
    pub fn parts(&self, stem: &str) -> Result<Parts<'_>> {
        let path = self.path(stem);
        let file =
            if self.store.supports_append() { Some(self.store.reading(&path)?) } else { None };
        Ok(Parts { store: &self.store, path, file })
    }

    /// Returns the path of an attachment.
    pub fn content_path(sha256: &str) -> String {
        format!("{CONTENTS}/{sha256}")
    }
}

/// A file that is open for random access.
pub struct Parts<'s> {
    store: &'s Store,
    path: String,
    /// The open file. `None` in a bucket.
    file: Option<std::fs::File>,
}

impl Parts<'_> {
    /// Reads `length` bytes from `offset` on.
    pub async fn at(&mut self, offset: u64, length: usize) -> Result<Bytes> {
        let Some(file) = &mut self.file else {
            return self.store.get_part(&self.path, offset, length).await;
        };
        let mut bytes = vec![0; length];
        let read = file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|error| {
            let message = format!("cannot be read ({error})");
            Error::new(Kind::Storage, message).at(self.store.place().name_of(&self.path))
        })?;
        Ok(bytes.into())
    }
}

/// Returns the rows of a file.
pub(in crate::dataset) async fn rows(store: &Store, path: &str, hashed: bool) -> Result<Rows> {
    let source = source(store, path).await?;
    Ok(Rows::of(source, store.place().name_of(path), hashed))
}

/// Returns the bytes of a file as a stream.
pub(super) async fn source(store: &Store, path: &str) -> Result<Source> {
    Ok(if store.supports_append() {
        Source::File(store.reading(path)?.take(u64::MAX))
    } else {
        Source::Stream(store.stream(path).await?)
    })
}
