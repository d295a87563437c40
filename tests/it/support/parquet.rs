//! Rows read back from Parquet, and the records they stand for.
//!
//! Written without the reader's own code: numbers are compared as decimals, times as instants,
//! null as absent.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use serde_json::value::RawValue;
use source_pipedrive::dataset::table::Encoded;
use source_pipedrive::model::{Custom, Definition, Resource, Time, Type};
use std::collections::BTreeMap;

/// A value of a table.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Num(f64),
    Text(String),
    Date(Time),
    Time(Time),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

pub(crate) type Row = BTreeMap<String, Cell>;

/// The rows of Parquet files.
pub(crate) fn read(parts: &[Encoded]) -> Vec<Row> {
    let mut rows = Vec::new();
    for part in parts {
        let reader = ParquetRecordBatchReaderBuilder::try_new(part.bytes.clone())
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .expect("the part is a Parquet file");
        let before = rows.len();
        for batch in reader {
            let batch = batch.expect("the part can be read");
            let schema = batch.schema();
            rows.extend((0..batch.num_rows()).map(|row| {
                let columns = schema.fields().iter().zip(batch.columns());
                columns.map(|(field, array)| (field.name().clone(), cell(array, row))).collect()
            }));
        }
        assert_eq!((rows.len() - before) as u64, part.rows);
    }
    rows
}

fn cell(array: &ArrayRef, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Num(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            Cell::Date(Time::from_seconds(days * 86_400))
        }
        DataType::Timestamp(_, Some(zone)) => {
            assert!(matches!(&**zone, "UTC" | "+00:00"));
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            let seconds = Time::from_seconds(micros.div_euclid(1_000_000)).to_string();
            let text = seconds.replace('Z', &format!(".{:06}Z", micros.rem_euclid(1_000_000)));
            Cell::Time(Time::parse(&text).expect("it is a time"))
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Cell::List((0..items.len()).map(|item| cell(&items, item)).collect())
        }
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            Cell::Object(
                parts.map(|(field, part)| (field.name().clone(), cell(part, row))).collect(),
            )
        }
        ty => panic!("no column is of type {ty}"),
    }
}

impl Cell {
    /// As JSON, without nulls in objects.
    pub(crate) fn shown(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Num(value) => (*value).into(),
            Self::Text(value) => value.clone().into(),
            Self::Date(value) => value.date().into(),
            Self::Time(value) => value.to_string().into(),
            Self::List(items) => items.iter().map(Self::shown).collect(),
            Self::Object(parts) => {
                let parts = parts.iter().filter(|(_, part)| **part != Self::Null);
                parts
                    .map(|(name, part)| (name.clone(), part.shown()))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }
        }
    }

    fn json(&self, ty: Type) -> Json {
        match (self, ty) {
            (Self::Null, _) => Json::Null,
            (Self::Text(raw), Type::Json | Type::Object([])) => Json::parse(raw),
            (Self::Bool(value), _) => Json::Bool(*value),
            (Self::Int(value), _) => Json::parse(&value.to_string()),
            (Self::Num(value), _) => Json::parse(&format!("{value:e}")),
            (Self::Text(text), _) => Json::Text(text.clone()),
            (Self::Date(day), _) => Json::Text(day.date()),
            (Self::Time(time), _) => Json::Text(time.to_string()),
            (Self::List(items), Type::List(of)) => {
                Json::List(items.iter().map(|item| item.json(*of)).collect())
            }
            (Self::Object(parts), Type::Object(columns)) => {
                let parts = columns.iter().map(|c| (c.name.to_owned(), parts[c.name].json(c.ty)));
                Json::Object(parts.collect())
            }
            (cell, ty) => panic!("{cell:?} is not of type {ty:?}"),
        }
    }
}

/// JSON with exact numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Sign, digits without outer zeros, and the power of ten of the last one.
    Num(bool, String, i128),
    Text(String),
    /// A text that holds half a character.
    Broken(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    /// Reads JSON; the last of equal keys counts.
    pub(crate) fn parse(raw: &str) -> Self {
        let raw = raw.trim();
        match raw.as_bytes()[0] {
            b'n' => Self::Null,
            b't' | b'f' => Self::Bool(raw == "true"),
            b'"' => {
                serde_json::from_str(raw).map_or_else(|_| Self::Broken(raw.to_owned()), Self::Text)
            }
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(raw).expect("it is a list");
                Self::List(items.iter().map(|item| Self::parse(item.get())).collect())
            }
            b'{' => {
                let pairs: BTreeMap<String, &RawValue> =
                    serde_json::from_str(raw).expect("it is an object");
                Self::Object(
                    pairs.into_iter().map(|(key, value)| (key, Self::parse(value.get()))).collect(),
                )
            }
            _ => {
                let (digits, power) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
                let point = digits.find('.').map_or(0, |point| digits.len() - point - 1);
                let all = digits.trim_start_matches('-').replace('.', "");
                let kept = all.trim_start_matches('0').trim_end_matches('0');
                let zeros = all.len() - all.trim_end_matches('0').len();
                if kept.is_empty() {
                    return Self::Num(false, String::new(), 0);
                }
                let power: i128 = power.parse().expect("the generator keeps to 30 digits");
                Self::Num(
                    raw.starts_with('-'),
                    kept.to_owned(),
                    power - point as i128 + zeros as i128,
                )
            }
        }
    }

    /// Without nulls in objects.
    fn without_nulls(self) -> Self {
        match self {
            Self::List(items) => Self::List(items.into_iter().map(Self::without_nulls).collect()),
            Self::Object(pairs) => {
                let pairs = pairs.into_iter().filter(|(_, value)| *value != Self::Null);
                Self::Object(pairs.map(|(key, value)| (key, value.without_nulls())).collect())
            }
            other => other,
        }
    }

    /// With every instant in one spelling, and digits as text where the type leaves that open.
    fn typed(self, ty: Type) -> Self {
        match (self, ty) {
            (Self::Text(text), Type::Time | Type::Naked) => {
                let kept = text.split_once('.').is_none_or(|(_, fraction)| {
                    let end =
                        fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
                    fraction[..end].trim_end_matches('0').len() <= 6
                });
                match Time::parse(&text).filter(|_| kept) {
                    Some(time) => Self::Text(time.to_string()),
                    None => Self::Text(text),
                }
            }
            (Self::Bool(flag), Type::OptionId) => Self::Text(flag.to_string()),
            (number @ Self::Num(..), Type::OptionId) => number.whole().map_or(number, Self::Text),
            (Self::List(items), Type::List(of)) => {
                Self::List(items.into_iter().map(|item| item.typed(*of)).collect())
            }
            (Self::Object(mut pairs), Type::Object(columns)) => {
                for column in columns {
                    if let Some(value) = pairs.remove(column.name) {
                        pairs.insert(column.name.to_owned(), value.typed(column.ty));
                    }
                }
                Self::Object(pairs)
            }
            (other, _) => other,
        }
    }

    /// Chosen options as the text of flat fields.
    fn chosen(self) -> Self {
        match &self {
            Self::Num(..) => self.whole().map_or(self, Self::Text),
            Self::List(items) if !items.is_empty() => {
                let texts: Option<Vec<_>> = items.iter().map(Self::whole).collect();
                texts.map_or(self, |texts| Self::Text(texts.join(",")))
            }
            _ => self,
        }
    }

    /// The digits of a whole number that is not too long to write.
    fn whole(&self) -> Option<String> {
        let Self::Num(negative, digits, power @ 0..100) = self else { return None };
        let zeros = "0".repeat(usize::try_from(*power).ok()?);
        let digits = if digits.is_empty() { "0" } else { digits };
        Some(format!("{}{digits}{zeros}", if *negative { "-" } else { "" }))
    }

    fn object(self) -> BTreeMap<String, Self> {
        match self {
            Self::Object(pairs) => pairs,
            other => panic!("{other:?} is no object"),
        }
    }
}

/// A record in the spelling in which records are compared.
pub(crate) fn canonical(record: Json, resource: &Resource, fields: &[Definition]) -> Json {
    let mut pairs = record.object();
    for column in resource.columns {
        if let Some(value) = pairs.remove(column.name) {
            pairs.insert(column.name.to_owned(), value.typed(column.ty));
        }
    }
    let flat = resource.custom == Custom::Flat;
    let custom = |pairs: &mut BTreeMap<String, Json>| {
        for field in fields {
            if let Some(value) = pairs.remove(&field.code) {
                let value = value.typed(field.value(flat));
                let chosen = flat && matches!(field.ty.as_str(), "enum" | "set");
                pairs.insert(field.code.clone(), if chosen { value.chosen() } else { value });
            }
        }
    };
    match (resource.custom, pairs.remove("custom_fields")) {
        (Custom::Nested, Some(Json::Object(mut nested))) => {
            custom(&mut nested);
            pairs.insert("custom_fields".to_owned(), Json::Object(nested));
        }
        (_, Some(other)) => {
            pairs.insert("custom_fields".to_owned(), other);
        }
        (Custom::Flat, None) => custom(&mut pairs),
        (_, None) => {}
    }
    let mut pairs = Json::Object(pairs).without_nulls().object();
    // Without any value it is as good as absent.
    if resource.custom == Custom::Nested
        && pairs.get("custom_fields") == Some(&Json::Object(BTreeMap::new()))
    {
        pairs.remove("custom_fields");
    }
    Json::Object(pairs)
}

/// The record a row stands for: its columns, overridden by `_extra`.
pub(crate) fn rebuilt(
    row: &Row,
    resource: &Resource,
    fields: &[Definition],
    mapping: &Value,
) -> Json {
    let mut record = BTreeMap::new();
    let mut nested = BTreeMap::new();
    let flat = resource.custom == Custom::Flat;
    let mapping = mapping.as_array().expect("the mapping is a list");
    let custom: Vec<&str> = mapping.iter().filter_map(|entry| entry["column"].as_str()).collect();
    for column in resource.columns {
        let own = !custom.contains(&column.name) || resource.key.contains(&column.name);
        if let Some(cell) = row.get(column.name).filter(|_| own) {
            record.insert(column.name.to_owned(), cell.json(column.ty));
        }
    }
    for entry in mapping {
        let text = |name: &str| entry[name].as_str().expect("the mapping is complete").to_owned();
        let code = text("hash");
        let field = fields.iter().find(|field| field.code == code).expect("the field is defined");
        // A file of a run that could not read the definitions has no column for it, but `_extra`.
        let Some(cell) = row.get(&text("column")) else { continue };
        let chosen = flat && matches!(field.ty.as_str(), "enum" | "set");
        let value = cell.json(field.value(flat && !chosen));
        let into = if flat { &mut record } else { &mut nested };
        into.insert(code.clone(), value);
        for part in field.companions(flat) {
            let column = entry["parts"][part.name].as_str().expect("companions have columns");
            into.insert(format!("{code}_{}", part.name), row[column].json(part.ty));
        }
    }
    let mut extra = match &row["_extra"] {
        Cell::Text(extra) => Json::parse(extra).object(),
        _ => BTreeMap::new(),
    };
    if resource.custom == Custom::Nested {
        record.insert("custom_fields".to_owned(), Json::Object(nested));
        if let Some(Json::Object(custom)) = extra.get("custom_fields") {
            let mut nested = record["custom_fields"].clone().object();
            nested.extend(custom.clone());
            extra.insert("custom_fields".to_owned(), Json::Object(nested));
        }
    }
    record.extend(extra);
    Json::Object(record)
}
