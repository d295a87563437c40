//! Decides which columns the table of a resource has for one account.

use super::cells::Cells;
use super::column::Column;
use super::columns::{DELETED, EXTRA, SYNCED_AT};
use crate::model::{Custom, Definition, Names, Resource};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The columns of a table, and the keys of records whose values they hold.
#[derive(Debug)]
pub(super) struct Plan {
    /// The top-level keys, for the first columns.
    pub(super) top: Vec<String>,
    /// The keys of nested custom fields, for the columns after them.
    pub(super) hashes: Vec<String>,
    pub(super) columns: Vec<Column>,
    /// The descriptions of the custom field columns.
    pub(super) mapping: Vec<Value>,
}

impl Plan {
    /// Creates the plan for a resource. See [`super::columns::Columns::of`].
    ///
    /// Column names are unique. If Pipedrive adds a column with the pinned name of a custom field, the
    /// custom field keeps the name, and the values of the new column are stored in `_extra`.
    pub(super) fn of(
        resource: &Resource,
        definitions: &[Definition],
        names: Option<&Names>,
    ) -> Self {
        let mut seen = BTreeSet::new();
        let custom: Vec<&Definition> = match resource.custom {
            Custom::None => Vec::new(),
            Custom::Nested | Custom::Flat => definitions
                .iter()
                .filter(|field| field.custom && seen.insert(field.code.as_str()))
                .collect(),
        };
        let promised: BTreeSet<&str> = custom.iter().map(|field| called(field, names)).collect();
        let mut plan =
            Self { top: Vec::new(), hashes: Vec::new(), columns: Vec::new(), mapping: Vec::new() };
        let mut taken: BTreeSet<String> =
            [SYNCED_AT, DELETED, EXTRA].into_iter().map(str::to_owned).collect();
        for column in resource.columns {
            let key = resource.key.contains(&column.name);
            let nested = resource.custom == Custom::Nested && column.name == "custom_fields";
            if !nested && (key || !promised.contains(column.name)) {
                taken.insert(column.name.to_owned());
                plan.top.push(column.name.to_owned());
                plan.columns.push(Column::new(column.name, Cells::of(column.ty)));
            }
        }
        for field in custom {
            plan.field(field, resource.custom == Custom::Flat, names, &mut taken);
        }
        plan
    }

    fn field(
        &mut self,
        field: &Definition,
        flat: bool,
        names: Option<&Names>,
        taken: &mut BTreeSet<String>,
    ) {
        let name = called(field, names);
        if !taken.insert(name.to_owned()) {
            return;
        }
        let mut entry =
            json!({"column": name, "hash": field.code, "name": field.name, "type": field.ty});
        if let Some(options) = field.options.as_deref().filter(|options| !options.is_empty()) {
            let options = options.iter().map(|o| json!({"id": o.id, "label": o.label}));
            entry["options"] = options.collect();
        }
        let mut column = Column::new(name, Cells::of_field(field, flat));
        let labels = names.and_then(|n| n.label_key(&field.code).zip(n.labels(&field.code)));
        if let Some((label, by_id)) = labels.filter(|(label, _)| taken.insert((*label).to_owned()))
        {
            column = column.labelled(label, field.ty == "set", by_id);
            entry["label_column"] = label.into();
        }
        let keys = if flat { &mut self.top } else { &mut self.hashes };
        keys.push(field.code.clone());
        self.columns.push(column);
        for part in field.companions(flat) {
            let companion = format!("{name}_{}", part.name);
            if taken.insert(companion.clone()) {
                self.top.push(format!("{}_{}", field.code, part.name));
                self.columns.push(Column::new(&companion, Cells::of(part.ty)));
                entry["parts"][part.name] = companion.into();
            }
        }
        self.mapping.push(entry);
    }
}

/// Returns whether a field would have the same columns if it had the type `ty`.
pub(in super::super) fn same_column(field: &Definition, ty: &str, flat: bool) -> bool {
    let other = Definition { ty: ty.to_owned(), ..field.clone() };
    let beside = |field: &Definition| {
        let parts = field.companions(flat).iter().map(|part| part.name);
        (parts.collect::<Vec<_>>(), field.ty == "set")
    };
    let column = |field: &Definition| Cells::of_field(field, flat).ty();
    column(field) == column(&other) && beside(field) == beside(&other)
}

fn called<'n>(field: &'n Definition, names: Option<&'n Names>) -> &'n str {
    names.map_or(&field.code, |names| names.key(&field.code))
}
