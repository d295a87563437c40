//! The file names that our runs create. Only these may be named in a manifest, and only these are removed
//! by cleaning. The module is pure.
//!
//! A manifest may have been written by another program. A name from a manifest is compared with these
//! forms before the file is opened, moved or removed, in a folder and in a bucket.

use super::commit_log::{COMMITS, LOCK_FILE, MANIFEST, PROBE};
use super::snapshot::{CONTENT_INDEX, CONTENTS, file_name, resource_of};
use crate::model::{Error, Kind, Resource, Result};

/// The folder of a backup that replaces an existing one.
pub(super) const NEXT: &str = "_next";
/// The folder of the pieces in a bucket, for a backup that replaces no other.
pub(super) const PIECES: &str = "_pieces";
/// The suffix of a growing file beside complete ones.
pub(super) const PART: &str = ".part";
/// The suffix of the stem of a file that is rewritten without duplicate rows.
pub(super) const ONCE: &str = ".once";
/// The prefix of the name of an attachment that is being written.
pub(super) const ARRIVING: &str = "_part-";
/// The folder of a warehouse's index files, which list the known rows. Data readers skip names that
/// begin with an underscore.
pub(super) const INDEXES: &str = "_keys";
/// The file that describes the columns of a warehouse's custom fields.
pub(super) const FIELDS: &str = "_fields.json";
/// The file with views of the current rows of a warehouse, for a query engine.
pub(super) const VIEWS: &str = "views.sql";

/// Longest name of a resource of any version, in bytes.
const RESOURCE_BYTES_MAX: usize = 64;
/// The number of hexadecimal digits of a SHA-256.
pub(super) const SHA256_DIGITS: usize = 64;
/// The minimum number of digits of a piece number, and of the number of a file of a run.
const PIECE_DIGITS: usize = 8;
const FILE_DIGITS: usize = 5;
/// Most characters of a bad name that are shown.
const SHOWN_MAX: usize = 80;

/// Creates an error that names the key of a manifest and its invalid value.
pub(super) fn refused(place: &str, key: &str, name: &str, way_out: &str) -> Error {
    let mut shown: String = name.chars().take(SHOWN_MAX).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    let message = format!("{key} is \"{shown}\", a name that no run gives: {way_out}");
    Error::new(Kind::Data, message).at(place)
}

/// Returns whether a name can be the file stem of a resource of any version, or of the attachments.
pub(super) fn is_stem(text: &str) -> bool {
    is_resource(text, |byte| byte.is_ascii_alphanumeric())
}

/// Returns whether a name can be the name of a resource of any version.
pub(super) fn is_table(text: &str) -> bool {
    is_resource(text, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

fn is_resource(text: &str, may: impl Fn(u8) -> bool) -> bool {
    text.len() <= RESOURCE_BYTES_MAX
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(may)
        // The resulting file name would be that of the manifest.
        && text != "manifest"
}

/// Returns whether this version knows the stem.
fn is_known_stem(stem: &str) -> bool {
    stem == CONTENT_INDEX || resource_of(stem).is_some()
}

/// Returns whether a text is a SHA-256 in hexadecimal, which is the name of an attachment.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == SHA256_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns whether a text is the name of a run: `20261129T183559123456Z-9f3c`.
fn is_run(text: &str) -> bool {
    let Some((time, dice)) = text.split_once("Z-") else { return false };
    let Some((day, time)) = time.split_once('T') else { return false };
    day.len() == 8
        && [6, 9, 12].contains(&time.len())
        && [day, time].iter().all(|digits| is_number(digits, 1))
        && dice.len() == 4
        && dice.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str, digits: usize) -> bool {
    (digits..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether the growing file of a backup's stem can have this path. In a bucket it is the folder
/// of the pieces.
pub(super) fn is_growing(path: &str, stem: &str) -> bool {
    let name = file_name(stem);
    is_known_stem(stem)
        && (path == format!("{name}{PART}")
            || path == format!("{NEXT}/{name}")
            || path == format!("{PIECES}/{stem}")
            || path == format!("{NEXT}/{PIECES}/{stem}"))
}

/// Returns whether a complete file of a backup's stem can have this path before it is renamed.
pub(super) fn is_staged(path: &str, stem: &str) -> bool {
    [stem, &format!("{stem}{ONCE}")].iter().any(|stem| {
        let name = file_name(stem);
        path == format!("{name}{PART}") || path == format!("{NEXT}/{name}")
    }) && is_known_stem(stem)
}

/// Returns whether a path is the path of an attachment.
pub(super) fn is_attachment(path: &str) -> bool {
    path.strip_prefix(CONTENTS).and_then(|rest| rest.strip_prefix('/')).is_some_and(is_sha256)
}

/// Returns whether a path can only be a temporary file of a backup run. Such a file is removed if no
/// manifest names it.
pub(super) fn is_passing(path: &str) -> bool {
    let known = |stem: &str| is_known_stem(stem.strip_suffix(ONCE).unwrap_or(stem));
    let piece = |rest: &str| {
        rest.strip_prefix(PIECES).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| {
            let parts = rest.split_once('/');
            parts.is_some_and(|(stem, n)| known(stem) && is_number(n, PIECE_DIGITS))
        })
    };
    if let Some(name) = path.strip_prefix(NEXT).and_then(|rest| rest.strip_prefix('/')) {
        return piece(name) || name.strip_suffix(".json").is_some_and(known);
    }
    let arriving = path.strip_prefix(CONTENTS).and_then(|rest| rest.strip_prefix('/'));
    let arriving = arriving.and_then(|name| name.strip_prefix(ARRIVING));
    let part = path.strip_suffix(PART).and_then(|path| path.strip_suffix(".json"));
    arriving.is_some_and(|id| is_number(id, 1)) || part.is_some_and(known) || piece(path)
}

/// Returns whether a path belongs to a backup.
pub(super) fn is_of_backup(path: &str) -> bool {
    is_ours_anyhow(path)
        || path.strip_suffix(".json").is_some_and(is_known_stem)
        || is_passing(path)
        || is_attachment(path)
}

/// The folders of a backup.
pub(super) const BACKUP_FOLDERS: [&str; 3] = [NEXT, PIECES, CONTENTS];

/// Returns whether a file with rows of this resource in a warehouse can have this path.
pub(super) fn is_rows(path: &str, table: &str) -> bool {
    let Some(rest) = path.strip_prefix(table) else { return false };
    if let Some(part) = rest.strip_prefix("/part-") {
        let Some((name, ending)) = part.split_once('.') else { return false };
        return is_numbered(name) && (ending == "parquet" || is_lines(ending));
    }
    is_lines_of(path, table) || is_rebuild(path, table)
}

/// Returns whether a file to which rows of a resource are appended can have this path.
pub(super) fn is_lines_of(path: &str, table: &str) -> bool {
    path.strip_prefix(table).and_then(|rest| rest.strip_prefix('.')).is_some_and(is_lines)
}

/// Returns whether a file into which a resource is read again can have this path.
pub(super) fn is_rebuild(path: &str, table: &str) -> bool {
    let rest = path.strip_prefix(table).and_then(|rest| rest.strip_prefix(".rebuild-"));
    rest.and_then(|rest| rest.split_once('.'))
        .is_some_and(|(run, ending)| is_run(run) && is_lines(ending))
}

/// Returns whether an index file of this resource can have this path.
pub(super) fn is_index(path: &str, table: &str) -> bool {
    path.strip_prefix(INDEXES)
        .and_then(|rest| rest.strip_prefix('/')?.strip_prefix(table)?.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(".json"))
        .is_some_and(is_numbered)
}

fn is_lines(ending: &str) -> bool {
    matches!(ending, "ndjson" | "ndjson.zst" | "ndjson.gz")
}

/// Returns whether a text is the name of a run and a number: `RUN-00001`.
fn is_numbered(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(run, n)| is_run(run) && is_number(n, FILE_DIGITS))
}

/// Returns whether a path can only be a file of rows or an index of a warehouse, of any run.
pub(super) fn is_of_tables(path: &str) -> bool {
    let name = path.strip_prefix(INDEXES).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let table = &name[..end.unwrap_or(name.len())];
    Resource::named(table).is_some() && (is_rows(path, table) || is_index(path, table))
}

/// Returns whether a path belongs to a warehouse.
pub(super) fn is_of_warehouse(path: &str) -> bool {
    is_ours_anyhow(path) || [FIELDS, VIEWS].contains(&path) || is_of_tables(path)
}

/// The folders of a warehouse.
pub(super) fn warehouse_folders() -> impl Iterator<Item = &'static str> {
    Resource::all().map(|resource| resource.name).chain([INDEXES])
}

fn is_ours_anyhow(path: &str) -> bool {
    [MANIFEST, LOCK_FILE].contains(&path)
}

/// Returns the final path of a temporary file that an interrupted write left in a folder.
pub(super) fn stub_of(path: &str) -> Option<&str> {
    path.rsplit_once('#').filter(|(_, number)| is_number(number, 1)).map(|(path, _)| path)
}

/// Returns whether an object is one that probes conditional writes.
pub(super) fn is_probe(path: &str) -> bool {
    path.strip_prefix(PROBE).is_some_and(is_run)
}

/// Returns the number of a commit in a bucket. `None` if the path is not a commit.
pub(super) fn commit_number(path: &str) -> Option<u64> {
    let number = path.strip_prefix(COMMITS)?.strip_prefix('/')?.strip_suffix(".json")?;
    (number.len() == 20 && is_number(number, 20)).then(|| number.parse().ok())?
}

/// Refuses an invalid name of an attachment in an index.
pub(super) fn attachment(place: &str, id: u64, sha256: &str) -> Result<()> {
    if is_sha256(sha256) {
        return Ok(());
    }
    let way_out =
        "remove the row's sha256, or the files of attachments, to have them downloaded again";
    Err(refused(place, &format!("sha256 of file {id}"), sha256, way_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "20261129T183559123456Z-9f3c";
    const ODD: &[&str] = &[
        "",
        ".",
        "..",
        "/",
        "../x",
        "/etc/passwd",
        "deals",
        "deals.json/x",
        "a\0b",
        "_next",
        "_next/",
        "_next/../x",
        "_next/x/y",
        "files/",
        "files/..",
        "files/x",
        "thesis.txt",
        "deals.json.bak",
        "deals.txt.part",
        "thesis.json.part",
        "_pieces/deals/../x",
        "_pieces/deals/1",
        "files/_part-x",
        "files/_part-",
        "_next/thesis.json",
        "deals/part-x.parquet",
        "deals/part-00001.parquet",
        "deals/../part-20261129T183559Z-9f3c-00001.parquet",
        "deals.ndjson.bak",
        "_keys/deals.json",
        "deals.rebuild-x.ndjson",
        "_keys/../x",
        "persons/deals.ndjson",
        "manifest.json.part",
        "_next/manifest.json",
    ];

    #[test]
    fn odd_names_are_of_no_form() {
        let long = "x".repeat(100_000);
        for path in ODD.iter().copied().chain([long.as_str()]) {
            assert!(!is_passing(path), "{path}");
            assert!(!is_of_tables(path), "{path}");
            assert!(!is_attachment(path), "{path}");
            for name in ["deals", "persons"] {
                assert!(!is_growing(path, name), "{path}");
                assert!(!is_staged(path, name), "{path}");
                assert!(!is_rows(path, name), "{path}");
                assert!(!is_index(path, name), "{path}");
            }
        }
        for name in ["", ".", "..", "a/b", "../x", "/x", "a.b", "A", "a\0", "manifest", "a b", "é"]
        {
            assert!(!is_stem(name), "{name}");
            assert!(!is_table(name), "{name}");
        }
        for name in ["lock", "_manifest/1.json", "_manifest/+0000000000000000001.json"] {
            assert_eq!(commit_number(name), None);
        }
    }

    #[test]
    fn all_resources_have_names_of_the_forms() {
        for resource in Resource::all() {
            let (stem, name) = (resource.file, resource.name);
            assert!(is_stem(stem) && is_table(name), "{name}");
            for path in [
                format!("{stem}.json.part"),
                format!("{stem}.once.json.part"),
                format!("_next/{stem}.json"),
                format!("_next/{stem}.once.json"),
                format!("_pieces/{stem}/00000007"),
                format!("_pieces/{stem}.once/00000007"),
                format!("_next/_pieces/{stem}/00000007"),
            ] {
                assert!(is_passing(&path) && is_of_backup(&path), "{path}");
            }
            assert!(is_of_backup(&format!("{stem}.json")));
            for ending in ["ndjson", "ndjson.zst", "ndjson.gz"] {
                assert!(is_of_tables(&format!("{name}.{ending}")));
                assert!(is_of_tables(&format!("{name}.rebuild-{RUN}.{ending}")));
                assert!(is_of_tables(&format!("{name}/part-{RUN}-00001.{ending}")));
            }
            assert!(is_of_tables(&format!("{name}/part-{RUN}-123456.parquet")));
            assert!(is_of_tables(&format!("_keys/{name}-{RUN}-00001.json")));
        }
        assert!(is_passing("files/_part-17"));
        assert!(is_attachment(&format!("files/{}", "0a".repeat(32))));
        assert_eq!(stub_of("manifest.json#17"), Some("manifest.json"));
        assert_eq!(stub_of("manifest.json#x"), None);
        assert!(is_probe(&format!("_manifest/probe-{RUN}")));
        assert_eq!(commit_number("_manifest/00000000000000000042.json"), Some(42));
    }
}
