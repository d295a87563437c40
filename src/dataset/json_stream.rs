//! A streaming JSON reader with a bounded buffer.

use crate::model::{Error, Json, Kind, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Take};
use std::path::Path;

/// Bytes read at a time.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Longest piece that is held: what a whole answer of the API may be.
const PIECE_BYTES_MAX: usize = 64 << 20;
/// How near the end of what was read an error may be the end's fault: longer than any word or
/// escape of JSON.
const NEAR: usize = 12;

/// Where the bytes of a file come from.
pub(super) enum Source {
    /// A local file, or the first bytes of it.
    File(Take<File>),
    /// An object in a bucket.
    Stream(BoxStream<'static, Result<Bytes>>),
}

/// A text that is read piece by piece. Holds one piece and a chunk.
pub(crate) struct JsonStream {
    source: Source,
    /// Names the file in errors.
    place: String,
    /// What was read and not passed yet, from `at` on.
    text: String,
    at: usize,
    /// Where the window begins in the file.
    offset: u64,
    /// The first bytes of a character that the last chunk cut.
    cut: Vec<u8>,
    exhausted: bool,
    hash: Option<Sha256>,
}

/// Why there is no next piece.
pub(crate) enum ReadError {
    /// Something stands there that must not.
    Stray {
        /// Where in the file.
        byte: u64,
        /// Whether the file ends there.
        cut_off: bool,
        /// Whether it ends right after the last piece.
        clean: bool,
        /// The error of the step.
        error: Error,
    },
    /// The file cannot be read.
    Failed(Error),
}

impl JsonStream {
    /// The text of a source; `hashed` to learn its SHA-256 in the end.
    pub(super) fn of(source: Source, place: String, hashed: bool) -> Self {
        Self {
            source,
            place,
            text: String::new(),
            at: 0,
            offset: 0,
            cut: Vec::new(),
            exhausted: false,
            hash: hashed.then(Sha256::new),
        }
    }

    /// The text of a local file, from this byte on.
    pub(crate) fn open(path: &Path, from: u64, hashed: bool) -> Result<Self> {
        let place = path.display().to_string();
        let file = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(from))?;
            Ok(file)
        });
        let file = file.map_err(|error| {
            let message = format!("cannot be read ({error})");
            Error::new(Kind::Storage, message).at(&place)
        })?;
        let mut window = Self::of(Source::File(file.take(u64::MAX)), place, hashed);
        window.offset = from;
        Ok(window)
    }

    /// Passes what `step` reads. `None` when it says that nothing may follow, and nothing does.
    ///
    /// An error of the step may be the end of what was read so far: then it is tried again with
    /// more.
    pub(crate) async fn take<T>(
        &mut self,
        mut step: impl FnMut(&mut Json<'_>) -> Result<Option<T>>,
    ) -> Result<Option<T>, ReadError> {
        loop {
            let mut json = Json::new(&self.text[self.at..]);
            let taken = step(&mut json);
            let passed = json.at();
            match taken {
                Ok(Some(found)) => {
                    self.at += passed;
                    return Ok(Some(found));
                }
                Ok(None) if self.exhausted => return Ok(None),
                Err(error) if self.exhausted || self.text.len() - self.at - passed > NEAR => {
                    let place = self.at + passed;
                    return Err(ReadError::Stray {
                        byte: self.offset + place as u64,
                        cut_off: self.exhausted && self.text[place..].trim_ascii().is_empty(),
                        clean: self.exhausted && self.at == self.text.len(),
                        error,
                    });
                }
                Ok(None) | Err(_) => self.fill().await.map_err(ReadError::Failed)?,
            }
        }
    }

    /// The last so many bytes that were passed. To be asked for before the next piece.
    pub(crate) fn passed(&self, length: usize) -> &str {
        &self.text[self.at - length..self.at]
    }

    /// How many bytes of the file were passed.
    pub(crate) const fn byte(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// How many bytes of the file were read.
    pub(crate) const fn read(&self) -> u64 {
        self.offset + self.text.len() as u64
    }

    /// The file's name in errors.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The hash of all that was read; none if it was not asked for.
    pub(super) fn into_hash(self) -> Option<Sha256> {
        self.hash
    }

    /// The SHA-256 of all that was read, in hexadecimal; none if it was not asked for.
    pub(crate) fn sha256(self) -> Option<String> {
        self.hash.map(|hash| hex(&hash.finalize()))
    }

    /// Reads as much again as is held, so that a long piece is not looked at too often.
    async fn fill(&mut self) -> Result<()> {
        self.text.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        if self.text.len() > PIECE_BYTES_MAX {
            let message = format!(
                "what begins at byte {} is longer than {} MiB",
                self.offset,
                PIECE_BYTES_MAX >> 20
            );
            return Err(Error::new(Kind::Data, message).at(&self.place));
        }
        let wanted = CHUNK_BYTES.max(self.text.len());
        let held = self.text.len();
        while !self.exhausted && self.text.len() < held + wanted {
            let chunk = self.chunk().await?;
            if chunk.is_empty() {
                self.exhausted = true;
            }
            if let Some(hash) = &mut self.hash {
                hash.update(&chunk);
            }
            self.push(&chunk)?;
        }
        Ok(())
    }

    async fn chunk(&mut self) -> Result<Bytes> {
        match &mut self.source {
            Source::File(file) => {
                let mut chunk = vec![0; CHUNK_BYTES];
                let size = file.read(&mut chunk).map_err(|error| {
                    let message = format!("cannot be read ({error})");
                    Error::new(Kind::Storage, message).at(&self.place)
                })?;
                chunk.truncate(size);
                Ok(chunk.into())
            }
            Source::Stream(stream) => loop {
                match stream.next().await.transpose()? {
                    Some(chunk) if chunk.is_empty() => {}
                    chunk => return Ok(chunk.unwrap_or_default()),
                }
            },
        }
    }

    fn push(&mut self, chunk: &[u8]) -> Result<()> {
        let mut joined = Vec::new();
        let mut bytes = chunk;
        if !self.cut.is_empty() {
            joined.append(&mut self.cut);
            joined.extend_from_slice(chunk);
            bytes = &joined;
        }
        let text = match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => text,
            // A character may continue in the next chunk.
            Err(error) if error.error_len().is_none() && !self.exhausted => {
                let (text, cut) = bytes.split_at(error.valid_up_to());
                self.cut = cut.to_vec();
                simdutf8::basic::from_utf8(text).unwrap_or_default()
            }
            Err(error) => {
                let byte = self.offset + (self.text.len() + error.valid_up_to()) as u64;
                let message = format!("is not UTF-8 at byte {byte}");
                return Err(Error::new(Kind::Data, message).at(&self.place));
            }
        };
        self.text.push_str(text);
        Ok(())
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
