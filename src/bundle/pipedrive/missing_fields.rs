//! Finds custom fields that an account lacks for a bundle, and options that its fields lack.

use crate::bundle::format::{Entity, value_of};
use crate::bundle::map::{AccountSetup, PUBLIC_ID_FIELD};
use crate::bundle::push::{KnownField, Plan, custom_field, in_order};
use crate::bundle::reader::{Reader, Survey};
use crate::bundle::sidecar::{CustomField, Sidecar};
use crate::model::{Result, list, members, quoted, text};
use std::collections::{BTreeMap, BTreeSet};

/// The arrays whose rows have custom fields. Leads use the fields of opportunities.
const OWNERS: [Entity; 3] = [Entity::Accounts, Entity::Contacts, Entity::Opportunities];
/// Options of a field that is to be created; a list with more different values becomes text.
const OPTIONS_MAX: usize = 500;
/// Longest text of a `varchar` field (pipedrive-api.md 5.3, 7).
const VARCHAR_MAX: usize = 255;
/// The field types that can be created (pipedrive-api.md 5.3).
const CREATABLE: &[&str] = &[
    "varchar",
    "varchar_auto",
    "text",
    "double",
    "phone",
    "date",
    "daterange",
    "time",
    "timerange",
    "set",
    "enum",
    "address",
    "monetary",
    "org",
    "people",
    "user",
];

/// A custom field to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewField {
    /// The array that owns the field.
    pub entity: Entity,
    /// The name.
    pub name: String,
    /// The type.
    pub ty: String,
    /// The labels of the options.
    pub options: Vec<String>,
    /// The key of the field in the source account, if the side-car contains it.
    pub source: Option<String>,
}

/// The options to add to an existing field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOptions {
    /// The array that owns the field.
    pub entity: Entity,
    /// The key of the field.
    pub code: String,
    /// The name of the field.
    pub name: String,
    /// The labels of the options.
    pub options: Vec<String>,
}

/// The fields and options to create before the first row is written.
#[derive(Debug, Clone, Default)]
pub struct MissingFields {
    /// The fields to create.
    pub fields: Vec<NewField>,
    /// The options to add.
    pub options: Vec<NewOptions>,
    /// The existing fields, by their names in the bundle.
    pub matched: Vec<KnownField>,
}

/// The kinds of values found under a name in `custom`.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "kinds of values that were met")]
struct FieldValues {
    numbers: bool,
    money: bool,
    ranges: bool,
    texts: bool,
    long: bool,
    lists: bool,
    other: bool,
    labels: BTreeSet<String>,
}

/// Returns the path of a field dictionary.
pub(super) const fn dictionary(entity: Entity) -> &'static str {
    match entity {
        Entity::Accounts => "/api/v2/organizationFields",
        Entity::Contacts => "/api/v2/personFields",
        _ => "/api/v2/dealFields",
    }
}

/// Returns whether a custom value is empty.
pub(super) fn says_nothing(value: &str) -> bool {
    matches!(value, "null" | "[]" | "{}" | "\"\"")
}

/// Returns the array that owns the custom fields of an array's rows.
pub(super) const fn owner(entity: Entity) -> Option<Entity> {
    match entity {
        Entity::Activities => None,
        Entity::Leads => Some(Entity::Opportunities),
        other => Some(other),
    }
}

impl MissingFields {
    /// Reads the names and values of custom fields in the bundle and compares them with the account.
    pub async fn of(
        survey: &Survey,
        context: Option<&Sidecar>,
        setup: &AccountSetup,
    ) -> Result<Self> {
        let mut seen: BTreeMap<(Entity, String), FieldValues> = BTreeMap::new();
        let mut arrays = BTreeSet::new();
        for span in in_order(survey) {
            let Some(owner) = owner(span.entity) else { continue };
            let mut rows = Reader::of_array(&survey.path, span)?;
            while let Some(row) = rows.next().await? {
                if value_of(row.json, "deleted_at").is_some_and(|at| at != "null") {
                    continue;
                }
                arrays.insert(owner);
                let custom = value_of(row.json, "custom").unwrap_or("{}");
                for (name, value) in members(custom) {
                    if !says_nothing(value) {
                        seen.entry((owner, name.into_owned())).or_default().take(value);
                    }
                }
            }
        }
        let mut needs = Self::default();
        for entity in OWNERS.into_iter().filter(|entity| arrays.contains(entity)) {
            if setup.marker(entity).is_none() {
                let (name, ty) = (PUBLIC_ID_FIELD.to_owned(), "varchar".to_owned());
                needs.fields.push(NewField { entity, name, ty, options: Vec::new(), source: None });
            }
        }
        for ((entity, name), seen) in seen {
            if name == PUBLIC_ID_FIELD {
                continue;
            }
            if let Some(target) = setup.target(entity, &name) {
                let source = described(entity, &name, context).map(|field| field.key.clone());
                let key = target.code.to_owned();
                needs.matched.push(KnownField { entity, name: name.clone(), key, source });
            }
            match setup.target(entity, &name) {
                None => needs.fields.push(seen.field(entity, name, context)),
                Some(target) if matches!(target.ty, "enum" | "set") => {
                    let known = |label: &String| target.options.contains_key(label);
                    let options: Vec<_> = seen.labels.into_iter().filter(|l| !known(l)).collect();
                    if !options.is_empty() && options.len() <= OPTIONS_MAX {
                        let code = target.code.to_owned();
                        needs.options.push(NewOptions { entity, code, name, options });
                    }
                }
                Some(_) => {}
            }
        }
        Ok(needs)
    }

    /// Keeps only what a plan needs: fields of arrays with rows to create, and fields that change in
    /// existing rows.
    #[must_use]
    pub fn of_plan(mut self, plan: &Plan) -> Self {
        let needed = |entity: Entity, name: &str| {
            let leads = (entity == Entity::Opportunities).then_some(Entity::Leads);
            let mut arrays = std::iter::once(entity).chain(leads);
            arrays.any(|entity| {
                plan.counts(entity).create > 0
                    || name != PUBLIC_ID_FIELD && plan.changes(entity, &custom_field(name))
            })
        };
        self.fields.retain(|field| needed(field.entity, &field.name));
        self.options.retain(|options| needed(options.entity, &options.name));
        self
    }

    /// Returns the number of requests that create these fields and options.
    pub fn requests(&self) -> u64 {
        (self.fields.len() + self.options.len()) as u64
    }
}

impl FieldValues {
    fn take(&mut self, value: &str) {
        match value.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => self.numbers = true,
            Some(b'"') => {
                self.texts = true;
                self.long |= value.len() > VARCHAR_MAX;
                self.label(text(value));
            }
            Some(b'[') => {
                let items = list(value);
                self.lists |= items.iter().all(|item| item.starts_with('"'));
                self.other |= items.iter().any(|item| !item.starts_with('"'));
                for label in items.into_iter().filter_map(text) {
                    // An option label cannot be empty or begin or end with a space.
                    self.other |= label.is_empty() || label.trim() != label;
                    self.label(Some(label));
                }
            }
            Some(b'{') => {
                let object = members(value);
                let only =
                    |names: &[&str]| object.iter().all(|(key, _)| names.contains(&key.as_ref()));
                if only(&["amount", "currency"]) {
                    self.money = true;
                } else if only(&["from", "until"]) {
                    self.ranges = true;
                } else {
                    self.other = true;
                }
            }
            _ => self.other = true,
        }
    }

    fn label(&mut self, label: Option<String>) {
        if self.labels.len() <= OPTIONS_MAX {
            self.labels.extend(label);
        }
    }

    /// Returns the field for the values found: with the type from the side-car, otherwise with a type that
    /// fits the values.
    fn field(self, entity: Entity, name: String, context: Option<&Sidecar>) -> NewField {
        let described = described(entity, &name, context);
        let source = described.map(|field| field.key.clone());
        let described = described.filter(|field| CREATABLE.contains(&field.ty.as_str()));
        let mut options: BTreeSet<String> = self.labels.clone();
        let ty = match described {
            Some(field) => {
                options.extend(field.options.iter().cloned());
                field.ty.as_str()
            }
            None => self.ty(),
        };
        let chosen = matches!(ty, "enum" | "set");
        let (ty, options) = match ty {
            _ if chosen && options.len() > OPTIONS_MAX => ("text", BTreeSet::new()),
            _ if chosen => (ty, options),
            ty => (ty, BTreeSet::new()),
        };
        let options = options.into_iter().collect();
        NewField { entity, name, ty: ty.to_owned(), options, source }
    }

    fn ty(&self) -> &'static str {
        let Self { numbers, money, ranges, texts, long, lists, other, .. } = *self;
        match [numbers, money, ranges, texts, lists, other] {
            [true, false, false, false, false, false] => "double",
            [false, true, false, false, false, false] => "monetary",
            [false, false, true, false, false, false] => "daterange",
            [false, false, false, true, false, false] if !long => "varchar",
            [false, false, false, false, true, false] => "set",
            _ => "text",
        }
    }
}

/// Returns the side-car's description of a field.
fn described<'c>(
    entity: Entity,
    name: &str,
    context: Option<&'c Sidecar>,
) -> Option<&'c CustomField> {
    context?.fields.get(entity.name())?.iter().find(|field| field.name == name)
}

impl NewField {
    /// Returns the body of the request that creates the field.
    pub(super) fn body(&self) -> String {
        let options = if self.options.is_empty() {
            String::new()
        } else {
            format!(",\"options\":{}", labels(&self.options))
        };
        format!(
            "{{\"field_name\":{},\"field_type\":{}{options}}}",
            quoted(&self.name),
            quoted(&self.ty)
        )
    }
}

impl NewOptions {
    /// Returns the body of the request that adds the options.
    pub(super) fn body(&self) -> String {
        labels(&self.options)
    }
}

fn labels(labels: &[String]) -> String {
    let options = labels.iter().map(|label| format!("{{\"label\":{}}}", quoted(label)));
    format!("[{}]", options.collect::<Vec<_>>().join(","))
}
