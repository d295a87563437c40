//! Tests of proxies, echoed tokens, secrets in rows, and limits of time and size.

use crate::support::backup::BackupFixture;
use crate::support::bucket::Bucket;
use crate::support::bundle::BundleFixture;
use crate::support::tap::{TAP, Tap};
use crate::support::warehouse::WarehouseFixture;
use crate::support::{BINARY, Folder, Read, Session, assert_whole, catalog, sandbox, small};
use serde_json::Value;
use source_pipedrive::sandbox::{Edit, Fault, FaultKind, Options, Sandbox};
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A proxy that answers nothing and keeps what it sees.
struct Proxy {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let (seen, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (kept, end) = (Arc::clone(&seen), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let mut first = [0; 2_048];
                let length = stream.and_then(|mut stream| stream.read(&mut first)).unwrap_or(0);
                let text = String::from_utf8_lossy(&first[..length]).into_owned();
                kept.lock().expect("nobody panicked").push(text);
            }
        });
        Self { address, seen, ends, thread: Some(thread) }
    }

    /// Returns a command that is configured to use the proxy in every possible way.
    fn around(&self, mut command: Command) -> Command {
        for name in ["http_proxy", "https_proxy", "all_proxy"] {
            for name in [name.to_owned(), name.to_uppercase()] {
                command.env(name, format!("http://{}", self.address));
            }
        }
        for name in ["no_proxy", "NO_PROXY", "REQUEST_METHOD"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn unseen(&self, what: &str, output: &Output) {
        let seen = self.seen.lock().expect("nobody panicked").clone();
        assert!(seen.is_empty(), "{what}: the proxy saw {seen:?}");
        let code = output.status.code();
        assert_eq!(code, Some(0), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    }

    #[track_caller]
    fn unused_by(&self, what: &str, command: Command) {
        let output = self.around(command).output().expect("the binary starts");
        self.unseen(what, &output);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // It may have ended by itself.
        let _ = std::net::TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn command(binary: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if ["PIPEDRIVE_", "DRIPPULSE_", "TAP_PIPEDRIVE_", "AWS_"]
            .iter()
            .any(|p| name.starts_with(p))
        {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn no_command_asks_its_sandbox_through_a_proxy() {
    let (proxy, folder) = (Proxy::start(), Folder::new());
    folder.json("catalog.json", &catalog(&["pipelines"], "incremental"));
    for (binary, line) in [
        (BINARY, "check --sandbox"),
        (BINARY, "discover --sandbox"),
        (BINARY, "read --sandbox --catalog catalog.json"),
        (BINARY, "plan --sandbox"),
        (BINARY, "sync warehouse --sandbox --resources pipelines --dir warehouse"),
        (BINARY, "backup --sandbox --resources files --include file_contents --dir backup"),
        (BINARY, "bundle export --sandbox --out bundle.json"),
        (&*TAP, "--sandbox --discover"),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        proxy.unused_by(line, command(binary, folder.path(), &arguments));
    }
}

/// Token, OAuth token endpoint, downloads and what they redirect to, the other CRM, the bucket.
#[test]
fn nothing_on_this_machine_is_asked_through_a_proxy() {
    let (proxy, folder) = (Proxy::start(), Folder::new());
    let account = sandbox(small());
    let port = account.origin().rsplit(':').next().expect("a port").to_owned();
    for (name, config) in [("token", account.config()), ("oauth", account.oauth_config())] {
        for host in ["127.0.0.1", "localhost"] {
            let mut config = config.clone();
            config["base_url"] = format!("http://{host}:{port}").into();
            folder.json("config.json", &config);
            let arguments = ["check", "--config", "config.json"];
            let output = proxy.around(command(BINARY, folder.path(), &arguments)).output();
            let output = output.expect("the binary starts");
            proxy.unseen(&format!("check with {name} at {host}"), &output);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("SUCCEEDED"), "{said}");
        }
    }
    let backups = BackupFixture::of(&account, &["files"]);
    proxy.unused_by("attachments", backups.command(&["--include", "file_contents"]));
    let tap = Tap::of(&account);
    proxy.unused_by("tap", tap.command(&["--discover"]));
    let bundles = BundleFixture::new().account(&account).crm(&account, 0);
    proxy.unused_by("bundle export", bundles.command(&["export", "--out", "bundle.json"]));
    proxy.unused_by("bundle pull", bundles.command(&["pull", "--out", "pulled.json"]));
    let bucket = Bucket::start(0);
    proxy.unused_by("S3", to_bucket(&bucket, &folder, &account, "sync warehouse"));
    assert!(bucket.holds("lake/"), "{:?}", bucket.names());
}

/// A command that writes this account's pipelines into a bucket.
fn to_bucket(bucket: &Bucket, folder: &Folder, account: &Sandbox, line: &str) -> Command {
    folder.json("config.json", &account.config());
    let url = Bucket::url("lake");
    let mut arguments: Vec<_> = line.split(' ').collect();
    arguments.extend(["--config", "config.json", "--resources", "pipelines", "--dir", &url]);
    bucket.used_by(command(BINARY, folder.path(), &arguments))
}

/// Every other host is reached through the proxy: the proxy gets a name that only it can resolve.
#[test]
fn other_hosts_are_asked_through_the_proxy() {
    let (proxy, folder) = (Proxy::start(), Folder::new());
    let config = serde_json::json!({
        "base_url": "https://account.example.test", "api_token": "t0p5ecret", "backoff_millis": 1,
    });
    folder.json("config.json", &config);
    let arguments = ["check", "--config", "config.json"];
    let output = proxy.around(command(BINARY, folder.path(), &arguments)).output();
    assert_eq!(output.expect("the binary starts").status.code(), Some(0));
    let seen = proxy.seen.lock().expect("nobody panicked").clone();
    assert!(
        seen.iter().all(|said| said.starts_with("CONNECT account.example.test:443 ")),
        "{seen:?}"
    );
    assert!(!seen.is_empty() && !format!("{seen:?}").contains("t0p5ecret"));
}

/// So is an S3 server elsewhere, and the requests to it stay encrypted.
#[test]
fn a_bucket_elsewhere_is_asked_through_the_proxy() {
    let (bucket, folder) = (Bucket::start(0), Folder::new());
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let proxy = listener.local_addr().expect("it has an address").to_string();
        let url = Bucket::url("lake");
        let verify =
            crate::cli::settings::program(BINARY, folder.path(), &["backup", "verify", &url]);
        let mut command = bucket.used_by(verify);
        command.env("AWS_ENDPOINT_URL", "https://store.example.test");
        command.env("AWS_SESSION_TOKEN", "t0p5ecret").env(variable, proxy);
        // A proxy for plain text is never asked.
        command.env("HTTP_PROXY", "http://127.0.0.1:9").env("NO_PROXY", "other.example.test");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let (mut stream, _) = listener.accept().expect("it comes");
        let mut first = [0; 2_048];
        let length = stream.read(&mut first).expect("it says something");
        // It would try for a minute.
        child.kill().expect("the process can be killed");
        child.wait().expect("it ends");
        let said = String::from_utf8_lossy(&first[..length]).into_owned();
        assert!(said.starts_with("CONNECT store.example.test:443 "), "{variable}: {said}");
        assert!(!said.contains("t0p5ecret"), "{said}");
    }
    assert_eq!(bucket.asked(), 0);
}

/// Whatever its length, a token that an answer repeats is shown nowhere.
#[test]
fn an_echoed_token_is_masked() {
    const LETTERS: &str = "q7Zx0vK2mB9nW4cR8tY6uJ1hG3fD5sAqEwLpOiXkVbNjMhUyTgRfCdZeQ7sPzKx0";
    for length in [1, 2, 3, 4, 8, 20, 31, 32, 33, 40, 64] {
        let token = &LETTERS[..length];
        let faults = vec![Fault::on(FaultKind::Echo, "/", 1, u32::MAX)];
        let account = sandbox(Options { token: token.to_owned(), faults, ..small() });
        let read = Read::of(&account, &["deals"]).run();
        let backup = BackupFixture::of(&account, &["deals"]).run(&[]);
        let said = format!("{:?} {} {}", read.lines, read.stderr, backup.stderr);
        assert!(said.contains("(token=****) cannot do this"), "{length}: {said:.2000}");
        assert!(!said.contains(&format!("token={token}")), "{length}");
        assert!(!said.contains(&format!("token {token} ")), "{length}");
        assert!(length < 4 || !said.contains(token), "{length}: {said:.2000}");
    }
    let faults = vec![Fault::on(FaultKind::Echo, "/deals", 1, u32::MAX)];
    let account = sandbox(Options { faults, ..small() });
    let mut backups = BackupFixture::of(&account, &["deals", "pipelines"]);
    backups.config = account.oauth_config();
    let run = backups.run(&[]);
    let kept = backups.text("manifest.json");
    assert!(kept.contains("cannot do this") && !kept.contains("sandbox-access"), "{kept}");
    assert!(!run.stderr.contains("sandbox-access"), "{}", run.stderr);
}

#[test]
fn an_echoed_key_of_the_crm_is_masked() {
    let faults = vec![Fault::on(FaultKind::Echo, "/", 1, u32::MAX)];
    let account = sandbox(Options { faults, ..Options::default() });
    for key in [account.crm_key(0).as_str(), "k", "short"] {
        let bundles = BundleFixture::new().crm(&account, 0).key(key);
        let run = bundles.run(&["pull", "--out", "pulled.json"]);
        assert_ne!(run.code, Some(0));
        assert!(run.stderr.contains("token=****"), "{}", run.stderr);
        assert!(!run.stderr.contains(&format!("token={key}")), "{}", run.stderr);
    }
}

const SECRETS: [&str; 4] = ["p4ssw0rd-of-hook", "us3r-of-hook", "p4ss-in-url", "k3y-in-query"];

/// An account with secrets in a webhook.
fn with_secrets() -> Sandbox {
    let account = sandbox(small());
    let url = "https://us3r-of-hook:p4ss-in-url@hook.example.test/p?a=1&api_key=k3y-in-query";
    account.state(|account| {
        account.edit(Edit::Change {
            resource: "webhooks",
            key: "1".to_owned(),
            set: vec![("http_auth_password", SECRETS[0].into()), ("subscription_url", url.into())],
        })
    });
    account
}

/// What a backup masks, every other output masks as well, and in the same words.
#[test]
fn secrets_in_rows_leave_by_no_way() {
    const URL: &str = "https://****@hook.example.test/p?a=1&api_key=****";
    let account = with_secrets();
    let clean = |what: &str, row: &Value, said: &str| {
        assert_eq!(row["http_auth_password"], "****", "{what}");
        assert_eq!(row["subscription_url"], URL, "{what}");
        for secret in SECRETS {
            assert!(!said.contains(secret), "{what} shows {secret}");
        }
    };
    let backups = BackupFixture::of(&account, &["webhooks"]);
    backups.run(&[]).succeeded();
    let text = backups.text("webhooks.json");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("a list");
    clean("backup", &rows[0], &text);

    let read = Read::of(&account, &["webhooks"]).run().succeeded();
    clean("read", read.records("webhooks")[0], &format!("{:?}", read.lines));

    let tap = Tap::of(&account).selecting(&["webhooks"]);
    let output = tap.command(&[]).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = text.lines().filter(|line| line.contains("\"RECORD\"")).find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        (line["stream"] == "webhooks").then(|| line["record"].clone())
    });
    clean("tap", &row.expect("there is a row"), &text);

    for format in ["ndjson", "parquet"] {
        let warehouse = WarehouseFixture::of(&account, format, &["webhooks"]);
        warehouse.sync(&[]).succeeded();
        let rows = warehouse.rows(&account, "webhooks");
        let shown = format!("{rows:?}");
        assert!(shown.contains(URL) && shown.contains("****"), "{format}: {shown}");
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{format} shows {secret}");
        }
    }
}

/// Mode bits of everything below a folder, and of it itself.
#[cfg(unix)]
fn modes(folder: &Path) -> Vec<(String, u32)> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| {
        std::fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o777
    };
    let mut modes = vec![(folder.display().to_string(), mode(folder))];
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            modes.extend(self::modes(&path));
        } else {
            modes.push((path.display().to_string(), mode(&path)));
        }
    }
    modes
}

/// Whatever the umask: files 0600, folders 0700; in a first run, in a resumed run after a kill, and in a
/// rebuild.
#[cfg(unix)]
#[test]
fn a_warehouse_is_its_owners_alone() {
    for umask in ["000", "022"] {
        for format in ["ndjson", "parquet"] {
            let account = sandbox(small());
            let warehouse =
                WarehouseFixture::of(&account, format, &["deals", "webhooks", "deal_products"]);
            let run = |more: &[&str], crash: Option<u64>| {
                let mut depot_command = warehouse.command(more);
                if let Some(step) = crash {
                    let mut config = warehouse.config.clone();
                    config["crash_at_step"] = step.into();
                    depot_command = warehouse.command_with(&config, more);
                }
                let mut command = Command::new("sh");
                command.arg("-c").arg(format!("umask {umask}; exec \"$0\" \"$@\""));
                command.arg(depot_command.get_program()).args(depot_command.get_args());
                let output = command.output().expect("there is a shell");
                for (path, mode) in modes(&warehouse.dir()) {
                    let expected = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
                    assert_eq!(mode, expected, "{path} with umask {umask}: {mode:o}");
                }
                output.status.code()
            };
            assert_eq!(run(&[], Some(24)), None, "it aborts");
            assert_eq!(run(&[], None), Some(0));
            account.state(|account| account.advance(3_600));
            assert_eq!(run(&["--full"], None), Some(0));
            assert!(modes(&warehouse.dir()).len() > 4);
        }
    }
}

/// Encodings have names that know no case, and an old one.
#[test]
fn every_name_of_gzip_is_understood() {
    for name in ["gzip", "GZIP", "x-gzip", "X-GZip"] {
        let account = sandbox(Options { gzip_name: name, ..small() });
        let session = Read::of(&account, &["deals"]).run().succeeded();
        assert_whole(&account, &session, &["deals"]);
    }
}

#[test]
fn a_cursor_that_is_too_long_is_called_so() {
    let faults = vec![Fault::on(FaultKind::LongCursor, "/api/v2/persons", 2, u32::MAX)];
    let account = sandbox(Options { faults, ..small() });
    let session: Session = Read::of(&account, &["persons", "pipelines"]).run();
    assert_eq!(session.code, Some(1));
    let errors = session.errors();
    let named = "the cursor of the next page is too long: 100000 bytes, at most 16384 are sent";
    assert!(errors.iter().any(|error| error.contains(named)), "{errors:?}");
    assert_whole(&account, &session, &["pipelines"]);
}

/// What takes long is waited for as long as something comes: only silence ends an answer.
#[test]
fn an_answer_may_take_longer_than_its_silence() {
    use std::time::Duration;
    // Sixteen pauses of 200 ms each, and 1,000 ms of silence at most.
    let drip = Fault::on(FaultKind::Drip(Duration::from_millis(200)), "/api/v2/persons", 1, 1);
    let account = sandbox(Options { faults: vec![drip], ..small() });
    let session = Read::of(&account, &["persons"]).with("timeout_millis", 1_000).run().succeeded();
    assert_whole(&account, &session, &["persons"]);
    let quick = sandbox(small());
    Read::of(&quick, &["persons"]).run().succeeded();
    let asked = account.request_log().requests.len();
    assert_eq!(asked, quick.request_log().requests.len(), "no page is asked for twice");
}

/// `503 SlowDown` more often than six times: it is asked again for a minute.
#[test]
fn a_bucket_that_asks_to_slow_down_is_waited_for() {
    let account = sandbox(small());
    let bucket = Bucket::start(7);
    let folder = Folder::new();
    let output = to_bucket(&bucket, &folder, &account, "sync warehouse").output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bucket.slowed_down(), 7);
    assert!(bucket.holds("lake/"), "{:?}", bucket.names());
}

/// An interrupted read of an object is resumed as long as each attempt makes progress.
#[test]
fn a_part_of_an_object_is_enough_to_go_on() {
    let (account, bucket, folder) = (sandbox(small()), Bucket::start(0), Folder::new());
    let backup = to_bucket(&bucket, &folder, &account, "backup").output();
    let backup = backup.expect("the binary starts");
    assert_eq!(backup.status.code(), Some(0), "{}", String::from_utf8_lossy(&backup.stderr));
    bucket.breaks_off(6);
    let url = Bucket::url("lake");
    let verify = command(BINARY, folder.path(), &["backup", "verify", &url]);
    let output = bucket.used_by(verify).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(bucket.parts_asked() >= 6);
}
