//! Tests of S3 servers: what they require and refuse, and the error messages.

#![cfg(unix)]

use crate::cli::settings::program;
use crate::support::bucket::{Bucket, Demands, authority, certified};
use crate::support::{BINARY, Folder, sandbox, small};
use rustls::{ServerConnection, StreamOwned};
use source_pipedrive::sandbox::Sandbox;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output};

/// A command that writes or reads pipelines in a bucket.
fn command(bucket: &Bucket, folder: &Folder, account: &Sandbox, line: &str) -> Command {
    folder.json("config.json", &account.config());
    let url = Bucket::url(if line.starts_with("sync") { "lake" } else { "vault" });
    let mut arguments: Vec<_> = line.split(' ').collect();
    if line == "backup verify" {
        arguments.push(&url);
    } else {
        arguments.extend(["--config", "config.json", "--resources", "pipelines", "--dir", &url]);
    }
    arguments.extend(["-o", "json"]);
    bucket.used_by(program(BINARY, folder.path(), &arguments))
}

fn output(mut command: Command, settings: &[(&str, &str)]) -> Output {
    command.envs(settings.iter().copied()).output().expect("the binary starts")
}

#[track_caller]
fn succeeds(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{what}: {said}");
}

#[track_caller]
fn fails(what: &str, code: i32, output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{what}: {said}");
    for word in words {
        assert!(said.contains(word), "{what}: {word:?} is not in {said}");
    }
}

const LINES: [&str; 3] = ["sync warehouse", "backup", "backup verify"];

/// Refused without these settings, in the server's words; whole with each of those.
#[track_caller]
fn demanded(demands: fn() -> Demands, words: &[&str], settings: &[&[(&str, &str)]]) {
    let (account, folder) = (sandbox(small()), Folder::new());
    let bucket = Bucket::start(0).demanding(demands());
    for line in &LINES[..2] {
        fails(line, 74, &output(command(&bucket, &folder, &account, line), &[]), words);
    }
    for settings in settings {
        let bucket = Bucket::start(0).demanding(demands());
        for line in LINES {
            let output = output(command(&bucket, &folder, &account, line), settings);
            succeeds(&format!("{line} with {settings:?}"), &output);
        }
        assert!(bucket.holds("lake/") && bucket.holds("vault/"), "{:?}", bucket.names());
    }
}

#[test]
fn a_locked_bucket_wants_checksums() {
    let words = ["InvalidRequest: Content-MD5 OR x-amz-checksum-", "AWS_CHECKSUM_ALGORITHM"];
    demanded(
        || Demands { checksum: Some("SHA256"), ..Demands::default() },
        &words,
        &[
            &[("AWS_CHECKSUM_ALGORITHM", "sha256\n")],
            &[("AWS_REQUEST_CHECKSUM_CALCULATION", "when_supported")],
        ],
    );
    demanded(
        || Demands { checksum: Some("CRC64NVME"), ..Demands::default() },
        &words,
        &[&[
            ("AWS_CHECKSUM_ALGORITHM", "crc64nvme"),
            ("AWS_REQUEST_CHECKSUM_CALCULATION", "WHEN_REQUIRED"),
        ]],
    );
}

#[test]
fn an_encrypted_bucket_wants_its_key() {
    const KEY: &str = "arn:aws:kms:eu-north-1:1:key/1234";
    demanded(
        || Demands { kms: Some(KEY), ..Demands::default() },
        &["AccessDenied: User: arn:aws:iam::1:user/lake is not authorized", "may do"],
        &[&[
            ("AWS_SERVER_SIDE_ENCRYPTION", " aws:kms"),
            ("AWS_SSE_KMS_KEY_ID", "arn:aws:kms:eu-north-1:1:key/1234\n"),
        ]],
    );
}

/// Every setting may have white space around it; variables of others may be what they like.
#[test]
fn white_space_does_no_harm() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let bucket =
        Bucket::start(0).demanding(Demands { key: Some("invented"), ..Demands::default() });
    for line in LINES {
        let mut command = command(&bucket, &folder, &account, line);
        let set = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let set: Vec<_> = set.filter(|(name, _)| name.as_bytes().starts_with(b"AWS_")).collect();
        assert!(set.len() >= 4, "{set:?}");
        for (name, value) in set {
            let spaced = [b" \t", value.as_bytes(), b"\r\n"].concat();
            command.env(name, OsStr::from_bytes(&spaced));
        }
        command.env("AWS_EMPTY", "").env("AWS_CHECKSUM_ALGORITHM", " ");
        command.env("AWS_OF_ANOTHER_TOOL", OsStr::from_bytes(b"a\nb\xff"));
        command.env(OsStr::from_bytes(b"OF_ANOTHER\xff"), OsStr::from_bytes(b"\xff"));
        succeeds(line, &command.output().expect("the binary starts"));
    }
}

#[test]
fn keys_of_the_environment_go_before_a_profile() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let keys = folder.file(
        "keys",
        "[lake]\naws_access_key_id = of-the-profile\naws_secret_access_key = invented\n",
    );
    let profile = [
        ("AWS_PROFILE", "lake"),
        ("AWS_SHARED_CREDENTIALS_FILE", keys.to_str().expect("a path of ours")),
    ];
    for (demanded, own) in [("invented", true), ("of-the-profile", false)] {
        let demands = Demands { key: Some(demanded), ..Demands::default() };
        let bucket = Bucket::start(0).demanding(demands);
        let mut command = command(&bucket, &folder, &account, "sync warehouse");
        if !own {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        }
        succeeds(demanded, &output(command, &profile));
    }
}

/// Whatever a server says no with, its code and its words are shown, and what can be done.
#[test]
fn a_refusal_shows_the_words_of_the_server() {
    let (account, folder) = (sandbox(small()), Folder::new());
    for (status, code, message, advice) in [
        ("403 Forbidden", "AccessDenied", "Access Denied", "may do"),
        (
            "403 Forbidden",
            "SignatureDoesNotMatch",
            "The signature does not match.",
            "AWS_SECRET_ACCESS_KEY",
        ),
        ("403 Forbidden", "InvalidAccessKeyId", "No such key.", "AWS_ACCESS_KEY_ID"),
        ("400 Bad Request", "ExpiredToken", "The provided token has expired.", "AWS_SESSION_TOKEN"),
        ("403 Forbidden", "RequestTimeTooSkewed", "The difference is too large.", "clock"),
        (
            "400 Bad Request",
            "AuthorizationHeaderMalformed",
            "the region &apos;us-east-1&apos; is wrong; expecting &apos;eu-west-1&apos;",
            "AWS_REGION",
        ),
        ("301 Moved Permanently", "PermanentRedirect", "", "AWS_REGION"),
        ("404 Not Found", "NoSuchBucket", "The specified bucket does not exist", "create"),
        ("400 Bad Request", "KMS.DisabledException", "The key is disabled.", "AWS_SSE_KMS_KEY_ID"),
        ("403 Forbidden", "QuotaExceeded", "Your bucket is full.", "refuses"),
        ("409 Conflict", "InvalidBucketState", "The bucket is locked.", "refuses"),
    ] {
        for (method, line) in [
            ("GET", "sync warehouse"),
            ("GET", "backup verify"),
            ("PUT", "sync warehouse"),
            ("POST", "backup"),
        ] {
            // Creating what exists is no error, and a 409 says that.
            if status.starts_with("409") && method == "PUT" {
                continue;
            }
            let demands =
                Demands { refusal: Some((method, status, code, message)), ..Demands::default() };
            let bucket = Bucket::start(0).demanding(demands);
            let output = output(command(&bucket, &folder, &account, line), &[]);
            let said = message.replace("&apos;", "'");
            // The library keeps the words of a redirect to itself.
            let words =
                if status.starts_with("301") { vec![advice] } else { vec![code, &said, advice] };
            fails(&format!("{line}, {method} {code}"), 74, &output, &words);
        }
    }
}

/// A server of a private authority is known with its certificate only.
#[test]
fn a_private_authority_can_be_trusted() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let bucket = Bucket::encrypted();
    let authority = authority().to_str().expect("a path of ours").to_owned();
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        for line in LINES {
            let output = output(command(&bucket, &folder, &account, line), &[(name, &authority)]);
            succeeds(&format!("{line} with {name}"), &output);
        }
    }
    assert!(bucket.holds("lake/"), "{:?}", bucket.names());
}

/// Pipedrive's answer comes through TLS that a private authority vouches for.
#[test]
fn a_private_authority_can_be_trusted_for_pipedrive() {
    let folder = Folder::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
    let port = listener.local_addr().expect("it has an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            let session = ServerConnection::new(certified()).expect("it can begin");
            let mut stream = StreamOwned::new(session, stream);
            let body = r#"{"success":false,"error":"unauthorized access"}"#;
            // Who does not trust it leaves before.
            if stream.read(&mut [0; 4_096]).is_ok() {
                let head = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
                let _ = stream.flush();
            }
        }
    });
    let config = serde_json::json!({
        "api_token": "t0ken", "base_url": format!("https://localhost:{port}"), "backoff_millis": 1,
    });
    folder.json("config.json", &config);
    let run = |file: Option<&str>| {
        let arguments = ["plan", "--config", "config.json", "-o", "json"];
        let mut command = program(BINARY, folder.path(), &arguments);
        command.envs(file.map(|file| ("SSL_CERT_FILE", file)));
        command.output().expect("the binary starts")
    };
    fails("the system's authorities", 69, &run(None), &[]);
    fails("its own authority", 77, &run(authority().to_str()), &["token"]);
}
