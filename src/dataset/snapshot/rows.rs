//! Reads the rows of a backup's file one by one. Memory does not grow with the size of the file.

use crate::dataset::json_stream::{JsonStream, ReadError, Source};
use crate::model::{Error, Json, Kind, Result};
use sha2::Sha256;

/// A reader of the rows of a JSON array, which it validates. It holds one row and one chunk.
pub struct Rows {
    window: JsonStream,
    state: State,
    /// Whether the array may be incomplete at the end.
    open: bool,
    /// Whether the end of the array, or of a row, is missing.
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

/// A row and its position.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// The object, with the bytes of the file.
    pub json: &'r str,
    /// The offset of the row in the file, in bytes.
    pub offset: u64,
}

/// The size and hash of a file after all rows were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The size in bytes.
    pub bytes: u64,
    /// The number of rows.
    pub rows: u64,
    /// The SHA-256 of its bytes in hexadecimal. `None` if it was not requested.
    pub sha256: Option<String>,
}

impl Rows {
    /// Creates a reader. With `hashed` it computes the SHA-256.
    pub(in crate::dataset) fn of(source: Source, place: String, hashed: bool) -> Self {
        let window = JsonStream::of(source, place, hashed);
        Self { window, state: State::Before, open: false, cut_off: false, passed: 0 }
    }

    /// Permits the array to end after any row, as a growing array does.
    pub(in crate::dataset) fn open_ended(mut self) -> Self {
        self.open = true;
        self
    }

    /// Returns the next row. `None` means that the array is closed and nothing follows it.
    ///
    /// Anything other than an array of objects is a [`Kind::Data`] error that states the offset.
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

    /// Returns whether reading failed because the file ends too early.
    pub fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    /// Returns the running hash of all bytes that were read. `None` if it was not requested.
    pub(in crate::dataset) fn into_hash(self) -> Option<Sha256> {
        self.window.into_hash()
    }

    /// Returns the size and hash of the file. It must be called after the last row.
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
    /// A row of this length in bytes was read.
    Row(usize),
    Closed,
}

/// Parses the next step. `None` means the end.
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

    /// Reads a file in pieces of this size in bytes.
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
