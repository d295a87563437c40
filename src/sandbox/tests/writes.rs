//! Tests of the writes of a migration: what is accepted, what is refused, and what is read afterwards.

use super::{get, plain, send};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::http_request::Method::{self, Patch, Post, Put};
use crate::sandbox::options::Options;
use serde_json::Value;

/// Returns the initial account of all tests: user 4 is deleted, deal 20 is deleted, stages 1 to 6 belong to
/// the first pipeline, and the currency PLN is not active.
pub(super) fn account() -> AccountState {
    AccountState::new(1, 0.1)
}

/// Returns a body with `<kind>` replaced by the code of the first custom field of deals of this kind, and
/// `<lead>` and `<label>` by the ids of the first lead and lead label.
pub(super) fn spelt(state: &mut AccountState, body: &str) -> String {
    let mut body = body.to_owned();
    for field in state.account().fields("deals") {
        body = body.replace(&format!("<{}>", field.kind.name()), &field.code);
    }
    let account = state.account();
    for (name, resource) in [("<lead>", "leads"), ("<label>", "lead_labels")] {
        body = body.replace(name, &account.uuid(resource, 1));
    }
    body
}

pub(super) fn ask(
    state: &mut AccountState,
    method: Method,
    path: &str,
    body: &str,
) -> (u16, Value, u32) {
    let body = spelt(state, body);
    let (status, said, answer) = send(state, &plain(), method, path, &body);
    (status, said, answer.cost)
}

/// Writes a row, and checks that every key is read as it was written.
#[track_caller]
pub(super) fn accept_in(state: &mut AccountState, method: Method, path: &str, body: &str) -> Value {
    let (status, said, cost) = ask(state, method, path, body);
    let fine = if method == Post { 201 } else { 200 };
    assert_eq!(
        (status, cost),
        (fine, if path.contains("/v2/") { 5 } else { 10 }),
        "{body}: {said}"
    );
    let id = said["data"]["id"].to_string();
    let place =
        if method == Post { format!("{path}/{}", id.trim_matches('"')) } else { path.to_owned() };
    let read = if place.contains("eadLabels") || place.contains("Types") {
        said
    } else {
        get(state, &plain(), &place).1
    };
    let written: Value = serde_json::from_str(&spelt(state, body)).expect("a body is JSON");
    for (key, value) in written.as_object().expect("a body is an object") {
        if key == "custom_fields" {
            for (code, value) in value.as_object().expect("custom fields are an object") {
                assert_eq!(&read["data"][key][code], value, "{code} of {body}");
            }
        } else {
            assert_eq!(&read["data"][key], value, "{key} of {body}");
        }
    }
    read["data"].clone()
}

#[track_caller]
fn accept(method: Method, path: &str, body: &str) -> Value {
    accept_in(&mut account(), method, path, body)
}

#[track_caller]
pub(super) fn refuse(method: Method, path: &str, expected: u16, bodies: &[&str]) {
    let mut state = account();
    for body in bodies {
        let version = state.version();
        let (status, said, _) = ask(&mut state, method, path, body);
        assert_eq!(status, expected, "{body}: {said}");
        let coded = said["code"] == "ERR_SCHEMA_VALIDATION_FAILED";
        assert_eq!(coded, status == 400 && path.contains("/v2/"), "{said}");
        assert_eq!(state.version(), version, "{body} changed something");
    }
}

pub(super) const ORGANIZATIONS: &str = "/api/v2/organizations";
pub(super) const PERSONS: &str = "/api/v2/persons";
pub(super) const DEALS: &str = "/api/v2/deals";
pub(super) const ACTIVITIES: &str = "/api/v2/activities";
pub(super) const LEADS: &str = "/api/v1/leads";
const NOTES: &str = "/api/v1/notes";

#[test]
fn organizations() {
    let whole = r#"{"name":"Acme","owner_id":2,"add_time":"2020-02-29T08:00:00Z","visible_to":7,
        "label_ids":[5,8],"address":{"value":"1 Main St","country":"Latvia","admin_area_level_1":null,
        "admin_area_level_2":null,"locality":"Riga","sublocality":null,"route":"Main St",
        "street_number":"1","subpremise":null,"postal_code":"LV-1010"},"website":"https://a.test",
        "linkedin":"a","industry":3,"annual_revenue":1.50,"employee_count":25}"#;
    accept(Post, ORGANIZATIONS, whole);
    let bare = accept(Post, ORGANIZATIONS, r#"{"name":"Acme"}"#);
    assert_eq!(bare["add_time"], "2026-11-01T12:00:00Z");
    assert_eq!((&bare["owner_id"], &bare["visible_to"]), (&1.into(), &3.into()));
    accept(Patch, "/api/v2/organizations/3", r#"{"address":null,"website":null,"name":"Other"}"#);
    let wrong = [
        "[]",
        "{}",
        r#"{"name":1}"#,
        r#"{"name":null}"#,
        r#"{"name":"A","update_time":"2020-01-01T00:00:00Z"}"#,
        r#"{"name":"A","id":7}"#,
        r#"{"name":"A","add_time":"2020-01-01 00:00:00"}"#,
        r#"{"name":"A","add_time":"2020-01-01T00:00:00.5Z"}"#,
        r#"{"name":"A","add_time":"2020-01-01T00:00:00+02:00"}"#,
        r#"{"name":"A","owner_id":4}"#,
        r#"{"name":"A","owner_id":99}"#,
        r#"{"name":"A","owner_id":"2"}"#,
        r#"{"name":"A","visible_to":2}"#,
        r#"{"name":"A","visible_to":"3"}"#,
        r#"{"name":"A","label_ids":[1]}"#,
        r#"{"name":"A","label_ids":5}"#,
        r#"{"name":"A","label_ids":null}"#,
        r#"{"name":"A","address":"1 Main St"}"#,
        r#"{"name":"A","address":{"country":"Latvia"}}"#,
        r#"{"name":"A","address":{"value":"x","formatted_address":"x"}}"#,
        r#"{"name":"A","employee_count":1.5}"#,
        r#"{"name":"A","custom_fields":{"0000000000000000000000000000000000000000":1}}"#,
    ];
    refuse(Post, ORGANIZATIONS, 400, &wrong);
    let one = "/api/v2/organizations/3";
    refuse(Patch, one, 400, &[r#"{"add_time":"2020-01-01T00:00:00Z"}"#, r#"{"name":null}"#]);
    refuse(Put, one, 404, &["{}"]);
    refuse(Patch, "/api/v2/organizations/9999", 404, &["{}"]);
}

#[test]
fn persons() {
    let whole = r#"{"name":"Mia van Berg","owner_id":2,"org_id":3,"add_time":"2019-01-01T00:00:00Z",
        "emails":[{"value":"m@a.test","primary":false,"label":"home"},
        {"value":"n@a.test","primary":true,"label":"work"}],
        "phones":[{"value":"+371 1","primary":true,"label":"mobile"}],"visible_to":1,"label_ids":[6],
        "marketing_status":"subscribed","birthday":"1990-01-31","job_title":"CTO","notes":"n",
        "im":[{"value":"m","primary":true,"label":"skype"}]}"#;
    let mia = accept(Post, PERSONS, whole);
    assert_eq!((&mia["first_name"], &mia["last_name"]), (&"Mia van".into(), &"Berg".into()));
    let halves = accept(Post, PERSONS, r#"{"first_name":"Mia","last_name":"Berg"}"#);
    assert_eq!(halves["name"], "Mia Berg");
    assert_eq!(halves["marketing_status"], "no_consent");
    let (_, bare, _) =
        ask(&mut account(), Post, PERSONS, r#"{"name":"Cher","emails":[{"value":"c@a.test"}]}"#);
    let email = serde_json::json!([{"value": "c@a.test", "primary": true, "label": "work"}]);
    assert_eq!(bare["data"]["emails"], email);
    assert_eq!(bare["data"]["last_name"], Value::Null);
    let wrong = [
        "{}",
        r#"{"first_name":"Mia"}"#,
        r#"{"name":"A","email":"a@a.test"}"#,
        r#"{"name":"A","emails":"a@a.test"}"#,
        r#"{"name":"A","emails":["a@a.test"]}"#,
        r#"{"name":"A","emails":[{"label":"work"}]}"#,
        r#"{"name":"A","emails":[{"value":"a","kind":"work"}]}"#,
        r#"{"name":"A","emails":[{"value":"a","primary":1}]}"#,
        r#"{"name":"A","phones":[{"value":371}]}"#,
        r#"{"name":"A","org_id":9999}"#,
        r#"{"name":"A","marketing_status":"maybe"}"#,
        r#"{"name":"A","birthday":"1990-02-30"}"#,
        r#"{"name":"A","picture_id":1}"#,
        r#"{"name":"A","update_time":"2020-01-01T00:00:00Z"}"#,
    ];
    refuse(Post, PERSONS, 400, &wrong);
    let off = Options { contact_sync: false, ..plain() };
    let body = r#"{"name":"A","job_title":"CTO"}"#;
    assert_eq!(send(&mut account(), &off, Post, PERSONS, body).0, 403);
}

#[test]
fn deals() {
    let whole = r#"{"title":"D","owner_id":2,"person_id":1,"org_id":2,"pipeline_id":2,"stage_id":8,
        "value":12345678901234567890.125,"currency":"USD","status":"lost","probability":12.5,
        "lost_reason":"price","lost_time":"2025-01-02T03:04:05Z","close_time":"2025-01-02T03:04:06Z",
        "expected_close_date":"2025-01-31","visible_to":5,"label_ids":[7],"is_archived":true,
        "archive_time":"2025-02-01T00:00:00Z","custom_fields":{"<varchar>":"x","<enum>":31}}"#;
    let deal = accept(Post, DEALS, whole);
    assert_eq!(deal["local_lost_date"], "2025-01-02");
    assert_eq!(deal["won_time"], Value::Null);
    assert_eq!(deal["add_time"], "2026-11-01T12:00:00Z");
    let bare = accept(Post, DEALS, r#"{"title":"D"}"#);
    let place = [&bare["pipeline_id"], &bare["stage_id"], &bare["status"], &bare["currency"]];
    assert_eq!(place, [&Value::from(1), &1.into(), &"open".into(), &"EUR".into()]);
    assert_eq!(accept(Post, DEALS, r#"{"title":"D","stage_id":14}"#)["pipeline_id"], 3);
    assert_eq!(accept(Post, DEALS, r#"{"title":"D","pipeline_id":3}"#)["stage_id"], 13);
    let wrong = [
        "{}",
        r#"{"title":1}"#,
        r#"{"title":"D","add_time":"2020-01-01T00:00:00Z"}"#,
        r#"{"title":"D","update_time":"2020-01-01T00:00:00Z"}"#,
        r#"{"title":"D","origin":"x"}"#,
        r#"{"title":"D","value":"5"}"#,
        r#"{"title":"D","person_id":9999}"#,
        r#"{"title":"D","org_id":9999}"#,
        r#"{"title":"D","owner_id":4}"#,
        r#"{"title":"D","stage_id":99}"#,
        r#"{"title":"D","pipeline_id":99}"#,
        r#"{"title":"D","pipeline_id":1,"stage_id":8}"#,
        r#"{"title":"D","status":"deleted"}"#,
        r#"{"title":"D","lost_reason":"price"}"#,
        r#"{"title":"D","status":"won","lost_reason":"price"}"#,
        r#"{"title":"D","won_time":"2025-01-02T03:04:05Z"}"#,
        r#"{"title":"D","status":"won","lost_time":"2025-01-02T03:04:05Z"}"#,
        r#"{"title":"D","close_time":"2025-01-02T03:04:05Z"}"#,
        r#"{"title":"D","currency":"PLN"}"#,
        r#"{"title":"D","currency":"eur"}"#,
        r#"{"title":"D","probability":101}"#,
        r#"{"title":"D","label_ids":["5"]}"#,
        r#"{"title":"D","label_ids":[31]}"#,
        r#"{"title":"D","archive_time":"2025-01-02T03:04:05Z"}"#,
        r#"{"title":"D","expected_close_date":"31.1.2025"}"#,
    ];
    refuse(Post, DEALS, 400, &wrong);
    refuse(Post, "/api/v2/deals/archived", 404, &[r#"{"title":"D"}"#]);
    refuse(Patch, "/api/v2/deals/20", 404, &[r#"{"title":"D"}"#]);
    // Deal 6 is archived.
    refuse(Patch, "/api/v2/deals/6", 403, &[r#"{"title":"D"}"#, r#"{"is_archived":true}"#]);
    accept(Patch, "/api/v2/deals/6", r#"{"is_archived":false,"title":"D"}"#);
}

#[test]
fn a_deal_moves_on() {
    let mut state = account();
    let deal = accept_in(&mut state, Post, DEALS, r#"{"title":"D","stage_id":2}"#);
    assert_eq!(deal["stage_change_time"], Value::Null);
    let path = format!("{DEALS}/{}", deal["id"]);
    let mut change = |body: &str| accept_in(&mut state, Patch, &path, body);
    assert_eq!(change(r#"{"pipeline_id":1}"#)["stage_id"], 2);
    let moved = change(r#"{"pipeline_id":2}"#);
    assert_eq!((&moved["stage_id"], &moved["stage_change_time"]), (&7.into(), &moved["add_time"]));
    let won = change(r#"{"status":"won","won_time":"2025-03-04T05:06:07Z"}"#);
    assert_eq!(
        (&won["close_time"], &won["local_won_date"]),
        (&won["won_time"], &"2025-03-04".into())
    );
    assert_eq!(won["first_won_time"], won["won_time"]);
    let lost = change(r#"{"status":"lost","lost_reason":"price"}"#);
    assert_eq!((&lost["won_time"], &lost["lost_time"]), (&Value::Null, &lost["add_time"]));
    assert_eq!(change(r#"{"title":"E"}"#)["lost_reason"], "price");
    assert_eq!(change(r#"{"lost_time":"2025-05-05T05:05:05Z"}"#)["lost_reason"], "price");
    let open = change(r#"{"status":"open"}"#);
    for gone in ["lost_time", "close_time", "local_close_date", "lost_reason"] {
        assert_eq!(open[gone], Value::Null, "{gone}");
    }
    assert!(change(r#"{"is_archived":true}"#)["archive_time"].is_string());
}

#[test]
fn activities() {
    let whole = r#"{"subject":"S","type":"lunch","owner_id":2,"deal_id":1,"lead_id":"<lead>","org_id":2,
        "project_id":1,"due_date":"2026-02-05","due_time":"09:00","duration":"00:30:00","busy":true,
        "done":true,"location":{"value":"x","country":null,"admin_area_level_1":null,
        "admin_area_level_2":null,"locality":null,"sublocality":null,"route":null,"street_number":null,
        "subpremise":null,"postal_code":null},"participants":[{"person_id":5,"primary":false},
        {"person_id":6,"primary":true}],"public_description":"p","priority":1,"note":"<p>hi</p>",
        "attendees":[{"email":"a@a.test","name":null,"status":null,"is_organizer":false,
        "person_id":null,"user_id":2}]}"#;
    let call = accept(Post, ACTIVITIES, whole);
    assert_eq!((&call["person_id"], &call["org_id"]), (&6.into(), &2.into()));
    assert_eq!(call["marked_as_done_time"], "2026-11-01T12:00:00Z");
    let bare = accept(Post, ACTIVITIES, "{}");
    assert_eq!((&bare["type"], &bare["subject"]), (&"call".into(), &"Call".into()));
    let mut state = account();
    let one = "/api/v2/activities/1";
    accept_in(&mut state, Patch, one, r#"{"done":false}"#);
    let done = accept_in(&mut state, Patch, one, r#"{"done":true,"participants":[]}"#);
    assert_eq!(done["person_id"], Value::Null);
    assert!(done["marked_as_done_time"].is_string());
    let undone = accept_in(&mut state, Patch, one, r#"{"done":false}"#);
    assert_eq!(undone["marked_as_done_time"], Value::Null);
    let wrong = [
        r#"{"person_id":5}"#,
        r#"{"type":"Lunch"}"#,
        r#"{"due_date":"2026-2-5"}"#,
        r#"{"due_time":"9:00"}"#,
        r#"{"due_time":"25:00"}"#,
        r#"{"duration":"00:30:00Z"}"#,
        r#"{"done":1}"#,
        r#"{"done":null}"#,
        r#"{"deal_id":20}"#,
        r#"{"lead_id":"none"}"#,
        r#"{"lead_id":1}"#,
        r#"{"participants":[5]}"#,
        r#"{"participants":[{"person_id":9999}]}"#,
        r#"{"participants":[{"primary":true}]}"#,
        r#"{"attendees":[{"name":"A"}]}"#,
        r#"{"location":"Riga"}"#,
        r#"{"marked_as_done_time":"2025-01-02T03:04:05Z"}"#,
        r#"{"custom_fields":{}}"#,
        r#"{"add_time":"2020-01-01T00:00:00Z"}"#,
    ];
    refuse(Post, ACTIVITIES, 400, &wrong);
}

#[test]
fn leads() {
    let whole = r#"{"title":"L","owner_id":2,"label_ids":["<label>"],"person_id":1,"organization_id":2,
        "value":{"amount":5.50,"currency":"EUR"},"expected_close_date":"2026-12-31","visible_to":"3",
        "was_seen":true,"<enum>":"31","<set>":"35,36","<monetary>":5,"<monetary>_currency":"USD",
        "<date>":"2026-01-02","<daterange>":"2026-01-02","<daterange>_until":"2026-01-03",
        "<time>":"09:00:00","<time>_timezone_id":175,"<address>":"x","<address>_country":"Latvia",
        "<double>":1.50,"<user>":2,"<org>":3,"<people>":4,"<text>":"t"}"#;
    let mut state = account();
    let lead = accept_in(&mut state, Post, LEADS, whole);
    let path = format!("{LEADS}/{}", lead["id"].as_str().unwrap_or_default());
    let code = |kind: &str| spelt(&mut account(), kind);
    assert!(lead.get(code("<phone>")).is_none(), "unset fields are absent");
    let bare = accept_in(&mut state, Patch, &path, r#"{"<monetary>":null,"is_archived":true}"#);
    let gone = [code("<monetary>"), code("<monetary>_currency")];
    assert!(gone.iter().all(|key| bare.get(key).is_none()), "{bare}");
    assert_eq!(bare["add_time"], lead["add_time"]);
    accept_in(
        &mut state,
        Patch,
        &path,
        r#"{"is_archived":false,"<daterange>_until":"2026-01-09"}"#,
    );
    accept_in(&mut state, Patch, &path, r#"{"person_id":null,"value":null}"#);
    assert_eq!(ask(&mut state, Patch, &path, r#"{"organization_id":null}"#).0, 400);
    assert_eq!(ask(&mut state, Put, &path, r#"{"title":"L"}"#).0, 404);
    let wrong = [
        r#"{"person_id":1}"#,
        r#"{"title":"L"}"#,
        r#"{"title":"L","person_id":9999}"#,
        r#"{"title":"L","person_id":null}"#,
        r#"{"title":"L","person_id":1,"is_archived":true}"#,
        r#"{"title":"L","person_id":1,"add_time":"2020-01-01T00:00:00Z"}"#,
        r#"{"title":"L","person_id":1,"org_id":1}"#,
        r#"{"title":"L","person_id":1,"custom_fields":{}}"#,
        r#"{"title":"L","person_id":1,"value":5}"#,
        r#"{"title":"L","person_id":1,"value":{"amount":5}}"#,
        r#"{"title":"L","person_id":1,"value":{"amount":"5","currency":"EUR"}}"#,
        r#"{"title":"L","person_id":1,"value":{"amount":5,"currency":"PLN"}}"#,
        r#"{"title":"L","person_id":1,"label_ids":["none"]}"#,
        r#"{"title":"L","person_id":1,"visible_to":3}"#,
        r#"{"title":"L","person_id":1,"<enum>":31}"#,
        r#"{"title":"L","person_id":1,"<enum>":"35"}"#,
        r#"{"title":"L","person_id":1,"<set>":"31"}"#,
        r#"{"title":"L","person_id":1,"<set>":""}"#,
        r#"{"title":"L","person_id":1,"<monetary>":5}"#,
        r#"{"title":"L","person_id":1,"<monetary>_currency":"EUR"}"#,
        r#"{"title":"L","person_id":1,"<monetary>":{"value":5,"currency":"EUR"}}"#,
        r#"{"title":"L","person_id":1,"<monetary>":null,"<monetary>_currency":"EUR"}"#,
        r#"{"title":"L","person_id":1,"<varchar>_until":"x"}"#,
        r#"{"title":"L","person_id":1,"0000000000000000000000000000000000000000":1}"#,
    ];
    refuse(Post, LEADS, 400, &wrong);
    refuse(Post, "/api/v1/leads/archived", 404, &[r#"{"title":"L","person_id":1}"#]);
}

#[test]
fn notes() {
    let mut state = account();
    let whole = r#"{"content":"<p>n</p>","lead_id":"<lead>","deal_id":1,"person_id":2,"org_id":3,
        "user_id":2,"add_time":"2020-01-02 03:04:05"}"#;
    let note = accept_in(&mut state, Post, NOTES, whole);
    assert!(note["deal"]["title"].is_string() && note["organization"]["name"].is_string());
    assert_eq!(note["user"]["email"], "users2@example.test");
    let path = format!("{NOTES}/{}", note["id"]);
    let body = r#"{"content":"m","deal_id":null,"pinned_to_person_flag":true}"#;
    let note = accept_in(&mut state, Put, &path, body);
    assert_eq!((&note["deal"], &note["add_time"]), (&Value::Null, &"2020-01-02 03:04:05".into()));
    assert_eq!(ask(&mut state, Put, &path, r#"{"pinned_to_person_flag":0}"#).0, 200);
    assert_eq!(ask(&mut state, Patch, &path, r#"{"content":"m"}"#).0, 404);
    let wrong = [
        r#"{"deal_id":1}"#,
        r#"{"content":"n"}"#,
        r#"{"content":"n","deal_id":20}"#,
        r#"{"content":"n","deal_id":"1"}"#,
        r#"{"content":"n","deal_id":1,"pinned_to_person_flag":1}"#,
        r#"{"content":"n","deal_id":1,"pinned_to_deal_flag":2}"#,
        r#"{"content":"n","deal_id":1,"add_time":"2020-01-02T03:04:05Z"}"#,
        r#"{"content":"n","deal_id":1,"update_time":"2020-01-02 03:04:05"}"#,
        r#"{"content":"n","deal_id":1,"user_id":4}"#,
    ];
    refuse(Post, NOTES, 400, &wrong);
    let options = Options { admin: false, ..plain() };
    let body = r#"{"content":"n","deal_id":1,"user_id":2}"#;
    assert_eq!(send(&mut state, &options, Post, NOTES, body).0, 403);
}
