//! Verifies a backup file by file.

use super::dangling::{self, References, is_whole};
use super::fields::{Fields, Stranger};
use super::finding::{DefectKind, Finding, Findings, Tally};
use super::key_set::Keyset;
use super::locations::stranger;
use super::row::RowReader;
use crate::dataset::backup::Content;
use crate::dataset::commit_log::MANIFEST;
use crate::dataset::forms::{NEXT, is_sha256};
use crate::dataset::snapshot::{
    BackupReader, CONTENT_INDEX, CONTENTS, Failure, Proof, Rows, resource_of,
};
use crate::model::{Error, Kind, Resource, Result, key_of};
use std::collections::{BTreeMap, BTreeSet};

/// The options of a check.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The percentage of rows whose references, options and custom fields are checked. With 0 nothing is
    /// parsed, and only sizes and hashes are checked.
    pub sample: f64,
    /// The kinds of defects that are not reported.
    pub ignore: Vec<DefectKind>,
}

/// The result of a check.
#[derive(Debug, Default)]
pub struct Report {
    /// The defects that were found: damage and observations.
    pub findings: Vec<Finding>,
    /// The numbers of findings.
    pub tally: Tally,
    /// Messages about parts that could not be checked, and other notes.
    pub unchecked: Vec<String>,
    /// The number of files of resources, including the index of attachments.
    pub files: u64,
    /// The number of rows. It is 0 if nothing was parsed.
    pub rows: u64,
    /// The bytes of these files.
    pub bytes: u64,
    /// The number of attachments.
    pub contents: u64,
}

/// A check in progress.
struct Check<'s> {
    snapshot: &'s BackupReader,
    sample: f64,
    findings: Findings,
    report: Report,
    references: References,
    /// The custom fields and options, by dictionary.
    fields: BTreeMap<&'static str, Fields>,
}

/// Checks a backup. Every file must exist with the size and SHA-256 of the manifest, be well-formed and
/// have the expected number of rows. Each row must have a unique key, and must reference only rows,
/// options and custom fields that exist. No request is made to Pipedrive, and nothing is written.
///
/// An error means that the check failed to run, not that the backup is damaged.
pub async fn verify(snapshot: &BackupReader, options: &Options) -> Result<Report> {
    let mut check = Check {
        snapshot,
        sample: options.sample,
        findings: Findings::ignoring(&options.ignore),
        report: Report::default(),
        references: References::default(),
        fields: BTreeMap::new(),
    };
    check.manifest();
    check.read_fields().await?;
    for stem in check.stems() {
        check.file(&stem).await?;
    }
    check.contents().await?;
    let references = std::mem::take(&mut check.references);
    dangling::tell(snapshot, references, options.sample >= 100.0, &mut check.findings).await?;
    check.strangers();
    check.unfinished();
    check.say_what_is_unchecked();
    let Check { findings, report, .. } = check;
    let (findings, tally) = findings.finish();
    Ok(Report { findings, tally, ..report })
}

impl Check<'_> {
    /// Returns the file stems of the backup.
    fn stems(&self) -> BTreeSet<String> {
        let backup = self.snapshot.backup();
        let mut stems: BTreeSet<String> = backup.files.keys().cloned().collect();
        if backup.is_pdcli_backup() {
            stems.extend(backup.completed.iter().cloned());
            let here = Resource::all().map(|resource| resource.file);
            stems.extend(here.filter(|stem| self.snapshot.holds(stem)).map(str::to_owned));
        }
        stems
    }

    fn manifest(&mut self) {
        if !self.snapshot.manifest_is_as_written() {
            let message = "is not as it was written: restore it from a copy, or back up again";
            self.findings.add(DefectKind::Hash, MANIFEST, None, message);
        }
    }

    async fn read_fields(&mut self) -> Result<()> {
        if self.sample == 0.0 {
            return Ok(());
        }
        let names: BTreeSet<_> = Resource::all().filter_map(|resource| resource.fields).collect();
        for dictionary in names.into_iter().filter_map(Resource::named) {
            let fields = Fields::read(self.snapshot, dictionary).await?;
            self.fields.extend(fields.map(|fields| (dictionary.name, fields)));
        }
        Ok(())
    }

    async fn file(&mut self, stem: &str) -> Result<()> {
        let snapshot = self.snapshot;
        let path = snapshot.path(stem);
        let Some(&size) = snapshot.listed().get(&path) else {
            self.findings.add(
                DefectKind::Missing,
                &path,
                None,
                "the manifest names it, and it is not there",
            );
            return Ok(());
        };
        self.report.files += 1;
        self.report.bytes += size;
        let file = snapshot.file(stem);
        if let Some(file) = file.filter(|file| file.bytes != size) {
            let message = format!("has {size} bytes where the manifest says {}", file.bytes);
            self.findings.add(DefectKind::Size, &path, None, message);
        }
        let expected = file.map(|file| file.sha256.clone());
        let counts = &snapshot.backup().counts;
        let count = file.map(|file| file.rows).or_else(|| counts.get(stem).copied());
        let sha256 = if self.sample == 0.0 {
            match &expected {
                Some(_) => Some(snapshot.digest(&path).await?.0),
                None => None,
            }
        } else {
            self.rows(stem, &path, count, expected.is_some()).await?
        };
        if let (Some(expected), Some(sha256)) = (expected, sha256)
            && expected != sha256
        {
            let message =
                format!("has SHA-256 {sha256:.16}… where the manifest says {expected:.16}…");
            self.findings.add(DefectKind::Hash, &path, None, message);
        }
        Ok(())
    }

    /// Reads all rows of a file. Returns its SHA-256 if it was requested.
    async fn rows(
        &mut self,
        stem: &str,
        path: &str,
        count: Option<u64>,
        hashed: bool,
    ) -> Result<Option<String>> {
        let mut rows = self.snapshot.rows(stem, hashed).await?;
        let outcome = match resource_of(stem) {
            Some(resource) => self.look(resource, path, &mut rows).await,
            None => pass(&mut rows).await,
        };
        let torn = rows.is_cut_off();
        if let Err(error) = outcome {
            if error.kind() != Kind::Data {
                return Err(error);
            }
            let flaw = if torn { DefectKind::Torn } else { DefectKind::Json };
            // The finding already names the file.
            let summary = error.summary();
            let place = error.place().unwrap_or_default();
            let message = summary.trim_start_matches(place).trim_start_matches(": ");
            self.findings.add(flaw, path, None, message);
            let sha256 = if hashed { Some(self.snapshot.digest(path).await?.0) } else { None };
            return Ok(sha256);
        }
        let Proof { rows, sha256, .. } = rows.proof();
        self.report.rows += rows;
        if let Some(count) = count.filter(|count| *count != rows) {
            let message = format!("holds {rows} rows where the manifest says {count}");
            self.findings.add(DefectKind::Rows, path, None, message);
        }
        Ok(sha256)
    }

    async fn look(
        &mut self,
        resource: &'static Resource,
        path: &str,
        rows: &mut Rows,
    ) -> Result<()> {
        let snapshot = self.snapshot;
        let mut look = RowReader::of(resource, |target| is_whole(snapshot, target));
        let mut fields = resource.fields.and_then(|name| self.fields.remove_entry(name));
        let mut keys = Keyset::default();
        let mut sampling = Sampling { share: self.sample / 100.0, owed: 0.0 };
        let outcome = loop {
            let row = match rows.next().await {
                Ok(Some(row)) => row,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            let Some(key) = key_of(resource, row.json) else {
                let message = format!("the row at byte {} has no key", row.offset);
                self.findings.add(DefectKind::Key, path, None, message);
                continue;
            };
            keys.add(&key);
            if !sampling.takes() {
                continue;
            }
            let seen = look.at(row.json, fields.as_mut().map(|(_, fields)| fields))?;
            for (_, target, named) in seen.references {
                self.references.add(resource.file, target.file, &named);
            }
            for stranger in seen.strangers {
                let (flaw, message) = match stranger {
                    Stranger::Field(code) => {
                        (DefectKind::Field, format!("custom field {code} is in no field file"))
                    }
                    Stranger::Option { id, field } => (
                        DefectKind::Option,
                        format!("option {id} of field \"{field}\" is in no field file"),
                    ),
                };
                self.findings.add(flaw, path, Some(key.clone()), message);
            }
        };
        self.fields.extend(fields);
        outcome?;
        if keys.seal() {
            self.repeats(resource, path, &keys).await?;
        }
        self.references.read(resource.file, keys);
        Ok(())
    }

    /// Reports the rows whose key is not unique.
    async fn repeats(
        &mut self,
        resource: &'static Resource,
        path: &str,
        keys: &Keyset,
    ) -> Result<()> {
        let mut first: BTreeMap<String, u64> = BTreeMap::new();
        let mut rows = self.snapshot.rows(resource.file, false).await?;
        while let Some(row) = rows.next().await? {
            let key = key_of(resource, row.json).filter(|key| keys.twice(key));
            let Some(key) = key else { continue };
            if let Some(offset) = first.get(&key) {
                let message =
                    format!("is there twice: at byte {offset} and at byte {}", row.offset);
                self.findings.add(DefectKind::Key, path, Some(key), message);
            } else {
                first.insert(key, row.offset);
            }
        }
        Ok(())
    }

    /// Checks the attachments that the index names.
    async fn contents(&mut self) -> Result<()> {
        let snapshot = self.snapshot;
        if !snapshot.holds(CONTENT_INDEX) {
            return Ok(());
        }
        let mut named: BTreeSet<String> = BTreeSet::new();
        let mut rows = snapshot.rows(CONTENT_INDEX, false).await?;
        // Defects of the index itself were reported before.
        while let Ok(Some(row)) = rows.next().await {
            let Ok(content) = serde_json::from_str::<Content>(row.json) else { continue };
            content.must_be_named(&snapshot.place().name_of(&snapshot.path(CONTENT_INDEX)))?;
            let Some(sha256) = content.sha256 else { continue };
            let path = BackupReader::content_path(&sha256);
            let row = Some(content.id.to_string());
            match snapshot.listed().get(&path) {
                None => {
                    self.findings.add(DefectKind::Content, &path, row, "attachment is not there");
                }
                Some(_) if !named.insert(sha256.clone()) => {}
                Some(size) => {
                    self.report.contents += 1;
                    let right = content.bytes.is_none_or(|bytes| bytes == *size)
                        && snapshot.digest(&path).await?.0 == sha256;
                    if !right {
                        let message = "attachment is not what it is called after";
                        self.findings.add(DefectKind::Content, &path, row, message);
                    }
                }
            }
        }
        let below = format!("{CONTENTS}/");
        for path in snapshot.listed().keys() {
            let name = path.strip_prefix(&below).filter(|name| is_sha256(name));
            if name.is_some_and(|name| !named.contains(name)) && snapshot.manifest().next.is_none()
            {
                self.findings.observe(DefectKind::Content, path, "no attachment is called so");
            }
        }
        Ok(())
    }

    fn strangers(&mut self) {
        for path in self.snapshot.listed().keys() {
            if let Some((flaw, message)) = stranger(self.snapshot, path) {
                self.findings.observe(flaw, path, message);
            }
        }
        for (path, what) in self.snapshot.strange() {
            let message = format!("is no part of this backup: it {what}");
            self.findings.add(DefectKind::Foreign, path, None, message);
        }
        let growing = self.snapshot.backup().in_progress.values().map(|one| (true, one));
        let next = self.snapshot.manifest().next.iter().flat_map(|next| next.in_progress.values());
        let next = next.map(|one| (false, one));
        for (damage, unfinished) in growing.chain(next).filter(|(_, one)| one.pieces.is_none()) {
            let size = self.snapshot.listed().get(&unfinished.path).copied().unwrap_or(0);
            if size < unfinished.bytes {
                let message = format!("has {size} bytes of the {} that are safe", unfinished.bytes);
                self.findings.judged(DefectKind::Torn, damage, &unfinished.path, None, message);
            }
        }
    }

    fn unfinished(&mut self) {
        let backup = self.snapshot.backup();
        for stem in backup.asked() {
            let partial = self.snapshot.file(stem).is_some_and(|file| file.partial && !file.kept);
            let failed = backup.failed.contains_key(stem);
            let done = self.snapshot.claims(stem) && !failed && !partial;
            let refused = backup.failed.get(stem).is_some_and(Failure::for_good);
            // A pdcli backup without a manifest does not record the requested resources.
            let unknown = backup.is_pdcli_backup() && backup.updated_at.is_none();
            if done || refused || unknown || backup.unavailable.contains_key(stem) {
                continue;
            }
            let message = match backup.failed.get(stem) {
                Some(failure) => format!("was not read to its end: {}", failure.message),
                None => "was not read to its end; the next backup run continues it".to_owned(),
            };
            let path = self.snapshot.path(stem);
            self.findings.add(DefectKind::Unfinished, &path, None, message);
        }
        if self.snapshot.manifest().next.is_some() {
            let message = "a newer backup is not finished: the next backup run continues it";
            self.findings.observe(DefectKind::Unfinished, &format!("{NEXT}/"), message);
        }
        if backup.includes_contents() && !self.snapshot.claims(CONTENT_INDEX) {
            let path = self.snapshot.path(CONTENT_INDEX);
            let message = "attachments were not all fetched; the next backup run fetches the rest";
            self.findings.add(DefectKind::Unfinished, &path, None, message);
        }
    }

    fn say_what_is_unchecked(&mut self) {
        let backup = self.snapshot.backup();
        let unchecked = &mut self.report.unchecked;
        if backup.is_pdcli_backup() {
            unchecked.push(
                "made by pdcli, which keeps no sizes and hashes: that files are as they were \
                 written cannot be proven; archived and deleted deals and archived leads are not in it, \
                 so references to deals and leads are not held against it"
                    .to_owned(),
            );
        }
        if self.sample == 0.0 {
            unchecked
                .push("--sample 0%: nothing was parsed, only sizes and hashes checked".to_owned());
        } else if self.sample < 100.0 {
            unchecked.push(format!(
                "--sample {}%: references, options and custom fields of the other rows",
                self.sample
            ));
        }
        for (stem, failure) in &backup.failed {
            let kept = backup.files.get(stem).filter(|file| file.kept);
            let earlier = kept.map(|file| format!("; what is here was read {}", file.read_until));
            unchecked.push(format!(
                "{stem}: could not be read: {}{}",
                failure.message,
                earlier.unwrap_or_default()
            ));
        }
        for (stem, said) in &backup.unavailable {
            unchecked.push(format!("{stem}: not available to this company ({said})"));
        }
        let partial = backup.files.iter().filter(|(_, file)| file.partial);
        for (stem, _) in partial {
            unchecked.push(format!(
                "{stem}: of pdcli, which reads no archived and deleted ones; references to them \
                 are not held against it"
            ));
        }
        let kept = backup
            .files
            .iter()
            .filter(|(stem, file)| file.kept && !backup.failed.contains_key(*stem));
        for (stem, file) in kept {
            unchecked.push(format!(
                "{stem}: of an earlier backup, read {}; references between it and newer files may dangle",
                file.read_until
            ));
        }
        if self.snapshot.manifest().next.is_some() {
            unchecked.push(
                "a newer backup is not finished: the next backup run continues it; this is the \
                 one that stands"
                    .to_owned(),
            );
        }
    }
}

/// Selects the rows to check. The selection is evenly spread and deterministic.
struct Sampling {
    share: f64,
    owed: f64,
}

impl Sampling {
    fn takes(&mut self) -> bool {
        self.owed += self.share;
        let takes = self.owed >= 1.0 - 1e-9;
        if takes {
            self.owed -= 1.0;
        }
        takes
    }
}

async fn pass(rows: &mut Rows) -> Result<(), Error> {
    while rows.next().await?.is_some() {}
    Ok(())
}
