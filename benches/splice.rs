//! Page bytes to RECORD lines, on deals of about 1.5 KB: our scan against two plainer ways, and Singer
//! records against those of Airbyte, in one run. `cargo bench --bench splice`.
//!
//! CPU time of this thread, best of several rounds; the ratios are what to compare between
//! machines.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::cast_precision_loss, reason = "counts and nanoseconds fit a double")]

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use source_pipedrive::model::{
    Batch, Definition, Layout, Page, Resource, StreamState, Time, json_schema,
};
use source_pipedrive::protocol::RecordEncoder;
use source_pipedrive::protocol::airbyte::Writer;
use source_pipedrive::protocol::singer::{Spelling, default_selection};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

const PAGES: usize = 40;
const ROWS: usize = 500;
const ROUNDS: usize = 5;
/// Passes a round: some kernels count CPU in steps of milliseconds.
const PASSES: usize = 10;

fn main() {
    let pages: Vec<Bytes> = (0..PAGES).map(page).collect();
    let bytes: usize = pages.iter().map(Bytes::len).sum();
    let records = (PAGES * ROWS) as f64;
    println!("{records} deals, {} bytes each on average", bytes / (PAGES * ROWS));
    let ours = best(|| ours(&pages));
    let early = best(|| early(&pages));
    let tree = best(|| tree(&pages));
    let lacking: Vec<Bytes> = pages.iter().map(lacking).collect();
    let moved: Vec<Bytes> = pages.iter().map(moved).collect();
    for pages in [&pages, &lacking, &moved] {
        same(&pages[..1]);
    }
    for (name, seconds) in [
        ("split, check every field, splice (ours)", ours),
        ("RawValue rows, keys read until found", early),
        ("Value tree, written again", tree),
        ("Singer", best(|| singer(&pages))),
        ("Singer, four columns are missing", best(|| singer(&lacking))),
        ("Singer, custom fields in another order", best(|| singer(&moved))),
    ] {
        println!(
            "{name:<42} {:>9.0} records/s per core, {:.2} x ours",
            records / seconds,
            seconds / ours
        );
    }
}

/// Least CPU seconds of a round.
fn best(mut round: impl FnMut() -> usize) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let (before, clock) = (cpu_nanos(), Instant::now());
        for _ in 0..PASSES {
            std::hint::black_box(round());
        }
        let wall = clock.elapsed().as_nanos() as f64;
        let nanos = match (before, cpu_nanos()) {
            (Some(before), Some(after)) => (after - before) as f64,
            _ => wall,
        };
        best = best.min(nanos / 1e9 / PASSES as f64);
    }
    best
}

/// Nanoseconds this thread has run, where Linux tells.
fn cpu_nanos() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

fn ours(pages: &[Bytes]) -> usize {
    let resource = Resource::named("deals").expect("there are deals");
    let layout = Layout::of(resource, &resource.listings[0]);
    let mut out = Count(0);
    let mut writer = Writer::new(&mut out, &[]);
    let wire = RecordEncoder::new(resource, &json_schema(resource, &[], None), None);
    let now = Time::from_seconds(1_795_295_220);
    writer.started(resource, wire, now).expect("a counter takes everything");
    for body in pages {
        let page = Page::split(body, &layout).expect("the page is well formed");
        assert!(page.surprises.is_empty(), "{:?}", page.surprises);
        let batch = Batch {
            resource,
            records: page.records,
            reached: StreamState::default(),
            refused: Vec::new(),
        };
        writer.batch(batch, now).expect("a counter takes everything");
    }
    drop(writer);
    out.0
}

/// The same rows as Singer records, in the order of their schema.
fn singer(pages: &[Bytes]) -> usize {
    let mut out = Count(0);
    singer_into(pages, &mut out);
    out.0
}

/// What is measured is right: records have one order of keys, what the page has, and null besides.
fn same(pages: &[Bytes]) {
    let mut out = Vec::new();
    singer_into(pages, &mut out);
    let rows = pages.iter().flat_map(|page| {
        let page: Value = serde_json::from_slice(page).expect("the page is well formed");
        page["data"].as_array().cloned().unwrap_or_default()
    });
    let lines = std::str::from_utf8(&out).expect("it is text").lines();
    let records = lines.filter(|line| line.contains(r#""RECORD""#));
    let records: Vec<&str> =
        records.map(|line| record_of(line).expect("it has a record")).collect();
    let keys = |record: &str| {
        let record: BTreeMap<String, &RawValue> = serde_json::from_str(record).expect("an object");
        let mut keys: Vec<_> =
            record.iter().map(|(key, raw)| (raw.get().as_ptr(), key.clone())).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect::<Vec<_>>()
    };
    let (mut count, order) = (0, keys(records[0]));
    for (row, record) in rows.zip(&records) {
        assert_eq!(keys(record), order, "the order of keys");
        let record: Value = serde_json::from_str(record).expect("it is JSON");
        assert!(covers(&record, &row), "{record} is not {row}");
        count += 1;
    }
    assert_eq!(count, records.len());
}

fn record_of(line: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        record: &'a RawValue,
    }
    serde_json::from_str::<Message<'_>>(line).ok().map(|message| message.record.get())
}

/// Whether a value is another one, and null where that has nothing.
fn covers(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.keys().all(|key| whole.contains_key(key))
                && whole.iter().all(|(key, value)| match part.get(key) {
                    Some(part) => covers(value, part),
                    None => value.is_null(),
                })
        }
        (whole, part) => whole == part,
    }
}

fn singer_into(pages: &[Bytes], out: &mut impl std::io::Write) {
    let resource = Resource::named("deals").expect("there are deals");
    let layout = Layout::of(resource, &resource.listings[0]);
    let fields = CUSTOM.iter().map(|(code, ty)| Definition {
        name: (*code).to_owned(),
        code: (*code).to_owned(),
        ty: (*ty).to_owned(),
        options: None,
        custom: true,
    });
    let fields = BTreeMap::from([("deal_fields", fields.collect())]);
    let selections = default_selection(&fields, Spelling::default());
    let deals = selections.iter().find(|selection| selection.resource.name == "deals");
    let now = Time::from_seconds(1_795_295_220);
    let mut writer = source_pipedrive::protocol::singer::Writer::new(
        out,
        std::io::sink(),
        &BTreeMap::new(),
        now,
    );
    let deals = deals.expect("deals are read by default");
    writer.started(deals, None, false, now);
    for body in pages {
        let page = Page::split(body, &layout).expect("the page is well formed");
        let batch = Batch {
            resource,
            records: page.records,
            reached: StreamState::default(),
            refused: Vec::new(),
        };
        writer.batch(batch, now).expect("a counter takes everything");
    }
}

/// A page whose rows lack columns that may be absent.
fn lacking(page: &Bytes) -> Bytes {
    let text = std::str::from_utf8(page).expect("it was text");
    let text = text.replace(r#""lost_reason":null,"#, "");
    Bytes::from(text.replace(r#""channel":null,"channel_id":null,"acv":null,"#, ""))
}

/// A page of which all rows but the first have a custom field at another place.
fn moved(page: &Bytes) -> Bytes {
    let text = std::str::from_utf8(page).expect("it was text");
    let (first, rest) = text.split_once("},{").expect("it has two rows");
    let last = format!(r#","5{:039x}":12.5}}"#, 0xabc_def0_u64);
    let front = format!(r#"{{"5{:039x}":12.5,"d4de"#, 0xabc_def0_u64);
    let rest = rest.replace(&last, "}").replace(r#"{"d4de"#, &front);
    Bytes::from(format!("{first}}},{{{rest}"))
}

/// Takes what is written, like a pipe whose reader keeps up.
struct Count(usize);

impl std::io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const PREFIX: &[u8] = br#"{"type":"RECORD","record":{"stream":"deals","data":"#;
const SUFFIX: &[u8] = b",\"emitted_at\":1795295220650}}\n";

fn early(pages: &[Bytes]) -> usize {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: Vec<&'a RawValue>,
    }
    let mut total = 0;
    let mut out = Vec::with_capacity(1 << 20);
    for body in pages {
        let envelope: Envelope<'_> = serde_json::from_slice(body).expect("the page is well formed");
        for row in envelope.data {
            let mut found = (0_i64, String::new());
            let visitor = Early(&mut found);
            // Leaving the object early is an error to the parser, and the point of this way.
            let _ = serde_json::Deserializer::from_str(row.get()).deserialize_map(visitor);
            std::hint::black_box(&found);
            out.extend_from_slice(PREFIX);
            out.extend_from_slice(row.get().as_bytes());
            out.extend_from_slice(SUFFIX);
        }
        total += out.len();
        out.clear();
    }
    total
}

struct Early<'f>(&'f mut (i64, String));

impl<'de> Visitor<'de> for Early<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a deal")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "id" => self.0.0 = map.next_value()?,
                "update_time" => {
                    self.0.1 = map.next_value()?;
                    return Ok(());
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

fn tree(pages: &[Bytes]) -> usize {
    let mut total = 0;
    let mut out = Vec::with_capacity(1 << 20);
    for body in pages {
        let page: Value = serde_json::from_slice(body).expect("the page is well formed");
        for row in page["data"].as_array().into_iter().flatten() {
            std::hint::black_box((&row["id"], &row["update_time"]));
            out.extend_from_slice(PREFIX);
            serde_json::to_writer(&mut out, row).expect("a vector takes everything");
            out.extend_from_slice(SUFFIX);
        }
        total += out.len();
        out.clear();
    }
    total
}

/// The custom fields of the deals, in the order in which a page has them.
const CUSTOM: &[(&str, &str)] = &[
    ("d4de1c1518b4531717c676029a45911c340390a6", "enum"),
    ("9dc80c50d78a15643bfc4ca79d76156a73a1ca0e", "monetary"),
    ("000000000000000000000000000000000abcdef0", "set"),
    ("100000000000000000000000000000000abcdef0", "text"),
    ("200000000000000000000000000000000abcdef0", "address"),
    ("300000000000000000000000000000000abcdef0", "date"),
    ("400000000000000000000000000000000abcdef0", "daterange"),
    ("500000000000000000000000000000000abcdef0", "double"),
];

/// A page of made-up deals with eight custom fields, some text beyond ASCII and some escapes.
fn page(number: usize) -> Bytes {
    let mut body = String::from(r#"{"success":true,"data":["#);
    for row in 0..ROWS {
        let id = number * ROWS + row + 1;
        if row > 0 {
            body.push(',');
        }
        let title = match id % 7 {
            0 => "Ofen f\\u00fcr die B\\u00e4ckerei",
            1 => "Verlängerung für Zürich 東京",
            _ => "Renewal of the support contract",
        };
        let _ = write!(
            body,
            r#"{{"id":{id},"title":"{title} {id}","creator_user_id":3,"owner_id":{owner},"value":{id}.50,"currency":"EUR","person_id":{person},"org_id":null,"pipeline_id":1,"stage_id":{stage},"status":"open","probability":null,"lost_reason":null,"visible_to":7,"add_time":"2026-02-01T08:00:{s:02}Z","update_time":"2026-02-03T09:30:{s:02}Z","stage_change_time":"2026-02-02T10:00:00Z","close_time":null,"won_time":null,"lost_time":null,"local_won_date":null,"local_lost_date":null,"local_close_date":null,"expected_close_date":"2026-06-30","label_ids":[5,8],"is_deleted":false,"is_archived":false,"archive_time":null,"origin":"API","origin_id":null,"channel":null,"channel_id":null,"acv":null,"arr":null,"mrr":null,"first_won_time":null,"smart_bcc_email":"sandbox+deal{id}@example.test","source_lead_id":null,"custom_fields":{{"d4de1c1518b4531717c676029a45911c340390a6":{option},"9dc80c50d78a15643bfc4ca79d76156a73a1ca0e":{{"value":{id},"currency":"EUR"}},"{h:040x}":[11,12],"1{h:039x}":"some middling text, \"quoted\"","2{h:039x}":{{"value":"1 Main St, Riga","country":"Latvia","admin_area_level_1":null,"locality":"Riga","sublocality":null,"route":"Main St","street_number":"1","postal_code":"LV-1000","formatted_address":"1 Main St, Riga"}},"3{h:039x}":"2026-02-01","4{h:039x}":{{"value":"2026-02-01","until":"2026-02-10"}},"5{h:039x}":12.5}}}}"#,
            owner = id % 15 + 1,
            person = id % 1500 + 1,
            stage = id % 18 + 1,
            s = id % 60,
            option = id % 40,
            h = 0xabc_def0_u64,
        );
    }
    body.push_str(r#"],"additional_data":{"next_cursor":"eyJpZCI6N30"}}"#);
    Bytes::from(body)
}
