//! Reads and writes whole objects in a folder or a bucket.

use super::refusal::{is_absent, refusal};
use super::upload::{Upload, Writer};
use crate::dataset::folder::{Folder, Listed};
use crate::dataset::location::Location;
use crate::dataset::s3_http;
use crate::model::{Error, Kind, Result};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{Error as Refusal, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs a blocking function on a separate thread, so that it does not block readers.
pub(super) async fn aside<T: Send + 'static>(
    act: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|error| Error::new(Kind::Bug, "writing a file ended").because(error))
}

/// The storage of objects.
#[derive(Debug, Clone)]
pub(super) enum Backing {
    Folder(Folder),
    Bucket(Arc<dyn ObjectStore>),
}

/// A location that is open for reading and writing.
#[derive(Debug, Clone)]
pub(in crate::dataset) struct Store {
    pub(super) place: Location,
    pub(super) backing: Backing,
    /// The number of steps until the process aborts. 0 means never. For tests of crashes.
    crash: Arc<AtomicU64>,
}

impl Store {
    /// Opens a location, and creates its folder if it does not exist. The process aborts at the step of
    /// the given number. Each operation has a step before it and one after it.
    pub(in crate::dataset) fn open(place: &Location, crash_at_step: Option<u64>) -> Result<Self> {
        Self::of(place, true, crash_at_step)
    }

    /// Opens a location for reading. Nothing is created.
    pub(in crate::dataset) fn look(place: &Location) -> Result<Self> {
        Self::of(place, false, None)
    }

    fn of(place: &Location, make: bool, crash_at_step: Option<u64>) -> Result<Self> {
        let backing = match place.folder() {
            Some(folder) => Folder::open(folder, make).map(Backing::Folder).map_err(|error| {
                let what = if make { "made" } else { "opened" };
                let message = format!("folder cannot be {what} ({error})");
                Error::new(Kind::Storage, message).at(place.to_string()).because(error)
            })?,
            None => Backing::Bucket(place.objects()?),
        };
        let crash = Arc::new(AtomicU64::new(crash_at_step.unwrap_or(0)));
        Ok(Self { place: place.clone(), backing, crash })
    }

    pub(in crate::dataset) fn place(&self) -> &Location {
        &self.place
    }

    /// Returns the bytes of an object. `None` if it does not exist.
    pub(in crate::dataset) async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let objects = match &self.backing {
            Backing::Bucket(objects) => objects,
            Backing::Folder(folder) => {
                let (folder, name) = (folder.clone(), path.to_owned());
                let read = aside(move || {
                    let mut bytes = Vec::new();
                    folder.read(&name)?.read_to_end(&mut bytes)?;
                    Ok(bytes)
                });
                return match read.await? {
                    Ok(bytes) => Ok(Some(bytes.into())),
                    Err::<_, std::io::Error>(error) if error.kind() == ErrorKind::NotFound => {
                        Ok(None)
                    }
                    Err(error) => Err(self.broken("read", path, error)),
                };
            }
        };
        let name = self.name(path)?;
        match s3_http::read_whole(Arc::clone(objects), name).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    /// Returns a part of an object in a bucket.
    pub(in crate::dataset) async fn get_part(
        &self,
        path: &str,
        offset: u64,
        length: usize,
    ) -> Result<Bytes> {
        let name = self.name(path)?;
        let part = self.objects()?.get_range(&name, offset..offset + length as u64).await;
        part.map_err(|error| self.failed("read", path, error))
    }

    /// Returns the bytes of an object in a bucket as a stream.
    pub(in crate::dataset) async fn stream(
        &self,
        path: &str,
    ) -> Result<BoxStream<'static, Result<Bytes>>> {
        let name = self.name(path)?;
        let found = s3_http::read(Arc::clone(self.objects()?), name).await;
        let found = found.map_err(|error| self.failed("read", path, error))?;
        let place = self.place.name_of(path);
        Ok(found
            .map_err(move |error| {
                Error::new(Kind::Storage, "cannot be read to its end").at(&place).because(error)
            })
            .boxed())
    }

    /// Writes a whole object, and replaces an existing one. The object is durable afterwards.
    pub(in crate::dataset) async fn put(&self, path: &str, bytes: Bytes) -> Result<()> {
        let outcome = match &self.backing {
            Backing::Folder(folder) => {
                self.step();
                let (folder, name) = (folder.clone(), path.to_owned());
                let put = aside(move || {
                    let mut file = match folder.create_pending(&name) {
                        Err(error) if error.kind() == ErrorKind::NotFound => {
                            let above = name.rsplit_once('/').ok_or(error)?.0;
                            folder.make_folder(above)?;
                            folder.create_pending(&name)?
                        }
                        begun => begun?,
                    };
                    file.write(&bytes)?;
                    file.persist()
                });
                put.await?.map_err(|error| self.broken("write", path, error))
            }
            Backing::Bucket(objects) => {
                let name = self.name(path)?;
                self.step();
                let outcome = objects.put(&name, PutPayload::from_bytes(bytes)).await;
                outcome.map(drop).map_err(|error| self.failed("write", path, error))
            }
        };
        self.step();
        outcome
    }

    /// Writes an object of a bucket unless it exists. Returns `false` if it exists, provided that the
    /// server supports conditional writes: see [`Self::supports_conditional_put`].
    pub(in crate::dataset) async fn create(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let name = self.name(path)?;
        self.step();
        let payload = PutPayload::from_bytes(bytes);
        let outcome = self.objects()?.put_opts(&name, payload, PutMode::Create.into()).await;
        self.step();
        match outcome {
            Ok(_) => Ok(true),
            Err(Refusal::AlreadyExists { .. } | Refusal::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.failed("write", path, error)),
        }
    }

    /// Returns whether the server refuses to create an object that exists. Some S3 servers answer 200 to
    /// a conditional put and overwrite the object, and others reject conditions. The object `path` is
    /// used for the test.
    pub(in crate::dataset) async fn supports_conditional_put(&self, path: &str) -> Result<bool> {
        let heeds = match self.create(path, Bytes::from_static(b"first")).await {
            Ok(true) => !self.create(path, Bytes::from_static(b"second")).await?,
            Ok(false) => true,
            // If the unconditional write fails, too, the error has another cause.
            Err(error) => match self.put(path, Bytes::from_static(b"first")).await {
                Ok(()) => false,
                Err(_) => return Err(error),
            },
        };
        self.remove(path).await?;
        Ok(heeds)
    }

    /// Starts an object that is written in pieces. It becomes visible when it is finished, and replaces
    /// an existing object. If it is dropped before, nothing remains.
    pub(in crate::dataset) async fn upload(&self, path: &str) -> Result<Upload<'_>> {
        self.step();
        let writer = match &self.backing {
            Backing::Folder(folder) => {
                let file = folder.create_pending(path);
                let file = file.map_err(|error| self.broken("write", path, error))?;
                Writer::file(file)
            }
            Backing::Bucket(objects) => {
                let pieces = objects.put_multipart(&self.name(path)?).await;
                let pieces = pieces.map_err(|error| self.failed("write", path, error))?;
                Writer::object(pieces)
            }
        };
        Ok(Upload::new(self, path, writer))
    }

    /// Renames an object, and replaces an existing one. An interrupted rename can be repeated. An object
    /// that was already moved stays moved.
    pub(in crate::dataset) async fn relocate(&self, from: &str, to: &str) -> Result<()> {
        if self.supports_append() {
            return self.rename(from, to);
        }
        let (source, target) = (self.name(from)?, self.name(to)?);
        self.step();
        let copied = self.objects()?.copy(&source, &target).await;
        copied.map_err(|error| self.failed("copy", from, error))?;
        self.remove(from).await
    }

    /// Removes an object. A missing object is not an error.
    pub(in crate::dataset) async fn remove(&self, path: &str) -> Result<()> {
        let objects = match &self.backing {
            Backing::Bucket(objects) => objects,
            Backing::Folder(folder) => {
                self.step();
                let removed = folder.remove(path);
                self.step();
                return match removed {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        Err(self.broken("remove", path, error))
                    }
                    _ => Ok(()),
                };
            }
        };
        let name = self.name(path)?;
        self.step();
        let outcome = objects.delete(&name).await;
        self.step();
        match outcome {
            Ok(()) | Err(Refusal::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", path, error)),
        }
    }

    /// Returns the names and sizes in bytes of all objects, or of those below a folder.
    pub(in crate::dataset) async fn list(
        &self,
        below: Option<&str>,
    ) -> Result<BTreeMap<String, u64>> {
        Ok(self.survey(below).await?.files)
    }

    /// Returns the same files, and the other entries of a folder.
    pub(in crate::dataset) async fn survey(&self, below: Option<&str>) -> Result<Listed> {
        let objects = match &self.backing {
            Backing::Bucket(objects) => objects,
            Backing::Folder(folder) => {
                let (folder, below) = (folder.clone(), below.map(str::to_owned));
                let name = below.clone().unwrap_or_default();
                let listed = aside(move || folder.list(below.as_deref())).await?;
                return listed.map_err(|error| self.broken("list", &name, error));
            }
        };
        let prefix = below.map(|below| self.name(below)).transpose()?;
        let found: Vec<_> = objects
            .list(prefix.as_ref())
            .try_collect()
            .await
            .map_err(|error| self.failed("list", below.unwrap_or(""), error))?;
        let files = found.into_iter().map(|meta| (meta.location.to_string(), meta.size)).collect();
        Ok(Listed { files, ..Listed::default() })
    }

    /// Returns the first object in a bucket's listing that `these` does not match.
    pub(in crate::dataset) async fn first_but(
        &self,
        these: impl Fn(&str) -> bool,
    ) -> Result<Option<String>> {
        let mut found = self.objects()?.list(None);
        loop {
            let next = found.try_next().await.map_err(|error| self.failed("list", "", error))?;
            match next.map(|meta| meta.location.to_string()) {
                Some(path) if these(&path) => {}
                other => return Ok(other),
            }
        }
    }

    fn objects(&self) -> Result<&Arc<dyn ObjectStore>> {
        match &self.backing {
            Backing::Bucket(objects) => Ok(objects),
            Backing::Folder(_) => {
                Err(Error::new(Kind::Bug, "a folder is no bucket").at(self.place.to_string()))
            }
        }
    }

    fn name(&self, path: &str) -> Result<Path> {
        Path::parse(path).map_err(|error| {
            Error::new(Kind::Data, "not a valid name").at(self.place.name_of(path)).because(error)
        })
    }

    pub(super) fn failed(&self, what: &str, path: &str, error: Refusal) -> Error {
        refusal(what, error).at(self.place.name_of(path))
    }

    /// Counts a step. The process aborts at the configured step.
    pub(super) fn step(&self) {
        let counted = self
            .crash
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if counted == Ok(1) {
            std::process::abort();
        }
    }
}
