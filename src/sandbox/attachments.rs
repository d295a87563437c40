//! The bytes of files, and the storage that serves them.

use super::account_state::AccountState;
use super::http_request::Refusal;
use super::lists;
use super::options::Ranges;
use super::rows::Row;
use crate::model::Resource;
use bytes::Bytes;
use serde::Deserialize;

/// The path of the storage. It is not part of the API and needs no token.
pub(super) const STORAGE: &str = "/_storage/";

#[derive(Deserialize)]
struct File {
    id: u64,
    #[serde(default, rename = "file_size")]
    size: Option<u64>,
    #[serde(default)]
    remote_location: Option<String>,
}

/// The source of the bytes of a file.
pub(super) enum Handed {
    /// The response contains the bytes.
    Bytes(Bytes),
    /// The response redirects to this path of the storage.
    Elsewhere(String),
}

/// Returns the source of a file. Files with an even id are in the storage, so that clients are tested with
/// both sources. Whether Pipedrive redirects is UNVERIFIED (pipedrive-api.md 2.3).
pub(super) fn hand_out(state: &mut AccountState, key: &str) -> Result<Handed, Refusal> {
    let file = find(state, key).ok_or_else(Refusal::not_found)?;
    Ok(if file.id.is_multiple_of(2) {
        Handed::Elsewhere(format!("{STORAGE}{}", file.id))
    } else {
        Handed::Bytes(bytes(&file))
    })
}

/// Returns the bytes in the storage under a key.
pub(super) fn stored(state: &mut AccountState, key: &str) -> Result<Bytes, Refusal> {
    find(state, key).as_ref().map(bytes).ok_or_else(Refusal::not_found)
}

/// The response for a file.
pub(super) struct Sent {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// Returns the response for a file: the whole, or the part that `Range` and `If-Range` request.
pub(super) fn sent(
    ranges: Ranges,
    range: Option<&str>,
    if_range: Option<&str>,
    file: Bytes,
) -> Sent {
    let tag = format!("\"{}\"", crate::model::Digest::of(&file));
    let from = range
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok())
        .filter(|_| if_range.is_none_or(|known| known == tag))
        .filter(|_| matches!(ranges, Ranges::Served | Ranges::Wrong));
    let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
    if ranges != Ranges::Unknown {
        headers.push(("etag", tag));
    }
    let Some(from) = from else {
        return Sent { status: 200, headers, body: file };
    };
    if from >= file.len() {
        headers.push(("content-range", format!("bytes */{}", file.len())));
        return Sent { status: 416, headers, body: Bytes::new() };
    }
    let from = if ranges == Ranges::Wrong { from - from.min(1) } else { from };
    headers.push(("content-range", format!("bytes {from}-{}/{}", file.len() - 1, file.len())));
    Sent { status: 206, headers, body: file.slice(from..) }
}

/// Returns a file whose bytes the account has.
fn find(state: &mut AccountState, key: &str) -> Option<File> {
    let files = Resource::named("files").expect("the table has files");
    let now = state.now();
    let row: &Row = state.table(files).get(key).filter(|row| lists::listable(files, row, now))?;
    let file: File = serde_json::from_slice(&row.json).ok()?;
    file.remote_location.as_deref().is_none_or(|place| place == "s3").then_some(file)
}

/// Returns the bytes of a file, in the size of its row. They are the same every time.
fn bytes(file: &File) -> Bytes {
    let size = usize::try_from(file.size.unwrap_or(0)).unwrap_or(0);
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(file.id).fill(&mut bytes);
    bytes.into()
}
