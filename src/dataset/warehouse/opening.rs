//! Opens a warehouse: checks its owner and its files, and cleans up after an interrupted run.

use super::super::account::Account;
use super::super::commit_log::{CommitLog, Found, MANIFEST, Owner};
use super::super::forms::{is_of_tables, is_of_warehouse, is_probe, stub_of, warehouse_folders};
use super::super::ownership;
use super::super::store::Store;
use super::layout::Format;
use super::manifest::{File, Manifest, Table};
use super::pdcli;
use super::writer::Options;
use crate::model::{Error, Kind, Resource, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A warehouse that was opened and checked.
pub(super) struct OpenedWarehouse {
    pub(super) commits: CommitLog,
    pub(super) manifest: Manifest,
    /// The files that no manifest names.
    pub(super) leftovers: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) narrowed: Option<String>,
}

pub(super) async fn open(
    store: &Store,
    account: Account,
    options: &Options,
    owner: Owner,
) -> Result<OpenedWarehouse> {
    let now = owner.since;
    if store.supports_append() {
        // The check comes before a lock is written to a folder of another program, or to one that is a
        // link.
        let manifest = store.get(MANIFEST).await?;
        if pdcli::found(store, manifest.as_deref()).await?.is_none() {
            ownership::refuse(store).await?;
            let place = store.place().name_of(MANIFEST);
            manifest.map(|bytes| Manifest::from_json(&bytes, &place)).transpose()?;
        }
        listed(store).await?;
    }
    let Found { mut commits, manifest, unconditional } =
        CommitLog::open(store, owner, options.break_lock).await?;
    let mut notes = Vec::new();
    if unconditional {
        notes.push(format!(
            "{} ignores conditional writes: a lock object keeps a second run away instead, which is \
             weaker; do not start two runs within a second",
            store.place()
        ));
    }
    if let Some(pdclis) = pdcli::found(store, manifest.as_deref()).await? {
        options.layout.must_be(pdcli::LAYOUT, &store.place().to_string())?;
        let listed = listed(store).await?;
        let (manifest, more) = pdclis.manifest(store, account, &listed, now)?;
        notes.extend(more);
        // From this commit on the files belong to this program. Only then are incomplete ends cut off.
        commits.replace(store, manifest.to_json().into(), now).await?;
        repair(store, &manifest, &listed, &[], &mut notes)?;
        return Ok(OpenedWarehouse {
            commits,
            manifest,
            leftovers: Vec::new(),
            notes,
            narrowed: None,
        });
    }
    let place = store.place().name_of(MANIFEST);
    let Some(bytes) = manifest else {
        ownership::refuse(store).await?;
        let manifest = Manifest {
            layout: options.layout.or_default()?,
            account,
            tables: BTreeMap::new(),
            rebuilds: BTreeMap::new(),
            updated_at: now,
            complete: false,
            unavailable: BTreeMap::new(),
            stamp: now,
        };
        // The manifest is written before the first row, so that the location belongs to this program.
        commits.replace(store, manifest.to_json().into(), now).await?;
        return Ok(OpenedWarehouse {
            commits,
            manifest,
            leftovers: Vec::new(),
            notes,
            narrowed: None,
        });
    };
    let mut manifest = Manifest::from_json(&bytes, &place)?;
    options.layout.must_be(manifest.layout, &store.place().to_string())?;
    let narrowed = owned(&mut manifest, account, options.force, &store.place().to_string())?;
    let mut listed = listed(store).await?;
    // The value is set again when this run has read everything.
    manifest.complete = false;
    finish_renames(store, &mut manifest, &mut listed)?;
    // A requested rebuild starts again if an interrupted one is damaged.
    manifest.rebuilds.retain(|name, table| {
        let asked = options.rebuild.iter().any(|resource| resource.name == name);
        let whole = table.files.iter().all(|file| listed.get(&file.path) >= Some(&file.bytes))
            && table.index.iter().all(|path| listed.contains_key(path));
        !asked || whole
    });
    repair(store, &manifest, &listed, &options.rebuild, &mut notes)?;
    let leftovers = leftovers(store, &manifest, &listed);
    Ok(OpenedWarehouse { commits, manifest, leftovers, notes, narrowed })
}

/// Returns all files. Fails if a path of this program is a link or another special entry.
async fn listed(store: &Store) -> Result<BTreeMap<String, u64>> {
    let listed = store.survey(None).await?;
    let folder = |path: &str| warehouse_folders().any(|folder| folder == path);
    ownership::links(store, &listed, is_of_warehouse, folder)?;
    Ok(listed.files)
}

/// Refuses a warehouse of another account. Returns why the token may see fewer rows than an earlier one.
/// The manifest then keeps the account of the earlier token. With `force` it takes over the new account
/// instead.
fn owned(
    manifest: &mut Manifest,
    account: Account,
    force: bool,
    place: &str,
) -> Result<Option<String>> {
    account.must_be(&manifest.account, place)?;
    let before = &manifest.account;
    let narrowed = account.narrower_than(before);
    if narrowed.is_none() || force {
        manifest.account = account;
        return Ok(None);
    }
    Ok(narrowed)
}

/// Completes the renames that belong to a commit and that a process did not finish.
fn finish_renames(
    store: &Store,
    manifest: &mut Manifest,
    listed: &mut BTreeMap<String, u64>,
) -> Result<()> {
    for file in manifest.tables.values_mut().flat_map(|table| table.files.iter_mut()) {
        if let Some(staged) = file.staged.take()
            && let Some(size) = listed.remove(&staged)
        {
            store.rename(&staged, &file.path)?;
            listed.insert(file.path.clone(), size);
        }
    }
    Ok(())
}

/// Cuts incomplete file ends, and refuses to continue if a file is missing or too short.
fn repair(
    store: &Store,
    manifest: &Manifest,
    listed: &BTreeMap<String, u64>,
    rebuild: &[&'static Resource],
    notes: &mut Vec<String>,
) -> Result<()> {
    let replaced = |name: &str| rebuild.iter().any(|resource| resource.name == name);
    let tables = manifest.tables.iter().filter(|(name, _)| !replaced(name));
    for (name, table) in tables.chain(&manifest.rebuilds) {
        for file in &table.files {
            let size = listed.get(&file.path).copied();
            let grows =
                store.place().folder().is_some() && manifest.layout.format == Format::Ndjson;
            match size {
                Some(size) if size == file.bytes => {}
                // The rows of an unknown resource were written by another version and are left
                // unchanged.
                Some(size) if grows && size > file.bytes && Resource::named(name).is_none() => {}
                Some(size) if grows && size > file.bytes => {
                    store.cut(&file.path, file.bytes)?;
                    notes.push(format!(
                        "{}: {} bytes after the last commit were cut off; they are read again",
                        file.path,
                        size - file.bytes
                    ));
                }
                size => return Err(damaged(store, name, file, size)),
            }
        }
    }
    Ok(())
}

fn damaged(store: &Store, name: &str, file: &File, size: Option<u64>) -> Error {
    let what = match size {
        None => "is missing".to_owned(),
        Some(size) => format!("has {size} bytes where the manifest says {}", file.bytes),
    };
    Error::new(
        Kind::Data,
        format!("{what}: restore it from a copy, or read the resource again with --full --resources {name}"),
    )
    .at(store.place().name_of(&file.path))
}

/// Returns the files of this program that no manifest names.
fn leftovers(store: &Store, manifest: &Manifest, listed: &BTreeMap<String, u64>) -> Vec<String> {
    let tables = manifest.tables.values().chain(manifest.rebuilds.values());
    let named: BTreeSet<&str> = tables.flat_map(Table::paths).collect();
    let stub = |path: &str| store.supports_append() && stub_of(path).is_some_and(is_of_warehouse);
    let left = |path: &&String| {
        is_of_tables(path) && !named.contains(path.as_str()) || is_probe(path) || stub(path)
    };
    listed.keys().filter(left).cloned().collect()
}
