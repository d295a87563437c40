//! A small S3 server on loopback: objects in memory, and `503 SlowDown` for a while.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
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
    /// Whole objects break off half way so many times.
    broken: u32,
    parts_asked: u32,
}

struct Asked {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Said {
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
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a loopback port is free");
        let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
        let state = Arc::new(Mutex::new(State { busy, ..State::default() }));
        let served = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let state = Arc::clone(&served);
                // A client that leaves ends its thread.
                std::thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on, objects break off half way this many times when they are read.
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
            .env("AWS_SECRET_ACCESS_KEY", "invented too")
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

    /// How often a part of an object was asked for after it had broken off.
    pub(crate) fn parts_asked(&self) -> u32 {
        self.state().parts_asked
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let said = answer(&asked, &mut state.lock().unwrap_or_else(PoisonError::into_inner));
        let mut head =
            format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", said.status, said.body.len());
        for (name, value) in &said.headers {
            head.extend([*name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        let mut out = stream;
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

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
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

fn said(status: &'static str, body: impl Into<Vec<u8>>) -> Said {
    Said { status, headers: Vec::new(), body: body.into(), cut: None }
}

fn no(status: &'static str, code: &str) -> Said {
    said(
        status,
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{code}</Message></Error>"
        ),
    )
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", &crate::vault::sha256(bytes)[..32])
}

fn answer(asked: &Asked, state: &mut State) -> Said {
    if state.busy > 0 {
        state.busy -= 1;
        state.slowed_down += 1;
        return no("503 Slow Down", "SlowDown");
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
            Said { headers: vec![("etag", tag(&asked.body))], ..said("200 OK", "") }
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
            Said { headers, ..said("200 OK", "<CopyObjectResult></CopyObjectResult>") }
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

fn object(asked: &Asked, state: &mut State) -> Said {
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
    Said { headers, cut, ..said(status, body) }
}

fn listing(state: &State, prefix: &str) -> Said {
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
