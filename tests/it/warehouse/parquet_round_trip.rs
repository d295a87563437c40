//! Any records, any schema: through Parquet and back they are the same records.

use crate::support::parquet::{Cell, Json, canonical, read, rebuilt};
use fastrand::Rng;
use proptest::prelude::*;
use serde_json::{Value, json};
use source_pipedrive::dataset::table::Columns;
use source_pipedrive::dataset::table::Parts;
use source_pipedrive::model::{Custom, Definition, Names, Resource, Time, Type};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const FIELD_TYPES: &[&str] = &[
    "int",
    "double",
    "boolean",
    "varchar",
    "text",
    "phone",
    "varchar_options",
    "varchar_auto",
    "date",
    "daterange",
    "time",
    "timerange",
    "enum",
    "set",
    "address",
    "monetary",
    "deal",
    "lead",
    "org",
    "people",
    "project",
    "stage",
    "user",
    "activity",
    "json",
    "picture",
    "status",
    "visible_to",
    "hologram",
    "",
];

/// Definitions of this account, their names short enough to collide.
fn definitions(rng: &mut Rng) -> Vec<Definition> {
    let count = rng.usize(..14);
    (0..count).map(|_| {
        let code: String = (0..40).map(|place| if place < 8 { rng.digit(4) } else { 'a' }).collect();
        let names = ["Tier", "tier label", "Tags", "tags_labels", "Title", "id", "Cost", "cost currency", "★", "_extra", "Custom fields", "value"];
        let options: Vec<_> = (0..rng.usize(..4)).map(|id| json!({"id": if rng.bool() { json!(id) } else { json!(id.to_string()) }, "label": format!("n° {id}")})).collect();
        let ty = FIELD_TYPES[rng.usize(..FIELD_TYPES.len())];
        let options = if matches!(ty, "enum" | "set") || rng.u8(..10) == 0 { json!(options) } else { Value::Null };
        serde_json::from_value(json!({"field_name": names[rng.usize(..names.len())], "field_code": code, "field_type": ty,
            "options": options, "is_custom_field": rng.u8(..10) > 0})).expect("it is a definition")
    }).collect()
}

fn quoted(rng: &mut Rng, text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\n' => out.push_str("\\n"),
            _ if letter < ' ' || rng.u8(..20) == 0 => {
                letter
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .for_each(|unit| write!(out, "\\u{unit:04x}").expect("text takes all"));
            }
            _ => out.push(letter),
        }
    }
    out + "\""
}

fn words(rng: &mut Rng) -> String {
    let pool = [
        "",
        "a",
        " ",
        "Zürich",
        "東京",
        "\"",
        "\\",
        "😀",
        "\n",
        "\t",
        "\u{0}",
        "null",
        "{",
        "]",
        "2026-01-01",
        "\u{2028}",
        "/",
    ];
    (0..rng.usize(..5)).map(|_| pool[rng.usize(..pool.len())]).collect()
}

fn number(rng: &mut Rng) -> String {
    let sign = if rng.bool() { "-" } else { "" };
    match rng.u8(..12) {
        0 => "1.50".to_owned(),
        1 => "12345678901234567890123".to_owned(),
        2 => format!("{sign}0"),
        3 => format!("{sign}9223372036854775808"),
        4 => format!("{sign}9223372036854775807"),
        5 => format!("{sign}{}e{}", rng.u32(..100), rng.i32(-340..340)),
        6 => format!("{sign}{}.{}E+{}", rng.u32(..10), rng.u64(..), rng.u8(..30)),
        7 => format!("{:?}", f64::from_bits(rng.u64(..) & !(1 << 62))),
        8 => format!("{sign}0.{}{}", "0".repeat(rng.usize(..25)), rng.u64(..)),
        9 => format!("{sign}{}.0", rng.u8(..)),
        10 => format!("{sign}{}.{:03}", rng.u32(..), rng.u32(..1000)),
        _ => format!("{sign}{}", rng.u64(1..) >> rng.u8(..64)),
    }
}

fn time(rng: &mut Rng) -> String {
    let time = Time::from_millis(rng.i64(-62_000_000_000_000..250_000_000_000_000));
    let whole = time.whole_second().to_string();
    match rng.u8(..9) {
        0 => time.naked(),
        1 => time.date(),
        2 => whole.replace('Z', "+05:30"),
        3 => whole.replace('Z', ".123456789Z"),
        4 => whole.replace('Z', ".12345600Z"),
        5 => "0000-00-00 00:00:00".to_owned(),
        6 => String::new(),
        _ => time.to_string(),
    }
}

fn value(rng: &mut Rng, ty: Type) -> String {
    match ty {
        _ if rng.u8(..12) == 0 => garbage(rng, 2),
        _ if rng.u8(..8) == 0 => "null".to_owned(),
        Type::Bool => ["true", "false"][rng.usize(..2)].to_owned(),
        Type::Int => match rng.u8(..8) {
            0 => number(rng),
            _ => rng.i64(..).to_string(),
        },
        Type::Num => number(rng),
        Type::Text | Type::Clock | Type::TextOrObject => {
            let words = words(rng);
            quoted(rng, &words)
        }
        Type::Date => match rng.u8(..8) {
            0 => format!("\"{}\"", time(rng)),
            1 => "\"0000-00-00\"".to_owned(),
            2 => "\"2026-02-30\"".to_owned(),
            _ => format!(
                "\"{}\"",
                Time::from_seconds(rng.i64(-62_000_000_000..250_000_000_000)).date()
            ),
        },
        Type::Time | Type::Naked => format!("\"{}\"", time(rng)),
        Type::List(of) => {
            let items: Vec<_> = (0..rng.usize(..4)).map(|_| value(rng, *of)).collect();
            format!("[{}]", items.join(" ,"))
        }
        Type::Object([]) | Type::Json => garbage(rng, 3),
        Type::Object(columns) => {
            let pairs = columns
                .iter()
                .filter(|_| rng.u8(..6) > 0)
                .map(|c| (c.name.to_owned(), c.ty))
                .collect::<Vec<_>>();
            object(rng, pairs)
        }
        Type::OptionId => {
            if rng.bool() {
                number(rng)
            } else {
                format!("\"{}\"", rng.u8(..))
            }
        }
    }
}

/// Any JSON.
fn garbage(rng: &mut Rng, depth: u8) -> String {
    match rng.u8(..if depth == 0 { 6 } else { 8 }) {
        0 => "null".to_owned(),
        1 => ["true", "false"][rng.usize(..2)].to_owned(),
        2 => number(rng),
        3 => format!("\"{}\"", time(rng)),
        4 if rng.u8(..10) == 0 => r#""half \ud83d""#.to_owned(),
        4 | 5 => {
            let words = words(rng);
            quoted(rng, &words)
        }
        6 => {
            let items: Vec<_> = (0..rng.usize(..4)).map(|_| garbage(rng, depth - 1)).collect();
            format!("[\n{}]", items.join(","))
        }
        _ => {
            let keys = ["value", "until", "currency", "id", "label", "", "ü\"", "x"];
            let pairs = (0..rng.usize(..4))
                .map(|_| (keys[rng.usize(..keys.len())].to_owned(), garbage(rng, depth - 1)))
                .collect::<Vec<_>>();
            join(rng, &pairs)
        }
    }
}

/// An object with values of these types under these keys, and sometimes others, and sometimes one twice.
fn object(rng: &mut Rng, keys: Vec<(String, Type)>) -> String {
    let mut pairs: Vec<_> = keys.into_iter().map(|(key, ty)| (key, value(rng, ty))).collect();
    if rng.u8(..10) == 0 {
        let key =
            ["brand_new", "", "_extra", "_deleted", "is_deleted", "ключ", "a\"b", &"0".repeat(40)]
                [rng.usize(..8)]
            .to_owned();
        pairs.push((key.clone(), garbage(rng, 2)));
        if rng.u8(..3) == 0 {
            pairs.push((key, garbage(rng, 1)));
        }
    }
    if rng.u8(..15) == 0 && !pairs.is_empty() {
        let again = pairs[rng.usize(..pairs.len())].0.clone();
        pairs.push((again, garbage(rng, 2)));
    }
    if rng.u8(..6) == 0 {
        rng.shuffle(&mut pairs);
    }
    join(rng, &pairs)
}

fn join(rng: &mut Rng, pairs: &[(String, String)]) -> String {
    let space = ["", "", "", " ", "\n  ", "\r\n"][rng.usize(..6)];
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, value)| {
            format!("{}{space}:{space}{value}", quoted(&mut Rng::with_seed(1), key))
        })
        .collect();
    format!("{{{space}{}{space}}}", pairs.join(","))
}

fn record(rng: &mut Rng, resource: &Resource, fields: &[Definition]) -> String {
    if rng.u8(..20) == 0 {
        return format!(
            r#"{{"id":{},"_deleted":true,"reason":"deleted","detected_between":["2026-01-01T00:00:00Z","2026-01-02T00:00:00Z"]}}"#,
            rng.u8(..)
        );
    }
    let flat = resource.custom == Custom::Flat;
    let mut custom = Vec::new();
    for field in fields {
        if rng.u8(..5) == 0 {
            continue;
        }
        let ty = field.value(flat && !(matches!(field.ty.as_str(), "enum" | "set") && rng.bool()));
        custom.push((
            field.code.clone(),
            if flat && field.ty == "set" && rng.bool() { Type::OptionId } else { ty },
        ));
        custom.extend(
            field
                .companions(flat)
                .iter()
                .map(|part| (format!("{}_{}", field.code, part.name), part.ty)),
        );
    }
    let columns =
        resource.columns.iter().filter(|column| column.name != "custom_fields" && rng.u8(..5) > 0);
    let mut keys: Vec<_> = columns.map(|column| (column.name.to_owned(), column.ty)).collect();
    if flat {
        keys.append(&mut custom);
    }
    let mut record = object(rng, keys);
    if resource.custom == Custom::Nested && rng.u8(..10) > 0 {
        for _ in 0..=u8::from(rng.u8(..15) == 0) {
            let nested =
                if rng.u8(..15) == 0 { garbage(rng, 2) } else { object(rng, custom.clone()) };
            let comma =
                if record.trim_matches(['{', '}', ' ', '\r', '\n']).is_empty() { "" } else { "," };
            record = format!(
                "{}{comma}\"custom_fields\":{nested}}}",
                record.strip_suffix('}').expect("it is an object")
            );
        }
    }
    record
}

/// Whether a JSON reader finds this under this key.
fn says(record: &Json, key: &str) -> bool {
    matches!(record, Json::Object(pairs) if pairs.get(key) == Some(&Json::Bool(true)))
}

/// The same of a flag, which may be a number or a text.
fn flags(record: &Json, key: &str) -> bool {
    let Json::Object(pairs) = record else { return false };
    let yes = ["true", "1", "\"true\"", "\"1\""].map(Json::parse);
    pairs.get(key).is_some_and(|value| yes.contains(value))
}

fn round_trip(seed: u64) {
    let rng = &mut Rng::with_seed(seed);
    let resources: Vec<_> = Resource::all().collect();
    let favourite = ["deals", "leads", "persons"][rng.usize(..3)];
    let resource = if rng.bool() {
        Resource::named(favourite).expect("it exists")
    } else {
        resources[rng.usize(..resources.len())]
    };
    let fields = if resource.custom == Custom::None { Vec::new() } else { definitions(rng) };
    let names = match rng.u8(..3) {
        0 => None,
        1 => Some(Names::pinned(resource, &fields, &BTreeMap::new())),
        _ => {
            let pins = fields.iter().filter(|_| rng.bool()).enumerate();
            let pins = pins.map(|(nth, field)| {
                (
                    field.code.clone(),
                    ["tier", "value", "cost", "tags", "tier_label", "x"]
                        .get(nth)
                        .map_or_else(|| format!("k{nth}"), |k| (*k).to_owned()),
                )
            });
            Some(Names::pinned(resource, &fields, &pins.collect()))
        }
    };
    let columns = Columns::of(resource, &fields, names.as_ref());
    let mapping = columns.mapping().clone();
    let schema = columns.schema();
    let unique: std::collections::BTreeSet<_> =
        schema.fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(unique.len(), schema.fields().len(), "two columns of one name");
    let mut table = Parts::new(columns);
    let records: Vec<_> = (0..rng.usize(1..12)).map(|_| record(rng, resource, &fields)).collect();
    let mut parts = Vec::new();
    for (nth, record) in (0..).zip(&records) {
        table.push(record.as_bytes(), Time::from_seconds(nth)).expect("it is an object");
        if rng.u8(..8) == 0 {
            parts.extend(table.close().expect("it can be encoded"));
        }
    }
    parts.extend(table.close().expect("it can be encoded"));
    let rows = read(&parts);
    assert_eq!(rows.len(), records.len());
    for part in &parts {
        let keys = read(std::slice::from_ref(part))
            .into_iter()
            .map(|row| resource.key.iter().map(|key| row[*key].clone()).collect::<Vec<_>>());
        assert!(keys.collect::<Vec<_>>().is_sorted());
    }
    let mut odd = false;
    for row in &rows {
        let Cell::Time(synced) = row["_synced_at"] else { panic!("every row has a time") };
        let record = &records[usize::try_from(synced.seconds()).expect("it is a place")];
        let fields: Vec<_> = fields.iter().filter(|field| field.custom).cloned().collect();
        let original = Json::parse(record);
        let tombstone = says(&original, "_deleted");
        let stated = row.get("status") == Some(&Cell::Text("deleted".to_owned()));
        assert_eq!(
            row["_deleted"],
            Cell::Bool(tombstone || flags(&original, "is_deleted") || stated),
            "{record}"
        );
        odd |= !tombstone && row["_extra"] != Cell::Null;
        let again = canonical(rebuilt(row, resource, &fields, &mapping), resource, &fields);
        assert_eq!(
            again,
            canonical(original, resource, &fields),
            "{} {record}\n{row:?}",
            resource.name
        );
    }
    // A converted value is in `_extra`, too, and is no misfit.
    assert!(odd || table.columns().misfits().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..ProptestConfig::default() })]

    /// Typed columns and `_extra` together contain everything that the record contained.
    #[test]
    fn no_value_is_lost(seed in any::<u64>()) {
        round_trip(seed);
    }
}
