//! A streaming JSON reader with a bounded buffer.

use crate::model::{Error, Json, Kind, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Take};
use std::path::Path;

/// The number of bytes that are read at a time.
pub(super) const CHUNK_BYTES: usize = 256 << 10;
/// Longest piece that is held: what a whole answer of the API may be.
const PIECE_BYTES_MAX: usize = 64 << 20;
/// The distance from the end of the buffer, in bytes, within which an error may result from missing
/// input. It is longer than any literal or escape of JSON.
const NEAR: usize = 12;

/// The source of the bytes of a file.
pub(super) enum Source {
    /// A local file, or its first bytes.
    File(Take<File>),
    /// An object in a bucket.
    Stream(BoxStream<'static, Result<Bytes>>),
}

/// A JSON text that is read piece by piece. It holds one piece and one chunk.
pub(crate) struct JsonStream {
    source: Source,
    /// The name of the file in errors.
    place: String,
    /// The text that was read. The part from `at` on is not consumed yet.
    text: String,
    at: usize,
    /// The offset of the buffer in the file.
    offset: u64,
    /// The first bytes of a character that the end of the last chunk split.
    cut: Vec<u8>,
    exhausted: bool,
    hash: Option<Sha256>,
}

/// The reason why there is no next piece.
pub(crate) enum ReadError {
    /// The text contains something that is not permitted at this position.
    Stray {
        /// The offset in the file, in bytes.
        byte: u64,
        /// Whether the file ends there.
        cut_off: bool,
        /// Whether it ends right after the last piece.
        clean: bool,
        /// The error of the parser.
        error: Error,
    },
    /// The file cannot be read.
    Failed(Error),
}

impl JsonStream {
    /// Creates a stream from a source. With `hashed` it computes the SHA-256.
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

    /// Opens a local file from this offset on, in bytes.
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

    /// Consumes what `step` reads. Returns `None` if `step` states the end and no text follows.
    ///
    /// An error of `step` near the end of the buffer may result from missing input. The step is then
    /// repeated with more input.
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

    /// Returns the last `length` consumed bytes. It must be called before the next piece is read.
    pub(crate) fn passed(&self, length: usize) -> &str {
        &self.text[self.at - length..self.at]
    }

    /// Returns the number of consumed bytes of the file.
    pub(crate) const fn byte(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// Returns the number of bytes that were read from the file.
    pub(crate) const fn read(&self) -> u64 {
        self.offset + self.text.len() as u64
    }

    /// Returns the name of the file in errors.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Returns the hash of all bytes that were read. `None` if it was not requested.
    pub(super) fn into_hash(self) -> Option<Sha256> {
        self.hash
    }

    /// Returns the SHA-256 of all bytes that were read, in hexadecimal. `None` if it was not requested.
    pub(crate) fn sha256(self) -> Option<String> {
        self.hash.map(|hash| hex(&hash.finalize()))
    }

    /// Reads as much text as is buffered, and at least one chunk, so that a long piece is not parsed too
    /// often.
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

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
