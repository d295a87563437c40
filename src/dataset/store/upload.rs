//! Uploads objects in parts.

use super::objects::{Store, aside};
use crate::dataset::folder::PendingFile;
use crate::model::Result;
use bytes::{Bytes, BytesMut};
use object_store::{MultipartUpload, WriteMultipart};

/// The number of bytes per piece of an upload. A server may refuse pieces smaller than 5 MiB.
const PIECE_BYTES: usize = 8 << 20;
/// Pieces of an upload under way.
const PIECES_IN_FLIGHT_MAX: usize = 2;

/// The number of bytes that are buffered before a write to a local file.
const BUFFER_BYTES: usize = 1 << 20;

/// An object that is being written. It holds a few pieces in memory.
pub(in crate::dataset) struct Upload<'s> {
    store: &'s Store,
    path: String,
    writer: Writer,
}

/// The destination of the bytes.
pub(super) enum Writer {
    File { file: PendingFile, held: BytesMut },
    Object(WriteMultipart),
}

impl Writer {
    pub(super) fn file(file: PendingFile) -> Self {
        Self::File { file, held: BytesMut::new() }
    }

    pub(super) fn object(pieces: Box<dyn MultipartUpload>) -> Self {
        Self::Object(WriteMultipart::new_with_chunk_size(pieces, PIECE_BYTES))
    }
}

impl<'s> Upload<'s> {
    pub(super) fn new(store: &'s Store, path: &str, writer: Writer) -> Self {
        Self { store, path: path.to_owned(), writer }
    }

    /// Appends bytes.
    pub(in crate::dataset) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        match &mut self.writer {
            Writer::File { file, held } => {
                held.extend_from_slice(&bytes);
                if held.len() < BUFFER_BYTES {
                    return Ok(());
                }
                let written = file.write(held);
                held.clear();
                written.map_err(|error| self.store.broken("write", &self.path, error))
            }
            Writer::Object(writer) => {
                let ready = writer.wait_for_capacity(PIECES_IN_FLIGHT_MAX).await;
                ready.map_err(|error| self.store.failed("write", &self.path, error))?;
                writer.put(bytes);
                Ok(())
            }
        }
    }

    /// Makes the object visible and durable.
    pub(in crate::dataset) async fn finish(self) -> Result<()> {
        let Self { store, path, writer } = self;
        let outcome = match writer {
            Writer::File { mut file, held } => {
                let settled =
                    aside(move || file.write(&held).and_then(|()| file.persist())).await?;
                settled.map_err(|error| store.broken("write", &path, error))
            }
            Writer::Object(writer) => {
                let outcome = writer.finish().await;
                outcome.map(drop).map_err(|error| store.failed("write", &path, error))
            }
        };
        store.step();
        outcome
    }
}
