//! Records as columns and Parquet: what fits, what goes to `_extra`, and that nothing is lost.

use crate::support::parquet::{Cell, read};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::{Value, json};
use source_pipedrive::dataset::table::Columns;
use source_pipedrive::dataset::table::{Parts, ROW_GROUP_ROWS};
use source_pipedrive::model::{Definition, Names, Resource, Time};
use source_pipedrive::sandbox::AccountState;
use std::collections::BTreeMap;

const NOW: Time = Time::from_seconds(1_795_000_000);

fn hash(letter: char) -> String {
    std::iter::repeat_n(letter, 40).collect()
}

/// `#a` stands for a hash of forty times `a`.
fn fill(text: &str) -> String {
    ('a'..='f')
        .fold(text.to_owned(), |text, letter| text.replace(&format!("#{letter}"), &hash(letter)))
}

fn definitions() -> Vec<Definition> {
    let options = json!([{"id": 1, "label": "gold"}, {"id": 2, "label": "say \"hi\""}]);
    let fields = [
        ("Tier", 'a', "enum", options.clone()),
        ("Tags", 'b', "set", options),
        ("Budget", 'c', "monetary", Value::Null),
        ("Points", 'd', "double", Value::Null),
        ("Season", 'e', "daterange", Value::Null),
        ("Title", 'f', "hologram", Value::Null),
    ];
    fields.into_iter().map(|(name, code, ty, options)| field(name, code, ty, &options)).collect()
}

fn field(name: &str, code: char, ty: &str, options: &Value) -> Definition {
    serde_json::from_value(json!({"field_name": name, "field_code": hash(code), "field_type": ty,
        "options": options, "is_custom_field": true}))
    .expect("it is a definition")
}

fn named(resource: &str) -> &'static Resource {
    Resource::named(resource).expect("it exists")
}

/// A record's row, without nulls and `_synced_at`.
#[track_caller]
fn check(resource: &str, record: &str, expected: &Value) {
    let resource = named(resource);
    let names = Names::pinned(resource, &definitions(), &BTreeMap::new());
    let mut table = Parts::new(Columns::of(resource, &definitions(), Some(&names)));
    table.push(fill(record).as_bytes(), NOW).expect("it is an object");
    let parts = table.close().expect("it can be encoded");
    let rows = read(&parts);
    let [row] = rows.as_slice() else { panic!("{} rows", rows.len()) };
    let shown = row.iter().filter(|(name, cell)| **cell != Cell::Null && *name != "_synced_at");
    let shown: serde_json::Map<_, _> =
        shown.map(|(name, cell)| (name.clone(), cell.shown())).collect();
    assert_eq!(Value::Object(shown).to_string(), fill(&expected.to_string()));
}

#[test]
fn values_become_what_their_columns_say() {
    check(
        "deals",
        r##"{"id":7,"title":"Gr\u00fc\u00dfe \"x\"","value":1.50,"probability":null,"add_time":"2026-02-01T10:00:00+02:00","update_time":"2026-02-01 08:00:00.5",
            "expected_close_date":"2026-06-30","label_ids":[5,8],"is_deleted":false,"origin_id":"","lost_reason":"price","custom_fields":{
            "#a":2,"#b":[1,2,9],"#c":{"value":500,"currency":null},"#d":12.5,"#e":{"value":"2026-02-01","until":"2026-02-10"},"#f":{"x": [1.50,
            null]}}}"##,
        &json!({"id": 7, "title": "Grüße \"x\"", "value": 1.5, "add_time": "2026-02-01T08:00:00Z", "update_time": "2026-02-01T08:00:00.500Z",
            "expected_close_date": "2026-06-30", "label_ids": [5, 8], "is_deleted": false, "origin_id": "", "lost_reason": "price",
            "tier": 2, "tier_label": "say \"hi\"", "tags": [1, 2, 9], "tags_labels": ["gold", "say \"hi\"", null],
            "budget": {"value": 500.0}, "points": 12.5, "season": {"value": "2026-02-01", "until": "2026-02-10"},
            "title_ffffffff": "{\"x\": [1.50,            null]}", "_deleted": false}),
    );
}

#[test]
fn what_does_not_fit_is_null_and_extra() {
    check(
        "deals",
        r##"{"id":{},"title":["7"],"value":12345678901234567890.125,"person_id":1.0,"org_id":9223372036854775808,"add_time":"0000-00-00 00:00:00","update_time":"",
            "close_time":"2026-02-01T08:00:00.1234567Z","expected_close_date":"2026-02-30","label_ids":[5,"x"],"is_deleted":2,"lost_reason":{"id":1,"label":7},"brand_new": {"a":
            1},"brand_nil":null,"custom_fields":{"#a":"x","#b":7,"#c":{"value":1.50,"currency":"EUR","tax":1},"#d":"","#e":{"value":"2026-02-01","until":""}}}"##,
        &json!({"label_ids": [5, null], "budget": {"value": 1.5, "currency": "EUR"}, "season": {"value": "2026-02-01"}, "_deleted": false,
            "person_id": 1, "_extra": r##"{"id":{},"title":["7"],"value":12345678901234567890.125,"person_id":1.0,"org_id":9223372036854775808,"add_time":"0000-00-00 00:00:00","update_time":"","close_time":"2026-02-01T08:00:00.1234567Z","expected_close_date":"2026-02-30","label_ids":[5,"x"],"is_deleted":2,"lost_reason":{"id":1,"label":7},"brand_new":{"a":            1},"custom_fields":{"#a":"x","#b":7,"#c":{"value":1.50,"currency":"EUR","tax":1},"#d":"","#e":{"value":"2026-02-01","until":""}}}"##}),
    );
}

/// A value that is equal in another type is in the column, and as received in `_extra`.
#[test]
fn what_says_the_same_is_converted_and_extra() {
    check(
        "deals",
        r##"{"id":"7","title":7,"value":"1.50","is_deleted":1,"lost_reason":{"id":1,"label":"x"},"label_ids":["5"],
            "custom_fields":{"#a":"2","#c":{"value":"5","currency":"EUR"},"#d":"1.5"}}"##,
        &json!({"id": 7, "title": "7", "value": 1.5, "is_deleted": true, "lost_reason": "x", "label_ids": [5], "tier": 2,
            "tier_label": "say \"hi\"", "budget": {"value": 5.0, "currency": "EUR"}, "points": 1.5, "_deleted": true,
            "_extra": r##"{"id":"7","title":7,"value":"1.50","is_deleted":1,"lost_reason":{"id":1,"label":"x"},"label_ids":["5"],"custom_fields":{"#a":"2","#c":{"value":"5","currency":"EUR"},"#d":"1.5"}}"##}),
    );
    let mut columns = Columns::of(named("deals"), &definitions(), None);
    columns.push(br#"{"id":"7","title":7,"is_deleted":1}"#, NOW).expect("it is an object");
    assert!(columns.misfits().is_empty(), "nothing is missing in the columns");
}

#[test]
fn flat_fields_read_their_text() {
    check(
        "leads",
        r##"{"id":"x","value":{"amount":5,"currency":"EUR"},"#a":"2","#b":"1,2","#c":5,"#c_currency":"EUR","#e":"2026-02-01","#e_until":"2026-02-10","#d_other":1}"##,
        &json!({"id": "x", "value": {"amount": 5.0, "currency": "EUR"}, "tier": 2, "tier_label": "say \"hi\"", "tags": [1, 2], "tags_labels": ["gold", "say \"hi\""],
            "budget": 5.0, "budget_currency": "EUR", "season": "2026-02-01", "season_until": "2026-02-10", "_extra": r##"{"#d_other":1}"##, "_deleted": false}),
    );
    check(
        "leads",
        r##"{"#a":"02","#b":"1, 2"}"##,
        &json!({"tags_labels": ["gold", null], "_extra": r##"{"#a":"02","#b":"1, 2"}"##, "_deleted": false}),
    );
}

#[test]
fn tombstones_and_deleted_rows_say_so() {
    check(
        "deals",
        r#"{"id":7,"_deleted":true,"reason":"deleted"}"#,
        &json!({"id": 7, "_deleted": true, "_extra": r#"{"_deleted":true,"reason":"deleted"}"#}),
    );
    check(
        "deals",
        r#"{"id":7,"is_deleted":true}"#,
        &json!({"id": 7, "is_deleted": true, "_deleted": true}),
    );
    check(
        "notes",
        r#"{"id":7,"is_deleted":true}"#,
        &json!({"id": 7, "_deleted": true, "_extra": r#"{"is_deleted":true}"#}),
    );
}

#[test]
fn odd_objects_are_kept_whole() {
    check(
        "deals",
        r#"{"id":7,"custom_fields":[]}"#,
        &json!({"id": 7, "_deleted": false, "_extra": r#"{"custom_fields":[]}"#}),
    );
    check(
        "deals",
        r##"{"id":7,"title":"a","title":"b","custom_fields":{"#d":1},"custom_fields":{"#d":2},"new":1,"new":null}"##,
        &json!({"id": 7, "title": "b", "points": 2.0, "_deleted": false,
            "_extra": r##"{"title":"a","title":"b","custom_fields":{"#d":1},"custom_fields":{"#d":2},"new":1,"new":null}"##}),
    );
    check(
        "deal_fields",
        r#"{"field_code":"x","options":[{"id":31,"label":"a"},{"id":"open","label":"b"},{"id":true,"label":"d"},{"id":1.0,"label":"c"}]}"#,
        &json!({"field_code": "x", "options": [{"id": "31", "label": "a"}, {"id": "open", "label": "b"}, {"id": "true", "label": "d"}, {"label": "c"}], "_deleted": false,
            "_extra": r#"{"options":[{"id":31,"label":"a"},{"id":"open","label":"b"},{"id":true,"label":"d"},{"id":1.0,"label":"c"}]}"#}),
    );
    check(
        "deals",
        r#"{"id":7,"title":"half \ud83d"}"#,
        &json!({"id": 7, "_deleted": false, "_extra": r#"{"title":"half \ud83d"}"#}),
    );
}

#[test]
fn a_row_that_is_no_object_is_not_added() {
    let mut columns = Columns::of(named("deals"), &definitions(), None);
    for text in [
        "",
        "7",
        "[]",
        "null",
        r#"{"id":1"#,
        r#"{"id":1,"custom_fields":{"x":tru}}"#,
        r#"{"id":1} {"id":2}"#,
        "{\"id\":1,\"title\":\"\u{1}\"}",
    ] {
        assert!(columns.push(text.as_bytes(), NOW).is_err(), "{text}");
        assert_eq!(columns.rows(), 0);
    }
    assert!(columns.push(b"{\"title\":\"\xff\"}", NOW).is_err());
    columns.push(br#"{"id":3}"#, NOW).expect("it is an object");
    assert!(columns.push(br#"{"id":1,"value":x}"#, NOW).is_err());
    columns.push(br#"{"id":2}"#, NOW).expect("it is an object");
    let batch = columns.finish().expect("columns are of one length");
    assert_eq!(batch.num_rows(), 2);
    assert_eq!(columns.rows(), 0);
    assert!(columns.misfits().is_empty());
}

#[test]
fn parts_ascend_by_key() {
    let stages = named("stages");
    let mut table = Parts::new(Columns::of(stages, &[], None));
    let rows = ROW_GROUP_ROWS * 5 / 2;
    // Two row groups that follow each other, then half of one that begins below them.
    let ids = (1..=2 * ROW_GROUP_ROWS).rev().collect::<Vec<_>>();
    let (high, low) = ids.split_at(ROW_GROUP_ROWS);
    let mut full = Vec::new();
    for id in low.iter().chain(high).copied().chain(1..=ROW_GROUP_ROWS / 2) {
        table
            .push(format!(r#"{{"id":{id},"name":"x"}}"#).as_bytes(), NOW)
            .expect("it is an object");
        full.extend(table.take_full());
    }
    assert!(table.held() > 0);
    full.extend(table.close().expect("it can be encoded"));
    assert_eq!(
        full.iter().map(|part| part.rows).collect::<Vec<_>>(),
        [2 * ROW_GROUP_ROWS as u64, ROW_GROUP_ROWS as u64 / 2]
    );
    assert_eq!(table.close().expect("there is nothing left").len(), 0);
    let mut seen = 0;
    for part in &full {
        let ids: Vec<_> =
            read(std::slice::from_ref(part)).iter().map(|row| row["id"].clone()).collect();
        assert!(ids.is_sorted());
        seen += ids.len();
    }
    assert_eq!(seen, rows);
}

/// Spark 3 refuses dates before 1582, and times before 1900, unless the file says who wrote it.
#[test]
fn ancient_dates_stay_and_files_say_which_calendar_they_are_in() {
    let mut table = Parts::new(Columns::of(named("deals"), &[], None));
    let row = r#"{"id":1,"expected_close_date":"1500-02-28","add_time":"0001-01-01T00:00:00Z"}"#;
    table.push(row.as_bytes(), NOW).expect("it is an object");
    let parts = table.close().expect("it can be encoded");
    let rows = read(&parts);
    assert_eq!(rows[0]["expected_close_date"].shown(), "1500-02-28");
    assert_eq!(rows[0]["add_time"].shown(), "0001-01-01T00:00:00Z");
    assert_eq!(rows[0]["_extra"], Cell::Null);
    let file = SerializedFileReader::new(parts[0].bytes.clone()).expect("it is a Parquet file");
    let said = file.metadata().file_metadata().key_value_metadata().into_iter().flatten();
    let said: Vec<_> = said.map(|line| (line.key.as_str(), line.value.as_deref())).collect();
    assert_eq!(said, [("org.apache.spark.version", Some("3.1.0"))]);
}

#[test]
fn keys_of_text_are_sorted_by_their_bytes_and_none_comes_first() {
    let mut columns = Columns::of(named("lead_sources"), &[], None);
    for row in
        [r#"{"name":"b"}"#, r#"{"name":"\u00e4"}"#, "{}", r#"{"name":"a"}"#, r#"{"name":"B"}"#]
    {
        columns.push(row.as_bytes(), NOW).expect("it is an object");
    }
    let batch = columns.finish().expect("columns are of one length");
    let mut table = Parts::new(Columns::of(named("lead_sources"), &[], None));
    assert!(table.close().expect("nothing is nothing").is_empty());
    let names = arrow_array::cast::AsArray::as_string::<i32>(batch.column(0));
    assert_eq!(
        names.iter().collect::<Vec<_>>(),
        [None, Some("B"), Some("a"), Some("b"), Some("ä")]
    );
}

#[test]
fn pinned_names_stay() {
    let deals = named("deals");
    let first = Names::pinned(deals, &definitions(), &BTreeMap::new());
    assert_eq!(first.key(&hash('f')), "title_ffffffff", "columns are taken");
    assert!(first.renamed().is_empty());
    let mut pins = first.pins();
    pins.insert(hash('9'), "gone".to_owned());
    pins.insert(hash('d'), "stage_id".to_owned());
    let today = [
        field("Level", 'a', "enum", &json!([{"id": 1, "label": "x"}])),
        field("Tier", '0', "varchar", &Value::Null),
        field("tier label", '1', "varchar", &Value::Null),
        field("Gone", '2', "varchar", &Value::Null),
        field("Score", 'd', "double", &Value::Null),
        field("New", '3', "set", &Value::Null),
        field("New labels", '4', "text", &Value::Null),
    ];
    let names = Names::pinned(deals, &today, &pins);
    let keys: Vec<_> = ['a', '0', '1', '2', 'd', '3', '4']
        .iter()
        .map(|c| names.key(&hash(*c)).to_owned())
        .collect();
    assert_eq!(
        keys,
        [
            "tier",
            "tier_00000000",
            "tier_label_11111111",
            "gone_22222222",
            "stage_id",
            "new",
            "new_labels_44444444"
        ]
    );
    assert_eq!(names.pins()[&hash('9')], "gone");
    assert_eq!(names.pins()[&hash('b')], "tags");
    assert_eq!(Names::pinned(deals, &today, &names.pins()).pins(), names.pins());
    assert_eq!(
        names.renamed(),
        [
            format!("field \"Level\" (hash {}) was renamed; its column stays \"tier\"", hash('a')),
            format!(
                "field \"Score\" (hash {}) was renamed; its column stays \"stage_id\"",
                hash('d')
            ),
        ]
    );
    // The custom field keeps its column; the value of the resource's own goes to `_extra`.
    let mut columns = Columns::of(deals, &today, Some(&names));
    columns
        .push(fill(r##"{"id":1,"stage_id":3,"custom_fields":{"#d":1.5}}"##).as_bytes(), NOW)
        .expect("it is an object");
    assert_eq!(columns.misfits().keys().collect::<Vec<_>>(), ["stage_id"]);
    let schema = columns.schema();
    let unique: std::collections::BTreeSet<_> =
        schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(unique.len(), schema.fields().len());
}

#[test]
fn the_mapping_tells_what_columns_stand_for() {
    let leads = named("leads");
    let names = Names::pinned(leads, &definitions(), &BTreeMap::new());
    let mapping = Columns::of(leads, &definitions(), Some(&names)).mapping().clone();
    let options = json!([{"id": 1, "label": "gold"}, {"id": 2, "label": "say \"hi\""}]);
    assert_eq!(
        mapping[0],
        json!({"column": "tier", "label_column": "tier_label", "hash": hash('a'), "name": "Tier", "type": "enum", "options": options})
    );
    assert_eq!(
        mapping[2],
        json!({"column": "budget", "hash": hash('c'), "name": "Budget", "type": "monetary", "parts": {"currency": "budget_currency"}})
    );
    let plain = Columns::of(leads, &definitions(), None).mapping().clone();
    assert_eq!(
        plain[2],
        json!({"column": hash('c'), "hash": hash('c'), "name": "Budget", "type": "monetary", "parts": {"currency": format!("{}_currency", hash('c'))}})
    );
}

/// Every row of the sandbox fits its columns, but for what the sandbox makes to test readers.
#[test]
fn the_sandbox_fits() {
    let mut account = AccountState::new(3, 0.05);
    for resource in Resource::all() {
        let fields = resource.fields.map(|fields| account.truth(fields)).unwrap_or_default();
        let fields: Vec<_> =
            fields.iter().map(|row| Definition::from_json(&row.json).expect("it is one")).collect();
        let names = Names::pinned(resource, &fields, &BTreeMap::new());
        let mut table = Parts::new(Columns::of(resource, &fields, Some(&names)));
        let rows = account.truth(resource.name);
        for row in &rows {
            table.push(&row.json, NOW).expect("it is an object");
        }
        let parts = table.close().expect("it can be encoded");
        assert_eq!(parts.iter().map(|part| part.rows).sum::<u64>(), rows.len() as u64);
        // A decimal number of 23 digits, and colours in a dictionary that should have none.
        let odd = |field: &str| match resource.name {
            "lead_fields" => field == "options",
            _ => fields.iter().any(|f| f.ty == "double" && field.ends_with(&f.code)),
        };
        let misfits = table.columns().misfits();
        assert!(misfits.keys().all(|field| odd(field)), "{}: {misfits:?}", resource.name);
    }
}
