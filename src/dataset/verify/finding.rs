//! What can be wrong with a backup.

use std::collections::BTreeMap;

/// Findings of one kind in one file that are told one by one.
pub const FINDINGS_MAX: u64 = 100;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
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

impl Flaw {
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

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flaw| flaw.name() == name)
    }
}

/// Something that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub flaw: Flaw,
    /// The file.
    pub file: String,
    /// Key of the row, if it is about one.
    pub row: Option<String>,
    /// A sentence with names, ids and counts, and no other contents.
    pub message: String,
}

/// Findings as they come up.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    counts: BTreeMap<(Flaw, String), u64>,
    ignored: Vec<Flaw>,
}

impl Findings {
    pub(super) fn ignoring(ignored: &[Flaw]) -> Self {
        Self { ignored: ignored.to_vec(), ..Self::default() }
    }

    /// Notes one, unless there are too many of its kind already.
    pub(super) fn add(
        &mut self,
        flaw: Flaw,
        file: &str,
        row: Option<String>,
        message: impl Into<String>,
    ) {
        if self.ignored.contains(&flaw) {
            return;
        }
        let count = self.counts.entry((flaw, file.to_owned())).or_insert(0);
        *count += 1;
        if *count <= FINDINGS_MAX {
            self.found.push(Finding { flaw, file: file.to_owned(), row, message: message.into() });
        }
    }

    /// All of them, by file; with a last one of each kind that says how many more there are.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        for ((flaw, file), count) in self.counts {
            if let Some(more) = count.checked_sub(FINDINGS_MAX).filter(|more| *more > 0) {
                let message = format!("and {more} more");
                self.found.push(Finding { flaw, file, row: None, message });
            }
        }
        // Stable, so what was found first stays first.
        self.found.sort_by(|a, b| (&a.file, a.flaw).cmp(&(&b.file, b.flaw)));
        self.found
    }
}
