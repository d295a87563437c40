//! Decides where a run writes, and whether it resumes an unfinished backup. The module is pure.

use crate::dataset::forms::{NEXT, ONCE, PART, PIECES};
use crate::dataset::snapshot::{Backup, Manifest, file_name};

/// The area in which a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staging {
    /// The top level. There is no earlier backup that could be damaged.
    Top,
    /// A separate folder, until the new backup replaces the earlier one.
    Next,
}

impl Staging {
    /// Returns the part of the manifest that describes the run.
    pub(super) fn of(self, manifest: &Manifest) -> Option<&Backup> {
        match self {
            Self::Top => Some(&manifest.backup),
            Self::Next => manifest.next.as_ref(),
        }
    }

    /// Returns the same part for changes.
    pub(super) fn of_mut(self, manifest: &mut Manifest) -> &mut Backup {
        match self {
            Self::Top => &mut manifest.backup,
            Self::Next => manifest.next.get_or_insert_default(),
        }
    }

    /// Returns the path of a growing file, or in a bucket the folder of its pieces.
    pub(super) fn growing(self, stem: &str, in_folder: bool) -> String {
        match (self, in_folder) {
            (Self::Top, true) => format!("{}{PART}", file_name(stem)),
            (Self::Top, false) => format!("{PIECES}/{stem}"),
            (Self::Next, true) => format!("{NEXT}/{}", file_name(stem)),
            (Self::Next, false) => format!("{NEXT}/{PIECES}/{stem}"),
        }
    }

    /// Returns the path at which a file is rewritten without duplicate rows.
    pub(super) fn fresh(self, stem: &str, in_folder: bool) -> String {
        self.growing(&format!("{stem}{ONCE}"), in_folder)
    }

    /// Returns the path of a complete file before the run's backup replaces the earlier one.
    pub(super) fn whole(self, stem: &str) -> String {
        match self {
            Self::Top => file_name(stem),
            Self::Next => format!("{NEXT}/{}", file_name(stem)),
        }
    }
}

/// The plan of a run at a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenPlan {
    pub(super) area: Staging,
    /// Whether the run resumes an interrupted backup.
    pub(super) resumes: bool,
    /// Whether the run starts a new backup although an interrupted one exists.
    pub(super) restarts: bool,
}

/// Decides where to write, and whether to resume: an interrupted backup is resumed, unless the user
/// starts over (`restart`).
pub(super) fn course(found: Option<&Manifest>, restart: bool) -> OpenPlan {
    let Some(manifest) = found else {
        return OpenPlan { area: Staging::Top, resumes: false, restarts: false };
    };
    let top = &manifest.backup;
    let unfinished = match &manifest.next {
        Some(_) => Some(Staging::Next),
        None => (!top.finished()).then_some(Staging::Top),
    };
    match unfinished {
        Some(area) if !restart => OpenPlan { area, resumes: true, restarts: false },
        unfinished => {
            let holds = !top.files.is_empty() || !top.completed.is_empty();
            let area = if holds { Staging::Next } else { Staging::Top };
            OpenPlan { area, resumes: false, restarts: unfinished.is_some() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manifest: &str, restart: bool, expected: &str) {
        let manifest = (!manifest.is_empty())
            .then(|| Manifest::from_json(manifest.as_bytes(), "").expect("it is a manifest"));
        let OpenPlan { area, resumes, restarts } = course(manifest.as_ref(), restart);
        let restarts = if restarts { ", restarts" } else { "" };
        let resumes = if resumes { ", resumes" } else { "" };
        assert_eq!(format!("{area:?}{resumes}{restarts}"), expected);
    }

    #[test]
    fn a_backup_that_stands_is_never_written_over() {
        let nothing = r#"{"version":1,"completed":[],"resources":["deals","users"]}"#;
        let broken = r#"{"version":1,"completed":["deals"],"resources":["deals","users"]}"#;
        let whole = r#"{"version":1,"completed":["deals","users"],"resources":["deals","users"]}"#;
        let renewed = r#"{"version":1,"completed":["deals","users"],"resources":["deals","users"],
            "next":{"version":1,"completed":["deals"],"resources":["deals","users"]}}"#;
        let seeds = r#"{"completed":["deals"],"counts":{"deals":3}}"#;
        check("", false, "Top");
        check("", true, "Top");
        check(nothing, false, "Top, resumes");
        check(nothing, true, "Top, restarts");
        check(broken, false, "Top, resumes");
        check(broken, true, "Next, restarts");
        check(whole, false, "Next");
        check(whole, true, "Next");
        check(renewed, false, "Next, resumes");
        check(renewed, true, "Next, restarts");
        check(seeds, false, "Top, resumes");
        check(seeds, true, "Next, restarts");
    }
}
