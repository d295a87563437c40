//! Tests of refused requests and the form of each refusal.

use super::{get, plain, send};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::http_request::Method;
use crate::sandbox::options::Options;

/// Checks status, tokens, and the rows or the error.
#[track_caller]
fn check(path: &str, expected: &str) {
    let mut state = AccountState::new(1, 0.1);
    let (status, body, answer) = get(&mut state, &plain(), path);
    let outline = match (&body["data"], &body["error"]) {
        (_, serde_json::Value::String(error)) => error.clone(),
        (serde_json::Value::Array(rows), _) => format!("{} rows", rows.len()),
        (serde_json::Value::Object(_), _) => "one".to_owned(),
        _ => "nothing".to_owned(),
    };
    assert_eq!(format!("{status} {} {outline}", answer.cost), expected, "{path}");
}

#[test]
fn unknown_parameters_are_refused_by_v2_and_ignored_by_v1() {
    let no = |name: &str| {
        format!("Validation failed: {name}: Parameter '{name}' is not allowed for this request")
    };
    check("/api/v2/persons?status=open", &format!("400 10 {}", no("status")));
    check(
        "/api/v2/pipelines?updated_since=2026-01-01T00:00:00Z",
        &format!("400 5 {}", no("updated_since")),
    );
    check(
        "/api/v2/products?updated_until=2026-01-01T00:00:00Z",
        &format!("400 10 {}", no("updated_until")),
    );
    check("/v1/leads/archived?updated_since=2036-01-01T00:00:00Z&limit=2", "200 40 2 rows");
}

#[test]
fn values_are_checked() {
    check(
        "/api/v2/deals?limit=501",
        "400 10 Validation failed: limit: Expected integer between 1 and 500",
    );
    check(
        "/api/v2/deals?limit=0",
        "400 10 Validation failed: limit: Expected integer between 1 and 500",
    );
    check("/v1/files?limit=501", "200 20 30 rows");
    check(
        "/api/v2/deals?updated_since=2026-01-01T00:00:00.5Z",
        "400 10 Validation failed: updated_since: '2026-01-01T00:00:00.5Z' is not a valid datetime",
    );
    check(
        "/api/v2/deals?updated_since=2026-01-01+00:00:00",
        "400 10 Validation failed: updated_since: '2026-01-01 00:00:00' is not a valid datetime",
    );
    check(
        "/api/v2/deals?cursor=x",
        "400 10 Validation failed: cursor: Provided cursor is not valid",
    );
    check(
        "/api/v2/deals?sort_by=title",
        "400 10 Validation failed: sort_by: Expected one of id, update_time, add_time",
    );
    check("/v1/files?sort=name%20ASC", "400 20 Bad request: sort is not valid");
    check("/api/v2/phases", "400 10 Validation failed: board_id: Parameter 'board_id' is required");
    check(
        "/api/v2/deals/products",
        "400 10 Validation failed: deal_ids: Parameter 'deal_ids' is required",
    );
}

#[test]
fn paths_lead_somewhere_or_to_404() {
    check("/v1/users/me", "200 2 one");
    check("/api/v2/deals/1", "200 1 one");
    check("/api/v1/leads/none", "404 2 Entity was not found");
    check("/api/v2/deals/99999", "404 1 Entity was not found");
    check("/api/v2/unknown", "404 0 Unknown method .");
    check("/api/v1/deals", "404 0 Unknown method .");
    check("/api/v1/deals/20/changelog", "410 20 Deal has been deleted");
    check("/api/v1/deals/99999/changelog", "404 20 Deal not found");
    check("/api/v2/persons/99999/followers", "404 10 Entity was not found");
    check("/api/v2/deals?status=deleted", "200 10 2 rows");
    check("/api/v2/deals?ids=1,2,99999", "200 10 2 rows");
    check("/api/v1/goals/find?type.name=deals_won", "200 20 one");
}

#[test]
fn a_new_field_is_described_and_can_be_set() {
    let (mut state, options) = (AccountState::new(1, 0.1), plain());
    let mut ask = |method, path: &str, body: &str| {
        let (status, body, _) = send(&mut state, &options, method, path, body);
        (status, body)
    };
    let (_, before) = ask(Method::Get, "/api/v2/deals?limit=500", "");
    let fields = "/api/v2/dealFields";
    let new =
        r#"{"field_name":"Risk","field_type":"set","options":[{"label":"low"},{"label":"high"}]}"#;
    let (status, body) = ask(Method::Post, fields, new);
    assert_eq!((status, body["data"]["options"][1]["label"].as_str()), (201, Some("high")));
    let code = body["data"]["field_code"].as_str().unwrap_or_default().to_owned();
    let (_, after) = ask(Method::Get, "/api/v2/deals?limit=500", "");
    let (before_custom, after_custom) =
        (&before["data"][0]["custom_fields"], &after["data"][0]["custom_fields"]);
    assert!(after_custom.get(&code) == Some(&serde_json::Value::Null), "every row has the key");
    assert_eq!(
        before_custom.as_object().map(|of| of.len() + 1),
        after_custom.as_object().map(serde_json::Map::len)
    );
    assert_eq!(before["data"][0]["update_time"], after["data"][0]["update_time"]);
    let option = &body["data"]["options"][1]["id"];
    let set = format!("{{\"custom_fields\":{{\"{code}\":[{option}]}}}}");
    let path = format!("/api/v2/deals/{}", before["data"][0]["id"]);
    let (status, body) = ask(Method::Patch, &path, &set);
    assert_eq!((status, &body["data"]["custom_fields"][&code][0]), (200, option));
    for wrong in [
        r#"{"field_name":"Risk","field_type":"set"}"#,
        r#"{"field_name":"Risk","field_type":"text","options":[{"label":"low"}]}"#,
        r#"{"field_name":"Risk","field_type":"mood"}"#,
        r#"{"field_type":"text"}"#,
    ] {
        assert_eq!(ask(Method::Post, fields, wrong).0, 400, "{wrong}");
    }
    assert_eq!(ask(Method::Post, "/api/v2/activityFields", new).0, 404);
}

#[test]
fn writes_are_strict_and_seen_at_once() {
    let (mut state, options) = (AccountState::new(1, 0.1), plain());
    let mut write = |method, path: &str, body: &str| {
        let (status, body, answer) = send(&mut state, &options, method, path, body);
        (status, answer.cost, body)
    };
    let (status, cost, body) = write(Method::Post, "/api/v2/deals", r#"{"title":"New","value":5}"#);
    assert_eq!((status, cost), (201, 5));
    assert_eq!(body["data"]["title"], "New");
    assert_eq!(body["data"]["update_time"], "2026-11-01T12:00:00Z");
    let path = format!("/api/v2/deals/{}", body["data"]["id"]);
    let (status, _, body) = write(Method::Patch, &path, r#"{"status":"won"}"#);
    assert_eq!((status, body["data"]["won_time"].as_str()), (200, Some("2026-11-01T12:00:00Z")));
    let (status, _, body) = write(Method::Patch, &path, r#"{"is_archived":true}"#);
    assert_eq!((status, body["data"]["is_archived"].as_bool()), (200, Some(true)));
    assert_eq!(write(Method::Patch, &path, r#"{"nonsense":1}"#).0, 400);
    assert_eq!(write(Method::Patch, &path, r#"{"title":1}"#).0, 400);
    assert_eq!(write(Method::Post, "/api/v2/persons", "{}").0, 400);
    assert_eq!(write(Method::Delete, "/api/v2/persons/3", "").0, 200);
    assert_eq!(write(Method::Get, "/api/v2/persons/3", "").0, 404);
    assert_eq!(write(Method::Post, "/v1/notes", r#"{"content":"hi","deal_id":1}"#).0, 201);
    let (status, _, body) = write(Method::Post, "/v1/leads", r#"{"title":"hi","person_id":1}"#);
    assert_eq!((status, body["data"]["is_archived"].as_bool()), (201, Some(false)));
}

#[test]
fn an_account_may_be_awkward() {
    let refuse = |options: Options, path: &str| {
        let mut state = AccountState::new(1, 0.1);
        get(&mut state, &options, path).0
    };
    let no_admin = || Options { admin: false, ..plain() };
    assert_eq!(refuse(no_admin(), "/v1/roles"), 403);
    assert_eq!(refuse(no_admin(), "/v1/deals/1/participants"), 200);
    let alone = || Options { refuse_combined_status: true, ..plain() };
    assert_eq!(refuse(alone(), "/api/v2/deals?status=open,deleted"), 400);
    assert_eq!(refuse(alone(), "/api/v2/deals?status=deleted"), 200);
    let strict = Options { refuse_products_since: true, ..plain() };
    assert_eq!(refuse(strict, "/api/v2/products?updated_since=2026-01-01T00:00:00Z"), 400);
}
