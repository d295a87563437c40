//! Decides which files at the location of a backup belong to it. The module is pure.

use super::finding::DefectKind;
use crate::dataset::commit_log::{COMMITS, LOCK_FILE, MANIFEST};
use crate::dataset::forms::{NEXT, is_of_backup, is_passing, is_sha256, stub_of};
use crate::dataset::snapshot::{
    Backup, BackupReader, CONTENT_INDEX, CONTENTS, file_name, resource_of,
};

/// Returns the defect of a file that should not exist. `None` if the file belongs to the backup.
pub(super) fn stranger(snapshot: &BackupReader, path: &str) -> Option<(DefectKind, &'static str)> {
    let manifest = snapshot.manifest();
    let bucket = snapshot.place().folder().is_none();
    let ours =
        [MANIFEST, LOCK_FILE].contains(&path) || bucket && path.starts_with(&format!("{COMMITS}/"));
    let backups = [Some(&manifest.backup), manifest.next.as_ref()];
    if ours || backups.into_iter().flatten().any(|backup| names(backup, path)) {
        return None;
    }
    if is_passing(path) || !bucket && stub_of(path).is_some_and(is_of_backup) {
        let why = if path.starts_with(NEXT) {
            "is left over from an interrupted run"
        } else {
            "was never written to its end"
        };
        return Some((DefectKind::Torn, why));
    }
    if let Some(name) = path.strip_prefix(CONTENTS).and_then(|rest| rest.strip_prefix('/')) {
        // Files that are named by a hash are compared with the index.
        return match name {
            _ if !is_sha256(name) => Some((DefectKind::Foreign, "is no part of this backup")),
            _ if snapshot.claims(CONTENT_INDEX) => None,
            // The attachments of an interrupted run are resumed.
            _ if manifest.backup.includes_contents() || manifest.next.is_some() => None,
            _ => Some((DefectKind::Foreign, "is no part of this backup")),
        };
    }
    Some((DefectKind::Foreign, "is no part of this backup"))
}

/// Returns whether a backup has a complete or growing file at this path.
fn names(backup: &Backup, path: &str) -> bool {
    let stem = path.strip_suffix(".json");
    let whole = stem.is_some_and(|stem| {
        backup.files.contains_key(stem)
            // pdcli omits files of earlier runs from its manifest. They are checked, too.
            || backup.is_pdcli_backup() && resource_of(stem).is_some()
    });
    let staged = backup.files.values().any(|file| file.staged.as_deref() == Some(path));
    let growing = backup.in_progress.iter().any(|(stem, unfinished)| {
        let below = path.strip_prefix(&unfinished.path);
        let piece = unfinished.pieces.is_some() && below.is_some_and(|rest| rest.starts_with('/'));
        unfinished.path == path || piece || path == format!("{NEXT}/{}", file_name(stem))
    });
    whole || staged || growing
}
