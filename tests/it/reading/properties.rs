//! Laws that hold for every input.

use crate::support::{sandbox, small};
use bytes::Bytes;
use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use source_pipedrive::model::{Layout, Next, Page, Resource, Time};

fn deals() -> (&'static Resource, Layout) {
    let deals = Resource::named("deals").expect("there are deals");
    (deals, Layout::of(deals, &deals.listings[0]))
}

/// Any JSON, with the texts that trip a scanner: braces, quotes, escapes.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[{}\\[\\]\",:\\\\ \n0-9a-z]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z_{}\"\\\\]{0,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_row() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("id".to_owned()),
        Just("title".to_owned()),
        Just("update_time".to_owned()),
        Just("custom_fields".to_owned()),
        "[a-z{}\"\\\\\u{e9}]{0,10}",
    ];
    prop::collection::btree_map(key, any_json(), 0..8)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn written(value: &Value, pretty: bool) -> String {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.expect("a value is JSON")
}

/// A page of a resource's first rows in the sandbox, in as few bytes as they take.
fn sandbox_page(stream: &str) -> (Layout, Vec<u8>) {
    let resource = Resource::named(stream).expect("the stream exists");
    let rows = sandbox(small()).state(|account| account.truth(stream));
    let rows: Vec<_> = rows.iter().take(3).map(|r| String::from_utf8_lossy(&r.json)).collect();
    let rows = format!("[{}]", rows.join(","));
    let data = if stream == "goals" { format!(r#"{{"goals":{rows}}}"#) } else { rows };
    let body = format!(r#"{{"success":true,"data":{data},"additional_data":null}}"#);
    (Layout::of(resource, &resource.listings[0]), body.into_bytes())
}

/// What serde takes for no JSON is no page, wherever in a page it stands; and the rows of what is
/// one are JSON.
#[test]
fn what_is_no_json_is_no_page() {
    let bits = [
        "", "\"", "\\", ",", ":", "{", "}", "[", "]", "0", "-", ".", "e", " ", "\n", "\u{1}",
        "\u{0}", "é", "null", "true", "1e9", "\\ud83d", "\\u00e9", "\"x\":1,", "{},", "{}", "[]",
        "\\u00g0",
    ];
    let mut rng = fastrand::Rng::with_seed(1);
    for stream in ["deals", "leads", "goals", "mail_threads"] {
        let (layout, page) = sandbox_page(stream);
        let whole = Page::split(&Bytes::from(page.clone()), &layout).expect("it is a page");
        assert!(!whole.records.is_empty(), "{stream}");
        let mut taken = 0;
        for _ in 0..4000 {
            let mut body = page.clone();
            for _ in 0..rng.usize(1..3) {
                let at = rng.usize(..=body.len());
                let end = body.len().min(at + rng.usize(..3));
                body.splice(at..end, rng.choice(bits).unwrap_or_default().bytes());
            }
            let Ok(page) = Page::split(&Bytes::from(body.clone()), &layout) else { continue };
            let text = String::from_utf8_lossy(&body);
            assert!(serde_json::from_slice::<IgnoredAny>(&body).is_ok(), "{text}");
            for record in page.records {
                assert!(serde_json::from_slice::<IgnoredAny>(&record.json).is_ok(), "{text}");
            }
            taken += 1;
        }
        assert!(taken > 500, "{taken} of {stream} say too little");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Splitting a page gives back its rows, byte for byte, whatever they hold and however the
    /// page is laid out.
    #[test]
    fn split_is_the_inverse_of_concatenation(
        rows in prop::collection::vec(any_row(), 0..8),
        pretty in any::<bool>(),
        data_last in any::<bool>(),
    ) {
        let texts: Vec<String> = rows.iter().map(|row| written(row, pretty)).collect();
        let data = texts.join(if pretty { " ,\n  " } else { "," });
        let more = r#""additional_data":{"next_cursor":"a\"]}b"},"related_objects":{"x":[{}]}"#;
        let body = if data_last {
            format!(r#"{{"success":true,{more},"data":[{data}]}}"#)
        } else {
            format!(r#"{{ "success" : true, "data" : [ {data} ], {more} }}"#)
        };
        let page = Page::split(&Bytes::from(body), &deals().1).expect("the page is well formed");
        let split: Vec<_> = page.records.iter().map(|r| String::from_utf8_lossy(&r.json)).collect();
        prop_assert_eq!(split, texts);
        prop_assert_eq!(page.next, Next::Cursor("a\"]}b".to_owned()));
        for (record, row) in page.records.iter().zip(&rows) {
            let key = match &row["id"] {
                // What tells a row from others is a number or a text.
                Value::Null | Value::Bool(_) => None,
                Value::String(text) if text.is_empty() => None,
                Value::String(text) => Some(text.clone()),
                other => Some(written(other, pretty)),
            };
            if !matches!(&row["id"], Value::Object(_) | Value::Array(_)) {
                prop_assert_eq!(&record.key, &key);
            }
            let time = row["update_time"].as_str().and_then(Time::parse);
            prop_assert_eq!(record.time, time);
        }
    }

    /// A cut page is never taken for a whole one.
    #[test]
    fn a_cut_page_is_an_error(rows in prop::collection::vec(any_row(), 1..4), cut in 0.0..1.0_f64) {
        let body = written(&json!({"success": true, "data": rows}), false);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            reason = "a place inside a short text")]
        let mut cut = (body.len() as f64 * cut) as usize;
        while !body.is_char_boundary(cut) {
            cut -= 1;
        }
        let cut = Bytes::copy_from_slice(&body.as_bytes()[..cut]);
        prop_assert!(Page::split(&cut, &deals().1).is_err());
    }

    /// Every instant survives being written and read, in each spelling that has its precision.
    #[test]
    fn times_survive_their_spelling(seconds in -62_000_000_000_i64..250_000_000_000, millis in 0_i64..1000) {
        let time = Time::from_millis(seconds * 1000 + millis);
        prop_assert_eq!(Time::parse(&time.to_string()), Some(time));
        let whole = time.whole_second();
        prop_assert_eq!(Time::parse(&whole.naked()), Some(whole));
        prop_assert_eq!(Time::parse(&format!("{}+00:00", whole.to_string().trim_end_matches('Z'))), Some(whole));
        prop_assert!(whole <= time);
    }

    /// No text makes the reader of times panic, and what it reads it writes the same way again.
    #[test]
    fn any_text_may_be_asked_for_its_time(text in "[0-9T:Z. +-]{0,30}|.{0,30}") {
        if let Some(time) = Time::parse(&text) {
            prop_assert_eq!(Time::parse(&time.to_string()), Some(time));
        }
    }
}
