//! Generates the values of each column: rules by name and type, resolved once per resource.

use super::features::Features;
use super::json::Spelling;
use crate::model::{Column, Resource, Type};

/// A column of a resource, ready to be written.
#[derive(Debug)]
pub(super) struct Cell {
    /// `"name":`
    pub(super) prefix: Vec<u8>,
    /// What its values are.
    pub(super) fill: Fill,
    /// Whether it may be without a value.
    pub(super) presence: Presence,
    /// How its times are spelt.
    pub(super) spelling: Spelling,
}

/// Whether a column may be without a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Never.
    Always,
    /// Null in some rows.
    Nullable,
    /// Null in some rows, left out in others.
    Optional,
}

/// What the values of a column are. Raw JSON where it says so.
#[derive(Debug)]
pub(super) enum Fill {
    /// The row's number.
    Id,
    Uuid,
    /// As many hexadecimal digits.
    Hex(usize),
    /// What people call the row.
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
    /// The number of the company.
    Company,
    /// The key of the parent row.
    Parent,
    /// One of these, raw.
    Pick(&'static [&'static str]),
    /// These by row number, raw.
    Nth(&'static [&'static str]),
    /// Rows of a group share a number.
    Group(u64),
    /// The place inside a group.
    Order(u64),
    /// A sum with cents.
    Money,
    /// A whole number from this range.
    Whole(u64, u64),
    Add,
    Update,
    /// An instant between creation and last update.
    Between,
    /// When the deal was first won.
    FirstWon,
    /// When the user was last there.
    LastLogin,
    /// When the deal was won, lost, closed; null in other states.
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
    /// The name of the row that another column of this row points at, wrapped in an object
    /// under this key, or bare.
    Named(&'static str, Option<&'static str>),
    Custom,
    /// What only one column of the account looks like.
    Special(Special),
    List(Box<Fill>),
    Object(Vec<Cell>),
}

/// A way for a deal to end.
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

/// Whether a row is archived, or since when.
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

/// Columns that need more than a rule.
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

/// The cells of a resource, in the order the API sends them. Columns the reader adds are left out.
pub(super) fn cells(resource: &'static Resource, features: Features) -> Vec<Cell> {
    let added = resource.parent.as_ref().map_or([None, None], |p| [p.column, p.digest]);
    let sent = resource.columns.iter().filter(|column| !added.contains(&Some(column.name)));
    // The text of a message is added where it is asked for.
    let on_demand = |name: &str| resource.listings[0].wrapped.is_some() && name == "body";
    sent.filter(|column| !(resource.name == "leads" && column.name == "custom_fields"))
        .filter(|column| features.sends(resource.name, column.name))
        .filter(|column| !on_demand(column.name))
        .map(|column| cell(resource, column))
        .collect()
}

/// How a resource spells its times.
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
    // These say null themselves, in the states they do not belong to.
    let own = matches!(fill, Fill::Ended(..) | Fill::FirstWon | Fill::Archived(_));
    // Sums name a currency by its code.
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

/// Columns that may be null though their type does not show it.
const NULLABLE: &[&str] =
    &["code", "category", "unit", "phone", "color", "days_to_rotten", "description", "probability"];

/// References and dates every row has.
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

/// What a column of this type looks like when no rule names it.
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
