//! Projects activities to what Pipedrive can store: their parents and participants.

use super::project::PipedriveProjection;
use super::row_builder::{Inexact, RowBuilder};
use crate::bundle::format::{Entity, value_of};
use crate::bundle::push::alike;
use crate::model::{list, quoted, text};

/// The arrays that can be the parent of an activity, in the order in which an export chooses one.
const PARENTS: [Entity; 4] =
    [Entity::Opportunities, Entity::Contacts, Entity::Accounts, Entity::Leads];

impl PipedriveProjection<'_> {
    /// Redirects links to rows that have moved to another array. When a lead becomes a deal, its activities
    /// move too.
    pub(super) fn follow(&mut self, row: &mut RowBuilder<'_>) {
        if row.entity != Entity::Activities || self.fates.is_plain() {
            return;
        }
        let moved = |raw: &str| text(raw).and_then(|id| self.fates.moved(&id));
        if let Some(to) = row.get("record_public_id").and_then(moved) {
            row.replace("record_type", kind(to));
        }
        let mut lost = Vec::new();
        for from in PARENTS {
            let link = from.link().unwrap_or_default();
            let Some(raw) = row.get(link) else { continue };
            let Some(to) = moved(raw).and_then(Entity::link) else { continue };
            row.replace(link, "null");
            match row.get(to) {
                None => row.replace(to, raw),
                Some(own) if own == raw => {}
                Some(_) => lost.push(link),
            }
        }
        for link in lost {
            self.lose(row, link, "is linked to another row of the array it lies in by now");
        }
    }

    pub(super) fn activity(&mut self, row: &mut RowBuilder<'_>) {
        let parent = row.text("record_type").and_then(|name| Entity::of_record_type(&name));
        let parent = parent.zip(row.get("record_public_id"));
        for entity in PARENTS {
            let link = entity.link().unwrap_or_default();
            row.consume(link);
            let own = parent.filter(|(of, _)| *of == entity).map(|(_, id)| id);
            // The parent is part of the CRM's format; the other links are specific to this program.
            if own.is_some() && row.get(link).is_some_and(|id| Some(id) != own) {
                self.lose(row, link, "the row it belongs to is another one");
            }
            if let Some(id) = own.or(row.get(link)) {
                row.put(link, id);
            } else if row.says(link) {
                row.put(link, "null");
            }
        }
        row.consume("activity_type");
        if let Some(key) = row.text("activity_type") {
            if self.setup.has_activity_type(&key) {
                row.put("activity_type", quoted(&key));
            } else {
                self.lose(row, "activity_type", "is no type that the account has");
            }
        }
        for name in ["subject", "done", "busy"] {
            row.keep_some(name);
        }
        let contact = row.made("contact_public_id");
        let moves = contact.is_some_and(|id| !alike(id, row.other("contact_public_id")));
        if row.is_new() || row.edited("participants") || moves {
            self.participants(row);
        } else {
            row.consume("participants");
        }
        if row.is_new() {
            self.parent(row, parent.map(|(_, id)| id));
        }
        for name in ["body", "duration", "location", "public_description"] {
            row.leave_as_is(name);
        }
        match row.get("due_at") {
            Some(_) => row.instant("due_at"),
            None => row.leave_as_is("due_at"),
        }
        self.whole(row, "priority");
        row.consume("completed_at");
        if row.get("completed_at").is_some() {
            self.lose(row, "completed_at", "Pipedrive stamps it");
        }
    }

    /// Reports a loss if the parent changes. In an export the first link of an activity becomes its parent.
    fn parent(&mut self, row: &RowBuilder<'_>, own: Option<&str>) {
        // The loss of the parent row is already reported.
        if own.is_none() && row.get("record_type").is_some() {
            return;
        }
        let links = PARENTS.into_iter().filter_map(Entity::link);
        let first = links.into_iter().find_map(|link| {
            let found = row.out.iter().find(|(key, _)| key == link);
            found.map(|(_, id)| id.as_str()).filter(|id| *id != "null")
        });
        if first != own {
            let why = "an activity belongs to what is nearest to the sale";
            self.lose(row, "record_public_id", why);
        }
    }

    /// Writes the participants. The first participant is the contact of an activity (pipedrive-api.md 7).
    fn participants(&mut self, row: &mut RowBuilder<'_>) {
        row.consume("participants");
        let contact = row.made("contact_public_id").filter(|id| *id != "null").map(str::to_owned);
        let mut all: Vec<String> = list(row.get("participants").unwrap_or("[]"))
            .into_iter()
            .filter_map(|one| value_of(one, "contact_public_id").map(str::to_owned))
            .filter(|id| !self.is_left(id))
            .collect();
        let own = contact.is_some();
        let Some(contact) = contact.or_else(|| all.first().cloned()) else {
            row.put("participants", "null");
            return;
        };
        let why = "who takes part first becomes the contact";
        if !own {
            if row.is_new() {
                self.lose(row, "contact_public_id", why);
            }
            row.doubt("contact_public_id", Inexact::Guess, why);
            row.doubt("participants", Inexact::Guess, why);
        }
        if row.is_new() && (!own || !all.is_empty() && !all.contains(&contact)) {
            self.lose(row, "participants", "the contact is who takes part first");
        }
        all.retain(|id| *id != contact);
        all.dedup();
        row.out.retain(|(key, _)| key != "contact_public_id");
        row.put("contact_public_id", contact.clone());
        let one = |id: &String, primary: bool| {
            format!("{{\"contact_public_id\":{id},\"primary\":{primary}}}")
        };
        let others = all.iter().map(|id| one(id, false));
        let shown: Vec<_> = std::iter::once(one(&contact, true)).chain(others).collect();
        let shown = format!("[{}]", shown.join(","));
        row.put("participants", if all.is_empty() { "null".to_owned() } else { shown });
    }
}

/// Returns the `record_type` of an array, as JSON.
const fn kind(entity: Entity) -> &'static str {
    match entity {
        Entity::Accounts => "\"account\"",
        Entity::Contacts => "\"contact\"",
        Entity::Opportunities => "\"opportunity\"",
        Entity::Leads => "\"lead\"",
        Entity::Activities => "\"activity\"",
    }
}
