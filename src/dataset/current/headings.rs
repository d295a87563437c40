//! The columns of a sheet or a table: their names, and the source of their values.

use super::super::table::DELETED;
use crate::model::{Definition, Names};
use arrow_schema::{DataType, Field};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The member of an object whose column has the object's name. Other members add their name.
const VALUE: &str = "value";

/// A column of an exported table.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The column's name for databases, which is the name in the Parquet warehouse.
    pub name: String,
    /// The column's name for people. For a custom field it is the name in Pipedrive. If the field has
    /// options, their labels are the values, and a column beside it holds their ids.
    pub title: String,
    /// The type of its values.
    pub kind: Kind,
    /// The entry of `_fields.json` for the custom field of this column.
    pub field: Option<Value>,
    /// The source column, before objects are split into columns.
    pub(super) from: String,
    pub(super) part: Part,
}

/// The type of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Boolean.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Num,
    /// A date.
    Date,
    /// An instant.
    Time,
    /// A text, a list, or an object as JSON.
    Text,
}

/// The part of the source column's values that a heading shows.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Whole,
    /// A member of the object.
    Member(String),
    /// The labels of the ids.
    Labels(Arc<BTreeMap<String, String>>),
}

/// The known custom fields of a table.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The entries of `_fields.json` for the columns of the batches.
    pub(super) entries: Vec<Value>,
    /// The new names and labels, if the source columns are named by hashes.
    pub(super) renamed: Option<(Vec<Definition>, Names)>,
}

/// The role of a column for its custom field.
enum Role {
    Value,
    Label,
    Part(String),
}

impl Fields {
    fn of(&self, column: &str) -> Option<(&Value, Role)> {
        self.entries.iter().find_map(|entry| {
            if entry["column"] == column {
                return Some((entry, Role::Value));
            }
            if entry["label_column"] == column {
                return Some((entry, Role::Label));
            }
            let mut parts = entry["parts"].as_object().into_iter().flatten();
            let part = parts.find(|(_, name)| **name == column)?.0;
            Some((entry, Role::Part(part.clone())))
        })
    }

    /// Returns the headings of a table with these columns.
    pub(super) fn headings(&self, fields: &[Field]) -> Vec<Heading> {
        let mut list = List::default();
        for field in fields.iter().filter(|field| field.name() != DELETED) {
            let (about, role) = self.of(field.name()).unzip();
            let person = about.and_then(|entry| entry["name"].as_str());
            let code = about.and_then(|entry| entry["hash"].as_str()).unwrap_or_default();
            let names = self.renamed.as_ref().map(|(_, names)| names);
            let readable = match (names, &role) {
                (Some(names), Some(Role::Part(part))) => format!("{}_{part}", names.key(code)),
                (Some(names), _) => names.key(field.name()).to_owned(),
                (None, _) => field.name().clone(),
            };
            let labels = names.and_then(|n| n.label_key(field.name()).zip(n.labels(field.name())));
            let labelled =
                labels.is_some() || about.is_some_and(|entry| entry.get("label_column").is_some());
            let title = match (person, &role) {
                (Some(name), Some(Role::Value)) if labelled => format!("{name} (id)"),
                (Some(name), Some(Role::Part(part))) => format!("{name} ({part})"),
                (Some(name), _) => name.to_owned(),
                (None, _) => field.name().clone(),
            };
            let about = about.filter(|_| matches!(role, Some(Role::Value))).cloned();
            let about = about.map(|mut about| {
                if let Some((label, _)) = labels {
                    about["label_column"] = label.into();
                }
                about
            });
            let about = about.as_ref();
            let own = Own { from: field.name(), code, title: &title, person, about };
            list.column(&own, &readable, field.data_type());
            if let Some((label, labels)) = labels {
                let title = person.unwrap_or(label);
                let own = Own { title, about: None, ..own };
                list.add(&own, label, title, Kind::Text, Part::Labels(Arc::new(labels.clone())));
            }
        }
        list.headings
    }
}

/// A column of a batch, with its metadata.
#[derive(Clone, Copy)]
struct Own<'f> {
    from: &'f str,
    code: &'f str,
    title: &'f str,
    person: Option<&'f str>,
    about: Option<&'f Value>,
}

#[derive(Default)]
struct List {
    headings: Vec<Heading>,
    /// The names and titles in use, in lower case, because databases and sheets ignore case.
    names: BTreeSet<String>,
    titles: BTreeSet<String>,
}

impl List {
    fn column(&mut self, own: &Own<'_>, name: &str, ty: &DataType) {
        let DataType::Struct(parts) = ty else {
            return self.add(own, name, own.title, kind(ty), Part::Whole);
        };
        for part in parts {
            let (name, title) = match (part.name().as_str(), own.person) {
                (VALUE, _) => (name.to_owned(), own.title.to_owned()),
                (part, Some(person)) => (format!("{name}_{part}"), format!("{person} ({part})")),
                (part, None) => (format!("{name}_{part}"), format!("{name}_{part}")),
            };
            let member = Part::Member(part.name().clone());
            self.add(own, &name, &title, kind(part.data_type()), member);
        }
    }

    fn add(&mut self, own: &Own<'_>, name: &str, title: &str, kind: Kind, part: Part) {
        let hash = own.code.get(..8).map(|hash| format!(" ({hash})"));
        let heading = Heading {
            name: free(&mut self.names, name, "_", None),
            title: free(&mut self.titles, title, " ", hash.as_deref()),
            kind,
            field: own.about.cloned(),
            from: own.from.to_owned(),
            part,
        };
        self.headings.push(heading);
    }
}

/// Returns an unused name: `name` itself, `name` with the suffix `apart`, or `name` with a number.
fn free(taken: &mut BTreeSet<String>, name: &str, glue: &str, apart: Option<&str>) -> String {
    let apart = apart.map(|apart| format!("{name}{apart}"));
    let numbered = (2..).map(|number| format!("{name}{glue}{number}"));
    let mut wanted = std::iter::once(name.to_owned()).chain(apart).chain(numbered);
    wanted.find(|name| taken.insert(name.to_lowercase())).unwrap_or_default()
}

fn kind(ty: &DataType) -> Kind {
    match ty {
        DataType::Boolean => Kind::Bool,
        DataType::Int64 => Kind::Int,
        DataType::Float64 => Kind::Num,
        DataType::Date32 => Kind::Date,
        DataType::Timestamp(..) => Kind::Time,
        _ => Kind::Text,
    }
}
