//! The layout of a warehouse, which its first run fixes.

use crate::model::{CustomFields, Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// The format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object per line, as the API sent it.
    Ndjson,
    /// Typed columns.
    Parquet,
}

impl Format {
    /// Returns the name on the command line and in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// The compression of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// No compression.
    None,
    /// Zstandard, level 1.
    Zstd,
    /// Gzip.
    Gzip,
}

/// The layout of a warehouse. It is fixed when the warehouse is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The format of rows.
    pub format: Format,
    /// The compression of files.
    pub compression: Compression,
    /// The keys of custom fields.
    pub keys: CustomFields,
}

/// The requested layout. `None` means no preference.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The format of rows.
    pub format: Option<Format>,
    /// The compression of files.
    pub compression: Option<Compression>,
    /// The keys of custom fields.
    pub keys: Option<CustomFields>,
}

impl Wanted {
    /// Returns the layout of a new warehouse.
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

    /// Refuses a layout that differs from that of the existing warehouse.
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
