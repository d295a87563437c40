//! Odd pages of one, two and four megabytes: what each costs, and that twice the page costs no more
//! than 2.5 times as much. `cargo bench --bench odd`; ends with 1 where something does.
//!
//! Beside it a page of 20,000 unknown keys, against a list of surprises that is gone through for each
//! key, as it once was. CPU time of this thread, best of several rounds.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "counts and nanoseconds fit a double")]

use bytes::Bytes;
use serde_json::value::RawValue;
use source_pipedrive::dataset::table::{Columns, Parts};
use source_pipedrive::model::{
    Batch, Conformer, Layout, Page, Resource, SchemaDeviation, StreamState, Time, TypeMismatches,
    json_eq, json_schema,
};
use source_pipedrive::protocol::RecordEncoder;
use source_pipedrive::protocol::airbyte::Writer;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

const ROUNDS: usize = 5;
const MEGABYTE: usize = 1 << 20;
/// How much more twice as much may cost.
const GROWTH_MAX: f64 = 2.5;
const NOW: Time = Time::from_seconds(1_795_295_220);

fn main() -> ExitCode {
    unknown_keys();
    let mut within = true;
    println!("{:<28} {:<10} {:>8} {:>8} {:>8}  growth", "page", "work", "1 MB", "2 MB", "4 MB");
    for (name, make) in PAGES {
        let pages = [1, 2, 4].map(|times| Bytes::from(page(*make, times * MEGABYTE)));
        for (work, run) in WORK {
            let millis = pages.each_ref().map(|page| 1e3 * best(|| run(page)));
            let growth = (millis[1] / millis[0]).max(millis[2] / millis[1]);
            // What takes less than a millisecond measures something else.
            let fine = growth <= GROWTH_MAX || millis[2] < 1.0;
            within &= fine;
            println!(
                "{name:<28} {work:<10} {:>8.2} {:>8.2} {:>8.2}  {growth:.2}{}",
                millis[0],
                millis[1],
                millis[2],
                if fine { "" } else { " over" }
            );
        }
    }
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A page of 20,000 unknown keys, in one row and in as many.
fn unknown_keys() {
    let keys: Vec<String> = (0..20_000).map(|n| format!("key{n:08}")).collect();
    let pairs: Vec<_> = keys.iter().map(|key| format!("\"{key}\":1")).collect();
    let body = Bytes::from(envelope(&format!("{{\"id\":1,{}}}", pairs.join(","))));
    let ours = best(|| split(&body));
    let scanned = ours
        + once(|| {
            let mut surprises: Vec<SchemaDeviation> = Vec::new();
            for key in &keys {
                let surprise = SchemaDeviation::Unknown(key.clone());
                if !surprises.contains(&surprise) {
                    surprises.push(surprise);
                }
            }
            surprises.len()
        });
    println!(
        "20,000 unknown keys: {:.2} ms, with a list gone through for each {:.0} ms: {:.0} x",
        1e3 * ours,
        1e3 * scanned,
        scanned / ours
    );
}

type Make = fn(usize) -> String;

/// Rows of so many bytes, by what is odd about them.
const PAGES: &[(&str, Make)] = &[
    ("unknown keys in one row", |size| {
        let pairs = (0..size / 20).map(|n| format!("\"key{n:012}\":1"));
        format!("{{\"id\":1,{}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("another key in every row", |size| {
        let rows = (0..size / 40).map(|n| format!("{{\"id\":{n},\"key{n:012}\":1}}"));
        rows.collect::<Vec<_>>().join(",")
    }),
    ("unknown nulls in one row", |size| {
        let pairs = (0..size / 40).map(|n| format!("\"a{n:010}\":1,\"b{n:010}\":null"));
        format!("{{\"id\":1,{}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("one key again and again", |size| {
        format!("{{\"id\":1,{}}}", vec!["\"title\":\"x\""; size / 12].join(","))
    }),
    ("custom_fields again and again", |size| {
        format!("{{\"id\":1,{}}}", vec!["\"custom_fields\":{\"a\":1}"; size / 24].join(","))
    }),
    ("unknown custom fields", |size| {
        let pairs = (0..size / 47).map(|n| format!("\"{n:040x}\":1"));
        format!("{{\"id\":1,\"custom_fields\":{{{}}}}}", pairs.collect::<Vec<_>>().join(","))
    }),
    ("empty rows", |size| vec!["{}"; size / 3].join(",")),
    ("nested rows", |size| {
        let row = format!("{{\"id\":1,\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        vec![row; size / 1_018].join(",")
    }),
    ("one long number", |size| format!("{{\"id\":1,\"value\":{}}}", "7".repeat(size))),
    ("one long text", |size| format!("{{\"id\":1,\"title\":\"{}\"}}", "x".repeat(size))),
    ("one long key", |size| format!("{{\"id\":1,\"{}\":1}}", "k".repeat(size))),
    ("escaped NULs", |size| format!("{{\"id\":1,\"title\":\"{}\"}}", "\\u0000".repeat(size / 6))),
    ("halves of characters", |size| {
        format!("{{\"id\":1,\"title\":\"{}\"}}", "\\ud83d".repeat(size / 6))
    }),
];

fn envelope(rows: &str) -> String {
    format!("{{\"success\":true,\"data\":[{rows}],\"additional_data\":{{\"next_cursor\":null}}}}")
}

fn page(make: Make, size: usize) -> String {
    envelope(&make(size))
}

type Run = fn(&Bytes) -> usize;

/// What is done with a page.
const WORK: &[(&str, Run)] =
    &[("split", split), ("read", read), ("fit", fit), ("parquet", parquet), ("same", compare)];

fn deals() -> &'static Resource {
    Resource::named("deals").expect("there are deals")
}

fn pages(body: &Bytes) -> Page {
    let layout = Layout::of(deals(), &deals().listings[0]);
    Page::split(body, &layout).expect("it is a page")
}

fn split(body: &Bytes) -> usize {
    pages(body).records.len()
}

fn read(body: &Bytes) -> usize {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, &[]);
    let wire = RecordEncoder::new(deals(), &json_schema(deals(), &[], None), None);
    writer.started(deals(), wire, NOW).expect("a vector takes everything");
    let records = pages(body).records;
    let batch =
        Batch { resource: deals(), records, reached: StreamState::default(), refused: Vec::new() };
    writer.batch(batch, NOW).expect("a vector takes everything");
    drop(writer);
    out.len()
}

fn fit(body: &Bytes) -> usize {
    let schema = json_schema(deals(), &[], None);
    let mut fit = Conformer::of(deals(), &schema, &schema, &[]);
    let mut total = 0;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for record in pages(body).records {
        let json = std::str::from_utf8(&record.json).expect("a record is text");
        let (mut misfits, mut out) = (TypeMismatches::default(), Vec::with_capacity(json.len()));
        // A row without a key is refused, after it was read.
        total +=
            fit.put(json, record.exact.as_ref(), &mut out, &mut misfits).map_or(0, |()| out.len());
        for field in misfits.undeclared {
            if counts.len() < 1_000 {
                *counts.entry(field).or_default() += 1;
            }
        }
    }
    total
}

fn parquet(body: &Bytes) -> usize {
    let mut table = Parts::new(Columns::of(deals(), &[], None));
    let mut bytes = 0;
    for record in pages(body).records {
        table.push(&record.json, NOW).expect("it is an object");
        bytes += table.take_full().iter().map(|part| part.bytes.len()).sum::<usize>();
    }
    let parts = table.close().expect("it can be encoded");
    bytes + parts.iter().map(|part| part.bytes.len()).sum::<usize>()
}

/// Compares the page with itself, spelled otherwise.
fn compare(body: &Bytes) -> usize {
    let text = std::str::from_utf8(body).expect("a page is text");
    let raw: &RawValue = serde_json::from_str(text).expect("a page is JSON");
    let other = text.replacen("\"success\":true", "\"success\": true", 1);
    usize::from(json_eq(raw.get(), &other))
}

/// CPU seconds of one time.
fn once(work: impl FnOnce() -> usize) -> f64 {
    let (before, clock) = (cpu_nanos(), Instant::now());
    std::hint::black_box(work());
    let wall = clock.elapsed().as_nanos() as f64;
    match (before, cpu_nanos()) {
        (Some(before), Some(after)) => (after - before) as f64 / 1e9,
        _ => wall / 1e9,
    }
}

/// Least CPU seconds of a round.
fn best(mut work: impl FnMut() -> usize) -> f64 {
    (0..ROUNDS).map(|_| once(&mut work)).fold(f64::MAX, f64::min)
}

/// Nanoseconds this thread has run, where Linux tells.
fn cpu_nanos() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}
