//! Records held against a JSON Schema, for loaders that take nothing else.
//!
//! A loader of the Singer world checks every record and ends the whole load at the first value that
//! is not of its declared type, or at a property that was not declared (protocol facts, section 9).

use super::error::{Error, Kind, Result};
use super::json::Json;
use super::keys::{Key, Keys};
use super::record::Inside;
use super::resource::Resource;
use super::shape::{Form, Shape};
use serde_json::Value;

/// The keyword of a property that holds text, or JSON as text: of columns that come in several types.
pub const JSON_AS_TEXT: &str = "x-json";

/// What the records of a stream must be, compiled from their schema.
#[derive(Debug, Clone)]
pub struct Fit {
    members: Members,
    /// For records that are exact: what is inside each column of the table must be; `None` where the
    /// schema is not that of the table, or not all of it is wanted.
    columns: Option<Vec<usize>>,
}

/// What did not fit in one record or more.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// Paths of values that are null now, dots between keys.
    pub nulled: Vec<String>,
    /// Properties that nobody declared, and that are left out.
    pub undeclared: Vec<String>,
}

/// The properties of an object, and what each must be.
#[derive(Debug, Clone)]
pub(super) struct Members {
    keys: Keys,
    shapes: Vec<Shape>,
    /// Whether other properties than these may stand in it.
    open: bool,
    /// How many of them must.
    required: usize,
}

impl Fit {
    /// What records must be to pass `schema`. Properties of `whole` that it lacks were not selected;
    /// a record without one of those in `key` passes never.
    pub fn of(resource: &Resource, schema: &Value, whole: &Value) -> Self {
        let key = resource.key;
        let mut members =
            Members { open: false, required: key.len(), ..Members::of(schema, whole) };
        for (name, shape) in
            whole["properties"].as_object().into_iter().flatten().zip(&mut members.shapes)
        {
            shape.required = key.contains(&name.0.as_str());
        }
        let names = whole["properties"].as_object().into_iter().flatten().map(|(name, _)| name);
        let names: Vec<&String> = names.collect();
        let columns = resource.columns.iter().map(|column| {
            let place = names.iter().position(|name| *name == column.name)?;
            let shape = &members.shapes[place];
            (shape.form != Form::Dropped && shape.declares(column.ty)).then_some(place)
        });
        Self { columns: columns.collect(), members }
    }

    /// Whether a record passes as it is: every property declared, every value of its type.
    ///
    /// Of one that is known to be exact, only what is inside of it is looked at.
    pub fn passes(&mut self, json: &str, exact: Option<Inside>) -> Result<bool> {
        let (Some(inside), Some(columns)) = (&exact, &self.columns) else {
            return self.members.pass(&mut Json::new(json));
        };
        for (column, start, end) in inside.iter() {
            let shape = &mut self.members.shapes[columns[column]];
            let value = json.get(start..end).unwrap_or_default();
            if !shape.pass(&mut Json::new(value))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The record as it passes: what fits stands as it was spelled, other values are null, and
    /// undeclared properties are left out. Whole numbers may be spelled `5.0`, and become `5`.
    pub fn mend(&mut self, json: &str, misfits: &mut Misfits) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(json.len() + 64);
        self.members.mend(json, "", &mut out, misfits)?;
        Ok(out)
    }
}

impl Members {
    /// Of a schema; what `whole` has beyond it is to be left out.
    pub(super) fn of(schema: &Value, whole: &Value) -> Self {
        let (declared, all) = (&schema["properties"], &whole["properties"]);
        let names: Vec<&String> = all.as_object().into_iter().flatten().map(|(k, _)| k).collect();
        let shape = |name: &&String| match declared.get(name.as_str()) {
            Some(property) => Shape::of(property, &all[name.as_str()]),
            None => Shape::dropped(),
        };
        Self {
            keys: Keys::new(names.iter().map(|name| name.as_str())),
            shapes: names.iter().map(shape).collect(),
            open: schema["additionalProperties"] != Value::Bool(false),
            required: 0,
        }
    }

    /// Reads an object. Once it does not pass, the rest of it is not read.
    pub(super) fn pass(&mut self, json: &mut Json<'_>) -> Result<bool> {
        let mut required = self.required;
        self.keys.begin();
        let mut more = json.open(b'{')?;
        while more {
            match self.keys.next(json)? {
                Key::Known(place) if !self.shapes[place].pass(json)? => return Ok(false),
                Key::Known(place) => {
                    required -= usize::from(self.shapes[place].required).min(required);
                }
                Key::Unknown(_) if !self.open => return Ok(false),
                Key::Unknown(_) => {
                    json.value()?;
                    if json.too_large() {
                        return Ok(false);
                    }
                }
            }
            more = json.more(b'{')?;
        }
        Ok(required == 0)
    }

    /// Writes an object as it passes.
    pub(super) fn mend(
        &mut self,
        text: &str,
        path: &str,
        out: &mut Vec<u8>,
        misfits: &mut Misfits,
    ) -> Result<()> {
        let mut json = Json::new(text);
        let mut required = self.required;
        self.keys.begin();
        out.push(b'{');
        let first = out.len();
        let mut more = json.open(b'{')?;
        while more {
            json.peek();
            let start = json.at();
            let key = self.keys.next(&mut json)?;
            let spelled = &text[start..json.at()];
            let value = json.value()?;
            let too_large = json.too_large();
            more = json.more(b'{')?;
            let place = match key {
                Key::Known(place) if self.shapes[place].form == Form::Dropped => continue,
                Key::Known(place) => {
                    required -= usize::from(self.shapes[place].required).min(required);
                    Some(place)
                }
                Key::Unknown(_) if self.open => None,
                Key::Unknown(name) => {
                    misfits.undeclared.push(below(path, &name));
                    continue;
                }
            };
            if out.len() > first {
                out.push(b',');
            }
            out.extend_from_slice(spelled.as_bytes());
            let path = || below(path, &name_of(spelled));
            match place {
                Some(place) => self.shapes[place].put((value, too_large), &path, out, misfits)?,
                // Nobody declared it, but a number in it that no double holds ends a load.
                None if too_large => {
                    misfits.nulled.push(path());
                    out.extend_from_slice(b"null");
                }
                None => out.extend_from_slice(value.as_bytes()),
            }
        }
        out.push(b'}');
        json.end()?;
        if required == 0 {
            return Ok(());
        }
        Err(Error::new(Kind::Shape, "a row lacks its key, or a part of it: no loader takes it"))
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The name of a key as it is spelled, with its quotes and colon.
fn name_of(spelled: &str) -> String {
    let quoted = spelled.trim_end().trim_end_matches(':').trim_end();
    serde_json::from_str(quoted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"properties": {
            "id": {"type": "integer"},
            "text": {"type": ["null", "string"]},
            "share": {"type": ["null", "number"]},
            "on": {"type": ["null", "string"], "format": "date"},
            "at": {"type": ["null", "string"], "format": "date-time"},
            "either": {"type": ["null", "string"], "x-json": true},
            "count": {"type": ["null", "integer"]},
            "list": {"type": ["null", "array"], "items": {"type": ["null", "integer"]}},
            "gone": {"type": ["null", "string"]},
            "in": {"type": ["null", "object"], "properties": {
                "flag": {"type": ["null", "boolean"]},
                "gone": {"type": ["null", "boolean"]},
            }},
        }})
    }

    fn fit() -> Fit {
        let mut selected = schema();
        for object in ["/properties", "/properties/in/properties"] {
            let object = selected.pointer_mut(object).and_then(Value::as_object_mut);
            object.expect("it is there").remove("gone");
        }
        let stages = Resource::named("stages").expect("there are stages");
        Fit::of(stages, &selected, &schema())
    }

    #[track_caller]
    fn check(json: &str, expected: &str, nulled: &[&str], undeclared: &[&str]) {
        let mut misfits = Misfits::default();
        let passes = fit().passes(json, None).expect("it is an object");
        let mended = fit().mend(json, &mut misfits).expect("it can be mended");
        assert_eq!(String::from_utf8_lossy(&mended), expected);
        assert_eq!(misfits.nulled, nulled);
        assert_eq!(misfits.undeclared, undeclared);
        assert_eq!(passes, json == expected, "{json}");
        assert!(fit().passes(expected, None).expect("it is an object"), "{expected}");
    }

    #[test]
    fn what_fits_stays_as_it_is_spelled() {
        for json in [
            r#"{"id":1,"share":1.50,"on":"2026-02-28","at":"2026-02-28T10:00:00.123Z"}"#,
            r#"{"id":-9223372036854775808,"share":12345678901234567890.5,"text":"","list":[1,null]}"#,
            r#"{"id":1,"either":"x","in":{"flag":true,"more":[1,{}]},"list":null,"text":null}"#,
            r#"{"id":1}"#,
        ] {
            check(json, json, &[], &[]);
        }
    }

    #[test]
    fn values_of_another_type_become_null_and_are_named() {
        check(
            r#"{"id":1,"text":5,"share":"2","on":"2026-02-30","at":"2026-02-28 10:00:00"}"#,
            r#"{"id":1,"text":null,"share":null,"on":null,"at":null}"#,
            &["text", "share", "on", "at"],
            &[],
        );
        check(
            r#"{"id":1,"count":9223372036854775808,"list":[1.5,"2",3],"in":{"flag":1}}"#,
            r#"{"id":1,"count":null,"list":[null,null,3],"in":{"flag":null}}"#,
            &["count", "list", "list", "in.flag"],
            &[],
        );
        check(
            r#"{"id":1,"share":1e999,"in":[]}"#,
            r#"{"id":1,"share":null,"in":null}"#,
            &["share", "in"],
            &[],
        );
    }

    #[test]
    fn numbers_that_no_double_holds_become_null_wherever_they_stand() {
        let digits = "7".repeat(5_000);
        for number in ["1e999", "-1E400", digits.as_str()] {
            check(
                &format!(
                    r#"{{"id":1,"share":{number},"count":{number},"list":[1,{number}],"in":{{"flag":true,"open":[{{"x":{number}}}],"n":1}}}}"#
                ),
                r#"{"id":1,"share":null,"count":null,"list":[1,null],"in":{"flag":true,"open":null,"n":1}}"#,
                &["share", "count", "list", "in.open"],
                &[],
            );
            check(
                &format!(r#"{{"id":1,"either":{number}}}"#),
                &format!(r#"{{"id":1,"either":"{number}"}}"#),
                &[],
                &[],
            );
        }
        let small = format!("0.{digits}");
        let row = format!(r#"{{"id":1,"share":{small},"in":{{"open":1e-999}}}}"#);
        check(&row, &row, &[], &[]);
    }

    #[test]
    fn what_only_is_spelled_otherwise_is_kept() {
        check(r#"{"id":2.0,"list":[-3.00]}"#, r#"{"id":2,"list":[-3]}"#, &[], &[]);
        check(r#"{"id":1,"either":{"a":"b"}}"#, r#"{"id":1,"either":"{\"a\":\"b\"}"}"#, &[], &[]);
        check(r#"{"id":1,"either":31}"#, r#"{"id":1,"either":"31"}"#, &[], &[]);
    }

    #[test]
    fn what_is_not_declared_is_left_out() {
        check(
            r#"{"new":1,"id":1,"gone":"x","in":{"gone":true,"flag":false}}"#,
            r#"{"id":1,"in":{"flag":false}}"#,
            &[],
            &["new"],
        );
    }

    #[test]
    fn a_key_is_there_and_never_null() {
        let refused = |json: &str| {
            assert!(!fit().passes(json, None).expect("it is an object"), "{json}");
            let error = fit().mend(json, &mut Misfits::default());
            error.expect_err("it lacks its key").to_string()
        };
        for json in [r#"{"id":"x"}"#, r#"{"id":null}"#] {
            assert_eq!(
                refused(json),
                "id: a value is not of its declared type, and the schema does not allow null"
            );
        }
        let lacks = "a row lacks its key, or a part of it: no loader takes it";
        assert_eq!(refused(r#"{"text":"x"}"#), lacks);
    }
}
