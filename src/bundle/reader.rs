//! Reads the file of a bundle row by row. Memory does not grow with the size of the file.

use super::format::{Entity, Head};
use crate::dataset::{JsonStream, ReadError};
use crate::model::{Error, Json, Kind, Result};
use std::path::{Path, PathBuf};

/// Keys at the top of a bundle beside the arrays that are remembered.
const OTHERS_MAX: usize = 100;
/// Bytes of such keys and their values that are remembered.
const OTHERS_BYTES_MAX: usize = 64 << 20;

/// A streaming reader of a bundle. It returns the head and the rows in file order, and holds one row and
/// one chunk in memory.
pub struct Reader {
    window: JsonStream,
    path: PathBuf,
    state: State,
    head: Head,
    spans: Vec<Span>,
    /// The size in bytes of the other keys and values kept so far.
    others: usize,
    /// Whether reading ends with the first array.
    one: bool,
}

/// The position of an array in the file.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The array.
    pub entity: Entity,
    /// The offset of the byte after the opening bracket.
    start: u64,
    /// The number of rows.
    pub rows: u64,
}

/// A row of a bundle.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    /// The array of the row.
    pub entity: Entity,
    /// The index in the array, from 0.
    pub index: u64,
    /// The value, byte for byte. It is an object unless the bundle is invalid.
    pub json: &'r str,
    /// The byte offset in the file.
    pub offset: u64,
}

/// The structure of a file, known after all rows were read.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The path of the file.
    pub path: PathBuf,
    /// The keys other than the arrays.
    pub head: Head,
    /// The arrays, in file order.
    pub spans: Vec<Span>,
    /// The SHA-256 of the file in hexadecimal. Empty unless the file was opened with [`Reader::hashed`].
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    /// Between two keys. The value is `true` until the first key is read.
    Top(bool),
    /// In an array. The value is `true` until the first row is read.
    In(Entity, bool),
    After,
}

enum Step {
    Opened,
    Field(String, String),
    Entity(Entity),
    Row(usize),
    Closed,
    Done,
}

impl Reader {
    /// Opens a bundle.
    pub fn open(path: &Path) -> Result<Self> {
        Self::of(path, false)
    }

    /// Opens a bundle and computes its SHA-256.
    pub fn hashed(path: &Path) -> Result<Self> {
        Self::of(path, true)
    }

    fn of(path: &Path, hashed: bool) -> Result<Self> {
        let window = JsonStream::open(path, 0, hashed)?;
        let (head, spans) = (Head::default(), Vec::new());
        let path = path.to_owned();
        Ok(Self { window, path, state: State::Before, head, spans, others: 0, one: false })
    }

    /// Opens one array of a bundle.
    pub fn of_array(path: &Path, span: Span) -> Result<Self> {
        let window = JsonStream::open(path, span.start, false)?;
        let state = State::In(span.entity, true);
        let spans = vec![Span { rows: 0, ..span }];
        let head = Head::default();
        Ok(Self { window, path: path.to_owned(), state, head, spans, others: 0, one: true })
    }

    /// Returns the next row, or `None` after the last one.
    ///
    /// An invalid bundle is a [`Kind::Data`] error with the byte offset. Examples are a value that is not
    /// an object, an array that occurs twice, and a truncated file.
    pub async fn next(&mut self) -> Result<Option<Row<'_>>> {
        loop {
            let state = self.state;
            match self.window.take(|json| step(state, json)).await {
                Ok(None) if self.one || self.is_bundle() => return Ok(None),
                Ok(None) => {
                    let entities = Entity::ALL.map(Entity::name).join(", ");
                    let message =
                        format!("is no bundle: it has none of {entities}, and no version");
                    return Err(self.error(message));
                }
                Ok(Some(Step::Opened)) => self.state = State::Top(true),
                Ok(Some(Step::Done)) => self.state = State::After,
                Ok(Some(Step::Closed)) if self.one => return Ok(None),
                Ok(Some(Step::Closed)) => self.state = State::Top(false),
                Ok(Some(Step::Field(key, value))) => {
                    self.state = State::Top(false);
                    self.keep(key, value);
                }
                Ok(Some(Step::Entity(entity))) => {
                    if self.spans.iter().any(|span| span.entity == entity) {
                        let message = format!("has the array {} twice", entity.name());
                        return Err(self.error(message));
                    }
                    self.state = State::In(entity, true);
                    self.spans.push(Span { entity, start: self.window.byte(), rows: 0 });
                }
                Ok(Some(Step::Row(length))) => {
                    let Some(span) = self.spans.last_mut() else { continue };
                    let (entity, index) = (span.entity, span.rows);
                    span.rows += 1;
                    self.state = State::In(entity, false);
                    let offset = self.window.byte() - length as u64;
                    let json = self.window.passed(length);
                    return Ok(Some(Row { entity, index, json, offset }));
                }
                Err(ReadError::Failed(error)) => return Err(error),
                Err(ReadError::Stray { byte, cut_off, error, .. }) => {
                    return Err(self.error(self.stray(byte, cut_off)).because(error));
                }
            }
        }
    }

    /// Returns whether the object has an array or a known version and therefore is a bundle.
    fn is_bundle(&self) -> bool {
        self.head.version.is_some() || !self.spans.is_empty()
    }

    /// Returns the structure of the file. Call it after the last row.
    pub fn survey(self) -> Survey {
        let Self { window, path, head, spans, .. } = self;
        let bytes = window.read();
        Survey { path, head, spans, sha256: window.sha256().unwrap_or_default(), bytes }
    }

    /// Returns the part of the head that was read so far.
    pub fn head(&self) -> &Head {
        &self.head
    }

    fn keep(&mut self, key: String, value: String) {
        let bytes = self.others.saturating_add(key.len() + value.len());
        let room = self.head.other.len() < OTHERS_MAX && bytes <= OTHERS_BYTES_MAX;
        match key.as_str() {
            "version" => self.head.version = Some(value),
            "exported_at" => self.head.exported_at = Some(value),
            "organization_id" => self.head.organization_id = Some(value),
            _ if room => {
                self.others = bytes;
                self.head.other.push((key, value));
            }
            _ => {}
        }
    }

    fn error(&self, message: String) -> Error {
        Error::new(Kind::Data, message).at(self.path.display().to_string())
    }

    fn stray(&self, byte: u64, cut_off: bool) -> String {
        match (cut_off, self.state) {
            (true, State::Before) => "is empty".to_owned(),
            (true, _) => format!("ends at byte {byte}, before the bundle does: it is cut off"),
            (_, State::Before) => format!("is no bundle: no JSON object (byte {byte})"),
            (_, State::After) => format!("has data after the bundle, at byte {byte}"),
            (_, State::Top(_)) => format!("is not well-formed at byte {byte}"),
            (_, State::In(entity, _)) => {
                let row = self.spans.last().map_or(0, |span| span.rows);
                format!("is not well-formed at byte {byte}, in /{}/{row}", entity.name())
            }
        }
    }
}

/// Reads the next element. Returns `None` at the end of the file.
fn step(state: State, json: &mut Json<'_>) -> Result<Option<Step>> {
    match state {
        State::Before => {
            if json.peek() != b'{' {
                return Err(json.malformed());
            }
            json.skip_literal("{");
            Ok(Some(Step::Opened))
        }
        State::After => {
            json.end()?;
            Ok(None)
        }
        State::Top(first) => {
            if first && json.peek() == b'}' {
                json.skip_literal("}");
                return Ok(Some(Step::Done));
            }
            if !first && !json.more(b'{')? {
                return Ok(Some(Step::Done));
            }
            let key = json.key()?.into_owned();
            if let (Some(entity), b'[') = (Entity::named(&key), json.peek()) {
                json.skip_literal("[");
                return Ok(Some(Step::Entity(entity)));
            }
            let value = whole(json)?.to_owned();
            Ok(Some(Step::Field(key, value)))
        }
        State::In(_, first) => {
            if first && json.peek() == b']' {
                json.skip_literal("]");
                return Ok(Some(Step::Closed));
            }
            if !first && !json.more(b'[')? {
                return Ok(Some(Step::Closed));
            }
            whole(json).map(|row| Some(Step::Row(row.len())))
        }
    }
}

/// Returns a complete value. A number may continue in bytes that are not yet read.
fn whole<'j>(json: &mut Json<'j>) -> Result<&'j str> {
    let number = matches!(json.peek(), b'-' | b'0'..=b'9');
    let value = json.value()?;
    if number && json.is_at_end() { Err(json.malformed()) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let path = std::env::temp_dir().join(format!(
            "bundle-{}-{:x}",
            std::process::id(),
            fastrand::u64(..)
        ));
        std::fs::write(&path, text).expect("a file can be written");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let shown = runtime.block_on(async {
            let mut reader = Reader::open(&path)?;
            let mut shown = Vec::new();
            while let Some(row) = reader.next().await? {
                let from = usize::try_from(row.offset).unwrap_or(usize::MAX);
                assert_eq!(&text[from..from + row.json.len()], row.json);
                shown.push(format!("{}/{} {}", row.entity.name(), row.index, row.json));
            }
            let survey = reader.survey();
            assert_eq!(survey.bytes, text.len() as u64);
            for span in &survey.spans {
                let mut again = Reader::of_array(&path, *span)?;
                let mut rows = 0;
                while let Some(row) = again.next().await? {
                    assert_eq!((row.entity, row.index), (span.entity, rows));
                    rows += 1;
                }
                assert_eq!(rows, span.rows);
            }
            let version = survey.head.version.unwrap_or_default();
            shown.push(format!("version {version}, {} other", survey.head.other.len()));
            Ok::<_, Error>(shown.join(" | "))
        });
        std::fs::remove_file(&path).expect("the file is there");
        shown.unwrap_or_else(|error| error.to_string().replace(&path.display().to_string(), "f"))
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(read(text), expected);
    }

    #[test]
    fn rows_come_with_their_places() {
        check(
            r#" {"version":"1","contacts":[{"a":1}, {"b":"]"}],"x":{"y":[1]},"accounts":[]} "#,
            r#"contacts/0 {"a":1} | contacts/1 {"b":"]"} | version "1", 1 other"#,
        );
        check(
            r#"{"leads":[7,null],"version":12}"#,
            "leads/0 7 | leads/1 null | version 12, 0 other",
        );
        check(r#"{"accounts":null,"version":1}"#, "version 1, 1 other");
    }

    #[test]
    fn what_is_no_bundle_is_named() {
        check("", "f: is empty");
        check("[]", "f: is no bundle: no JSON object (byte 0)");
        let other = "f: is no bundle: it has none of accounts, contacts, opportunities, leads, activities, and no version";
        check("{}", other);
        check(r#"{"api_token":"a"}"#, other);
        check("{} x", "f: has data after the bundle, at byte 3");
        check(
            r#"{"accounts":[{"a":1}"#,
            "f: ends at byte 20, before the bundle does: it is cut off",
        );
        check(r#"{"leads":[{},}]}            "#, "f: is not well-formed at byte 13, in /leads/1");
        check(r#"{"leads":[],"leads":[]}"#, "f: has the array leads twice");
    }
}
