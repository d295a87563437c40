//! The format of a bundle: five arrays, their fields, and the references between rows.

use crate::model::{Error, Json, Kind, Result, Time, text};
use serde::Serialize;

/// The version that is written to bundles, as text.
pub const BUNDLE_VERSION: &str = "1";
/// Longest row that is taken: the target of a push has to take it in one request.
pub const ROW_BYTES_MAX: usize = 1 << 20;
/// Longest public id.
pub const PUBLIC_ID_MAX: usize = 255;

/// One of the arrays of a bundle, in import order. Rows refer to rows of earlier arrays; activities refer
/// to rows of any array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// The companies.
    Accounts,
    /// The people.
    Contacts,
    /// The deals.
    Opportunities,
    /// The potential deals.
    Leads,
    /// The calls, meetings and tasks.
    Activities,
}

/// The type of a field's value. Every field may be null or absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A number.
    Number,
    /// A boolean.
    Flag,
    /// A time in RFC 3339, or a date alone.
    Time,
    /// One of `open`, `won` and `lost`.
    Status,
    /// Three capital letters, or the code of a custom currency of Pipedrive.
    Currency,
    /// The public id of a row of this array.
    Reference(Entity),
    /// One of `account`, `contact`, `opportunity` and `lead`.
    RecordType,
    /// The public id of a row in the array that [`Shape::RecordType`] names.
    Parent,
    /// A list.
    List,
    /// An object.
    Object,
}

/// A field of the format. Unknown fields are kept unchanged.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// The type of the value.
    pub shape: Shape,
    /// Whether the other CRM documents the field. The rest are assumed or specific to this program.
    pub documented: bool,
    /// The Pipedrive value that an export writes to the field, as Markdown.
    pub from: &'static str,
}

const fn doc(name: &'static str, shape: Shape, from: &'static str) -> Field {
    Field { name, shape, documented: true, from }
}

const fn own(name: &'static str, shape: Shape, from: &'static str) -> Field {
    Field { name, shape, documented: false, from }
}

/// The fields of every row.
const COMMON: &[Field] = &[
    doc(
        "public_id",
        Shape::Text,
        "`acct_pd<company>_<id>` and so on, or what an earlier push has put into the field \"Portable id\"",
    ),
    doc("external_system", Shape::Text, "`pipedrive`"),
    doc("external_id", Shape::Text, "`<company>:<entity>:<id>`"),
    doc("deleted_at", Shape::Time, "`update_time` of a row that says it was deleted"),
    own("owner", Shape::Text, "e-mail of `owner_id`"),
    own("labels", Shape::List, "names of `label_ids`"),
    own("custom", Shape::Object, "custom fields by name, see below"),
    own("created_at", Shape::Time, "`add_time`"),
    own("updated_at", Shape::Time, "`update_time`"),
];

const ACCOUNTS: &[Field] = &[
    doc("name", Shape::Text, "`name`"),
    own("website", Shape::Text, "`website`"),
    own("linkedin", Shape::Text, "`linkedin`"),
    own("industry", Shape::Text, "label of `industry`, or its id"),
    own("annual_revenue", Shape::Number, "`annual_revenue`"),
    own("employee_count", Shape::Number, "`employee_count`"),
    own("address", Shape::Text, "`address.value`"),
    own("address_parts", Shape::Object, "`address`"),
];

const CONTACTS: &[Field] = &[
    doc("account_public_id", Shape::Reference(Entity::Accounts), "`org_id`"),
    own("name", Shape::Text, "`name`"),
    own("first_name", Shape::Text, "`first_name`"),
    own("last_name", Shape::Text, "`last_name`"),
    own("email", Shape::Text, "the primary one of `emails`"),
    own("phone", Shape::Text, "the primary one of `phones`"),
    own("emails", Shape::List, "`emails`"),
    own("phones", Shape::List, "`phones`"),
    own("title", Shape::Text, "`job_title`"),
    own("birthday", Shape::Time, "`birthday`"),
    own("address", Shape::Text, "`postal_address.value`"),
];

const OPPORTUNITIES: &[Field] = &[
    doc("name", Shape::Text, "`title`"),
    doc("account_public_id", Shape::Reference(Entity::Accounts), "`org_id`"),
    own("contact_public_id", Shape::Reference(Entity::Contacts), "`person_id`"),
    own("amount", Shape::Number, "`value`"),
    own("currency", Shape::Currency, "`currency`"),
    doc("status", Shape::Status, "`status`; of a deleted deal what its times say"),
    own("probability", Shape::Number, "`probability`"),
    own("lost_reason", Shape::Text, "`lost_reason`, or its label"),
    own("close_date", Shape::Time, "`expected_close_date`"),
    own("closed_at", Shape::Time, "`close_time`"),
    own("archived_at", Shape::Time, "`archive_time`"),
    doc("pipeline_id", Shape::Text, "a UUID made of `pipeline_id`"),
    doc("pipeline_stage_id", Shape::Text, "a UUID made of `stage_id`"),
    doc("stage_position", Shape::Number, "nothing: Pipedrive orders deals by itself"),
    own("pipeline_name", Shape::Text, "name of the pipeline"),
    own("stage_name", Shape::Text, "name of the stage"),
];

const LEADS: &[Field] = &[
    own("title", Shape::Text, "`title`"),
    own("account_public_id", Shape::Reference(Entity::Accounts), "`organization_id`"),
    own("contact_public_id", Shape::Reference(Entity::Contacts), "`person_id`"),
    own("opportunity_public_id", Shape::Reference(Entity::Opportunities), "`source_deal_id`"),
    own("status", Shape::Text, "`open`, or `archived`"),
    own("source", Shape::Text, "`source_name`"),
    own("amount", Shape::Number, "`value.amount`"),
    own("currency", Shape::Currency, "`value.currency`"),
    own("close_date", Shape::Time, "`expected_close_date`"),
];

const ACTIVITIES: &[Field] = &[
    doc(
        "record_type",
        Shape::RecordType,
        "the kind of the first link there is: opportunity, contact, account, lead",
    ),
    doc("record_public_id", Shape::Parent, "that link"),
    own("opportunity_public_id", Shape::Reference(Entity::Opportunities), "`deal_id`"),
    own("contact_public_id", Shape::Reference(Entity::Contacts), "`person_id`"),
    own("account_public_id", Shape::Reference(Entity::Accounts), "`org_id`"),
    own("lead_public_id", Shape::Reference(Entity::Leads), "`lead_id`"),
    own("activity_type", Shape::Text, "`type`"),
    own("subject", Shape::Text, "`subject`"),
    own("body", Shape::Text, "`note`"),
    own("due_at", Shape::Time, "`due_date` with `due_time`, or the date alone"),
    own("duration", Shape::Text, "`duration`"),
    own("done", Shape::Flag, "`done`"),
    own("completed_at", Shape::Time, "`marked_as_done_time`"),
    own("busy", Shape::Flag, "`busy`"),
    own("location", Shape::Text, "`location.value`"),
    own("public_description", Shape::Text, "`public_description`"),
    own("priority", Shape::Number, "`priority`"),
    own("participants", Shape::List, "`participants`, unless that is the contact alone"),
];

impl Entity {
    /// All arrays, in import order.
    pub const ALL: [Self; 5] =
        [Self::Accounts, Self::Contacts, Self::Opportunities, Self::Leads, Self::Activities];

    /// Returns the key in the bundle.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Contacts => "contacts",
            Self::Opportunities => "opportunities",
            Self::Leads => "leads",
            Self::Activities => "activities",
        }
    }

    /// Returns the `record_type` of a row of this array.
    pub const fn record_type(self) -> &'static str {
        match self {
            Self::Accounts => "account",
            Self::Contacts => "contact",
            Self::Opportunities => "opportunity",
            Self::Leads => "lead",
            Self::Activities => "activity",
        }
    }

    /// Returns the prefix of the public ids.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Accounts => "acct_",
            Self::Contacts => "cnt_",
            Self::Opportunities => "opp_",
            Self::Leads => "lead_",
            Self::Activities => "act_",
        }
    }

    /// Returns the array with this key.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.name() == name)
    }

    /// Returns the array whose rows have this `record_type`. Activities are the parent of no row.
    pub fn of_record_type(name: &str) -> Option<Self> {
        let mut parents = Self::ALL.into_iter().filter(|entity| *entity != Self::Activities);
        parents.find(|entity| entity.record_type() == name)
    }

    /// Returns the field by which an activity refers to a row of this array, in addition to its parent.
    pub const fn link(self) -> Option<&'static str> {
        match self {
            Self::Accounts => Some("account_public_id"),
            Self::Contacts => Some("contact_public_id"),
            Self::Opportunities => Some("opportunity_public_id"),
            Self::Leads => Some("lead_public_id"),
            Self::Activities => None,
        }
    }

    /// Returns the fields that rows of every array have.
    pub const fn common() -> &'static [Field] {
        COMMON
    }

    /// Returns the fields that only rows of this array have.
    pub const fn own(self) -> &'static [Field] {
        match self {
            Self::Accounts => ACCOUNTS,
            Self::Contacts => CONTACTS,
            Self::Opportunities => OPPORTUNITIES,
            Self::Leads => LEADS,
            Self::Activities => ACTIVITIES,
        }
    }

    /// Returns all known fields of this array.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        COMMON.iter().chain(self.own())
    }

    /// Returns the field with this key.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

/// The fields with the times of creation and update. A target may set them itself, so a difference in them
/// is neither a reason to push a row nor a reported difference.
pub const STAMPS: &[&str] = &["created_at", "updated_at"];

/// The names of fields whose value is incomplete because a part has no name. Only rows that are read from
/// the target account have this key; no bundle has it.
pub(super) const PARTIAL: &str = "partial_fields";

/// The top-level values of a bundle other than its arrays, each as raw JSON.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// The `version`: text or a number.
    pub version: Option<String>,
    /// The `exported_at`.
    pub exported_at: Option<String>,
    /// The `organization_id`.
    pub organization_id: Option<String>,
    /// The other keys, including entity keys whose value is not a list.
    pub other: Vec<(String, String)>,
}

impl Head {
    /// Returns the organization that owns the rows, as text.
    pub fn organization(&self) -> Option<String> {
        let raw = self.organization_id.as_deref().filter(|raw| *raw != "null")?;
        Some(text(raw).unwrap_or_else(|| raw.to_owned()))
    }

    /// Returns the time of the export.
    pub fn exported(&self) -> Option<Time> {
        Time::parse(&text(self.exported_at.as_deref()?)?)
    }

    /// Returns an error for an unknown version, because the meaning of its rows is unknown.
    pub fn check_version(&self) -> Result<()> {
        let known = ["1", "\"1\"", "\"1.0\"", "1.0"];
        match self.version.as_deref() {
            Some(version) if known.contains(&version) => Ok(()),
            Some(version) => {
                let shown: String = version.chars().take(40).collect();
                let message = format!(
                    "bundle is of version {shown}, this program knows version {BUNDLE_VERSION}: \
                     export it again, or update source-pipedrive"
                );
                Err(Error::new(Kind::Data, message))
            }
            // A subset written by hand may have no version.
            None => Ok(()),
        }
    }
}

/// Returns the raw value of a key of a row. Parsing stops at that key.
pub fn value_of<'r>(row: &'r str, name: &str) -> Option<&'r str> {
    let mut json = Json::new(row);
    let mut more = json.open(b'{').ok()?;
    while more {
        let key = json.key().ok()?;
        let value = json.value().ok()?;
        if key == name {
            return Some(value);
        }
        more = json.more(b'{').ok()?;
    }
    None
}

/// Returns the public id of a row. An empty id counts as missing.
pub fn public_id_of(row: &str) -> Option<String> {
    text(value_of(row, "public_id")?).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_their_fields_are_told_apart() {
        for entity in Entity::ALL {
            assert_eq!(Entity::named(entity.name()), Some(entity));
            let mut names: Vec<_> = entity.fields().map(|field| field.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{entity:?} has a field twice");
        }
        assert_eq!(Entity::of_record_type("lead"), Some(Entity::Leads));
        assert_eq!(Entity::of_record_type("activity"), None);
    }

    #[track_caller]
    fn check(version: Option<&str>, known: bool) {
        let head = Head { version: version.map(str::to_owned), ..Head::default() };
        assert_eq!(head.check_version().is_ok(), known, "{version:?}");
    }

    #[test]
    fn versions_are_text_or_numbers() {
        for version in [None, Some("1"), Some("\"1\""), Some("1.0")] {
            check(version, true);
        }
        for version in ["2", "\"1.1\"", "null", "{}", "\"\""] {
            check(Some(version), false);
        }
    }
}
