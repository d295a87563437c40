//! The rows of a backup's file, one after the other, whatever its size.

use crate::model::{Error, Json, Kind, Result};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read as _, Take};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 << 10;
/// Longest row that is held: what a whole answer of the API may be.
const ROW_BYTES_MAX: usize = 64 << 20;
/// How near the end of what was read an error may be the end's fault: longer than any word or
/// escape of JSON.
const NEAR: usize = 12;

/// Where the bytes of a file come from.
pub(in crate::dataset) enum Source {
    /// A local file, or the first bytes of it.
    File(Take<File>),
    /// An object in a bucket.
    Stream(BoxStream<'static, Result<Bytes>>),
}

/// The rows of a JSON array, checked while they are passed. Holds one row and a chunk.
pub struct Rows {
    source: Source,
    /// Names the file in errors.
    place: String,
    /// What was read and not passed yet, from `at` on.
    window: String,
    at: usize,
    /// Where the window begins in the file.
    offset: u64,
    /// The first bytes of a character that the last chunk cut.
    cut: Vec<u8>,
    state: State,
    exhausted: bool,
    /// Whether the array may lack its end.
    open: bool,
    /// Whether it lacked its end, or the rest of a row.
    cut_off: bool,
    passed: u64,
    hash: Option<Sha256>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    First,
    Later,
    After,
}

/// A row, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// The object, byte for byte as it stands in the file.
    pub json: &'r str,
    /// Where it begins in the file.
    pub offset: u64,
}

/// What a file proved to be when all its rows had been passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Its size.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of its bytes in hexadecimal, if that was asked for.
    pub sha256: Option<String>,
}

impl Rows {
    /// The rows of a file; `hashed` to have its SHA-256 in the end.
    pub(in crate::dataset) fn of(source: Source, place: String, hashed: bool) -> Self {
        Self {
            source,
            place,
            window: String::new(),
            at: 0,
            offset: 0,
            cut: Vec::new(),
            state: State::Before,
            exhausted: false,
            open: false,
            cut_off: false,
            passed: 0,
            hash: hashed.then(Sha256::new),
        }
    }

    /// The same of an array that is still growing: it may end after any row.
    pub(in crate::dataset) fn open_ended(mut self) -> Self {
        self.open = true;
        self
    }

    /// The next row; `None` after the last one, when the array was closed and nothing follows.
    ///
    /// Anything else than an array of objects is a [`Kind::Data`] error that names the byte.
    pub async fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            let mut json = Json::new(&self.window[self.at..]);
            let state = self.state;
            let step = step(state, &mut json);
            let passed = json.at();
            match step {
                Ok(Step::Opened) => {
                    self.at += passed;
                    self.state = State::First;
                }
                Ok(Step::Row(length)) => {
                    let start = self.at + passed - length;
                    self.at += passed;
                    self.state = State::Later;
                    self.passed += 1;
                    let offset = self.offset + start as u64;
                    return Ok(Some(Row { json: &self.window[start..self.at], offset }));
                }
                Ok(Step::Closed) => {
                    self.at += passed;
                    self.state = State::After;
                }
                Ok(Step::End) if self.exhausted => return Ok(None),
                Err(_) if self.exhausted && self.open && self.at == self.window.len() => {
                    return Ok(None);
                }
                Err(error) if self.exhausted || self.window.len() - self.at - passed > NEAR => {
                    return Err(self.malformed(passed).because(error));
                }
                Ok(Step::End) | Err(_) => self.fill().await?,
            }
        }
    }

    /// Whether reading failed because the file ends too early.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// The hash of all that was read, to go on with; none if it was not asked for.
    pub(in crate::dataset) fn into_hash(self) -> Option<Sha256> {
        self.hash
    }

    /// What the file proved to be. To be asked for after the last row.
    pub fn proof(self) -> Proof {
        Proof {
            bytes: self.offset + self.window.len() as u64,
            rows: self.passed,
            sha256: self.hash.map(|hash| hex(&hash.finalize())),
        }
    }

    /// Reads as much again as is held, so that a long row is not looked at too often.
    async fn fill(&mut self) -> Result<()> {
        self.window.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        if self.window.len() > ROW_BYTES_MAX {
            let message =
                format!("row {} is longer than {} MiB", self.passed + 1, ROW_BYTES_MAX >> 20);
            return Err(Error::new(Kind::Data, message).at(&self.place));
        }
        let wanted = CHUNK_BYTES.max(self.window.len());
        let held = self.window.len();
        while !self.exhausted && self.window.len() < held + wanted {
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
            // A character that goes on in the next chunk, if there is one.
            Err(error) if error.error_len().is_none() && !self.exhausted => {
                let (text, cut) = bytes.split_at(error.valid_up_to());
                self.cut = cut.to_vec();
                simdutf8::basic::from_utf8(text).unwrap_or_default()
            }
            Err(error) => {
                let byte = self.offset + (self.window.len() + error.valid_up_to()) as u64;
                let message = format!("is not UTF-8 at byte {byte}");
                return Err(Error::new(Kind::Data, message).at(&self.place));
            }
        };
        self.window.push_str(text);
        Ok(())
    }

    fn malformed(&mut self, passed: usize) -> Error {
        let place = self.at + passed;
        let byte = self.offset + place as u64;
        self.cut_off = self.window[place..].trim_ascii().is_empty() && self.exhausted;
        let message = if self.cut_off {
            match self.state {
                State::Before => "is empty".to_owned(),
                _ => format!("ends at byte {byte}, before its array does: it is cut off"),
            }
        } else {
            match self.state {
                State::Before => format!("is not a JSON array (byte {byte})"),
                State::After => format!("goes on after its array, at byte {byte}"),
                _ => format!("is not well-formed at byte {byte}, in row {}", self.passed + 1),
            }
        };
        Error::new(Kind::Data, message).at(&self.place)
    }
}

enum Step {
    Opened,
    /// A row of this length was passed.
    Row(usize),
    Closed,
    End,
}

/// What comes next. An error may be the end of what was read so far.
fn step(state: State, json: &mut Json<'_>) -> Result<Step> {
    match state {
        State::Before if json.peek() == b'[' => {
            json.take("[");
            return Ok(Step::Opened);
        }
        State::After if json.peek() == 0 => {
            json.end()?;
            return Ok(Step::End);
        }
        State::Before | State::After => return Err(json.malformed()),
        State::First if json.peek() == b']' => {
            json.take("]");
            return Ok(Step::Closed);
        }
        State::Later if !json.more(b'[')? => return Ok(Step::Closed),
        State::First | State::Later => {}
    }
    if json.peek() != b'{' {
        return Err(json.malformed());
    }
    json.value().map(|row| Step::Row(row.len()))
}

/// Bytes as hexadecimal digits.
pub(in crate::dataset) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A string takes everything.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    /// Reads a file that comes in pieces of this size.
    fn read(bytes: &[u8], piece: usize) -> String {
        let pieces: Vec<_> = bytes.chunks(piece).map(|p| Ok(Bytes::copy_from_slice(p))).collect();
        let mut rows = Rows::of(Source::Stream(stream::iter(pieces).boxed()), "f".to_owned(), true);
        let mut shown = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        loop {
            match runtime.block_on(rows.next()) {
                Ok(Some(row)) => {
                    let from = usize::try_from(row.offset).expect("a small file");
                    assert_eq!(&bytes[from..from + row.json.len()], row.json.as_bytes());
                    shown.push(row.json.to_owned());
                }
                Ok(None) => break,
                Err(error) => return error.to_string(),
            }
        }
        let proof = rows.proof();
        assert_eq!(proof.bytes, bytes.len() as u64);
        assert_eq!(proof.rows, shown.len() as u64);
        assert_eq!(proof.sha256, Some(hex(&Sha256::digest(bytes))));
        shown.join(" | ")
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        for piece in [1, 3, 7, 1_000] {
            assert_eq!(read(text.as_bytes(), piece), expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn rows_come_as_they_stand() {
        check("[]", "");
        check(" [ ] \n", "");
        check("[\n{\"id\":1,\"x\":\"é東😀\"},\n{}\n]\n", "{\"id\":1,\"x\":\"é東😀\"} | {}");
        check(
            "[\n  {\n    \"a\": [1, true, \"\\u00e9]}\"]\n  }\n]",
            "{\n    \"a\": [1, true, \"\\u00e9]}\"]\n  }",
        );
    }

    #[test]
    fn what_is_no_array_of_rows_is_named() {
        check("", "f: is empty");
        check("{}", "f: is not a JSON array (byte 0)");
        check("[{\"id\":1},", "f: ends at byte 10, before its array does: it is cut off");
        check("[{\"id\":1", "f: ends at byte 8, before its array does: it is cut off");
        check("[{\"id\":1}]x", "f: goes on after its array, at byte 10");
        check("[{\"id\":1},7]", "f: is not well-formed at byte 10, in row 2");
        check("[{\"id\":1},{\"id\":}]", "f: is not well-formed at byte 16, in row 2");
        assert_eq!(read(b"[{\"id\":\"\xff\"}]", 1), "f: is not UTF-8 at byte 8");
    }

    #[test]
    fn a_long_row_is_read_in_the_end() {
        let row = format!("{{\"x\":\"{}\"}}", "y".repeat(3 * CHUNK_BYTES));
        assert_eq!(read(format!("[{row},{{}}]").as_bytes(), CHUNK_BYTES), format!("{row} | {{}}"));
    }
}
