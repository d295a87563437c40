//! Executes a write: a row is created, changed or deleted, and returned.

use super::body::{Body, faulty};
use super::custom::{self, Flat};
use super::fields;
use super::follow::{Write, follow};
use super::shape;
use super::table::{When, Writable, writable};
use crate::model::{Column, Custom, Resource, Type};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::edit;
use crate::sandbox::endpoints::{Content, single};
use crate::sandbox::http_request::{Method, Refusal, Request};
use crate::sandbox::json;
use crate::sandbox::options::Options;
use crate::sandbox::rows::{Row, Status};
use bytes::Bytes;
use serde_json::{Map, Value};

/// Creates a row.
pub(in crate::sandbox) fn create(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    let nowhere = || Refusal::general(404, "Unknown method .", "");
    if request.method != Method::Post || request.path != resource.listings[0].path {
        return Err(nowhere());
    }
    if resource.name.ends_with("_fields") {
        return fields::create(state, options, resource, request);
    }
    let writable = writable(resource.name).ok_or_else(nowhere)?;
    if writable.admin {
        permitted(options)?;
    }
    let body = Body::read(request)?;
    let flat = check(state, writable, request, &body, None)?;
    let id = state.table(resource).next_id();
    let write = Write { request, options, body: &body, id, old: None };
    let mut set = follow(state, resource.name, &write)?;
    let name = matches!(resource.name, "leads" | "lead_labels")
        .then(|| state.account().uuid(resource.name, id));
    let key = name.clone().unwrap_or_else(|| id.to_string());
    let now = state.now();
    let mut out = vec![b'{'];
    for column in resource.columns.iter().filter(|column| column.name != "custom_fields") {
        let value = match (column.name, &name) {
            ("id", Some(name)) => json::quoted(name),
            ("id", None) => id.to_string(),
            ("update_time", _) => edit::time(resource, column.ty, now),
            (given, _) => match body.raw(given) {
                Some(raw) => raw.to_owned(),
                None if given == "add_time" => edit::time(resource, column.ty, now),
                None => default(column),
            },
        };
        json::pair(&mut out, column.name, &value);
    }
    if resource.custom == Custom::Nested {
        let given = body.raw("custom_fields").unwrap_or("{}");
        let mut custom = vec![b'{'];
        for field in state.account().fields(resource.name) {
            let value = json::find(given.as_bytes(), &field.code).unwrap_or("null");
            json::pair(&mut custom, &field.code, value);
        }
        custom.push(b'}');
        json::pair(&mut out, "custom_fields", &String::from_utf8_lossy(&custom));
    }
    out.push(b'}');
    let row = Row {
        id,
        name: name.map(Into::into),
        add: now,
        update: Some(now),
        status: Status::None,
        archived: false,
        deleted: None,
        json: Bytes::from(out),
    };
    set.extend(flat.into_iter().filter_map(|(key, raw)| Some((key, raw?))));
    // The sort and filter values of the row are read from it.
    for column in ["add_time", "status", "is_archived"] {
        let raw = json::find(&row.json, column).filter(|_| resource.column(column).is_some());
        set.extend(raw.map(|raw| (column.to_owned(), raw.to_owned())));
    }
    let row = edit::rewritten(resource, &row, set, None);
    state.table(resource).put(row);
    state.changed();
    Ok((201, shown(state, resource, &key)))
}

/// Changes or deletes the row of this key.
pub(in crate::sandbox) fn write(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
    key: &str,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    let nowhere = || Refusal::general(404, "Unknown method .", "");
    let writable = writable(resource.name).ok_or_else(nowhere)?;
    let deletes = request.method == Method::Delete && writable.deletes;
    if !deletes && request.method != writable.change {
        return Err(nowhere());
    }
    if writable.admin {
        permitted(options)?;
    }
    let there = state.table(resource).get(key).filter(|row| row.deleted.is_none()).cloned();
    let row = there.ok_or_else(Refusal::not_found)?;
    if deletes {
        state.edit(edit::Edit::Delete { resource: resource.name, key: key.to_owned() });
        let id = if row.name.is_some() { json::quoted(key) } else { key.to_owned() };
        let body = format!("{{\"success\":true,\"data\":{{\"id\":{id}}}}}");
        return Ok((200, Content::Json(Bytes::from(body))));
    }
    let body = Body::read(request)?;
    let old: Map<String, Value> = serde_json::from_slice(&row.json).unwrap_or_default();
    let flat = check(state, writable, request, &body, Some(&old))?;
    let write = Write { request, options, body: &body, id: row.id, old: Some(&old) };
    let mut set = follow(state, resource.name, &write)?;
    for (given, _) in body.iter() {
        let raw = body.raw(given).unwrap_or("null").to_owned();
        if given == "custom_fields" {
            let custom: Vec<_> = json::pairs(raw.as_bytes())
                .into_iter()
                .map(|(code, value)| (code.into_owned(), value.to_owned()))
                .collect();
            let old = json::find(&row.json, "custom_fields").unwrap_or("{}");
            let merged = json::replaced(old.as_bytes(), &custom);
            set.push((given.to_owned(), String::from_utf8_lossy(&merged).into_owned()));
        } else if resource.column(given).is_some() && !set.iter().any(|(name, _)| name == given) {
            set.push((given.to_owned(), raw));
        }
    }
    let gone: Vec<&str> =
        flat.iter().filter(|(_, raw)| raw.is_none()).map(|(key, _)| key.as_str()).collect();
    if !gone.is_empty() {
        let json = Bytes::from(json::without(&row.json, &gone));
        state.table(resource).put(Row { json, ..row.clone() });
    }
    set.extend(flat.into_iter().filter_map(|(key, raw)| Some((key, raw?))));
    if set.is_empty() {
        let first = json::pairs(&row.json).into_iter().next();
        set.extend(first.map(|(name, raw)| (name.into_owned(), raw.to_owned())));
    }
    let now = state.now();
    edit::change(state, resource.name, key, set, Some(now));
    state.changed();
    Ok((200, shown(state, resource, key)))
}

/// Refuses a write that requires admin rights.
pub(super) fn permitted(options: &Options) -> Result<(), Refusal> {
    if options.admin {
        return Ok(());
    }
    let error = "You do not have permissions to do this.";
    Err(Refusal::general(403, error, "Please check developers.pipedrive.com"))
}

/// Checks keys and values, and returns the new values of top-level custom fields.
fn check(
    state: &mut AccountState,
    writable: &Writable,
    request: &Request,
    body: &Body,
    old: Option<&Map<String, Value>>,
) -> Result<Flat, Refusal> {
    let mut faults = Vec::new();
    let flat = Resource::named(writable.name).is_some_and(|of| of.custom == Custom::Flat);
    let fields = if flat { state.account().fields(writable.name).to_vec() } else { Vec::new() };
    for (name, value) in body.iter() {
        let known = writable.keys.iter().find(|key| {
            key.name == name
                && match key.when {
                    When::Always => true,
                    When::Born => old.is_none(),
                    When::Later => old.is_some(),
                }
        });
        match known {
            None if custom::is_flat(&fields, name) => {}
            None => {
                faults.push(format!("{name}: Parameter '{name}' is not allowed for this request"));
            }
            Some(key) if value.is_null() && key.null => {}
            Some(key) => {
                faults.extend(shape::faults(state, writable.name, name, key.shape, value));
            }
        }
    }
    let needs = writable.needs.iter().filter(|_| old.is_none());
    for name in needs.filter(|name| body.get(name).is_none()) {
        faults.push(format!("{name}: Parameter '{name}' is required"));
    }
    let flat = custom::flat(state, &fields, body, old).unwrap_or_else(|more| {
        faults.extend(more);
        Vec::new()
    });
    if faults.is_empty() { Ok(flat) } else { Err(faulty(request, &faults)) }
}

fn shown(state: &mut AccountState, resource: &'static Resource, key: &str) -> Content {
    let row = state.table(resource).get(key).expect("the row was just written");
    Content::Json(single(&row.json))
}

/// Returns the default value of a column of a new row.
fn default(column: &Column) -> String {
    let text = match (column.name, column.ty) {
        ("owner_id" | "creator_user_id" | "creator_id" | "user_id", _) => "1",
        ("status", _) => "\"open\"",
        ("currency", _) => "\"EUR\"",
        ("type", _) => "\"call\"",
        ("origin" | "source_name", _) => "\"API\"",
        ("billing_frequency", _) => "\"one-time\"",
        ("visible_to", Type::Int) => "3",
        ("visible_to", _) => "\"3\"",
        ("value" | "tax" | "deal_probability", Type::Num | Type::Int) => "0",
        ("active_flag" | "is_linkable", _) => "true",
        (_, Type::Bool) => "false",
        (_, Type::List(_)) => "[]",
        _ => "null",
    };
    text.to_owned()
}
