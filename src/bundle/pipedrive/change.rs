//! Computes which fields of an existing row change: those that were edited and that Pipedrive can store.

use super::custom::{Kind, held};
use super::missing_fields::{owner, says_nothing};
use super::project::PipedriveProjection;
use super::row_builder::{Inexact, RowBuilder};
use crate::bundle::format::{Entity, PARTIAL, STAMPS};
use crate::bundle::losses::count;
use crate::bundle::map::PUBLIC_ID_FIELD;
use crate::bundle::push::{Fitted, RowFate, alike, custom_field};
use crate::model::{list, members, quoted, text};

/// The reason why archived deals are not changed (pipedrive-api.md 2.1: read-only since 2025-07-15).
const ARCHIVED: &str = "Pipedrive does not allow changes to archived deals: unarchive the deal there, and \
                        push again";

/// The reason why a list is not changed.
const PART: &str = "the account has more in it than a bundle can say, which would be lost";

/// The reason why a reference is not changed.
const OUTSIDE: &str = "led to a row that is not in the bundle";

/// The fields that are sent together: if the first changes, the second is sent too.
const TOGETHER: &[(&str, &str)] = &[
    ("status", "closed_at"),
    ("status", "lost_reason"),
    ("closed_at", "status"),
    ("lost_reason", "status"),
    ("amount", "currency"),
    ("currency", "amount"),
    ("contact_public_id", "participants"),
    ("participants", "contact_public_id"),
    ("address", "address_parts"),
    ("pipeline_id", "pipeline_stage_id"),
    ("pipeline_stage_id", "pipeline_id"),
    // The note of an activity contains its public id.
    ("public_id", "body"),
];

/// Returns the fields of a bundle from which a field of the Pipedrive row is computed.
fn sources(field: &str) -> &[&str] {
    match field {
        "emails" => &["emails", "email"],
        "phones" => &["phones", "phone"],
        "pipeline_id" | "pipeline_stage_id" => &["pipeline_stage_id", "stage_name"],
        "participants" => &["participants", "contact_public_id", "record_type", "record_public_id"],
        "account_public_id" => &["account_public_id", "record_type", "record_public_id"],
        "contact_public_id" => {
            &["contact_public_id", "participants", "record_type", "record_public_id"]
        }
        "opportunity_public_id" => &["opportunity_public_id", "record_type", "record_public_id"],
        "lead_public_id" => &["lead_public_id", "record_type", "record_public_id"],
        // If the first or last name is missing, the name consists of the other one.
        "name" => &["name", "first_name", "last_name"],
        _ => &[],
    }
}

impl PipedriveProjection<'_> {
    /// Computes the changes to write to an existing row: the fields that were edited. A value that cannot
    /// be stored exactly does not replace anything, and is counted.
    pub(super) fn change(&mut self, row: &RowBuilder<'_>, custom: Vec<String>) -> Fitted {
        let mut changes = Vec::new();
        let partial = list(row.other(PARTIAL));
        for (key, value) in &row.out {
            let other = row.other(key);
            let again = self.leads_to_a_new_row(key, value);
            if key == "custom" || STAMPS.contains(&key.as_str()) || alike(value, other) && !again {
                continue;
            }
            let edited = row.edited(key) || row.any_edited(sources(key));
            if key != "public_id" && !edited && !again {
                continue;
            }
            // The bundle has an external id instead of a link, because the exported row did not exist.
            let beside = key.replace("_public_id", "_external_id");
            if value == "null" && beside != *key && row.get(&beside).is_some() {
                count(&mut self.kept, row.entity, key, OUTSIDE);
                continue;
            }
            if partial.iter().any(|name| text(name).is_some_and(|name| name == *key)) {
                count(&mut self.kept, row.entity, key, PART);
                continue;
            }
            match row.doubted(key) {
                Some((Inexact::Part, _)) if says_nothing(other) => changes.push(key.clone()),
                Some((_, why)) => count(&mut self.kept, row.entity, key, why),
                None => changes.push(key.clone()),
            }
        }
        let json = row.finish(|key| {
            let is_one = |name: &str| changes.iter().any(|field| field == name);
            let with = TOGETHER.iter().any(|(of, with)| *with == key && is_one(of));
            let custom = key == "custom" && !custom.is_empty();
            key == "public_id" || is_one(key) || with || custom
        });
        changes.extend(custom);
        let archived = row.entity == Entity::Opportunities && row.other("archived_at") != "null";
        let locked = (archived && !changes.is_empty()).then_some(ARCHIVED);
        Fitted { json, changes, locked }
    }

    /// Returns whether a field refers to a row that is created again. The field in the account still refers
    /// to the deleted row, which has the same public id.
    fn leads_to_a_new_row(&self, key: &str, value: &str) -> bool {
        let again = || text(value).is_some_and(|id| self.fates.row(&id) == Some(&RowFate::Again));
        !self.checking && key.ends_with("_public_id") && key != "public_id" && again()
    }

    /// Returns the names of the custom fields that change, and writes their values in Pipedrive's form. A
    /// new row gets all custom fields and returns no names.
    pub(super) fn custom(&mut self, row: &mut RowBuilder<'_>) -> Vec<String> {
        row.consume("custom");
        if !row.says("custom") {
            return Vec::new();
        }
        let owner = owner(row.entity).unwrap_or(row.entity);
        let (mut kept, mut changes) = (Vec::new(), Vec::new());
        let own = members(row.get("custom").unwrap_or("{}"));
        let there = members(row.other("custom"));
        let other = |name: &str| {
            there.iter().rev().find(|(key, _)| key == name).map_or("null", |(_, value)| *value)
        };
        for (name, value) in &own {
            let (field, other) = (custom_field(name), other(name));
            let same = !row.is_new() && alike(value, other);
            if same
                || says_nothing(value) && row.is_new()
                || self.is_form(row.entity, &field, value, other)
            {
                continue;
            }
            let target = self.setup.target(owner, name);
            let coming = || self.needs.get(&owner)?.get(&**name).copied();
            let kind = target.map(|target| target.ty).or_else(coming).map(Kind::of);
            match kind {
                _ if name == PUBLIC_ID_FIELD => self.lack(row, &field, "is ours"),
                Some(Kind::Account | Kind::Contact) if self.is_left(value) => {
                    self.lack(row, &field, "refers to a row that is left out");
                }
                Some(Kind::Account | Kind::Contact)
                    if !says_nothing(value) && self.is_nowhere(value) =>
                {
                    self.lack(row, &field, "refers to a row that no longer exists");
                }
                None => self.lack(row, &field, "the account has no such field"),
                Some(_) if says_nothing(value) => {
                    kept.push(format!("{}:null", quoted(name)));
                    changes.push(field);
                }
                Some(kind) => match held(kind, value, self.setup) {
                    // The account stores the same value in another form.
                    Ok(held) if !row.is_new() && alike(&held, other) => {}
                    Ok(held) => {
                        if row.is_new() && !crate::model::json_eq(&held, value) {
                            self.lack(row, &field, "is not kept as it is spelled");
                        }
                        kept.push(format!("{}:{held}", quoted(name)));
                        changes.push(field);
                    }
                    Err(why) => self.lack(row, &field, why),
                },
            }
        }
        // A field that the row no longer has was emptied, provided that the bundle has the field at all.
        for (name, value) in &there {
            let gone = own.iter().all(|(key, _)| key != name) && !says_nothing(value);
            if gone && self.setup.expects(name) && self.setup.target(owner, name).is_some() {
                kept.push(format!("{}:null", quoted(name)));
                changes.push(custom_field(name));
            }
        }
        row.put("custom", format!("{{{}}}", kept.join(",")));
        if row.is_new() { Vec::new() } else { changes }
    }
}
