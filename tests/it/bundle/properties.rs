//! Property tests of bundles with random rows.

use crate::support::bundle::{ARRAYS, BundleFixture, assert_same, held, rows};
use crate::support::{sandbox, small};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use source_pipedrive::sandbox::Options;

/// Any text that JSON and a database can hold.
fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 äß東😀\"\\\\/<>&'\n\t]{0,12}"
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-zäß東][a-z 東]{0,8}[a-z]"
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::from),
        (any::<i32>(), 0_u32..100).prop_map(|(whole, part)| {
            let text = format!("{whole}.{part:02}");
            serde_json::from_str(&text).unwrap_or(Value::Null)
        }),
    ]
}

fn custom() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        text().prop_map(Value::from),
        number(),
        any::<bool>().prop_map(Value::from),
        vec(text(), 0..3).prop_map(Value::from),
        Just(Value::Null),
        btree_map(word(), number(), 0..3).prop_map(|map| json!(map)),
    ];
    btree_map(word(), value, 0..4).prop_map(|map| json!(map))
}

/// A row's own fields; references and public ids are put in later.
fn row(named: bool) -> impl Strategy<Value = Map<String, Value>> {
    (
        word(),
        option::of(text()),
        option::of(number()),
        custom(),
        prop_oneof![Just("open"), Just("won"), Just("lost")],
        any::<bool>(),
    )
        .prop_map(move |(name, note, amount, custom, status, deleted)| {
            let mut row = Map::new();
            if named {
                row.insert("name".to_owned(), name.into());
                row.insert("status".to_owned(), status.into());
                row.insert("amount".to_owned(), amount.unwrap_or(Value::Null));
            } else {
                row.insert("subject".to_owned(), name.into());
            }
            row.insert("note ✎".to_owned(), note.into());
            row.insert("custom".to_owned(), custom);
            let at = deleted.then_some("2026-05-04T03:02:01Z");
            row.insert("deleted_at".to_owned(), at.into());
            for stamp in ["created_at", "updated_at"] {
                row.insert(stamp.to_owned(), "2026-05-04T03:02:00Z".into());
            }
            row
        })
}

/// A whole bundle: every reference leads to a row of it.
fn bundle() -> impl Strategy<Value = Value> {
    let arrays = [true, false, true, false, false].map(|named| vec(row(named), 0..5));
    (arrays, any::<u64>()).prop_map(|(arrays, dice)| {
        let mut bundle = json!({"version": "1", "organization_id": "pipedrive:7"});
        let mut dice = dice;
        let mut pick = |rows: usize| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).unwrap_or(0) % (rows + 1)
        };
        let counts: Vec<usize> = arrays.iter().map(Vec::len).collect();
        let prefixes = ["acct_", "cnt_", "opp_", "lead_", "act_"];
        let id = |array: usize, place: usize| format!("{}✓{place}", prefixes[array]);
        for (array, rows) in arrays.into_iter().enumerate() {
            let rows = rows.into_iter().enumerate().map(|(place, mut row)| {
                row.insert("public_id".to_owned(), id(array, place).into());
                let mut refer = |name: &str, to: usize| {
                    let place = pick(counts[to]);
                    let value = (place < counts[to]).then(|| id(to, place));
                    row.insert(name.to_owned(), value.into());
                };
                match array {
                    1 => refer("account_public_id", 0),
                    2 | 3 => {
                        refer("account_public_id", 0);
                        refer("contact_public_id", 1);
                    }
                    4 => {
                        let to = pick(3);
                        let place = pick(counts[to]);
                        if place < counts[to] {
                            let kind = ["account", "contact", "opportunity", "lead"][to];
                            row.insert("record_type".to_owned(), kind.into());
                            row.insert("record_public_id".to_owned(), id(to, place).into());
                        }
                    }
                    _ => {}
                }
                Value::Object(row)
            });
            bundle[ARRAYS[array]] = rows.collect();
        }
        bundle
    })
}

fn check(cases: u32, law: impl Fn(Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let outcome = TestRunner::new_with_rng(config, rng).run(&bundle(), law);
    assert!(
        outcome.is_ok(),
        "{}",
        outcome.map_or_else(|error| error.to_string(), |()| String::new())
    );
}

#[test]
fn what_is_pushed_into_a_crm_is_pulled_out_of_it() {
    check(24, |bundle| {
        let sandbox = sandbox(small());
        let bundles = BundleFixture::new().crm(&sandbox, 0);
        bundles.put("a.json", &bundle.to_string());
        let said = bundles.run(&["push", "a.json", "--batch-rows", "2"]);
        prop_assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
        assert_same(&bundle, &held(&sandbox, 0));
        bundles.run(&["pull", "--out", "b.json"]).json();
        assert_same(&bundle, &bundles.bundle("b.json"));
        // A pulled bundle is what its own CRM has.
        prop_assert_eq!(&bundles.run(&["push", "b.json"]).json()["pushed"], 0);
        Ok(())
    });
}

#[test]
fn a_bundle_is_what_it_differs_from_by_nothing() {
    check(24, |bundle| {
        let bundles = BundleFixture::new();
        bundles.put("a.json", &bundle.to_string());
        // Other order of rows, other spelling.
        let mut other = bundle.clone();
        for array in ARRAYS {
            other[array].as_array_mut().expect("a list").reverse();
        }
        let text = serde_json::to_string_pretty(&other).expect("JSON");
        bundles.put("b.json", &text);
        prop_assert_eq!(&bundles.run(&["diff", "a.json", "b.json"]).json()["changes"], &json!([]));
        bundles.put(
            "c.json",
            r#"{"accounts":[],"contacts":[],"opportunities":[],"leads":[],"activities":[]}"#,
        );
        let gone = bundles.run(&["diff", "a.json", "c.json"]).json();
        let come = bundles.run(&["diff", "c.json", "a.json"]).json();
        let all: usize = ARRAYS.iter().map(|array| rows(&bundle, array).len()).sum();
        prop_assert_eq!(&gone["summary"]["removed"], all);
        prop_assert_eq!(&come["summary"]["added"], all);
        Ok(())
    });
}

#[test]
fn what_pipedrive_can_hold_comes_out_as_it_went_in() {
    check(10, |bundle| {
        let sandbox = sandbox(Options { scale: 0.004, company_id: 7, ..small() });
        let bundles = BundleFixture::new().account(&sandbox);
        bundles.put("a.json", &bundle.to_string());
        let said = bundles.run(&["push", "a.json", "--to", "pipedrive"]);
        prop_assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
        let said = said.json();
        prop_assert_eq!((&said["missing"], &said["different"]), (&json!(0), &json!(0)));
        let again = bundles.run(&["push", "a.json", "--to", "pipedrive"]).json();
        prop_assert_eq!(&again["pushed"], 0, "{}", again);
        Ok(())
    });
}
