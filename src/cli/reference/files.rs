//! Generates the page about files.

use super::{begin, code, table};
use std::fmt::Write as _;

/// Keys of a backup's manifest.
const BACKUP: &[(&str, &str)] = &[
    ("version", "layout of the manifest"),
    ("tool", "what wrote it"),
    (
        "account",
        "whose it is: company, user, whether that is an admin. Another company's run is refused",
    ),
    ("started_at", "when the backup that stands here was begun"),
    ("finished_at", "when it took the place of the one before"),
    ("updated_at", "when the manifest was last written"),
    ("resources", "what belongs to the backup"),
    ("completed", "what of it was read to its end, in that order"),
    ("counts", "rows by resource"),
    (
        "files",
        "by resource: `bytes`, `rows`, `sha256`, the `endpoint`s it was read from, and Pipedrive's time when that began and ended (`read_from`, `read_until`)",
    ),
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

/// What a backup's manifest may hold as well.
const BACKUP_SOMETIMES: &[(&str, &str)] = &[
    ("kept", "resources that stand as an earlier backup had them, and why"),
    ("failed", "resources that could not be read, and why"),
    (
        "partial",
        "of a file: pdcli wrote it, which reads no archived and deleted deals and no archived leads",
    ),
    ("unavailable", "resources that the company lacks, with Pipedrive's message"),
    ("in_progress", "checkpoints of the backup that grows in `_next/`"),
];

/// Keys of a warehouse's manifest.
const WAREHOUSE: &[(&str, &str)] = &[
    ("version", "layout of the manifest"),
    ("tool", "what wrote it"),
    ("format", "`parquet` or `ndjson`"),
    ("compression", "how files are packed"),
    ("custom_fields", "`hash` or `name`"),
    ("account", "whose it is. Another company's run is refused"),
    ("updated_at", "when it was last written"),
    ("synced_at", "the newest `_synced_at` that was given out"),
    ("complete", "whether the last run read everything it was asked for"),
    ("watermarks", "the newest `update_time` by resource"),
    ("counts", "rows of the last run by resource"),
    ("streams", "how far each resource was read: its [state](state.md)"),
    ("files", "by resource: `path`, `bytes`, `rows`. What is not named here is not committed"),
    ("indexes", "files of known keys, of resources that are read as a whole"),
    ("columns", "column by hash, of custom fields"),
    ("checked_at", "when a resource was last known to hold every row there is"),
];

/// What a warehouse's manifest may hold as well.
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
