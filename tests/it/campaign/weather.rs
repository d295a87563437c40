//! What goes wrong in a run.

use super::Ended;
use super::people::People;
use fastrand::Rng;
use source_pipedrive::model::Resource;
use source_pipedrive::sandbox::{Edit, Entry, Fault, FaultKind, OddDate, OddPage, Sandbox};

/// Failures that pass when the request is made again.
const PASSING: &[FaultKind] = &[
    FaultKind::Status(500),
    FaultKind::Status(502),
    FaultKind::Status(503),
    FaultKind::Status(504),
    FaultKind::Status(520),
    FaultKind::Status(524),
    FaultKind::BareLimit,
    FaultKind::Truncate,
    FaultKind::CutJson,
    FaultKind::Html,
    FaultKind::Failure,
    FaultKind::Null,
    FaultKind::Reset,
    FaultKind::Utf8,
];

/// Pages that lie about the end of their list. Some of them are believed if they are repeated, so a run
/// has one at most.
const LIES: &[OddPage] = &[
    OddPage::NullData,
    OddPage::EmptyData,
    OddPage::EmptyAdditional,
    OddPage::EmptyEnd,
    OddPage::MoreNowhere,
];

/// What may end a run, or a stream of it. An account that says that a list or a parent is not there (403,
/// 404) is believed, and not among them.
const HARD: &[FaultKind] = &[
    FaultKind::Repeat,
    FaultKind::Loop,
    FaultKind::Unsorted,
    FaultKind::Empty,
    FaultKind::BadCursor,
    FaultKind::Expired,
    FaultKind::Daily,
    FaultKind::Cloudflare,
    FaultKind::Status(405),
    FaultKind::Odd(OddPage::Revolve),
];

const DATES: &[OddDate] = &[
    OddDate::Off(-86_400),
    OddDate::Off(86_400),
    OddDate::Off(-120),
    OddDate::Off(120),
    OddDate::Off(1),
    OddDate::Absent,
    OddDate::Zone,
    OddDate::Still,
];

/// How a run ends. Requests are counted from its first.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// By itself.
    Whole,
    /// SIGKILL while this request hangs.
    Killed(u64),
    /// SIGTERM while this request hangs.
    Told(u64),
    /// It aborts at this step of its storage.
    Crashed(u64),
}

impl End {
    /// The same, with requests counted as the ledger does that holds so many.
    pub(super) fn counted_from(self, before: u64) -> Self {
        match self {
            Self::Killed(at) => Self::Killed(before + at),
            Self::Told(at) => Self::Told(before + at),
            other => other,
        }
    }
}

/// A run's end, faults and edits.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) end: End,
    troubles: Vec<(u64, FaultKind)>,
    /// At the first answer, or at all.
    date: Option<(OddDate, bool)>,
    pub(super) script: Vec<(u64, Edit)>,
}

impl Weather {
    /// For a run of about so many requests.
    pub(super) fn rolled(dice: &mut Rng, requests: u64, account: &Sandbox) -> Self {
        let at = |dice: &mut Rng| dice.u64(1..=requests);
        let end = match dice.u8(..8) {
            0..=2 => End::Killed(at(dice)),
            3 => End::Told(at(dice)),
            4 => End::Crashed(dice.u64(1..40)),
            _ => End::Whole,
        };
        let mut troubles = Vec::new();
        for _ in 0..dice.u8(..4) {
            troubles.push((at(dice), PASSING[dice.usize(..PASSING.len())]));
        }
        if dice.bool() {
            troubles.push((at(dice), FaultKind::Odd(LIES[dice.usize(..LIES.len())])));
        } else if dice.u8(..4) == 0 {
            troubles.push((at(dice), FaultKind::NoPaging));
        } else if dice.u8(..3) == 0 {
            troubles.push((at(dice), HARD[dice.usize(..HARD.len())]));
        }
        let date = (dice.u8(..3) == 0).then(|| (DATES[dice.usize(..DATES.len())], dice.bool()));
        let mut script = Vec::new();
        if dice.bool() {
            for _ in 0..dice.u8(1..4) {
                let at = at(dice);
                let edits = People::busy(dice, account);
                script.extend(edits.into_iter().map(|edit| (at, edit)));
            }
        }
        Self { end, troubles, date, script }
    }

    /// Earlier ones win.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let hang = match self.end {
            End::Killed(at) | End::Told(at) => Some(Fault::at(FaultKind::Hang, at)),
            End::Whole | End::Crashed(_) => None,
        };
        let troubles = self.troubles.iter().map(|(at, trouble)| Fault::at(*trouble, *at));
        let date = self.date.map(|(date, always)| {
            if always {
                Fault::on(FaultKind::Date(date), "/", 1, u32::MAX)
            } else {
                Fault::at(FaultKind::Date(date), 1)
            }
        });
        hang.into_iter().chain(troubles).chain(date).collect()
    }

    pub(super) fn is_true_to_the_clock(&self) -> bool {
        self.date.is_none()
    }

    /// Returns whether every response has a wrong clock, so that the time is unknown.
    pub(super) fn lies_about_the_time(&self) -> bool {
        self.date.is_some_and(|(_, always)| always)
    }

    /// Returns whether the list of a parent claimed to be empty, or at its end, without its rows. Parents
    /// without rows are common and are not requested twice: this one lie is believed.
    pub(super) fn emptied_a_parent(&self, asked: &[Entry]) -> bool {
        self.troubles.iter().any(|(at, trouble)| {
            let empty = [OddPage::NullData, OddPage::EmptyData, OddPage::EmptyEnd];
            let empty = empty.iter().any(|odd| *trouble == FaultKind::Odd(*odd));
            empty && request(asked, *at).is_some_and(|entry| is_per_parent(&entry.path_and_query))
        })
    }

    /// Requires that what passes has passed: a run without anything worse ends well.
    pub(super) fn assert_survived(&self, ended: &Ended, asked: &[Entry]) {
        let hard = |trouble: &FaultKind| HARD.contains(trouble);
        if !matches!(self.end, End::Whole)
            || !self.script.is_empty()
            || self.troubles.iter().any(|(_, trouble)| hard(trouble))
        {
            return;
        }
        // What is asked before the lists is in other hands.
        let before_lists = |at: u64| {
            request(asked, at).is_some_and(|entry| {
                let path = &entry.path_and_query;
                path.contains("/users/me") || path.contains("Fields")
            })
        };
        if self.troubles.iter().any(|(at, _)| before_lists(*at)) {
            return;
        }
        assert_eq!(ended.code, Some(0), "what passes did not: {}", ended.stderr);
    }
}

/// The request of this number.
fn request(asked: &[Entry], at: u64) -> Option<&Entry> {
    asked.get(usize::try_from(at).ok()?.checked_sub(1)?)
}

/// Whether this is a list of a parent's rows.
fn is_per_parent(path_and_query: &str) -> bool {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let of_parents = Resource::all().filter(|resource| resource.parent.is_some());
    of_parents.flat_map(|resource| resource.listings).any(|listing| {
        match listing.path.split_once("{id}") {
            Some((before, after)) => path.starts_with(before) && path.ends_with(after),
            None => path == listing.path,
        }
    })
}
