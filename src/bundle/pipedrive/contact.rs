//! Projects contacts to what Pipedrive can store: names, addresses, and phone numbers.

use super::project::PipedriveProjection;
use super::row_builder::RowBuilder;
use crate::bundle::fitting::filled_entries;
use crate::bundle::format::value_of;
use crate::model::{list, members, quoted, text};

/// The list fields and the fields that hold their primary values.
const LISTS: [(&str, &str); 2] = [("email", "emails"), ("phone", "phones")];

impl PipedriveProjection<'_> {
    pub(super) fn contact(&mut self, row: &mut RowBuilder<'_>) {
        row.leave_as_is("account_public_id");
        for name in ["name", "first_name", "last_name"] {
            row.consume(name);
        }
        self.name(row);
        for (one, many) in LISTS {
            row.consume(one);
            row.consume(many);
            let own = row.get(one);
            // The list contains the primary value, too. If they differ, the field is what a CRM stores.
            let filled = row.get(many).map(|all| filled_entries(all).unwrap_or_default());
            let all = match filled {
                Some(all) if row.says(one) && !is_primary(&all, own) => with_primary(&all, own),
                Some(all) if all.is_empty() => "null".to_owned(),
                Some(all) => all,
                None if row.says(many) || row.is_new() => with_primary("[]", own),
                None => with_primary(row.other(many), own),
            };
            if !row.says(one) && !row.says(many) {
                continue;
            }
            let (all, added) = labelled(&all);
            if added && row.is_new() {
                self.lose(row, many, "what has no label gets one");
            }
            row.put(many, all);
        }
        row.keep_some("created_at");
    }

    /// Writes the name as first and last name if both are present. They are more exact than the full name,
    /// which Pipedrive splits itself.
    fn name(&mut self, row: &mut RowBuilder<'_>) {
        let filled = |name: &str| row.text(name).filter(|text| !text.is_empty());
        let (name, first, last) = (filled("name"), filled("first_name"), filled("last_name"));
        if let (Some(first), Some(last)) = (&first, &last) {
            row.put("first_name", quoted(first));
            row.put("last_name", quoted(last));
            if name.is_some_and(|name| name != format!("{first} {last}")) {
                self.lose(row, "name", "first and last name say otherwise");
            }
            return;
        }
        let whole = name.is_some();
        if let Some(name) = name.or(first).or(last) {
            row.put("name", quoted(&name));
        } else if row.is_new() {
            // Pipedrive requires a name. The e-mail address replaces a missing one.
            row.put("name", quoted(&filled("email").unwrap_or_else(|| "–".to_owned())));
        } else {
            self.lose(row, "name", "a person always has one");
        }
        if whole && !row.is_new() {
            for half in ["first_name", "last_name"] {
                self.lose(row, half, "Pipedrive splits the name by itself");
            }
        }
    }
}

/// Returns whether a value is the primary one of a list. Without a value, returns whether no entry is
/// marked as primary.
fn is_primary(all: &str, own: Option<&str>) -> bool {
    let filled = |raw: &str| text(raw).filter(|text| !text.is_empty());
    let values = list(all);
    let marked = values.iter().find(|one| value_of(one, "primary") == Some("true"));
    let Some(own) = own.and_then(filled) else {
        // A marked entry may have been dropped because it is blank.
        return marked.is_none();
    };
    let primary = marked.or(values.first()).and_then(|one| value_of(one, "value"));
    primary.and_then(filled).is_some_and(|primary| primary == own)
}

/// Adds a label to each entry without one, because Pipedrive does the same. Returns whether a label was
/// added.
fn labelled(all: &str) -> (String, bool) {
    let bare = |one: &str| {
        let label = value_of(one, "label").and_then(text);
        one.starts_with('{') && label.is_none_or(|label| label.is_empty())
    };
    let items = list(all);
    if !items.iter().any(|one| bare(one)) {
        return (all.to_owned(), false);
    }
    let items = items.into_iter().map(|one| {
        if !bare(one) {
            return one.to_owned();
        }
        let pairs = members(one).into_iter().filter(|(key, _)| key != "label");
        let pairs = pairs.map(|(key, value)| format!("{}:{value},", quoted(&key)));
        format!("{{{}\"label\":\"work\"}}", pairs.collect::<String>())
    });
    (format!("[{}]", items.collect::<Vec<_>>().join(",")), true)
}

/// Replaces the primary value in a list of addresses or numbers. Without a value, removes the primary
/// entry.
fn with_primary(all: &str, own: Option<&str>) -> String {
    let own = own.filter(|own| text(own).is_some_and(|text| !text.is_empty()));
    let mut all: Vec<String> = list(all).into_iter().map(str::to_owned).collect();
    let marked = all.iter().position(|one| value_of(one, "primary") == Some("true"));
    let place = marked.or((!all.is_empty()).then_some(0));
    match (place, own) {
        (Some(place), Some(own)) => {
            let pairs = members(&all[place]).into_iter().map(|(key, value)| {
                let value = if key == "value" { own } else { value };
                format!("{}:{value}", quoted(&key))
            });
            all[place] = format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
        }
        (Some(place), None) => {
            all.remove(place);
        }
        (None, Some(own)) => {
            all.push(format!("{{\"value\":{own},\"primary\":true,\"label\":\"work\"}}"));
        }
        (None, None) => {}
    }
    if all.is_empty() { "null".to_owned() } else { format!("[{}]", all.join(",")) }
}
