//! The order in which records write their properties, for loaders that read by position.
//!
//! A loader that writes the values of a record one after the other, as `target-csv` 0.3.0 does, puts them
//! under wrong headings when records of a stream differ in their keys or in the order of their keys.

use super::definition::COMPOSITES;
use super::object::pairs;
use super::resource::{Column, Type};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

/// A property of a schema.
pub(super) struct Property<'s> {
    pub(super) name: &'s str,
    pub(super) schema: &'s Value,
    /// The columns of the property's object, or of the objects in its list.
    pub(super) inside: &'static [Column],
}

/// Returns the properties that a schema declares: first the columns in the order in which the API sends them,
/// then the others in the order of `seen`, then by name.
pub(super) fn properties<'s>(
    schema: &'s Value,
    columns: &'static [Column],
    seen: &[String],
) -> Vec<Property<'s>> {
    let Some(declared) = schema["properties"].as_object() else {
        return Vec::new();
    };
    let known = columns.iter().filter_map(|column| {
        let (name, schema) = declared.get_key_value(column.name)?;
        Some(Property { name, schema, inside: inside(column.ty) })
    });
    let others = declared.iter().filter(|(name, _)| columns.iter().all(|c| c.name != **name));
    let others = others.map(|(name, schema)| Property { name, schema, inside: parts(schema) });
    let mut others: Vec<_> = others.collect();
    others
        .sort_by_key(|other| seen.iter().position(|name| name == other.name).unwrap_or(seen.len()));
    known.chain(others).collect()
}

/// Returns the names of a record's custom fields that the stream's schema declares, in the order of the
/// record. They are the keys of its `custom_fields` object. Where custom fields are columns, keys that are
/// not in `columns` are included.
pub fn custom_fields_of(record: &str, schema: &Value, columns: &[Column]) -> Vec<String> {
    const OBJECT: &str = "custom_fields";
    let declared = &schema["properties"];
    let beside = declared.get(OBJECT).is_none() && columns.iter().any(|c| c.name == OBJECT);
    let mut names: Vec<String> = Vec::new();
    let mut take = |name: &str, declared: &Value| {
        if declared.get(name).is_some() {
            names.push(name.to_owned());
        }
    };
    // Nothing is known of a record that is not an object.
    let _ = pairs(record, |key, value| {
        if key == OBJECT && value.starts_with('{') {
            let _ = pairs(value, |name, _| take(&name, &declared[OBJECT]["properties"]));
        } else if beside && columns.iter().all(|column| column.name != key) {
            take(&key, declared);
        }
    });
    names
}

fn inside(ty: Type) -> &'static [Column] {
    match ty {
        Type::Object(columns) => columns,
        Type::List(item) => inside(*item),
        _ => &[],
    }
}

/// Returns the parts of a custom field, found by their names.
fn parts(schema: &Value) -> &'static [Column] {
    let declared = schema["properties"].as_object();
    let names = || declared.into_iter().flat_map(Map::keys);
    let is_of = |columns: &&&'static [Column]| {
        names().all(|name| columns.iter().any(|column| column.name == *name))
    };
    COMPOSITES.iter().find(is_of).copied().unwrap_or_default()
}

/// A JSON Schema of records with these columns. It is serialized with its properties in the order of the
/// records.
#[derive(Debug, Clone, Copy)]
pub struct InOrder<'s> {
    schema: &'s Value,
    columns: &'static [Column],
    seen: &'s [String],
}

impl<'s> InOrder<'s> {
    /// Returns a schema with the columns of its resource, and its custom fields in the order in which they
    /// were seen.
    pub fn of(schema: &'s Value, columns: &'static [Column], seen: &'s [String]) -> Self {
        Self { schema, columns, seen }
    }
}

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(keywords) = self.schema.as_object() else {
            return self.schema.serialize(serializer);
        };
        let mut map = serializer.serialize_map(Some(keywords.len()))?;
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "properties" => map.serialize_entry(keyword, &Properties(self))?,
                "items" => map.serialize_entry(keyword, &Self { schema: value, ..*self })?,
                _ => map.serialize_entry(keyword, value)?,
            }
        }
        map.end()
    }
}

struct Properties<'s>(&'s InOrder<'s>);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let InOrder { schema, columns, seen } = *self.0;
        let all = properties(schema, columns, seen);
        let mut map = serializer.serialize_map(Some(all.len()))?;
        for property in all {
            map.serialize_entry(
                property.name,
                &InOrder::of(property.schema, property.inside, seen),
            )?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Resource;
    use serde_json::json;

    #[test]
    fn columns_come_first_and_as_the_api_sends_them() {
        let deals = Resource::named("deals").expect("there are deals");
        let schema = json!({"type": "object", "properties": {
            "a": {"properties": {"currency": {}, "value": {}}},
            "b": {"properties": {"country": {}, "value": {}, "x": {}}},
            "custom_fields": {"properties": {"k": {"properties": {"until": {}, "value": {}}}}},
            "id": {"type": "integer"},
            "title": {},
        }});
        assert_eq!(
            serde_json::to_string(&InOrder::of(&schema, deals.columns, &[])).expect("it is JSON"),
            r#"{"properties":{"id":{"type":"integer"},"title":{},"custom_fields":{"properties":{"k":{"properties":{"value":{},"until":{}}}}},"a":{"properties":{"value":{},"currency":{}}},"b":{"properties":{"country":{},"value":{},"x":{}}}},"type":"object"}"#
        );
    }

    #[test]
    fn custom_fields_come_as_they_were_seen() {
        let deals = Resource::named("deals").expect("there are deals");
        let schema = json!({"properties": {
            "custom_fields": {"properties": {"a": {}, "b": {}, "c": {}, "d": {}}}, "id": {},
        }});
        let seen = custom_fields_of(
            r#"{"id":1,"custom_fields":{"c":1,"x":2,"b":{"d":1}}}"#,
            &schema,
            deals.columns,
        );
        assert_eq!(seen, ["c", "b"]);
        assert_eq!(
            serde_json::to_string(&InOrder::of(&schema, deals.columns, &seen)).expect("it is JSON"),
            r#"{"properties":{"id":{},"custom_fields":{"properties":{"c":{},"b":{},"a":{},"d":{}}}}}"#
        );
        let beside = json!({"properties": {"a": {}, "b": {}, "id": {}, "title": {}}});
        let seen =
            custom_fields_of(r#"{"b":1,"id":1,"x":2,"title":"","a":3}"#, &beside, deals.columns);
        assert_eq!(seen, ["b", "a"]);
        for other in [r#"{"custom_fields":null}"#, r#"{"id":1}"#, "[]"] {
            assert_eq!(custom_fields_of(other, &schema, deals.columns), [""; 0]);
        }
    }
}
