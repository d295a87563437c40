//! What the README says about resources is what the table says.

use source_pipedrive::model::{ByParent, Changes, Resource};
use std::fmt::Write as _;

const BEGIN: &str = "<!-- resources: made from the code, checked by a test -->\n";
const END: &str = "<!-- end of resources -->";

fn table() -> String {
    let mut out = String::from(
        "| stream | key | tokens a call | how it is read |\n| --- | --- | ---: | --- |\n",
    );
    for resource in Resource::all() {
        let mut costs: Vec<_> = resource.listings.iter().map(|l| l.cost.to_string()).collect();
        costs.dedup();
        let key = resource.key.iter().map(|column| format!("`{column}`"));
        writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            resource.name,
            key.collect::<Vec<_>>().join(", "),
            costs.join(" / "),
            how(resource)
        )
        .expect("a string takes everything");
    }
    out
}

fn how(resource: &Resource) -> String {
    if let Some(parent) = &resource.parent {
        let rows = parent.resource;
        let changed = if resource.incremental() { "that changed" } else { "in full" };
        let ask = match parent.ask {
            ByParent::Batch(_) => format!("for {rows} {changed}, 100 a call"),
            ByParent::Path | ByParent::Query(_) => format!("for {rows} {changed}, one a call"),
        };
        return if resource.on_request { format!("{ask}; only when selected") } else { ask };
    }
    let several = resource.listings.len();
    let changes = resource.listings.iter().map(|listing| match listing.changes {
        Changes::Window => "changes in a window of time",
        Changes::Since => "changes since",
        Changes::SinceByKey => "changes since, paged by key",
        Changes::NewestFirst => "newest first, down to the watermark",
        Changes::Snapshot => "in full",
    });
    let mut changes: Vec<_> = changes.collect();
    changes.dedup();
    let names: Vec<_> = resource.listings.iter().map(|listing| listing.name).collect();
    let changes = changes.join("; ");
    match several {
        1 => changes,
        2..=4 => format!("{changes} ({})", names.join(", ")),
        _ => format!("{changes} ({several} lists)"),
    }
}

#[test]
fn the_readme_lists_every_resource_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("there is a README");
    let (_, rest) = readme.split_once(BEGIN).expect("the README has a place for the table");
    let (shown, _) = rest.split_once(END).expect("the table in the README ends");
    assert!(shown == table(), "the table in README.md should be:\n{BEGIN}{}{END}", table());
}
