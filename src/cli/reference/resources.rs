//! Generates the page of all resources.

use super::{begin, code, table};
use crate::model::{Changes, Listing, Paging, PerParent, Resource, Type};
use std::fmt::Write as _;

pub(super) fn page() -> String {
    let mut page = begin("Resources");
    page.push_str(
        "Each of these is a stream (Airbyte, Singer), a table (warehouse) and a file (backup). Tokens are \
         what one call costs; a call brings up to as many rows as its page holds. Without a state everything \
         is read in full once. \"Only when selected\" costs a call per parent row: such a resource is read \
         when it is named.\n\n",
    );
    let rows = Resource::all().map(|resource| {
        let mut costs: Vec<_> = resource.listings.iter().map(|l| l.cost.to_string()).collect();
        costs.dedup();
        let name = resource.name;
        let key = resource.key.iter().map(|column| code(column)).collect::<Vec<_>>().join(", ");
        vec![format!("[`{name}`](#{name})"), key, costs.join(" / "), how(resource)]
    });
    page.push_str(&table(&["stream", "key", "tokens a call", "how it is read"], rows));
    for resource in Resource::all() {
        describe(&mut page, resource);
    }
    page
}

fn describe(page: &mut String, resource: &Resource) {
    let _ = write!(page, "\n## {}\n\n", resource.name);
    let mut facts = vec![
        format!("backup file `{}.json`", resource.file),
        format!(
            "OAuth scope {}",
            resource.scopes.iter().map(|scope| code(scope)).collect::<Vec<_>>().join(" or ")
        ),
    ];
    if resource.admin {
        facts.push("for admins only".to_owned());
    }
    if let Some(feature) = resource.feature {
        facts.push(format!("of the feature {feature}, which a company may lack"));
    }
    if let Some(cursor) = resource.cursor {
        facts.push(format!("changes are found by `{cursor}`"));
    }
    if let Some(fields) = resource.fields {
        facts.push(format!("custom fields are described by [`{fields}`](#{fields})"));
    }
    if !resource.secrets.is_empty() {
        let secrets = resource.secrets.iter().map(|column| code(column)).collect::<Vec<_>>();
        facts.push(format!("masked: {}", secrets.join(", ")));
    }
    if !resource.secret_urls.is_empty() {
        let urls = resource.secret_urls.iter().map(|column| code(column)).collect::<Vec<_>>();
        facts.push(format!("secrets inside of {} are masked", urls.join(", ")));
    }
    let _ = write!(page, "{}; {}.\n\n", capital(&how(resource)), facts.join("; "));
    let rows = resource.listings.iter().map(|listing| {
        let limit = match listing.limit {
            0 => "all".to_owned(),
            limit => limit.to_string(),
        };
        vec![code(listing.path), listing.cost.to_string(), limit, paging(listing).to_owned()]
    });
    page.push_str(&table(&["list", "tokens", "rows a page", "paging"], rows));
    page.push('\n');
    let rows = resource.columns.iter().map(|column| {
        let may = if column.optional { "may be absent" } else { "" };
        vec![code(column.name), type_name(column.ty), may.to_owned()]
    });
    page.push_str(&table(&["column", "type", ""], rows));
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(letters).collect()
}

fn paging(listing: &Listing) -> &'static str {
    match listing.paging {
        Paging::Cursor => "cursor",
        Paging::Offset => "offset",
        Paging::Plain | Paging::Goals | Paging::One => "none",
    }
}

fn type_name(ty: Type) -> String {
    match ty {
        Type::Bool => "boolean".to_owned(),
        Type::Int => "integer".to_owned(),
        Type::Num => "number".to_owned(),
        Type::Text => "text".to_owned(),
        Type::Date => "date".to_owned(),
        Type::Time | Type::Naked => "time, UTC".to_owned(),
        Type::Clock => "time of day or duration, text".to_owned(),
        Type::List(item) => format!("list of {}", type_name(*item)),
        Type::Object([]) => "object".to_owned(),
        Type::Object(columns) => {
            let names: Vec<_> = columns.iter().map(|column| code(column.name)).collect();
            format!("object: {}", names.join(", "))
        }
        Type::TextOrObject => "text or object".to_owned(),
        Type::OptionId => "integer, text or boolean".to_owned(),
        Type::Json => "anything".to_owned(),
    }
}

/// Describes briefly how a resource is read.
fn how(resource: &Resource) -> String {
    if let Some(parent) = &resource.parent {
        let rows = parent.resource;
        let changed = if resource.incremental() { "that changed" } else { "in full" };
        let ask = match parent.ask {
            PerParent::Batch(_) => format!("for {rows} {changed}, 100 a call"),
            PerParent::Path | PerParent::Query(_) => format!("for {rows} {changed}, one a call"),
        };
        return match (resource.on_request, resource.carried) {
            (true, true) => format!("{ask}; only when selected, but by every backup"),
            (true, false) => format!("{ask}; only when selected"),
            (false, _) => ask,
        };
    }
    let several = resource.listings.len();
    let changes = resource.listings.iter().map(|listing| match listing.changes {
        Changes::SinceUntil => "changes in a window of time",
        Changes::Since => "changes since",
        Changes::SinceByKey => "changes since, paged by key",
        Changes::NewestFirst => "newest first, down to the watermark",
        Changes::FullRead => "in full",
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
