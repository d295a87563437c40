//! The kinds of defects of a backup.

use std::collections::BTreeMap;

/// The maximum number of findings of one kind in one file that are listed one by one.
pub const FINDINGS_MAX: u64 = 100;

/// The kind of a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// A file that the manifest names does not exist.
    Missing,
    /// The size of a file differs from the manifest.
    Size,
    /// The SHA-256 of a file differs from the manifest.
    Hash,
    /// A file ends too early, or was never completed.
    Torn,
    /// A file is not an array of JSON objects.
    Json,
    /// The number of rows of a file differs from the manifest.
    Rows,
    /// A row has no key, or its key is not unique.
    Key,
    /// A row references a row that does not exist.
    Reference,
    /// A row has a custom field that the dictionary does not contain.
    Field,
    /// A row has an option that the dictionary does not contain.
    Option,
    /// An attachment is missing, damaged, or not in the index.
    Content,
    /// A requested resource was not read.
    Unfinished,
    /// A file does not belong to the backup.
    Foreign,
}

impl DefectKind {
    /// The list of all kinds.
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

    /// Returns whether the kind means that the backup differs from what was written. Other kinds are
    /// observations: they may exist in the account itself, or do not concern the backup.
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

    /// Returns the name on the command line and in reports.
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

/// A defect and its location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The kind.
    pub flaw: DefectKind,
    /// Whether the defect is damage. Otherwise it is an observation.
    pub damage: bool,
    /// The path of the file.
    pub file: String,
    /// The key of the row. `None` if the defect does not concern a row.
    pub row: Option<String>,
    /// A sentence that contains names, ids and counts, and no other data.
    pub message: String,
}

/// The numbers of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of findings that are damage.
    pub damage: u64,
    /// The number of findings that are observations.
    pub observations: u64,
    /// The counts by kind, including findings that are not listed one by one.
    pub kinds: BTreeMap<&'static str, u64>,
}

/// The findings of a check in progress.
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

    /// Records a finding, unless the limit of its kind is reached.
    pub(super) fn add(
        &mut self,
        flaw: DefectKind,
        file: &str,
        row: Option<String>,
        message: impl Into<String>,
    ) {
        self.judged(flaw, flaw.is_damage(), file, row, message.into());
    }

    /// Records an observation of a kind that is otherwise damage.
    pub(super) fn observe(&mut self, flaw: DefectKind, file: &str, message: impl Into<String>) {
        self.judged(flaw, false, file, None, message.into());
    }

    /// Records a finding. The caller states whether it is damage.
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

    /// Returns all findings by file, and their numbers. If findings of a kind were not listed, a last
    /// finding states how many.
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
        // The sort is stable, so findings of a kind stay in the order of discovery.
        self.found.sort_by(|a, b| (&a.file, a.flaw).cmp(&(&b.file, b.flaw)));
        (self.found, tally)
    }
}
