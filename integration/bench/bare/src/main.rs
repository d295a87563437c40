//! The floor under `read`: the pages of one list downloaded, unpacked and thrown away.
//!
//! Same HTTP library as the connector, unpacking by itself, on one thread and one connection.
//! `bare ORIGIN TOKEN gzip|plain PATH_AND_QUERY…` follows the cursor of each list to its end and
//! prints `pages bytes`. Held against the connector by `integration/bench/read.sh`.

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use reqwest::header::ACCEPT;

const CURSOR: &[u8] = br#""next_cursor":""#;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [origin, token, packing, lists @ ..] = &arguments[..] else {
        panic!("usage: bare ORIGIN TOKEN gzip|plain PATH_AND_QUERY…");
    };
    rustls::crypto::ring::default_provider().install_default().expect("nobody was before us");
    let http = reqwest::Client::builder().tcp_nodelay(true).gzip(packing == "gzip").build().expect("a client");
    let (mut pages, mut bytes) = (0, 0);
    for list in lists {
        let mut url = format!("{origin}{list}");
        loop {
            let call = http.get(&url).header("x-api-token", token).header(ACCEPT, "application/json");
            let body = body(call.send().await.expect("an answer")).await;
            pages += 1;
            bytes += body.len();
            // It stands behind the rows.
            let Some(at) = memmem::rfind(&body, CURSOR) else {
                break;
            };
            let rest = &body[at + CURSOR.len()..];
            let end = memchr::memchr(b'"', rest).expect("a closing quote");
            let cursor = std::str::from_utf8(&rest[..end]).expect("a cursor is text");
            url = format!("{origin}{list}");
            let mut next = reqwest::Url::parse(&url).expect("a URL");
            next.query_pairs_mut().append_pair("cursor", cursor);
            url = next.into();
        }
    }
    println!("{pages} {bytes}");
}

async fn body(mut response: reqwest::Response) -> Bytes {
    assert!(response.status().is_success(), "status {}", response.status());
    let expected = response.content_length().and_then(|n| usize::try_from(n).ok());
    let mut body = BytesMut::with_capacity(expected.unwrap_or(0));
    while let Some(chunk) = response.chunk().await.expect("the rest of the answer") {
        body.extend_from_slice(&chunk);
    }
    body.freeze()
}
