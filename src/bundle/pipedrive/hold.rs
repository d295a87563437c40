//! What of a row Pipedrive can hold: the row as it will come out again, and what is lost.

use super::custom::{Kind, address, held};
use super::losses::{Losses, count};
use super::made::Made;
use super::needs::{Needs, owner, says_nothing};
use crate::bundle::fitting::filled_entries;
use crate::bundle::index::number;
use crate::bundle::map::{MARKER, Setup};
use crate::bundle::portable::Array;
use crate::bundle::push::{Fates, Stages, Standing};
use crate::model::{Result, list, members, quoted, same, text};
use std::collections::{HashMap, HashSet};

/// Rows as Pipedrive holds them.
#[derive(Debug)]
pub struct Hold<'a> {
    pub(super) setup: &'a Setup,
    /// Types of the fields that will be created, by array and name.
    needs: HashMap<Array, HashMap<&'a str, &'a str>>,
    /// Which stage becomes which.
    pub stages: Stages,
    /// Whether rows are made to be sent: then they have parts that Pipedrive may rewrite, and that are
    /// not compared.
    sending: bool,
    /// Rows that are not pushed, by the number of their public id.
    pub(super) left: HashSet<u64>,
    /// What became of rows that the account had.
    pub(super) fates: &'a Fates,
    /// The rows of the bundle and of the account, by the numbers of their public ids.
    there: &'a HashSet<u64>,
    /// What is lost, by array and field: why, and of how many rows.
    pub losses: Losses,
}

/// Fields that say the same as others, or that only a CRM needs.
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

impl<'a> Hold<'a> {
    /// For an account with this set-up, to which these needs will be added, and of whose rows this
    /// became. References may lead to the rows that are `there`, in the bundle or in the account.
    pub fn new(
        setup: &'a Setup,
        needs: &'a Needs,
        stages: Stages,
        fates: &'a Fates,
        there: &'a HashSet<u64>,
    ) -> Self {
        let mut types: HashMap<_, HashMap<_, _>> = HashMap::new();
        for field in &needs.fields {
            let of = types.entry(field.array).or_default();
            of.entry(field.name.as_str()).or_insert(field.ty.as_str());
        }
        Self {
            setup,
            needs: types,
            stages,
            sending: false,
            left: fates.left().collect(),
            fates,
            there,
            losses: Losses::new(),
        }
    }

    /// The same, for rows that are to be sent.
    #[must_use]
    pub fn for_sending(mut self) -> Self {
        self.sending = true;
        self
    }

    /// The row as Pipedrive can hold it; `None` for a row it cannot: a deleted one, or a lead of
    /// nobody.
    pub fn row(&mut self, array: Array, json: &str) -> Result<Option<String>> {
        let mut row = Made::of(array, json);
        let id = row.text("public_id").map(|id| number(&id)).unwrap_or_default();
        if row.get("deleted_at").is_some() {
            self.left.insert(id);
            self.lose(
                array,
                "deleted_at",
                "deleted rows are not created, and none is ever deleted",
            );
            return Ok(None);
        }
        self.follow(&mut row);
        self.forget(&mut row);
        let nobodys = ["contact_public_id", "account_public_id"].map(|name| row.get(name));
        if array == Array::Leads && nobodys == [None, None] {
            self.left.insert(id);
            self.lose(array, "contact_public_id", "a lead needs a contact or an account; left out");
            return Ok(None);
        }
        row.keep("public_id");
        match array {
            Array::Accounts => self.account(&mut row),
            Array::Contacts => contact(&mut row),
            Array::Opportunities => self.opportunity(&mut row),
            Array::Leads => self.lead(&mut row),
            Array::Activities => self.activity(&mut row),
        }
        self.common(&mut row);
        let left: Vec<String> = row
            .fields
            .iter()
            .filter(|(key, value)| {
                let key = key.as_ref();
                !says_nothing(value) && !row.taken.contains(&key) && !DERIVED.contains(&key)
            })
            .map(|(key, _)| key.to_string())
            .collect();
        for field in left {
            let why = match field.as_str() {
                "updated_at" => "Pipedrive stamps it",
                "created_at" => "Pipedrive lets nobody set it here",
                _ => "Pipedrive has no field for it",
            };
            self.lose(array, &field, why);
        }
        Ok(Some(row.finish()))
    }

    /// Makes references to rows that are not pushed null.
    fn forget(&mut self, row: &mut Made<'_>) {
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
            self.lose(row.array, &field, "refers to a row that is left out");
        }
    }

    /// Whether a value is the public id of a row that is not pushed.
    pub(super) fn is_left(&self, value: &str) -> bool {
        is_in(&self.left, value)
    }

    pub(super) fn lose(&mut self, array: Array, field: &str, why: &str) {
        count(&mut self.losses, array, field, why);
    }

    fn account(&mut self, row: &mut Made<'_>) {
        for name in ["name", "website", "linkedin"] {
            row.keep(name);
        }
        for name in ["annual_revenue", "employee_count"] {
            self.whole(row, name);
        }
        row.take("industry");
        if let Some(industry) = row.text("industry") {
            // An id without a label came out of Pipedrive and goes in again.
            let known = self.setup.option_id(Array::Accounts, "industry", &industry).is_some();
            if known || industry.bytes().all(|byte| byte.is_ascii_digit()) {
                row.put("industry", quoted(&industry));
            } else {
                self.lose(Array::Accounts, "industry", "is no industry that the account knows");
            }
        }
        row.keep("address");
        if let Some(parts) = row.get("address_parts").filter(|_| self.sending) {
            row.put("address_parts", address(parts));
        }
        if row.get("address_parts").is_some_and(|parts| !same(parts, &address(parts))) {
            self.lose(row.array, "address_parts", "Pipedrive puts the formatted address together");
        }
        row.keep_some("created_at");
    }

    fn opportunity(&mut self, row: &mut Made<'_>) {
        for name in ["name", "account_public_id", "contact_public_id"] {
            row.keep(name);
        }
        // A deal always has a value and a currency: neither can be emptied.
        row.keep_some("amount");
        row.keep_some("currency");
        let status = row.text("status").unwrap_or_else(|| "open".to_owned());
        row.take("status");
        row.put("status", quoted(&status));
        self.percent(row);
        row.take("lost_reason");
        if status == "lost" {
            row.keep("lost_reason");
        } else if row.get("lost_reason").is_some() {
            self.lose(row.array, "lost_reason", "only lost deals have one");
        }
        self.date(row, "close_date");
        row.take("closed_at");
        match row.get("closed_at") {
            Some(_) if status != "open" => row.instant("closed_at"),
            Some(_) => self.lose(row.array, "closed_at", "open deals have none"),
            None => {}
        }
        row.instant("archived_at");
        let place = self.stages.place(&Standing::of(&row.fields));
        if let Some((pipeline, stage)) = place {
            let ids = [("pipeline_id", &pipeline.id), ("pipeline_stage_id", &stage.id)];
            for (name, id) in ids {
                row.put(name, quoted(id));
            }
        }
        row.take("stage_position");
        if row.get("stage_position").is_some() {
            self.lose(row.array, "stage_position", "Pipedrive orders deals by itself");
        }
    }

    fn lead(&mut self, row: &mut Made<'_>) {
        row.take("title");
        let title = row.text("title").filter(|title| !title.is_empty());
        let named = [row.text("first_name"), row.text("last_name")];
        let named: Vec<_> = named.into_iter().flatten().collect();
        let title = title.or_else(|| (!named.is_empty()).then(|| named.join(" ")));
        let title = title.or_else(|| row.text("email")).unwrap_or_else(|| "–".to_owned());
        row.put("title", quoted(&title));
        for name in ["account_public_id", "contact_public_id"] {
            row.keep(name);
        }
        row.take("status");
        match row.text("status").as_deref() {
            Some(status @ ("open" | "archived")) => row.put("status", quoted(status)),
            None => {}
            Some(_) => self.lose(row.array, "status", "leads are open or archived"),
        }
        row.take("amount");
        row.take("currency");
        // A value has an amount and a currency, or it is none.
        match (row.get("amount"), row.get("currency")) {
            (Some(amount), Some(currency)) => {
                row.put("amount", amount);
                row.put("currency", currency);
            }
            (None, None) if row.says("amount") => row.put("amount", "null"),
            (None, None) => {}
            (Some(_), None) => self.lose(row.array, "amount", "an amount needs a currency"),
            (None, Some(_)) => self.lose(row.array, "currency", "a currency needs an amount"),
        }
        self.date(row, "close_date");
    }

    fn common(&mut self, row: &mut Made<'_>) {
        row.take("owner");
        if let Some(owner) = row.text("owner") {
            match self.setup.user(&owner) {
                Some(_) => row.put("owner", quoted(&owner)),
                None => self.lose(row.array, "owner", "is no active user of the account"),
            }
        }
        if row.array == Array::Activities {
            return;
        }
        row.take("labels");
        if row.says("labels") {
            let labels = list(row.get("labels").unwrap_or("[]"));
            let all = labels.len();
            let known: Vec<_> = labels
                .into_iter()
                .filter(|raw| {
                    text(raw).is_some_and(|label| self.setup.label_id(row.array, &label).is_some())
                })
                .collect();
            if known.len() < all {
                self.lose(row.array, "labels", "is no label that the account has");
            }
            row.put("labels", format!("[{}]", known.join(",")));
        }
        row.take("custom");
        if !row.says("custom") {
            return;
        }
        let owner = owner(row.array).unwrap_or(row.array);
        let mut kept = Vec::new();
        for (name, value) in members(row.get("custom").unwrap_or("{}")) {
            if says_nothing(value) {
                continue;
            }
            let target = self.setup.target(owner, &name);
            let coming = || self.needs.get(&owner)?.get(&*name).copied();
            let kind = target.map(|target| target.ty).or_else(coming).map(Kind::of);
            let field = format!("custom.{name}");
            match kind {
                _ if name == MARKER => self.lose(row.array, &field, "is ours"),
                Some(Kind::Account | Kind::Contact) if self.is_left(value) => {
                    self.lose(row.array, &field, "refers to a row that is left out");
                }
                Some(Kind::Account | Kind::Contact) if !is_in(self.there, value) => {
                    self.lose(row.array, &field, "refers to a row that no longer exists");
                }
                None => self.lose(row.array, &field, "the account has no such field"),
                Some(kind) => match held(kind, value, self.setup) {
                    Ok(held) => {
                        if !same(&held, value) {
                            self.lose(row.array, &field, "is not kept as it is spelled");
                        }
                        kept.push(format!("{}:{held}", quoted(&name)));
                    }
                    Err(why) => self.lose(row.array, &field, why),
                },
            }
        }
        row.put("custom", format!("{{{}}}", kept.join(",")));
    }

    pub(super) fn whole(&mut self, row: &mut Made<'_>, name: &'static str) {
        row.take(name);
        match row.get(name) {
            Some(value) if value.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
                self.lose(row.array, name, "Pipedrive has whole numbers here");
            }
            Some(value) => row.put(name, value),
            None if row.says(name) => row.put(name, "null"),
            None => {}
        }
    }

    fn percent(&mut self, row: &mut Made<'_>) {
        row.take("probability");
        match row.get("probability") {
            Some(value) if value.parse().is_ok_and(|part: f64| (0.0..=100.0).contains(&part)) => {
                row.put("probability", value);
            }
            Some(_) => self.lose(row.array, "probability", "is no percentage"),
            None => {}
        }
    }

    fn date(&mut self, row: &mut Made<'_>, name: &'static str) {
        row.take(name);
        match row.text(name) {
            Some(date) if date.len() == 10 => row.put(name, quoted(&date)),
            Some(time) => {
                self.lose(row.array, name, "Pipedrive has dates here, no times of day");
                row.put(name, quoted(time.get(..10).unwrap_or(&time)));
            }
            None if row.says(name) => row.put(name, "null"),
            None => {}
        }
    }
}

/// Whether a value is the public id of one of these rows.
fn is_in(rows: &HashSet<u64>, value: &str) -> bool {
    value.starts_with('"') && text(value).is_some_and(|id| rows.contains(&number(&id)))
}

fn contact(row: &mut Made<'_>) {
    row.keep("account_public_id");
    for name in ["name", "first_name", "last_name"] {
        row.take(name);
    }
    let filled = |name: &str| row.text(name).filter(|text| !text.is_empty());
    let (name, first, last) = (filled("name"), filled("first_name"), filled("last_name"));
    match (name, first, last) {
        // Both halves say more than the whole, which Pipedrive would split by itself.
        (name, Some(first), Some(last))
            if name.as_ref().is_none_or(|name| *name == format!("{first} {last}")) =>
        {
            row.put("first_name", quoted(&first));
            row.put("last_name", quoted(&last));
        }
        (name, first, last) => {
            // Pipedrive wants a name; who has none is called by their address.
            let name = name.or(first).or(last).or_else(|| filled("email"));
            row.put("name", quoted(&name.unwrap_or_else(|| "–".to_owned())));
        }
    }
    for (one, many) in [("email", "emails"), ("phone", "phones")] {
        row.take(one);
        row.take(many);
        let all = match (row.get(many), row.get(one)) {
            (Some(all), _) => filled_entries(all).unwrap_or_else(|| "null".to_owned()),
            (None, Some(own)) => {
                format!("[{{\"value\":{own},\"primary\":true,\"label\":\"work\"}}]")
            }
            (None, None) if row.says(one) || row.says(many) => "null".to_owned(),
            (None, None) => continue,
        };
        row.put(many, all);
    }
    row.keep_some("created_at");
}
