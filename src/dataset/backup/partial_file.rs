//! A file of a backup while it is written. It grows by pages, and each page is durable before it is
//! acknowledged.

use crate::dataset::json_stream::{Source, hex};
use crate::dataset::snapshot::{Rows, Unfinished};
use crate::dataset::store::Store;
use crate::model::{Digest, Error, Kind, Resource, Result, Time, key_of};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read as _;

/// The number of bytes per write when a file is rewritten without duplicate rows.
const REWRITE_BYTES: usize = 1 << 20;

/// A JSON array that grows. In a folder it is a file. In a bucket, where objects cannot grow, it is a
/// series of pieces that become one object at the end.
#[derive(Debug)]
pub(super) struct PartialFile {
    path: String,
    /// The number of pieces that were written. `None` in a folder.
    pieces: Option<u64>,
    bytes: u64,
    rows: u64,
    hash: Sha256,
    /// A number for the key of each row, to find duplicate rows. It takes 8 bytes per row.
    keys: Vec<u64>,
}

/// A row to be written, and the number of its key.
pub(super) struct Entry {
    pub(super) json: Bytes,
    pub(super) key: Option<u64>,
}

/// Returns a number for a key: the value of a numeric key, or a digest of another one.
pub(in crate::dataset) fn number(key: &str) -> u64 {
    let plain = !key.starts_with('0') || key == "0";
    let digits = key.bytes().all(|byte| byte.is_ascii_digit());
    let own = (plain && digits).then(|| key.parse().ok()).flatten();
    own.unwrap_or_else(|| Digest::of(key.as_bytes()).number())
}

impl PartialFile {
    /// Creates an array at this path: a file, or in a bucket the folder of its pieces.
    pub(super) fn new(store: &Store, path: String) -> Self {
        Self {
            path,
            pieces: (!store.supports_append()).then_some(0),
            bytes: 0,
            rows: 0,
            hash: Sha256::new(),
            keys: Vec::new(),
        }
    }

    /// Opens the array of an interrupted run, if its rows, size and hash match the manifest. Bytes after
    /// the recorded size are cut off. A [`Kind::Data`] error states the difference.
    pub(super) async fn resumed(
        store: &Store,
        unfinished: &Unfinished,
        resource: Option<&'static Resource>,
    ) -> Result<Self> {
        let mut growing = Self::new(store, unfinished.path.clone());
        growing.pieces = growing.pieces.and(unfinished.pieces.or(Some(0)));
        if unfinished.bytes == 0 {
            return Ok(growing);
        }
        let mut rows = growing.written(store, unfinished.bytes)?;
        while let Some(row) = rows.next().await? {
            growing.rows += 1;
            let key = resource.and_then(|resource| key_of(resource, row.json));
            growing.keys.extend(key.as_deref().map(number));
        }
        growing.hash = rows.into_hash().unwrap_or_default();
        growing.bytes = unfinished.bytes;
        let found = growing.sha256();
        if found != unfinished.sha256 || growing.rows != unfinished.rows {
            let message = format!(
                "holds {} rows with SHA-256 {found:.16}…, where the manifest says {} rows with {:.16}…",
                growing.rows, unfinished.rows, unfinished.sha256
            );
            return Err(Error::new(Kind::Data, message).at(store.place().name_of(&growing.path)));
        }
        if store.supports_append() {
            store.cut(&growing.path, growing.bytes)?;
        }
        Ok(growing)
    }

    /// Appends rows. They are durable afterwards.
    pub(super) async fn append(&mut self, store: &Store, entries: Vec<Entry>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let size: usize = entries.iter().map(|entry| entry.json.len() + 2).sum();
        let mut bytes = Vec::with_capacity(size);
        for entry in &entries {
            bytes.extend_from_slice(if self.rows == 0 { b"[\n" } else { b",\n" });
            bytes.extend_from_slice(&entry.json);
            self.rows += 1;
        }
        self.keys.extend(entries.iter().filter_map(|entry| entry.key));
        self.write(store, bytes).await
    }

    async fn write(&mut self, store: &Store, bytes: Vec<u8>) -> Result<()> {
        self.hash.update(&bytes);
        let at = self.bytes;
        self.bytes += bytes.len() as u64;
        match &mut self.pieces {
            None => {
                store.append(&self.path, at, &bytes)?;
                store.sync(&self.path)
            }
            Some(pieces) => {
                let path = piece(&self.path, *pieces);
                *pieces += 1;
                store.put(&path, bytes.into()).await
            }
        }
    }

    /// Returns the durable length of the file, and the position to continue from.
    pub(super) fn checkpoint(&self, read_from: Time, state: Value) -> Unfinished {
        Unfinished {
            path: self.path.clone(),
            pieces: self.pieces,
            bytes: self.bytes,
            rows: self.rows,
            sha256: self.sha256(),
            read_from,
            carried: None,
            refused: BTreeSet::new(),
            state,
        }
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the number of bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the SHA-256 of the bytes, in hexadecimal.
    pub(super) fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }

    /// Ends the array and makes it durable. Returns the path of the complete file, which in a bucket is
    /// `to`.
    pub(super) async fn close(&mut self, store: &Store, to: &str) -> Result<String> {
        let end: &[u8] = if self.rows == 0 { b"[]\n" } else { b"\n]\n" };
        self.write(store, end.to_vec()).await?;
        let Some(pieces) = self.pieces else {
            return Ok(self.path.clone());
        };
        let mut upload = store.upload(to).await?;
        let mut bytes = pieces_of(store, &self.path, pieces);
        let mut written = 0;
        while let Some(piece) = bytes.try_next().await? {
            written += piece.len() as u64;
            upload.write(piece).await?;
        }
        if written != self.bytes {
            let message = format!("pieces hold {written} bytes instead of {}", self.bytes);
            return Err(Error::new(Kind::Data, message).at(store.place().name_of(&self.path)));
        }
        drop(bytes);
        upload.finish().await?;
        Ok(to.to_owned())
    }

    /// Rewrites the array at another path if a key occurs twice. For example, a deal that is archived
    /// during the read is in both lists. The later row is kept. Returns `None` if every key occurs once.
    pub(super) async fn without_repeats(
        &mut self,
        store: &Store,
        resource: &'static Resource,
        path: &str,
    ) -> Result<Option<Self>> {
        self.keys.sort_unstable();
        let twice: HashSet<u64> =
            self.keys.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect();
        if twice.is_empty() {
            return Ok(None);
        }
        let suspect = |row: &str| key_of(resource, row).filter(|key| twice.contains(&number(key)));
        let mut last: HashMap<String, u64> = HashMap::new();
        let mut rows = self.written(store, self.bytes)?;
        while let Some(row) = rows.next().await? {
            if let Some(key) = suspect(row.json) {
                last.insert(key, row.offset);
            }
        }
        let mut fresh = Self::new(store, path.to_owned());
        let (mut entries, mut held) = (Vec::new(), 0);
        let mut rows = self.written(store, self.bytes)?;
        while let Some(row) = rows.next().await? {
            if suspect(row.json).is_some_and(|key| last.get(&key) != Some(&row.offset)) {
                continue;
            }
            held += row.json.len();
            entries.push(Entry { json: Bytes::copy_from_slice(row.json.as_bytes()), key: None });
            if held > REWRITE_BYTES {
                fresh.append(store, std::mem::take(&mut entries)).await?;
                held = 0;
            }
        }
        fresh.append(store, entries).await?;
        Ok(Some(fresh))
    }

    /// Returns a reader of the rows that were written, with a hash.
    fn written(&self, store: &Store, bytes: u64) -> Result<Rows> {
        let source = match self.pieces {
            None => Source::File(store.reading(&self.path)?.take(bytes)),
            Some(pieces) => Source::Stream(pieces_of(store, &self.path, pieces)),
        };
        Ok(Rows::of(source, store.place().name_of(&self.path), true).open_ended())
    }
}

/// Returns the path of a piece.
fn piece(folder: &str, number: u64) -> String {
    format!("{folder}/{number:08}")
}

/// Returns the bytes of all pieces, one piece at a time.
fn pieces_of(
    store: &Store,
    folder: &str,
    pieces: u64,
) -> stream::BoxStream<'static, Result<Bytes>> {
    let objects = store.clone();
    let folder = folder.to_owned();
    stream::iter(0..pieces)
        .then(move |number| {
            let (objects, path) = (objects.clone(), piece(&folder, number));
            async move {
                let missing = || {
                    Error::new(Kind::Data, "piece is missing").at(objects.place().name_of(&path))
                };
                objects.get(&path).await?.ok_or_else(missing)
            }
        })
        .boxed()
}
