//! The sizes of lists, and how exact they are.

use crate::model::Time;
use std::collections::BTreeMap;

/// How far a figure can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// As it is now.
    Exact,
    /// Not more.
    AtMost,
    /// Not less.
    AtLeast,
    /// From experience.
    Guess,
}

impl Bound {
    /// One word for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::AtMost => "at_most",
            Self::AtLeast => "at_least",
            Self::Guess => "guess",
        }
    }

    /// That of a sum.
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

/// How many rows a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// As many.
    pub count: u64,
    /// How sure that is.
    pub bound: Bound,
}

/// A list whose size matters: all of it, or what changed since a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// The resource whose list it is.
    pub resource: &'static str,
    /// The list.
    pub listing: &'static str,
    /// Rows changed since then; all rows without.
    pub since: Option<Time>,
}

/// What is known of sizes.
#[derive(Debug, Default)]
pub struct Sizes {
    /// What the account was asked for.
    pub asked: BTreeMap<Extent, Rows>,
    /// Rows of whole resources, as an earlier run found them.
    pub earlier: BTreeMap<&'static str, u64>,
}
