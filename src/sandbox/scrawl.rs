//! Hostile text in every field that people can edit in an account.

use bytes::Bytes;
use serde_json::Value;

/// The members that contain text of users, or ids that servers choose.
const WRITTEN: &[&str] = &[
    "address",
    "company_domain",
    "company_name",
    "content",
    "description",
    "email",
    "error",
    "error_info",
    "field_name",
    "file_name",
    "first_name",
    "label",
    "last_name",
    "message",
    "name",
    "note",
    "organization_id",
    "role_name",
    "subject",
    "title",
    "uuid",
];

/// Returns the response with this text appended to every text that people wrote, to text ids, and to
/// error messages. Every row also gets a member with an unknown name.
pub(super) fn scrawl(body: Bytes, text: &str) -> Bytes {
    let Ok(mut json) = serde_json::from_slice(&body) else {
        return body;
    };
    write(&mut json, text);
    json.to_string().into()
}

fn write(json: &mut Value, text: &str) {
    match json {
        Value::Array(items) => items.iter_mut().for_each(|item| write(item, text)),
        Value::Object(members) => {
            let row = members.contains_key("id");
            for (name, value) in members.iter_mut() {
                match value {
                    Value::String(written) if WRITTEN.contains(&name.as_str()) || name == "id" => {
                        written.push_str(text);
                    }
                    value => write(value, text),
                }
            }
            if row {
                members.insert(format!("odd{text}"), text.into());
            }
        }
        _ => {}
    }
}
