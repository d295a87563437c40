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

/// A backup that is looked at: of ours, or of pdcli. Nothing is ever written to it.
#[derive(Debug)]
pub struct BackupReader {
    store: Store,
    manifest: Manifest,
    /// Sizes of all that lies there, by path.
    listed: BTreeMap<String, u64>,
    /// What lies there and is no file.
    others: BTreeMap<String, Other>,
    /// Whether the manifest is as a run wrote it.
    as_written: bool,
}

impl BackupReader {
    /// Opens a backup. One of pdcli may lack its manifest; then the files that are there
    /// are the backup. Fails with [`Kind::Usage`] when there is no backup at all.
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

    /// A backup that is about to be what this manifest says: its files lie there.
    pub(in crate::dataset) async fn coming(store: &Store, manifest: &Manifest) -> Result<Self> {
        let Listed { files: listed, others } = store.survey(None).await?;
        let (store, manifest) = (store.clone(), manifest.clone());
        Ok(Self { store, manifest, listed, others, as_written: true })
    }

    /// Whether the manifest is as a run wrote it, as far as it can tell: those of pdcli and of
    /// older versions cannot.
    pub fn manifest_is_as_written(&self) -> bool {
        self.as_written
    }

    /// What the manifest says.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The backup that stands.
    pub fn backup(&self) -> &Backup {
        &self.manifest.backup
    }

    /// Where it lies.
    pub fn place(&self) -> &Location {
        self.store.place()
    }

    /// Sizes of all that lies there, by path.
    pub fn listed(&self) -> &BTreeMap<String, u64> {
        &self.listed
    }

    /// Paths of what lies there and is neither a file nor a folder that can be read, and what it is.
    pub fn strange(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let others = self.others.iter().filter(|(_, other)| **other != Other::Folder);
        others.map(|(path, other)| (path.as_str(), other.what()))
    }

    /// What the manifest says of a file.
    pub fn file(&self, stem: &str) -> Option<&File> {
        self.manifest.backup.files.get(stem)
    }

    /// Where the file of a stem lies, be it there or not.
    pub fn path(&self, stem: &str) -> String {
        let staged = self.file(stem).and_then(|file| file.staged.as_ref());
        // The renaming that follows a commit may have been done already.
        match staged.filter(|staged| self.listed.contains_key(*staged)) {
            Some(staged) => staged.clone(),
            None => file_name(stem),
        }
    }

    /// Whether the backup has a file of this stem: for one of ours, because its manifest says so.
    pub fn claims(&self, stem: &str) -> bool {
        let backup = self.backup();
        backup.files.contains_key(stem)
            || backup.is_pdcli_backup() && backup.completed.iter().any(|done| done == stem)
    }

    /// Whether there is a file of this stem that is part of the backup. For pdcli any that
    /// lies there is, since its manifest forgets earlier runs.
    pub fn holds(&self, stem: &str) -> bool {
        let there = self.listed.contains_key(&self.path(stem));
        there && (self.backup().is_pdcli_backup() || self.claims(stem))
    }

    /// Bytes of the file of a stem, as it lies there.
    pub fn size(&self, stem: &str) -> Option<u64> {
        self.listed.get(&self.path(stem)).copied()
    }

    /// The rows of a file; `hashed` to learn its SHA-256 in the end.
    pub async fn rows(&self, stem: &str, hashed: bool) -> Result<Rows> {
        rows(&self.store, &self.path(stem), hashed).await
    }

    /// The SHA-256 and size of something that lies there.
    pub async fn digest(&self, path: &str) -> Result<(String, u64)> {
        super::digest::digest(&self.store, path).await
    }

    /// The file of a stem, to look up parts of it.
    pub fn parts(&self, stem: &str) -> Result<Parts<'_>> {
        let path = self.path(stem);
        let file =
            if self.store.supports_append() { Some(self.store.reading(&path)?) } else { None };
        Ok(Parts { store: &self.store, path, file })
    }

    /// The path of an attachment.
    pub fn content_path(sha256: &str) -> String {
        format!("{CONTENTS}/{sha256}")
    }
}

/// A file of which parts are looked up.
pub struct Parts<'s> {
    store: &'s Store,
    path: String,
    /// Kept open, in a folder.
    file: Option<std::fs::File>,
}

impl Parts<'_> {
    /// So many bytes from this place on.
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

/// The rows of a file.
pub(in crate::dataset) async fn rows(store: &Store, path: &str, hashed: bool) -> Result<Rows> {
    let source = source(store, path).await?;
    Ok(Rows::of(source, store.place().name_of(path), hashed))
}

/// The bytes of a file, as they come.
pub(super) async fn source(store: &Store, path: &str) -> Result<Source> {
    Ok(if store.supports_append() {
        Source::File(store.reading(path)?.take(u64::MAX))
    } else {
        Source::Stream(store.stream(path).await?)
    })
}
