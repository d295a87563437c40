//! Deleted or no longer visible rows.

/// The reason why a row no longer exists or is no longer visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionReason {
    /// It was deleted, or merged into another.
    Deleted,
    /// It was archived, and archived rows are not read.
    Archived,
    /// It may exist, but this token cannot see it.
    NotVisible,
}

impl DeletionReason {
    /// Returns the name in tombstones.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::NotVisible => "not_visible",
        }
    }
}
