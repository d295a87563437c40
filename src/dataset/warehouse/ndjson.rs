//! Writes rows as NDJSON: the API's own bytes, compressed if configured.

use super::layout::Compression;
use crate::model::{Error, Kind, Result};
use flate2::write::GzEncoder;
use std::io::Write as _;

/// A buffer of lines, which are compressed as they are added.
///
/// The output of [`Self::take`] is a complete Zstandard frame or gzip member. A file may contain several
/// of them in sequence.
pub(super) struct Lines {
    compression: Compression,
    out: Out,
    rows: u64,
}

enum Out {
    Plain(Vec<u8>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
}

const ZSTD_LEVEL: i32 = 1;

impl Lines {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        Ok(Self { compression, out: Out::new(compression)?, rows: 0 })
    }

    /// Adds a record as a line. Line breaks between tokens are removed. Line breaks within strings are
    /// always escaped.
    pub(super) fn push(&mut self, json: &[u8]) -> Result<()> {
        self.rows += 1;
        let mut rest = json;
        while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
            self.write(&rest[..at])?;
            rest = &rest[at + 1..];
        }
        self.write(rest)?;
        self.write(b"\n")
    }

    /// Returns whether the buffer has no rows. Its bytes do not show that, because encoders delay their
    /// output.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the number of bytes in memory.
    pub(super) fn held(&self) -> usize {
        match &self.out {
            Out::Plain(bytes) => bytes.len(),
            Out::Zstd(encoder) => encoder.get_ref().len(),
            Out::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    /// Passes the bytes to `write`, and returns their number of rows. The memory of uncompressed lines
    /// is reused.
    pub(super) fn drain(&mut self, write: impl FnOnce(&[u8]) -> Result<()>) -> Result<u64> {
        if let Out::Plain(bytes) = &mut self.out {
            if !bytes.is_empty() {
                write(bytes)?;
                bytes.clear();
            }
            return Ok(std::mem::take(&mut self.rows));
        }
        match self.take()? {
            Some((bytes, rows)) => write(&bytes).map(|()| rows),
            None => Ok(0),
        }
    }

    /// Returns the bytes and their number of rows, and starts a new buffer. `None` if there are no rows.
    pub(super) fn take(&mut self) -> Result<Option<(Vec<u8>, u64)>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let whole = std::mem::replace(self, Self::new(self.compression)?);
        let bytes = match whole.out {
            Out::Plain(bytes) => Ok(bytes),
            Out::Zstd(encoder) => encoder.finish(),
            Out::Gzip(encoder) => encoder.finish(),
        };
        Ok(Some((bytes.map_err(packing)?, whole.rows)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.out {
            Out::Plain(out) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            Out::Zstd(encoder) => encoder.write_all(bytes).map_err(packing),
            Out::Gzip(encoder) => encoder.write_all(bytes).map_err(packing),
        }
    }
}

impl Out {
    fn new(compression: Compression) -> Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(Vec::new()),
            Compression::Zstd => Self::Zstd(
                zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(packing)?,
            ),
            Compression::Gzip => {
                Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default()))
            }
        })
    }
}

impl Compression {
    /// Returns the suffix of file names.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

fn packing(error: std::io::Error) -> Error {
    Error::new(Kind::Bug, "rows cannot be packed").because(error)
}

/// Creates a reader that decompresses lines from the first byte on.
pub(super) fn reader<'r>(
    compression: Compression,
    bytes: impl std::io::Read + 'r,
) -> Result<Box<dyn std::io::Read + 'r>> {
    Ok(match compression {
        Compression::None => Box::new(bytes),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).map_err(packing)?),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn lines_come_back_from_every_packing() {
        for compression in [Compression::None, Compression::Zstd, Compression::Gzip] {
            let mut file = Vec::new();
            let mut lines = Lines::new(compression).expect("a packer starts");
            assert!(lines.take().expect("nothing to pack").is_none());
            for part in [&["{\"id\":1}", "{\"id\":\r\n2}"][..], &["{\"a\":1.50}"]] {
                for row in part {
                    lines.push(row.as_bytes()).expect("it is packed");
                }
                let (bytes, rows) = lines.take().expect("it is packed").expect("there are rows");
                assert_eq!(rows, part.len() as u64);
                file.extend(bytes);
            }
            let mut text = String::new();
            let mut reader = reader(compression, &file[..]).expect("it is read");
            reader.read_to_string(&mut text).expect("it is text");
            assert_eq!(text, "{\"id\":1}\n{\"id\":2}\n{\"a\":1.50}\n", "{compression:?}");
        }
    }
}
