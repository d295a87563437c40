//! Opening a warehouse: whose it is, whether it is whole, and what a broken run left.

use super::commits::{self, COMMITS, Commits, Found, LOCK_FILE, MANIFEST, Owner};
use super::manifest::{Account, Compression, File, Format, Layout, Manifest, Table};
use super::store::Store;
use super::stream::{INDEXES, Namer};
use super::warehouse::{Options, Wanted};
use crate::model::{CustomFields, Error, Kind, Resource, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A warehouse that is in order.
pub(super) struct Opening {
    pub(super) commits: Commits,
    pub(super) manifest: Manifest,
    /// Files that no manifest names.
    pub(super) leftovers: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) narrowed: Option<String>,
}

pub(super) async fn open(
    store: &Store,
    account: Account,
    options: &Options,
    owner: Owner,
) -> Result<Opening> {
    let now = owner.since;
    let Found { mut commits, manifest, unconditional } =
        Commits::begin(store, owner, options.break_lock).await?;
    let mut notes = Vec::new();
    if unconditional {
        notes.push(format!(
            "{} ignores conditional writes: a lock object keeps a second run away instead, which is \
             weaker; do not start two runs within a second",
            store.place()
        ));
    }
    let place = store.place().name_of(MANIFEST);
    let Some(bytes) = manifest else {
        refuse_foreign(store).await?;
        let manifest = Manifest {
            layout: options.layout.or_default()?,
            account,
            tables: BTreeMap::new(),
            rebuilds: BTreeMap::new(),
            updated_at: now,
            complete: false,
            stamp: now,
        };
        // Before any row: from now on what lies here is ours.
        commits.replace(store, manifest.to_json().into(), now).await?;
        return Ok(Opening { commits, manifest, leftovers: Vec::new(), notes, narrowed: None });
    };
    let mut manifest = Manifest::from_json(&bytes, &place)?;
    options.layout.must_be(manifest.layout, &store.place().to_string())?;
    let narrowed = owned(&mut manifest, account, options.force, &store.place().to_string())?;
    let mut folders: Vec<&str> = Resource::all().map(|resource| resource.name).collect();
    folders.push(INDEXES);
    store.sweep_stubs(&folders)?;
    let mut listed = store.list(None).await?;
    finish_renames(store, &mut manifest, &mut listed)?;
    repair(store, &manifest, &listed, &options.rebuild, &mut notes)?;
    let leftovers = leftovers(&manifest, &listed);
    Ok(Opening { commits, manifest, leftovers, notes, narrowed })
}

/// A place without a manifest must be empty: nothing of anybody's is mixed with ours.
async fn refuse_foreign(store: &Store) -> Result<()> {
    let listed = store.list(None).await?;
    // Committed since the newest commit was looked for.
    if listed.keys().any(|path| commits::number(path).is_some()) {
        return Err(commits::taken_over(store));
    }
    let foreign = listed
        .keys()
        .find(|path| path.as_str() != LOCK_FILE && !path.starts_with(&format!("{COMMITS}/")));
    match foreign {
        None => Ok(()),
        Some(path) => Err(Error::new(
            Kind::Data,
            format!(
                "there is no {MANIFEST}, but other files ({path}, …): sync to an empty or new --dir, or bring the manifest back"
            ),
        )
        .at(store.place().to_string())),
    }
}

/// Refuses another account's warehouse. Tells when the token may see less than those before it;
/// then the manifest goes on to name what the widest could see.
fn owned(
    manifest: &mut Manifest,
    account: Account,
    force: bool,
    place: &str,
) -> Result<Option<String>> {
    let before = &manifest.account;
    if before.company_id != account.company_id {
        let name =
            |account: &Account| format!("{:?} (id {})", account.company_domain, account.company_id);
        return Err(Error::new(
            Kind::Config,
            format!(
                "this warehouse belongs to company {}, the token to {}: use another --dir",
                name(before),
                name(&account)
            ),
        )
        .at(place));
    }
    let narrowed = account.narrower_than(before);
    if narrowed.is_none() || force {
        manifest.account = account;
        return Ok(None);
    }
    Ok(narrowed)
}

impl Account {
    /// Why this token may see less than that one did.
    fn narrower_than(&self, before: &Self) -> Option<String> {
        if before.admin && !self.admin {
            return Some(format!("user {} is not an admin, as the one before was", self.user_id));
        }
        if !self.admin && before.user_id != self.user_id {
            return Some(format!(
                "user {} is not the one before ({})",
                self.user_id, before.user_id
            ));
        }
        let lacks =
            |scope: &&String| self.scopes.as_ref().is_some_and(|scopes| !scopes.contains(scope));
        let lost: Vec<&str> =
            before.scopes.iter().flatten().filter(lacks).map(String::as_str).collect();
        (!lost.is_empty()).then(|| format!("scopes were withdrawn: {}", lost.join(", ")))
    }
}

impl Wanted {
    /// The layout of a new warehouse.
    fn or_default(self) -> Result<Layout> {
        let format = self.format.unwrap_or(Format::Ndjson);
        let compression = match (format, self.compression) {
            (Format::Parquet, None | Some(Compression::Zstd)) => Compression::Zstd,
            (Format::Parquet, Some(_)) => {
                let message = "Parquet is packed with zstd only";
                return Err(Error::new(Kind::Usage, message).at("--compression"));
            }
            (Format::Ndjson, asked) => asked.unwrap_or(Compression::None),
        };
        let keys = self.keys.unwrap_or(match format {
            Format::Parquet => CustomFields::Name,
            Format::Ndjson => CustomFields::Hash,
        });
        Ok(Layout { format, compression, keys })
    }

    /// Refuses to go on in another layout.
    fn must_be(self, found: Layout, place: &str) -> Result<()> {
        let differs = |flag: &str, is: &dyn std::fmt::Debug| {
            let is = format!("{is:?}").to_lowercase();
            let message = format!(
                "this warehouse was begun with {flag} {is}: go on with that, or use another --dir"
            );
            Err(Error::new(Kind::Usage, message).at(place))
        };
        match self {
            Self { format: Some(format), .. } if format != found.format => {
                differs("--format", &found.format)
            }
            Self { compression: Some(asked), .. } if asked != found.compression => {
                differs("--compression", &found.compression)
            }
            Self { keys: Some(keys), .. } if keys != found.keys => {
                differs("--custom-fields", &found.keys)
            }
            _ => Ok(()),
        }
    }
}

/// Finishes what a process left between a commit and the renaming that belongs to it.
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

/// Cuts torn tails, and refuses to go on where a file is missing or too short.
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
        format!("{what}: bring it back from a copy, or read the resource anew with --full --resources {name}"),
    )
    .at(store.place().name_of(&file.path))
}

/// Files of ours that no manifest names.
fn leftovers(manifest: &Manifest, listed: &BTreeMap<String, u64>) -> Vec<String> {
    let named = |table: &Table| {
        let files = table.files.iter().map(|file| file.path.clone());
        files.chain(table.index.clone()).collect::<Vec<_>>()
    };
    let tables = manifest.tables.values().chain(manifest.rebuilds.values());
    let named: BTreeSet<String> = tables.flat_map(named).collect();
    let left = |path: &&String| {
        (Namer::is_ours(path) && !named.contains(*path)) || path.starts_with(commits::PROBE)
    };
    listed.keys().filter(left).cloned().collect()
}
