//! Refuses a destination that belongs to another program or account, or that is reached through a link.

use super::commit_log::{self, COMMITS, LOCK_FILE, MANIFEST};
use super::folder::{Listed, Other};
use super::forms::stub_of;
use super::store::Store;
use crate::model::{Error, Kind, Result};

/// Folders that file systems and sync programs make, at the top of what they manage.
const LITTER_FOLDERS: [&str; 3] = ["lost+found", "$RECYCLE.BIN", "System Volume Information"];
/// Files that file managers create in folders.
const LITTER_FILES: [&str; 2] = ["Thumbs.db", "desktop.ini"];

/// Returns whether a path is created by the system and contains no user data: hidden files and folders
/// (`.DS_Store`, `.snapshot`, `.nfs…`), `lost+found`, `Thumbs.db`. No file of ours has such a name.
fn is_litter(path: &str) -> bool {
    let top = path.split('/').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let hidden = |name: &str| name.starts_with('.');
    hidden(top) || hidden(name) || LITTER_FOLDERS.contains(&top) || LITTER_FILES.contains(&name)
}

/// A place without a manifest must be empty, apart from what systems leave there by themselves:
/// nothing of anybody's is mixed with ours.
pub(super) async fn refuse(store: &Store) -> Result<()> {
    let Some(path) = stranger(store).await? else {
        // Committed since the newest commit was looked for?
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

/// What lies there before the first commit and is not ours.
async fn stranger(store: &Store) -> Result<Option<String>> {
    if !store.supports_append() {
        let folder = format!("{COMMITS}/");
        return store.first_but(|path| path.starts_with(&folder) || is_litter(path)).await;
    }
    let Listed { files, others } = store.survey(None).await?;
    let ours = |path: &str| path == LOCK_FILE || stub_of(path) == Some(MANIFEST);
    let strange = files.into_keys().find(|path| !ours(path) && !is_litter(path));
    // A folder that may not be read is not looked into: what is in it is not mixed with ours.
    let harmless = |path: &str, other: Other| {
        matches!(other, Other::Folder | Other::Closed) || is_litter(path)
    };
    Ok(strange.or_else(|| {
        others.into_iter().find(|(path, other)| !harmless(path, *other)).map(|(path, _)| path)
    }))
}

/// Refuses a folder where what is no file stands under the name of one of our files, or what is no
/// folder under that of one of our folders: it would be reached through a link, or be in the way.
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
