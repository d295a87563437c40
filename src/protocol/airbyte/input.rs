//! Parses the configured catalog that the platform passes.

use crate::model::{Error, Kind, Resource, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A stream that the user selected.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The resource.
    pub resource: &'static Resource,
    /// Whether only changes are read.
    pub incremental: bool,
    /// The schema that the loader uses.
    pub schema: Value,
    /// Whether a catalog declares the schema. Otherwise it is ours, without custom fields.
    pub declared: bool,
}

#[derive(Deserialize)]
struct Catalog {
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    stream: Described,
    sync_mode: Option<String>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    #[serde(default)]
    json_schema: Value,
}

/// Parses a configured catalog. Keys for the destination are ignored.
pub fn configured(json: &Value) -> Result<Vec<Configured>> {
    let catalog = Catalog::deserialize(json).map_err(|error| {
        let message =
            "is not a configured catalog, as a platform makes it from what discover prints";
        Error::new(Kind::Config, message).at("catalog").because(error)
    })?;
    let mut seen = BTreeSet::new();
    let mut streams = Vec::new();
    for stream in catalog.streams {
        let name = stream.stream.name;
        let place = format!("catalog, stream \"{name}\"");
        let Some(resource) = Resource::named(&name) else {
            return Err(Error::new(
                Kind::Config,
                "there is no such stream; run discover and refresh the catalog",
            )
            .at(place));
        };
        let incremental = match stream.sync_mode.as_deref() {
            Some("full_refresh") => false,
            Some("incremental") => true,
            _ => {
                let message = "sync_mode must be \"full_refresh\" or \"incremental\"";
                return Err(Error::new(Kind::Config, message).at(place));
            }
        };
        if !seen.insert(name) {
            return Err(Error::new(Kind::Config, "is selected twice").at(place));
        }
        let schema = stream.stream.json_schema;
        streams.push(Configured { resource, incremental, schema, declared: true });
    }
    if streams.is_empty() {
        return Err(Error::new(Kind::Config, "selects no stream").at("catalog"));
    }
    Ok(streams)
}
