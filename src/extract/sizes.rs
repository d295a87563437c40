//! The sizes of lists, and how exact they are.

use crate::model::Time;
use std::collections::BTreeMap;

/// The certainty of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The exact number.
    Exact,
    /// An upper bound.
    AtMost,
    /// A lower bound.
    AtLeast,
    /// An assumption.
    Guess,
}

impl Bound {
    /// Returns one word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
            Self::Guess => "guess",
        }
    }

    /// Returns the certainty of a sum.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exact, other) => other,
            (one, Self::Exact) => one,
            (one, other) if one == other => one,
            _ => Self::Guess,
        }
    }
}

/// The number of rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// The number.
    pub count: u64,
    /// The certainty of the number.
    pub bound: Bound,
}

/// A list whose size is needed: all of it, or the changes since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// The resource of the list.
    pub resource: &'static str,
    /// The name of the list.
    pub listing: &'static str,
    /// The start time of the changes. `None` for all rows.
    pub since: Option<Time>,
}

/// The known sizes.
#[derive(Debug, Default)]
pub struct Sizes {
    /// Sizes that the account returned.
    pub asked: BTreeMap<Extent, Rows>,
    /// Row counts of whole resources in an earlier run.
    pub earlier: BTreeMap<&'static str, u64>,
}
