//! The `manifest.json` of a backup: its files, its owner, and the checksums.

use super::file::{Dangling, Failure, File, Unfinished};
use crate::dataset::account::Account;
use crate::dataset::forms::{self, SHA256_DIGITS};
use crate::dataset::json_stream::hex;
use crate::model::{Error, Kind, Resource, Result, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// The version of a backup's manifest. 1: the first version. 2: the manifest ends with a SHA-256 of
/// itself, and lists dangling references. A manifest without a version was written by pdcli: it has
/// `started_at`, `completed`, `counts` and `updated_at`, and no hashes.
///
/// Older versions are read. A newer version is refused, because overwriting an unknown format could
/// destroy a backup.
pub const MANIFEST_VERSION: u64 = 2;
/// The version from which a manifest has a SHA-256 of itself.
const SEALED_VERSION: u64 = 2;
/// The text before that SHA-256, at the end of the manifest.
const SEAL: &str = ",\n  \"manifest_sha256\": \"";
/// The text after that SHA-256.
const SEAL_END: &str = "\"\n}";

/// The stem of the index that maps attachments to the files in [`CONTENTS`].
pub const CONTENT_INDEX: &str = "fileContents";
/// The folder of attachments. Each is named by the SHA-256 of its content.
pub const CONTENTS: &str = "files";

/// The 18 resources that pdcli backs up, by file stem, in the order of pdcli (pdcli.md 1).
pub const PDCLI_LAYOUT: [&str; 18] = [
    "deals",
    "persons",
    "organizations",
    "activities",
    "products",
    "pipelines",
    "stages",
    "dealFields",
    "personFields",
    "organizationFields",
    "productFields",
    "activityFields",
    "leads",
    "notes",
    "users",
    "filters",
    "webhooks",
    "currencies",
];

/// The resources of which pdcli does not request all rows, by file stem. Archived and deleted deals and
/// archived leads have separate lists or states (pipedrive-api.md 2.1).
pub const SEED_LACKS: [&str; 2] = ["deals", "leads"];

/// A manifest: the current backup, and one that will replace it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The current backup, at the top level.
    #[serde(flatten)]
    pub backup: Backup,
    /// A newer backup that is not complete. It is written to a separate folder, so the current backup
    /// stays complete until it is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Backup>,
}

/// One backup. All maps are keyed by file stem, such as `dealFields`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// The start of the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// The resources that were read to the end, in the order of their completion.
    #[serde(default)]
    pub completed: Vec<String>,
    /// The number of rows of each resource that was read to the end.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// The time of the last write of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// The [`MANIFEST_VERSION`]. It is absent in a manifest of pdcli.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The program that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The account of the data. It is absent in a manifest of pdcli.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The requested resources.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The additional requested data: `file_contents`, `secrets`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// The files with their sizes and hashes. It is empty for pdcli.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, File>,
    /// The resources that are being read, with their durable positions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_progress: BTreeMap<String, Unfinished>,
    /// The resources that could not be read, with the reasons.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<String, Failure>,
    /// The resources that the company does not have, with Pipedrive's message, such as
    /// `402 Required suites missing`. The user did not name them, so the backup is complete without them.
    /// Rows of an earlier backup stay, see [`File::kept`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unavailable: BTreeMap<String, String>,
    /// References to rows that the backup did not contain when it was written: by file, and by the file
    /// that lacks the rows. It is absent before the backup is complete, and in older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dangling: Option<BTreeMap<String, BTreeMap<String, Dangling>>>,
    /// The time at which every requested resource had been read or permanently refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Whether all selected resources were read. pdcli never writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete: Option<bool>,
}

impl Manifest {
    /// Reads a manifest of this program or of pdcli. `place` names it in errors.
    pub fn from_json(bytes: &[u8], place: &str) -> Result<Self> {
        const WAY_OUT: &str = "bring it back from a copy, or back up to another --dir";
        let fail = |message: String| Error::new(Kind::Data, message).at(place);
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| fail(format!("manifest is not JSON ({error}): {WAY_OUT}")))?;
        if json.get("watermarks").is_some() || json.get("streams").is_some() {
            return Err(fail(
                "this is the manifest of a warehouse, not of a backup: use another --dir"
                    .to_owned(),
            ));
        }
        match json.get("version").map(Value::as_u64) {
            Some(Some(version)) if version > MANIFEST_VERSION => {
                return Err(fail(format!(
                    "manifest is of version {version}, this program reads up to {MANIFEST_VERSION}: upgrade it"
                )));
            }
            Some(None) => return Err(fail(format!("manifest is corrupt: {WAY_OUT}"))),
            _ => {}
        }
        if json.get("completed").is_none() {
            return Err(fail(format!("this is no manifest of a backup: {WAY_OUT}")));
        }
        let manifest: Self = serde_json::from_value(json)
            .map_err(|error| fail(format!("manifest is corrupt: {WAY_OUT}")).because(error))?;
        manifest.backup.must_be_named("", place)?;
        manifest.next.iter().try_for_each(|next| next.must_be_named("next.", place))?;
        Ok(manifest)
    }

    /// Returns the manifest as it is stored: indented like a manifest of pdcli, with a SHA-256 of itself
    /// at the end. The SHA-256 is computed with zeros in its place.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.truncate(json.len().saturating_sub("\n}".len()));
        let digest = sealed(&json);
        json.extend_from_slice(SEAL.as_bytes());
        json.extend_from_slice(digest.as_bytes());
        json.extend_from_slice(SEAL_END.as_bytes());
        json
    }

    /// Returns whether the manifest's SHA-256 matches its bytes. Manifests of pdcli and of older
    /// versions have no SHA-256 and are accepted.
    pub(super) fn is_as_written(&self, bytes: &[u8]) -> bool {
        let newer = [Some(&self.backup), self.next.as_ref()].into_iter().flatten();
        let must =
            newer.filter_map(|backup| backup.version).any(|version| version >= SEALED_VERSION);
        let sealed_at = bytes
            .len()
            .checked_sub(SEAL.len() + SHA256_DIGITS + SEAL_END.len())
            .filter(|at| bytes[*at..].starts_with(SEAL.as_bytes()));
        let Some(at) = sealed_at else {
            let key = SEAL.trim_matches([',', '\n', ' ', ':', '"']).as_bytes();
            let somewhere = bytes.windows(key.len()).any(|window| window == key);
            return !must && !somewhere;
        };
        let (body, tail) = (&bytes[..at], &bytes[at + SEAL.len()..]);
        tail[..SHA256_DIGITS] == *sealed(body).as_bytes()
            && tail[SHA256_DIGITS..] == *SEAL_END.as_bytes()
    }
}

impl Backup {
    /// Refuses names that no run writes. `above` is the prefix of their keys in errors.
    fn must_be_named(&self, above: &str, place: &str) -> Result<()> {
        const WAY_OUT: &str = "bring the manifest back from a copy, or back up to another --dir";
        let refused = |key: String, name: &str| {
            Err(forms::refused(place, &format!("{above}{key}"), name, WAY_OUT))
        };
        let named = [
            ("completed", self.completed.iter().collect::<Vec<_>>()),
            ("resources", self.resources.iter().collect()),
            ("counts", self.counts.keys().collect()),
            ("files", self.files.keys().collect()),
            ("in_progress", self.in_progress.keys().collect()),
            ("failed", self.failed.keys().collect()),
            ("unavailable", self.unavailable.keys().collect()),
        ];
        for (key, stems) in named {
            if let Some(stem) = stems.into_iter().find(|stem| !forms::is_stem(stem)) {
                return refused(format!("a name in {key}"), stem);
            }
        }
        for (stem, file) in &self.files {
            let staged = file.staged.as_ref().filter(|staged| !forms::is_staged(staged, stem));
            if let Some(staged) = staged {
                return refused(format!("files.{stem}.staged"), staged);
            }
        }
        let grows = |(stem, unfinished): &(&String, &Unfinished)| {
            !forms::is_growing(&unfinished.path, stem)
        };
        match self.in_progress.iter().find(grows) {
            Some((stem, unfinished)) => {
                refused(format!("in_progress.{stem}.path"), &unfinished.path)
            }
            None => Ok(()),
        }
    }

    /// Returns whether pdcli wrote the file of this resource and does not request all of its rows, such
    /// as archived and deleted deals.
    pub fn lacks_rows_of(&self, resource: &Resource) -> bool {
        self.files.get(resource.file).is_some_and(|file| file.partial)
            || self.is_pdcli_backup() && SEED_LACKS.contains(&resource.file)
    }

    /// Returns whether pdcli wrote the backup.
    pub fn is_pdcli_backup(&self) -> bool {
        self.version.is_none()
    }

    /// Returns the file stems of the requested resources.
    pub fn asked(&self) -> Vec<&str> {
        if self.is_pdcli_backup() {
            return PDCLI_LAYOUT.to_vec();
        }
        self.resources.iter().map(String::as_str).collect()
    }

    /// Returns whether the backup includes attachments.
    pub fn includes_contents(&self) -> bool {
        self.include.iter().any(|name| name == "file_contents")
    }

    /// Returns whether a resource needs no further read: it was read to the end, was permanently
    /// refused, or does not exist in the company.
    pub fn settled(&self, stem: &str) -> bool {
        self.completed.iter().any(|done| done == stem)
            || self.failed.get(stem).is_some_and(Failure::for_good)
            || self.unavailable.contains_key(stem)
    }

    /// Returns whether every requested resource was read or permanently refused.
    pub fn finished(&self) -> bool {
        let contents = !self.includes_contents()
            || self.files.contains_key(CONTENT_INDEX)
            || self.failed.get("files").is_some_and(Failure::for_good);
        self.in_progress.is_empty()
            && contents
            && self.asked().into_iter().all(|stem| self.settled(stem))
    }
}

/// Returns the SHA-256, in hexadecimal, of a manifest with this beginning and zeros in place of the
/// SHA-256.
fn sealed(body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(body);
    hash.update(SEAL);
    hash.update([b'0'; SHA256_DIGITS]);
    hash.update(SEAL_END);
    hex(&hash.finalize())
}

/// Returns the resource of a file stem.
pub fn resource_of(stem: &str) -> Option<&'static Resource> {
    Resource::all().find(|resource| resource.file == stem)
}

/// Returns the name of the file of a stem.
pub fn file_name(stem: &str) -> String {
    format!("{stem}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let shown = match Manifest::from_json(json.as_bytes(), "manifest.json") {
            Ok(manifest) => format!(
                "pdcli {}, finished {}, completed {}",
                manifest.backup.is_pdcli_backup(),
                manifest.backup.finished(),
                manifest.backup.completed.join(" ")
            ),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_seeds_manifest_is_read() {
        check(
            r#"{"started_at":"2026-06-04T09:00:00.000Z","completed":["deals","persons"],
                "counts":{"deals":1840,"persons":5210},"updated_at":"2026-06-04T09:01:12.000Z"}"#,
            "pdcli true, finished false, completed deals persons",
        );
    }

    #[test]
    fn what_is_no_manifest_of_a_backup_is_refused() {
        let out = "bring it back from a copy, or back up to another --dir";
        check(
            "{",
            &format!(
                "manifest.json: manifest is not JSON (EOF while parsing an object at line 1 column 1): {out}"
            ),
        );
        check("[]", &format!("manifest.json: this is no manifest of a backup: {out}"));
        check(r#"{"completed":7}"#, &format!("manifest.json: manifest is corrupt: {out}"));
        check(
            r#"{"watermarks":{},"counts":{}}"#,
            "manifest.json: this is the manifest of a warehouse, not of a backup: use another --dir",
        );
        check(
            r#"{"completed":[],"version":99}"#,
            "manifest.json: manifest is of version 99, this program reads up to 2: upgrade it",
        );
    }

    #[test]
    fn a_refusal_for_good_finishes_a_backup_and_a_broken_line_does_not() {
        let manifest = |error: &str| {
            format!(
                r#"{{"version":1,"completed":["deals"],"resources":["deals","webhooks"],
                    "failed":{{"webhooks":{{"error":"{error}","message":"no"}}}}}}"#
            )
        };
        check(&manifest("permission"), "pdcli false, finished true, completed deals");
        check(&manifest("upstream"), "pdcli false, finished false, completed deals");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let json = br#"{"completed":["deals"],"version":1,"next":{"completed":[],"version":1}}"#;
        let manifest = Manifest::from_json(json, "").expect("it is a manifest");
        assert!(manifest.next.is_some());
        let again = Manifest::from_json(&manifest.to_json(), "").expect("so is this");
        assert_eq!(again, manifest);
    }

    #[test]
    fn no_bit_of_a_manifest_can_change_unnoticed() {
        let json = br#"{"started_at":"2026-11-29T02:00:00Z","completed":["deals"],"counts":{"deals":3},
            "version":2,"tool":"x","resources":["deals"],"complete":true,"dangling":{"deals":{"persons":
            {"keys":1,"sha256":"00"}}}}"#;
        let manifest = Manifest::from_json(json, "").expect("it is a manifest");
        assert!(!manifest.is_as_written(json), "this version ends with its own SHA-256");
        let whole = manifest.to_json();
        assert!(manifest.is_as_written(&whole));
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[place] ^= 1 << bit;
                let passes =
                    Manifest::from_json(&flipped, "").is_ok_and(|m| m.is_as_written(&flipped));
                assert!(!passes, "bit {bit} of byte {place}");
            }
        }
        // Manifests of older versions and of pdcli have no SHA-256.
        for older in [r#"{"version":1,"completed":[]}"#, r#"{"completed":[]}"#] {
            let manifest = Manifest::from_json(older.as_bytes(), "").expect("it is a manifest");
            assert!(manifest.is_as_written(older.as_bytes()));
        }
    }
}
