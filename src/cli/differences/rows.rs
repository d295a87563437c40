//! Changes as rows in the form of pdcli, with a path beside the name of the field.

use super::differ::Differ;
use crate::cli::format::grouped;
use crate::dataset::diff::{Change, Counts, FieldChange, OneSided, SchemaChange, What};
use crate::model::quoted;
use serde_json::{Value, json};

/// Returns the rows of a change, one for each field that differs. With `records`, added, removed and
/// deleted rows include the whole record.
pub(in crate::cli) fn rows(change: &Change, records: bool) -> Vec<String> {
    let head = |what: &str| {
        format!(
            "{{\"resource\":{},\"id\":{},\"name\":{},\"change\":\"{what}\"",
            quoted(change.resource),
            quoted(&change.key),
            change.name.as_deref().map_or_else(|| "null".to_owned(), quoted)
        )
    };
    let whole = |what: &str, record: &str| {
        let record = if records { format!(",\"record\":{record}") } else { String::new() };
        vec![format!("{},\"field\":null,\"oldValue\":null,\"newValue\":null{record}}}", head(what))]
    };
    match &change.what {
        What::Added(record) => whole("added", record),
        What::Removed(record) => whole("removed", record),
        What::Modified(fields) => {
            let head = head("modified");
            fields.iter().map(|field| modified(&head, field)).collect()
        }
        What::Deleted(record, fields) => {
            let mut rows = whole("deleted", record);
            let head = head("modified");
            rows.extend(fields.iter().map(|field| modified(&head, field)));
            rows
        }
    }
}

fn modified(head: &str, field: &FieldChange) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    format!(
        "{head},\"field\":{},\"oldValue\":{},\"newValue\":{},\"path\":{}}}",
        quoted(&field.label),
        value(&field.old),
        value(&field.new),
        quoted(&field.path)
    )
}

/// Returns `{added, removed, modified, deleted, fieldsChanged, folded, schema}`.
pub(in crate::cli) fn summary(diff: &Differ<'_>) -> Value {
    let mut summary = counts(diff.total());
    summary["schema"] = diff.schema().len().into();
    summary
}

/// Returns the counts of each compared resource.
pub(in crate::cli) fn by_resource(diff: &Differ<'_>) -> Vec<Value> {
    let rows = diff.counts().into_iter().map(|(resource, found)| {
        let mut row = counts(found);
        row["resource"] = resource.into();
        row
    });
    rows.collect()
}

fn counts(counts: Counts) -> Value {
    serde_json::to_value(counts).unwrap_or_default()
}

/// Returns a sentence about data that only one side can contain.
pub(in crate::cli) fn one_sided(one: &OneSided) -> String {
    let (side, other) = if one.present == "A" { ("older", "newer") } else { ("newer", "older") };
    let (resource, name, rows) = (one.resource, &one.name, grouped(one.rows));
    match one.kind {
        "rows" => format!(
            "{resource}: {rows} {name} rows in the {side} backup only: the tool that made the {other} one \
             does not read them"
        ),
        _ => format!(
            "{resource}: \"{name}\" has a value in {rows} rows of the {side} backup, and no row of the \
             {other} one has that field"
        ),
    }
}

/// Returns a sentence about a change of the schema.
pub(in crate::cli) fn sentence(change: &SchemaChange) -> String {
    let named = |text: &Option<String>| text.clone().unwrap_or_default();
    let what = match (change.kind, change.change) {
        ("option", "renamed") => {
            format!(
                "\"{}\" → \"{}\" of \"{}\"",
                named(&change.old),
                named(&change.new),
                change.name
            )
        }
        ("option", "added") => format!("\"{}\" of \"{}\"", named(&change.new), change.name),
        ("option", _) => format!("\"{}\" of \"{}\"", named(&change.old), change.name),
        (_, "renamed") => format!("\"{}\" → \"{}\"", named(&change.old), named(&change.new)),
        (_, "retyped") => {
            format!("\"{}\": {} → {}", change.name, named(&change.old), named(&change.new))
        }
        _ => format!("\"{}\"", change.name),
    };
    format!("{}: {} {}: {what}", change.resource, change.kind, change.change)
}

/// Returns a change of the schema as a row of line-delimited output.
pub(in crate::cli) fn schema_row(change: &SchemaChange) -> Value {
    let mut row = serde_json::to_value(change).unwrap_or_default();
    row["schema"] = json!(true);
    row
}
