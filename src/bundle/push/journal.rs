//! The journal of a push. Each step has an entry before it and one after it, so no step is half done
//! without a trace.

use super::memory::{KnownField, Memory};
use super::plan::{Act, Plan};
use super::ranges::Rows;
use crate::bundle::format::Entity;
use crate::bundle::writer::failed;
use crate::model::{Error, Kind, Result, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// The version of the journal format. 1 is the first one.
///
/// The program reads every version up to this one and returns an error for a newer one.
pub const JOURNAL_VERSION: u32 = 1;

/// The first bytes of a journal.
const JOURNAL_HEAD: &[u8] = br#"{"entry":"begin","#;
/// Most rows that one array of a bundle can have; a journal that names others is broken.
const ROWS_MAX: u64 = 1 << 32;
/// Longest line of a journal: an entry names the rows of one request, and says why some were refused.
const LINE_BYTES_MAX: u64 = 128 << 20;

/// A journal entry: one JSON object per line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A push begins.
    Begin(Begin),
    /// The rows are about to be sent.
    Send {
        /// The number of the batch within the journal.
        batch: u64,
        /// The name of the array.
        #[serde(rename = "array")]
        entity: String,
        /// The ranges of row indexes: first and last.
        rows: Vec<(u64, u64)>,
    },
    /// The batch got a response.
    Done {
        /// The number of the batch.
        batch: u64,
        /// The rows that the target refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<Refused>,
    },
    /// A row has this id in Pipedrive.
    Id {
        /// The name of the array.
        #[serde(rename = "array")]
        entity: String,
        /// The public id.
        public_id: String,
        /// The id in Pipedrive.
        id: String,
    },
    /// A custom field of Pipedrive was created, or identified as the store of public ids.
    Field {
        /// The name of the array that owns the field.
        #[serde(rename = "array")]
        entity: String,
        /// The name at the time of creation. The field may be renamed later.
        name: String,
        /// The key of the field.
        key: String,
        /// The key of the field in the source account, if it is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
    },
    /// The push finished.
    End {
        /// The number of rows that the target has as expected.
        verified: u64,
        /// The number of rows that the target does not have as expected.
        missing: u64,
    },
}

impl From<&KnownField> for Entry {
    fn from(field: &KnownField) -> Self {
        let KnownField { entity, name, key, source } = field.clone();
        Self::Field { entity: entity.name().to_owned(), name, key, source }
    }
}

/// The start of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// The [`JOURNAL_VERSION`].
    pub version: u32,
    /// The program and its version.
    pub tool: String,
    /// The SHA-256 of the bundle.
    pub bundle: String,
    /// The address of the target, or `pipedrive`.
    pub target: String,
    /// The organization or company of the target.
    pub organization: String,
    /// The time of the target's clock.
    pub at: Time,
}

/// A row that the target refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The name of the array.
    #[serde(rename = "array")]
    pub entity: String,
    /// The index in the array.
    pub index: u64,
    /// The public id.
    #[serde(default)]
    pub public_id: String,
    /// The error message.
    pub error: String,
}

/// The work of an earlier, interrupted push of the same bundle to the same target.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// The time at which it began, by the target's clock.
    pub at: Option<Time>,
    /// The rows that were sent, by array. They may not all have arrived.
    sent: BTreeMap<Entity, Rows>,
    /// The number of the last batch.
    batch: u64,
}

/// The state of a journal at the start of a push.
#[derive(Debug)]
pub enum Found {
    /// Nothing to resume. The push starts from the beginning.
    Nothing,
    /// An interrupted push of another version of the bundle. The plan shows which of its rows arrived, and
    /// this push starts from the beginning.
    OtherBundle,
    /// An interrupted push of this bundle, which this push resumes.
    Broken(Earlier),
}

/// A journal that is open for writing. It is locked by one push at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    batch: u64,
}

/// The contents of a journal.
#[derive(Debug, Default)]
struct Past {
    begin: Option<Begin>,
    ended: bool,
    earlier: Earlier,
    memory: Memory,
}

impl Earlier {
    /// Returns whether a row was sent.
    pub fn sent(&self, entity: Entity, index: u64) -> bool {
        self.sent.get(&entity).is_some_and(|rows| rows.contains(index))
    }

    /// Returns the number of sent rows that are not sent again.
    pub fn kept(&self, plan: &Plan) -> u64 {
        let kept = self.sent.iter().map(|(entity, rows)| {
            // The ranges in the journal are limited to the rows that the bundle has.
            let all = rows.below(plan.rows(*entity));
            all.filter(|row| plan.act_of(*entity, *row) == Act::Keep).count() as u64
        });
        kept.sum()
    }
}

/// Returns the path of a bundle's journal.
pub fn beside(bundle: &Path) -> PathBuf {
    let mut name = bundle.file_name().unwrap_or_default().to_owned();
    name.push(".journal.ndjson");
    bundle.with_file_name(name)
}

impl Journal {
    /// Opens the journal for a push and returns the state to resume.
    ///
    /// With `resume`, an interrupted push of the same bundle to the same organization is resumed. Without
    /// it, such a push is a [`Kind::Usage`] error. A journal of another target is always an error, because
    /// it indicates a key for the wrong organization.
    pub fn open(path: &Path, begin: &Begin, resume: bool) -> Result<(Self, Found)> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| failed(path, &error))?;
        let place = || path.display().to_string();
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = "another push is writing this journal";
                return Err(Error::new(Kind::Storage, message).at(place()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(path, &error)),
        }
        let past = Past::read(path, &file)?;
        mend(&file).map_err(|error| failed(path, &error))?;
        let found = past.goes_on(begin, resume).map_err(|error| error.at(place()))?;
        let mut journal = Self { path: path.to_owned(), file, batch: 0 };
        match &found {
            Found::Broken(earlier) => journal.batch = earlier.batch,
            Found::Nothing | Found::OtherBundle => journal.write(&Entry::Begin(begin.clone()))?,
        }
        Ok((journal, found))
    }

    /// Returns the rows and fields that earlier pushes to this organization of this target recorded. The
    /// result is empty for a missing journal and for one of another target, which [`Journal::open`]
    /// refuses.
    pub fn remember(path: &Path, target: &str, organization: &str) -> Result<Memory> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Memory::default()),
            file => file.map_err(|error| failed(path, &error))?,
        };
        let past = Past::read(path, &file)?;
        let begin = past.begin.as_ref();
        let same = begin.is_some_and(|of| of.target == target && of.organization == organization);
        Ok(if same { past.memory } else { Memory::default() })
    }

    /// Writes an entry and syncs it to disk.
    pub fn write(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry).map_err(|error| {
            Error::new(Kind::Bug, "a journal entry cannot be written as JSON").because(error)
        })?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Records that rows are about to be sent. Returns the batch number for [`Journal::done`].
    pub fn send(&mut self, entity: Entity, rows: &[u64]) -> Result<u64> {
        self.batch = self.batch.wrapping_add(1);
        let rows = ranges(rows);
        self.write(&Entry::Send { batch: self.batch, entity: entity.name().to_owned(), rows })?;
        Ok(self.batch)
    }

    /// Records that a batch got a response.
    pub fn done(&mut self, batch: u64, refused: Vec<Refused>) -> Result<()> {
        self.write(&Entry::Done { batch, refused })
    }
}

impl Past {
    fn read(path: &Path, file: &File) -> Result<Self> {
        let mut past = Self::default();
        let broken = |number: u64, what: &str| {
            let message = format!("line {number} {what}");
            Error::new(Kind::Data, message).at(path.display().to_string())
        };
        let mut reader = BufReader::new(file);
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            let read = reader.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
            if read.map_err(|error| failed(path, &error))? == 0 {
                break;
            }
            number += 1;
            if line.len() as u64 > LINE_BYTES_MAX {
                let what = format!("is longer than {} MiB: no entry is", LINE_BYTES_MAX >> 20);
                return Err(broken(number, &what));
            }
            match serde_json::from_slice::<Entry>(&line) {
                Ok(entry) => past.replay(entry).map_err(|what| broken(number, &what))?,
                Err(_) if line.trim_ascii().is_empty() => {}
                // A killed push may leave an incomplete line. Nothing is sent before its line is complete.
                Err(error) => {
                    let last = reader.fill_buf().map_err(|error| failed(path, &error))?.is_empty();
                    if last && !(number == 1 && is_foreign(&line)) {
                        break;
                    }
                    return Err(broken(number, "is no entry of a journal").because(error));
                }
            }
        }
        if let Some(begin) = past.begin.as_ref().filter(|begin| begin.version > JOURNAL_VERSION) {
            let message = format!(
                "is of version {}, this program knows {JOURNAL_VERSION}: update source-pipedrive",
                begin.version
            );
            return Err(Error::new(Kind::Data, message).at(path.display().to_string()));
        }
        Ok(past)
    }

    /// Applies an entry. Returns a message if it is invalid.
    fn replay(&mut self, entry: Entry) -> Result<(), String> {
        match entry {
            Entry::Begin(begin) => {
                self.earlier = Earlier { at: Some(begin.at), ..Earlier::default() };
                self.begin = Some(begin);
                self.ended = false;
            }
            Entry::Send { batch, entity, rows } => {
                self.earlier.batch = batch;
                if let Some(entity) = Entity::named(&entity) {
                    let sent = self.earlier.sent.entry(entity).or_default();
                    for (from, to) in rows {
                        if from > to || to >= ROWS_MAX {
                            return Err(format!(
                                "names the rows {from} to {to} of {}: a bundle has at most \
                                 {ROWS_MAX} rows, counted from 0",
                                entity.name()
                            ));
                        }
                        sent.add(from, to);
                    }
                }
            }
            Entry::End { .. } => self.ended = true,
            Entry::Id { entity, public_id, id } => self.memory.row(&entity, &public_id, &id),
            Entry::Field { entity, name, key, source } => {
                self.memory.field(&entity, name, key, source);
            }
            Entry::Done { .. } => {}
        }
        Ok(())
    }

    fn goes_on(self, begin: &Begin, resume: bool) -> Result<Found> {
        let Some(past) = &self.begin else { return Ok(Found::Nothing) };
        if past.organization != begin.organization || past.target != begin.target {
            let message = format!(
                "this bundle was pushed to {} at {} before, and now the target is {} at {}: name another \
                 --journal if that is meant",
                past.organization, past.target, begin.organization, begin.target
            );
            return Err(Error::new(Kind::Config, message));
        }
        if self.ended {
            return Ok(Found::Nothing);
        }
        if past.bundle != begin.bundle {
            return Ok(Found::OtherBundle);
        }
        if !resume {
            let rows = self.earlier.sent.values().map(Rows::count);
            let rows = rows.fold(0, u64::saturating_add);
            let message = format!(
                "a push of this bundle was interrupted after {rows} rows: --resume continues it"
            );
            return Err(Error::new(Kind::Usage, message));
        }
        Ok(Found::Broken(self.earlier))
    }
}

/// Returns whether an invalid line cannot be the beginning of a journal's first entry. If so, the file
/// belongs to another program and is not truncated.
fn is_foreign(line: &[u8]) -> bool {
    let head = &line[..line.len().min(JOURNAL_HEAD.len())];
    !JOURNAL_HEAD.starts_with(head)
}

/// Removes an incomplete last line, so that the next entry starts on a new line.
fn mend(file: &File) -> std::io::Result<()> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0))?;
    let (mut whole, mut line) = (0, Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.last() == Some(&b'\n') {
            whole += line.len() as u64;
        }
        line.clear();
    }
    if file.metadata()?.len() > whole { file.set_len(whole) } else { Ok(()) }
}

/// Converts sorted numbers to ranges.
fn ranges(rows: &[u64]) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for row in rows {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *row => *to = *row,
            _ => ranges.push((*row, *row)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_no_push_writes_are_named() {
        let check = |line: &str, expected: &str| {
            let name = format!("journal-{}-{:x}", std::process::id(), fastrand::u64(..));
            let path = std::env::temp_dir().join(name);
            // The last line may be incomplete.
            std::fs::write(&path, format!("\n{line}\n{{\"entry\":\"se"))
                .expect("it can be written");
            let file = File::open(&path).expect("it is there");
            let read = Past::read(&path, &file).map(|past| past.earlier.sent.len());
            std::fs::remove_file(&path).expect("it is there");
            let shown = match read {
                Ok(arrays) => format!("{arrays} arrays"),
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Data);
                    error.to_string().replace(&path.display().to_string(), "f")
                }
            };
            assert_eq!(shown, expected);
        };
        let send = |rows: &str| {
            format!(
                r#"{{"entry":"send","batch":18446744073709551615,"array":"leads","rows":{rows}}}"#
            )
        };
        check(&send("[[0,499],[501,501]]"), "1 arrays");
        check(
            &send("[[0,9223372036854775808]]"),
            "f: line 2 names the rows 0 to 9223372036854775808 of leads: a bundle has at most \
             4294967296 rows, counted from 0",
        );
        check(
            &send("[[5,4]]"),
            "f: line 2 names the rows 5 to 4 of leads: a bundle has at most 4294967296 rows, counted \
             from 0",
        );
        check("{}", "f: line 2 is no entry of a journal");
    }
}
