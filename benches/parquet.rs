//! Records to Parquet: deals of the sandbox with 20 custom fields, through builders and encoder.
//! `cargo bench --bench parquet`.
//!
//! CPU time of this thread, best of several rounds. `--rows N` sets the number of deals. With
//! `--out FOLDER` the records are left there as `deals.ndjson`, the parts as `deals-N.parquet`,
//! and `deals.sql` is what `DuckDB` is asked to do with the same records.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "counts and nanoseconds fit a double")]

use bytes::Bytes;
use serde_json::{Value, json};
use source_pipedrive::dataset::table::Columns;
use source_pipedrive::dataset::table::{Encoded, Parts, ROW_GROUP_ROWS};
use source_pipedrive::model::{Definition, Names, Resource, Time, Type};
use source_pipedrive::sandbox::AccountState;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

const ROWS: usize = 100_000;
const ROUNDS: usize = 5;
const NOW: Time = Time::from_seconds(1_795_295_220);

/// The sandbox has 17 custom fields, most of them null in a deal; these are always set.
const MORE: &[(&str, &str)] = &[("Margin", "double"), ("Remark", "varchar"), ("Rank", "enum")];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        arguments.iter().position(|a| a == name).and_then(|place| arguments.get(place + 1))
    };
    let rows = after("--rows").and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    let (records, definitions) = deals(rows);
    let bytes: usize = records.iter().map(Bytes::len).sum();
    println!("{} deals, {} bytes each on average", records.len(), bytes / records.len());
    let deals = Resource::named("deals").expect("there are deals");
    let names = Names::pinned(deals, &definitions, &BTreeMap::new());
    let per = 1e5 / records.len() as f64;
    for (how, names) in [("readable names, with labels", Some(&names)), ("hashes", None)] {
        let columns = || Columns::of(deals, &definitions, names);
        let filled = best(|| fill(columns(), &records));
        let parts = encode(columns(), &records);
        let size: usize = parts.iter().map(|part| part.bytes.len()).sum();
        let whole = best(|| encode(columns(), &records).len());
        println!(
            "{how:<28} {:.3} CPU s per 100,000 ({:.3} of it columns), {size} bytes in {} parts",
            whole * per,
            filled * per,
            parts.len()
        );
        if let Some(folder) = after("--out").filter(|_| names.is_none()) {
            leave(Path::new(folder), &records, &parts, &definitions).expect("the folder is ours");
        }
    }
}

/// Least CPU seconds of a round.
fn best(mut round: impl FnMut() -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let (before, clock) = (cpu_nanos(), Instant::now());
        std::hint::black_box(round());
        let wall = clock.elapsed().as_nanos() as f64;
        let nanos = match (before, cpu_nanos()) {
            (Some(before), Some(after)) => (after - before) as f64,
            _ => wall,
        };
        best = best.min(nanos / 1e9);
    }
    best
}

/// Nanoseconds this thread has run, where Linux tells.
fn cpu_nanos() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn fill(mut columns: Columns, records: &[Bytes]) -> usize {
    let mut batches = 0;
    for record in records {
        columns.push(record, NOW).expect("it is an object");
        if columns.rows() == ROW_GROUP_ROWS {
            batches += columns.finish().expect("columns are of one length").num_columns();
        }
    }
    batches + columns.finish().expect("columns are of one length").num_columns()
}

fn encode(columns: Columns, records: &[Bytes]) -> Vec<Encoded> {
    let mut table = Parts::new(columns);
    let mut parts = Vec::new();
    for record in records {
        table.push(record, NOW).expect("it is an object");
        parts.extend(table.take_full());
    }
    parts.extend(table.close().expect("it can be encoded"));
    parts
}

/// Deals of the sandbox, three custom fields added to each.
fn deals(rows: usize) -> (Vec<Bytes>, Vec<Definition>) {
    let mut world = AccountState::new(1, rows as f64 / 1_000.0);
    let fields = world.truth("deal_fields");
    let mut definitions: Vec<_> = fields
        .iter()
        .map(|row| Definition::from_json(&row.json).expect("it is a definition"))
        .filter(|field| field.custom)
        .collect();
    for (place, (name, ty)) in MORE.iter().enumerate() {
        let options = json!([{"id": 1, "label": "first"}, {"id": 2, "label": "second"}, {"id": 3, "label": "third"}]);
        let definition = json!({"field_name": name, "field_code": code(place), "field_type": ty,
            "options": if *ty == "enum" { options } else { Value::Null }, "is_custom_field": true});
        definitions.push(serde_json::from_value(definition).expect("it is a definition"));
    }
    let more = |nth: usize| {
        format!(
            r#""{}":{}.{},"{}":"remark {} on this","{}":{},"#,
            code(0),
            nth * 7919 % 1000,
            nth % 10,
            code(1),
            nth * 31 % 997,
            code(2),
            nth % 3 + 1
        )
    };
    let rows: Vec<String> = world
        .truth("deals")
        .into_iter()
        .enumerate()
        .map(|(nth, row)| {
            let text = std::str::from_utf8(&row.json).expect("records are text");
            let fields = format!("\"custom_fields\":{{{}", more(nth));
            text.replacen("\"custom_fields\":{", &fields, 1)
        })
        .collect();
    // Records are slices of the pages they came in.
    let mut records = Vec::with_capacity(rows.len());
    for page in rows.chunks(500) {
        let body = Bytes::from(page.join(","));
        let mut start = 0;
        for row in page {
            records.push(body.slice(start..start + row.len()));
            start += row.len() + 1;
        }
    }
    (records, definitions)
}

fn code(place: usize) -> String {
    format!("{:040x}", 0xfeed_0000_0000_u64 + place as u64)
}

fn leave(
    folder: &Path,
    records: &[Bytes],
    parts: &[Encoded],
    fields: &[Definition],
) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for record in records {
        lines.extend_from_slice(record);
        lines.push(b'\n');
    }
    fs::write(folder.join("deals.ndjson"), lines)?;
    for (nth, part) in parts.iter().enumerate() {
        fs::write(folder.join(format!("deals-{nth}.parquet")), &part.bytes)?;
    }
    let deals = Resource::named("deals").expect("there are deals");
    let custom =
        fields.iter().map(|field| format!("\"{}\" {}", field.code, sql(field.value(false))));
    let custom = format!("STRUCT({})", custom.collect::<Vec<_>>().join(", "));
    let columns = deals.columns.iter().map(|column| match column.name {
        "custom_fields" => format!("custom_fields: '{custom}'"),
        name => format!("{name}: '{}'", sql(column.ty)),
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    let read = format!(
        "read_json('{{folder}}/deals.ndjson', format='newline_delimited', columns={{{columns}}})"
    );
    let select = format!("SELECT * EXCLUDE custom_fields, unnest(custom_fields) FROM {read}");
    fs::write(
        folder.join("deals.sql"),
        format!(
            "COPY ({select}) TO '{{folder}}/duckdb.parquet' (FORMAT parquet, COMPRESSION zstd)"
        ),
    )
}

/// A type as `DuckDB` writes it.
fn sql(ty: Type) -> String {
    match ty {
        Type::Bool => "BOOLEAN".to_owned(),
        Type::Int => "BIGINT".to_owned(),
        Type::Num => "DOUBLE".to_owned(),
        Type::Date => "DATE".to_owned(),
        Type::Time | Type::Naked => "TIMESTAMP".to_owned(),
        Type::List(of) => format!("{}[]", sql(*of)),
        Type::Object([])
        | Type::Json
        | Type::TextOrObject
        | Type::Text
        | Type::Clock
        | Type::OptionId => "VARCHAR".to_owned(),
        Type::Object(columns) => {
            let parts = columns.iter().map(|c| format!("\"{}\" {}", c.name, sql(c.ty)));
            format!("STRUCT({})", parts.collect::<Vec<_>>().join(", "))
        }
    }
}
