//! The definition of a resource: one row of facts from which everything else is derived.

use super::resources;

/// One stream of an account: what to ask for, how it changes, what its records look like.
///
/// Requests, catalog, JSON Schema, the sandbox's endpoint and data, token estimates and the table
/// in the docs are all derived from this row, so adding a resource means adding a row.
#[derive(Debug)]
pub struct Resource {
    /// Stream name in snake case, as users of the Airbyte connector know it: `deal_fields`.
    pub name: &'static str,
    /// File stem in a backup: `dealFields`.
    pub file: &'static str,
    /// The lists a full read walks, in this order. More than one where Pipedrive splits the rows
    /// of one thing over several lists (live and archived deals, the four mail folders).
    pub listings: &'static [Listing],
    /// Columns that identify a row, never null.
    pub key: &'static [&'static str],
    /// Column that says when the row last changed, where there is one.
    pub cursor: Option<&'static str>,
    /// Name of the resource that defines this one's custom fields.
    pub fields: Option<&'static str>,
    /// Where custom field values are found in a record.
    pub custom: Custom,
    /// The resource whose rows this one is asked for by, for lists that exist per parent only.
    pub parent: Option<Parent>,
    /// OAuth scopes that open it, each by itself (pipedrive-api.md 1.4, 11).
    pub scopes: &'static [&'static str],
    /// Whether a token of a user without admin rights is refused.
    pub admin: bool,
    /// The feature of plan or settings that many companies lack, and this resource with it
    /// (pipedrive-api.md 1.5); resources of one feature are there or lacking together.
    pub feature: Option<&'static str>,
    /// Whether the resource is read only if it is named. It costs one request per parent row, which must
    /// not happen by accident.
    pub on_request: bool,
    /// Whether a backup takes it all the same, since it asks only for the rows of parents that are new
    /// or have changed since the backup before, and takes all others from that.
    pub carried: bool,
    /// The columns whose values are secrets. Every output masks them; a backup can be configured not to.
    pub secrets: &'static [&'static str],
    /// Columns of URLs that may hold secrets: these are masked inside of them.
    pub secret_urls: &'static [&'static str],
    /// Keys beside the columns that Pipedrive counts or stamps by itself. They are not asked for, but
    /// rows that other tools read may have them.
    pub counters: &'static [&'static str],
    /// Top-level columns in the order the API sends them.
    pub columns: &'static [Column],
}

/// One list endpoint, as it may be asked.
#[derive(Debug)]
pub struct Listing {
    /// Name of this list inside the state of its stream; `all` where there is only one.
    pub name: &'static str,
    /// Path below the host. `{id}` stands for the parent's key.
    pub path: &'static str,
    /// How the next page is asked for.
    pub paging: Paging,
    /// Tokens one call costs, whatever its page size (pipedrive-api.md 4.3).
    pub cost: u32,
    /// Most rows a page may hold; 0 for a list that is not paged.
    pub limit: u32,
    /// Query parameters the endpoint knows besides paging; v2 answers 400 to any other.
    pub query: &'static [&'static str],
    /// Parameters sent with every request.
    pub ask: &'static [(&'static str, &'static str)],
    /// Values tried one after the other in place of one of `ask` when the API refuses it (400, 403).
    pub split: Option<StatusPartition>,
    /// Parameters of `ask` without which the list is asked for again when the API refuses it: what they
    /// add is worth less than the rows. That of `split` is split and not left out.
    pub refusable: &'static [&'static str],
    /// How changes are found.
    pub changes: Changes,
    /// The sort parameter that makes a full walk stable, if the endpoint has one.
    pub by_id: &'static [(&'static str, &'static str)],
    /// Whether the official specification shows no `additional_data` for it, so that an answer
    /// without any is normal.
    pub silent: bool,
    /// The key under which a row stands inside of an item, where the list wraps its rows.
    pub wrapped: Option<&'static str>,
}

/// A parameter whose combined value may be refused, and the single values that cover the same rows.
#[derive(Debug)]
pub struct StatusPartition {
    /// The parameter's name.
    pub param: &'static str,
    /// The values to walk one after the other.
    pub values: &'static [&'static str],
}

/// Where the next page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `additional_data.next_cursor`: v2, and the changelogs of v1.
    Cursor,
    /// `start` and `limit`: v1.
    Offset,
    /// The whole list in one answer.
    Plain,
    /// The whole list in one answer, under `data.goals`.
    Goals,
    /// No list: `data` is the one row.
    One,
}

/// How rows that changed since the last run are found (the classes of the incremental rule).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// `updated_since` and `updated_until`, sorted by `update_time`.
    SinceUntil,
    /// `updated_since`, sorted; the upper bound is ours to apply.
    Since,
    /// `updated_since` on an offset-paged list: paged by key, since offsets shift under edits.
    SinceByKey,
    /// Sorted newest first, read down to the low watermark.
    NewestFirst,
    /// No filter by time: read in full every time.
    FullRead,
}

/// Where a record carries its custom fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custom {
    /// There are none.
    None,
    /// An object `custom_fields` keyed by hash (v2).
    Nested,
    /// `<hash>` and `<hash>_<part>` keys beside the others (v1 leads).
    Flat,
}

/// How a list per parent is asked for.
#[derive(Debug)]
pub struct Parent {
    /// Name of the resource whose rows are the parents.
    pub resource: &'static str,
    /// How parents' keys enter the request.
    pub ask: PerParent,
    /// Column that receives the parent's key where the API's row does not carry it.
    pub column: Option<&'static str>,
    /// Column that receives a digest of parent and row, for rows that have no key at all.
    pub digest: Option<&'static str>,
    /// Whether several parents list the same row.
    pub shared: bool,
}

/// How parents' keys enter the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerParent {
    /// One request per parent, its key in the path.
    Path,
    /// One request per parent, its key in this query parameter.
    Query(&'static str),
    /// One request for up to [`BATCH_PARENTS_MAX`] parents, their keys comma-separated.
    Batch(&'static str),
}

/// Parents per call of a batched child list: the API's limit for `deal_ids`.
pub const BATCH_PARENTS_MAX: usize = 100;

/// A top-level key of a record.
#[derive(Debug)]
pub struct Column {
    /// The key.
    pub name: &'static str,
    /// What its value is, when not null.
    pub ty: Type,
    /// Whether the API may leave the key out.
    pub optional: bool,
    /// Whether Pipedrive computes or stamps the column itself: it changes without an edit of the row, or
    /// only records that an edit happened.
    pub computed: bool,
}

impl Column {
    /// The same column, as one that Pipedrive counts or stamps by itself.
    pub(super) const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }
}

/// What a value is. Every column but the key may be null.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Num,
    /// Text.
    Text,
    /// `YYYY-MM-DD`, no zone.
    Date,
    /// RFC 3339 with `Z`, whole seconds (v2) or milliseconds (leads, projects).
    Time,
    /// `YYYY-MM-DD HH:MM:SS` in UTC, no zone (v1); becomes RFC 3339 on the wire.
    Naked,
    /// `HH:MM` or `HH:MM:SS`, a time of day or a duration: stays text.
    Clock,
    /// A list of one type.
    List(&'static Type),
    /// An object with these keys.
    Object(&'static [Column]),
    /// Text, or an object in some accounts (`lost_reason`).
    TextOrObject,
    /// A whole number, text, or true or false (ids of options: `31`, `"open"`, `true`).
    OptionId,
    /// Whatever the API sends: too many shapes to promise one.
    Json,
}

impl Resource {
    /// All resources, in the order they are documented.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        resources::TABLE.iter().flat_map(|group| group.iter())
    }

    /// The resource of this stream name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|resource| resource.name == name)
    }

    /// The parent's row, for a list per parent.
    ///
    /// # Panics
    ///
    /// When the table names a parent that is not in it, which a test rules out.
    pub fn parent_resource(&self) -> Option<&'static Self> {
        self.parent.as_ref().map(|parent| {
            Self::named(parent.resource).expect("the table names only parents that are in it")
        })
    }

    /// Whether a run can read what changed since the last one: by itself, or through its parents.
    pub fn incremental(&self) -> bool {
        let watched = self.parent_resource().unwrap_or(self);
        watched.listings.iter().all(|listing| listing.changes != Changes::FullRead)
    }

    /// The column of an API row that names its parent, where rows carry it themselves.
    pub fn column_of_parent(&self) -> Option<&'static str> {
        let parent = self.parent.as_ref().filter(|parent| parent.column.is_none())?;
        if self.listings.iter().all(|listing| listing.paging == Paging::One) {
            // It is the parent's own row.
            return self.key.first().copied();
        }
        let name = parent.resource.strip_suffix('s')?;
        let column = |c: &&Column| c.name.strip_suffix("_id") == Some(name);
        self.columns.iter().find(column).map(|column| column.name)
    }

    /// Whether it is one of the histories: read only when named, by a backup too.
    pub fn is_history(&self) -> bool {
        self.on_request && !self.carried
    }

    /// Whether it defines the custom fields of some resource.
    pub fn is_dictionary(&self) -> bool {
        Self::all().any(|resource| resource.fields == Some(self.name))
    }

    /// Returns whether several listings can contain one row at the same time.
    pub fn overlapping(&self) -> bool {
        self.listings.len() > 1 && !self.incremental()
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Type {
    /// Whether a JSON value that starts with this byte is of the type.
    pub fn takes(self, first: u8) -> bool {
        match self {
            Self::Bool => matches!(first, b't' | b'f'),
            Self::Int | Self::Num => matches!(first, b'-' | b'0'..=b'9'),
            Self::Text | Self::Date | Self::Time | Self::Naked | Self::Clock => first == b'"',
            Self::List(_) => first == b'[',
            Self::Object(_) => first == b'{',
            Self::TextOrObject => matches!(first, b'"' | b'{'),
            Self::OptionId => matches!(first, b'"' | b'-' | b'0'..=b'9' | b't' | b'f'),
            Self::Json => true,
        }
    }
}
