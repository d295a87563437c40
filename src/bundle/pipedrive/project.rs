//! Projects a row to what Pipedrive can store: the row as a later export returns it, and what is lost.

use super::custom::address;
use super::missing_fields::{MissingFields, says_nothing};
use super::row_builder::{Inexact, RowBuilder};
use crate::bundle::format::{Entity, value_of};
use crate::bundle::forms::Forms;
use crate::bundle::index::number;
use crate::bundle::losses::{Losses, count};
use crate::bundle::map::AccountSetup;
use crate::bundle::push::{Fates, Fitted, RowStage, Stages};
use crate::model::{json_eq, list, quoted, text};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Converts rows of a bundle to the form in which Pipedrive can store them.
#[derive(Debug)]
pub struct PipedriveProjection<'a> {
    pub(super) setup: &'a AccountSetup,
    /// The types of the fields to create, by array and name.
    pub(super) needs: HashMap<Entity, HashMap<&'a str, &'a str>>,
    /// The mapping of stages.
    pub stages: Stages,
    /// Whether rows are built to be sent. Such rows also contain parts that Pipedrive may rewrite and that
    /// are not compared.
    sending: bool,
    /// Whether rows are compared with the result of the push.
    pub(super) checking: bool,
    /// The value forms of the CRM that the bundle passed through.
    forms: Option<&'a Forms>,
    /// The rows that are not pushed, as hashes of their public ids.
    pub(super) left: HashSet<u64>,
    /// The state in the target of rows that were there before.
    pub(super) fates: &'a Fates,
    /// The rows of the bundle and of the account, as hashes of their public ids.
    there: &'a HashSet<u64>,
    /// The losses of new rows, by array and field: reason and count.
    pub losses: Losses,
    /// The differences of existing rows that are not written, so that the account's value stays.
    pub kept: Losses,
    /// The rows that are not created, by array and reason.
    pub left_out: BTreeMap<(Entity, &'static str), u64>,
}

/// The reason why a deleted row is skipped.
const DELETED: &str = "deleted rows are not created";
/// The reason why a stage is not changed.
const NO_STAGE: &str = "the account has no stage of this name, and a guess replaces none";
/// The reason why a reference is not written.
const LEFT: &str = "refers to a row that is left out";
/// The reason why a lead is skipped.
const NOBODYS: &str = "a lead needs a contact or an account";

/// The fields that repeat other fields or that only a CRM needs.
const DERIVED: &[&str] = &[
    "id",
    "organization_id",
    "external_system",
    "external_id",
    "address_parts",
    "pipeline_id",
    "pipeline_stage_id",
    "pipeline_name",
    "stage_name",
    "record_type",
    "record_public_id",
    "deleted_at",
];

impl<'a> PipedriveProjection<'a> {
    /// Creates a projection for an account with this setup and these fields to create. A reference to a row
    /// that is not in `there` is dangling.
    pub fn new(
        setup: &'a AccountSetup,
        needs: &'a MissingFields,
        stages: Stages,
        fates: &'a Fates,
        there: &'a HashSet<u64>,
    ) -> Self {
        let mut types: HashMap<_, HashMap<_, _>> = HashMap::new();
        for field in &needs.fields {
            let of = types.entry(field.entity).or_default();
            of.entry(field.name.as_str()).or_insert(field.ty.as_str());
        }
        Self {
            setup,
            needs: types,
            stages,
            sending: false,
            checking: false,
            forms: None,
            left: fates.left().collect(),
            fates,
            there,
            losses: Losses::new(),
            kept: Losses::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// Sets the value forms of the CRM that the bundle passed through.
    #[must_use]
    pub fn through(mut self, forms: Option<&'a Forms>) -> Self {
        self.forms = forms;
        self
    }

    /// Compares rows with the result of the push.
    #[must_use]
    pub fn for_checking(mut self) -> Self {
        self.checking = true;
        self
    }

    /// Builds rows to be sent.
    #[must_use]
    pub fn for_sending(mut self) -> Self {
        self.sending = true;
        self
    }

    /// Returns the row in the form that Pipedrive can store. `there` is the account's row. Returns `None`
    /// for a deleted row, and for a new lead without a person or organization.
    pub fn row(&mut self, entity: Entity, json: &str, there: Option<&str>) -> Option<Fitted> {
        let mut row = RowBuilder::of(entity, json, there);
        let id = row.text("public_id").map(|id| number(&id)).unwrap_or_default();
        if row.get("deleted_at").is_some() {
            if row.is_new() {
                self.leave(entity, id, DELETED);
            } else if row.other("deleted_at") == "null" {
                count(&mut self.kept, entity, "deleted_at", "a push deletes nothing");
            }
            return None;
        }
        self.follow(&mut row);
        row.compare(|field, value, other| self.is_form(entity, field, value, other));
        self.forget(&mut row);
        let nobodys = ["contact_public_id", "account_public_id"].map(|name| row.get(name));
        if entity == Entity::Leads && nobodys == [None, None] && row.is_new() {
            self.leave(entity, id, NOBODYS);
            return None;
        }
        row.leave_as_is("public_id");
        match entity {
            Entity::Accounts => self.account(&mut row),
            Entity::Contacts => self.contact(&mut row),
            Entity::Opportunities => self.opportunity(&mut row),
            Entity::Leads => self.lead(&mut row),
            Entity::Activities => self.activity(&mut row),
        }
        let custom = self.common(&mut row);
        let left: Vec<String> = row
            .fields
            .iter()
            .filter(|(key, value)| {
                let key = key.as_ref();
                let nothing = says_nothing(value) && row.is_new();
                !nothing && !row.taken.contains(&key) && !DERIVED.contains(&key)
            })
            .map(|(key, _)| key.to_string())
            .collect();
        for field in left {
            let why = match field.as_str() {
                // The times of an existing row are not part of the comparison.
                "updated_at" | "created_at" if !row.is_new() => continue,
                "updated_at" => "Pipedrive stamps it",
                "created_at" => "Pipedrive does not allow setting it here",
                _ => "Pipedrive has no field for it",
            };
            self.lose(&row, &field, why);
        }
        Some(match there {
            None => Fitted { json: row.finish(|_| true), ..Fitted::default() },
            Some(_) => self.change(&row, custom),
        })
    }

    fn leave(&mut self, entity: Entity, id: u64, why: &'static str) {
        self.left.insert(id);
        *self.left_out.entry((entity, why)).or_insert(0) += 1;
    }

    /// Returns whether a value is a form that the CRM stored for the account's value.
    pub(super) fn is_form(&self, entity: Entity, field: &str, value: &str, other: &str) -> bool {
        self.forms.is_some_and(|forms| forms.is_form(entity, field, value, other))
    }

    /// Sets references to rows that are not pushed to null.
    fn forget(&mut self, row: &mut RowBuilder<'_>) {
        if self.left.is_empty() {
            return;
        }
        let links = row
            .fields
            .iter_mut()
            .filter(|(key, value)| key.ends_with("_public_id") && is_in(&self.left, value));
        let mut lost = Vec::new();
        for (key, value) in links {
            *value = "null";
            lost.push(key.to_string());
        }
        for field in lost {
            // The loss is not reported here if the account keeps its own value.
            if row.is_new() || row.other(&field) == "null" {
                self.lose(row, &field, LEFT);
            }
            for link in Entity::ALL.into_iter().filter_map(Entity::link) {
                if field == link || field == "record_public_id" {
                    row.doubt(link, Inexact::Guess, LEFT);
                }
            }
        }
    }

    /// Returns whether a value is the public id of a row that is not pushed.
    pub(super) fn is_left(&self, value: &str) -> bool {
        is_in(&self.left, value)
    }

    /// Returns whether a value is the public id of a row that neither the bundle nor the account has.
    pub(super) fn is_nowhere(&self, value: &str) -> bool {
        !is_in(self.there, value)
    }

    /// Counts a field that cannot be stored, for a new row or an edited field.
    pub(super) fn lose(&mut self, row: &RowBuilder<'_>, field: &str, why: &str) {
        if row.is_new() || row.edited(field) {
            self.lack(row, field, why);
        }
    }

    /// Counts a differing field that cannot be stored. It is a loss if the account has no value; otherwise
    /// the account's value stays.
    pub(super) fn lack(&mut self, row: &RowBuilder<'_>, field: &str, why: &str) {
        let other = match field.strip_prefix("custom.") {
            Some(name) => value_of(row.other("custom"), name).unwrap_or("null"),
            None => row.other(field),
        };
        let counts = if says_nothing(other) { &mut self.losses } else { &mut self.kept };
        count(counts, row.entity, field, why);
    }

    fn account(&mut self, row: &mut RowBuilder<'_>) {
        for name in ["name", "website", "linkedin"] {
            row.leave_as_is(name);
        }
        for name in ["annual_revenue", "employee_count"] {
            self.whole(row, name);
        }
        row.consume("industry");
        if let Some(industry) = row.text("industry") {
            // An id without a label comes from Pipedrive and is accepted by it.
            let known = self.setup.option_id(Entity::Accounts, "industry", &industry).is_some();
            if known || industry.bytes().all(|byte| byte.is_ascii_digit()) {
                row.put("industry", quoted(&industry));
            } else {
                self.lose(row, "industry", "is no industry that the account knows");
            }
        } else if row.says("industry") && !row.is_new() {
            row.put("industry", "null");
        }
        row.leave_as_is("address");
        // The parts are ignored if they belong to another address.
        let spelled = row.get("address");
        let parts = row.get("address_parts").filter(|parts| {
            let part = |name| value_of(parts, name).filter(|part| *part != "null");
            let one = [part("value"), part("formatted_address")];
            let fits =
                one.iter().flatten().any(|part| spelled.is_some_and(|own| json_eq(part, own)));
            fits || spelled.is_none() && one == [None, None]
        });
        if let Some(parts) = parts.filter(|_| self.sending) {
            row.put("address_parts", address(parts));
        }
        let whole = |parts: &str| json_eq(parts, &address(parts));
        if row.is_new() && row.get("address_parts").is_some_and(|parts| !whole(parts)) {
            self.lose(row, "address_parts", "Pipedrive puts the formatted address together");
        }
        row.keep_some("created_at");
    }

    fn opportunity(&mut self, row: &mut RowBuilder<'_>) {
        for name in ["name", "account_public_id", "contact_public_id"] {
            row.leave_as_is(name);
        }
        // A deal always has an amount and a currency. Neither can be cleared.
        for name in ["amount", "currency"] {
            row.keep_some(name);
            if row.get(name).is_none() && row.says(name) && !row.is_new() {
                self.lose(row, name, "a deal always has one");
            }
        }
        let status = row.text("status").unwrap_or_else(|| "open".to_owned());
        row.consume("status");
        if row.says("status") || row.is_new() {
            row.put("status", quoted(&status));
        }
        self.percent(row);
        row.consume("lost_reason");
        if status == "lost" {
            row.leave_as_is("lost_reason");
        } else if row.get("lost_reason").is_some() {
            self.lose(row, "lost_reason", "only lost deals have one");
        }
        self.date(row, "close_date");
        row.consume("closed_at");
        match row.get("closed_at") {
            Some(_) if status != "open" => row.instant("closed_at"),
            Some(_) => self.lose(row, "closed_at", "open deals have none"),
            None if row.is_new() => {}
            None => self.lose(row, "closed_at", "Pipedrive keeps when a deal was closed"),
        }
        row.instant("archived_at");
        self.standing(row);
        row.consume("stage_position");
        if row.get("stage_position").is_some() {
            self.lose(row, "stage_position", "Pipedrive orders deals by itself");
        }
    }

    /// Writes the pipeline and stage. For an existing deal only an edited stage with a certain match is
    /// written.
    fn standing(&mut self, row: &mut RowBuilder<'_>) {
        let mut standing = RowStage::of(&row.fields);
        if !row.is_new() {
            let says = row.get("pipeline_stage_id").is_some();
            if !row.edited(if says { "pipeline_stage_id" } else { "stage_name" }) {
                return;
            }
            let field = "pipeline_stage_id";
            let there = text(row.other(field));
            if self.stages.guess(&standing).map(|stage| &stage.id) == there.as_ref() {
                return;
            }
            standing = standing.in_pipeline(text(row.other("pipeline_id")));
            if !self.stages.is_certain(&standing) {
                return self.lack(row, field, NO_STAGE);
            }
        }
        if let Some((pipeline, stage)) = self.stages.place(&standing) {
            let ids = [("pipeline_id", &pipeline.id), ("pipeline_stage_id", &stage.id)];
            for (name, id) in ids {
                row.put(name, quoted(id));
            }
        }
    }

    fn lead(&mut self, row: &mut RowBuilder<'_>) {
        row.consume("title");
        let title = row.text("title").filter(|title| !title.is_empty());
        if row.is_new() || title.is_some() {
            let named = [row.text("first_name"), row.text("last_name")];
            let named: Vec<_> = named.into_iter().flatten().collect();
            let title = title.or_else(|| (!named.is_empty()).then(|| named.join(" ")));
            let title = title.or_else(|| row.text("email")).unwrap_or_else(|| "–".to_owned());
            row.put("title", quoted(&title));
        } else {
            self.lose(row, "title", "a lead always has one");
        }
        for name in ["account_public_id", "contact_public_id"] {
            row.leave_as_is(name);
        }
        row.consume("status");
        match row.text("status").as_deref() {
            Some(status @ ("open" | "archived")) => row.put("status", quoted(status)),
            None => {}
            Some(_) => self.lose(row, "status", "leads are open or archived"),
        }
        row.consume("amount");
        row.consume("currency");
        // The value of a lead needs both an amount and a currency.
        match (row.get("amount"), row.get("currency")) {
            (Some(amount), Some(currency)) => {
                row.put("amount", amount);
                row.put("currency", currency);
            }
            (None, None) if row.says("amount") => row.put("amount", "null"),
            (None, None) => {}
            (Some(_), None) => self.lose(row, "amount", "an amount needs a currency"),
            (None, Some(_)) => self.lose(row, "currency", "a currency needs an amount"),
        }
        self.date(row, "close_date");
    }

    /// Writes the fields that several arrays share. Returns the names of the custom fields that change in
    /// an existing row.
    fn common(&mut self, row: &mut RowBuilder<'_>) -> Vec<String> {
        row.consume("owner");
        if let Some(owner) = row.text("owner") {
            match self.setup.user(&owner) {
                Some(_) => row.put("owner", quoted(&owner)),
                None => self.lose(row, "owner", "is no active user of the account"),
            }
        } else if row.says("owner") && !row.is_new() {
            self.lose(row, "owner", "a row always has one");
        }
        if row.entity == Entity::Activities {
            return Vec::new();
        }
        row.consume("labels");
        if row.says("labels") {
            let labels = list(row.get("labels").unwrap_or("[]"));
            let all = labels.len();
            let known: Vec<_> = labels
                .into_iter()
                .filter(|raw| {
                    text(raw).is_some_and(|label| self.setup.label_id(row.entity, &label).is_some())
                })
                .collect();
            if known.len() < all {
                let why = "is no label that the account has";
                if row.is_new() || says_nothing(row.other("labels")) {
                    self.lose(row, "labels", why);
                }
                row.doubt("labels", Inexact::Part, why);
            }
            row.put("labels", format!("[{}]", known.join(",")));
        }
        self.custom(row)
    }

    pub(super) fn whole(&mut self, row: &mut RowBuilder<'_>, name: &'static str) {
        row.consume(name);
        match row.get(name) {
            Some(value) if value.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
                self.lose(row, name, "Pipedrive has whole numbers here");
            }
            Some(value) => row.put(name, value),
            None if row.says(name) => row.put(name, "null"),
            None => {}
        }
    }

    fn percent(&mut self, row: &mut RowBuilder<'_>) {
        row.consume("probability");
        match row.get("probability") {
            Some(value) if value.parse().is_ok_and(|part: f64| (0.0..=100.0).contains(&part)) => {
                row.put("probability", value);
            }
            Some(_) => self.lose(row, "probability", "is no percentage"),
            None if row.says("probability") && !row.is_new() => row.put("probability", "null"),
            None => {}
        }
    }

    fn date(&mut self, row: &mut RowBuilder<'_>, name: &'static str) {
        row.consume(name);
        match row.text(name) {
            Some(date) if date.len() == 10 => row.put(name, quoted(&date)),
            Some(time) => {
                let why = "Pipedrive has dates here, no times of day";
                if row.is_new() || row.other(name) == "null" {
                    self.lose(row, name, why);
                }
                row.doubt(name, Inexact::Part, why);
                row.put(name, quoted(time.get(..10).unwrap_or(&time)));
            }
            None if row.says(name) => row.put(name, "null"),
            None => {}
        }
    }
}

/// Returns whether a value is the public id of one of these rows.
fn is_in(rows: &HashSet<u64>, value: &str) -> bool {
    value.starts_with('"') && text(value).is_some_and(|id| rows.contains(&number(&id)))
}
