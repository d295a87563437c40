//! Writes rows as NDJSON: the API's own bytes, compressed if configured.

use super::layout::Compression;
use crate::model::{Error, Kind, Result};
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Lines that wait to be written, packed as they come.
///
/// What [`Self::take`] hands out is whole: a Zstandard frame or a gzip member of its own, which may
/// stand one after the other in one file.
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

    /// Adds a record as a line. Line breaks between its tokens are left out; inside strings they
    /// are always escaped.
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

    /// Whether there is nothing to hand over; packers hold bytes back, so rows tell.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Bytes held in memory.
    pub(super) fn held(&self) -> usize {
        match &self.out {
            Out::Plain(bytes) => bytes.len(),
            Out::Zstd(encoder) => encoder.get_ref().len(),
            Out::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    /// Hands the bytes so far to `write`, and tells their rows; memory is used again.
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

    /// The bytes and rows so far, and a new beginning; `None` when there are none.
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
    /// What a file's name ends with.
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

/// A reader of packed lines, from the first byte.
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
