//! Computes the SHA-256 of a file.

use super::opened::source;
use crate::dataset::json_stream::{Source, hex};
use crate::dataset::store::Store;
use crate::model::{Error, Kind, Result};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::io::Read as _;

/// The number of bytes that are read at a time. A chunk fits into the processor's cache.
const CHUNK_BYTES: usize = 128 << 10;

/// Returns the SHA-256 in hexadecimal and the size in bytes of a file.
pub(in crate::dataset) async fn digest(store: &Store, path: &str) -> Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    match source(store, path).await? {
        Source::File(mut file) => {
            let mut chunk = vec![0; CHUNK_BYTES];
            loop {
                let size = file.read(&mut chunk).map_err(|error| {
                    let message = format!("cannot be read ({error})");
                    Error::new(Kind::Storage, message).at(store.place().name_of(path))
                })?;
                if size == 0 {
                    break;
                }
                hash.update(&chunk[..size]);
                bytes += size as u64;
            }
        }
        Source::Stream(mut stream) => {
            while let Some(chunk) = stream.next().await.transpose()? {
                hash.update(&chunk);
                bytes += chunk.len() as u64;
            }
        }
    }
    Ok((hex(&hash.finalize()), bytes))
}
