//! The kinds of defects of a backup.

use std::collections::BTreeMap;

/// The maximum number of findings of one kind in one file that are listed one by one.
pub const FINDINGS_MAX: u64 = 100;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// A file that the manifest names is not there.
    Missing,
    /// A file has another size than the manifest says.
    Size,
    /// A file has another SHA-256 than the manifest says.
    Hash,
    /// A file ends too early, or was never finished.
    Torn,
    /// A file is no array of JSON objects.
    Json,
    /// A file holds more or fewer rows than the manifest says.
    Rows,
    /// A row has no key, or one that another row has too.
    Key,
    /// A row names a row that is not there.
    Reference,
    /// A row carries a custom field that the field file does not know.
    Field,
    /// A row holds an option that the field file does not know.
    Option,
    /// An attachment is not there, not as it should be, or not named.
    Content,
    /// Something was to be read and was not.
    Unfinished,
    /// A file that is no part of the backup.
    Foreign,
}

impl DefectKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Missing,
        Self::Size,
        Self::Hash,
        Self::Torn,
        Self::Json,
        Self::Rows,
        Self::Key,
        Self::Reference,
        Self::Field,
        Self::Option,
        Self::Content,
        Self::Unfinished,
        Self::Foreign,
    ];

    /// Whether it means that the backup is not what was written. The others are observations: they may
    /// be as they are in the account itself, or are none of the backup's business.
    pub const fn is_damage(self) -> bool {
        match self {
            Self::Missing
            | Self::Size
            | Self::Hash
            | Self::Torn
            | Self::Json
            | Self::Rows
            | Self::Key
            | Self::Content
            | Self::Unfinished => true,
            Self::Reference | Self::Field | Self::Option | Self::Foreign => false,
        }
    }

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Size => "size",
            Self::Hash => "hash",
            Self::Torn => "torn",
            Self::Json => "json",
            Self::Rows => "rows",
            Self::Key => "key",
            Self::Reference => "reference",
            Self::Field => "field",
            Self::Option => "option",
            Self::Content => "content",
            Self::Unfinished => "unfinished",
            Self::Foreign => "foreign",
        }
    }
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub flaw: DefectKind,
    /// Whether it is damage; an observation otherwise.
    pub damage: bool,
    /// The file.
    pub file: String,
    /// Key of the row, if it is about one.
    pub row: Option<String>,
    /// A sentence with names, ids and counts, and no other contents.
    pub message: String,
}

/// How many findings there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Damage.
    pub damage: u64,
    /// Observations.
    pub observations: u64,
    /// Counts by kind, including findings that are not listed one by one.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// Findings as they come up.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    counts: BTreeMap<(DefectKind, bool, String), u64>,
    ignored: Vec<DefectKind>,
}

impl Findings {
    pub(super) fn ignoring(ignored: &[DefectKind]) -> Self {
        Self { ignored: ignored.to_vec(), ..Self::default() }
    }

    /// Notes one, unless there are too many of its kind already.
    pub(super) fn add(
        &mut self,
        flaw: DefectKind,
        file: &str,
        row: Option<String>,
        message: impl Into<String>,
    ) {
        self.judged(flaw, flaw.is_damage(), file, row, message.into());
    }

    /// Notes one that is harmless although others of its kind are damage.
    pub(super) fn observe(&mut self, flaw: DefectKind, file: &str, message: impl Into<String>) {
        self.judged(flaw, false, file, None, message.into());
    }

    /// Notes one of which the finder knows whether it is damage.
    pub(super) fn judged(
        &mut self,
        flaw: DefectKind,
        damage: bool,
        file: &str,
        row: Option<String>,
        message: String,
    ) {
        if self.count(flaw, damage, file, 1) <= FINDINGS_MAX {
            self.found.push(Finding { flaw, damage, file: file.to_owned(), row, message });
        }
    }

    /// Counts findings that are not listed one by one, and returns the total. It exceeds any limit if
    /// they are ignored.
    pub(super) fn count(&mut self, flaw: DefectKind, damage: bool, file: &str, more: u64) -> u64 {
        if self.ignored.contains(&flaw) {
            return u64::MAX;
        }
        let count = self.counts.entry((flaw, damage, file.to_owned())).or_insert(0);
        *count += more;
        *count
    }

    /// All of them, by file, with a last one of each kind that says how many more there are; and how
    /// many they are.
    pub(super) fn finish(mut self) -> (Vec<Finding>, Tally) {
        let mut tally = Tally::default();
        for ((flaw, damage, file), count) in self.counts {
            *tally.kinds.entry(flaw.name()).or_insert(0) += count;
            *if damage { &mut tally.damage } else { &mut tally.observations } += count;
            if let Some(more) = count.checked_sub(FINDINGS_MAX).filter(|more| *more > 0) {
                let message = format!("and {more} more");
                self.found.push(Finding { flaw, damage, file, row: None, message });
            }
        }
        // Stable, so what was found first stays first.
        self.found.sort_by(|a, b| (&a.file, a.flaw).cmp(&(&b.file, b.flaw)));
        (self.found, tally)
    }
}
