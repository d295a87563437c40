//! Generates the page about files.

use super::{begin, code, table};
use std::fmt::Write as _;

/// The keys of a backup's manifest.
const BACKUP: &[(&str, &str)] = &[
    ("version", "layout of the manifest"),
    ("tool", "what wrote it"),
    (
        "account",
        "whose it is: `company_id`, `company_domain`, `user_id`, whether that user is an `admin`, and the `scopes` of an OAuth grant. Another company's run is refused",
    ),
    ("started_at", "when the backup that stands here was begun"),
    ("finished_at", "when it took the place of the one before"),
    ("updated_at", "when the manifest was last written"),
    ("resources", "what belongs to the backup"),
    ("completed", "what of it was read to its end, in that order"),
    ("counts", "rows by resource"),
    ("files", "by resource: its file, in the keys that are listed below"),
    ("complete", "whether everything that belongs to it was read"),
    (
        "dangling",
        "references to rows that the account no longer had when the backup was written: by file, and by the file that has no such rows, how many `keys` and a `sha256` of them",
    ),
    (
        "manifest_sha256",
        "SHA-256 of the manifest itself, with zeros in its place; the last key. After an edit by hand `backup verify` says so",
    ),
];

/// The optional keys of a backup's manifest.
const BACKUP_SOMETIMES: &[(&str, &str)] = &[
    ("include", "what was asked for in addition to rows: `file_contents`, `secrets`"),
    (
        "failed",
        "by resource that could not be read: the kind of `error`, the `message`, and the number of `runs` in a row in which it failed",
    ),
    ("unavailable", "resources that the company does not have, and what Pipedrive said of them"),
    (
        "in_progress",
        "by resource that is being read: how much of its file is safe (`path`, in a bucket the number of `pieces`, `bytes`, `rows`, `sha256`), `read_from`, `carried` and `refused` as below, and the `state` from which the next run continues",
    ),
    (
        "next",
        "a newer backup that is not complete yet, in the same keys; its files are in `_next/`",
    ),
];

/// The keys of a file in a backup's manifest.
const BACKUP_FILE: &[(&str, &str)] = &[
    ("bytes", "its size"),
    ("rows", "rows of its array"),
    ("sha256", "SHA-256 of its bytes"),
    ("endpoint", "the paths it was read from"),
    ("read_from", "when reading it began, by Pipedrive's clock"),
    ("read_until", "when reading it ended"),
];

/// The optional keys of a file in a backup's manifest.
const BACKUP_FILE_SOMETIMES: &[(&str, &str)] = &[
    ("staged", "where it still is, if the process ended before the file had its place"),
    ("kept", "`true`: it is of an earlier backup; the last one did not read it, or could not"),
    (
        "partial",
        "`true`: pdcli wrote it, which reads no archived and deleted deals and no archived leads",
    ),
    (
        "carried",
        "rows that were taken from the backup before, because their parents have not changed: number of `parents` and `rows`, and `unchanged_since`",
    ),
    (
        "refused",
        "parents whose lists Pipedrive refused; the file holds no rows of them. At most 1,000 are named",
    ),
    ("gone", "number of attachments that Pipedrive lists but no longer has"),
];

/// The keys of a warehouse's manifest.
const WAREHOUSE: &[(&str, &str)] = &[
    ("version", "layout of the manifest"),
    ("tool", "what wrote it"),
    ("format", "`parquet` or `ndjson`"),
    ("compression", "how files are packed"),
    ("custom_fields", "`hash` or `name`"),
    ("account", "whose it is, as in a backup. Another company's run is refused"),
    ("updated_at", "when it was last written"),
    ("synced_at", "the newest `_synced_at` that was given out"),
    ("complete", "whether the last run read everything it was asked for"),
    ("watermarks", "the newest `update_time` by resource"),
    ("counts", "rows of the last run by resource"),
    ("streams", "how far each resource was read: its [state](state.md)"),
    (
        "files",
        "by resource: `path`, `bytes`, `rows`, and `staged`, the name that a file still has if the process ended before it was renamed. What is not named here is not committed",
    ),
    ("indexes", "files of known keys, of resources that are read as a whole"),
    ("columns", "column by hash, of custom fields"),
    ("checked_at", "when a resource was last known to hold every row there is"),
];

/// The optional keys of a warehouse's manifest.
const WAREHOUSE_SOMETIMES: &[(&str, &str)] = &[
    ("unavailable", "resources that the company lacks, with Pipedrive's message"),
    ("rebuild", "the same keys, of resources that are being read again"),
    ("starts", "where resources begin of which older rows were left out"),
];

pub(super) fn page() -> String {
    let mut page = begin("Files");
    page.push_str(
        "A folder (or a bucket's prefix) belongs to one account and one kind of data set; anything else in \
         it is refused, and nothing is overwritten but by one write of `manifest.json`.\n\n\
         ## Backup\n\n```text\n\
         manifest.json         what was read, when, for whom, and how to prove it\n\
         deals.json, ...       one JSON array a resource, each row as Pipedrive sent it\n\
         files/<sha256>        attachments, with --include file_contents; fileContents.json names them\n\
         _next/                a backup that grows; it takes over by one write of the manifest\n\
         manifest.lock         of a folder; it holds only while its process lives\n\
         ```\n\n",
    );
    list(&mut page, "In `manifest.json`:", BACKUP);
    list(&mut page, "and, where there is something to tell:", BACKUP_SOMETIMES);
    list(&mut page, "In an entry of `files`:", BACKUP_FILE);
    list(&mut page, "and, where it applies:", BACKUP_FILE_SOMETIMES);
    page.push_str(
        "## Warehouse\n\n```text\n\
         manifest.json         names the files, and says how far each resource was read\n\
         deals/part-*.parquet  or .ndjson on S3\n\
         deals.ndjson          in a folder; .zst or .gz where it is packed\n\
         _fields.json          columns of custom fields: hash, name, type, options; of fields that are\n\
                               gone also deleted_at, of columns that a field outgrew retyped_at\n\
         views.sql             of Parquet: the current rows of each table, as views for DuckDB\n\
         _keys/                which rows are known, of resources that are read as a whole\n\
         _manifest/            on S3: the commits, objects that may only be created\n\
         manifest.lock         of a folder; it holds only while its process lives\n\
         ```\n\n",
    );
    list(&mut page, "In `manifest.json`:", WAREHOUSE);
    list(&mut page, "and, where there is something to tell:", WAREHOUSE_SOMETIMES);
    page.push_str(
        "## Bundle\n\n```text\n\
         crm.json                  accounts, contacts, opportunities, leads, activities\n\
         crm.json.context.json     its side-car: pipelines, fields, owners, what has no place in it\n\
         crm.json.journal.ndjson   what was pushed where, an entry before and after each request\n\
         crm.json.partial          one that is being written; it takes its place when it is whole\n\
         ```\n\nTheir content is described in [bundles.md](bundles.md).\n",
    );
    page.trim_end().to_owned() + "\n"
}

fn list(page: &mut String, title: &str, keys: &[(&str, &str)]) {
    let rows = keys.iter().map(|(key, meaning)| vec![code(key), (*meaning).to_owned()]);
    let _ = write!(page, "{title}\n\n{}\n", table(&["key", "what it says"], rows));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Account;
    use crate::dataset::snapshot::{Backup, Carry, Dangling, Failure, File, Manifest, Unfinished};
    use crate::dataset::warehouse;
    use crate::model::Time;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};

    /// Checks that the lists contain exactly the keys of an object.
    #[track_caller]
    fn check(object: &Value, lists: &[&[(&str, &str)]]) {
        let keys: BTreeSet<&str> =
            object.as_object().expect("an object").keys().map(String::as_str).collect();
        let named: BTreeSet<&str> =
            lists.iter().flat_map(|list| list.iter()).map(|(key, _)| *key).collect();
        assert_eq!(named, keys);
    }

    /// Checks that the description of a key contains every key below it.
    #[track_caller]
    fn check_below(object: &Value, key: &str, list: &[(&str, &str)]) {
        let said = list.iter().find(|(name, _)| *name == key).expect("the key is listed").1;
        for below in object.as_object().expect("an object").keys() {
            assert!(said.contains(&code(below)), "{key}: no {below} in {said}");
        }
    }

    fn one<T>(value: T) -> BTreeMap<String, T> {
        BTreeMap::from([("deals".to_owned(), value)])
    }

    // The literals have no `..`, so that a new key must be added here and then to the page.
    fn account() -> Account {
        Account {
            company_id: Some(1),
            company_domain: "acme".to_owned(),
            user_id: 2,
            admin: true,
            scopes: Some(vec!["deals:read".to_owned()]),
        }
    }

    fn file(carried: Carry) -> File {
        File {
            bytes: 2,
            rows: 0,
            sha256: "00".to_owned(),
            endpoint: vec!["/api/v2/deals".to_owned()],
            read_from: Time::EPOCH,
            read_until: Time::EPOCH,
            staged: Some("_next/deals.json".to_owned()),
            kept: true,
            partial: true,
            carried: Some(carried),
            refused: BTreeSet::from(["7".to_owned()]),
            gone: Some(1),
        }
    }

    fn backup() -> Backup {
        let carried = Carry { parents: 1, rows: 1, unchanged_since: Time::EPOCH };
        let unfinished = Unfinished {
            path: "_next/deals.json".to_owned(),
            pieces: Some(1),
            bytes: 2,
            rows: 0,
            sha256: "00".to_owned(),
            read_from: Time::EPOCH,
            carried: Some(carried),
            refused: BTreeSet::from(["7".to_owned()]),
            state: Value::Null,
        };
        let failure = Failure { error: "network".to_owned(), message: "lost".to_owned(), runs: 1 };
        Backup {
            started_at: Some(Time::EPOCH),
            completed: vec!["deals".to_owned()],
            counts: one(1),
            updated_at: Some(Time::EPOCH),
            version: Some(2),
            tool: Some("x".to_owned()),
            account: Some(account()),
            resources: vec!["deals".to_owned()],
            include: vec!["secrets".to_owned()],
            files: one(file(carried)),
            in_progress: one(unfinished),
            failed: one(failure),
            unavailable: one("402".to_owned()),
            dangling: Some(one(one(Dangling { keys: 1, sha256: "00".to_owned() }))),
            finished_at: Some(Time::EPOCH),
            complete: Some(false),
        }
    }

    #[test]
    fn every_key_of_a_backup_is_listed() {
        let manifest = Manifest { backup: backup(), next: Some(backup()) };
        let json: Value = serde_json::from_slice(&manifest.to_json()).expect("it is JSON");
        check(&json, &[BACKUP, BACKUP_SOMETIMES]);
        check(&json["files"]["deals"], &[BACKUP_FILE, BACKUP_FILE_SOMETIMES]);
        check_below(&json["files"]["deals"]["carried"], "carried", BACKUP_FILE_SOMETIMES);
        check_below(&json["account"], "account", BACKUP);
        check_below(&json["dangling"]["deals"]["deals"], "dangling", BACKUP);
        check_below(&json["failed"]["deals"], "failed", BACKUP_SOMETIMES);
        check_below(&json["in_progress"]["deals"], "in_progress", BACKUP_SOMETIMES);
    }

    #[test]
    fn every_key_of_a_warehouse_is_listed() {
        let json = warehouse::every_key(account());
        check(&json, &[WAREHOUSE, WAREHOUSE_SOMETIMES]);
        check_below(&json["files"]["deals"][0], "files", WAREHOUSE);
    }
}
