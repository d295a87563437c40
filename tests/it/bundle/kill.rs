//! A push is interrupted at every request, and resumed: the target ends as the bundle, no row
//! twice.

use crate::support::bundle::{ARRAYS, BundleFixture, CommandOutput, assert_same, held, rows};
use crate::support::{ended_at_hang, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::{Fault, FaultKind, Options, Sandbox};

fn tiny(faults: Vec<Fault>) -> Sandbox {
    sandbox(Options { scale: 0.005, faults, ..small() })
}

/// A bundle of an account, made without being counted by the sandbox that is going to be pushed to.
fn bundle() -> String {
    let source = tiny(Vec::new());
    let bundles = BundleFixture::new().account(&source);
    bundles.export("a.json");
    std::fs::read_to_string(bundles.path("a.json")).expect("the bundle is there")
}

const PUSH: &[&str] = &["push", "a.json", "--batch-rows", "4"];

fn killed(bundles: &BundleFixture, sandbox: &Sandbox, arguments: &[&str]) {
    let output = ended_at_hang(bundles.command(arguments), sandbox, |child| {
        child.kill().expect("the process can be killed");
    });
    assert_eq!(output.status.code(), None, "{}", String::from_utf8_lossy(&output.stdout));
}

fn count(bundle: &Value) -> u64 {
    ARRAYS.iter().map(|array| rows(bundle, array).len() as u64).sum()
}

/// What must hold of the CRM and of the last push's report.
fn assert_arrived(sandbox: &Sandbox, bundle: &Value, said: &Value, what: &str) {
    assert_same(bundle, &held(sandbox, 0));
    assert_eq!(said["verified"], count(bundle), "{what}: {said}");
    if said["pushed"] != 0 || said["pushed_earlier"] != 0 {
        assert_eq!(said["change_events"]["unaccounted"], 0, "{what}: {said}");
    }
    assert!(sandbox.crm_events(0) as u64 >= count(bundle), "{what}");
}

#[test]
fn a_push_that_is_killed_at_any_request_is_gone_on_with() {
    let text = bundle();
    let whole: Value = serde_json::from_str(&text).expect("a bundle is JSON");
    let unbroken = tiny(Vec::new());
    let bundles = BundleFixture::new().crm(&unbroken, 0);
    bundles.put("a.json", &text);
    let said = bundles.run(PUSH).json();
    assert_arrived(&unbroken, &whole, &said, "unbroken");
    assert_eq!(unbroken.crm_events(0) as u64, count(&whole));
    let requests = unbroken.request_log().requests.len() as u64;
    assert!(requests > 12, "a push of only {requests} requests shows little");
    for request in 1..=requests {
        let sandbox = tiny(vec![Fault::at(FaultKind::Hang, request)]);
        let bundles = BundleFixture::new().crm(&sandbox, 0);
        bundles.put("a.json", &text);
        killed(&bundles, &sandbox, PUSH);
        let begun = bundles.path("a.json.journal.ndjson").exists();
        if begun {
            let (code, message) = bundles.run(PUSH).error();
            assert_eq!(code, 64, "killed at request {request}");
            assert!(message.contains("--resume continues it"), "{message}");
        }
        let said = bundles.run(&[PUSH, &["--resume"]].concat()).json();
        let what = format!("killed at request {request}");
        assert_arrived(&sandbox, &whole, &said, &what);
        if begun {
            let rows = said["pushed"].as_u64().zip(said["pushed_earlier"].as_u64());
            let rows = rows.map(|(now, earlier)| now + earlier);
            assert_eq!(rows, Some(count(&whole)), "{what}: {said}");
        }
    }
}

#[test]
fn a_push_that_meets_trouble_at_any_request_comes_through() {
    let text = bundle();
    let whole: Value = serde_json::from_str(&text).expect("a bundle is JSON");
    for trouble in [
        FaultKind::Status(503),
        FaultKind::Burst,
        FaultKind::Reset,
        FaultKind::Truncate,
        FaultKind::Html,
        FaultKind::Half,
    ] {
        for request in 1..=12 {
            let sandbox = tiny(vec![Fault::at(trouble, request)]);
            let bundles = BundleFixture::new().crm(&sandbox, 0);
            bundles.put("a.json", &text);
            let said = bundles.run(PUSH);
            let what = format!("{trouble:?} at request {request}: {}", said.stderr);
            assert_eq!(said.code, Some(0), "{what}");
            assert_arrived(&sandbox, &whole, &said.object(), &what);
        }
    }
}

#[test]
fn a_crm_in_lasting_trouble_ends_the_push_and_the_journal_knows() {
    let text = bundle();
    let whole: Value = serde_json::from_str(&text).expect("a bundle is JSON");
    let faults = vec![Fault::on(FaultKind::Status(500), "import", 4, 30)];
    let sandbox = tiny(faults);
    let bundles = BundleFixture::new().crm(&sandbox, 0);
    bundles.put("a.json", &text);
    let (code, message) = bundles.run(PUSH).error();
    assert_eq!(
        (code, message.as_str()),
        (69, "/crm/import: the CRM is in trouble (HTTP 500: Something went wrong)")
    );
    let journal =
        std::fs::read_to_string(bundles.path("a.json.journal.ndjson")).expect("a journal");
    let last: Value = journal
        .lines()
        .last()
        .map_or(Value::Null, |line| serde_json::from_str(line).expect("an entry is JSON"));
    assert_eq!(last["entry"], "send");
    // More of the same, until it is over.
    let mut tries = 0;
    let said = loop {
        let said = bundles.run(&[PUSH, &["--resume"]].concat());
        tries += 1;
        assert!(tries < 10, "{}", said.stderr);
        if said.code == Some(0) {
            break said.object();
        }
        assert_eq!(said.error().0, 69);
    };
    assert_arrived(&sandbox, &whole, &said, "in the end");
    // Half a line, as a kill leaves it, is cut off; the line after it is whole.
    let journal = bundles.path("a.json.journal.ndjson");
    let entries = std::fs::read_to_string(&journal).expect("a journal");
    std::fs::write(&journal, format!("{entries}{{\"entry\":\"be")).expect("it can be written");
    for _ in 0..2 {
        assert_eq!(bundles.run(PUSH).json()["pushed"], 0);
    }
    // Damage in the middle is named.
    std::fs::write(&journal, format!("{{\n{entries}")).expect("it can be written");
    let (code, message) = bundles.run(PUSH).error();
    assert_eq!(code, 65);
    assert!(message.contains("line 1 is no entry of a journal"), "{message}");
    // A journal of a later program is not written to.
    bundles.put("a.json.journal.ndjson", "{\"entry\":\"begin\",\"version\":9,\"tool\":\"t\",\"bundle\":\"b\",\"target\":\"t\",\"organization\":\"o\",\"at\":\"2026-01-01T00:00:00Z\"}\n");
    let (code, message) = bundles.run(PUSH).error();
    assert_eq!(code, 65);
    assert!(message.contains("is of version 9"), "{message}");
    let limited = tiny(vec![Fault::on(FaultKind::Daily, "import", 2, 1)]);
    let bundles = BundleFixture::new().crm(&limited, 0);
    bundles.put("a.json", &text);
    assert_eq!(bundles.run(PUSH).error().0, 75);
}

/// A small bundle with every kind of row, and references in all directions.
pub(crate) fn little() -> Value {
    json!({
        "version": "1",
        "organization_id": "o",
        "accounts": [
            {"public_id": "acct_a", "name": "A", "custom": {"Partner of": "acct_b", "Grade": "x"}},
            {"public_id": "acct_b", "name": "B", "website": "https://b.example.test"},
        ],
        "contacts": [{"public_id": "cnt_a", "name": "Mia Berg", "email": "mia@example.test", "account_public_id": "acct_a"}],
        "opportunities": [
            {"public_id": "opp_a", "name": "Deal", "amount": 12.50, "currency": "EUR", "status": "won", "contact_public_id": "cnt_a", "custom": {"Score": 7}},
        ],
        "leads": [{"public_id": "lead_a", "title": "Lead", "contact_public_id": "cnt_a", "status": "archived", "custom": {"Score": 8}}],
        "activities": [
            {"public_id": "act_a", "subject": "Call", "activity_type": "call", "record_type": "opportunity", "record_public_id": "opp_a", "body": "<p>hi</p>", "due_at": "2026-03-01T09:30:00Z"},
        ],
    })
}

pub(crate) const RESOURCES: [&str; 5] =
    ["organizations", "persons", "deals", "leads", "activities"];

/// How many rows of each kind the account has.
pub(crate) fn account(sandbox: &Sandbox) -> Vec<usize> {
    sandbox.state(|account| RESOURCES.iter().map(|name| account.truth(name).len()).collect())
}

fn assert_in_pipedrive(sandbox: &Sandbox, before: &[usize], said: &CommandOutput, what: &str) {
    let said = said.json();
    assert_eq!(said["verified"], 6, "{what}: {said}");
    let expected: Vec<_> = before.iter().zip([2, 1, 1, 1, 1]).map(|(n, more)| n + more).collect();
    assert_eq!(account(sandbox), expected, "{what}: rows of {RESOURCES:?}");
    let fields = sandbox.state(|account| {
        let fields = ["organization_fields", "person_fields", "deal_fields"];
        fields.map(|name| {
            let rows = account.truth(name);
            let ours = rows.iter().filter(|row| {
                std::str::from_utf8(&row.json).is_ok_and(|text| text.contains("\"Portable id\""))
            });
            ours.count()
        })
    });
    assert_eq!(fields, [1, 1, 1], "{what}: fields");
}

pub(crate) fn company(faults: Vec<Fault>) -> Sandbox {
    sandbox(Options { scale: 0.004, company_id: 901, faults, ..small() })
}

pub(crate) const INTO: &[&str] = &["push", "a.json", "--to", "pipedrive"];

#[test]
fn a_push_into_pipedrive_that_is_killed_at_any_request_creates_nothing_twice() {
    let unbroken = company(Vec::new());
    let bundles = BundleFixture::new().account(&unbroken);
    bundles.put("a.json", &little().to_string());
    let before = account(&unbroken);
    assert_in_pipedrive(&unbroken, &before, &bundles.run(INTO), "unbroken");
    let requests = unbroken.request_log().requests.len() as u64;
    assert!(requests > 40, "a push of only {requests} requests shows little");
    for request in 1..=requests {
        let sandbox = company(vec![Fault::at(FaultKind::Hang, request)]);
        let bundles = BundleFixture::new().account(&sandbox);
        bundles.put("a.json", &little().to_string());
        killed(&bundles, &sandbox, INTO);
        let said = bundles.run(&[INTO, &["--resume"]].concat());
        assert_in_pipedrive(&sandbox, &before, &said, &format!("killed at request {request}"));
    }
}

#[test]
fn a_budget_that_is_spent_ends_a_push_and_the_next_one_goes_on() {
    let mut halves = 0;
    for tokens in (200..600).step_by(10) {
        let sandbox = company(Vec::new());
        let before = account(&sandbox);
        let mut config = sandbox.config();
        config["max_tokens"] = tokens.into();
        let bundles = BundleFixture::new().account(&sandbox).configured(config);
        bundles.put("a.json", &little().to_string());
        let said = bundles.run(INTO);
        if said.code == Some(0) {
            break;
        }
        assert_eq!(said.error().0, 75, "{tokens} tokens");
        halves += usize::from(account(&sandbox) != before);
        let bundles = bundles.account(&sandbox);
        let said = bundles.run(&[INTO, &["--resume"]].concat());
        assert_in_pipedrive(&sandbox, &before, &said, &format!("after {tokens} tokens"));
    }
    assert!(halves > 3, "budgets never ended among the rows");
}

/// Pushes once for each write of a push and each of these faults, which the answer to that write has, and
/// so many answers from there on. Nothing may be there twice afterwards.
fn every_write_has(troubles: &[FaultKind], times: u32) {
    let unbroken = company(Vec::new());
    let bundles = BundleFixture::new().account(&unbroken);
    bundles.put("a.json", &little().to_string());
    let before = account(&unbroken);
    bundles.run(INTO).json();
    let request_log = unbroken.request_log();
    let writes =
        request_log.requests.iter().zip(1_u64..).filter(|(entry, _)| entry.method != "GET");
    let writes: Vec<u64> = writes.map(|(_, number)| number).collect();
    assert!(writes.len() > 10);
    for trouble in troubles {
        for request in &writes {
            let sandbox = company(vec![Fault { times, ..Fault::at(*trouble, *request) }]);
            let bundles = BundleFixture::new().account(&sandbox);
            bundles.put("a.json", &little().to_string());
            let mut said = bundles.run(INTO);
            let what = format!("{trouble:?} at request {request}: {}", said.stderr);
            if said.code == Some(69) {
                // A field whose creation was not answered ends the push; the next one looks first.
                said = bundles.run(&[INTO, &["--resume"]].concat());
            }
            assert_in_pipedrive(&sandbox, &before, &said, &what);
        }
    }
}

#[test]
fn a_lost_answer_of_pipedrive_creates_nothing_twice() {
    let lost = [
        FaultKind::Status(503),
        FaultKind::Burst,
        FaultKind::Reset,
        FaultKind::Truncate,
        FaultKind::Html,
    ];
    every_write_has(&lost, 1);
}

/// The answer to a write is garbled, and so is the first look at what came of it.
#[test]
fn a_garbled_answer_of_pipedrive_creates_nothing_twice() {
    every_write_has(&[FaultKind::CutJson, FaultKind::Null, FaultKind::Failure], 2);
}

/// What the CRM says is asked again like what Pipedrive says.
#[test]
fn a_garbled_answer_of_the_crm_costs_nothing() {
    for trouble in ["cutjson", "null", "html", "truncate"] {
        for path in ["crm/export", "opportunity_pipelines", "change_events", "crm/import"] {
            let fault = format!("{trouble}@{path}").parse().expect("a fault");
            let sandbox = sandbox(Options { faults: vec![fault], ..small() });
            let bundles = BundleFixture::new().crm(&sandbox, 0);
            bundles.put("a.json", &little().to_string());
            let said = bundles.run(&["push", "a.json", "--foreign"]);
            assert_eq!(said.code, Some(0), "{trouble}@{path}: {}{}", said.stdout, said.stderr);
        }
    }
}
