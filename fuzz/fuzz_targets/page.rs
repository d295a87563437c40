//! An answer of the API: the first byte says which list it is of, the rest is the body.
//!
//! Whatever the body is, there is a page or an error; and every record of a page is JSON.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use source_pipedrive::model::{Definition, Layout, Page, Resource, plain, plain_json};
use std::sync::LazyLock;

static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
    let lists = Resource::all().flat_map(|resource| {
        resource.listings.iter().map(move |listing| Layout::of(resource, listing))
    });
    lists.collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else {
        return;
    };
    let body = Bytes::copy_from_slice(body);
    match Page::split(&body, &LAYOUTS[usize::from(*which) % LAYOUTS.len()]) {
        Ok(page) => {
            for record in &page.records {
                let text = std::str::from_utf8(&record.json).expect("a record is text");
                let raw: &RawValue = serde_json::from_str(text).expect("a record is JSON");
                let shown = plain_json(raw.get());
                let _: &RawValue = serde_json::from_str(&shown).expect("it is JSON still");
                // A dictionary's row, if it were one.
                let _ = Definition::from_json(&record.json);
            }
            for surprise in &page.surprises {
                let text = surprise.to_string();
                assert!(!plain(&text).contains(['\x1b', '\n', '\u{9b}', '\u{202e}']));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
