//! The layout of a warehouse, which its first run fixes.

use crate::model::{CustomFields, Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A JSON object a line, as the API sent it.
    Ndjson,
    /// Typed columns.
    Parquet,
}

impl Format {
    /// Its name on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// How files are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Zstandard, level 1.
    Zstd,
    /// Gzip.
    Gzip,
}

/// How a warehouse is laid out; fixed when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How rows are written.
    pub format: Format,
    /// How files are packed.
    pub compression: Compression,
    /// How custom fields are keyed.
    pub keys: CustomFields,
}

/// A layout as asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How rows are written.
    pub format: Option<Format>,
    /// How files are packed.
    pub compression: Option<Compression>,
    /// How custom fields are keyed.
    pub keys: Option<CustomFields>,
}

impl Wanted {
    /// The layout of a new warehouse.
    pub(super) fn or_default(self) -> Result<Layout> {
        let format = self.format.unwrap_or(Format::Ndjson);
        let compression = match (format, self.compression) {
            (Format::Parquet, None | Some(Compression::Zstd)) => Compression::Zstd,
            (Format::Parquet, Some(_)) => {
                let message = "Parquet is packed with zstd only";
                return Err(Error::new(Kind::Usage, message).at("--compression"));
            }
            (Format::Ndjson, asked) => asked.unwrap_or(Compression::None),
        };
        let keys = self.keys.unwrap_or(match format {
            Format::Parquet => CustomFields::Name,
            Format::Ndjson => CustomFields::Hash,
        });
        Ok(Layout { format, compression, keys })
    }

    /// Refuses to continue in another layout.
    pub(super) fn must_be(self, found: Layout, place: &str) -> Result<()> {
        let differs = |flag: &str, is: &dyn std::fmt::Debug| {
            let is = format!("{is:?}").to_lowercase();
            let message = format!(
                "this warehouse was created with {flag} {is}: continue with that, or use another --dir"
            );
            Err(Error::new(Kind::Usage, message).at(place))
        };
        match self {
            Self { format: Some(format), .. } if format != found.format => {
                differs("--format", &found.format)
            }
            Self { compression: Some(asked), .. } if asked != found.compression => {
                differs("--compression", &found.compression)
            }
            Self { keys: Some(keys), .. } if keys != found.keys => {
                differs("--custom-fields", &found.keys)
            }
            _ => Ok(()),
        }
    }
}
