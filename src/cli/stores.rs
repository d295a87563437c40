//! Reads what exists at the destinations of runs, for `doctor`.

use super::setup::runtime;
use crate::dataset::Location;
use crate::dataset::snapshot::BackupReader;
use crate::dataset::warehouse::Inventory;
use crate::model::{Kind, Result};
use std::path::Path;

/// The free space below which a location is reported as nearly full, in bytes.
#[cfg(unix)]
const FREE_BYTES_MIN: u64 = 1 << 30;

/// Examines these locations. Without any, it examines the default locations of `sync` and `backup` if they
/// exist. Buckets are skipped if `offline` is set.
pub(super) fn looked_at(
    dirs: &[String],
    offline: bool,
) -> Result<Vec<(&'static str, Result<String>)>> {
    let usual = ["pipedrive-warehouse", "pipedrive-backup"].into_iter();
    let usual = usual.filter(|dir| Path::new(dir).is_dir()).map(str::to_owned);
    let dirs = if dirs.is_empty() { usual.collect() } else { dirs.to_vec() };
    let runtime = runtime()?;
    let looks = dirs.iter().map(|dir| {
        let look = Location::parse(dir).and_then(|place| match place.folder() {
            None if offline => Ok(format!("{place}: not asked")),
            _ => runtime.block_on(look(&place)),
        });
        ("store", look)
    });
    Ok(looks.collect())
}

async fn look(place: &Location) -> Result<String> {
    let mut room = String::new();
    if let Some(folder) = place.folder() {
        if !folder.exists() {
            return Ok(format!("{place}: not there yet, the first run makes it"));
        }
        room = writable(folder)?;
    }
    if Inventory::of(place).await.is_ok_and(|inventory| inventory.is_some()) {
        return Ok(format!("{place}: a warehouse{room}"));
    }
    match BackupReader::open(place).await {
        Ok(_) => Ok(format!("{place}: a backup{room}")),
        Err(error) if error.kind() == Kind::Usage => Ok(format!("{place}: no data of ours{room}")),
        Err(error) => Err(error),
    }
}

/// Checks that files can be created in a folder. Returns a text with the free space.
#[cfg(unix)]
fn writable(folder: &Path) -> Result<String> {
    use crate::model::Error;
    use nix::sys::statvfs::statvfs;
    use nix::unistd::{AccessFlags, access};
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|errno| {
        Error::new(Kind::Storage, format!("files cannot be written here ({})", errno.desc()))
            .at(folder.display().to_string())
    })?;
    let Ok(told) = statvfs(folder) else { return Ok(String::new()) };
    let free = told.blocks_available().saturating_mul(told.fragment_size());
    if free < FREE_BYTES_MIN {
        return Err(Error::new(Kind::Storage, format!("only {} MiB are free here", free >> 20))
            .at(folder.display().to_string()));
    }
    Ok(format!(", {} GiB free", free >> 30))
}

#[cfg(not(unix))]
fn writable(_folder: &Path) -> Result<String> {
    Ok(String::new())
}
