//! The custom fields of the account, and their values in both spellings (pipedrive-api.md 5.4).

use super::json;
use super::sample_text;
use crate::model::Time;
use fastrand::Rng;
use sha2::{Digest as _, Sha256};

/// A custom field of one entity.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// The code: 40 hexadecimal digits.
    pub(super) code: String,
    /// The name that users see. It is not unique.
    pub(super) name: String,
    /// The type.
    pub(super) kind: Kind,
    /// The ids and labels of the options, for an enum or set.
    pub(super) options: Vec<(u64, String)>,
    place: u64,
}

/// The creatable field types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Varchar,
    VarcharAuto,
    Text,
    Double,
    Phone,
    Date,
    DateRange,
    Time,
    TimeRange,
    Set,
    Enum,
    Address,
    Monetary,
    Org,
    People,
    User,
}

impl Kind {
    /// Returns the `field_type`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Varchar => "varchar",
            Self::VarcharAuto => "varchar_auto",
            Self::Text => "text",
            Self::Double => "double",
            Self::Phone => "phone",
            Self::Date => "date",
            Self::DateRange => "daterange",
            Self::Time => "time",
            Self::TimeRange => "timerange",
            Self::Set => "set",
            Self::Enum => "enum",
            Self::Address => "address",
            Self::Monetary => "monetary",
            Self::Org => "org",
            Self::People => "people",
            Self::User => "user",
        }
    }

    /// Returns the kind of this `field_type`.
    pub(super) fn named(name: &str) -> Option<Self> {
        FIELDS.iter().map(|(_, kind)| *kind).find(|kind| kind.name() == name)
    }

    /// Returns the keys inside the value object, with their types.
    pub(super) const fn parts(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Monetary => &[("value", "double"), ("currency", "varchar")],
            Self::DateRange => &[("value", "date"), ("until", "date")],
            Self::Time => {
                &[("value", "time"), ("timezone_id", "int"), ("timezone_name", "varchar")]
            }
            Self::TimeRange => &[
                ("value", "time"),
                ("until", "time"),
                ("timezone_id", "int"),
                ("timezone_name", "varchar"),
            ],
            Self::Address => &[
                ("value", "varchar"),
                ("country", "varchar"),
                ("locality", "varchar"),
                ("route", "varchar"),
                ("street_number", "varchar"),
                ("postal_code", "varchar"),
                ("formatted_address", "varchar"),
            ],
            _ => &[],
        }
    }
}

/// The fields of every entity. Two have the name "Region".
const FIELDS: &[(&str, Kind)] = &[
    ("Tier", Kind::Enum),
    ("Budget", Kind::Monetary),
    ("Region", Kind::Set),
    ("Reference", Kind::Varchar),
    ("Match code", Kind::VarcharAuto),
    ("Background 📝", Kind::Text),
    ("Score", Kind::Double),
    ("Hotline", Kind::Phone),
    ("Signed on", Kind::Date),
    ("Campaign", Kind::DateRange),
    ("Call at", Kind::Time),
    ("Opening hours", Kind::TimeRange),
    ("Delivery address", Kind::Address),
    ("Partner", Kind::Org),
    ("Referrer", Kind::People),
    ("Second owner", Kind::User),
    ("Region", Kind::Varchar),
];

/// The id of the option of a field that was changed to a type with options.
pub(super) const LATE_OPTION: u64 = 9_001;

const LABELS: &[&str] = &["gold", "Silber ✨", "ブロンズ", "low, \"very\" low"];

/// Returns the custom fields of an entity. They are the same for the same seed.
pub(super) fn fields(seed: u64, entity: &str) -> Vec<Field> {
    let few = entity == "project";
    let fields = FIELDS.iter().enumerate().filter(|(place, _)| !few || *place < 3);
    let mut option = 30;
    fields
        .map(|(place, (name, kind))| {
            let labels: &[&str] = if matches!(kind, Kind::Enum | Kind::Set) { LABELS } else { &[] };
            let options = labels.iter().map(|label| {
                option += 1;
                (option, (*label).to_owned())
            });
            let options = options.collect();
            let code = code(seed, entity, place);
            Field { code, name: (*name).to_owned(), kind: *kind, options, place: place as u64 }
        })
        .collect()
}

/// Returns the field that an edit adds to these, in an account of this seed whose entity lost this many
/// fields.
pub(super) fn added(
    (seed, entity, deleted): (u64, &str, usize),
    fields: &[Field],
    name: &str,
    kind: Kind,
    labels: Vec<String>,
) -> Field {
    let first = next_option(fields);
    let place = FIELDS.len() + fields.len() + deleted;
    Field {
        code: code(seed, entity, place),
        name: name.to_owned(),
        kind,
        options: (first..).zip(labels).collect(),
        place: place as u64,
    }
}

/// Returns the id of the next new option of these fields.
pub(super) fn next_option(fields: &[Field]) -> u64 {
    let known = fields.iter().flat_map(|field| &field.options);
    known.map(|(id, _)| id + 1).max().unwrap_or(31)
}

fn code(seed: u64, entity: &str, place: usize) -> String {
    let digest = Sha256::digest(format!("{seed}/{entity}/{place}"));
    let mut code = String::with_capacity(40);
    for byte in digest.iter().take(20) {
        code.push(char::from(b"0123456789abcdef"[usize::from(byte >> 4)]));
        code.push(char::from(b"0123456789abcdef"[usize::from(byte & 15)]));
    }
    code
}

/// The numbers of users, persons and organizations that values may refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Targets {
    pub(super) users: u64,
    pub(super) persons: u64,
    pub(super) organizations: u64,
    /// Whether some of these rows no longer exist.
    pub(super) gone: bool,
    pub(super) now: Time,
}

impl Targets {
    fn one(&self, count: u64, rng: &mut Rng) -> u64 {
        let id = 1 + rng.u64(..count.max(1));
        if self.gone { vanished(id, rng) } else { id }
    }
}

/// The resources of which rows that no longer exist are referred to.
pub(super) const VANISH: &[&str] = &["persons", "organizations", "products", "users"];

/// The first id of rows that no longer exist. It is higher than any id of a generated account.
const GONE: u64 = 70_000_000;

/// Returns the id for a reference. One reference in twenty is to a row that no longer exists.
pub(super) fn vanished(id: u64, rng: &mut Rng) -> u64 {
    if rng.u8(..20) == 0 { GONE + id } else { id }
}

/// Returns whether a row has a value in a field: one row in seventeen by its number, and one in ten by
/// chance.
fn filled(field: &Field, row: u64, rng: &mut Rng) -> bool {
    let chance = rng.u8(..10) == 0;
    row % 17 == field.place || chance
}

/// Appends the object `custom_fields`, with all fields, most of them null (v2).
pub(super) fn nested(out: &mut Vec<u8>, fields: &[Field], row: u64, rng: &mut Rng, to: &Targets) {
    out.push(b'{');
    for (place, field) in fields.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(field.code.as_bytes());
        out.extend_from_slice(b"\":");
        if !filled(field, row, rng) {
            out.extend_from_slice(b"null");
            continue;
        }
        let parts = parts(field, row, rng, to);
        match (field.kind, parts.as_slice()) {
            (Kind::Set, [(_, value)]) => {
                out.push(b'[');
                out.extend_from_slice(value.trim_matches('"').as_bytes());
                out.push(b']');
            }
            (Kind::Enum, [(_, value)]) => out.extend_from_slice(value.trim_matches('"').as_bytes()),
            (_, [(_, value)]) => out.extend_from_slice(value.as_bytes()),
            (_, parts) => {
                out.push(b'{');
                for (name, value) in parts {
                    json::pair(out, name, value);
                }
                out.push(b'}');
            }
        }
    }
    out.push(b'}');
}

/// Appends `,"<hash>":…` and companions for the fields that are set (v1 leads).
pub(super) fn flat(out: &mut Vec<u8>, fields: &[Field], row: u64, rng: &mut Rng, to: &Targets) {
    for field in fields {
        if !filled(field, row, rng) {
            continue;
        }
        for (name, value) in parts(field, row, rng, to) {
            match name {
                "value" => json::pair(out, &field.code, &value),
                "timezone_name" => {}
                part => json::pair(out, &format!("{}_{part}", field.code), &value),
            }
        }
    }
}

/// Returns the parts of a value as raw JSON. The main part comes first and is called `value`.
fn parts(field: &Field, row: u64, rng: &mut Rng, to: &Targets) -> Vec<(&'static str, String)> {
    let day = |rng: &mut Rng| to.now.plus_seconds(-86_400 * rng.i64(0..700));
    let option = |rng: &mut Rng| field.options[rng.usize(..field.options.len())].0;
    let zone = [("timezone_id", "175".to_owned()), ("timezone_name", "\"Europe/Riga\"".to_owned())];
    let value = match field.kind {
        Kind::Varchar | Kind::VarcharAuto => json::quoted(&sample_text::matter(rng)),
        Kind::Text => json::quoted(sample_text::sentence(rng)),
        Kind::Double => match row % 34 {
            // A conversion to a 64-bit float would change these numbers.
            6 => "12345678901234567890.125".to_owned(),
            23 => "1.50".to_owned(),
            _ => format!("{}.{}", rng.u32(..100), rng.u8(1..10)),
        },
        Kind::Phone => format!("\"+371 2{:07}\"", rng.u32(..10_000_000)),
        Kind::Date => json::quoted(&day(rng).date()),
        Kind::DateRange => {
            let from = day(rng);
            let until = from.plus_seconds(9 * 86_400);
            return vec![
                ("value", json::quoted(&from.date())),
                ("until", json::quoted(&until.date())),
            ];
        }
        Kind::Time => {
            let [id, name] = zone;
            return vec![("value", "\"09:00:00\"".to_owned()), id, name];
        }
        Kind::TimeRange => {
            let [id, name] = zone;
            let until = ("until", "\"10:30:00\"".to_owned());
            return vec![("value", "\"09:00:00\"".to_owned()), until, id, name];
        }
        Kind::Set => {
            let first = option(rng);
            match field.options.iter().map(|(id, _)| *id).find(|id| *id > first) {
                Some(second) => format!("\"{first},{second}\""),
                None => format!("\"{first}\""),
            }
        }
        Kind::Enum => format!("\"{}\"", option(rng)),
        Kind::Address => return address(rng),
        Kind::Monetary => {
            let currency = if rng.u8(..5) == 0 { "null" } else { "\"EUR\"" };
            return vec![
                ("value", rng.u32(1..100_000).to_string()),
                ("currency", currency.to_owned()),
            ];
        }
        Kind::Org => to.one(to.organizations, rng).to_string(),
        Kind::People => to.one(to.persons, rng).to_string(),
        Kind::User => to.one(to.users, rng).to_string(),
    };
    vec![("value", value)]
}

/// Returns the parts of an address, as raw JSON.
pub(super) fn address(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let [country, locality, route, number, code] = sample_text::place(rng);
    let whole = format!("{number} {route}, {locality}, {country}");
    vec![
        ("value", json::quoted(&whole)),
        ("country", json::quoted(country)),
        ("admin_area_level_1", "null".to_owned()),
        ("admin_area_level_2", "null".to_owned()),
        ("locality", json::quoted(locality)),
        ("sublocality", "null".to_owned()),
        ("route", json::quoted(route)),
        ("street_number", json::quoted(number)),
        ("subpremise", "null".to_owned()),
        ("postal_code", json::quoted(code)),
        ("formatted_address", json::quoted(&whole)),
    ]
}
