//! References to missing rows.
//!
//! Live accounts have many: a deal keeps the id of its person when that person is deleted
//! (pipedrive-api.md 11). A backup therefore records how many it was written with, and a digest of which.
//! Only a difference from that record is damage.

use super::finding::{DefectKind, FINDINGS_MAX, Findings};
use super::key_set::{Keyset, Named};
use super::row::RowReader;
use crate::dataset::backup::number;
use crate::dataset::snapshot::{Backup, BackupReader, Dangling, Rows, resource_of};
use crate::model::{Kind, Resource, Result, key_of};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The stems of a file and of a file that it references.
type Pair = (&'static str, &'static str);

/// The keys of all rows, and the keys that rows reference.
#[derive(Debug, Default)]
pub(super) struct References {
    /// The keys by file stem, for files that were read to the end.
    keys: BTreeMap<&'static str, Keyset>,
    named: BTreeMap<Pair, Named>,
}

/// The references to a missing key.
struct Naming {
    key: String,
    /// The column of the first row that references the key.
    column: &'static str,
    /// The key of that row.
    row: String,
    /// The number of rows of the file that reference the key.
    times: u64,
}

impl References {
    /// Records that a row of `file` references a row of `target`.
    pub(super) fn add(&mut self, file: &'static str, target: &'static str, key: &str) {
        self.named.entry((file, target)).or_default().add(key);
    }

    /// Records that a file was read to the end. Its keys are sorted.
    pub(super) fn read(&mut self, file: &'static str, keys: Keyset) {
        self.keys.insert(file, keys);
    }

    /// Returns the files that were read to the end.
    fn files(&self) -> BTreeSet<&'static str> {
        self.keys.keys().copied().collect()
    }

    /// Returns the keys that are referenced and do not exist. A pair of files is left out if one of them
    /// could not be read.
    fn missing(self) -> BTreeMap<Pair, Vec<u64>> {
        let Self { keys, named } = self;
        let read = named.into_iter().filter(|((file, _), _)| keys.contains_key(file));
        let missing = read.filter_map(|(pair, named)| {
            let missing = named.missing(keys.get(pair.1)?);
            (!missing.is_empty()).then_some((pair, missing))
        });
        missing.collect()
    }
}

/// Returns whether references to the resource are checked. They are not if its file is missing, or if
/// pdcli wrote it without requesting all rows.
pub(super) fn is_whole(snapshot: &BackupReader, resource: &Resource) -> bool {
    snapshot.holds(resource.file) && !snapshot.backup().lacks_rows_of(resource)
}

/// Returns the number of keys and their digest.
fn counted(missing: &[u64]) -> Dangling {
    let mut hash = Sha256::new();
    for number in missing {
        hash.update(number.to_le_bytes());
    }
    let digest = crate::dataset::json_stream::hex(&hash.finalize());
    Dangling { keys: missing.len() as u64, sha256: digest }
}

/// Reports dangling references. They are an observation, unless the manifest records other ones and
/// `all` rows were read; then they are damage.
pub(super) async fn tell(
    snapshot: &BackupReader,
    references: References,
    all: bool,
    findings: &mut Findings,
) -> Result<()> {
    let read = references.files();
    let missing = references.missing();
    for (pair, numbers) in &missing {
        let path = snapshot.path(pair.0);
        let record = recorded(snapshot.backup(), *pair).filter(|_| all);
        let damage = record.is_some_and(|record| record != counted(numbers));
        let namings = named_by(snapshot, *pair, numbers).await?;
        let untold = (numbers.len() - namings.len()) as u64;
        for naming in namings {
            let others = match naming.times {
                1 => String::new(),
                2 => ", as one other does".to_owned(),
                times => format!(", as {} others do", times - 1),
            };
            let since = if damage { "; it was written with other such references" } else { "" };
            let message = format!(
                "{} names {} of {}, which is not there{others}{since}",
                naming.column, naming.key, pair.1
            );
            findings.judged(DefectKind::Reference, damage, &path, Some(naming.row), message);
        }
        if untold > 0 {
            findings.count(DefectKind::Reference, damage, &path, untold);
        }
    }
    let record = snapshot.backup().dangling.iter().flatten().filter(|_| all);
    for (file, targets) in record {
        for (target, dangling) in targets {
            let both = read.get(file.as_str()).zip(read.get(target.as_str()));
            if let Some((file, target)) = both.filter(|(f, t)| !missing.contains_key(&(**f, **t))) {
                let message = format!(
                    "it was written with {} references to rows that {target} has not, and all are there",
                    dangling.keys
                );
                findings.add(DefectKind::Rows, &snapshot.path(file), None, message);
            }
        }
    }
    Ok(())
}

/// Returns the dangling references between two files that the manifest records. `None` if it records
/// none at all.
fn recorded(backup: &Backup, (file, target): Pair) -> Option<Dangling> {
    let all = backup.dangling.as_ref()?;
    let of = all.get(file).and_then(|targets| targets.get(target)).cloned();
    Some(of.unwrap_or_else(|| counted(&[])))
}

/// Returns the dangling references of a complete backup, by file and by target file. Damaged files are
/// left out.
///
/// Memory: 8 bytes for each row, and 8 bytes for each key that the rows of a file reference.
pub(in crate::dataset) async fn dangling(
    snapshot: &BackupReader,
) -> Result<BTreeMap<String, BTreeMap<String, Dangling>>> {
    let mut references = References::default();
    for resource in Resource::all().filter(|resource| snapshot.holds(resource.file)) {
        let mut rows = snapshot.rows(resource.file, false).await?;
        match read_missing_keys(snapshot, resource, &mut rows, &mut references).await {
            Err(error) if error.kind() != Kind::Data => return Err(error),
            // Defects of a file are reported by the check of that file.
            Ok(()) | Err(_) => {}
        }
    }
    let mut found: BTreeMap<String, BTreeMap<String, Dangling>> = BTreeMap::new();
    for ((file, target), missing) in references.missing() {
        found.entry(file.to_owned()).or_default().insert(target.to_owned(), counted(&missing));
    }
    Ok(found)
}

async fn read_missing_keys(
    snapshot: &BackupReader,
    resource: &'static Resource,
    rows: &mut Rows,
    references: &mut References,
) -> Result<()> {
    let mut look = RowReader::of(resource, |target| is_whole(snapshot, target));
    let mut keys = Keyset::default();
    while let Some(row) = rows.next().await? {
        let Some(key) = key_of(resource, row.json) else { continue };
        keys.add(&key);
        for (_, target, named) in look.at(row.json, None)?.references {
            references.add(resource.file, target.file, &named);
        }
    }
    keys.seal();
    references.read(resource.file, keys);
    Ok(())
}

/// Finds the first rows that reference these keys, in the order of the file. Stops at the number of keys
/// that are reported.
async fn named_by(
    snapshot: &BackupReader,
    (file, target): Pair,
    missing: &[u64],
) -> Result<Vec<Naming>> {
    let Some(resource) = resource_of(file) else { return Ok(Vec::new()) };
    let mut look =
        RowReader::of(resource, |named| named.file == target && is_whole(snapshot, named));
    let mut found: Vec<Naming> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut rows = snapshot.rows(file, false).await?;
    while let Some(row) = rows.next().await? {
        let Some(own) = key_of(resource, row.json) else { continue };
        for (column, _, key) in look.at(row.json, None)?.references {
            let number = number(&key);
            if missing.binary_search(&number).is_err() {
                continue;
            }
            if let Some(place) = places.get(&number) {
                found[*place].times += 1;
            } else if (found.len() as u64) < FINDINGS_MAX {
                places.insert(number, found.len());
                found.push(Naming { key, column, row: own.clone(), times: 1 });
            }
        }
    }
    Ok(found)
}
