//! Tests of writes to configuration resources, custom fields and their values, and of how a client finds what
//! it created.

use super::writes::{
    ACTIVITIES, DEALS, LEADS, ORGANIZATIONS, PERSONS, accept_in, account, ask, refuse, spelt,
};
use super::{get, plain, send};
use crate::sandbox::account_state::AccountState;
use crate::sandbox::http_request::Method::{Delete, Get, Patch, Post};
use crate::sandbox::options::Options;

#[test]
fn setup() {
    let mut account = account();
    let pipeline = r#"{"name":"New","is_deal_probability_enabled":true}"#;
    let pipeline = accept_in(&mut account, Post, "/api/v2/pipelines", pipeline);
    assert_eq!((&pipeline["id"], &pipeline["order_nr"]), (&4.into(), &4.into()));
    assert_eq!(ask(&mut account, Post, DEALS, r#"{"title":"D","pipeline_id":4}"#).0, 400);
    let stage = r#"{"name":"S","pipeline_id":4,"deal_probability":50,"is_deal_rot_enabled":true,
        "days_to_rotten":9}"#;
    let stage = accept_in(&mut account, Post, "/api/v2/stages", stage);
    assert_eq!((&stage["id"], &stage["order_nr"]), (&19.into(), &1.into()));
    let deal = accept_in(&mut account, Post, DEALS, r#"{"title":"D","pipeline_id":4}"#);
    assert_eq!(deal["stage_id"], 19);
    let product = r#"{"name":"P","code":"c","description":"d","unit":"pc","tax":19.5,"category":"31",
        "owner_id":2,"is_linkable":false,"visible_to":7,"billing_frequency":"monthly",
        "billing_frequency_cycles":12}"#;
    accept_in(&mut account, Post, "/api/v2/products", product);
    let priced = r#"{"name":"P","prices":[{"currency":"USD","price":9.90}]}"#;
    let (_, priced, _) = ask(&mut account, Post, "/api/v2/products", priced);
    assert_eq!(priced["data"]["prices"][0]["product_id"], priced["data"]["id"]);
    let kind = r#"{"name":"Site visit","icon_key":"car","color":"FFFFFF"}"#;
    let kind = accept_in(&mut account, Post, "/api/v1/activityTypes", kind);
    assert_eq!(
        (&kind["key_string"], &kind["is_custom_flag"]),
        (&"site_visit".into(), &true.into())
    );
    accept_in(&mut account, Post, ACTIVITIES, r#"{"type":"site_visit"}"#);
    let label = r#"{"name":"Hot","color":"red"}"#;
    let label = accept_in(&mut account, Post, "/api/v1/leadLabels", label);
    let lead = format!(r#"{{"title":"L","person_id":1,"label_ids":[{}]}}"#, label["id"]);
    accept_in(&mut account, Post, LEADS, &lead);
    let wrong: [(&str, &[&str]); 5] = [
        ("/api/v2/pipelines", &["{}", r#"{"name":"P","order_nr":1}"#]),
        (
            "/api/v2/stages",
            &[
                r#"{"name":"S"}"#,
                r#"{"name":"S","pipeline_id":99}"#,
                r#"{"name":"S","pipeline_id":1,"order_nr":1}"#,
                r#"{"name":"S","pipeline_id":1,"deal_probability":101}"#,
            ],
        ),
        (
            "/api/v2/products",
            &[
                "{}",
                r#"{"name":"P","category":"99"}"#,
                r#"{"name":"P","billing_frequency":"daily"}"#,
                r#"{"name":"P","prices":[{"price":5}]}"#,
                r#"{"name":"P","prices":[{"price":"5","currency":"EUR"}]}"#,
            ],
        ),
        ("/api/v1/activityTypes", &[r#"{"name":"A"}"#, r#"{"name":"A","icon_key":"none"}"#]),
        ("/api/v1/leadLabels", &[r#"{"name":"A"}"#, r#"{"name":"A","color":"plaid"}"#]),
    ];
    for (path, bodies) in wrong {
        refuse(Post, path, 400, bodies);
    }
    let options = Options { admin: false, ..plain() };
    for path in ["/api/v2/pipelines", "/api/v2/stages", "/api/v2/dealFields"] {
        assert_eq!(send(&mut account, &options, Post, path, "{}").0, 403, "{path}");
    }
    for path in ["/api/v1/users", "/api/v2/deals/1/products", "/api/v1/currencies"] {
        assert_eq!(ask(&mut account, Post, path, "{}").0, 404, "{path}");
    }
    refuse(Delete, "/api/v1/activityTypes/1", 404, &[""]);
}

#[test]
fn custom_fields_take_what_their_type_says() {
    let long = "x".repeat(256);
    let table: [(&str, &[&str], &[&str]); 16] = [
        ("varchar", &[r#""x""#, r#""""#], &["1", "[]", &format!("\"{long}\"")]),
        ("varchar_auto", &[r#""x""#], &["1", &format!("\"{long}\"")]),
        ("text", &[&format!("\"{long}\"")], &["1"]),
        ("phone", &[r#""+371""#], &["371"]),
        ("double", &["1.50", "5", "12345678901234567890.125"], &[r#""5""#, "true"]),
        ("date", &[r#""2026-02-28""#], &[r#""2026-02-30""#, r#""2026-02-28T00:00:00Z""#, "1"]),
        ("enum", &["31"], &[r#""31""#, "35", "[31]", r#"{"id":31,"label":"gold"}"#]),
        ("set", &["[35]", "[36,35]"], &["[]", "35", r#"["35"]"#, "[31]", r#""35""#]),
        ("user", &["2"], &["4", r#""2""#, r#"{"id":2}"#]),
        ("org", &["3"], &["9999", r#""3""#]),
        ("people", &["3"], &["9999"]),
        (
            "monetary",
            &[r#"{"value":5.50,"currency":"EUR"}"#, r#"{"value":5,"currency":null}"#],
            &[
                "5",
                r#"{"value":5}"#,
                r#"{"value":"5","currency":"EUR"}"#,
                r#"{"value":5,"currency":"PLN"}"#,
                r#"{"value":5,"currency":"EUR","x":1}"#,
            ],
        ),
        (
            "daterange",
            &[r#"{"value":"2026-01-01","until":"2026-01-02"}"#],
            &[r#"{"value":"2026-01-01"}"#, r#""2026-01-01""#],
        ),
        (
            "time",
            &[
                r#"{"value":"09:00:00","timezone_id":175,"timezone_name":"Europe/Riga"}"#,
                r#"{"value":"09:00"}"#,
            ],
            &[r#""09:00:00""#, r#"{"value":"9"}"#, r#"{"value":"09:00","timezone_id":"175"}"#],
        ),
        (
            "timerange",
            &[r#"{"value":"09:00:00","until":"10:00:00","timezone_id":175}"#],
            &[r#"{"value":"09:00:00"}"#],
        ),
        (
            "address",
            &[r#"{"value":"x"}"#, r#"{"value":"x","country":"y","formatted_address":"z"}"#],
            &[r#""x""#, r#"{"country":"y"}"#, r#"{"value":"x","planet":"y"}"#],
        ),
    ];
    let mut account = account();
    for (kind, fine, wrong) in table {
        for value in fine.iter().chain(&["null"]) {
            let custom = format!(r#"{{"custom_fields":{{"<{kind}>":{value}}}}}"#);
            accept_in(&mut account, Patch, "/api/v2/deals/1", &custom);
        }
        for value in wrong {
            let custom = format!(r#"{{"custom_fields":{{"<{kind}>":{value}}}}}"#);
            refuse(Patch, "/api/v2/deals/1", 400, &[&custom]);
        }
    }
    refuse(
        Patch,
        "/api/v2/deals/1",
        400,
        &[r#"{"custom_fields":null}"#, r#"{"custom_fields":[]}"#],
    );
    // A change keeps the other fields, and numbers as they were written.
    accept_in(&mut account, Patch, "/api/v2/deals/1", r#"{"custom_fields":{"<double>":1.50}}"#);
    let both =
        accept_in(&mut account, Patch, "/api/v2/deals/1", r#"{"custom_fields":{"<text>":"t"}}"#);
    let code = spelt(&mut account, "<double>");
    assert_eq!(both["custom_fields"][&code], 1.5);
    let raw = get(&mut account, &plain(), "/api/v2/deals/1").2.body();
    assert!(String::from_utf8_lossy(&raw).contains(&format!("\"{code}\":1.50")));
}

#[test]
fn fields_and_their_options() {
    let mut account = account();
    let fields = "/api/v2/personFields";
    let new =
        r#"{"field_name":"Tier","field_type":"enum","description":"d","options":[{"label":"a"}]}"#;
    let (status, said, cost) = ask(&mut account, Post, fields, new);
    assert_eq!((status, cost), (201, 5), "{said}");
    let field = said["data"].clone();
    assert_eq!((&field["field_name"], &field["description"]), (&"Tier".into(), &"d".into()));
    let code = field["field_code"].as_str().unwrap_or_default();
    let path = format!("{fields}/{code}");
    assert_eq!(ask(&mut account, Get, &path, "").1["data"], field);
    // Every person has the key now. Only the names may repeat.
    let list = format!("{PERSONS}?limit=500&custom_fields={code}");
    let (_, listed, _) = ask(&mut account, Get, &list, "");
    let rows = listed["data"].as_array().expect("a page is a list");
    let null = serde_json::json!({ code: null });
    assert!(rows.len() > 100 && rows.iter().all(|row| row["custom_fields"] == null));
    let (_, again, _) = ask(&mut account, Post, fields, new);
    assert_ne!(again["data"]["field_code"], field["field_code"]);
    assert_ne!(again["data"]["options"][0]["id"], field["options"][0]["id"]);
    let (status, added, cost) =
        ask(&mut account, Post, &format!("{path}/options"), r#"[{"label":"b"},{"label":"c"}]"#);
    assert_eq!((status, cost, added["data"][1]["label"].as_str()), (201, 5, Some("c")));
    let now = ask(&mut account, Get, &path, "").1;
    assert_eq!(now["data"]["options"].as_array().map(Vec::len), Some(3));
    let body = format!(r#"{{"name":"A","custom_fields":{{"{code}":{}}}}}"#, added["data"][1]["id"]);
    accept_in(&mut account, Post, PERSONS, &body);
    // Labels are options of a field as well.
    let (status, label, _) =
        ask(&mut account, Post, &format!("{fields}/label_ids/options"), r#"[{"label":"new"}]"#);
    assert_eq!((status, &label["data"][0]["id"]), (201, &9.into()));
    accept_in(&mut account, Post, PERSONS, r#"{"name":"A","label_ids":[9]}"#);
    // A field added later keeps them.
    ask(&mut account, Post, fields, r#"{"field_name":"T","field_type":"text"}"#);
    accept_in(&mut account, Post, PERSONS, r#"{"name":"A","label_ids":[9]}"#);
    accept_in(&mut account, Post, PERSONS, &body);
    let wrong = [
        r#"{"field_name":"","field_type":"text"}"#,
        r#"{"field_type":"text"}"#,
        r#"{"field_name":"F"}"#,
        r#"{"field_name":"F","field_type":"int"}"#,
        r#"{"field_name":"F","field_type":"enum"}"#,
        r#"{"field_name":"F","field_type":"set","options":[]}"#,
        r#"{"field_name":"F","field_type":"set","options":["a"]}"#,
        r#"{"field_name":"F","field_type":"set","options":[{"id":1,"label":"a"}]}"#,
        r#"{"field_name":"F","field_type":"text","options":[{"label":"a"}]}"#,
        r#"{"field_name":"F","field_type":"text","field_code":"f"}"#,
    ];
    refuse(Post, fields, 400, &wrong);
    refuse(Post, &format!("{fields}/label_ids/options"), 400, &["[]", "{}", r#"[{"label":1}]"#]);
    refuse(Post, &format!("{fields}/name/options"), 400, &[r#"[{"label":"a"}]"#]);
    refuse(Post, &format!("{fields}/none/options"), 404, &[r#"[{"label":"a"}]"#]);
    refuse(Post, "/api/v2/activityFields", 404, &[r#"{"field_name":"F","field_type":"text"}"#]);
    // Leads have the fields of deals.
    let new = r#"{"field_name":"New","field_type":"varchar"}"#;
    let (_, said, _) = ask(&mut account, Post, "/api/v2/dealFields", new);
    let code = said["data"]["field_code"].as_str().unwrap_or_default().to_owned();
    accept_in(&mut account, Post, LEADS, &format!(r#"{{"title":"L","person_id":1,"{code}":"x"}}"#));
}

#[test]
fn what_was_just_created_is_found_first() {
    let mut account = account();
    account.advance(60);
    let field = ask(
        &mut account,
        Post,
        "/api/v2/organizationFields",
        r#"{"field_name":"Id","field_type":"text"}"#,
    );
    let code = field.1["data"]["field_code"].as_str().unwrap_or_default().to_owned();
    for (path, body) in [
        (
            ORGANIZATIONS,
            format!(
                r#"{{"name":"A","add_time":"2001-01-01T00:00:00Z","custom_fields":{{"{code}":"k"}}}}"#
            ),
        ),
        (PERSONS, r#"{"name":"A","add_time":"2001-01-01T00:00:00Z"}"#.to_owned()),
        (DEALS, r#"{"title":"A"}"#.to_owned()),
        (ACTIVITIES, "{}".to_owned()),
    ] {
        let made = accept_in(&mut account, Post, path, &body);
        let narrow =
            if path == ACTIVITIES { String::new() } else { format!("&custom_fields={code}") };
        let list = format!("{path}?sort_by=id&sort_direction=desc&limit=2{narrow}");
        let (status, said, _) = ask(&mut account, Get, &list, "");
        assert_eq!((status, &said["data"][0]["id"]), (200, &made["id"]), "{path}");
        if path == ORGANIZATIONS {
            assert_eq!(said["data"][0]["custom_fields"], serde_json::json!({ &*code: "k" }));
            let (_, oldest, _) =
                ask(&mut account, Get, &format!("{path}?sort_by=add_time&limit=1"), "");
            assert_eq!(oldest["data"][0]["id"], made["id"]);
        }
    }
    let lead = accept_in(&mut account, Post, LEADS, r#"{"title":"L","person_id":1}"#);
    let (_, said, _) = ask(&mut account, Get, "/api/v1/leads?sort=add_time%20DESC&limit=3", "");
    assert_eq!(said["data"][0]["id"], lead["id"]);
}

#[test]
fn users_have_addresses_of_their_own_and_companies_numbers() {
    let mut account = AccountState::new(5, 0.1).of_company(901);
    let (_, users, _) = get(&mut account, &plain(), "/v1/users");
    let users = users["data"].as_array().expect("users are a list");
    let emails: std::collections::BTreeSet<_> =
        users.iter().map(|user| user["email"].as_str()).collect();
    assert!(emails.len() == users.len() && !emails.contains(&None));
    let options = Options { company_id: 901, ..plain() };
    for (path, value) in
        [("/v1/users/me", "/data/company_id"), ("/v1/webhooks", "/data/0/company_id")]
    {
        let (_, said, _) = get(&mut account, &options, path);
        assert_eq!(said.pointer(value), Some(&901.into()), "{path}");
    }
}
