//! Generates the values of each column: rules by name and type, resolved once per resource.

use super::features::Features;
use super::json::Spelling;
use crate::model::{Column, Resource, Type};

/// A column of a resource, prepared for writing.
#[derive(Debug)]
pub(super) struct Cell {
    /// `"name":`
    pub(super) prefix: Vec<u8>,
    /// The kind of its values.
    pub(super) fill: Fill,
    /// Whether it may lack a value.
    pub(super) presence: Presence,
    /// The notation of its times.
    pub(super) spelling: Spelling,
}

/// Whether a column may lack a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// It always has a value.
    Always,
    /// It is null in some rows.
    Nullable,
    /// It is null in some rows, and left out in others.
    Optional,
}

/// The kind of a column's values.
#[derive(Debug)]
pub(super) enum Fill {
    /// The number of the row.
    Id,
    Uuid,
    /// This number of hexadecimal digits.
    Hex(usize),
    /// The title or name of the row.
    Title,
    FirstName,
    LastName,
    Sentence,
    Html,
    /// The number of a row of another resource.
    Ref(&'static str),
    /// The UUID of a lead.
    Lead,
    /// The numbers of up to three rows of another resource.
    Refs(&'static str),
    /// The id of the company.
    Company,
    /// The key of the parent row.
    Parent,
    /// One of these raw values.
    Pick(&'static [&'static str]),
    /// One of these raw values, by row number.
    Nth(&'static [&'static str]),
    /// A number that the rows of a group of this size share.
    Group(u64),
    /// The position inside a group of this size.
    Order(u64),
    /// An amount with cents.
    Money,
    /// An integer from this range.
    Whole(u64, u64),
    Add,
    Update,
    /// A time between creation and last update.
    Between,
    /// The time at which the deal was first won.
    FirstWon,
    /// The time of the user's last login.
    LastLogin,
    /// The time at which the deal was won, lost or closed. It is null in other states.
    Ended(Ending, Shape),
    Archived(Mark),
    Deleted,
    Active,
    Status,
    Probability,
    LostReason,
    Date,
    Address,
    /// Contacts with a label: e-mail addresses, phone numbers or messenger names.
    Contacts(Contact),
    Email,
    /// The name of the row that another column of this row refers to, as text or in an object under this key.
    Named(&'static str, Option<&'static str>),
    Custom,
    /// A value with a form of its own.
    Special(Special),
    List(Box<Fill>),
    Object(Vec<Cell>),
}

/// The outcome of a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Won,
    Lost,
    Either,
}

/// A time, or only its date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Time,
    Date,
}

/// Whether a row is archived, or the time at which it was archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Flag,
    Time,
}

/// A kind of contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    Email,
    Phone,
    Messenger,
}

/// The columns that need special code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Prices(&'static str),
    Participants,
    Attendees,
    GoalType,
    GoalActive,
    Folders,
    MailParties,
    Party,
    MessageCount,
    LabelUuids,
    UserAccess,
    IsYou,
    IsAdmin,
    NoteUser,
    ParticipantPerson,
    ParticipantWrap,
    Follower,
    PhaseOfBoard,
    Duration,
    SmallText,
    SetOfParent,
    Url,
}

/// Returns the columns of a resource in the order in which the API sends them, without those that the reader
/// adds.
pub(super) fn cells(resource: &'static Resource, features: Features) -> Vec<Cell> {
    let added = resource.parent.as_ref().map_or([None, None], |p| [p.column, p.digest]);
    let sent = resource.columns.iter().filter(|column| !added.contains(&Some(column.name)));
    // The text of a message is added only if it is requested.
    let on_demand = |name: &str| resource.listings[0].wrapped.is_some() && name == "body";
    sent.filter(|column| !(resource.name == "leads" && column.name == "custom_fields"))
        .filter(|column| features.sends(resource.name, column.name))
        .filter(|column| !on_demand(column.name))
        .map(|column| cell(resource, column))
        .collect()
}

/// Returns the notation of times of a resource.
pub(super) fn spelling(resource: &Resource) -> Spelling {
    let path = resource.listings[0].path;
    let seconds = path.starts_with("/api/v2") && resource.feature != Some("projects");
    if seconds { Spelling::Seconds } else { Spelling::Millis }
}

fn cell(resource: &Resource, column: &'static Column) -> Cell {
    let fill = super::rules::rule(resource.name, column.name)
        .unwrap_or_else(|| by_type(column.name, column.ty));
    let nullable = matches!(
        fill,
        Fill::Ref(_)
            | Fill::Lead
            | Fill::Date
            | Fill::Between
            | Fill::Address
            | Fill::Named(..)
            | Fill::Sentence
    ) || NULLABLE.contains(&column.name);
    // These columns write null themselves, in the states that they do not apply to.
    let own = matches!(fill, Fill::Ended(..) | Fill::FirstWon | Fill::Archived(_));
    // Amounts refer to a currency by its code.
    let code = resource.name == "currencies" && column.name == "code";
    let key = resource.key.contains(&column.name) || code;
    let presence = match (column.optional, nullable) {
        _ if own || key || NEVER_NULL.contains(&column.name) => Presence::Always,
        (true, _) => Presence::Optional,
        (false, true) => Presence::Nullable,
        (false, false) => Presence::Always,
    };
    let spelling =
        if matches!(column.ty, Type::Naked) { Spelling::Naked } else { spelling(resource) };
    Cell { prefix: format!("\"{}\":", column.name).into_bytes(), fill, presence, spelling }
}

/// The columns that may be null, although their kind does not imply it.
const NULLABLE: &[&str] =
    &["code", "category", "unit", "phone", "color", "days_to_rotten", "description", "probability"];

/// The references and dates that every row has.
const NEVER_NULL: &[&str] = &[
    "owner_id",
    "user_id",
    "creator_user_id",
    "creator_id",
    "pipeline_id",
    "stage_id",
    "board_id",
    "project_id",
    "phase_id",
    "actor_user_id",
    "manager_id",
    "role_id",
    "deal_ids",
    "start_time",
    "end_time",
    "billing_date",
    "field_key",
    "status",
    "is_archived",
    "is_deleted",
];

/// Returns the kind of a column of this type without a rule.
fn by_type(name: &str, ty: Type) -> Fill {
    match ty {
        Type::Bool => Fill::Pick(&["true", "false"]),
        Type::Int if name.ends_with("_flag") => Fill::Pick(&["0", "1"]),
        Type::Int | Type::OptionId => Fill::Whole(1, 90),
        Type::Num => Fill::Money,
        Type::Text | Type::TextOrObject => Fill::Sentence,
        Type::Date => Fill::Date,
        Type::Time | Type::Naked => Fill::Between,
        Type::Clock => Fill::Pick(&["\"09:00\"", "\"13:45:00\"", "\"00:30\""]),
        Type::List(item) => Fill::List(Box::new(by_type(name, *item))),
        Type::Object(columns) => Fill::Object(
            columns
                .iter()
                .map(|column| Cell {
                    prefix: format!("\"{}\":", column.name).into_bytes(),
                    fill: by_type(column.name, column.ty),
                    presence: Presence::Always,
                    spelling: Spelling::Millis,
                })
                .collect(),
        ),
        Type::Json => Fill::Pick(&["\"text\"", "{\"a\":1}", "[1,2]"]),
    }
}
