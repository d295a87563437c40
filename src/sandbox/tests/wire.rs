//! Tests of the server over a socket.

use super::plain;
use crate::sandbox::{Edit, Fault, Options, Plan, Sandbox};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A response: the head, and the body as far as it was received.
struct Reply {
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn status(&self) -> u16 {
        self.head.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let wanted = self.head.lines().find(|line| line.to_lowercase().starts_with(name))?;
        wanted.split_once(": ").map(|(_, value)| value)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request with these header lines, and reads until the connection closes.
fn ask(sandbox: &Sandbox, line: &str, headers: &str, body: &str) -> Reply {
    let origin = sandbox.origin();
    let address = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the sandbox listens");
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("the sandbox reads");
    let mut bytes = Vec::new();
    // A response may end with a reset connection.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
    Reply { head: String::from_utf8_lossy(&bytes[..end]).into_owned(), body: bytes[end..].to_vec() }
}

fn token(sandbox: &Sandbox) -> String {
    let config = sandbox.config();
    format!("x-api-token: {}\r\n", config["credentials"]["api_token"].as_str().unwrap_or_default())
}

fn get(sandbox: &Sandbox, path: &str) -> Reply {
    ask(sandbox, &format!("GET {path}"), &token(sandbox), "")
}

fn start(options: Options) -> Sandbox {
    Sandbox::start(options).expect("a port is free")
}

fn faulty(spec: &str) -> Sandbox {
    let fault = spec.parse::<Fault>().expect("the test writes faults well");
    start(Options { faults: vec![fault], page_max: Some(5), ..plain() })
}

#[test]
fn a_stranger_meets_the_gateway() {
    let sandbox = start(plain());
    let reply = ask(&sandbox, "GET /api/v2/deals", "x-api-token: wrong\r\n", "");
    assert_eq!((reply.status(), reply.header("x-401-by-gw")), (401, Some("true")));
    assert!(reply.text().contains("unauthorized access"));
    let reply = get(&sandbox, "/v1/users/me");
    assert_eq!(reply.header("date"), Some("Sun, 01 Nov 2026 12:00:00 GMT"));
    assert_eq!(reply.header("x-daily-ratelimit-token-remaining"), Some("2249998"));
    let me: serde_json::Value = serde_json::from_slice(&reply.body).expect("me is JSON");
    assert_eq!(me["data"]["company_domain"], "sandbox");
    assert_eq!(me["data"]["access"][0]["admin"], true);
    let request_log = sandbox.request_log();
    assert_eq!(
        (request_log.tokens, request_log.requests.len(), request_log.connections),
        (2, 2, 2)
    );
    assert_eq!(request_log.requests[1].path_and_query, "/v1/users/me");
}

#[test]
fn gzip_holds_the_same_bytes_and_comes_from_memory_the_second_time() {
    let sandbox = start(plain());
    let plain = get(&sandbox, "/api/v2/deals?limit=50");
    let gzip = format!("{}accept-encoding: gzip\r\n", token(&sandbox));
    for _ in 0..2 {
        let packed = ask(&sandbox, "GET /api/v2/deals?limit=50", &gzip, "");
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(packed.body.as_slice())
            .read_to_end(&mut body)
            .expect("gzip unpacks");
        assert_eq!(body, plain.body);
    }
    sandbox.state(|state| state.edit(Edit::Bulk { resource: "deals", rows: 1 }));
    assert_ne!(get(&sandbox, "/api/v2/deals?limit=50").body, plain.body);
}

#[track_caller]
fn check(spec: &str, expected: &str) {
    let sandbox = faulty(spec);
    let path = "/api/v2/deals?sort_by=update_time&sort_direction=asc";
    let whole = start(Options { page_max: Some(5), ..plain() });
    let whole = get(&whole, path).body.len();
    let reply = get(&sandbox, path);
    let outline = match serde_json::from_slice::<serde_json::Value>(&reply.body) {
        Ok(body) => {
            let first = &body["data"][0];
            format!(
                "{} rows, next {}, surprise {}, status {}, probability {}",
                body["data"].as_array().map_or(0, Vec::len),
                body["additional_data"]["next_cursor"].is_string(),
                first["surprise"].is_object(),
                first["status"],
                first["probability"].is_string(),
            )
        }
        Err(_) if reply.body.starts_with(b"<") => "html".to_owned(),
        Err(_) if reply.body.is_empty() => "nothing".to_owned(),
        Err(_) if reply.body.len() < whole => "cut".to_owned(),
        Err(_) => "broken".to_owned(),
    };
    assert_eq!(format!("{} {outline}", reply.status()), expected, "{spec}");
    assert!(get(&sandbox, path).status() == 200 || spec.contains('x'), "{spec} strikes twice");
}

#[test]
fn every_fault_is_what_it_says() {
    let odd = "surprise false, status null, probability false";
    let fine = "surprise false, status \"lost\", probability false";
    check("500@1", &format!("500 0 rows, next false, {odd}"));
    check("524@deals", "524 html");
    check("429@1", &format!("429 0 rows, next false, {odd}"));
    check("429bare@1", &format!("429 0 rows, next false, {odd}"));
    check("cloudflare@1", "403 html");
    check("truncate@1", "200 cut");
    check("cutjson@1", "200 cut");
    check("html@1", "200 html");
    check("failure@1", &format!("200 0 rows, next false, {odd}"));
    check("null@1", &format!("200 0 rows, next false, {odd}"));
    check("utf8@1", "200 broken");
    check("slow:20@1", &format!("200 5 rows, next true, {fine}"));
    check("reset@1", "0 nothing");
    check("nopaging@1", &format!("200 5 rows, next false, {fine}"));
    check("empty@1", &format!("200 0 rows, next true, {odd}"));
    check("newkey@1", "200 5 rows, next true, surprise true, status \"lost\", probability false");
    check(
        "newenum@1",
        "200 5 rows, next true, surprise false, status \"snoozed\", probability false",
    );
    check("newtype@1", "200 5 rows, next true, surprise false, status \"lost\", probability true");
    check("expired@1", &format!("401 0 rows, next false, {odd}"));
    check("badcursor@1", &format!("400 0 rows, next false, {odd}"));
}

#[test]
fn a_bad_fault_names_what_is_accepted() {
    for spec in ["", "500", "500@", "500@0", "199@1", "slow@1", "slow:x@1", "nonsense@1", "500@1x0"]
    {
        let error = spec.parse::<Fault>().expect_err("the spec is wrong");
        assert!(error.contains("KIND@WHERE"), "{spec}: {error}");
    }
}

#[test]
fn faults_strike_as_often_as_they_say() {
    let sandbox = faulty("503@persons#2x2");
    let statuses = ["deals", "persons", "persons", "deals", "persons", "persons"]
        .map(|name| get(&sandbox, &format!("/api/v2/{name}")).status());
    assert_eq!(statuses, [200, 200, 503, 200, 503, 200]);
}

#[test]
fn a_loop_leads_back_and_a_repeat_says_it_again() {
    let next = |reply: &Reply| {
        let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("a page is JSON");
        body["additional_data"]["next_cursor"].as_str().map(str::to_owned).unwrap_or_default()
    };
    let path = |cursor: &str| format!("/api/v2/deals?sort_by=id&cursor={cursor}");
    for spec in ["loop@2", "loop@1"] {
        let sandbox = faulty(spec);
        let first = get(&sandbox, "/api/v2/deals?sort_by=id");
        let second = get(&sandbox, &path(&next(&first)));
        let looped = if spec == "loop@1" { &first } else { &second };
        let again = get(&sandbox, &path(&next(looped)));
        let rows = |reply: &Reply| reply.text().split("\"additional_data\"").next().map(str::len);
        assert_eq!(rows(looped), rows(&again), "{spec}");
    }
    let sandbox = faulty("repeat@2");
    let first = get(&sandbox, "/api/v2/deals?sort_by=id");
    let second = get(&sandbox, &path(&next(&first)));
    assert_eq!(first.body, second.body);
    assert_ne!(first.body, get(&sandbox, &path(&next(&first))).body);
}

#[test]
fn a_hang_is_noticed_and_ends_with_the_sandbox() {
    let sandbox = faulty("hang@1");
    let (origin, header) = (sandbox.origin(), token(&sandbox));
    let client = std::thread::spawn(move || {
        let address = origin.trim_start_matches("http://").to_owned();
        let mut stream = TcpStream::connect(&address).expect("the sandbox listens");
        let request = format!("GET /api/v2/deals HTTP/1.1\r\nhost: {address}\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).expect("the sandbox reads");
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes.len()
    });
    sandbox.wait_for_hang();
    drop(sandbox);
    assert_eq!(client.join().expect("the client ends"), 0);
}

#[test]
fn too_many_requests_meet_429_and_then_cloudflare() {
    let sandbox = start(Options { plan: Plan::Lite, ..plain() });
    let begin = Instant::now();
    let statuses: Vec<u16> =
        (0..35).map(|_| get(&sandbox, "/api/v2/stages?limit=1").status()).collect();
    if begin.elapsed() < Duration::from_secs(2) {
        let count = |code| statuses.iter().filter(|status| **status == code).count();
        assert_eq!((count(200), count(429), count(403)), (20, 10, 5));
    }
    let poor = start(Options { daily_budget: Some(10), ..plain() });
    assert_eq!(get(&poor, "/api/v2/deals?limit=1").status(), 200);
    let reply = get(&poor, "/api/v2/deals?limit=1");
    assert_eq!(reply.status(), 429);
    assert_eq!(reply.header("x-daily-ratelimit-token-remaining"), Some("0"));
    assert_ne!(reply.header("x-ratelimit-remaining"), Some("0"));
    let free = start(Options { limits: false, plan: Plan::Lite, ..plain() });
    assert!((0..30).all(|_| get(&free, "/api/v2/stages?limit=1").status() == 200));
}

#[test]
fn oauth_tokens_are_issued_expire_and_rotate() {
    let sandbox = start(Options { rotate_refresh_tokens: true, ..plain() });
    let config = sandbox.oauth_config();
    let old = config["credentials"]["refresh_token"].as_str().unwrap_or_default().to_owned();
    let basic = "authorization: Basic c2FuZGJveC1jbGllbnQ6c2FuZGJveC1jbGllbnQtc2VjcmV0\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    let refresh = |token: &str| {
        let form = format!("grant_type=refresh_token&refresh_token={}", token.replace(':', "%3A"));
        ask(&sandbox, "POST /oauth/token", basic, &form)
    };
    let reply = refresh(&old);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("tokens are JSON");
    assert_eq!((reply.status(), body["expires_in"].as_i64()), (200, Some(3600)));
    assert_eq!(body["api_domain"], sandbox.origin());
    let bearer =
        format!("authorization: Bearer {}\r\n", body["access_token"].as_str().unwrap_or_default());
    assert_eq!(ask(&sandbox, "GET /api/v2/deals", &bearer, "").status(), 200);
    sandbox.state(|state| state.advance(3_600));
    let reply = ask(&sandbox, "GET /api/v2/deals", &bearer, "");
    assert_eq!(reply.status(), 401);
    assert!(reply.text().contains("access_token is invalid"));
    let reply = refresh(&old);
    assert!(reply.status() == 400 && reply.text().contains("invalid_grant"));
    assert_eq!(refresh(body["refresh_token"].as_str().unwrap_or_default()).status(), 200);
}

#[test]
fn a_script_edits_the_account_under_a_reader() {
    let change = Edit::Change { resource: "deals", key: "1".to_owned(), set: vec![] };
    let script = vec![(2, Edit::Advance(5)), (2, change)];
    let sandbox = start(Options { script, ..plain() });
    assert!(!get(&sandbox, "/api/v2/deals/1").text().contains("edited"));
    assert!(get(&sandbox, "/api/v2/deals/1").text().contains("2026-11-01T12:00:05Z"));
}

#[test]
fn a_write_is_done_though_its_answer_is_spoilt_unless_it_was_turned_away() {
    let faults = ["500", "524", "reset", "truncate", "html", "429", "cloudflare", "expired"];
    for (spec, done) in faults.iter().zip([1, 1, 1, 1, 1, 0, 0, 0]) {
        let sandbox = faulty(&format!("{spec}@1"));
        let before = sandbox.state(|state| state.truth("persons").len());
        ask(&sandbox, "POST /api/v2/persons", &token(&sandbox), r#"{"name":"A"}"#);
        let after = sandbox.state(|state| state.truth("persons").len());
        assert_eq!(after - before, done, "{spec}");
    }
}
