//! What a push did, written before and after each step: nothing is half done without an entry.

use super::plan::{Act, Plan};
use crate::bundle::portable::Array;
use crate::bundle::writer::failed;
use crate::model::{Error, Kind, Result, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Layout of the journal. 1: first.
///
/// We read every version up to this one, and refuse to write to a newer one.
pub const JOURNAL_VERSION: u32 = 1;

/// How a journal begins.
const JOURNAL_HEAD: &[u8] = br#"{"entry":"begin","#;

/// An entry: one JSON object on one line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A push begins.
    Begin(Begin),
    /// These rows are about to be sent.
    Send {
        /// Its number within the push.
        batch: u64,
        /// Which array.
        array: String,
        /// Rows by index, from and to.
        rows: Vec<(u64, u64)>,
    },
    /// They were answered.
    Done {
        /// The number of the batch.
        batch: u64,
        /// Rows the target refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<Refused>,
    },
    /// A row has this id in Pipedrive.
    Id {
        /// Which array.
        array: String,
        /// The public id.
        public_id: String,
        /// The id there.
        id: String,
    },
    /// A custom field was created in Pipedrive.
    Field {
        /// Whose field.
        array: String,
        /// Its name.
        name: String,
        /// Its key.
        key: String,
    },
    /// The push came to its end.
    End {
        /// Rows that were there afterwards as they should be.
        verified: u64,
        /// Rows that were not.
        missing: u64,
    },
}

/// How a push begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// [`JOURNAL_VERSION`].
    pub version: u32,
    /// Program and version.
    pub tool: String,
    /// SHA-256 of the bundle.
    pub bundle: String,
    /// The target's address, or `pipedrive`.
    pub target: String,
    /// The target's organization or company.
    pub organization: String,
    /// The target's clock.
    pub at: Time,
}

/// A row the target refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its array.
    pub array: String,
    /// Its place there.
    pub index: u64,
    /// Its public id.
    #[serde(default)]
    pub public_id: String,
    /// Why.
    pub error: String,
}

/// What an earlier push of the same bundle to the same target did before it broke off.
#[derive(Debug, Clone, Default)]
pub struct Earlier {
    /// When it began, by the target's clock.
    pub at: Option<Time>,
    /// Rows that were sent, by array; it is not certain that all arrived.
    pub sent: BTreeMap<Array, BTreeSet<u64>>,
    /// The number of the last batch.
    batch: u64,
}

/// What a push finds in its journal.
#[derive(Debug)]
pub enum Found {
    /// Nothing that matters: it begins.
    Nothing,
    /// A push of another version of the bundle that was broken off: what it sent shows in the plan, and
    /// this push begins anew.
    OtherBundle,
    /// A push of this bundle that was broken off: this one goes on with it.
    Broken(Earlier),
}

/// A journal that is being written. Held by one push at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    batch: u64,
}

/// What a journal says.
#[derive(Debug, Default)]
struct Past {
    begin: Option<Begin>,
    ended: bool,
    earlier: Earlier,
}

impl Earlier {
    /// Whether a row was sent.
    pub fn sent(&self, array: Array, index: u64) -> bool {
        self.sent.get(&array).is_some_and(|rows| rows.contains(&index))
    }

    /// How many of the rows that were sent are not sent again.
    pub fn kept(&self, plan: &Plan) -> u64 {
        let rows =
            self.sent.iter().flat_map(|(array, rows)| rows.iter().map(move |row| (array, row)));
        rows.filter(|(array, row)| plan.act_of(**array, **row) == Act::Keep).count() as u64
    }
}

/// Where the journal of a bundle lies.
pub fn beside(bundle: &Path) -> PathBuf {
    let mut name = bundle.file_name().unwrap_or_default().to_owned();
    name.push(".journal.ndjson");
    bundle.with_file_name(name)
}

impl Journal {
    /// Opens the journal for a push that begins like this, and says what is to be gone on with.
    ///
    /// With `resume` a push of the same bundle to the same organization that broke off is gone on
    /// with. Without it such a push is a [`Kind::Usage`] error. A journal of another target is always
    /// an error: a key for another organization must not go unnoticed.
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

    /// Writes an entry, and sees it onto the disk.
    pub fn write(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)
            .map_err(|error| Error::new(Kind::Bug, "an entry is no JSON").because(error))?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Notes that these rows are about to be sent; the number is for [`Journal::done`].
    pub fn send(&mut self, array: Array, rows: &[u64]) -> Result<u64> {
        self.batch += 1;
        let rows = ranges(rows);
        self.write(&Entry::Send { batch: self.batch, array: array.name().to_owned(), rows })?;
        Ok(self.batch)
    }

    /// Notes that they were answered.
    pub fn done(&mut self, batch: u64, refused: Vec<Refused>) -> Result<()> {
        self.write(&Entry::Done { batch, refused })
    }
}

impl Past {
    fn read(path: &Path, file: &File) -> Result<Self> {
        let mut past = Self::default();
        let mut lines = BufReader::new(file).lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let first = number == 0;
            let line = line.map_err(|error| failed(path, &error))?;
            let entry = match serde_json::from_str::<Entry>(&line) {
                Ok(entry) => entry,
                // A push that was killed may leave half a line; nothing was sent before it was whole.
                Err(_) if lines.peek().is_none() && !(first && is_foreign(&line)) => break,
                Err(_) if line.trim().is_empty() => continue,
                Err(error) => {
                    let message = format!("line {} is no entry of a journal", number + 1);
                    return Err(Error::new(Kind::Data, message)
                        .at(path.display().to_string())
                        .because(error));
                }
            };
            past.take(entry);
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

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begin(begin) => {
                self.earlier = Earlier { at: Some(begin.at), ..Earlier::default() };
                self.begin = Some(begin);
                self.ended = false;
            }
            Entry::Send { batch, array, rows } => {
                self.earlier.batch = batch;
                if let Some(array) = Array::named(&array) {
                    let sent = self.earlier.sent.entry(array).or_default();
                    sent.extend(rows.into_iter().flat_map(|(from, to)| from..=to));
                }
            }
            Entry::End { .. } => self.ended = true,
            Entry::Done { .. } | Entry::Id { .. } | Entry::Field { .. } => {}
        }
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
            let rows: usize = self.earlier.sent.values().map(BTreeSet::len).sum();
            let message = format!(
                "a push of this bundle was broken off after {rows} rows: --resume goes on with it"
            );
            return Err(Error::new(Kind::Usage, message));
        }
        Ok(Found::Broken(self.earlier))
    }
}

/// Whether a line that is no entry cannot be the beginning of a journal's first one either: then the
/// file is somebody else's, and nothing of it is cut off.
fn is_foreign(line: &str) -> bool {
    let head = &line.as_bytes()[..line.len().min(JOURNAL_HEAD.len())];
    !JOURNAL_HEAD.starts_with(head)
}

/// Cuts off what a push that was killed left of its last line: the next entry begins a line.
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

/// Sorted numbers as ranges.
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
