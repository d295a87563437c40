//! Parses a list of field definitions row by row: those that can be read, and the names of those that
//! cannot.

use super::definition::{Definition, FieldOption};
use super::page::is_custom;
use super::record::usable;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Rows of a dictionary that are named one by one when they are odd; the rest is counted.
const ODD_NAMED_MAX: usize = 20;

/// The definitions of one dictionary. A row that cannot be read is left out and reported. The values of its
/// field keep the hash as their key.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    /// The readable definitions, in the order of the dictionary, each code once.
    pub known: Vec<Definition>,
    /// The parameters that Pipedrive refused. The dictionary was read without them.
    pub without: Vec<&'static str>,
    /// The problems in other rows, one sentence each.
    odd: Vec<String>,
    /// The number of sentences that were dropped.
    more: usize,
    /// The codes of definitions that have no other readable part.
    lost: BTreeSet<String>,
    /// Whether the code of a definition cannot be read.
    nameless: bool,
    /// The codes of `known`.
    codes: BTreeSet<String>,
    rows: usize,
}

impl Definitions {
    /// Adds a row of the dictionary.
    pub fn add_page(&mut self, json: &[u8]) {
        self.rows += 1;
        let row = self.rows;
        let value: Value = serde_json::from_slice(json).unwrap_or_default();
        match read(&value) {
            Ok((field, odd)) => {
                for why in odd {
                    self.note(format!("of field \"{}\" {why}", field.code));
                }
                if self.codes.insert(field.code.clone()) {
                    self.lost.remove(&field.code);
                    self.known.push(field);
                } else if !self.known.contains(&field) {
                    let code = field.code;
                    self.note(format!("field \"{code}\" is described twice: the first counts"));
                }
            }
            Err(why) => {
                let code = value["field_code"].as_str().filter(|code| !code.is_empty());
                match code {
                    Some(code) if !self.codes.contains(code) => {
                        self.lost.insert(code.to_owned());
                    }
                    Some(_) => {}
                    None => self.nameless = true,
                }
                let named = code.map(|code| format!(" (field \"{code}\")")).unwrap_or_default();
                self.note(format!("definition {row}{named} is left out: {why}"));
            }
        }
    }

    /// Returns the problems of the dictionary, one sentence each: what was left out, and why.
    pub fn odd(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more oddities", self.more));
        self.odd.iter().cloned().chain(more).collect()
    }

    /// Returns whether the account may have a field of this code although no definition of it is known.
    pub fn may_hold(&self, code: &str) -> bool {
        self.nameless || self.lost.contains(code)
    }

    /// Returns whether the dictionary contains fields whose definitions cannot be read.
    pub fn is_patchy(&self) -> bool {
        self.nameless || !self.lost.is_empty()
    }

    fn note(&mut self, sentence: String) {
        if self.odd.len() < ODD_NAMED_MAX {
            self.odd.push(sentence);
        } else {
            self.more += 1;
        }
    }
}

/// Reads a row of a dictionary. Returns the definition and what was left out of it, or why the row cannot be
/// read. Null counts as absent.
pub(super) fn read(row: &Value) -> Result<(Definition, Vec<String>), String> {
    let row = row.as_object().ok_or("it is no object")?;
    let code = text(row, "field_code")?.filter(|code| !code.is_empty());
    let code = code.ok_or("it has no field_code")?;
    let custom = match member(row, "is_custom_field") {
        None => is_custom(code),
        Some(Value::Bool(custom)) => *custom,
        Some(_) => return Err("its is_custom_field is neither true nor false".to_owned()),
    };
    let mut odd = Vec::new();
    let options = match member(row, "options") {
        None => None,
        Some(Value::Array(options)) => Some(readable(options, &mut odd)),
        Some(_) => return Err("its options are no list".to_owned()),
    };
    let definition = Definition {
        name: text(row, "field_name")?.unwrap_or(code).to_owned(),
        code: code.to_owned(),
        ty: text(row, "field_type")?.unwrap_or_default().to_owned(),
        options,
        custom,
    };
    Ok((definition, odd))
}

/// Returns the options that have a usable id, each id once.
fn readable(options: &[Value], odd: &mut Vec<String>) -> Vec<FieldOption> {
    let mut ids = BTreeSet::new();
    let mut known: Vec<FieldOption> = Vec::with_capacity(options.len());
    for (place, option) in (1..).zip(options) {
        let id = option.get("id").filter(|id| id.is_boolean() || usable(&id.to_string()));
        let label = match option.get("label") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(label)) => Ok(Some(label.clone())),
            Some(_) => Err(()),
        };
        let (Some(id), Ok(label)) = (id, label) else {
            let what = if id.is_none() { "id" } else { "label" };
            odd.push(format!("option {place} is left out: its {what} cannot be used"));
            continue;
        };
        let option = FieldOption { id: id.clone(), label };
        if ids.insert(option.key()) {
            known.push(option);
        } else if !known.contains(&option) {
            odd.push(format!("option {} is there twice: the first counts", option.id));
        }
    }
    known
}

fn member<'r>(row: &'r Map<String, Value>, name: &str) -> Option<&'r Value> {
    row.get(name).filter(|value| !value.is_null())
}

fn text<'r>(row: &'r Map<String, Value>, name: &str) -> Result<Option<&'r str>, String> {
    match member(row, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("its {name} is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[&str], expected: &[&str], odd: &[&str]) {
        let mut definitions = Definitions::default();
        for row in rows {
            definitions.add_page(row.as_bytes());
        }
        let known = definitions.known.iter().map(|field| {
            let options =
                field.options.iter().flatten().map(|option| {
                    format!(" {}={}", option.id, option.label.as_deref().unwrap_or("?"))
                });
            format!("{} {} {}{}", field.code, field.name, field.ty, options.collect::<String>())
        });
        assert_eq!(known.collect::<Vec<_>>(), expected);
        assert_eq!(definitions.odd(), odd);
    }

    #[test]
    fn null_is_absent() {
        check(
            &[
                r#"{"field_code":"a","field_name":null,"field_type":null,"options":null,"is_custom_field":null}"#,
                r#"{"field_code":"b"}"#,
                r#"{"field_code":"c","field_name":"C","field_type":"enum","options":[{"id":1,"label":null},{"id":"x"}]}"#,
            ],
            &["a a ", "b b ", "c C enum 1=? \"x\"=?"],
            &[],
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_named() {
        check(
            &[
                "null",
                "[1]",
                "{",
                r#"{"field_name":"x"}"#,
                r#"{"field_code":"","field_name":"x"}"#,
                r#"{"field_code":"a","field_name":5}"#,
                r#"{"field_code":"b","field_type":[]}"#,
                r#"{"field_code":"c","options":{}}"#,
                r#"{"field_code":"d","is_custom_field":"yes"}"#,
                r#"{"field_code":"e"}"#,
            ],
            &["e e "],
            &[
                "definition 1 is left out: it is no object",
                "definition 2 is left out: it is no object",
                "definition 3 is left out: it is no object",
                "definition 4 is left out: it has no field_code",
                "definition 5 is left out: it has no field_code",
                "definition 6 (field \"a\") is left out: its field_name is no text",
                "definition 7 (field \"b\") is left out: its field_type is no text",
                "definition 8 (field \"c\") is left out: its options are no list",
                "definition 9 (field \"d\") is left out: its is_custom_field is neither true nor false",
            ],
        );
    }

    #[test]
    fn an_odd_option_costs_no_other_and_what_comes_twice_counts_once() {
        check(
            &[
                r#"{"field_code":"a","options":[{"id":true,"label":"x"},{"id":true,"label":"x"},{"label":"x"},7,{"id":1,"label":5},{"id":{},"label":"x"},{"id":2,"label":"b"},{"id":"2","label":"c"},{"id":2,"label":"b"}]}"#,
                r#"{"field_code":"a","field_name":"again"}"#,
            ],
            &["a a  true=x 2=b"],
            &[
                "of field \"a\" option 3 is left out: its id cannot be used",
                "of field \"a\" option 4 is left out: its id cannot be used",
                "of field \"a\" option 5 is left out: its label cannot be used",
                "of field \"a\" option 6 is left out: its id cannot be used",
                "of field \"a\" option \"2\" is there twice: the first counts",
                "field \"a\" is described twice: the first counts",
            ],
        );
    }

    #[test]
    fn many_oddities_are_counted() {
        let mut definitions = Definitions::default();
        for _ in 0..100 {
            definitions.add_page(b"{}");
        }
        let odd = definitions.odd();
        assert_eq!(odd.len(), ODD_NAMED_MAX + 1);
        assert_eq!(odd[ODD_NAMED_MAX], "and 80 more oddities");
    }
}
