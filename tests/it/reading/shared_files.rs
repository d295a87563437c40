//! Tests of shared files: an OAuth file of several processes, and folders with other content.

use crate::support::backup::BackupFixture;
use crate::support::warehouse::{CommandOutput, WarehouseFixture};
use crate::support::{sandbox, small};
use secrecy::{ExposeSecret as _, SecretString};
use source_pipedrive::api::{Account, Client, Reread};
use source_pipedrive::model::{Kind, Settings};
use source_pipedrive::sandbox::{Options, Sandbox};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

fn refresh_token(sandbox: &Sandbox) -> SecretString {
    let config = sandbox.oauth_config();
    config["credentials"]["refresh_token"].as_str().expect("it is text").to_owned().into()
}

#[test]
fn a_refused_refresh_token_is_read_again_before_a_run_gives_up() {
    let account = sandbox(Options { rotate_refresh_tokens: true, ..small() });
    let mut config = account.oauth_config();
    config["backoff_millis"] = 1.into();
    let settings = Settings::from_json(&config).expect("it is a configuration");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let stale = refresh_token(&account);
        let (first, _rotations) = Client::new(&settings).expect("the client starts");
        Account::of(&first, &settings).await.expect("the first process is let in");
        // The file still holds the old token when it is looked at first.
        let looks = std::sync::Arc::new(AtomicUsize::new(0));
        for late in [0, 2, 3] {
            looks.store(0, Ordering::Relaxed);
            let (stale, current) = (stale.clone(), refresh_token(&account));
            let counted = std::sync::Arc::clone(&looks);
            let reread = Reread::new(move || {
                let look = counted.fetch_add(1, Ordering::Relaxed);
                Some(if look < late { stale.clone() } else { current.clone() })
            });
            let (client, mut rotations) = Client::new(&settings).expect("the client starts");
            let client = client.rereading(reread);
            let outcome = Account::of(&client, &settings).await;
            if late < 3 {
                outcome.expect("the newer token lets it in");
                let rotated = rotations.try_recv().expect("it is handed on");
                assert_eq!(rotated.expose_secret(), refresh_token(&account).expose_secret());
            } else {
                assert_eq!(outcome.expect_err("there is none").kind(), Kind::Auth);
            }
        }
    });
}

#[test]
fn two_processes_share_one_oauth_file() {
    let account = sandbox(Options { rotate_refresh_tokens: true, ..small() });
    let backups = BackupFixture::of(&account, &["stages"]);
    let warehouse = WarehouseFixture::of(&account, "ndjson", &["stages"]);
    let folder = crate::support::Folder::new();
    let mut config = account.oauth_config();
    config["backoff_millis"] = 300.into();
    let path = folder.json("oauth.json", &config);
    let begun = [backups.command(&[]), warehouse.command(&[])].map(|command| {
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let place = arguments.iter().position(|one| one == "--config").expect("it has one");
        let mut arguments = arguments;
        arguments[place + 1] = path.clone().into();
        let mut shared = Command::new(command.get_program());
        shared.args(arguments).stdout(std::process::Stdio::piped());
        shared.stderr(std::process::Stdio::piped());
        shared.spawn().expect("the binary starts")
    });
    for child in begun {
        let output = child.wait_with_output().expect("it ends");
        CommandOutput::of(&output).succeeded();
    }
    let kept = fs::read_to_string(&path).expect("it is there");
    assert!(kept.contains(refresh_token(&account).expose_secret()));
}

/// The folders in which data sets are kept, and how each is filled.
fn each(account: &Sandbox, mut act: impl FnMut(&Path, &dyn Fn() -> Command)) {
    let backups = BackupFixture::of(account, &["stages"]);
    let warehouse = WarehouseFixture::of(account, "ndjson", &["stages"]);
    for dir in [backups.dir(), warehouse.dir()] {
        fs::create_dir_all(&dir).expect("it is made");
    }
    act(&backups.dir(), &|| backups.command(&[]));
    act(&warehouse.dir(), &|| warehouse.command(&[]));
}

/// Only root can read `lost+found` of a mounted disk. This process may be root: then commands run as
/// another user.
#[cfg(unix)]
#[test]
fn folders_that_may_not_be_read_are_in_nobodys_way() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    let account = sandbox(small());
    each(&account, |dir, command| {
        let (above, closed) = (dir.parent().expect("it has one"), dir.join("lost+found"));
        fs::create_dir(&closed).expect("it is made");
        fs::write(closed.join("secret"), "theirs").expect("it is written");
        mode(above, 0o777);
        mode(dir, 0o777);
        mode(&closed, 0);
        let root = fs::read_dir(&closed).is_ok();
        for _ in 0..2 {
            let mut command = command();
            if root {
                command.uid(NOBODY).gid(NOBODY);
            }
            CommandOutput::of(&command.output().expect("the binary starts")).succeeded();
        }
        mode(&closed, 0o700);
        assert_eq!(fs::read_to_string(closed.join("secret")).expect("it is there"), "theirs");
    });
}

#[test]
fn what_systems_leave_in_a_folder_is_passed_over() {
    let account = sandbox(small());
    each(&account, |dir, command| {
        for name in [".DS_Store", "._notes", "Thumbs.db", "desktop.ini", ".nfs000123"] {
            fs::write(dir.join(name), "theirs").expect("it is written");
        }
        for name in [".snapshot/hourly", "lost+found"] {
            fs::create_dir_all(dir.join(name)).expect("it is made");
            fs::write(dir.join(name).join("old"), "theirs").expect("it is written");
        }
        for _ in 0..2 {
            CommandOutput::of(&command().output().expect("the binary starts")).succeeded();
        }
        assert_eq!(fs::read_to_string(dir.join(".DS_Store")).expect("it is there"), "theirs");
    });
    // Anything else is user data, or the rest of a data set without its manifest.
    each(&account, |dir, command| {
        fs::write(dir.join("stages.ndjson"), "theirs").expect("it is written");
        let said = CommandOutput::of(&command().output().expect("the binary starts"));
        said.failed(65, &["other files", "stages.ndjson"]);
    });
}
