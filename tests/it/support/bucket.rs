//! A small S3 server on loopback: objects in memory, in plain text or with a certificate, and whatever a
//! server may demand or refuse.

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The server; it goes away with the test's process.
#[derive(Debug)]
pub(crate) struct Bucket {
    endpoint: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
    /// Answers that ask to slow down, still to come.
    busy: u32,
    slowed_down: u32,
    /// The number of interrupted downloads of whole objects.
    broken: u32,
    parts_asked: u32,
    /// Requests so far.
    asked: u32,
    demands: Demands,
}

/// What it wants of every request, or refuses.
#[derive(Debug, Default)]
pub(crate) struct Demands {
    /// The id of the access key.
    pub(crate) key: Option<&'static str>,
    /// A checksum of everything that is written, as under Object Lock: SHA256 or CRC64NVME.
    pub(crate) checksum: Option<&'static str>,
    /// Encryption by this KMS key.
    pub(crate) kms: Option<&'static str>,
    /// Requests of this method are answered so: status, code and message.
    pub(crate) refusal: Option<(&'static str, &'static str, &'static str, &'static str)>,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Reply {
    status: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// How much of the body is sent before the connection ends.
    cut: Option<usize>,
}

const NAME: &str = "bucket";

impl Bucket {
    /// A bucket whose server asks to slow down this many times first.
    pub(crate) fn start(busy: u32) -> Self {
        Self::served(busy, None)
    }

    /// A bucket whose server has a certificate of [`authority`].
    pub(crate) fn encrypted() -> Self {
        Self::served(0, Some(certified()))
    }

    /// The same, from here on with demands.
    pub(crate) fn demanding(self, demands: Demands) -> Self {
        self.state().demands = demands;
        self
    }

    fn served(busy: u32, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = format!("{scheme}://{}", listener.local_addr().expect("it has an address"));
        let state = Arc::new(Mutex::new(State { busy, ..State::default() }));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let state = Arc::clone(&served);
                let tls = tls.clone();
                // A client that leaves ends its thread.
                std::thread::spawn(move || match tls {
                    None => serve(stream, &state),
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("it can begin");
                        serve(StreamOwned::new(session, stream), &state);
                    }
                });
            }
        });
        Self { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on, this many reads of objects are interrupted half way.
    pub(crate) fn breaks_off(&self, times: u32) {
        self.state().broken = times;
    }

    /// A place in it.
    pub(crate) fn url(prefix: &str) -> String {
        format!("s3://{NAME}/{prefix}")
    }

    /// A command that finds it.
    pub(crate) fn used_by(&self, mut command: Command) -> Command {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "invented")
            .env("AWS_SECRET_ACCESS_KEY", "invented-too")
            .env("AWS_REGION", "eu-north-1")
            .env("HOME", "/nonexistent");
        command
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    pub(crate) fn holds(&self, prefix: &str) -> bool {
        self.names().iter().any(|name| name.starts_with(prefix))
    }

    /// How often it asked to slow down.
    pub(crate) fn slowed_down(&self) -> u32 {
        self.state().slowed_down
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> u32 {
        self.state().asked
    }

    /// Returns the number of requests for a part of an object after an interruption.
    pub(crate) fn parts_asked(&self) -> u32 {
        self.state().parts_asked
    }
}

/// A file of the authority that signed the servers' certificate; both are invented.
pub(crate) fn authority() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/tls/ca.pem")
}

/// How a server of that authority shows who it is.
pub(crate) fn certified() -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("there are versions").with_no_client_auth();
    let certificates = vec![certificate.expect("it is a certificate")];
    let config = config.with_single_cert(certificates, key.expect("it is a key"));
    Arc::new(config.expect("they belong together"))
}

fn serve(stream: impl Read + Write, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let said = answer(&asked, &mut state.lock().unwrap_or_else(PoisonError::into_inner));
        let mut head =
            format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", said.status, said.body.len());
        for (name, value) in &said.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let out = reader.get_mut();
        let body = if asked.method == "HEAD" {
            &[][..]
        } else {
            &said.body[..said.cut.unwrap_or(said.body.len())]
        };
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(body)).is_err()
            || said.cut.is_some()
        {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = path.trim_start_matches('/').strip_prefix(NAME).unwrap_or(path);
    let path = decoded(path.trim_start_matches('/'));
    Some(Asked { method, path, query: query.to_owned(), headers, body })
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let pair = |bytes: &mut std::str::Bytes<'_>| [bytes.next(), bytes.next()];
        match byte {
            b'%' => {
                let digits: Vec<u8> = pair(&mut bytes).into_iter().flatten().collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                out.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn said(status: &'static str, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, headers: Vec::new(), body: body.into(), cut: None }
}

fn no(status: &'static str, code: &str) -> Reply {
    refused(status, code, code)
}

fn refused(status: &'static str, code: &str, message: &str) -> Reply {
    said(
        status,
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        ),
    )
}

/// A SHA-256 as checksums have it.
fn checksum(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let hex = crate::support::backup::sha256(bytes);
    let bits = hex.chars().flat_map(|digit| {
        let value = digit.to_digit(16).expect("it is hexadecimal");
        (0..4).rev().map(move |bit| value >> bit & 1)
    });
    let bits: Vec<u32> = bits.collect();
    let digits = bits.chunks(6).map(|six| {
        let value = six.iter().chain([0; 6].iter()).take(6).fold(0, |value, bit| value << 1 | bit);
        char::from(DIGITS[value as usize])
    });
    digits.chain(std::iter::once('=')).collect()
}

/// What a request lacks that is demanded.
fn lacking(asked: &Asked, demands: &Demands) -> Option<Reply> {
    let header = |name: &str| asked.headers.get(name).map_or("", String::as_str);
    if let Some((method, status, code, message)) = demands.refusal
        && method == asked.method
    {
        return Some(refused(status, code, message));
    }
    let scope = format!("Credential={}/", demands.key.unwrap_or_default());
    if demands.key.is_some() && !header("authorization").contains(&scope) {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Some(refused("403 Forbidden", "InvalidAccessKeyId", message));
    }
    let (part, begins) = (asked.query.contains("partNumber="), asked.query.contains("uploads"));
    let copies = asked.headers.contains_key("x-amz-copy-source");
    let puts = asked.method == "PUT" && !copies;
    if let Some(algorithm) = demands.checksum {
        let name = format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase());
        let sent = header(&name);
        let right =
            if algorithm == "SHA256" { sent == checksum(&asked.body) } else { !sent.is_empty() };
        let said = begins && header("x-amz-checksum-algorithm") != algorithm;
        if puts && !right || asked.method == "POST" && said {
            let message = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object \
                           requests with Object Lock parameters";
            return Some(refused("400 Bad Request", "InvalidRequest", message));
        }
        let completes = asked.method == "POST" && asked.query.contains("uploadId");
        let tag = format!("<Checksum{algorithm}>");
        if completes && !String::from_utf8_lossy(&asked.body).contains(&tag) {
            let message = "The upload was created using a checksum. The complete request must include \
                           the checksum for each part.";
            return Some(refused("400 Bad Request", "InvalidRequest", message));
        }
    }
    if let Some(key) = demands.kms {
        let encrypts = header("x-amz-server-side-encryption") == "aws:kms"
            && header("x-amz-server-side-encryption-aws-kms-key-id") == key;
        let whole = asked.method == "PUT" && !part || asked.method == "POST" && begins;
        if whole && !encrypts {
            let message = "User: arn:aws:iam::1:user/lake is not authorized to perform: s3:PutObject \
                           with an explicit deny in a resource-based policy";
            return Some(refused("403 Forbidden", "AccessDenied", message));
        }
        if part && !header("x-amz-server-side-encryption").is_empty() {
            let message =
                "x-amz-server-side-encryption header is not supported for this operation.";
            return Some(refused("400 Bad Request", "InvalidArgument", message));
        }
    }
    None
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &crate::support::backup::sha256(bytes)[..32])
}

fn answer(asked: &Asked, state: &mut State) -> Reply {
    state.asked += 1;
    if state.busy > 0 {
        state.busy -= 1;
        state.slowed_down += 1;
        return no("503 Slow Down", "SlowDown");
    }
    if let Some(said) = lacking(asked, &state.demands) {
        return said;
    }
    let field = |name: &str| {
        let pairs = asked.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    };
    let upload = field("uploadId");
    match (asked.method.as_str(), asked.path.is_empty()) {
        ("GET", true) => listing(state, &field("prefix").unwrap_or_default()),
        ("POST", true) => {
            let text = String::from_utf8_lossy(&asked.body).into_owned();
            let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
            let mut gone = String::new();
            for key in keys {
                state.objects.remove(key);
                gone.push_str("<Deleted><Key>");
                gone.push_str(key);
                gone.push_str("</Key></Deleted>");
            }
            said("200 OK", format!("<DeleteResult>{gone}</DeleteResult>"))
        }
        ("PUT", _) if upload.is_some() => {
            let number = field("partNumber").and_then(|n| n.parse().ok()).unwrap_or(0);
            let parts = state.uploads.entry(upload.unwrap_or_default()).or_default();
            parts.insert(number, asked.body.clone());
            let mut headers = vec![("etag", tag(&asked.body))];
            // A server confirms the checksum that it received.
            for name in ["x-amz-checksum-sha256", "x-amz-checksum-crc64nvme"] {
                headers.extend(asked.headers.get(name).map(|value| (name, value.clone())));
            }
            Reply { headers, ..said("200 OK", "") }
        }
        ("PUT", _) => {
            let there = state.objects.contains_key(&asked.path);
            if there && asked.headers.contains_key("if-none-match") {
                return no("412 Precondition Failed", "PreconditionFailed");
            }
            let headers = vec![("etag", tag(&asked.body))];
            let bytes = match asked.headers.get("x-amz-copy-source") {
                Some(source) => {
                    let source = decoded(source.trim_start_matches('/'));
                    let source = source.strip_prefix(&format!("{NAME}/")).unwrap_or(&source);
                    state.objects.get(source).cloned().unwrap_or_default()
                }
                None => asked.body.clone(),
            };
            state.objects.insert(asked.path.clone(), bytes);
            Reply { headers, ..said("200 OK", "<CopyObjectResult></CopyObjectResult>") }
        }
        ("POST", _) if upload.is_some() => {
            let parts = state.uploads.remove(&upload.unwrap_or_default()).unwrap_or_default();
            let bytes: Vec<u8> = parts.into_values().flatten().collect();
            let text = format!(
                "<CompleteMultipartUploadResult><ETag>{}</ETag></CompleteMultipartUploadResult>",
                tag(&bytes).replace('"', "&quot;")
            );
            state.objects.insert(asked.path.clone(), bytes);
            said("200 OK", text)
        }
        ("POST", _) => {
            let id = format!("upload-{}", state.uploads.len() + 1);
            state.uploads.insert(id.clone(), BTreeMap::new());
            said(
                "200 OK",
                format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ),
            )
        }
        ("DELETE", _) => {
            state.objects.remove(&asked.path);
            said("204 No Content", "")
        }
        ("GET" | "HEAD", _) => object(asked, state),
        _ => no("405 Method Not Allowed", "MethodNotAllowed"),
    }
}

fn object(asked: &Asked, state: &mut State) -> Reply {
    let Some(bytes) = state.objects.get(&asked.path).cloned() else {
        return no("404 Not Found", "NoSuchKey");
    };
    let mut headers =
        vec![("etag", tag(&bytes)), ("last-modified", "Sun, 01 Nov 2026 12:00:00 GMT".to_owned())];
    let mut status = "200 OK";
    let mut body = bytes.clone();
    if let Some((from, to)) = asked.headers.get("range").and_then(|range| {
        let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
        Some((from.parse::<usize>().ok()?, to.parse::<usize>().map_or(bytes.len(), |to| to + 1)))
    }) {
        let to = to.min(bytes.len());
        state.parts_asked += 1;
        headers.push(("content-range", format!("bytes {from}-{}/{}", to - 1, bytes.len())));
        body = bytes[from..to].to_vec();
        status = "206 Partial Content";
    }
    let cut =
        (asked.method == "GET" && state.broken > 0 && body.len() > 1).then_some(body.len() / 2);
    state.broken -= u32::from(cut.is_some());
    Reply { headers, cut, ..said(status, body) }
}

fn listing(state: &State, prefix: &str) -> Reply {
    let mut text =
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (key, bytes) in state.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
        let (tag, size) = (tag(bytes).replace('"', "&quot;"), bytes.len().to_string());
        text.extend(["<Contents><Key>", key, "</Key><ETag>", &tag, "</ETag><Size>", &size]);
        text.push_str("</Size><LastModified>2026-11-01T12:00:00.000Z</LastModified></Contents>");
    }
    text.push_str("</ListBucketResult>");
    said("200 OK", text)
}
