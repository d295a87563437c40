//! Refuses a destination that belongs to another program or account, or that is reached through a link.

use super::commit_log::{self, COMMITS, LOCK_FILE, MANIFEST};
use super::folder::{Listed, Other};
use super::forms::stub_of;
use super::store::Store;
use crate::model::{Error, Kind, Result};

/// The folders that file systems and synchronization programs create at the top of a volume.
const LITTER_FOLDERS: [&str; 3] = ["lost+found", "$RECYCLE.BIN", "System Volume Information"];
/// The files that file managers create in folders.
const LITTER_FILES: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// Returns whether a path is created by the system and contains no user data: hidden files and folders
/// (`.DS_Store`, `.snapshot`, `.nfs…`), `lost+found`, `Thumbs.db`. This program creates no file with
/// such a name.
fn is_litter(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let hidden = |name: &str| name.starts_with('.');
    hidden(top) || hidden(name) || LITTER_FOLDERS.contains(&top) || LITTER_FILES.contains(&name)
}

/// Requires a location without a manifest to be empty, except for files of the system. This prevents
/// mixing data of this program with other data.
pub(super) async fn refuse(store: &Store) -> Result<()> {
    let Some(path) = stranger(store).await? else {
        // A commit may have occurred since the newest one was read.
        let committed =
            !store.supports_append() && commit_log::newest_manifest(store).await?.is_some();
        return if committed { Err(commit_log::taken_over(store)) } else { Ok(()) };
    };
    if store.get(MANIFEST).await?.is_some() {
        return if store.supports_append() { Ok(()) } else { Err(commit_log::taken_over(store)) };
    }
    Err(Error::new(
        Kind::Data,
        format!(
            "there is no {MANIFEST}, but other files ({path}, …): use an empty or new --dir, or bring the \
             manifest back"
        ),
    )
    .at(store.place().to_string()))
}

/// Returns a path of another program that exists before the first commit.
async fn stranger(store: &Store) -> Result<Option<String>> {
    if !store.supports_append() {
        let folder = format!("{COMMITS}/");
        return store.first_but(|path| path.starts_with(&folder) || is_litter(path)).await;
    }
    let Listed { files, others } = store.survey(None).await?;
    let ours = |path: &str| path == LOCK_FILE || stub_of(path) == Some(MANIFEST);
    let strange = files.into_keys().find(|path| !ours(path) && !is_litter(path));
    // A folder without read permission is not examined. Its contents do not mix with files of this
    // program.
    let harmless = |path: &str, other: Other| {
        matches!(other, Other::Folder | Other::Closed) || is_litter(path)
    };
    Ok(strange.or_else(|| {
        others.into_iter().find(|(path, other)| !harmless(path, *other)).map(|(path, _)| path)
    }))
}

/// Refuses a folder in which an entry has the name of a file of this program and is not a regular file,
/// or has the name of one of its folders and is not a folder. A link could redirect a write, and other
/// entries would block it.
pub(super) fn links(
    store: &Store,
    listed: &Listed,
    file: impl Fn(&str) -> bool,
    folder: impl Fn(&str) -> bool,
) -> Result<()> {
    let wrong =
        |(path, other): &(&String, &Other)| file(path) || **other != Other::Folder && folder(path);
    let Some((path, other)) = listed.others.iter().find(wrong) else { return Ok(()) };
    let message = format!(
        "{}, where a file or folder of ours would be: move it away, or use another --dir",
        other.what()
    );
    Err(Error::new(Kind::Data, message).at(store.place().name_of(path)))
}
