//! Nothing of anybody's is mixed with ours.

use super::commits::{self, COMMITS, LOCK_FILE, MANIFEST};
use super::store::Store;
use crate::model::{Error, Kind, Result};

/// A place without a manifest must be empty: nothing of anybody's is mixed with ours.
pub(super) async fn refuse(store: &Store) -> Result<()> {
    let ours = |path: &str| path == LOCK_FILE || path.starts_with(&format!("{COMMITS}/"));
    let Some(path) = store.first_but(ours).await? else {
        // Committed since the newest commit was looked for?
        let committed = !store.grows() && commits::newest_manifest(store).await?.is_some();
        return if committed { Err(commits::taken_over(store)) } else { Ok(()) };
    };
    if store.get(MANIFEST).await?.is_some() {
        return if store.grows() { Ok(()) } else { Err(commits::taken_over(store)) };
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
