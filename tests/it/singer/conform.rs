//! What is known of a record from its page says the same as reading it whole.

use crate::singer::property_order::pairs;
use crate::support::{sandbox, small};
use bytes::Bytes;
use source_pipedrive::model::{
    Conformer, Custom, InOrder, Layout, NestedRows, Page, Resource, TypeMismatches, json_schema,
    key_of,
};

/// Records of every resource, as the sandbox answers and with a value of another type, without a
/// column, or with columns in another order: they come out as the schema has them, whichever way.
#[test]
fn a_record_that_is_exact_comes_out_as_one_that_is_read_whole() {
    let account = sandbox(small());
    let (mut quick, mut changed) = (0, 0);
    for resource in Resource::all() {
        let schema = json_schema(resource, &[], None);
        let declared = InOrder::of(&schema, resource.columns, &[]);
        let declared = serde_json::to_string(&declared).expect("it is JSON");
        let [(_, declared)] = &pairs(&declared)
            .into_iter()
            .filter(|(key, _)| key == "properties")
            .collect::<Vec<_>>()[..]
        else {
            panic!("a schema has properties")
        };
        let declared = keys(declared);
        let mut fit = Conformer::of(resource, &schema, &schema, &[]);
        let mut put = |json: &str, exact: Option<&NestedRows>| {
            let (mut out, mut misfits) = (Vec::new(), TypeMismatches::default());
            fit.put(json, exact, &mut out, &mut misfits).expect("it has a key");
            (String::from_utf8(out).expect("it was text"), misfits)
        };
        let rows = account.state(|account| account.truth(resource.name));
        for row in rows.iter().take(50) {
            let text = std::str::from_utf8(&row.json).expect("the sandbox writes UTF-8");
            for text in variants(text) {
                let list = if resource.name == "goals" {
                    format!(r#"{{"success":true,"data":{{"goals":[ {text}]}}}}"#)
                } else {
                    format!(r#"{{"success":true,"data":[ {text}]}}"#)
                };
                let layout = Layout::of(resource, &resource.listings[0]);
                // Some changes leave no JSON.
                let Ok(page) = Page::split(&Bytes::from(list), &layout) else { continue };
                let record = &page.records[0];
                let json = std::str::from_utf8(&record.json).expect("it was text");
                if key_of(resource, json).is_none() {
                    continue;
                }
                let whole = put(json, None);
                assert_eq!(put(json, record.exact.as_ref()), whole, "{}: {json}", resource.name);
                if resource.custom != Custom::Flat {
                    assert_eq!(keys(&whole.0), declared, "{}: {json}", resource.name);
                }
                assert_eq!(put(&whole.0, None).0, whole.0, "{}: {json}", resource.name);
                quick += usize::from(record.exact.is_some());
                changed += usize::from(whole.0 != json);
            }
        }
    }
    assert!(quick > 500 && changed > 500, "{quick} known as exact, {changed} changed");
}

fn keys(json: &str) -> Vec<String> {
    pairs(json).into_iter().map(|(key, _)| key).collect()
}

fn variants(row: &str) -> Vec<String> {
    let replaced =
        [("", ""), (":null", ":\"x\""), (":true", ":1"), (":1", ":1.5"), ("[", "{\"a\":[")];
    let replaced = replaced.map(|(from, to)| row.replacen(from, to, usize::from(!from.is_empty())));
    let mut all = replaced.to_vec();
    let pairs = pairs(row);
    let object = |pairs: Vec<&(String, String)>| {
        let pairs = pairs.into_iter().map(|(key, value)| format!("{key:?}:{value}"));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    };
    all.push(object(pairs.iter().rev().collect()));
    for without in 0..pairs.len() {
        let kept = pairs.iter().enumerate().filter(|(nth, _)| *nth != without);
        all.push(object(kept.map(|(_, pair)| pair).collect()));
        let kept = pairs.iter().enumerate().filter(|(nth, _)| nth % (without + 2) != 1);
        all.push(object(kept.map(|(_, pair)| pair).collect()));
    }
    all
}
