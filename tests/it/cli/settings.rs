//! Settings from outside: whatever is wrong with one, it is named, and nothing is asked for with it.

#![cfg(unix)]

use crate::support::bucket::Bucket;
use crate::support::tap::TAP;
use crate::support::{BINARY, Folder, sandbox, small};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program without a setting of the tests' own environment.
pub(crate) fn program(binary: &str, folder: &Path, arguments: &[&str]) -> Command {
    const OURS: [&str; 5] = ["PIPEDRIVE_", "DRIPPULSE_", "TAP_PIPEDRIVE_", "AWS_", "SSL_CERT_"];
    let mut command = Command::new(binary);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.ends_with("_PROXY") || OURS.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Programs that run side by side.
const HANDS: usize = 4;

/// Settings of a command that are not what they should be; no value takes a variable away.
type Slip<'s> = (&'s [(&'s str, Option<&'s [u8]>)], &'s str);

fn with(mut command: Command, slip: &Slip<'_>) -> Command {
    for (name, value) in slip.0 {
        match value {
            Some(value) => command.env(name, OsStr::from_bytes(value)),
            None => command.env_remove(name),
        };
    }
    command
}

/// What is wrong with the way a command refused a slip, if anything is.
fn fault(output: &Output, codes: &[i32], word: &str) -> Option<String> {
    let code = output.status.code();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = said + &String::from_utf8_lossy(&output.stderr);
    let named = said.lines().any(|line| line.contains(word));
    let right = code.is_some_and(|code| codes.contains(&code)) && named;
    (!right || said.contains("panicked")).then(|| format!("exit {code:?}, {word} in {said:.400}"))
}

/// Every slip, and nothing but its answer: the other settings are those of `base`.
#[track_caller]
fn refused(codes: &[i32], slips: &[Slip<'_>], base: impl Fn() -> Command + Sync) {
    let answer = |slip: &Slip<'_>| {
        let output = with(base(), slip).output().expect("the binary starts");
        let set = slip.0.iter().map(|(name, value)| (name, value.map(OsStr::from_bytes)));
        let set: Vec<_> = set.collect();
        fault(&output, codes, slip.1).map(|fault| format!("{set:?}: {fault}"))
    };
    let answers: Vec<String> = std::thread::scope(|scope| {
        let answer = &answer;
        let hands = slips
            .chunks(slips.len().div_ceil(HANDS))
            .map(|slips| scope.spawn(move || slips.iter().filter_map(answer).collect::<Vec<_>>()));
        let hands: Vec<_> = hands.collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("a hand ends")).collect()
    });
    assert!(answers.is_empty(), "{} of {}:\n{}", answers.len(), slips.len(), answers.join("\n"));
}

/// One variable with this value, which must be named.
macro_rules! one {
    ($name:literal, $value:expr) => {
        (&[($name, Some($value as &[u8]))] as &[(&str, Option<&[u8]>)], $name)
    };
}

const KMS: (&str, Option<&[u8]>) = ("AWS_SERVER_SIDE_ENCRYPTION", Some(b"aws:kms"));
const NO_KEY: [(&str, Option<&[u8]>); 2] =
    [("AWS_ACCESS_KEY_ID", None), ("AWS_SECRET_ACCESS_KEY", None)];

/// Slips of the settings of S3, by the variable that must be named.
const OF_S3: &[Slip<'static>] = &[
    one!("AWS_ENDPOINT_URL", b"localhost:9000"),
    one!("AWS_ENDPOINT_URL", b"minio.example.test"),
    one!("AWS_ENDPOINT_URL", b"http//localhost:9000"),
    one!("AWS_ENDPOINT_URL", b"https://mini o.example.test"),
    one!("AWS_ENDPOINT_URL", b"https://minio\n.example.test"),
    one!("AWS_ENDPOINT_URL", b"ftp://minio.example.test"),
    one!("AWS_ENDPOINT_URL", b"https://"),
    one!("AWS_ENDPOINT_URL", b"https://minio.example.test:99999"),
    one!("AWS_ENDPOINT_URL", b"http://127.0.0.1:port"),
    one!("AWS_ENDPOINT_URL", b"https://us3r:p4ss@minio.example.test"),
    one!("AWS_ENDPOINT_URL", b"https://minio.example.test/?a=b"),
    one!("AWS_ENDPOINT_URL", b"https://minio.example.test/#a"),
    one!("AWS_ENDPOINT_URL", b"http://minio.example.test"),
    one!("AWS_ENDPOINT_URL", b"https://minio\xff.example.test"),
    one!("AWS_ENDPOINT_URL_S3", b"localhost:9000"),
    (&[("AWS_ENDPOINT_URL", None), ("AWS_ENDPOINT", Some(b"localhost:9000"))], "AWS_ENDPOINT"),
    one!("AWS_ENDPOINT_URL_STS", b"http://sts.example.test"),
    one!("AWS_ACCESS_KEY_ID", b"inven ted"),
    one!("AWS_ACCESS_KEY_ID", b"inven\nted"),
    one!("AWS_ACCESS_KEY_ID", "schlüssel".as_bytes()),
    one!("AWS_ACCESS_KEY_ID", b"inven\xffted"),
    one!("AWS_SECRET_ACCESS_KEY", b"inven ted"),
    one!("AWS_SECRET_ACCESS_KEY", b"inven\r\nted"),
    one!("AWS_SECRET_ACCESS_KEY", b"inven\xffted"),
    (&[("AWS_SECRET_ACCESS_KEY", None)], "AWS_SECRET_ACCESS_KEY"),
    (&[("AWS_SECRET_ACCESS_KEY", Some(b" \n"))], "AWS_SECRET_ACCESS_KEY"),
    (&[("AWS_ACCESS_KEY_ID", None)], "AWS_ACCESS_KEY_ID"),
    one!("AWS_SESSION_TOKEN", b"to\nken"),
    one!("AWS_SESSION_TOKEN", "tökén".as_bytes()),
    one!("AWS_REGION", b"eu north"),
    one!("AWS_REGION", b"eu-north-1/x"),
    one!("AWS_REGION", b"eu-north\n-1"),
    one!("AWS_REGION", b"eu-north-1\xff"),
    (&[("AWS_REGION", None), ("AWS_DEFAULT_REGION", Some(b"eu#north"))], "AWS_DEFAULT_REGION"),
    (&[("AWS_ENDPOINT_URL", None), ("AWS_REGION", Some(b"eu-north-1a"))], "AWS_REGION"),
    (&[("AWS_ENDPOINT_URL", None), ("AWS_REGION", Some(b"Frankfurt"))], "AWS_REGION"),
    one!("AWS_CHECKSUM_ALGORITHM", b"md5"),
    one!("AWS_CHECKSUM_ALGORITHM", b"sha256\xff"),
    one!("AWS_REQUEST_CHECKSUM_CALCULATION", b"always"),
    one!("AWS_SERVER_SIDE_ENCRYPTION", b"kms"),
    one!("AWS_SERVER_SIDE_ENCRYPTION", b"sse-c"),
    one!("AWS_SSE_KMS_KEY_ID", b"arn:aws:kms:eu-north-1:1:key/x"),
    (&[KMS, ("AWS_SSE_KMS_KEY_ID", Some(b"a\nb"))], "AWS_SSE_KMS_KEY_ID"),
    (&[KMS, ("AWS_SSE_KMS_KEY_ID", Some("schlüssel".as_bytes()))], "AWS_SSE_KMS_KEY_ID"),
    (&[KMS, ("AWS_SSE_BUCKET_KEY_ENABLED", Some(b"perhaps"))], "AWS_SSE_BUCKET_KEY_ENABLED"),
    one!("AWS_SSE_CUSTOMER_KEY_BASE64", b"c2hvcnQ="),
    (
        &[
            ("AWS_SERVER_SIDE_ENCRYPTION", Some(b"sse-c")),
            ("AWS_SSE_CUSTOMER_KEY_BASE64", Some(b"c2hvcnQ=")),
        ],
        "AWS_SSE_CUSTOMER_KEY_BASE64",
    ),
    one!("AWS_ALLOW_HTTP", b"perhaps"),
    one!("AWS_SKIP_SIGNATURE", b"perhaps"),
    one!("AWS_UNSIGNED_PAYLOAD", b"perhaps"),
    one!("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", b"perhaps"),
    one!("AWS_REQUEST_PAYER", b"perhaps"),
    one!("AWS_S3_EXPRESS", b"perhaps"),
    one!("AWS_S3_EXPRESS", b"true"),
    one!("AWS_IMDSV1_FALLBACK", b"perhaps"),
    one!("AWS_DISABLE_BULK_DELETE", b"perhaps"),
    one!("AWS_CONDITIONAL_PUT", b"never"),
    one!("AWS_CA_BUNDLE", b"/nonexistent/ca.pem"),
    one!("AWS_CA_BUNDLE", b"/dev/null"),
    one!("AWS_CA_BUNDLE", b"torn.pem"),
    one!("AWS_CA_BUNDLE", b"none.pem"),
    (&[("AWS_PROFILE", Some(b"nobody")), NO_KEY[0], NO_KEY[1]], "AWS_PROFILE"),
    (
        &[
            ("AWS_PROFILE", Some(b"torn")),
            ("AWS_SHARED_CREDENTIALS_FILE", Some(b"keys")),
            NO_KEY[0],
            NO_KEY[1],
        ],
        "aws_access_key_id",
    ),
    (
        &[
            ("AWS_PROFILE", Some(b"lake")),
            ("AWS_CONFIG_FILE", Some(b"keys")),
            ("AWS_ENDPOINT_URL", None),
        ],
        "endpoint_url",
    ),
    (
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", Some(b"/nonexistent/token")),
            ("AWS_ROLE_ARN", Some(b"arn:aws:iam::1:role/lake")),
            NO_KEY[0],
            NO_KEY[1],
        ],
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    one!("AWS_ROLE_ARN", b"la ke"),
    one!("AWS_ROLE_SESSION_NAME", b"nightly run"),
    one!("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", b"v2/credentials"),
    one!("AWS_CONTAINER_CREDENTIALS_FULL_URI", b"http://keys.example.test/v2"),
    one!("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", b"/nonexistent/token"),
    one!("AWS_METADATA_ENDPOINT", b"169.254.169.254"),
];

#[test]
fn every_slip_in_a_setting_of_s3_is_named() {
    let (bucket, folder) = (Bucket::start(0), Folder::new());
    folder.file("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n");
    folder.file("none.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    folder.file(
        "keys",
        "[torn]\naws_access_key_id = inven ted\naws_secret_access_key = x\n\
         [profile lake]\nendpoint_url = localhost:9000\n",
    );
    let url = Bucket::url("lake");
    let arguments = ["backup", "verify", &url, "-o", "json"];
    refused(&[78], OF_S3, || bucket.used_by(program(BINARY, folder.path(), &arguments)));
    assert_eq!(bucket.asked(), 0, "nothing is asked for with such a setting");
}

/// Slips of the place of a data set.
const PLACES: &[&str] = &[
    "s3:",
    "s3://",
    "s3:/lake",
    "s3:///x",
    "S3://lake/x",
    "s3://la ke/x",
    "s3://la/x",
    "s3://-lake/x",
    "s3://lake-/x",
    "s3://la..ke/x",
    "s3://192.168.0.1/x",
    "s3://lake?a=b",
    "s3://lake#a",
    "s3://us3r:p4ss@lake/x",
    "s3://lake:9000/x",
    "s3://läke/x",
    "s3://0123456789012345678901234567890123456789012345678901234567890123/x",
    "s3://lake/../x",
    "s3://lake/./x",
    "s3://lake/a//b",
    "s3://lake/a\tb",
    "s3://lake/a\u{202e}b",
    "gs://lake/x",
    "file:///lake",
    "https://lake.s3.amazonaws.com/x",
    "",
];

#[test]
fn every_slip_in_a_place_is_named() {
    let (bucket, folder) = (Bucket::start(0), Folder::new());
    folder.json("config.json", &sandbox(small()).config());
    for (line, flag) in [
        ("sync warehouse --config config.json --dir", "--dir"),
        ("backup --config config.json --dir", "--dir"),
        ("plan --config config.json --dir", "--dir"),
        ("backup verify", "DIR|URL"),
        ("backup diff other", "NEW"),
        ("bundle export --out out.json --from", "--from"),
    ] {
        // What is wrong with a place is the same everywhere.
        let places = if line.starts_with("backup verify") { PLACES } else { &PLACES[..6] };
        for place in places {
            let mut arguments: Vec<_> = line.split(' ').collect();
            arguments.extend([place, "-o", "json"]);
            let command = bucket.used_by(program(BINARY, folder.path(), &arguments));
            let output = { command }.output().expect("the binary starts");
            let fault = fault(&output, &[64], flag);
            assert!(fault.is_none(), "{line} {place:?}: {}", fault.unwrap_or_default());
        }
    }
    assert_eq!(bucket.asked(), 0);
}

const TOKEN: (&str, Option<&[u8]>) = ("PIPEDRIVE_API_TOKEN", None);

/// Invalid values of Pipedrive's settings in the environment.
const OF_PIPEDRIVE: &[Slip<'static>] = &[
    one!("PIPEDRIVE_API_TOKEN", b"to ken"),
    one!("PIPEDRIVE_API_TOKEN", b"to\nken"),
    one!("PIPEDRIVE_API_TOKEN", "tökén".as_bytes()),
    one!("PIPEDRIVE_API_TOKEN", b"to\xffken"),
    one!("PIPEDRIVE_API_TOKEN", b" \n"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"my company"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme\n.pipedrive.com"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme/deals"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme.example.test"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"https://acme.pipedrive.com@example.test"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme:8080"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"-acme"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme-"),
    one!("PIPEDRIVE_COMPANY_DOMAIN", b"acme\xff"),
    one!("PIPEDRIVE_BASE_URL", b"localhost:8080"),
    one!("PIPEDRIVE_BASE_URL", b"http://account.example.test"),
    one!("PIPEDRIVE_BASE_URL", b"https://account.example.test/api"),
    one!("PIPEDRIVE_BASE_URL", b"https://us3r@account.example.test"),
    one!("PIPEDRIVE_BASE_URL", b"https://acc ount.example.test"),
    one!("PIPEDRIVE_BASE_URL", b"https://account\n.example.test"),
    one!("PIPEDRIVE_BASE_URL", b"https://account.example.test:99999"),
    one!("PIPEDRIVE_BASE_URL", b"http://localhost:port"),
    one!("PIPEDRIVE_BASE_URL", b"https://"),
    one!("PIPEDRIVE_BASE_URL", b"https://account.example.test\\x"),
    one!("PIPEDRIVE_BASE_URL", b"https://account\xff.example.test"),
    (
        &[
            TOKEN,
            ("PIPEDRIVE_CLIENT_ID", Some(b"a b")),
            ("PIPEDRIVE_CLIENT_SECRET", Some(b"s")),
            ("PIPEDRIVE_REFRESH_TOKEN", Some(b"r")),
        ],
        "PIPEDRIVE_CLIENT_ID",
    ),
    (
        &[
            TOKEN,
            ("PIPEDRIVE_CLIENT_ID", Some(b"a")),
            ("PIPEDRIVE_CLIENT_SECRET", Some(b"s\xff")),
            ("PIPEDRIVE_REFRESH_TOKEN", Some(b"r")),
        ],
        "PIPEDRIVE_CLIENT_SECRET",
    ),
    (
        &[
            TOKEN,
            ("PIPEDRIVE_CLIENT_ID", Some(b"a")),
            ("PIPEDRIVE_CLIENT_SECRET", Some(b"s")),
            ("PIPEDRIVE_REFRESH_TOKEN", Some(b"r\n1")),
        ],
        "PIPEDRIVE_REFRESH_TOKEN",
    ),
    (
        &[TOKEN, ("PIPEDRIVE_CLIENT_ID", Some(b"a")), ("PIPEDRIVE_REFRESH_TOKEN", Some(b"r"))],
        "PIPEDRIVE_CLIENT_SECRET",
    ),
];

#[test]
fn every_slip_in_a_setting_of_pipedrive_is_named() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let base = || {
        let mut command = program(BINARY, folder.path(), &["plan", "-o", "json"]);
        command.env("PIPEDRIVE_API_TOKEN", "t0ken");
        command.env("PIPEDRIVE_BASE_URL", account.origin());
        command
    };
    refused(&[78], OF_PIPEDRIVE, base);
    assert_eq!(account.request_log().requests.len(), 0, "nothing is asked for with such a setting");
}

/// Slips of a configuration, and the key that must be named.
fn slips_of_a_file() -> Vec<(Value, &'static str)> {
    let mut slips = vec![
        (json!({"api_token": 5}), "api_token"),
        (json!({"api_token": ["t"]}), "api_token"),
        (json!({"api_token": "a b"}), "api_token"),
        (json!({"api_token": "a\nb"}), "api_token"),
        (json!({"api_token": ""}), "credentials"),
        (json!({"api_token": null, "api-token": "t"}), "api_token"),
        (json!({"credentials": "t"}), "credentials"),
        (json!({"credentials": []}), "credentials"),
        (json!({"credentials": {"auth_type": "magic"}}), "credentials.auth_type"),
        (json!({"credentials": {"auth_type": 5}}), "auth_type"),
        (json!({"credentials": {"api_token": "a\tb"}}), "api_token"),
        (json!({"credentials": {"refresh_token": "r", "client_id": "c"}}), "client_secret"),
        (json!({"archived": "yes"}), "archived"),
        (json!({"gzip": 1}), "gzip"),
        (json!({"custom_fields": "names"}), "custom_fields"),
        (json!({"custom_fields": true}), "custom_fields"),
        (json!({"user_agent": "a\nb"}), "user_agent"),
        (json!({"user_agent": 5}), "user_agent"),
        (json!({"company_domain": 7}), "company_domain"),
        (json!({"company_domain": "a b"}), "company_domain"),
        (json!({"emit_activate_version_messages": "x"}), "emit_activate_version_messages"),
    ];
    for url in ["localhost:80", "http://example.test", "https://a b.test", "https://a.test:0x1"] {
        slips.push((json!({"base_url": url}), "base_url"));
    }
    for key in ["start_date", "replication_start_date"] {
        for value in
            [json!("soon"), json!("2026-02-30"), json!("0000-00-00"), json!(5), json!("-1")]
        {
            slips.push((json!({key: value}), key));
        }
    }
    for (key, beyond) in [
        ("concurrency", 65),
        ("reserve_percent", 101),
        ("overlap_seconds", 86_401),
        ("commit_seconds", 3_601),
        ("backoff_millis", 60_001),
        ("timeout_millis", 600_001),
    ] {
        slips.push((json!({key: beyond}), key));
    }
    for key in ["concurrency", "max_tokens", "reserve_percent", "overlap_seconds", "commit_seconds"]
    {
        for value in [json!(-1), json!(1.5), json!("4"), json!(true), json!(1e300), json!([])] {
            slips.push((json!({key: value}), key));
        }
    }
    slips
}

#[test]
fn every_slip_in_a_configuration_is_named() {
    let (account, folder) = (sandbox(small()), Folder::new());
    folder.json("catalog.json", &crate::support::catalog(&["pipelines"], "incremental"));
    for (number, (slip, key)) in slips_of_a_file().into_iter().enumerate() {
        let mut config = json!({"api_token": "t0ken", "base_url": account.origin()});
        for (key, value) in slip.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        folder.json("config.json", &config);
        let mut runs: Vec<(&str, &str, &[i32])> =
            vec![(BINARY, "plan --config config.json -o json", &[78])];
        // Every command reads it in the same way.
        if number % 8 == 0 {
            runs.push((BINARY, "read --config config.json --catalog catalog.json", &[1]));
            runs.push((BINARY, "discover --config config.json", &[1]));
            runs.push((BINARY, "sync warehouse --config config.json -o json", &[78]));
            runs.push((BINARY, "backup --config config.json -o json", &[78]));
            runs.push((BINARY, "bundle export --config config.json --out out.json", &[78]));
            runs.push((&*TAP, "--config config.json --discover", &[1]));
        }
        for (binary, line, codes) in runs {
            let arguments: Vec<_> = line.split(' ').collect();
            let output = program(binary, folder.path(), &arguments).output();
            let fault = fault(&output.expect("the binary starts"), codes, key);
            assert!(fault.is_none(), "{line} with {slip}: {}", fault.unwrap_or_default());
        }
    }
    assert_eq!(account.request_log().requests.len(), 0, "nothing is asked for with such a setting");
}

#[test]
fn every_slip_in_a_setting_of_the_tap_is_named() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let base = || {
        let mut command = program(&TAP, folder.path(), &["--config", "ENV", "--discover"]);
        command.env("TAP_PIPEDRIVE_API_TOKEN", "t0ken");
        command.env("TAP_PIPEDRIVE_BASE_URL", account.origin());
        command
    };
    let slips: &[Slip<'_>] = &[
        one!("TAP_PIPEDRIVE_API_TOKEN", b"to\nken"),
        one!("TAP_PIPEDRIVE_API_TOKEN", b"to\xffken"),
        one!("TAP_PIPEDRIVE_BASE_URL", b"localhost:80"),
        one!("TAP_PIPEDRIVE_COMPANY_DOMAIN", b"my company"),
        one!("TAP_PIPEDRIVE_START_DATE", b"soon"),
        one!("TAP_PIPEDRIVE_CONCURRENCY", b"0"),
        one!("TAP_PIPEDRIVE_CONCURRENCY", b"two"),
        one!("TAP_PIPEDRIVE_CONCURRENCY", b"\"2\""),
        one!("TAP_PIPEDRIVE_ARCHIVED", b"perhaps"),
        one!("TAP_PIPEDRIVE_ARCHIVED", b"0"),
        one!("TAP_PIPEDRIVE_CREDENTIALS", b"token"),
        one!("TAP_PIPEDRIVE_CREDENTIALS", br#"{"auth_type":"magic"}"#),
        one!("TAP_PIPEDRIVE_CREDENTIALS", br#"{"api_token":"a\nb"}"#),
        one!("TAP_PIPEDRIVE_USER_AGENT", b"a\nb"),
    ];
    // What Singer knows of exit codes.
    refused(&[1], slips, base);
    assert_eq!(account.request_log().requests.len(), 0, "nothing is asked for with such a setting");
}

#[test]
fn every_slip_in_a_setting_of_the_crm_is_named() {
    let (account, folder) = (sandbox(small()), Folder::new());
    let base = || {
        let mut command =
            program(BINARY, folder.path(), &["bundle", "pull", "--out", "out.json", "-o", "json"]);
        command.env("DRIPPULSE_BASE_URL", account.origin());
        command.env("DRIPPULSE_API_KEY", account.crm_key(0));
        command
    };
    let slips: &[Slip<'_>] = &[
        one!("DRIPPULSE_BASE_URL", b"localhost:80"),
        one!("DRIPPULSE_BASE_URL", b"http://crm.example.test"),
        one!("DRIPPULSE_BASE_URL", b"https://crm.example.test/other"),
        one!("DRIPPULSE_BASE_URL", b"https://crm .example.test"),
        one!("DRIPPULSE_BASE_URL", b"https://crm.example.test:99999"),
        one!("DRIPPULSE_BASE_URL", b"https://crm\xff.example.test"),
        one!("DRIPPULSE_API_KEY", b"k ey"),
        one!("DRIPPULSE_API_KEY", b"k\ney"),
        one!("DRIPPULSE_API_KEY", "kéy".as_bytes()),
        one!("DRIPPULSE_API_KEY", b"k\xffey"),
        (&[("DRIPPULSE_API_KEY", None)], "DRIPPULSE_API_KEY"),
        one!("DRIPPULSE_BACKOFF_MILLIS", b"soon"),
        one!("DRIPPULSE_BACKOFF_MILLIS", b"-1"),
    ];
    refused(&[78], slips, base);
    refused(&[64, 78], &[(&[("DRIPPULSE_BASE_URL", None)], "DRIPPULSE_BASE_URL")], base);
    assert_eq!(account.request_log().requests.len(), 0, "nothing is asked for with such a setting");
}

/// Slips of what the whole machine sets: proxies and certificates.
#[test]
fn every_slip_in_a_proxy_or_a_certificate_is_named() {
    let (bucket, folder) = (Bucket::start(0), Folder::new());
    folder.file("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n");
    let slips: &[Slip<'_>] = &[
        one!("HTTPS_PROXY", b"http://pro xy.example.test:3128"),
        one!("HTTPS_PROXY", b"http://proxy.example.test:99999"),
        one!("HTTPS_PROXY", b"socks5://proxy.example.test:1080"),
        one!("HTTPS_PROXY", b"ftp://proxy.example.test"),
        one!("HTTPS_PROXY", b"http://"),
        one!("HTTPS_PROXY", b"proxy\n.example.test"),
        one!("HTTPS_PROXY", b"http://proxy\xff.example.test"),
        one!("https_proxy", b"socks5h://proxy.example.test:1080"),
        one!("ALL_PROXY", b"socks4://proxy.example.test:1080"),
        one!("NO_PROXY", b"intern\xff"),
        one!("SSL_CERT_FILE", b"/nonexistent/ca.pem"),
        one!("SSL_CERT_FILE", b"/dev/null"),
        one!("SSL_CERT_FILE", b"torn.pem"),
        one!("SSL_CERT_DIR", b"/nonexistent"),
    ];
    folder.json("config.json", &json!({"api_token": "t", "base_url": "https://api.example.test"}));
    refused(&[78], slips, || {
        program(BINARY, folder.path(), &["plan", "--config", "config.json", "-o", "json"])
    });
    let url = Bucket::url("lake");
    refused(&[78], slips, || {
        let command = program(BINARY, folder.path(), &["backup", "verify", &url, "-o", "json"]);
        let mut command = bucket.used_by(command);
        command.env("AWS_ENDPOINT_URL", "https://store.example.test");
        command
    });
}
