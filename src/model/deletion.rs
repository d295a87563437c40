//! Deleted or no longer visible rows.

/// Why a row is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionReason {
    /// It was deleted, or merged into another.
    Deleted,
    /// It was archived, and archived rows are not read.
    Archived,
    /// It may be there, but not for this token.
    NotVisible,
}

impl DeletionReason {
    /// Its name in tombstones.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::NotVisible => "not_visible",
        }
    }
}
