//! The definition of a resource: one row of facts from which everything else is derived.

use super::resources;

/// One stream of an account: its requests, how its changes are found, and the form of its records.
///
/// Requests, catalog, JSON Schema, the sandbox's endpoint and data, token estimates and the table in the docs
/// are all derived from this value. A new resource is a new value in the table.
#[derive(Debug)]
pub struct Resource {
    /// The stream name in snake case, as in the existing Airbyte connector: `deal_fields`.
    pub name: &'static str,
    /// The file stem in a backup: `dealFields`.
    pub file: &'static str,
    /// The lists of a full read, in this order. There are several where Pipedrive splits the rows over
    /// several lists (live and archived deals, the four mail folders).
    pub listings: &'static [Listing],
    /// The columns that identify a row. They are never null.
    pub key: &'static [&'static str],
    /// The column with the time of the last change, if there is one.
    pub cursor: Option<&'static str>,
    /// The name of the resource that defines the custom fields of this one.
    pub fields: Option<&'static str>,
    /// The place of custom field values in a record.
    pub custom: Custom,
    /// The resource whose rows are named in the requests, for lists that exist per parent only.
    pub parent: Option<Parent>,
    /// The OAuth scopes, each of which is sufficient (pipedrive-api.md 1.4, 11).
    pub scopes: &'static [&'static str],
    /// Whether the token of a user without admin rights is refused.
    pub admin: bool,
    /// The feature of a plan or of the settings that the resource needs and that many companies lack
    /// (pipedrive-api.md 1.5). Resources of one feature are available together.
    pub feature: Option<&'static str>,
    /// Whether the resource is read only if it is named. It costs one request per parent row, which must
    /// not happen by accident.
    pub on_request: bool,
    /// Whether a backup contains the resource although it is read on request only. A backup requests only the
    /// rows of parents that are new or have changed since the last backup, and takes all others from that.
    pub carried: bool,
    /// The columns whose values are secrets. Every output masks them; a backup can be configured not to.
    pub secrets: &'static [&'static str],
    /// The columns of URLs that may contain secrets. Only the secrets inside them are masked.
    pub secret_urls: &'static [&'static str],
    /// The keys that Pipedrive counts or sets itself and that are not columns. They are not requested, but
    /// rows that other tools read may have them.
    pub counters: &'static [&'static str],
    /// The top-level columns, in the order in which the API sends them.
    pub columns: &'static [Column],
}

/// One list endpoint, and how it is requested.
#[derive(Debug)]
pub struct Listing {
    /// The name of this list in the state of its stream. It is `all` if there is only one.
    pub name: &'static str,
    /// The path below the host. `{id}` is replaced by the parent's key.
    pub path: &'static str,
    /// The kind of paging.
    pub paging: Paging,
    /// The cost of one request in tokens, whatever its page size (pipedrive-api.md 4.3).
    pub cost: u32,
    /// The maximum number of rows of a page. 0 for a list without pages.
    pub limit: u32,
    /// The query parameters of the endpoint besides paging. v2 returns 400 for any other.
    pub query: &'static [&'static str],
    /// The parameters sent with every request.
    pub ask: &'static [(&'static str, &'static str)],
    /// The values to request one after the other if the API refuses a value of `ask` (400, 403).
    pub split: Option<StatusPartition>,
    /// The parameters of `ask` that are left out if the API refuses them: the columns that they add are less
    /// important than the rows. The parameter of `split` is split and not left out.
    pub refusable: &'static [&'static str],
    /// The method of finding changes.
    pub changes: Changes,
    /// The sort parameter that makes a full walk stable, if the endpoint has one.
    pub by_id: &'static [(&'static str, &'static str)],
    /// Whether the official specification shows no `additional_data` for the list, so that a response without
    /// it is normal.
    pub silent: bool,
    /// The key of the row inside an item, where the list wraps its rows.
    pub wrapped: Option<&'static str>,
}

/// A parameter whose combined value may be refused, and the single values that together select the same rows.
#[derive(Debug)]
pub struct StatusPartition {
    /// The name of the parameter.
    pub param: &'static str,
    /// The values, requested one after the other.
    pub values: &'static [&'static str],
}

/// The position of the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paging {
    /// `additional_data.next_cursor`: v2, and the changelogs of v1.
    Cursor,
    /// `start` and `limit`: v1.
    Offset,
    /// The whole list in one response.
    Plain,
    /// The whole list in one response, under `data.goals`.
    Goals,
    /// A single row in `data`, and no list.
    One,
}

/// The method of finding rows that changed since the last run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// `updated_since` and `updated_until`, sorted by `update_time`.
    SinceUntil,
    /// `updated_since`, sorted by `update_time`. The upper bound is applied by the reader.
    Since,
    /// `updated_since` on an offset-paged list. It is paged by key, because edits shift offsets.
    SinceByKey,
    /// Sorted newest first, and read down to the low watermark.
    NewestFirst,
    /// No filter by time. The list is read in full every time.
    FullRead,
}

/// The place of custom fields in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custom {
    /// The resource has no custom fields.
    None,
    /// An object `custom_fields` with hashes as keys (v2).
    Nested,
    /// Top-level keys `<hash>` and `<hash>_<part>` (v1 leads).
    Flat,
}

/// The parent of a list per parent, and the form of its requests.
#[derive(Debug)]
pub struct Parent {
    /// The name of the resource whose rows are the parents.
    pub resource: &'static str,
    /// The form in which the parents' keys are sent.
    pub ask: PerParent,
    /// The column that receives the parent's key if the API's row does not contain it.
    pub column: Option<&'static str>,
    /// The column that receives a digest of parent and row, for rows without a key.
    pub digest: Option<&'static str>,
    /// Whether several parents list the same row.
    pub shared: bool,
}

/// The form in which the parents' keys are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerParent {
    /// One request per parent, with its key in the path.
    Path,
    /// One request per parent, with its key in this query parameter.
    Query(&'static str),
    /// One request for up to [`BATCH_PARENTS_MAX`] parents, with their keys in this query parameter,
    /// separated by commas.
    Batch(&'static str),
}

/// Parents per call of a batched child list: the API's limit for `deal_ids`.
pub const BATCH_PARENTS_MAX: usize = 100;

/// A top-level key of a record.
#[derive(Debug)]
pub struct Column {
    /// The key.
    pub name: &'static str,
    /// The type of the value, if it is not null.
    pub ty: Type,
    /// Whether the API may omit the key.
    pub optional: bool,
    /// Whether Pipedrive computes or stamps the column itself: it changes without an edit of the row, or
    /// only records that an edit happened.
    pub computed: bool,
}

impl Column {
    /// Returns the same column, marked as computed by Pipedrive.
    pub(super) const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }
}

/// The type of a value. Every column except the key may be null.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// An integer.
    Int,
    /// A number.
    Num,
    /// Text.
    Text,
    /// `YYYY-MM-DD`, without a zone.
    Date,
    /// RFC 3339 with `Z`, whole seconds (v2) or milliseconds (leads, projects).
    Time,
    /// `YYYY-MM-DD HH:MM:SS` in UTC, without a zone (v1). It is written as RFC 3339.
    Naked,
    /// `HH:MM` or `HH:MM:SS`, a time of day or a duration. It stays text.
    Clock,
    /// A list of one type.
    List(&'static Type),
    /// An object with these keys.
    Object(&'static [Column]),
    /// Text, or an object in some accounts (`lost_reason`).
    TextOrObject,
    /// An integer, text, or true or false (ids of options: `31`, `"open"`, `true`).
    OptionId,
    /// Any JSON that the API sends. The forms vary too much for a narrower type.
    Json,
}

impl Resource {
    /// Returns all resources, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        resources::TABLE.iter().flat_map(|group| group.iter())
    }

    /// Returns the resource with this stream name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::all().find(|resource| resource.name == name)
    }

    /// Returns the parent resource, for a list per parent.
    ///
    /// # Panics
    ///
    /// Panics if the table names a parent that it does not contain. A test excludes that.
    pub fn parent_resource(&self) -> Option<&'static Self> {
        self.parent.as_ref().map(|parent| {
            Self::named(parent.resource).expect("the table names only parents that are in it")
        })
    }

    /// Returns whether a run can read the changes since the last run, directly or through the parents.
    pub fn incremental(&self) -> bool {
        let watched = self.parent_resource().unwrap_or(self);
        watched.listings.iter().all(|listing| listing.changes != Changes::FullRead)
    }

    /// Returns the column of an API row that contains its parent's key, if rows contain it.
    pub fn column_of_parent(&self) -> Option<&'static str> {
        let parent = self.parent.as_ref().filter(|parent| parent.column.is_none())?;
        if self.listings.iter().all(|listing| listing.paging == Paging::One) {
            // The row is the parent itself.
            return self.key.first().copied();
        }
        let name = parent.resource.strip_suffix('s')?;
        let column = |c: &&Column| c.name.strip_suffix("_id") == Some(name);
        self.columns.iter().find(column).map(|column| column.name)
    }

    /// Returns whether it is a history. A history is read only if it is named, also in a backup.
    pub fn is_history(&self) -> bool {
        self.on_request && !self.carried
    }

    /// Returns whether it defines the custom fields of another resource.
    pub fn is_dictionary(&self) -> bool {
        Self::all().any(|resource| resource.fields == Some(self.name))
    }

    /// Returns whether several listings can contain one row at the same time.
    pub fn overlapping(&self) -> bool {
        self.listings.len() > 1 && !self.incremental()
    }

    /// Returns the column of this name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Type {
    /// Returns whether a JSON value that starts with this byte is of the type.
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
