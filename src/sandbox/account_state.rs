//! The current state of the account: rows that are generated from the seed on first access, and edits since.

use super::account::{Account, START};
use super::children;
use super::custom;
use super::definitions;
use super::edit::{self, Edit};
use super::features::Features;
use super::filter::Filter;
use super::habits::Habits;
use super::json;
use super::rows::{Plan, Row};
use super::table::Table;
use crate::model::{Custom, Resource, Time};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The seconds for which a deleted deal or project stays in lists: 30 days.
pub(super) const PURGE_SECONDS: i64 = 30 * 86_400;

/// A generated Pipedrive account.
#[derive(Debug)]
pub struct AccountState {
    account: Account,
    now: Time,
    tables: BTreeMap<&'static str, Table>,
    plans: HashMap<&'static str, Arc<Plan>>,
    /// The rows of children whose parent had one of them edited.
    edited: BTreeMap<(&'static str, u64), Vec<Row>>,
    version: u64,
}

/// A row that a complete read must deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedRows {
    /// The values of the key columns in the API's row, joined by `/`.
    pub key: String,
    /// The bytes of the row.
    pub json: Bytes,
    /// The key of the parent row, for lists that exist per parent.
    pub parent: Option<String>,
}

impl AccountState {
    /// Returns the account of this seed and size, at 2026-11-01T12:00:00Z.
    pub fn new(seed: u64, scale: f64) -> Self {
        Self {
            account: Account::new(seed, scale),
            now: START,
            tables: BTreeMap::new(),
            plans: HashMap::new(),
            edited: BTreeMap::new(),
            version: 0,
        }
    }

    /// Returns the same account in a company with this id.
    #[must_use]
    pub const fn of_company(mut self, company: u64) -> Self {
        self.account.company = company;
        self
    }

    /// Returns the same account in a company with these features and habits.
    #[must_use]
    pub const fn with(mut self, features: Features, habits: Habits) -> Self {
        self.account.features = features;
        self.account.habits = habits;
        self
    }

    /// Returns the time of the account's clock.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Moves the account's clock.
    pub fn advance(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        self.version += 1;
    }

    /// Moves the clock. No list changes.
    pub(super) fn tick(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
    }

    /// Applies an edit, and returns the keys of the rows that it changed.
    pub fn edit(&mut self, edit: Edit) -> Vec<String> {
        self.version += 1;
        edit::apply_edit(self, edit)
    }

    /// Notes that rows were written.
    pub(super) const fn changed(&mut self) {
        self.version += 1;
    }

    /// Adds a custom field to a field dictionary, and returns its code. `extra` contains members of its
    /// definition that differ from the defaults.
    pub(super) fn add_field(
        &mut self,
        dictionary: &str,
        name: &str,
        kind: custom::Kind,
        labels: Vec<String>,
        extra: &[(String, String)],
    ) -> Option<String> {
        self.make_described(dictionary);
        let field = self.account.add_field(dictionary, name, kind, labels)?;
        // Each v2 record contains all custom fields (pipedrive-api.md 5.4).
        for resource in described(dictionary).filter(|of| of.custom == Custom::Nested) {
            self.table(resource).each(|row| row.json = with_null(&row.json, &field.code));
        }
        let id = self.table(Resource::named(dictionary)?).next_id();
        let mut row = definitions::of(&self.account, dictionary, &field, id);
        row.json = Bytes::from(json::replaced(&row.json, extra));
        self.table(Resource::named(dictionary)?).put(row);
        self.tables.remove("lead_fields");
        self.changed();
        Some(field.code)
    }

    /// Adds options to a field that has options, and returns them as a list.
    pub(super) fn add_options(
        &mut self,
        dictionary: &'static Resource,
        code: &str,
        labels: Vec<String>,
    ) -> Option<String> {
        self.make_described(dictionary.name);
        let row = self.table(dictionary).get(code)?.clone();
        let raw = json::find(&row.json, "options")?;
        let added = if code == "label_ids" {
            let known: Vec<Value> = serde_json::from_str(raw).ok()?;
            let last = known.iter().filter_map(|option| option["id"].as_u64()).max();
            (last.unwrap_or(0) + 1..).zip(labels).collect()
        } else {
            self.account.add_options(dictionary.name, code, labels)?
        };
        let habits = self.account.habits;
        let added: Vec<_> =
            added.iter().map(|(id, label)| definitions::option(*id, label, habits)).collect();
        let added = added.join(",");
        let all = format!("{},{added}]", raw.strip_suffix(']')?);
        let json = Bytes::from(json::replaced(&row.json, &[("options".to_owned(), all)]));
        self.table(dictionary).put(Row { json, ..row });
        self.tables.remove("lead_fields");
        self.changed();
        Some(format!("[{added}]"))
    }

    /// Generates a dictionary and the rows that it describes from the current fields, so that later fields do
    /// not change them.
    pub(super) fn make_described(&mut self, dictionary: &str) {
        for resource in described(dictionary).chain(Resource::named(dictionary)) {
            self.table(resource);
        }
    }

    /// Returns the number of changes of the account.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Returns every row that a complete read of a stream delivers, once for each of its parents.
    ///
    /// Deleted deals have no children here, because their lists return 410. A resource that the company lacks
    /// has no rows.
    ///
    /// # Panics
    ///
    /// Panics if the table names a parent that it does not contain. A test of the table excludes that.
    pub fn truth(&mut self, resource: &str) -> Vec<ExpectedRows> {
        let Some(resource) = Resource::named(resource) else {
            return Vec::new();
        };
        if !self.account.features.opens(resource.name) {
            return Vec::new();
        }
        let mut truth = Vec::new();
        if resource.parent.is_some() {
            let of = resource.parent_resource().expect("a child resource has a parent");
            for parent in self.parents(resource) {
                let row = self.table(of).get(&parent);
                let Some(number) = row.map(|row| row.id) else { continue };
                for row in self.children(resource, number) {
                    truth.push(ExpectedRows {
                        key: key(resource, &row),
                        json: row.json,
                        parent: Some(parent.clone()),
                    });
                }
            }
            return truth;
        }
        let now = self.now;
        let mut seen = BTreeSet::new();
        for listing in resource.listings {
            let filter = Filter::of(resource, listing, listing.ask, now);
            for row in self.table(resource).rows() {
                if filter.takes(row) && seen.insert(row.id) {
                    let key = key(resource, row);
                    truth.push(ExpectedRows { key, json: row.json.clone(), parent: None });
                }
            }
        }
        truth
    }

    /// Returns the keys of the rows for which a child resource is requested.
    fn parents(&mut self, resource: &Resource) -> Vec<String> {
        let parent = resource.parent_resource().expect("a child resource has a parent");
        let gone: BTreeSet<String> = self
            .table(parent)
            .rows()
            .iter()
            .filter(|row| row.deleted.is_some())
            .map(|row| row.id.to_string())
            .collect();
        let rows = self.truth(parent.name).into_iter();
        rows.map(|row| row.key).filter(|key| !gone.contains(key)).collect()
    }

    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    pub(super) const fn account_mut(&mut self) -> &mut Account {
        &mut self.account
    }

    /// Discards the generated rows of a resource, so that the next access generates them again.
    pub(super) fn forget(&mut self, resource: &str) {
        self.tables.remove(resource);
    }

    pub(super) fn plan(&mut self, resource: &'static Resource) -> Arc<Plan> {
        let plan = self.plans.entry(resource.name);
        Arc::clone(plan.or_insert_with(|| Arc::new(Plan::of(resource, self.account.features))))
    }

    /// Returns the rows of a resource without a parent.
    pub(super) fn table(&mut self, resource: &'static Resource) -> &mut Table {
        if !self.tables.contains_key(resource.name) {
            let table = Table::new(self.first_rows(resource));
            self.tables.insert(resource.name, table);
        }
        self.tables.get_mut(resource.name).expect("the table was just put there")
    }

    fn first_rows(&mut self, resource: &'static Resource) -> Vec<Row> {
        if let Some(rows) = definitions::rows(&self.account, resource) {
            return rows;
        }
        let plan = self.plan(resource);
        let count = self.account.count(resource.name);
        (1..=count).map(|id| plan.row(&self.account, id)).collect()
    }

    /// Returns the rows of a child resource for one parent.
    pub(super) fn children(&mut self, resource: &'static Resource, parent: u64) -> Vec<Row> {
        if let Some(rows) = self.edited.get(&(resource.name, parent)) {
            return rows.clone();
        }
        let existed = resource
            .parent_resource()
            .is_some_and(|of| parent >= 1 && parent <= self.account.count(of.name));
        if !existed {
            return Vec::new();
        }
        if resource.name == "filter_conditions" {
            let filters = Resource::named("filters").expect("the table has filters");
            let filter = self.table(filters).numbered(parent);
            return filter.map(children::with_conditions).into_iter().collect();
        }
        let plan = self.plan(resource);
        children::rows(&self.account, &plan, parent)
    }

    /// Returns the parents of which a row of this child resource was edited.
    pub(super) fn edited_parents(&self, resource: &str) -> Vec<u64> {
        let edited = self.edited.keys().filter(|(name, _)| *name == resource);
        edited.map(|(_, parent)| *parent).collect()
    }

    /// Replaces the rows of a child resource for one parent.
    pub(super) fn put_children(&mut self, resource: &'static str, parent: u64, rows: Vec<Row>) {
        self.edited.insert((resource, parent), rows);
    }
}

/// Returns the resources whose custom fields a dictionary lists.
pub(super) fn described(dictionary: &str) -> impl Iterator<Item = &'static Resource> {
    let names: &[&str] = match dictionary {
        "deal_fields" => &["deals", "leads"],
        "person_fields" => &["persons"],
        "organization_fields" => &["organizations"],
        "product_fields" => &["products"],
        "project_fields" => &["projects"],
        _ => &[],
    };
    names.iter().filter_map(|name| Resource::named(name))
}

/// Returns the row with one more custom field, which is null.
fn with_null(row: &[u8], code: &str) -> Bytes {
    let custom = json::find(row, "custom_fields").unwrap_or("{}");
    let more = json::replaced(custom.as_bytes(), &[(code.to_owned(), "null".to_owned())]);
    let more = String::from_utf8_lossy(&more).into_owned();
    Bytes::from(json::replaced(row, &[("custom_fields".to_owned(), more)]))
}

/// Returns the values of the key columns in the row, joined by `/`.
fn key(resource: &Resource, row: &Row) -> String {
    if let Some(name) = &row.name {
        return name.to_string();
    }
    let added = resource.parent.as_ref().map_or([None, None], |p| [p.column, p.digest]);
    let sent = resource.key.iter().filter(|key| !added.contains(&Some(**key)));
    let values = sent.map(|key| json::find(&row.json, key).unwrap_or_default());
    values.map(|value| value.trim_matches('"')).collect::<Vec<_>>().join("/")
}
