//! Writes a diff as one self-contained HTML page.
//!
//! All data is written as text: escaped where it is part of the markup, and as JSON without `<`, `>`, and
//! `&` where the script reads it. The script inserts it as text only. Values other than text keep their
//! spelling, since a browser shows `1.50` as `1.5` and rounds long ids. Control and direction characters
//! are escaped in the file and spelled out on the page.

use crate::cli::format::grouped;
use crate::model::{plain_json, printable, quoted};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
/// Rows a page holds at most.
const ROWS_MAX: u64 = 200_000;
/// Bytes of rows a page holds at most; a browser takes several times as much to show them.
const BYTES_MAX: usize = 128 << 20;

/// A page that is being built.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The rows as members of a JSON list, escaped.
    rows: String,
    held: u64,
    cut: u64,
}

/// The fields of a row that the page shows.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    resource: &'a RawValue,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    name: &'a RawValue,
    #[serde(borrow)]
    change: &'a RawValue,
    #[serde(borrow)]
    field: &'a RawValue,
    #[serde(borrow, rename = "oldValue")]
    old: &'a RawValue,
    #[serde(borrow, rename = "newValue")]
    new: &'a RawValue,
}

impl Page {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a row of the JSON output.
    pub(super) fn change(&mut self, row: &str) {
        // After the first omitted row all others are omitted too, so the page holds the first rows.
        if self.cut > 0 || self.held == ROWS_MAX || self.rows.len() + row.len() > BYTES_MAX {
            self.cut += 1;
            return;
        }
        let row: Row = serde_json::from_str(row).expect("a row of the JSON output is an object");
        self.rows.push_str(if self.held > 0 { ",\n[" } else { "[" });
        self.held += 1;
        for cell in [row.resource, row.id, row.name, row.change, row.field] {
            inert(cell.get(), &mut self.rows);
            self.rows.push(',');
        }
        spelled(row.old.get(), &mut self.rows);
        self.rows.push(',');
        spelled(row.new.get(), &mut self.rows);
        self.rows.push(']');
    }

    /// Returns the page. `head` describes both backups and summarizes the changes.
    pub(super) fn finish(&self, head: &Value) -> String {
        let mut page = String::with_capacity(self.rows.len() + 64 * 1_024);
        let summary = &head["summary"];
        let count = |name: &str| grouped(summary[name].as_u64().unwrap_or(0));
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>Backup diff</title>\
             <style>{STYLE}</style></head><body><header><h1>What changed</h1>{}{}</header><main>\
             <section class=\"totals\" aria-label=\"Totals\">\
             <p class=\"added\"><b>{}</b> added</p><p class=\"removed\"><b>{}</b> removed</p>\
             <p class=\"modified\"><b>{}</b> modified</p>\
             <p class=\"removed\"><b>{}</b> deleted</p><p><b>{}</b> field changes</p>\
             <p><b>{}</b> schema changes</p></section>",
            integrity(STYLE),
            integrity(SCRIPT),
            side("Old", &head["old"]),
            side("New", &head["new"]),
            count("added"),
            count("removed"),
            count("modified"),
            count("deleted"),
            count("fieldsChanged"),
            count("schema"),
        );
        schema(&mut page, &head["schema"]);
        chart(&mut page, &head["resources"]);
        notes(&mut page, head, self.held, self.cut);
        page.push_str(TABLE);
        page.push_str("</main><script type=\"application/json\" id=\"changes\">[");
        page.push_str(&self.rows);
        let _ = writeln!(page, "]</script><script>{SCRIPT}</script></body></html>");
        page
    }
}

/// The table of changes. The script fills it and makes it visible.
const TABLE: &str = "<section><h2>Changes</h2><noscript><p>The table needs JavaScript; \
    <code>-o table</code> and <code>-o ndjson</code> do not.</p></noscript>\
    <div id=\"browse\" hidden><form class=\"filters\" id=\"filters\"><label>Search \
    <input id=\"search\" type=\"search\" autocomplete=\"off\"></label><label>Resource \
    <select id=\"resource\"><option value=\"\">all</option></select></label><label>Change \
    <select id=\"kind\"><option value=\"\">all</option><option>added</option>\
    <option>removed</option><option>modified</option><option>deleted</option></select></label>\
    <output id=\"count\" aria-live=\"polite\"></output></form><p class=\"note\" id=\"printed\"></p>\
    <div class=\"frame\"><table id=\"table\" aria-label=\"Changes\"><thead><tr></tr></thead>\
    <tbody></tbody></table></div><nav class=\"pager\" aria-label=\"Pages\">\
    <button type=\"button\" id=\"before\">Previous</button><span id=\"where\"></span>\
    <button type=\"button\" id=\"after\">Next</button></nav></div></section>";

/// Returns the hash of a style or script for the content security policy.
fn integrity(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            if place > three.len() {
                text.push('=');
            } else {
                text.push(char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]));
            }
        }
    }
    text
}

/// Writes a value for the script. Text and null are written unchanged, any other value as a list with its
/// JSON text.
fn spelled(json: &str, out: &mut String) {
    if json.starts_with('"') || json == "null" {
        inert(json, out);
    } else {
        out.push('[');
        inert(&quoted(json), out);
        out.push(']');
    }
}

/// Writes JSON that cannot end a script, begin a comment, or control a terminal that shows the page.
fn inert(json: &str, out: &mut String) {
    for letter in plain_json(json).chars() {
        match letter {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            other => out.push(other),
        }
    }
}

/// Escapes text for HTML.
fn escaped(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(text),
        other => escaped(&other.to_string()),
    }
}

fn side(name: &str, side: &Value) -> String {
    let company = match side["account"]["company_domain"].as_str() {
        Some(domain) => {
            let id = side["account"]["company_id"].as_i64();
            let id = id.map_or_else(|| "id unknown".to_owned(), |id| format!("id {id}"));
            format!(", {} ({id})", escaped(domain))
        }
        None => String::new(),
    };
    let begun = match side["started_at"].as_str() {
        Some(time) => format!(", begun <time>{}</time>", escaped(time)),
        None => String::new(),
    };
    format!(
        "<p><span class=\"side\">{name}</span> <code>{}</code>{begun}{company}</p>",
        text_of(&side["dir"])
    )
}

fn schema(page: &mut String, changes: &Value) {
    let changes = changes.as_array().map_or(&[][..], Vec::as_slice);
    page.push_str("<section><h2>Schema</h2>");
    if changes.is_empty() {
        page.push_str(
            "<p class=\"none\">No field, option, pipeline or stage changed.</p></section>",
        );
        return;
    }
    page.push_str(
        "<div class=\"frame\"><table class=\"schema\"><thead><tr><th>File</th><th>What</th>\
         <th>Change</th><th>Name</th><th>Old</th><th>New</th></tr></thead><tbody>",
    );
    for change in changes {
        let cells = ["resource", "kind", "change", "name", "oldValue", "newValue"];
        let kind = text_of(&change["change"]);
        let _ = write!(page, "<tr class=\"{kind}\">");
        for cell in cells {
            let _ = write!(page, "<td>{}</td>", text_of(&change[cell]));
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div></section>");
}

/// The kinds of change, as named in the style sheet.
const KINDS: [&str; 4] = ["added", "removed", "modified", "deleted"];

/// Writes a bar for each resource, divided by kind of change.
fn chart(page: &mut String, resources: &Value) {
    const WIDTH: f64 = 100.0;
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or(0);
    let all = |row: &Value| KINDS.map(|name| number(row, name));
    let rows: Vec<&Value> = resources.as_array().into_iter().flatten().collect();
    let changed: Vec<&&Value> =
        rows.iter().filter(|row| all(row).iter().sum::<u64>() > 0).collect();
    page.push_str("<section><h2>By resource</h2>");
    if changed.is_empty() {
        page.push_str("<p class=\"none\">No record changed.</p></section>");
        return;
    }
    let most = changed.iter().map(|row| all(row).iter().sum::<u64>()).max().unwrap_or(1);
    page.push_str("<div class=\"chart\">");
    for row in changed {
        let counts = all(row);
        let _ = write!(
            page,
            "<span class=\"name\">{}</span><svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" \
             role=\"img\" aria-label=\"{} added, {} removed, {} modified, {} deleted\">",
            text_of(&row["resource"]),
            counts[0],
            counts[1],
            counts[2],
            counts[3]
        );
        let mut from = 0.0;
        for (kind, count) in KINDS.into_iter().zip(counts) {
            #[expect(clippy::cast_precision_loss, reason = "a bar is no wider than a screen")]
            let width = count as f64 / most as f64 * WIDTH;
            if count > 0 {
                let _ = write!(
                    page,
                    "<rect class=\"{kind}\" x=\"{from:.3}\" width=\"{:.3}\" height=\"10\"/>",
                    width.max(0.4)
                );
                from += width.max(0.4);
            }
        }
        let figures: Vec<String> = ["+", "−", "~", "×"]
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(sign, count)| format!("{sign}{}", grouped(count)))
            .collect();
        let _ = write!(page, "</svg><span class=\"figures\">{}</span>", figures.join(" "));
    }
    page.push_str("</div></section>");
}

fn notes(page: &mut String, head: &Value, kept: u64, cut: u64) {
    let mut notes = Vec::new();
    let skipped: Vec<String> = head["skipped"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} [{}]", text_of(&one["resource"]), text_of(&one["presentIn"])))
        .collect();
    if !skipped.is_empty() {
        notes.push(format!("Present in one backup only, not compared: {}.", skipped.join(", ")));
    }
    for one in head["oneSided"].as_array().into_iter().flatten() {
        notes.push(format!(
            "{}: {} ({}) in one backup only [{}]: {} rows.",
            text_of(&one["resource"]),
            text_of(&one["name"]),
            text_of(&one["kind"]),
            text_of(&one["presentIn"]),
            grouped(one["rows"].as_u64().unwrap_or(0))
        ));
    }
    for name in head["ignoredNothing"].as_array().into_iter().flatten() {
        notes.push(format!("Nothing that was compared is called {}.", text_of(name)));
    }
    let folded = head["summary"]["folded"].as_u64().unwrap_or(0);
    if folded > 0 {
        notes.push(format!(
            "{} more records changed in fields that Pipedrive computes only.",
            grouped(folded)
        ));
    }
    if cut > 0 {
        notes.push(format!(
            "The table holds the first {} rows; {} more are left out.",
            grouped(kept),
            grouped(cut)
        ));
    }
    for note in notes {
        let _ = write!(page, "<p class=\"note\">{note}</p>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_deceptive;
    use serde_json::json;

    #[test]
    fn markup_in_the_data_stays_text() {
        let evil = "</script><script>alert(1)</script><!-- & \u{2028}";
        let mut page = Page::new();
        page.change(&format!(
            "{{\"resource\":\"deals\",\"id\":\"1\",\"name\":null,\"change\":\"modified\",\"field\":{0},\"oldValue\":{0},\"newValue\":null}}",
            quoted(evil)
        ));
        let head = json!({
            "old": {"dir": evil}, "new": {"dir": "b", "account": {"company_domain": evil}},
            "schema": [{"resource": "dealFields", "kind": "field", "change": "added", "name": evil}],
            "resources": [{"resource": evil, "added": 1}],
            "skipped": [{"resource": evil, "presentIn": "A"}], "summary": {},
        });
        let page = page.finish(&head);
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains("<!-- "), "{page}");
        assert_eq!(page.matches("</script>").count(), 2);
        let json =
            page.split("id=\"changes\">").nth(1).and_then(|rest| rest.split("</script>").next());
        let rows: Value = serde_json::from_str(json.expect("the rows")).expect("they are JSON");
        assert_eq!(rows[0][4], evil);
    }

    /// The script implements the rules of [`plain`], except for line breaks and tabs, which a cell may
    /// contain.
    #[test]
    fn the_page_shows_no_character_that_deceives() {
        let deceives = |code: &u32| {
            let letter = char::from_u32(*code);
            letter.is_some_and(|c| is_deceptive(c) && !matches!(c, '\n' | '\t'))
        };
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for code in (0..=u32::from(char::MAX)).filter(deceives) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == code => *last = code,
                _ => ranges.push((code, code)),
            }
        }
        let mut class = String::new();
        for (first, last) in ranges {
            let _ = write!(class, "\\u{{{first:x}}}");
            if first < last {
                let _ = write!(class, "-\\u{{{last:x}}}");
            }
        }
        assert!(SCRIPT.contains(&format!("/[{class}]/gu")), "page.js lacks /[{class}]/gu");

        let evil = "\x1b[2J\u{9b}\u{202e}\u{feff}\u{e0041}\n";
        let mut page = Page::new();
        let row = format!(
            "{{\"resource\":\"deals\",\"id\":{0},\"name\":null,\"change\":\"modified\",\"field\":{0},\"oldValue\":{0},\"newValue\":null}}",
            quoted(evil)
        );
        page.change(&row);
        let page = page.finish(&json!({"old": {"dir": evil}, "schema": [{"name": evil}]}));
        assert!(page.chars().all(|letter| letter == '\n' || !is_deceptive(letter)));
    }

    #[track_caller]
    fn check(old: &str, expected: &str) {
        let mut page = Page::new();
        page.change(&format!(
            r#"{{"resource":"deals","id":"1","name":null,"change":"modified","field":"f","oldValue":{old},"newValue":null}}"#
        ));
        assert_eq!(page.rows, format!(r#"["deals","1",null,"modified","f",{expected},null]"#));
    }

    #[test]
    fn values_keep_their_spelling() {
        check("1.50", r#"["1.50"]"#);
        check("12345678901234567890123", r#"["12345678901234567890123"]"#);
        check("true", r#"["true"]"#);
        check("null", "null");
        check(r#""null""#, r#""null""#);
        check(r#"{"a":"<b>","n":1.0}"#, r#"["{\"a\":\"\u003cb\u003e\",\"n\":1.0}"]"#);
    }

    #[test]
    fn a_page_holds_the_first_rows_and_says_what_is_left_out() {
        let row = r#"{"resource":"deals","id":"1","name":null,"change":"added","field":null,"oldValue":null,"newValue":null}"#;
        let mut page = Page::new();
        (0..ROWS_MAX + 2).for_each(|_| page.change(row));
        let page = page.finish(&json!({}));
        assert!(page.contains("holds the first 200,000 rows; 2 more are left out"));

        let long = quoted(&"x".repeat(BYTES_MAX));
        let mut page = Page::new();
        page.change(row);
        page.change(&row.replace(r#""newValue":null"#, &format!(r#""newValue":{long}"#)));
        page.change(row);
        assert_eq!((page.held, page.cut), (1, 2));
    }

    #[test]
    fn hashes_are_spelled_as_browsers_want_them() {
        assert_eq!(
            ["", "f", "fo", "foo"].map(|text| base64(text.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v"]
        );
    }
}
