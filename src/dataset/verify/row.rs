//! Finds the references of a row to other rows.

use super::fields::{Fields, Stranger};
use crate::model::{Custom, Json, Key, Keys, Resource, Result, is_custom, items, reference};
use std::borrow::Cow;

/// Checks the rows of one resource.
#[derive(Debug)]
pub(super) struct RowReader {
    resource: &'static Resource,
    keys: Keys,
    /// The meanings by index of the column.
    columns: Vec<Meaning>,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Nothing,
    /// The key of a row of this resource, or a list of keys.
    Names(&'static Resource),
    /// A value that marks the row as deleted if it is one of these.
    Deleted(&'static [&'static str]),
    /// An object of custom fields.
    Custom,
}

/// The references and unknown fields of a row.
#[derive(Debug, Default)]
pub(super) struct RowReferences {
    /// The columns, and the keys that they reference.
    pub(super) references: Vec<(&'static str, &'static Resource, String)>,
    pub(super) strangers: Vec<Stranger>,
}

impl RowReader {
    /// Creates a reader for a resource. References to resources for which `is_there` is false are
    /// ignored.
    pub(super) fn of(
        resource: &'static Resource,
        is_there: impl Fn(&'static Resource) -> bool,
    ) -> Self {
        let meaning = |column: &str| match column {
            "is_deleted" => Meaning::Deleted(&["true"]),
            // This applies to notes, files, users and similar rows (pipedrive-api.md 2.5).
            "active_flag" => Meaning::Deleted(&["false", "0"]),
            "status" => Meaning::Deleted(&["\"deleted\""]),
            "custom_fields" if resource.custom == Custom::Nested => Meaning::Custom,
            column => match reference(resource.name, column) {
                Some(target) if is_there(target) => Meaning::Names(target),
                _ => Meaning::Nothing,
            },
        };
        Self {
            resource,
            keys: Keys::new(resource.columns.iter().map(|column| column.name)),
            columns: resource.columns.iter().map(|column| meaning(column.name)).collect(),
        }
    }

    /// Reads a row. The references of a deleted row are ignored, because their targets may be deleted
    /// with it.
    pub(super) fn at(
        &mut self,
        row: &str,
        mut fields: Option<&mut Fields>,
    ) -> Result<RowReferences> {
        let mut seen = RowReferences::default();
        let mut deleted = false;
        let mut json = Json::new(row);
        let mut more = json.open(b'{')?;
        self.keys.begin();
        while more {
            let key = self.keys.next(&mut json)?;
            let value = json.value()?;
            match key {
                Key::Known(place) => match self.columns[place] {
                    Meaning::Nothing => {}
                    Meaning::Deleted(signs) => deleted |= signs.contains(&value),
                    Meaning::Names(target) => {
                        let column = self.resource.columns[place].name;
                        named(value, |key| seen.references.push((column, target, key)));
                    }
                    Meaning::Custom => {
                        if let Some(fields) = &mut fields
                            && value.starts_with('{')
                        {
                            fields.strangers(value, &mut seen.strangers)?;
                        }
                    }
                },
                Key::Unknown(key) => {
                    if let Some(fields) = &fields
                        && self.resource.custom == Custom::Flat
                        && is_custom(&key)
                    {
                        fields.stranger(&key, value, &mut seen.strangers);
                    }
                }
            }
            more = json.more(b'{')?;
        }
        if deleted {
            seen.references.clear();
        }
        Ok(seen)
    }
}

/// Passes on the keys in a value: a number or text, a list of them, or an object with its key under
/// `value` or `id` (pipedrive-api.md 5.2).
fn named(value: &str, mut each: impl FnMut(String)) {
    let plain = |value: &str| -> Option<String> {
        match value.as_bytes().first()? {
            b'"' => {
                let text: Cow<'_, str> = serde_json::from_str(value).ok()?;
                (!text.is_empty()).then(|| text.into_owned())
            }
            b'1'..=b'9' => Some(value.to_owned()),
            // Zero refers to no row.
            _ => None,
        }
    };
    if value.starts_with('[') {
        // An invalid list is reported with its row.
        let _ = items(value, |item| plain(item).into_iter().for_each(&mut each));
    } else {
        plain(value).into_iter().for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Definition;
    use serde_json::json;

    #[track_caller]
    fn check(resource: &str, row: &str, expected: &str) {
        let resource = Resource::named(resource).expect("it exists");
        let fill = |text: &str| text.replace("#a", &"a".repeat(40)).replace("#b", &"b".repeat(40));
        let definition = |code: char, ty: &str| {
            let options = json!([{"id": 31, "label": "gold"}, {"id": 32, "label": "iron"}]);
            let code: String = std::iter::repeat_n(code, 40).collect();
            let definition = json!({"field_name": "Tier", "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true});
            serde_json::from_value::<Definition>(definition).expect("it is a definition")
        };
        let mut fields = Fields::of(&[definition('a', "enum"), definition('b', "set")]);
        let seen = RowReader::of(resource, |_| true).at(&fill(row), Some(&mut fields));
        let RowReferences { references, strangers } = seen.expect("a row");
        let references = references.into_iter().map(|(c, t, key)| format!("{c}={}/{key}", t.name));
        let strangers = strangers.into_iter().map(|stranger| match stranger {
            Stranger::Field(code) => format!("field {code:.4}"),
            Stranger::Option { id, field } => format!("option {id} of {field}"),
        });
        assert_eq!(references.chain(strangers).collect::<Vec<_>>().join(", "), expected);
    }

    #[test]
    fn references_options_and_fields_are_found() {
        check(
            "deals",
            r##"{"id":1,"owner_id":3,"person_id":null,"org_id":7,"custom_fields":{"#a":31,"#b":[32,9],"cccc":1}}"##,
            "owner_id=users/3, org_id=organizations/7, option 9 of Tier, field cccc",
        );
        check(
            "leads",
            r##"{"id":"x","person_id":5,"#a":"33","#b":"31,32","#b_until":"x","#a_currency":"EUR"}"##,
            "person_id=persons/5, option 33 of Tier",
        );
        check(
            "projects",
            r#"{"id":1,"deal_ids":[4,5],"owner_id":0}"#,
            "deal_ids=deals/4, deal_ids=deals/5",
        );
    }

    #[test]
    fn deleted_rows_are_not_held_to_what_they_name() {
        check("deals", r#"{"id":1,"owner_id":3,"is_deleted":true}"#, "");
        check("notes", r#"{"id":1,"deal_id":3,"active_flag":false}"#, "");
        check("projects", r#"{"id":1,"owner_id":3,"status":"deleted"}"#, "");
    }
}
