//! Tests of the CRM: one organization per key, upserts, order, events.

use crate::model::Time;
use crate::sandbox::crm::{Caller, Crm, CrmOptions, UnknownFields};
use crate::sandbox::http_request::{Method, Request};
use bytes::Bytes;
use serde_json::{Value, json};

const NOW: Time = Time::from_seconds(1_793_534_400);

struct Office(Crm);

impl Office {
    fn new(options: CrmOptions) -> Self {
        Self(Crm::new(options))
    }

    fn send(&mut self, who: usize, method: Method, path: &str, body: &str) -> (u16, Value) {
        self.ask(who, method, path, body, false)
    }

    fn ask(
        &mut self,
        who: usize,
        method: Method,
        path: &str,
        body: &str,
        half: bool,
    ) -> (u16, Value) {
        let key = format!("Bearer {}", self.0.key(who).unwrap_or_default());
        let caller = Caller {
            authorization: Some(&key),
            token: None,
            content_type: Some("application/json"),
        };
        let path = format!("/api/v1/crm/{path}");
        let request = Request::new(method, &path, Bytes::copy_from_slice(body.as_bytes()));
        let (status, body) = self.0.respond(caller, &request, NOW, half);
        (status, serde_json::from_slice(&body).expect("an answer is JSON"))
    }

    fn import(&mut self, who: usize, body: &Value) -> (u16, Value) {
        self.send(who, Method::Post, "import", &body.to_string())
    }

    /// Imports a body, and returns the refused rows: `contacts/0: why`.
    fn refused(&mut self, who: usize, body: &Value) -> Vec<String> {
        let (_, answer) = self.import(who, body);
        let errors = answer["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|e| {
                let text = |name: &str| e[name].as_str().unwrap_or_default().to_owned();
                format!("{}/{}: {}", text("array"), e["index"], text("error"))
            })
            .collect()
    }
}

fn office() -> Office {
    Office::new(CrmOptions::default())
}

#[test]
fn a_key_resolves_to_one_organization_or_to_none() {
    let mut office = office();
    let request = Request::new(Method::Get, "/api/v1/crm/export", Bytes::new());
    for (authorization, token, expected) in [
        (Some("Bearer adcrm_test_first"), None, 200),
        (Some("adcrm_test_first"), None, 401),
        (Some("Bearer "), None, 401),
        (Some("Bearer adcrm_test_third"), None, 401),
        (None, None, 401),
        // A Pipedrive token in a request to the CRM is a leak.
        (Some("Bearer adcrm_test_first"), Some("x"), 400),
    ] {
        let caller = Caller { authorization, token, content_type: None };
        let (status, _) = office.0.respond(caller, &request, NOW, false);
        assert_eq!(status, expected, "{authorization:?} {token:?}");
    }
    let health = Request::new(Method::Get, "/api/v1/health", Bytes::new());
    let nobody = Caller { authorization: None, token: None, content_type: None };
    assert_eq!(office.0.respond(nobody, &health, NOW, false).0, 200);
}

#[test]
fn an_import_upserts_in_the_order_of_references() {
    let mut office = office();
    // The arrays are not in the order in which rows depend on each other.
    let bundle = json!({
        "activities": [{"public_id": "act_1", "record_type": "opportunity", "record_public_id": "opp_1"}],
        "opportunities": [{"public_id": "opp_1", "name": "D", "account_public_id": "acct_1", "amount": 1}],
        "contacts": [{"public_id": "cnt_1", "account_public_id": "acct_1"}],
        "accounts": [{"public_id": "acct_1", "name": "A", "phone": "1", "surprise": [1]}],
        "anything": 7,
    });
    let (status, answer) = office.import(0, &bundle);
    assert_eq!(status, 200);
    assert_eq!(answer["errors"], json!([]));
    assert_eq!(answer["imported"]["activities"], 1);
    // A given value replaces the old one, an absent one stays, and null clears it. Numbers are returned as
    // they were sent.
    let more = r#"{"accounts":[{"public_id":"acct_1","phone":null,"size":12345678901234567890123}],"opportunities":[{"public_id":"opp_1","amount":1500.50}]}"#;
    assert_eq!(office.send(0, Method::Post, "import", more).0, 200);
    let text = office.0.rows(0, "accounts");
    let text = std::str::from_utf8(&text[0]).expect("text").to_owned();
    assert!(text.contains("\"phone\":null,") && text.contains("\"surprise\":[1]"), "{text}");
    assert!(text.contains("\"size\":12345678901234567890123"), "{text}");
    let deals = office.0.rows(0, "opportunities");
    assert!(std::str::from_utf8(&deals[0]).is_ok_and(|text| text.contains("\"amount\":1500.50")));
    let (_, events) = office.send(0, Method::Get, "change_events", "");
    assert_eq!(events["total_count"], 6);
    assert!(
        events["change_events"]
            .as_array()
            .is_some_and(|all| all.iter().all(|e| e["event_type"] == "imported"))
    );
}

#[test]
fn rows_that_do_not_fit_are_refused_one_by_one() {
    let mut office = office();
    let bundle = json!({
        "accounts": [{"public_id": "a", "name": "A"}, {"public_id": "b"}, {"name": "C"}, 7],
        "contacts": [{"public_id": "a"}, {"public_id": "c", "account_public_id": "nobody"}],
        "opportunities": [{"public_id": "o", "name": "O", "status": "maybe"}, {"public_id": "p", "name": "P", "pipeline_stage_id": "x"}],
        "activities": [{"public_id": "t", "record_type": "deal", "record_public_id": "o"}, {"public_id": "u", "record_type": "account"}, {"public_id": "v"}],
    });
    assert_eq!(
        office.refused(0, &bundle),
        [
            "accounts/1: name can't be blank",
            "accounts/2: public_id must be text of 1 to 255 characters",
            "accounts/3: is not an object",
            "contacts/0: public_id has already been taken",
            "contacts/1: account_public_id refers to no account of this organization",
            "opportunities/0: status must be open, won or lost",
            "opportunities/1: pipeline_stage_id does not belong to this organization",
            "activities/0: record_type \"deal\" is not supported",
            "activities/1: record_type and record_public_id are required",
        ]
    );
    assert_eq!(office.0.rows(0, "accounts").len() + office.0.rows(0, "activities").len(), 2);
    let mut atomic = Office::new(CrmOptions { atomic: true, ..CrmOptions::default() });
    let (status, answer) = atomic.import(0, &bundle);
    assert_eq!(status, 422);
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(9));
    assert_eq!(atomic.0.events(0), 0);
    for (body, expected) in [("[]", 400), ("{\"accounts\":{}}", 400), ("{", 400)] {
        assert_eq!(office.send(0, Method::Post, "import", body).0, expected, "{body}");
    }
}

#[test]
fn stages_belong_to_an_organization_and_decide_the_status() {
    let mut office = office();
    let (_, pipelines) = office.send(0, Method::Get, "opportunity_pipelines", "");
    let pipeline = &pipelines["opportunity_pipelines"][0];
    assert_eq!(pipelines["default_pipeline_id"], pipeline["id"]);
    let stages = pipeline["stages"].as_array().expect("a list");
    let names: Vec<_> = stages.iter().filter_map(|stage| stage["name"].as_str()).collect();
    let documented =
        ["Unassigned", "Prospect", "Qualification", "Proposal", "Negotiation", "Won", "Lost"];
    assert_eq!(names, documented);
    let won = stages[5]["id"].clone();
    office.import(
        0,
        &json!({"opportunities": [
            {"public_id": "a", "name": "A", "status": "won"},
            {"public_id": "b", "name": "B", "pipeline_stage_id": won},
        ]}),
    );
    let rows: Vec<Value> = office
        .0
        .rows(0, "opportunities")
        .iter()
        .map(|row| serde_json::from_slice(row).expect("JSON"))
        .collect();
    assert_eq!(
        (&rows[0]["status"], &rows[0]["pipeline_stage_id"]),
        (&json!("open"), &stages[0]["id"])
    );
    assert_eq!((&rows[1]["status"], &rows[1]["pipeline_id"]), (&json!("won"), &pipeline["id"]));
    let other =
        json!({"opportunities": [{"public_id": "c", "name": "C", "pipeline_stage_id": won}]});
    assert_eq!(office.refused(1, &other).len(), 1);
    let (status, _) = office.send(0, Method::Post, "opportunity_pipelines", "{\"pipeline\":{}}");
    assert_eq!(status, 403);
}

#[test]
fn nothing_is_read_or_written_across_organizations() {
    let mut office = office();
    office.import(
        0,
        &json!({
            "accounts": [{"public_id": "a", "name": "A"}],
            "opportunities": [{"public_id": "o", "name": "O"}],
        }),
    );
    let (_, events) = office.send(0, Method::Get, "change_events", "");
    let uuid = events["change_events"][0]["record_id"].as_str().expect("an id").to_owned();
    let before = office.0.rows(0, "accounts");
    let mine = json!({"accounts": [{"public_id": "a", "name": "M"}]});
    assert_eq!(office.refused(1, &mine), ["accounts/0: public_id has already been taken"]);
    let across = json!({"contacts": [{"public_id": "c", "account_public_id": "a"}]});
    assert_eq!(office.refused(1, &across).len(), 1);
    for id in ["a", uuid.as_str()] {
        for method in [Method::Get, Method::Patch, Method::Delete] {
            let path = format!("accounts/{id}");
            assert_eq!(office.send(1, method, &path, "{\"account\":{}}").0, 404, "{method:?} {id}");
        }
    }
    assert_eq!(office.send(1, Method::Get, "accounts", "").1["total_count"], 0);
    assert_eq!(office.send(1, Method::Get, "export", "").1["accounts"], json!([]));
    let filtered = format!("change_events?record_id={uuid}");
    assert_eq!(office.send(1, Method::Get, &filtered, "").1["total_count"], 0);
    assert_eq!(office.send(0, Method::Get, &filtered, "").1["total_count"], 1);
    assert_eq!(office.send(0, Method::Get, "change_events?record_id=a", "").0, 400);
    assert_eq!(office.0.rows(0, "accounts"), before);
    assert_eq!(office.0.events(1), 0);
}

#[test]
fn rows_are_made_changed_and_softly_deleted_one_by_one() {
    let mut office = office();
    let (status, made) = office.send(0, Method::Post, "accounts", r#"{"account":{"name":"Acme"}}"#);
    assert_eq!(status, 201);
    let id = made["public_id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("acct_"), "{id}");
    let path = format!("accounts/{id}");
    let (_, changed) = office.send(0, Method::Patch, &path, r#"{"account":{"phone":"1"}}"#);
    assert_eq!((&changed["name"], &changed["phone"]), (&json!("Acme"), &json!("1")));
    let by_uuid = format!("accounts/{}", made["id"].as_str().expect("a UUID"));
    assert_eq!(office.send(0, Method::Get, &by_uuid, "").0, 200);
    assert_eq!(office.send(0, Method::Delete, &path, "").0, 200);
    assert_eq!(office.send(0, Method::Get, "accounts", "").1["total_count"], 0);
    let (_, export) = office.send(0, Method::Get, "export", "");
    assert_eq!(export["accounts"][0]["deleted_at"], "2026-11-01T12:00:00Z");
    let (_, events) = office.send(0, Method::Get, "change_events?record_type=account", "");
    let types: Vec<_> = events["change_events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|event| event["event_type"].as_str())
        .collect();
    assert_eq!(types, ["created", "updated", "deleted"]);
    // An import with `deleted_at: null` restores the row.
    office.import(0, &json!({"accounts": [{"public_id": id, "deleted_at": null}]}));
    assert_eq!(office.send(0, Method::Get, "accounts", "").1["total_count"], 1);
    office.import(0, &json!({"opportunities": [{"public_id": "opp_x", "name": "Big Deal"}, {"public_id": "opp_y", "name": "Small"}]}));
    assert_eq!(office.send(0, Method::Get, "opportunities?q=big", "").1["total_count"], 1);
    assert_eq!(office.send(0, Method::Get, "opportunities?q=OPP_", "").1["total_count"], 2);
    let nowhere = "opportunities?pipeline_id=00000000-0000-0000-0000-000000000000";
    assert_eq!(office.send(0, Method::Get, nowhere, "").1["total_count"], 0);
}

#[test]
fn habits_are_as_they_are_set() {
    let crm = |options: CrmOptions| {
        let mut office = Office::new(options);
        let row = json!({"public_id": "a", "name": "A", "color": "red", "custom": {}, "created_at": "2020-01-01T00:00:00Z", "deleted_at": "2020-01-02T00:00:00Z"});
        let answer = office.import(0, &json!({"accounts": [row]}));
        let (_, export) = office.send(0, Method::Get, "export", "");
        let (_, events) = office.send(0, Method::Get, "change_events", "");
        (answer, export["accounts"][0].clone(), events)
    };
    let (_, row, events) = crm(CrmOptions::default());
    assert_eq!(
        (&row["color"], &row["created_at"]),
        (&json!("red"), &json!("2020-01-01T00:00:00Z"))
    );
    assert!(row["id"].is_string() && events["change_events"][0]["created_at"].is_string());
    let (_, row, _) = crm(CrmOptions {
        ids: false,
        keep_stamps: false,
        unknown_fields: UnknownFields::Drop,
        ..CrmOptions::default()
    });
    assert_eq!(
        (&row["id"], &row["color"], &row["created_at"]),
        (&json!(null), &json!(null), &json!("2026-11-01T12:00:00Z"))
    );
    let (answer, row, events) = crm(CrmOptions {
        report: false,
        export_deleted: false,
        event_times: false,
        ..CrmOptions::default()
    });
    assert_eq!((answer, row), ((200, json!({})), json!(null)));
    assert!(events["change_events"][0]["created_at"].is_null());
    let (answer, ..) = crm(CrmOptions {
        refuse_fields: vec!["accounts.custom".to_owned()],
        ..CrmOptions::default()
    });
    assert_eq!(answer.1["errors"][0]["error"], "unpermitted parameter: custom");
    let (answer, ..) =
        crm(CrmOptions { unknown_fields: UnknownFields::Refuse, ..CrmOptions::default() });
    assert_eq!(answer.1["errors"][0]["error"], "unpermitted parameter: color");
    let (answer, ..) = crm(CrmOptions { body_bytes_max: 10, ..CrmOptions::default() });
    assert_eq!(answer.0, 413);
    let (answer, ..) = crm(CrmOptions { rows_max: 0, ..CrmOptions::default() });
    assert_eq!(answer.0, 413);
}

#[test]
fn half_an_import_is_half_an_import() {
    let mut office = office();
    let rows: Vec<_> = (0..10).map(|n| json!({"public_id": n.to_string(), "name": "A"})).collect();
    let body = json!({ "accounts": rows }).to_string();
    assert_eq!(office.ask(0, Method::Post, "import", &body, true).0, 500);
    assert_eq!(office.0.rows(0, "accounts").len(), 5);
    assert_eq!(office.ask(0, Method::Post, "import", &body, false).0, 200);
    assert_eq!((office.0.rows(0, "accounts").len(), office.0.events(0)), (10, 15));
}
