//! Prints differences as a table, as one JSON object, or as lines.

use super::differ::Differ;
use super::rows::{one_sided, rows, schema_row, sentence, summary};
use crate::cli::format::grouped;
use crate::cli::stdout;
use crate::cli::text::{Grid, Text};
use crate::dataset::diff::{Change, FieldChange, What};
use crate::model::{Resource, Result};
use serde_json::{Value, json};

/// Rows a table shows at most.
const TABLE_ROWS_MAX: usize = 10_000;
/// Characters of a value that a table shows.
const VALUE_MAX: usize = 60;
/// The number of bytes that are buffered before they are printed.
const BUFFER_BYTES: usize = 64 << 10;
/// A buffer for output that is printed in parts.
#[derive(Default)]
struct Printer(String);

impl Printer {
    fn print(&mut self, text: &str) -> Result<()> {
        self.0.push_str(text);
        if self.0.len() > BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        stdout::programs(&std::mem::take(&mut self.0))
    }
}

/// Prints the comparison as one JSON object. Changes are streamed, and the summary is last.
pub(in crate::cli) async fn object(diff: &mut Differ<'_>) -> Result<()> {
    let mut out = Printer::default();
    out.print("{\"changes\":[")?;
    let mut comma = "";
    while let Some(change) = diff.next().await? {
        for row in rows(&change, false) {
            out.print(comma)?;
            out.print(&row)?;
            comma = ",\n";
        }
    }
    let rest = json!({
        "schema": diff.schema(),
        "skipped": diff.skipped(),
        "oneSided": diff.one_sided(),
        "ignoredNothing": diff.unmet(),
        "summary": summary(diff),
    });
    out.print("],")?;
    out.print(rest.to_string().trim_start_matches('{'))?;
    out.print("\n")?;
    out.flush()
}

/// Prints one change per line. The last line is the summary.
pub(in crate::cli) async fn lines(diff: &mut Differ<'_>) -> Result<()> {
    let mut out = Printer::default();
    for change in diff.schema() {
        out.print(&format!("{}\n", schema_row(change)))?;
    }
    while let Some(change) = diff.next().await? {
        for row in rows(&change, true) {
            out.print(&row)?;
            out.print("\n")?;
        }
    }
    let last = json!({
        "summary": summary(diff),
        "skipped": diff.skipped(),
        "oneSided": diff.one_sided(),
        "ignoredNothing": diff.unmet(),
    });
    out.print(&format!("{last}\n"))?;
    out.flush()
}

/// Prints the changes as a table, followed by a summary.
pub(in crate::cli) async fn table(diff: &mut Differ<'_>) -> Result<()> {
    let mut table = Grid::framed(["Resource", "ID", "Name", "Change", "Field", "Old", "New"]);
    let (mut shown, mut more) = (0, 0);
    while let Some(change) = diff.next().await? {
        for row in cells(&change) {
            if shown < TABLE_ROWS_MAX {
                table.row(row);
                shown += 1;
            } else {
                more += 1;
            }
        }
    }
    let mut text = Text::new();
    for change in diff.schema() {
        text.line(sentence(change));
    }
    if !diff.schema().is_empty() {
        text.line("");
    }
    if shown > 0 {
        text.grid(table.without_columns_of(&[""]));
    }
    if more > 0 {
        text.line(format!("… {} more rows: -o ndjson shows all", grouped(more)));
    }
    if shown > 0 {
        text.line("");
    }
    let total = diff.total();
    let deleted = match total.deleted {
        0 => String::new(),
        deleted => format!(" · {deleted} deleted"),
    };
    text.line(format!(
        "{} added · {} removed · {} modified ({} field changes){deleted}",
        total.added, total.removed, total.modified, total.fields
    ));
    if !diff.skipped().is_empty() {
        let skipped = diff.skipped().iter();
        let skipped = skipped.map(|one| format!("{}[{}]", one.resource, one.present));
        text.line(format!(
            "Skipped (present in one snapshot only): {}",
            skipped.collect::<Vec<_>>().join(", ")
        ));
    }
    for one in diff.one_sided() {
        text.line(one_sided(one));
    }
    for name in diff.unmet() {
        text.line(format!("--ignore {name}: nothing that was compared is called so"));
    }
    if total.folded > 0 {
        text.line(format!(
            "{} more changed in computed fields only (--all-fields shows them)",
            grouped(total.folded)
        ));
    }
    stdout::people(&text)
}

/// Returns the table rows of a change.
fn cells(change: &Change) -> Vec<[String; 7]> {
    let (resource, id) = (change.resource.to_owned(), change.key.clone());
    let name = change.name.as_deref().map(cut).unwrap_or_default();
    let whole = |what: &str| {
        let none = String::new;
        vec![[resource.clone(), id.clone(), name.clone(), what.to_owned(), none(), none(), none()]]
    };
    let modified = |field: &FieldChange| {
        [
            resource.clone(),
            id.clone(),
            name.clone(),
            "modified".to_owned(),
            short(change.resource, &field.label).to_owned(),
            shown(field.old.as_deref()),
            shown(field.new.as_deref()),
        ]
    };
    match &change.what {
        What::Added(_) => whole("added"),
        What::Removed(_) => whole("removed"),
        What::Modified(fields) => fields.iter().map(modified).collect(),
        What::Deleted(_, fields) => {
            whole("deleted").into_iter().chain(fields.iter().map(modified)).collect()
        }
    }
}

/// Removes the prefix `custom_fields.` from a field's label, unless the rest is the name of a column.
fn short<'l>(resource: &str, label: &'l str) -> &'l str {
    let Some(short) = label.strip_prefix("custom_fields.") else {
        return label;
    };
    let first = short.split(['.', '[']).next().unwrap_or(short);
    let resource = Resource::all().find(|known| known.file == resource);
    if resource.is_some_and(|known| known.column(first).is_some()) { label } else { short }
}

/// Formats a value for a table: text without quotes, on one line, shortened.
fn shown(value: Option<&str>) -> String {
    let text = match value {
        None => return String::new(),
        Some(raw) if raw.starts_with('"') => match serde_json::from_str::<Value>(raw) {
            Ok(Value::String(text)) => text,
            _ => raw.to_owned(),
        },
        Some(raw) => raw.to_owned(),
    };
    cut(&text)
}

/// Formats a text on one line, shortened.
fn cut(text: &str) -> String {
    let breaks = |c: char| matches!(c, '\n' | '\r' | '\t');
    let text: String = text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect();
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    text.chars().take(VALUE_MAX - 1).chain(['…']).collect()
}
