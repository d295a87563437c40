//! Readable keys for custom fields, with option labels beside option ids.

use super::error::Result;
use super::object::{Object, pairs, quoted};
use super::page::is_custom;
use super::resource::{Custom, Resource};
use super::schema::Definition;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The readable keys of one account's custom fields for one resource.
///
/// A key is made of the field's name. Where two fields share it, or it is a column's or a
/// companion's name, all but the field with the smallest hash get `_` and the first eight digits
/// of their hash, so the outcome does not depend on the order of definitions.
#[derive(Debug, Clone)]
pub struct Names {
    custom: Custom,
    fields: BTreeMap<String, Field>,
}

#[derive(Debug, Clone)]
struct Field {
    key: String,
    set: bool,
    /// Label by option id as the API writes it; empty for fields without options.
    labels: BTreeMap<String, String>,
}

impl Names {
    /// The keys for these definitions.
    pub fn of(resource: &Resource, definitions: &[Definition]) -> Self {
        let mut custom: Vec<_> = definitions.iter().filter(|field| field.custom).collect();
        custom.sort_by(|a, b| a.code.cmp(&b.code));
        let mut taken: BTreeSet<String> = match resource.custom {
            Custom::Flat => resource.columns.iter().map(|column| column.name.to_owned()).collect(),
            Custom::Nested | Custom::None => BTreeSet::new(),
        };
        let mut fields = BTreeMap::new();
        for field in custom {
            let options = field.options.as_deref().unwrap_or_default();
            let labels: BTreeMap<_, _> =
                options.iter().map(|o| (plain(&o.id.to_string()), o.label.clone())).collect();
            let set = field.ty == "set";
            let occupied = |key: &str| {
                let label = (!labels.is_empty()).then(|| label_of(key, set));
                let companions = field.companions(resource.custom == Custom::Flat);
                let companions = companions.iter().map(|part| format!("{key}_{part}"));
                companions.chain(label).chain([key.to_owned()]).collect::<Vec<_>>()
            };
            let readable = field.readable();
            let short = format!("{readable}_{}", field.code.get(..8).unwrap_or(&field.code));
            // The hash itself is free: nothing else is called like it.
            let candidates = [readable, short, field.code.clone()];
            let free = |key: &&String| occupied(key).iter().all(|name| !taken.contains(name));
            let key = candidates.iter().find(free).unwrap_or(&field.code).clone();
            taken.extend(occupied(&key));
            fields.insert(field.code.clone(), Field { key, set, labels });
        }
        Self { custom: resource.custom, fields }
    }

    /// The readable key of a hash; the hash itself when it is not known.
    pub fn key<'n>(&'n self, code: &'n str) -> &'n str {
        self.fields.get(code).map_or(code, |field| &field.key)
    }

    /// The key under which a field's option labels stand, for fields with options.
    pub fn label_key(&self, code: &str) -> Option<String> {
        let field = self.fields.get(code).filter(|field| !field.labels.is_empty())?;
        Some(label_of(&field.key, field.set))
    }

    /// The record with readable keys. Everything else stays as it is.
    pub fn apply(&self, json: &str) -> Result<Vec<u8>> {
        let mut out = Object::new(json.len() + json.len() / 4);
        let mut inner = Ok(());
        pairs(json, |key, value| match self.custom {
            Custom::Nested if key == "custom_fields" && value.starts_with('{') => {
                let mut fields = Object::new(value.len() + value.len() / 4);
                inner = pairs(value, |code, value| self.field(&mut fields, &code, value));
                out.pair("custom_fields", fields.finish());
            }
            Custom::Flat if is_custom(&key) => self.field(&mut out, &key, value),
            _ => out.pair(&key, value),
        })?;
        inner?;
        Ok(out.finish())
    }

    fn field(&self, out: &mut Object, code: &str, value: &str) {
        let (hash, part) = code.split_at_checked(40).unwrap_or((code, ""));
        let Some(field) = self.fields.get(hash) else {
            out.pair(code, value);
            return;
        };
        if !part.is_empty() {
            out.pair(&format!("{}{part}", field.key), value);
            return;
        }
        out.pair(&field.key, value);
        if !field.labels.is_empty() {
            out.pair(&label_of(&field.key, field.set), field.label(value));
        }
    }
}

impl Field {
    /// The label of an option id, or the labels of a list of them; null where one is not known.
    fn label(&self, value: &str) -> String {
        let one =
            |id: &str| self.labels.get(id.trim()).map_or_else(|| "null".to_owned(), |l| quoted(l));
        let ids = plain(value);
        if !self.set {
            return if value == "null" { "null".to_owned() } else { one(&ids) };
        }
        let ids = ids.trim_start_matches('[').trim_end_matches(']');
        match value {
            "null" => "null".to_owned(),
            _ if ids.trim().is_empty() => "[]".to_owned(),
            _ => format!(
                "[{}]",
                ids.split(',').map(|id| one(&plain(id.trim()))).collect::<Vec<_>>().join(",")
            ),
        }
    }
}

fn label_of(key: &str, set: bool) -> String {
    format!("{key}_{}", if set { "labels" } else { "label" })
}

/// A scalar without its quotes.
fn plain(value: &str) -> String {
    let text: Cow<'_, str> = match value.strip_prefix('"') {
        Some(_) => serde_json::from_str::<String>(value).map_or(value.into(), Cow::Owned),
        None => value.into(),
    };
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions() -> Vec<Definition> {
        let field = |name: &str, code: char, ty: &str, options: serde_json::Value| {
            let code: String = std::iter::repeat_n(code, 40).collect();
            let definition = json!({"field_name": name, "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true});
            serde_json::from_value(definition).expect("it is a definition")
        };
        let options = json!([{"id": 1, "label": "gold"}, {"id": 2, "label": "say \"hi\""}]);
        vec![
            field("Deal Tier", 'b', "enum", options.clone()),
            field("deal   tier!", 'a', "varchar", json!(null)),
            field("Tags", 'c', "set", options),
            field("Wert", 'd', "monetary", json!(null)),
            field("★", 'e', "text", json!(null)),
            field("Title", 'f', "text", json!(null)),
        ]
    }

    #[track_caller]
    fn check(resource: &str, json: &str, expected: &str) {
        let resource = Resource::named(resource).expect("it exists");
        let fill = |text: &str| {
            ['a', 'b', 'c', 'd', 'e', 'f'].iter().fold(text.to_owned(), |text, code| {
                text.replace(&format!("#{code}"), &code.to_string().repeat(40))
            })
        };
        let names = Names::of(resource, &definitions());
        let mut reversed = definitions();
        reversed.reverse();
        assert_eq!(Names::of(resource, &reversed).fields.len(), names.fields.len());
        let written = names.apply(&fill(json)).expect("it is an object");
        assert_eq!(String::from_utf8_lossy(&written), fill(expected));
        let again = Names::of(resource, &reversed).apply(&fill(json)).expect("it is an object");
        assert_eq!(again, written, "the order of definitions does not matter");
    }

    #[test]
    fn keys_are_readable_and_unique() {
        check(
            "deals",
            r##"{"id":1,"custom_fields":{"#b":1,"#a":"x","#c":[1,2,9],"#e":1.50,"#f":null}}"##,
            r##"{"id":1,"custom_fields":{"deal_tier_bbbbbbbb":1,"deal_tier_bbbbbbbb_label":"gold","deal_tier":"x","tags":[1,2,9],"tags_labels":["gold","say \"hi\"",null],"#e":1.50,"title":null}}"##,
        );
    }

    #[test]
    fn flat_fields_keep_their_companions_and_spare_the_columns() {
        check(
            "leads",
            r##"{"title":"t","#b":"2","#c":"1,2","#d":5,"#d_currency":"EUR","#f":"x"}"##,
            r#"{"title":"t","deal_tier_bbbbbbbb":"2","deal_tier_bbbbbbbb_label":"say \"hi\"","tags":"1,2","tags_labels":["gold","say \"hi\""],"wert":5,"wert_currency":"EUR","title_ffffffff":"x"}"#,
        );
    }

    #[test]
    fn labels_and_companions_are_names_too() {
        let field = |name: &str, code: char, ty: &str, options: serde_json::Value| {
            let code: String = std::iter::repeat_n(code, 40).collect();
            let definition = json!({"field_name": name, "field_code": code, "field_type": ty,
                "options": options, "is_custom_field": true});
            serde_json::from_value::<Definition>(definition).expect("it is a definition")
        };
        let leads = Resource::named("leads").expect("there are leads");
        let names = Names::of(
            leads,
            &[
                field("tags labels", 'a', "varchar", json!(null)),
                field("tags", 'b', "set", json!([{"id": 1, "label": "x"}])),
                field("cost currency", 'c', "varchar", json!(null)),
                field("cost", 'd', "monetary", json!(null)),
            ],
        );
        let keys: Vec<_> = ['a', 'b', 'c', 'd']
            .iter()
            .map(|c| names.key(&c.to_string().repeat(40)).to_owned())
            .collect();
        assert_eq!(keys, ["tags_labels", "tags_bbbbbbbb", "cost_currency", "cost_dddddddd"]);
    }

    #[test]
    fn an_unknown_field_keeps_its_hash() {
        let unknown = "9".repeat(40);
        let json = format!(r#"{{"custom_fields":{{"{unknown}":1}}}}"#);
        check("deals", &json, &json);
    }
}
