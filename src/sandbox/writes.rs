//! Writes over HTTP to the core resources.

use super::answers::{Content, single};
use super::ask::{Method, Refusal, Request};
use super::custom::Kind;
use super::edit;
use super::json;
use super::rows::{Row, Status};
use super::world::World;
use crate::model::{Column, Custom, Resource, Type};
use bytes::Bytes;
use serde_json::{Map, Value};

const WRITABLE: &[&str] = &[
    "deals",
    "persons",
    "organizations",
    "activities",
    "products",
    "pipelines",
    "stages",
    "leads",
    "notes",
];

/// Columns nobody sets.
const READ_ONLY: &[&str] =
    &["id", "update_time", "creator_user_id", "creator_id", "is_deleted", "active_flag"];

/// Creates a row.
pub(super) fn create(
    world: &mut World,
    resource: &'static Resource,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    if request.method == Method::Post && request.v2() && resource.name.ends_with("_fields") {
        return create_field(world, resource, request);
    }
    if request.method != Method::Post || !WRITABLE.contains(&resource.name) {
        return Err(Refusal::general(404, "Unknown method .", ""));
    }
    let body = body(world, resource, request)?;
    let title = ["title", "name", "subject", "content"]
        .into_iter()
        .find(|name| resource.column(name).is_some())
        .unwrap_or("title");
    if !body.contains_key(title) {
        return Err(invalid(request, &format!("{title}: Parameter '{title}' is required")));
    }
    let id = world.table(resource).next_id();
    let now = world.now();
    let mut out = vec![b'{'];
    let name = (resource.name == "leads").then(|| world.account().uuid("leads", id));
    for column in resource.columns.iter().filter(|column| column.name != "custom_fields") {
        let value = match (column.name, &name) {
            ("id", Some(name)) => json::quoted(name),
            ("id", None) => id.to_string(),
            ("add_time" | "update_time", _) => edit::time(resource, column.ty, now),
            (given, _) => match body.get(given) {
                Some(value) => value.to_string(),
                None => default(column),
            },
        };
        json::pair(&mut out, column.name, &value);
    }
    let fields = world.account().fields(resource.name);
    match resource.custom {
        Custom::Nested => {
            let mut custom = vec![b'{'];
            for field in fields {
                let value = body.get("custom_fields").and_then(|given| given.get(&field.code));
                json::pair(&mut custom, &field.code, &value.unwrap_or(&Value::Null).to_string());
            }
            custom.push(b'}');
            json::pair(&mut out, "custom_fields", &String::from_utf8_lossy(&custom));
        }
        Custom::Flat => {
            for (key, value) in body.iter().filter(|(key, _)| key.len() >= 40) {
                json::pair(&mut out, key, &value.to_string());
            }
        }
        Custom::None => {}
    }
    out.push(b'}');
    let row = Row {
        id,
        name: name.map(Into::into),
        add: now,
        update: Some(now),
        status: if resource.name == "deals" { Status::Open } else { Status::None },
        archived: false,
        deleted: None,
        json: Bytes::from(out),
    };
    let key = row.name.as_ref().map_or_else(|| id.to_string(), ToString::to_string);
    world.table(resource).put(row);
    // States that come with the row: won, lost, archived.
    let set = consequences(world, resource, &body);
    if !set.is_empty() {
        edit::change(world, resource.name, &key, set, Some(now));
    }
    world.changed();
    Ok((201, shown(world, resource, &key)))
}

/// Creates a custom field. Rows that exist do not carry it until it is set.
fn create_field(
    world: &mut World,
    resource: &'static Resource,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(name) = body["field_name"].as_str().filter(|name| !name.is_empty()) else {
        return Err(invalid(request, "field_name: Parameter 'field_name' is required"));
    };
    let Some(kind) = body["field_type"].as_str().and_then(Kind::named) else {
        return Err(invalid(request, "field_type: Parameter 'field_type' is not a field type"));
    };
    let options = body["options"].as_array().into_iter().flatten();
    let labels: Vec<_> =
        options.filter_map(|option| option["label"].as_str().map(str::to_owned)).collect();
    if matches!(kind, Kind::Enum | Kind::Set) == labels.is_empty() {
        return Err(invalid(request, "options: enum and set have options, others have none"));
    }
    let code = world
        .add_field(resource.name, name, kind, labels)
        .ok_or_else(|| Refusal::general(404, "Unknown method .", ""))?;
    Ok((201, shown(world, resource, &code)))
}

/// Changes or deletes the row of this key.
pub(super) fn write(
    world: &mut World,
    resource: &'static Resource,
    key: &str,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    if request.method == Method::Post || !WRITABLE.contains(&resource.name) {
        return Err(Refusal::general(404, "Unknown method .", ""));
    }
    let there = world.table(resource).get(key).filter(|row| row.deleted.is_none()).cloned();
    let row = there.ok_or_else(Refusal::not_found)?;
    if request.method == Method::Delete {
        world.edit(edit::Edit::Delete { resource: resource.name, key: key.to_owned() });
        let id = if row.name.is_some() { json::quoted(key) } else { key.to_owned() };
        let body = format!("{{\"success\":true,\"data\":{{\"id\":{id}}}}}");
        return Ok((200, Content::Json(Bytes::from(body))));
    }
    let mut body = body(world, resource, request)?;
    let mut set = consequences(world, resource, &body);
    if let Some(Value::Object(given)) = body.remove("custom_fields") {
        let custom: Vec<_> =
            given.iter().map(|(code, value)| (code.clone(), value.to_string())).collect();
        let old = json::find(&row.json, "custom_fields").unwrap_or("{}");
        let merged = json::replaced(old.as_bytes(), &custom);
        set.push(("custom_fields".to_owned(), String::from_utf8_lossy(&merged).into_owned()));
    }
    set.extend(body.into_iter().map(|(name, value)| (name, value.to_string())));
    let now = world.now();
    let same =
        json::pairs(&row.json).into_iter().next().map(|(k, v)| (k.into_owned(), v.to_owned()));
    if set.is_empty() {
        set.extend(same);
    }
    edit::change(world, resource.name, key, set, Some(now));
    world.changed();
    Ok((200, shown(world, resource, key)))
}

/// What else a write changes: the times that go with a state.
fn consequences(
    world: &World,
    resource: &Resource,
    body: &Map<String, Value>,
) -> Vec<(String, String)> {
    let now = json::quoted(&json::spelt(world.now(), super::fill::spelling(resource)));
    let mut set = Vec::new();
    let times: &[&str] = match body.get("status").and_then(Value::as_str) {
        Some("won") => &["won_time", "close_time"],
        Some("lost") => &["lost_time", "close_time"],
        _ => &[],
    };
    for name in times {
        set.push(((*name).to_owned(), now.clone()));
    }
    if let Some(status) = body.get("status") {
        set.push(("status".to_owned(), status.to_string()));
    }
    if let Some(archived) = body.get("is_archived") {
        set.push(("is_archived".to_owned(), archived.to_string()));
        if resource.name == "deals" {
            let when = if *archived == Value::Bool(true) { now } else { "null".to_owned() };
            set.push(("archive_time".to_owned(), when));
        }
    }
    set
}

fn shown(world: &mut World, resource: &'static Resource, key: &str) -> Content {
    let row = world.table(resource).get(key).expect("the row was just written");
    Content::Json(single(&row.json))
}

/// A parameter or key is not as it must be, in the words of the version that was asked.
pub(super) fn invalid(request: &Request, fault: &str) -> Refusal {
    if request.v2() {
        Refusal::invalid(&[fault.to_owned()])
    } else {
        Refusal::general(400, fault, "")
    }
}

/// The body, all of whose keys the resource knows.
fn body(
    world: &World,
    resource: &Resource,
    request: &Request,
) -> Result<Map<String, Value>, Refusal> {
    let Ok(Value::Object(body)) = serde_json::from_slice(&request.body) else {
        return Err(invalid(request, "body: Expected a JSON object"));
    };
    let fields = world.account().fields(resource.name);
    let code = |key: &str| fields.iter().any(|field| key.starts_with(&field.code));
    let known = |key: &str| {
        let column = resource.column(key).is_some() && !READ_ONLY.contains(&key);
        column || (resource.custom == Custom::Flat && code(key))
    };
    if let Some(key) = body.keys().find(|key| !known(key)) {
        return Err(invalid(request, &format!("{key}: Parameter '{key}' is not allowed")));
    }
    if let Some(Value::Object(custom)) = body.get("custom_fields")
        && let Some(key) = custom.keys().find(|key| !code(key))
    {
        return Err(invalid(request, &format!("custom_fields.{key}: unknown custom field")));
    }
    let misfit = body.iter().find(|(key, value)| {
        let column = resource.column(key);
        let first = value.to_string().bytes().next().unwrap_or(b'n');
        !value.is_null() && column.is_some_and(|column| !column.ty.takes(first))
    });
    match misfit {
        Some((key, _)) => Err(invalid(request, &format!("{key}: has another type"))),
        None => Ok(body),
    }
}

fn default(column: &Column) -> String {
    let text = match (column.name, column.ty) {
        (
            "owner_id" | "creator_user_id" | "creator_id" | "user_id" | "pipeline_id" | "stage_id"
            | "order_nr",
            _,
        ) => "1",
        ("status", _) => "\"open\"",
        ("currency", _) => "\"EUR\"",
        ("type", _) => "\"call\"",
        ("origin" | "source_name", _) => "\"API\"",
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
