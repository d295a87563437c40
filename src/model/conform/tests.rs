//! Tests of records against schemas.

use super::*;
use serde_json::json;

fn schema() -> Value {
    json!({"properties": {
        "id": {"type": "integer"},
        "text": {"type": ["null", "string"]},
        "share": {"type": ["null", "number"]},
        "on": {"type": ["null", "string"], "format": "date"},
        "at": {"type": ["null", "string"], "format": "date-time"},
        "either": {"type": ["null", "string"], "x-json": true},
        "count": {"type": ["null", "integer"]},
        "list": {"type": ["null", "array"], "items": {"type": ["null", "integer"]}},
        "gone": {"type": ["null", "string"]},
        "in": {"type": ["null", "object"], "properties": {
            "flag": {"type": ["null", "boolean"]},
            "gone": {"type": ["null", "boolean"]},
            "more": {},
        }},
    }})
}

/// The selected properties in order: the columns of the resource, then the others by name.
const ORDER: [&str; 9] = ["id", "at", "count", "either", "in", "list", "on", "share", "text"];

/// Returns a record in which all other properties are null.
fn whole(values: &[(&str, &str)]) -> String {
    let value = |name: &&str| values.iter().find(|(known, _)| known == name).map(|(_, v)| *v);
    let pairs = ORDER.iter().map(|name| format!("\"{name}\":{}", value(name).unwrap_or("null")));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn fit() -> Conformer {
    let mut selected = schema();
    for object in ["/properties", "/properties/in/properties"] {
        let object = selected.pointer_mut(object).and_then(Value::as_object_mut);
        object.expect("it is there").remove("gone");
    }
    let stages = Resource::named("stages").expect("there are stages");
    Conformer::of(stages, &selected, &schema(), &[])
}

/// Checks the output for a record, and that the output is passed unchanged.
#[track_caller]
fn check(json: &str, expected: &[(&str, &str)], nulled: &[&str], undeclared: &[&str]) {
    let expected = whole(expected);
    let (mut misfits, mut out) = (TypeMismatches::default(), Vec::new());
    fit().put(json, None, &mut out, &mut misfits).expect("it can be mended");
    assert_eq!(String::from_utf8_lossy(&out), expected);
    assert_eq!(misfits.nulled, nulled);
    assert_eq!(misfits.undeclared, undeclared);
    let mut again = Vec::new();
    assert!(fit().members.walk(&mut Text::new(&expected), &mut again).expect("an object"));
    assert_eq!(again, b"", "it passes as it is");
}

#[test]
fn what_fits_stays_as_it_is_spelled() {
    for values in [
        [("id", "1"), ("share", "1.50"), ("on", r#""2026-02-28""#)],
        [("id", "1"), ("at", r#""2026-02-28T10:00:00.123Z""#), ("text", r#""""#)],
        [("id", "-9223372036854775808"), ("share", "12345678901234567890.5"), ("list", "[1,null]")],
        [("id", "1"), ("either", r#""x""#), ("in", r#"{"flag":true,"more":[1,{}],"new":1}"#)],
    ] {
        let json = whole(&values);
        check(&json, &values, &[], &[]);
        let spaced = json.replace("\":", "\" : ").replace(",\"", " , \"");
        let mut out = Vec::new();
        fit()
            .put(&spaced, None, &mut out, &mut TypeMismatches::default())
            .expect("it passes as it is");
        assert_eq!(String::from_utf8_lossy(&out), spaced);
    }
}

#[test]
fn what_is_absent_is_null_and_what_is_out_of_order_is_put_in_order() {
    check(r#"{"id":1}"#, &[("id", "1")], &[], &[]);
    check(
        r#"{"in":{"more":2,"flag":true},"text":"x","id":1}"#,
        &[("id", "1"), ("in", r#"{"flag":true,"more":2}"#), ("text", r#""x""#)],
        &[],
        &[],
    );
    check(
        r#"{"id":1,"in":{"new":{"b":1,"a":2}}}"#,
        &[("id", "1"), ("in", r#"{"flag":null,"more":null,"new":{"b":1,"a":2}}"#)],
        &[],
        &[],
    );
    check(r#"{"id":1,"text":"x","text":"y"}"#, &[("id", "1"), ("text", r#""y""#)], &[], &[]);
}

#[test]
fn values_of_another_type_become_null_and_are_named() {
    check(
        r#"{"id":1,"text":{},"share":"x","on":"2026-02-30","at":"2026-02-28 10:00:00"}"#,
        &[("id", "1")],
        &["at", "on", "share", "text"],
        &[],
    );
    check(
        r#"{"id":1,"count":9223372036854775808,"list":[1.5,"x",3],"in":{"flag":2}}"#,
        &[("id", "1"), ("in", r#"{"flag":null,"more":null}"#), ("list", "[null,null,3]")],
        &["count", "in.flag", "list", "list"],
        &[],
    );
    check(r#"{"id":1,"share":1e999,"in":[]}"#, &[("id", "1")], &["in", "share"], &[]);
}

#[test]
fn numbers_that_no_double_holds_become_null_wherever_they_stand() {
    let digits = "7".repeat(5_000);
    for number in ["1e999", "-1E400", digits.as_str()] {
        check(
            &format!(
                r#"{{"id":1,"share":{number},"count":{number},"list":[1,{number}],"in":{{"flag":true,"open":[{{"x":{number}}}],"n":1}}}}"#
            ),
            &[
                ("id", "1"),
                ("in", r#"{"flag":true,"more":null,"open":null,"n":1}"#),
                ("list", "[1,null]"),
            ],
            &["count", "in.open", "list", "share"],
            &[],
        );
        check(
            &format!(r#"{{"id":1,"either":{number}}}"#),
            &[("id", "1"), ("either", &format!("\"{number}\""))],
            &[],
            &[],
        );
    }
    let small = format!("0.{digits}");
    check(
        &format!(r#"{{"id":1,"share":{small},"in":{{"flag":null,"more":1e-999}}}}"#),
        &[("id", "1"), ("share", &small), ("in", r#"{"flag":null,"more":1e-999}"#)],
        &[],
        &[],
    );
}

#[test]
fn what_says_the_same_in_another_type_is_converted() {
    check(
        r#"{"id":"7","text":5,"share":"2.50","count":true,"list":["2",3.0],"in":{"flag":1}}"#,
        &[
            ("id", "7"),
            ("text", "\"5\""),
            ("share", "2.50"),
            ("count", "1"),
            ("list", "[2,3]"),
            ("in", r#"{"flag":true,"more":null}"#),
        ],
        &[],
        &[],
    );
    check(r#"{"id":1,"text":false}"#, &[("id", "1"), ("text", "\"false\"")], &[], &[]);
}

#[test]
fn what_only_is_spelled_otherwise_is_kept() {
    check(r#"{"id":2.0,"list":[-3.00]}"#, &[("id", "2"), ("list", "[-3]")], &[], &[]);
    let object = r#"{"id":1,"either":{"a":"b"}}"#;
    check(object, &[("id", "1"), ("either", r#""{\"a\":\"b\"}""#)], &[], &[]);
    check(r#"{"id":1,"either":31}"#, &[("id", "1"), ("either", "\"31\"")], &[], &[]);
}

#[test]
fn what_is_not_declared_is_left_out() {
    check(
        r#"{"new":1,"id":1,"gone":"x","in":{"gone":true,"flag":false}}"#,
        &[("id", "1"), ("in", r#"{"flag":false,"more":null}"#)],
        &[],
        &["new"],
    );
}

#[test]
fn a_key_is_there_and_never_null() {
    let refused = |json: &str| {
        let error = fit().put(json, None, &mut Vec::new(), &mut TypeMismatches::default());
        error.expect_err("it lacks its key").to_string()
    };
    for json in [r#"{"id":"x"}"#, r#"{"id":null}"#] {
        assert_eq!(
            refused(json),
            "id: a value is not of its declared type, and the schema does not allow null"
        );
    }
    let lacks = "a row lacks its key, or a part of it: no loader takes it";
    assert_eq!(refused(r#"{"text":"x"}"#), lacks);
}
