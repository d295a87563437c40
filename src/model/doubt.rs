//! Decides whether a page's claim about the end of its list is believed.

use super::page::{Layout, Next, Page};
use super::resource::Paging;

/// What was known of a list when a page of it was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Whether a cursor or an offset is followed that the list itself gave.
    pub followed: bool,
    /// Whether earlier pages stated what comes next.
    pub told: bool,
    /// Whether no rows at all would mean that nothing is there, and be acted on: a list that is read
    /// as a whole, keys that are looked for.
    pub whole: bool,
}

/// Why a page that came with status 200 may not be what it seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// An end of the list that is probably wrong. The page is requested again, and the end is believed if
    /// the response repeats it.
    Unlikely(&'static str),
    /// No end and no next page: to be asked for again, and an error if it stays so.
    Unfounded(&'static str),
}

impl Layout {
    /// Returns whether a walk of this list continues by offset until a page is empty.
    pub fn is_paged_by_offset(&self) -> bool {
        self.paging == Paging::Offset
    }

    /// Whether rows of this list carry a key.
    pub fn has_keys(&self) -> bool {
        !self.key.is_empty()
    }

    /// Whether a page is to be believed about what comes after it.
    ///
    /// A cursor list ends with `next_cursor: null`, an offset list with `more_items_in_collection:
    /// false`. A page that says neither ends nothing once a list has been followed, nor when it is
    /// full. An answer without rows is an end only when it is given twice.
    /// `limit`: how many rows were asked for, where that was not as many as usual.
    pub fn doubt(&self, page: &Page, asked: Asked, limit: Option<u32>) -> Option<Doubt> {
        const EMPTY: Doubt = Doubt::Unlikely("list ends with an answer without rows");
        let empty = page.records.is_empty();
        let full = limit.map_or(self.limit, |limit| self.limit.min(limit as usize));
        let lasting = asked.followed || asked.whole;
        match (&page.next, self.paging) {
            (Next::Cursor(_) | Next::Start(_), _) => None,
            (Next::End, Paging::One) => empty.then_some(EMPTY),
            (Next::Unsaid, Paging::Offset | Paging::Plain | Paging::Goals) if asked.told => {
                Some(Doubt::Unfounded("list no longer says whether there is more"))
            }
            (Next::Unsaid, Paging::Offset) => (empty && (lasting || !self.silent)).then_some(EMPTY),
            (Next::End, _) | (Next::Unsaid, Paging::Plain | Paging::Goals) => {
                (empty && lasting).then_some(EMPTY)
            }
            (Next::Unsaid, _) if asked.followed => {
                Some(Doubt::Unfounded("list does not say whether there is more"))
            }
            (Next::Unsaid, _) if page.records.len() >= full => {
                Some(Doubt::Unfounded("full page does not say whether there is more"))
            }
            (Next::Unsaid, _) => (!self.silent)
                .then_some(Doubt::Unlikely("list does not say that this is all of it")),
        }
    }
}
