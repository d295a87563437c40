//! Values that a CRM changed by its own rules: stages, kinds of parents, and spellings.
//!
//! A push into the CRM sees the value of the bundle and the value that the CRM returns. The side-car of
//! the bundle stores both, and the side-car of a pull copies them. A value that comes back in its other
//! form is therefore not counted as an edit.

use super::format::{Entity, STAMPS, value_of};
use super::index::{Index, number};
use super::push::{Act, Fates, Fitted, Plan, alike, custom_field, differing, in_order, known};
use super::reader::{Reader, Survey};
use crate::dataset::hex;
use crate::model::{Result, json_eq, members};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most forms of one field that are kept; a field with more is one that the CRM changes as it likes, and
/// nothing of it is believed.
const FORMS_MAX: usize = 10_000;
/// Most forms of all fields together.
const FORMS_OF_ALL_MAX: usize = 100_000;
/// Longest value that is kept as it is, in bytes; of a longer one its hash is.
const VALUE_BYTES_MAX: usize = 200;
/// The fields that only the CRM sets.
const INTERNAL: &[&str] = &["id", "public_id"];

/// A value of a bundle and the value that a CRM stored for it. Both are raw JSON, or `sha256:` and a hash.
/// If either is absent, the CRM changes the field in more ways than are recorded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Form {
    /// The name of the array.
    #[serde(rename = "array")]
    pub entity: String,
    /// The name of the field; `custom.NAME` for a custom field.
    pub field: String,
    /// The value in the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value in the CRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// The forms of values, indexed for look-up.
#[derive(Debug, Default)]
pub struct Forms {
    fields: HashMap<(Entity, String), HashMap<u64, Vec<String>>>,
    /// The fields that the CRM changes in more ways than are recorded.
    any: BTreeSet<(Entity, String)>,
}

impl Forms {
    /// Builds the index.
    pub fn of(list: &[Form]) -> Self {
        let mut forms = Self::default();
        for form in list {
            let Some(entity) = Entity::named(&form.entity) else { continue };
            let field = (entity, form.field.clone());
            match (&form.from, &form.to) {
                (Some(from), Some(to)) => {
                    let of = forms.fields.entry(field).or_default();
                    of.entry(number(to)).or_default().push(from.clone());
                }
                _ => {
                    forms.any.insert(field);
                }
            }
        }
        forms
    }

    /// Returns whether a value is what the CRM stored for the other value.
    pub fn is_form(&self, entity: Entity, field: &str, value: &str, other: &str) -> bool {
        let field = (entity, field.to_owned());
        let from = self.fields.get(&field).and_then(|of| of.get(&number(&kept(value))));
        let is_it = |from: &String| json_eq(from, other) || *from == kept(other);
        self.any.contains(&field) || from.into_iter().flatten().any(is_it)
    }
}

/// Returns the known forms together with those that a push revealed: the values that a CRM stored for the
/// values of the bundle.
///
/// `fit` returns what a push would send for a new row. A created row shows what the CRM changed. Any other
/// row counts only if it equals what would be sent, because other differences may be edits.
pub async fn observed<F>(
    survey: &Survey,
    target: &mut Index,
    fates: &Fates,
    plan: &Plan,
    before: &[Form],
    mut fit: F,
) -> Result<Vec<Form>>
where
    F: FnMut(Entity, &str) -> Result<Option<Fitted>>,
{
    let mut found = Found::default();
    for form in before {
        let Some(entity) = Entity::named(&form.entity) else { continue };
        match (&form.from, &form.to) {
            (Some(from), Some(to)) => found.add(entity, &form.field, (from.clone(), to.clone())),
            _ => {
                found.any.insert((entity, form.field.clone()));
            }
        }
    }
    for span in in_order(survey) {
        let mut rows = Reader::of_array(&survey.path, span)?;
        while let Some(row) = rows.next().await? {
            let Some(there) = fates.there(target, row.entity, &known(row.json)?)? else { continue };
            let created = plan.act_of(row.entity, row.index) == Act::Create;
            let names = differing(row.json, &there);
            if names.is_empty() {
                continue;
            }
            let Some(fitted) = fit(row.entity, row.json)? else { continue };
            for name in names {
                let (from, to) = (value(row.json, &name), value(&there, &name));
                let (Some(from), Some(to)) = (from, to) else { continue };
                let skipped = INTERNAL.contains(&name.as_str()) || STAMPS.contains(&name.as_str());
                let sent = value(&fitted.json, &name).is_some_and(|sent| alike(&sent, &to));
                if !skipped && (created || sent) {
                    found.add(row.entity, &name, (kept(&from), kept(&to)));
                }
            }
        }
    }
    Ok(found.finish())
}

/// The forms found so far.
#[derive(Default)]
struct Found {
    forms: BTreeMap<(Entity, String), BTreeSet<(String, String)>>,
    total: usize,
    any: BTreeSet<(Entity, String)>,
}

impl Found {
    fn add(&mut self, entity: Entity, field: &str, form: (String, String)) {
        let field = (entity, field.to_owned());
        if self.any.contains(&field) {
            return;
        }
        let of = self.forms.entry(field.clone()).or_default();
        if of.contains(&form) {
            return;
        }
        if of.len() >= FORMS_MAX || self.total >= FORMS_OF_ALL_MAX {
            self.any.insert(field);
            return;
        }
        of.insert(form);
        self.total += 1;
    }

    fn finish(self) -> Vec<Form> {
        let any = self.any.iter().map(|(entity, field)| Form {
            entity: entity.name().to_owned(),
            field: field.clone(),
            from: None,
            to: None,
        });
        let mut all: Vec<Form> = any.collect();
        for ((entity, field), forms) in
            self.forms.into_iter().filter(|(field, _)| !self.any.contains(field))
        {
            all.extend(forms.into_iter().map(|(from, to)| Form {
                entity: entity.name().to_owned(),
                field: field.clone(),
                from: Some(from),
                to: Some(to),
            }));
        }
        all.sort();
        all
    }
}

/// Returns the recorded form of a value: the value itself, or its hash if it is long.
fn kept(value: &str) -> String {
    if value.len() <= VALUE_BYTES_MAX {
        return value.to_owned();
    }
    format!("sha256:{}", hex(&Sha256::digest(value.as_bytes())))
}

/// Returns the raw value of a field. Returns `None` if the row does not have the field.
fn value(row: &str, name: &str) -> Option<String> {
    let custom = name.strip_prefix(&custom_field(""));
    let found = match custom {
        Some(name) => {
            let custom = value_of(row, "custom")?;
            let own = members(custom).into_iter().rev().find(|(key, _)| key == name);
            Some(own.map_or("null", |(_, value)| value))
        }
        None => value_of(row, name),
    };
    found.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_back_in_its_other_form_is_known() {
        let long = format!("\"{}\"", "x".repeat(VALUE_BYTES_MAX));
        let mut found = Found::default();
        for (from, to) in [("\"a\"", "\"A\""), (&long, "null"), ("1.0", "1")] {
            found.add(Entity::Accounts, "name", (kept(from), kept(to)));
        }
        let list = found.finish();
        let forms = Forms::of(&list);
        let check = |value: &str, other: &str, expected| {
            assert_eq!(forms.is_form(Entity::Accounts, "name", value, other), expected, "{value}");
        };
        check("\"A\"", "\"a\"", true);
        check("\"A\"", "\"b\"", false);
        check("null", &long, true);
        check("null", "\"y\"", false);
        check("1", "1.00", true);
        assert!(!forms.is_form(Entity::Contacts, "name", "\"A\"", "\"a\""));
    }

    #[test]
    fn of_a_field_with_too_many_forms_nothing_is_believed() {
        let mut found = Found::default();
        for n in 0..=FORMS_MAX {
            found.add(Entity::Leads, "title", (n.to_string(), "0".to_owned()));
            found.add(Entity::Leads, "source", ("1".to_owned(), "2".to_owned()));
        }
        let list = found.finish();
        assert_eq!(list.len(), 2);
        let forms = Forms::of(&list);
        assert!(forms.is_form(Entity::Leads, "title", "anything", "else"));
        assert!(!forms.is_form(Entity::Leads, "source", "3", "1"));
    }
}
