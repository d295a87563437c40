//! Builds the five kinds of rows, field by field.

use super::mapper::{Common, Mapper, split, time};
use super::source::{Fields, Out, is_empty};
use crate::bundle::fitting::{fault, filled_entries};
use crate::bundle::format::{Entity, PARTIAL, Shape};
use crate::model::{list, members, quoted, text};

/// The reason why the status of a deal is not in the bundle.
const NO_STATUS: &str = "is none that a bundle has; its times tell what it is";

/// Writes the row of a record into a buffer.
pub(super) fn write(
    mapper: &mut Mapper,
    entity: Entity,
    common: &Common,
    custom: &str,
    fields: &mut Fields<'_>,
    buffer: &mut String,
) {
    let mut out = Out::start(buffer, entity);
    out.text("public_id", Some(&common.public_id));
    out.text("external_system", Some("pipedrive"));
    out.text("external_id", Some(&common.external_id));
    match entity {
        Entity::Accounts => account(mapper, fields, &mut out),
        Entity::Contacts => contact(mapper, fields, &mut out),
        Entity::Opportunities => opportunity(mapper, common, fields, &mut out),
        Entity::Leads => lead(mapper, fields, &mut out),
        Entity::Activities => activity(mapper, fields, &mut out),
    }
    out.text("owner", common.owner.as_deref());
    if entity != Entity::Activities {
        let labels = mapper.labels(entity, fields.consume("label_ids"));
        out.raw("labels", labels.as_deref());
        out.raw("custom", Some(custom));
    }
    if mapper.tells_parts() && !mapper.partial.is_empty() {
        let names: Vec<_> = mapper.partial.iter().map(|name| quoted(name)).collect();
        out.raw(PARTIAL, Some(&format!("[{}]", names.join(","))));
    }
    out.raw("created_at", common.created_at.as_deref());
    out.raw("updated_at", common.updated_at.as_deref());
    out.raw("deleted_at", common.deleted_at.as_deref());
    for (field, why) in out.end() {
        mapper.lose(entity, &field, why);
    }
}

fn account(mapper: &mut Mapper, fields: &mut Fields<'_>, out: &mut Out<'_>) {
    out.name(fields.consume("name"));
    out.raw("website", fields.consume("website"));
    out.raw("linkedin", fields.consume("linkedin"));
    let industry = fields.consume("industry").map(|raw| mapper.industry(raw));
    out.text("industry", industry.as_deref());
    out.raw("annual_revenue", fields.consume("annual_revenue"));
    out.raw("employee_count", fields.consume("employee_count"));
    let address = fields.consume("address").filter(|raw| raw.starts_with('{'));
    out.raw("address", address.and_then(spelled));
    out.raw("address_parts", address);
}

fn contact(mapper: &mut Mapper, fields: &mut Fields<'_>, out: &mut Out<'_>) {
    let account = fields.consume("org_id");
    refer(mapper, out, Entity::Contacts, "org_id", Entity::Accounts, account);
    out.raw("name", fields.consume("name"));
    out.raw("first_name", fields.consume("first_name"));
    out.raw("last_name", fields.consume("last_name"));
    let (emails, phones) = (fields.consume("emails"), fields.consume("phones"));
    out.raw("email", emails.and_then(primary));
    out.raw("phone", phones.and_then(primary));
    out.raw("emails", emails.and_then(filled_entries).as_deref());
    out.raw("phones", phones.and_then(filled_entries).as_deref());
    out.raw("title", fields.consume("job_title"));
    out.raw("birthday", fields.consume("birthday"));
    out.raw("address", fields.consume("postal_address").and_then(spelled));
}

fn opportunity(mapper: &mut Mapper, common: &Common, fields: &mut Fields<'_>, out: &mut Out<'_>) {
    out.name(fields.consume("title"));
    let (account, contact) = (fields.consume("org_id"), fields.consume("person_id"));
    refer(mapper, out, Entity::Opportunities, "org_id", Entity::Accounts, account);
    refer(mapper, out, Entity::Opportunities, "person_id", Entity::Contacts, contact);
    out.raw("amount", fields.consume("value"));
    out.raw("currency", fields.consume("currency"));
    let (won, lost) = (fields.consume("won_time"), fields.consume("lost_time"));
    let status = match fields.consume("status") {
        Some(status) if fault(Shape::Status, status).is_none() => status,
        // A deleted deal does not contain its former status; its times show it.
        other => {
            if other.is_some_and(|status| status != "\"deleted\"") {
                out.lose("status", NO_STATUS);
            }
            match (won, lost) {
                (Some(_), _) => "\"won\"",
                (None, Some(_)) => "\"lost\"",
                (None, None) => "\"open\"",
            }
        }
    };
    out.raw("status", Some(status));
    out.raw("probability", fields.consume("probability"));
    // The value is an object `{id, label}` since reasons can be predefined (pipedrive-api.md 5.1).
    let reason = fields.consume("lost_reason").map(|raw| {
        match members(raw).iter().find(|(k, _)| k == "label") {
            Some((_, label)) => *label,
            None => raw,
        }
    });
    out.raw("lost_reason", reason);
    out.raw("close_date", fields.consume("expected_close_date"));
    out.raw("closed_at", fields.consume("close_time").map(time).as_deref());
    let archived = fields.flag("is_archived");
    let at = fields.consume("archive_time").map(time);
    out.raw(
        "archived_at",
        at.or_else(|| common.updated_at.clone()).filter(|_| archived).as_deref(),
    );
    let (pipeline, stage) = (fields.id("pipeline_id"), fields.id("stage_id"));
    let [pipeline_id, stage_id, pipeline, stage] = mapper.stage(pipeline, stage);
    out.text("pipeline_id", pipeline_id.as_deref());
    out.text("pipeline_stage_id", stage_id.as_deref());
    out.text("pipeline_name", pipeline.as_deref());
    out.text("stage_name", stage.as_deref());
}

fn lead(mapper: &mut Mapper, fields: &mut Fields<'_>, out: &mut Out<'_>) {
    out.raw("title", fields.consume("title"));
    let (account, contact) = (fields.consume("organization_id"), fields.consume("person_id"));
    refer(mapper, out, Entity::Leads, "organization_id", Entity::Accounts, account);
    refer(mapper, out, Entity::Leads, "person_id", Entity::Contacts, contact);
    let deal = fields.consume("source_deal_id");
    refer(mapper, out, Entity::Leads, "source_deal_id", Entity::Opportunities, deal);
    let archived = fields.flag("is_archived");
    out.text("status", Some(if archived { "archived" } else { "open" }));
    out.raw("source", fields.consume("source_name"));
    let value = fields.consume("value").map(members).unwrap_or_default();
    let part = |name: &str| value.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
    out.raw("amount", part("amount"));
    out.raw("currency", part("currency"));
    out.raw("close_date", fields.consume("expected_close_date"));
}

fn activity(mapper: &mut Mapper, fields: &mut Fields<'_>, out: &mut Out<'_>) {
    let links = [
        ("deal_id", Entity::Opportunities),
        ("person_id", Entity::Contacts),
        ("org_id", Entity::Accounts),
        ("lead_id", Entity::Leads),
    ];
    let found = links.map(|(name, entity)| {
        let raw = fields.consume(name);
        (entity, mapper.reference(Entity::Activities, name, entity, raw))
    });
    // The other CRM has one parent per activity. A deal wins over a contact, an account and a lead.
    let parent = found.iter().find_map(|(entity, link)| Some((*entity, link.id.as_deref()?)));
    out.text("record_type", parent.map(|(entity, _)| entity.record_type()));
    out.text("record_public_id", parent.map(|(_, id)| id));
    for (entity, link) in &found {
        let name = entity.link().unwrap_or_default();
        out.text(name, link.id.as_deref());
        if let Some(external) = &link.external {
            out.text(&name.replace("public", "external"), Some(external));
        }
    }
    out.raw("activity_type", fields.consume("type"));
    out.raw("subject", fields.consume("subject"));
    let note = fields.text("note");
    out.text("body", note.as_deref().map(|note| split(note).0).filter(|body| !body.is_empty()));
    let (date, clock) = (fields.text("due_date"), fields.text("due_time"));
    out.text("due_at", date.map(|date| due(&date, clock.as_deref())).as_deref());
    out.raw("duration", fields.consume("duration").filter(|raw| !is_empty(raw)));
    out.raw("done", fields.consume("done"));
    out.raw("completed_at", fields.consume("marked_as_done_time").map(time).as_deref());
    out.raw("busy", fields.consume("busy"));
    let location = fields.consume("location").filter(|raw| raw.starts_with('{'));
    out.raw("location", location.and_then(spelled));
    out.raw("public_description", fields.consume("public_description"));
    out.raw("priority", fields.consume("priority"));
    let contact = found[1].1.id.clone();
    let participants = participants(mapper, fields.consume("participants"), contact.as_deref());
    out.raw("participants", participants.as_deref());
}

/// Returns all participants as a JSON list. Returns `None` if the contact is the only one.
fn participants(mapper: &mut Mapper, raw: Option<&str>, contact: Option<&str>) -> Option<String> {
    let mut all = Vec::new();
    for one in list(raw?) {
        let one = members(one);
        let part = |name: &str| one.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
        let person = part("person_id").filter(|raw| *raw != "null");
        let link = mapper.reference(Entity::Activities, "participants", Entity::Contacts, person);
        if person.is_some() && link.id.is_none() {
            mapper.partial.insert("participants");
        }
        all.extend(link.id.map(|id| (id, part("primary") == Some("true"))));
    }
    if all.is_empty() || matches!(&all[..], [(id, _)] if Some(id.as_str()) == contact) {
        return None;
    }
    let rows = all.iter().map(|(id, primary)| {
        format!("{{\"contact_public_id\":{},\"primary\":{primary}}}", quoted(id))
    });
    Some(format!("[{}]", rows.collect::<Vec<_>>().join(",")))
}

/// Writes a reference, and the external id if the row does not exist.
fn refer(
    mapper: &mut Mapper,
    out: &mut Out<'_>,
    of: Entity,
    field: &'static str,
    to: Entity,
    raw: Option<&str>,
) {
    let link = mapper.reference(of, field, to, raw);
    let name = to.link().unwrap_or_default();
    out.text(name, link.id.as_deref());
    if let Some(external) = link.external {
        out.text(&name.replace("public", "external"), Some(&external));
    }
}

/// Returns a date, or a time in UTC if the time of day is known. Pipedrive stores it in UTC.
fn due(date: &str, clock: Option<&str>) -> String {
    match clock {
        Some(clock) if clock.len() == 5 => format!("{date}T{clock}:00Z"),
        Some(clock) if clock.len() == 8 => format!("{date}T{clock}Z"),
        _ => date.to_owned(),
    }
}

/// Returns an address as one text.
fn spelled(address: &str) -> Option<&str> {
    let parts = members(address);
    let part = |name: &str| parts.iter().find(|(key, _)| key == name).map(|(_, raw)| *raw);
    ["value", "formatted_address"].into_iter().filter_map(part).find(|raw| !is_empty(raw))
}

/// Returns the value marked as primary, otherwise the first value.
fn primary(values: &str) -> Option<&str> {
    let values: Vec<_> = list(values).into_iter().map(members).collect();
    let marked =
        values.iter().find(|one| one.iter().any(|(key, raw)| key == "primary" && *raw == "true"));
    let one = marked.or_else(|| values.first())?;
    let value = one.iter().find(|(key, _)| key == "value").map(|(_, raw)| *raw)?;
    text(value).filter(|text| !text.is_empty()).map(|_| value)
}
