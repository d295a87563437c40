//! Accounts that have different features, and the flags that choose among them.

use crate::support::{BINARY, Folder, profiles, sandbox};
use source_pipedrive::sandbox::Feature;
use std::process::Command;

#[test]
fn an_account_is_in_order_whatever_it_has_bought() {
    for (name, options) in profiles() {
        let account = sandbox(options);
        let folder = Folder::new();
        let config = folder.json("config.json", &account.config());
        let check = Command::new(BINARY).arg("check").arg("--config").arg(config).output();
        let check = check.expect("the binary starts");
        assert!(check.status.success(), "{name}: {}", String::from_utf8_lossy(&check.stdout));
    }
}

#[test]
fn an_unknown_feature_is_answered_with_the_names_of_all() {
    for line in [
        "sandbox --lacks projcts",
        "plan --sandbox --lacks goals,projcts",
        "check --sandbox --lacks projcts",
    ] {
        let output = Command::new(BINARY).args(line.split(' ')).output().expect("it starts");
        assert!(!output.status.success(), "{line}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        for feature in Feature::ALL {
            assert!(said.contains(feature.name()), "{line}: {said}");
        }
    }
    let alone = ["plan", "--lacks", "goals"];
    let output = Command::new(BINARY).args(alone).output().expect("it starts");
    assert_eq!(output.status.code(), Some(64), "{}", String::from_utf8_lossy(&output.stderr));
}
