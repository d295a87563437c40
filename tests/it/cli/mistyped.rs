//! Names with a slip in them, wherever a command takes a name: none is taken for nothing.

use crate::support::bundle::BundleFixture;
use crate::support::tap::Tap;
use crate::support::{BINARY, Folder, Read, sandbox, small};
use serde_json::{Value, json};
use source_pipedrive::sandbox::Options;
use std::path::Path;
use std::process::Command;

/// Exit code and words of a command that refuses.
#[track_caller]
fn refused(folder: &Path, line: &str) -> (Option<i32>, String) {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = Command::new(BINARY);
    command.args(&words).args(["-o", "json"]).current_dir(folder);
    let output = command.output().expect("the binary starts");
    assert!(output.stdout.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    let error: Value = serde_json::from_slice(&output.stderr).expect("the error is JSON");
    (output.status.code(), error["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn each_flag_that_takes_resources_names_all_that_there_are_not() {
    let folder = Folder::new();
    for command in
        ["plan --sandbox", "sync warehouse --sandbox", "backup --sandbox", "backup diff a b"]
    {
        for flag in ["--resources", "--exclude"] {
            let line = format!("{command} {flag} Deals,dael,Peple,ntoes");
            let (code, said) = refused(folder.path(), &line);
            assert_eq!(code, Some(64), "{line}: {said}");
            assert_eq!(
                said,
                format!(
                    "{flag}: there is no resource \"dael\" (did you mean deals?), \"Peple\", \"ntoes\" \
                     (did you mean notes?); `source-pipedrive resources` lists them all"
                ),
                "{line}"
            );
        }
    }
    let (code, said) = refused(folder.path(), "backup verify . --ignore Orphans,hsah");
    assert_eq!(code, Some(64));
    assert!(
        said.starts_with(
            "--ignore: there is no finding \"Orphans\", \"hsah\" (did you mean hash?)"
        ),
        "{said}"
    );
}

#[test]
fn fields_to_be_left_out_of_a_comparison_have_to_be_there() {
    let account = sandbox(Options { scale: 0.01, ..small() });
    let bundles = BundleFixture::new().account(&account);
    bundles.run(&["export", "--out", "a.json"]).json();
    for (ignored, meant) in [
        ("titel", "\"titel\" (did you mean title or job_title?)"),
        ("contacts.titel,updated_at", "\"contacts.titel\" (did you mean title or job_title?)"),
        ("custom.Regoin,custom.Nix", "\"custom.Regoin\", \"custom.Nix\""),
    ] {
        let (code, said) = bundles.run(&["diff", "a.json", "a.json", "--ignore", ignored]).error();
        assert_eq!(code, 64, "{said}");
        assert!(said.starts_with("--ignore: nothing that is compared is called "), "{said}");
        assert!(said.contains(meant.split(" (").next().unwrap_or_default()), "{said}: {meant}");
    }
    let bundle = bundles.bundle("a.json");
    let custom = bundle["opportunities"].as_array().into_iter().flatten();
    let custom =
        custom.filter_map(|row| row["custom"].as_object()).find_map(|all| all.keys().next());
    let name = format!("custom.\"{}\"", custom.expect("a deal has a custom field"));
    for ignored in ["title,updated_at", "custom", "contacts.emails", &name] {
        bundles.run(&["diff", "a.json", "a.json", "--ignore", ignored]).json();
    }
}

#[test]
fn fields_that_are_dropped_have_to_be_there() {
    let account = sandbox(Options { scale: 0.01, ..small() });
    let bundles = BundleFixture::new().crm(&account, 0);
    let bundle = json!({
        "version": "1", "organization_id": "org", "contacts": [{"public_id": "c", "quirk": 1}],
    });
    bundles.put("a.json", &bundle.to_string());
    for (dropped, unknown) in [
        ("contacts.titel", "\"contacts.titel\" (did you mean title?)"),
        ("Custum,x", "\"Custum\" (did you mean custom?), \"x\""),
        ("accounts.quirk", "\"accounts.quirk\""),
        ("custom.Region", "\"custom.Region\""),
        ("people.title", "\"people.title\""),
    ] {
        let (code, said) = bundles.run(&["push", "a.json", "--drop", dropped, "--foreign"]).error();
        assert_eq!(
            (code, said),
            (
                64,
                format!(
                    "--drop: neither the bundle nor the CRM's documentation has a field {unknown}"
                )
            )
        );
    }
    for dropped in ["custom", "Contacts.Title", "quirk", "contacts.quirk", "title, custom"] {
        let line = ["push", "a.json", "--drop", dropped, "--foreign", "--dry-run"];
        bundles.run(&line).json();
    }
}

#[test]
fn keys_of_a_configuration_that_nothing_reads_are_told() {
    let account = sandbox(Options { scale: 0.01, ..small() });
    let folder = Folder::new();
    let mut config = account.config();
    config["max_token"] = 5.into();
    config["credentials"]["access_token"] = "x".into();
    config["//"] = "a remark".into();
    folder.json("c.json", &config);
    let sentence = "\"max_token\" (did you mean max_tokens?) is no key of a configuration";
    for command in [
        "plan --resources stages",
        "sync warehouse --resources stages",
        "backup --resources stages",
        "bundle export --out b.json",
        "resources",
        "check -o table",
    ] {
        let mut words = Command::new(BINARY);
        words.args(command.split(' ')).args(["--config", "c.json"]).current_dir(folder.path());
        let output = words.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{command}: {said}");
        assert_eq!(said.matches(&format!("warning: {sentence}")).count(), 1, "{command}: {said}");
    }
    let mut doctor = Command::new(BINARY);
    doctor.args(["doctor", "--offline", "-o", "json", "--config", "c.json"]);
    let output = doctor.current_dir(folder.path()).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("did you mean max_tokens?"), "{said}");
    // Orchestrators hand in what they like: there it is no warning.
    let read = Read::of(&account, &["stages"]).with("max_token", 5).run().succeeded();
    let levels = read.of_type("LOG").filter(|line| line["log"]["message"] == sentence);
    let levels: Vec<_> = levels.map(|line| &line["log"]["level"]).collect();
    assert_eq!(levels, ["DEBUG"]);
    let tap = Tap::of(&account).with("max_token", 5).selecting(&["stages"]).run();
    assert!(tap.0.stderr.contains(&format!("DEBUG {sentence}\n")), "{}", tap.0.stderr);
    let mut quiet = Tap::of(&account).with("max_token", 5).command(&["-q", "--discover"]);
    let said = quiet.output().expect("the tap starts").stderr;
    assert!(!String::from_utf8_lossy(&said).contains("max_token"));
}
