//! Words of others on a terminal or in a log: from an account, from files, from a command line.

use crate::support::tap::TAP;
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::model::is_deceptive;
use source_pipedrive::sandbox::{Fault, FaultKind, Feature, Features, Options, Sandbox};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Colour, bell, C1, DEL, directions of writing, separators, what cannot be seen, and lines that
/// look like the program's own.
const EVIL: &str = "\x1b[31m\x07\u{9b}2J\u{7f}\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\u{2029}\u{200b}\u{feff}\u{e0041}\nCRITICAL fake\r\nerror: fake\r{\"type\":\"LOG\"}";

/// A folder with files, and commands that are run in it.
struct Stage(Folder);

impl Stage {
    fn new() -> Self {
        Self(Folder::new())
    }

    fn account(&self, name: &str, sandbox: &Sandbox) {
        self.0.json(name, &sandbox.config());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a command line, words apart by spaces.
    fn run(&self, line: &str) -> Output {
        let words: Vec<&str> = line.split(' ').collect();
        self.words(&words, &[])
    }

    fn words(&self, words: &[&str], environment: &[(&str, &str)]) -> Output {
        let program = if words[0] == "tap" { &*TAP } else { BINARY };
        let words = if words[0] == "tap" { &words[1..] } else { words };
        let mut command = Command::new(program);
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["PIPEDRIVE_", "DRIPPULSE_", "TAP_"].iter().any(|start| name.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.envs(environment.iter().copied());
        command.output().expect("the binary starts")
    }

    /// Runs a command and requires that nothing it says steers a terminal or fakes a line.
    #[track_caller]
    fn clean(&self, line: &str) -> Output {
        let output = self.run(line);
        assert_clean(line, &output);
        output
    }
}

#[track_caller]
fn assert_clean(what: &str, output: &Output) {
    assert!(output.status.code().is_some_and(|code| code != 101), "{what}: {output:?}");
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let text = std::str::from_utf8(bytes).expect("it is UTF-8");
        // Records go out byte for byte.
        let lines = text.split('\n').filter(|line| !line.starts_with("{\"type\":\"RECORD\""));
        for line in lines {
            let found = line.chars().find(|letter| is_deceptive(*letter));
            assert_eq!(found, None, "{what}: {name}: {line:.300}");
            let fake = ["CRITICAL fake", "error: fake", "{\"type\":\"LOG\"}"];
            assert!(
                !fake.iter().any(|start| line.trim_start().starts_with(start)),
                "{what}: {line}"
            );
        }
    }
}

/// An account in which everything that people may write ends with something evil.
fn scrawled(more: &str, options: Options) -> Sandbox {
    sandbox(Options { scrawl: Some(format!("{EVIL}{more}")), scale: 0.01, ..options })
}

#[test]
fn no_command_lets_an_account_steer_the_terminal() {
    let (one, other) = (scrawled("", small()), scrawled("x", small()));
    let faults = vec![
        Fault { times: u32::MAX, ..Fault::on(FaultKind::Status(403), "/notes", 1, 1) },
        Fault { times: u32::MAX, ..Fault::on(FaultKind::Status(400), "/products", 1, 1) },
        Fault { times: u32::MAX, ..Fault::on(FaultKind::Status(404), "Fields", 1, 1) },
    ];
    let limited = scrawled(
        "",
        Options {
            faults,
            admin: false,
            features: Features::all().without(Feature::Installments),
            ..small()
        },
    );
    let stage = Stage::new();
    for (name, account) in [("one", &one), ("other", &other), ("limited", &limited)] {
        stage.account(&format!("{name}.json"), account);
    }
    for account in ["one", "limited"] {
        for line in [
            "check --config A.json",
            "discover --config A.json",
            "read --config A.json",
            "tap --config A.json --discover",
            "tap --config A.json",
            "plan --config A.json -o table -v",
            "plan --config A.json -o json",
            "sync warehouse --config A.json --dir w-A -o table -v",
            "sync warehouse --config A.json --dir w-A -o json --deletes sweep",
            "sync warehouse --config A.json --dir n-A --format ndjson --custom-fields name -o table",
            "plan --config A.json --dir w-A -o table",
            "backup --config A.json --dir b-A -o table --include file_contents -v",
            "backup --config A.json --dir b-A -o json --include histories",
            "backup verify b-A -o table",
            "backup verify b-A -o json",
            "status w-A -o table",
            "status b-A -o json",
            "bundle export --config A.json --out A.bundle -o table",
            "bundle export --from b-A --out B.bundle -o json",
        ] {
            let output = stage.clean(&line.replace('A', account));
            // It is the account that is evil, not the command line or the configuration.
            let code = output.status.code();
            assert!(!matches!(code, Some(64 | 70 | 74 | 77 | 78)), "{account}: {line}: {output:?}");
        }
    }
    stage.clean("backup --config other.json --dir b-other -o table");
    for form in ["table", "json", "ndjson", "html"] {
        let output = stage.clean(&format!("backup diff b-one b-other -o {form}"));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(!output.stdout.is_empty());
    }
    stage.clean("bundle export --config other.json --out other.bundle -o table");
    for form in ["table", "json"] {
        stage.clean(&format!("bundle validate one.bundle -o {form}"));
        stage.clean(&format!("bundle diff one.bundle other.bundle -o {form}"));
        for more in [" --dry-run", " --yes", " --yes --resume"] {
            let line = format!(
                "bundle push one.bundle --to pipedrive --config other.json --foreign -o {form}{more}"
            );
            stage.clean(&line);
        }
        let (origin, key) = (other.origin(), other.crm_key(0));
        let environment = [("DRIPPULSE_BASE_URL", &*origin), ("DRIPPULSE_API_KEY", &*key)];
        for line in [
            "bundle push one.bundle --foreign --yes -v",
            "bundle push other.bundle --foreign --dry-run",
            "bundle pull --out pulled.bundle",
            "bundle changes",
        ] {
            let words: Vec<&str> = line.split(' ').chain(["-o", form]).collect();
            assert_clean(line, &stage.words(&words, &environment));
        }
    }
}

/// Every form of a JSON value in which one text, one name of a member, or one other value is evil.
fn variants(json: &Value) -> Vec<Value> {
    match json {
        Value::String(text) => vec![format!("{text}{EVIL}").into()],
        Value::Array(items) => {
            let each = items.iter().enumerate().flat_map(|(place, item)| {
                variants(item).into_iter().map(move |evil| {
                    let mut items = items.clone();
                    items[place] = evil;
                    Value::Array(items)
                })
            });
            each.collect()
        }
        Value::Object(members) => {
            let mut all = Vec::new();
            for (name, value) in members {
                let mut renamed = members.clone();
                renamed.remove(name);
                renamed.insert(format!("{name}{EVIL}"), value.clone());
                all.push(Value::Object(renamed));
                for evil in variants(value) {
                    let mut members = members.clone();
                    members.insert(name.clone(), evil);
                    all.push(Value::Object(members));
                }
            }
            all
        }
        _ => vec![EVIL.into()],
    }
}

fn json_of(path: &Path) -> Value {
    let text = std::fs::read(path).expect("the file is there");
    serde_json::from_slice(&text).expect("the file is JSON")
}

#[test]
fn no_file_steers_the_terminal() {
    let account = sandbox(Options { scale: 0.01, ..small() });
    let stage = Stage::new();
    stage.account("a.json", &account);
    let few = "--resources deals,stages,deal_fields";
    for line in [
        format!("sync warehouse --config a.json --dir w {few}"),
        format!("backup --config a.json --dir b {few}"),
        "bundle export --config a.json --out a.bundle".to_owned(),
    ] {
        assert_eq!(stage.clean(&line).status.code(), Some(0));
    }
    std::fs::copy(stage.path("a.bundle"), stage.path("o.bundle")).expect("it is copied");
    let mut bundle = json_of(&stage.path("a.bundle"));
    for rows in bundle.as_object_mut().into_iter().flatten().map(|(_, rows)| rows) {
        if let Some(rows) = rows.as_array_mut() {
            rows.truncate(1);
        }
    }
    let saved = json!([{"type": "STREAM", "stream": {
        "stream_descriptor": {"name": "deals"}, "stream_state": {"version": 1}}}]);
    let catalog = crate::support::catalog(&["stages"], "incremental");
    let catalog = json!({"streams": [catalog["streams"][0].clone()]});
    let mut few = catalog.clone();
    few["streams"][0]["stream"]["json_schema"] = json!({"properties": {"id": {"type": "integer"}}});
    let mut config = account.config();
    for (key, value) in
        [("start_date", json!("2026-01-01T00:00:00Z")), ("custom_fields", json!("name"))]
    {
        config[key] = value;
    }
    for (file, json, lines) in [
        (
            "w/manifest.json",
            json_of(&stage.path("w/manifest.json")),
            &["plan --config a.json --dir w --resources deals -o table"][..],
        ),
        ("b/manifest.json", json_of(&stage.path("b/manifest.json")), &["backup verify b -o table"]),
        (
            "a.bundle",
            bundle,
            &["bundle validate a.bundle -o table", "bundle diff o.bundle a.bundle -o table"],
        ),
        (
            "a.bundle.context.json",
            json_of(&stage.path("a.bundle.context.json")),
            &["bundle validate o.bundle -o table"],
        ),
        (
            "s.json",
            saved,
            &[
                "read --config a.json --state s.json --catalog c.json",
                "plan --config a.json --state s.json -o table --resources deals",
            ],
        ),
        (
            "c.json",
            few,
            &["read --config a.json --catalog c.json", "tap --config a.json --catalog c.json"],
        ),
        (
            "k.json",
            config,
            &["check --config k.json", "plan --config k.json --resources stages -o table"],
        ),
    ] {
        let all = variants(&json);
        // Some have hundreds of places that are all alike.
        let step = all.len() / 60 + 1;
        for evil in all.iter().step_by(step) {
            std::fs::write(stage.path(file), evil.to_string()).expect("it is written");
            for line in lines {
                stage.clean(line);
            }
        }
        std::fs::write(stage.path(file), json.to_string()).expect("it is written");
    }
}

#[test]
fn no_argument_or_variable_steers_the_terminal() {
    let stage = Stage::new();
    let account = sandbox(Options { scale: 0.01, ..small() });
    stage.account("a.json", &account);
    for (line, code) in [
        ("E", 64),
        ("plan -o E", 64),
        ("plan --E", 64),
        ("plan --sandbox -o table --resources E", 64),
        ("plan --config E -o table", 74),
        ("check --config E", 1),
        ("read --config a.json --catalog E", 1),
        ("tap --config E", 1),
        ("tap --E", 1),
        ("sync warehouse --config a.json --dir w --since E -o table", 64),
        ("sync warehouse --config a.json --dir E -o table --resources stages --force", 0),
        ("backup --config a.json --dir E.b -o table --resources stages", 0),
        ("backup verify E -o table", 65),
        ("backup verify E.b -o table", 0),
        ("backup verify E.b -o table --ignore E", 64),
        ("backup diff E.b E.b -o html", 0),
        ("bundle validate E -o table", 74),
        ("bundle changes --from E -o table", 78),
        ("sandbox --fault E", 64),
    ] {
        let words: Vec<String> = line.split(' ').map(|word| word.replace('E', EVIL)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = stage.words(&words, &[]);
        assert_clean(line, &output);
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
    }
    let token = account.config()["credentials"]["api_token"].to_string();
    let token = token.trim_matches('"');
    for (name, value) in [("API_TOKEN", EVIL), ("COMPANY_DOMAIN", EVIL), ("BASE_URL", EVIL)] {
        let name = format!("PIPEDRIVE_{name}");
        let environment = [
            ("PIPEDRIVE_API_TOKEN", token),
            ("PIPEDRIVE_BASE_URL", &account.origin()),
            (&name, value),
        ];
        assert_clean(&name, &stage.words(&["plan", "-o", "table"], &environment));
    }
}

/// Letters of every script are shown as they are, combining ones too.
#[test]
fn names_are_shown_in_their_own_script() {
    let name = "अर्जुन";
    let scrawl = Some(format!(" {name}"));
    let account = sandbox(Options { scrawl, admin: false, scale: 0.01, ..small() });
    let stage = Stage::new();
    stage.account("c.json", &account);
    let says = |line: &str, code: i32, expected: &str| {
        let output = stage.run(line);
        let said =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let said = said.concat();
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        assert!(said.contains(expected) && !said.contains("\\u{"), "{line}: {said}");
    };
    let user = format!(" {name}\" is not an admin: ");
    says("sync warehouse --dir w --resources stages -o table -v --config c.json", 0, &user);
    says("check --config c.json", 0, &format!("company \\\"Sandbox Ltd {name}\\\""));
    let unknown = format!("there is no resource \"{name}\"");
    says(&format!("plan --sandbox --resources {name} -o table"), 64, &unknown);
    let mut config = account.config();
    config["company_domain"] = "acme".into();
    stage.0.json("other.json", &config);
    let other = format!("belongs to company \"sandbox {name}\", not to \"acme\"");
    says("plan -o table --config other.json", 78, &other);
}
