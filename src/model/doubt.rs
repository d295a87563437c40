//! Decides whether a page's claim about the end of its list is believed.

use super::page::{Layout, Next, Page};
use super::resource::Paging;

/// The facts known about a list when a page of it was requested.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Whether the request follows a cursor or an offset that the list itself returned.
    pub followed: bool,
    /// Whether earlier pages stated what comes next.
    pub told: bool,
    /// Whether an empty result means that no row exists, and has consequences: a list that is read as a
    /// whole, or keys that are looked up.
    pub whole: bool,
}

/// The reason to doubt a page with status 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// An end of the list that is probably wrong. The page is requested again, and the end is believed if
    /// the response repeats it.
    Unlikely(&'static str),
    /// Neither an end nor a next page. The page is requested again, and is an error if that does not
    /// change.
    Unfounded(&'static str),
}

impl Layout {
    /// Returns whether a walk of this list continues by offset until a page is empty.
    pub fn is_paged_by_offset(&self) -> bool {
        self.paging == Paging::Offset
    }

    /// Returns whether rows of this list have a key.
    pub fn has_keys(&self) -> bool {
        !self.key.is_empty()
    }

    /// Decides whether a page's claim about the end of its list is believed.
    ///
    /// A cursor list ends with `next_cursor: null`, an offset list with `more_items_in_collection:
    /// false`. A page without either ends no list that was followed, and no list if the page is full. A
    /// response without rows is an end only if it is repeated. `limit` is the requested number of rows,
    /// if it is not the usual one.
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
