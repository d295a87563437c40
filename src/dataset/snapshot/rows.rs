//! Reads the rows of a backup's file one by one. Memory does not grow with the size of the file.

use crate::dataset::json_stream::{JsonStream, ReadError, Source};
use crate::model::{Error, Json, Kind, Result};
use sha2::Sha256;

/// The rows of a JSON array, checked while they are passed. Holds one row and a chunk.
pub struct Rows {
    window: JsonStream,
    state: State,
    /// Whether the array may lack its end.
    open: bool,
    /// Whether it lacked its end, or the rest of a row.
    cut_off: bool,
    passed: u64,
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
    /// The object with the bytes of the file.
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
        let window = JsonStream::of(source, place, hashed);
        Self { window, state: State::Before, open: false, cut_off: false, passed: 0 }
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
            let state = self.state;
            match self.window.take(|json| step(state, json)).await {
                Ok(None) => return Ok(None),
                Ok(Some(Step::Opened)) => self.state = State::First,
                Ok(Some(Step::Closed)) => self.state = State::After,
                Ok(Some(Step::Row(length))) => {
                    self.state = State::Later;
                    self.passed += 1;
                    let offset = self.window.byte() - length as u64;
                    return Ok(Some(Row { json: self.window.passed(length), offset }));
                }
                Err(ReadError::Failed(error)) => return Err(error),
                Err(ReadError::Stray { clean: true, .. }) if self.open => return Ok(None),
                Err(ReadError::Stray { byte, cut_off, error, .. }) => {
                    self.cut_off = cut_off;
                    return Err(self.malformed(byte).because(error));
                }
            }
        }
    }

    /// Whether reading failed because the file ends too early.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// Returns the running hash of all bytes that were read. `None` if it was not requested.
    pub(in crate::dataset) fn into_hash(self) -> Option<Sha256> {
        self.window.into_hash()
    }

    /// What the file proved to be. To be asked for after the last row.
    pub fn proof(self) -> Proof {
        let (bytes, rows) = (self.window.read(), self.passed);
        Proof { bytes, rows, sha256: self.window.sha256() }
    }

    fn malformed(&self, byte: u64) -> Error {
        let message = match (self.cut_off, self.state) {
            (true, State::Before) => "is empty".to_owned(),
            (true, _) => format!("ends at byte {byte}, before its array does: it is cut off"),
            (_, State::Before) => format!("is not a JSON array (byte {byte})"),
            (_, State::After) => format!("has data after its array, at byte {byte}"),
            _ => format!("is not well-formed at byte {byte}, in row {}", self.passed + 1),
        };
        Error::new(Kind::Data, message).at(self.window.place())
    }
}

enum Step {
    Opened,
    /// A row of this length was passed.
    Row(usize),
    Closed,
}

/// What comes next; `None` for the end.
fn step(state: State, json: &mut Json<'_>) -> Result<Option<Step>> {
    match state {
        State::Before if json.peek() == b'[' => {
            json.skip_literal("[");
            return Ok(Some(Step::Opened));
        }
        State::After if json.peek() == 0 => {
            json.end()?;
            return Ok(None);
        }
        State::Before | State::After => return Err(json.malformed()),
        State::First if json.peek() == b']' => {
            json.skip_literal("]");
            return Ok(Some(Step::Closed));
        }
        State::Later if !json.more(b'[')? => return Ok(Some(Step::Closed)),
        State::First | State::Later => {}
    }
    if json.peek() != b'{' {
        return Err(json.malformed());
    }
    json.value().map(|row| Some(Step::Row(row.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::json_stream::{CHUNK_BYTES, hex};
    use bytes::Bytes;
    use futures_util::{StreamExt as _, stream};
    use sha2::Digest as _;

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
        check("[{\"id\":1}]x", "f: has data after its array, at byte 10");
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
