//! What is known of a record from its page says the same as reading it whole.

use crate::support::{sandbox, small};
use bytes::Bytes;
use source_pipedrive::model::{Fit, Layout, Page, Resource, json_schema};

/// Records of every resource, as the sandbox answers and with a value of another type.
#[test]
fn a_record_that_is_exact_passes_as_one_that_is_read_whole() {
    let account = sandbox(small());
    let (mut quick, mut refused) = (0, 0);
    for resource in Resource::all() {
        let schema = json_schema(resource, &[], None);
        let mut fit = Fit::of(resource, &schema, &schema);
        let rows = account.world(|world| world.truth(resource.name));
        for row in rows.iter().take(50) {
            let text = std::str::from_utf8(&row.json).expect("the sandbox writes UTF-8");
            let changes =
                [("", ""), (":null", ":\"x\""), (":true", ":1"), (":1", ":1.5"), ("[", "{\"a\":[")];
            for (from, to) in changes {
                let text = text.replacen(from, to, usize::from(!from.is_empty()));
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
                let whole = fit.passes(json, None).expect("it is an object");
                let known = fit.passes(json, record.exact).expect("it is an object");
                assert_eq!(known, whole, "{}: {json}", resource.name);
                quick += usize::from(record.exact.is_some());
                refused += usize::from(!whole);
            }
        }
    }
    assert!(quick > 500 && refused > 500, "{quick} known as exact, {refused} refused");
}
