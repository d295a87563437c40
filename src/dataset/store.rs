//! Objects in a folder or a bucket: whole ones, and files that grow where the place is a folder.

use super::place::Place;
use super::s3_http;
use crate::model::{Error, Kind, Result};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Error as Refusal, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, WriteMultipart,
};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of a piece of an upload: a server may refuse pieces under 5 MiB.
const PIECE_BYTES: usize = 8 << 20;
/// Pieces of an upload under way.
const PIECES_IN_FLIGHT_MAX: usize = 2;

/// An object that is being written. Holds a few pieces.
pub(super) struct Upload<'s> {
    store: &'s Store,
    path: String,
    writer: WriteMultipart,
}

impl Upload<'_> {
    /// Adds bytes.
    pub(super) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let ready = self.writer.wait_for_capacity(PIECES_IN_FLIGHT_MAX).await;
        ready.map_err(|error| self.store.failed("write", &self.path, error))?;
        self.writer.put(bytes);
        Ok(())
    }

    /// Makes the object visible and durable.
    pub(super) async fn finish(self) -> Result<()> {
        let outcome = self.writer.finish().await;
        self.store.step();
        outcome.map(drop).map_err(|error| self.store.failed("write", &self.path, error))
    }
}

/// A place that is open for reading and writing.
#[derive(Debug, Clone)]
pub(super) struct Store {
    place: Place,
    objects: Arc<dyn ObjectStore>,
    /// Steps until the process ends itself; 0 for never. For tests of crashes.
    crash: Arc<AtomicU64>,
}

impl Store {
    /// Opens a place; a folder is made if it is not there. The process aborts at the step of this
    /// number, if one is given: each operation has one before it and one after it.
    pub(super) fn open(place: &Place, crash_at_step: Option<u64>) -> Result<Self> {
        let objects = place.objects()?;
        Ok(Self {
            place: place.clone(),
            objects,
            crash: Arc::new(AtomicU64::new(crash_at_step.unwrap_or(0))),
        })
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The bytes of an object; `None` when there is none.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let name = self.name(path)?;
        let outcome = if self.grows() {
            match self.objects.get(&name).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            }
        } else {
            s3_http::read_whole(Arc::clone(&self.objects), name).await
        };
        match outcome {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Refusal::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// A part of an object.
    pub(super) async fn get_part(&self, path: &str, offset: u64, length: usize) -> Result<Bytes> {
        let name = self.name(path)?;
        let part = self.objects.get_range(&name, offset..offset + length as u64).await;
        part.map_err(|error| self.failed("read", path, error))
    }

    /// The bytes of an object, as they come.
    pub(super) async fn stream(&self, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let name = self.name(path)?;
        let found = s3_http::read(Arc::clone(&self.objects), name).await;
        let found = found.map_err(|error| self.failed("read", path, error))?;
        let place = self.place.name_of(path);
        Ok(found
            .map_err(move |error| {
                Error::new(Kind::Storage, "cannot be read to its end").at(&place).because(error)
            })
            .boxed())
    }

    /// Writes an object as a whole, in place of one that is there. It is durable afterwards.
    pub(super) async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let name = self.name(path)?;
        self.step();
        let outcome = self.objects.put(&name, PutPayload::from_bytes(bytes)).await;
        self.step();
        outcome.map(drop).map_err(|error| self.failed("write", path, error))
    }

    /// Writes an object unless there is one. `false` when there is, as far as the server heeds the
    /// condition: see [`Self::heeds_conditions`].
    pub(super) async fn create(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let name = self.name(path)?;
        self.step();
        let payload = PutPayload::from_bytes(bytes);
        let outcome = self.objects.put_opts(&name, payload, PutMode::Create.into()).await;
        self.step();
        match outcome {
            Ok(_) => Ok(true),
            Err(Refusal::AlreadyExists { .. } | Refusal::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.failed("write", path, error)),
        }
    }

    /// Whether the server refuses to create what exists. Several S3 servers answer 200 to a
    /// conditional put and overwrite, others know no conditions, so it is tried out with this name.
    pub(super) async fn heeds_conditions(&self, path: &str) -> Result<bool> {
        let heeds = match self.create(path, Bytes::from_static(b"first")).await {
            Ok(true) => !self.create(path, Bytes::from_static(b"second")).await?,
            Ok(false) => true,
            // What cannot be written without a condition either has another reason.
            Err(error) => match self.put(path, Bytes::from_static(b"first")).await {
                Ok(()) => false,
                Err(_) => return Err(error),
            },
        };
        self.remove(path).await?;
        Ok(heeds)
    }

    /// Begins an object that is written piece by piece. It becomes visible, in place of one that is
    /// there, when it is finished; dropped before, it leaves at most what [`Self::sweep_stubs`] finds.
    pub(super) async fn upload(&self, path: &str) -> Result<Upload<'_>> {
        let name = self.name(path)?;
        self.step();
        let pieces = self.objects.put_multipart(&name).await;
        let pieces = pieces.map_err(|error| self.failed("write", path, error))?;
        let writer = WriteMultipart::new_with_chunk_size(pieces, PIECE_BYTES);
        Ok(Upload { store: self, path: path.to_owned(), writer })
    }

    /// Gives an object another name, in place of one that has it. If the process ends meanwhile,
    /// doing it again finishes it; an object that was moved already stays moved.
    pub(super) async fn relocate(&self, from: &str, to: &str) -> Result<()> {
        if self.grows() {
            return self.rename(from, to);
        }
        let (source, target) = (self.name(from)?, self.name(to)?);
        self.step();
        let copied = self.objects.copy(&source, &target).await;
        copied.map_err(|error| self.failed("copy", from, error))?;
        self.remove(from).await
    }

    /// Removes an object; one that is not there is removed already.
    pub(super) async fn remove(&self, path: &str) -> Result<()> {
        let name = self.name(path)?;
        self.step();
        let outcome = self.objects.delete(&name).await;
        self.step();
        match outcome {
            Ok(()) | Err(Refusal::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", path, error)),
        }
    }

    /// Names and sizes of all objects, or of those below a folder.
    pub(super) async fn list(&self, below: Option<&str>) -> Result<BTreeMap<String, u64>> {
        let prefix = below.map(|below| self.name(below)).transpose()?;
        let found: Vec<_> = self
            .objects
            .list(prefix.as_ref())
            .try_collect()
            .await
            .map_err(|error| self.failed("list", below.unwrap_or(""), error))?;
        Ok(found.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect())
    }

    /// The first object in the listing that is not one of these.
    pub(super) async fn first_but(&self, these: impl Fn(&str) -> bool) -> Result<Option<String>> {
        let mut found = self.objects.list(None);
        loop {
            let next = found.try_next().await.map_err(|error| self.failed("list", "", error))?;
            match next.map(|meta| meta.location.to_string()) {
                Some(path) if these(&path) => {}
                other => return Ok(other),
            }
        }
    }

    fn name(&self, path: &str) -> Result<Path> {
        Path::parse(path).map_err(|error| {
            Error::new(Kind::Data, "not a valid name").at(self.place.name_of(path)).because(error)
        })
    }

    fn failed(&self, what: &str, path: &str, error: Refusal) -> Error {
        // What is wrong with a listing is told only in the server's own words.
        let words = format!("{error:?}");
        let says = |codes: &[&str]| codes.iter().any(|code| words.contains(code));
        let message = match &error {
            _ if matches!(self.place, Place::Folder(_)) => format!("cannot {what}"),
            Refusal::PermissionDenied { .. } | Refusal::Unauthenticated { .. } => refused(what),
            _ if says(&["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"]) => {
                refused(what)
            }
            Refusal::NotFound { .. } => no_bucket(what),
            _ if says(&["NoSuchBucket"]) => no_bucket(what),
            _ if says(&["169.254.169.254"]) => format!(
                "cannot {what}: there are no S3 credentials; set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            ),
            Refusal::Generic { source, .. } => {
                let mut root: &dyn std::error::Error = source.as_ref();
                while let Some(cause) = root.source() {
                    root = cause;
                }
                format!("cannot {what}: the object store does not answer as it should ({root})")
            }
            _ => format!("cannot {what}"),
        };
        Error::new(Kind::Storage, message).at(self.place.name_of(path)).because(error)
    }

    /// One step further; the process may end here, as if killed.
    fn step(&self) {
        let counted = self
            .crash
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if counted == Ok(1) {
            std::process::abort();
        }
    }
}

fn refused(what: &str) -> String {
    format!(
        "cannot {what}: the object store refuses these credentials; look at AWS_ACCESS_KEY_ID, \
         AWS_SECRET_ACCESS_KEY or AWS_PROFILE, and at what they may do"
    )
}

fn no_bucket(what: &str) -> String {
    format!("cannot {what}: the bucket does not exist; create it, or look at its name")
}

/// Files that grow: in folders only.
impl Store {
    fn file(&self, path: &str) -> Result<PathBuf> {
        match self.place.folder() {
            Some(folder) => Ok(folder.join(path)),
            None => Err(Error::new(Kind::Bug, "a bucket holds no files that grow").at(path)),
        }
    }

    fn broken(&self, what: &str, path: &str, error: std::io::Error) -> Error {
        let message = format!("cannot {what} ({error})");
        Error::new(Kind::Storage, message).at(self.place.name_of(path)).because(error)
    }

    /// Makes a folder for files that grow, if it is not there.
    pub(super) fn make_folder(&self, path: &str) -> Result<()> {
        if !self.grows() {
            return Ok(());
        }
        let made = std::fs::create_dir_all(self.file(path)?);
        made.map_err(|error| self.broken("make", path, error))
    }

    /// Removes a folder, if it is there and empty.
    pub(super) fn remove_folder(&self, path: &str) {
        if let Ok(folder) = self.file(path) {
            // One that is not empty, or cannot be removed, does no harm.
            let _ = std::fs::remove_dir(folder);
        }
    }

    /// A file that is open for reading.
    pub(super) fn reading(&self, path: &str) -> Result<File> {
        File::open(self.file(path)?).map_err(|error| self.broken("read", path, error))
    }

    /// Whether files can grow here.
    pub(super) fn grows(&self) -> bool {
        self.place.folder().is_some()
    }

    /// Writes bytes at a place in a file, the end of what is known of it. What lay beyond is
    /// overwritten: it was never committed. Durable after [`Self::sync`].
    pub(super) fn append(&self, path: &str, at: u64, bytes: &[u8]) -> Result<()> {
        let file = self.file(path)?;
        self.step();
        let written =
            OpenOptions::new().create(true).truncate(false).write(true).open(file).and_then(
                |mut file| {
                    file.seek(SeekFrom::Start(at))?;
                    // In two halves with a step between: a crash may leave a torn tail, and tests
                    // make one.
                    let (first, second) = bytes.split_at(bytes.len() / 2);
                    file.write_all(first)?;
                    self.step();
                    file.write_all(second)
                },
            );
        self.step();
        written.map_err(|error| self.broken("append", path, error))
    }

    /// Makes a file and its name durable.
    pub(super) fn sync(&self, path: &str) -> Result<()> {
        self.step();
        let synced = File::open(self.file(path)?).and_then(|file| file.sync_data());
        synced.map_err(|error| self.broken("sync", path, error))?;
        self.sync_folder(path)?;
        self.step();
        Ok(())
    }

    /// Cuts a file to its committed length.
    pub(super) fn cut(&self, path: &str, length: u64) -> Result<()> {
        let file = self.file(path)?;
        self.step();
        let cut = OpenOptions::new().write(true).open(file).and_then(|file| {
            file.set_len(length)?;
            file.sync_data()
        });
        self.step();
        cut.map_err(|error| self.broken("cut back", path, error))
    }

    /// Gives a file another name, in place of one that has it.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.file(from)?, self.file(to)?);
        self.step();
        std::fs::rename(source, target).map_err(|error| self.broken("rename", from, error))?;
        self.sync_folder(to)?;
        self.step();
        Ok(())
    }

    /// Removes what broken-off writes of these names left behind: `LocalFileSystem` writes `name#1`
    /// and renames it, and its listings leave such names out.
    pub(super) fn sweep_stubs(&self, folders: &[&str], ours: impl Fn(&str) -> bool) -> Result<()> {
        let Some(root) = self.place.folder() else {
            return Ok(());
        };
        for folder in [""].iter().chain(folders) {
            let Ok(entries) = std::fs::read_dir(root.join(folder)) else {
                continue;
            };
            for entry in entries.filter_map(std::result::Result::ok) {
                let name = entry.file_name().to_string_lossy().into_owned();
                let path =
                    if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
                let stub = path.rsplit_once('#').is_some_and(|(path, number)| {
                    ours(path)
                        && !number.is_empty()
                        && number.bytes().all(|byte| byte.is_ascii_digit())
                });
                if stub {
                    std::fs::remove_file(entry.path())
                        .map_err(|error| self.broken("remove", &name, error))?;
                }
            }
        }
        Ok(())
    }

    /// Makes a new or changed name of a file durable; where folders cannot be synced, nothing
    /// better is known.
    fn sync_folder(&self, path: &str) -> Result<()> {
        if cfg!(unix) {
            let file = self.file(path)?;
            let folder = file.parent().map_or_else(|| PathBuf::from("."), PathBuf::from);
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(|error| self.broken("sync the folder of", path, error))?;
        }
        Ok(())
    }
}
