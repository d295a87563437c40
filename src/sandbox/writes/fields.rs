//! Creates custom fields, and adds options to existing fields.

use super::body::{Body, faulty};
use super::merge_fields::permitted;
use crate::model::Resource;
use crate::sandbox::account_state::AccountState;
use crate::sandbox::custom::Kind;
use crate::sandbox::endpoints::{Content, single};
use crate::sandbox::http_request::{Refusal, Request};
use crate::sandbox::options::Options;
use serde_json::Value;

/// The dictionaries to which custom fields can be added.
const DICTIONARIES: &[&str] =
    &["deal_fields", "person_fields", "organization_fields", "product_fields", "project_fields"];

/// The keys of a new definition besides its name, type and options.
const BLOCKS: &[&str] = &["ui_visibility", "important_fields", "required_fields"];

/// Creates a custom field. From then on every row contains its key, with null.
pub(super) fn create(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    if !DICTIONARIES.contains(&resource.name) {
        return Err(Refusal::general(404, "Unknown method .", ""));
    }
    permitted(options)?;
    let body = Body::read(request)?;
    let mut faults = Vec::new();
    let mut extra = Vec::new();
    for (key, value) in body.iter() {
        let fits = match key {
            "field_name" | "field_type" | "options" => continue,
            "description" => value.is_string() || value.is_null(),
            block if BLOCKS.contains(&block) => value.is_object(),
            _ => {
                let no = format!("{key}: Parameter '{key}' is not allowed for this request");
                faults.push(no);
                continue;
            }
        };
        if fits {
            extra.push((key.to_owned(), body.raw(key).unwrap_or("null").to_owned()));
        } else {
            faults.push(format!("{key}: has another type"));
        }
    }
    // Names may repeat, because only the code identifies a field.
    let name = body.get("field_name").and_then(Value::as_str).filter(|name| !name.is_empty());
    if name.is_none() {
        faults.push("field_name: Parameter 'field_name' is required".to_owned());
    }
    let kind = body.get("field_type").and_then(Value::as_str).and_then(Kind::named);
    let labels = body.get("options").map_or(Some(Vec::new()), labels);
    match (kind, &labels) {
        (None, _) => faults.push("field_type: Expected a type that can be created".to_owned()),
        (_, None) => faults.push("options: Expected a list of {label}".to_owned()),
        (Some(Kind::Enum | Kind::Set), Some(labels)) if !labels.is_empty() => {}
        (Some(Kind::Enum | Kind::Set), _) => faults.push("options: is required".to_owned()),
        (Some(_), Some(labels)) if labels.is_empty() => {}
        _ => faults.push("options: only enum and set have options".to_owned()),
    }
    let (Some(name), Some(kind), Some(labels), true) = (name, kind, labels, faults.is_empty())
    else {
        return Err(faulty(request, &faults));
    };
    let code = state
        .add_field(resource.name, name, kind, labels, &extra)
        .ok_or_else(|| Refusal::general(404, "Unknown method .", ""))?;
    let row = state.table(resource).get(&code).expect("the field was just written");
    Ok((201, Content::Json(single(&row.json))))
}

/// Adds options to a field that has options, and returns them.
///
/// Whether labels of deals, persons and organizations are added in the same way is UNVERIFIED.
pub(in crate::sandbox) fn add_options(
    state: &mut AccountState,
    options: &Options,
    resource: &'static Resource,
    code: &str,
    request: &Request,
) -> Result<(u16, Content), Refusal> {
    if !DICTIONARIES.contains(&resource.name) {
        return Err(Refusal::general(404, "Unknown method .", ""));
    }
    permitted(options)?;
    if state.table(resource).get(code).is_none() {
        return Err(Refusal::not_found());
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let Some(labels) = labels(&body).filter(|labels| !labels.is_empty()) else {
        return Err(faulty(request, &["body: Expected a list of {label}".to_owned()]));
    };
    let Some(added) = state.add_options(resource, code, labels) else {
        return Err(faulty(
            request,
            &["field_code: The field has no options to add to".to_owned()],
        ));
    };
    Ok((201, Content::Json(single(added.as_bytes()))))
}

/// Returns the labels of a list of options without any other key.
fn labels(options: &Value) -> Option<Vec<String>> {
    let label = |option: &Value| {
        let alone = option.as_object().filter(|of| of.len() == 1)?;
        alone.get("label")?.as_str().filter(|label| !label.is_empty()).map(str::to_owned)
    };
    options.as_array()?.iter().map(label).collect()
}
