//! What the platform hands in: the configured catalog and the state of the last run.

use crate::model::{Error, Kind, Resource, Result, StreamState};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A stream the user selected.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Which.
    pub resource: &'static Resource,
    /// Whether only changes are wanted.
    pub incremental: bool,
    /// The schema the loader goes by.
    pub schema: Value,
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

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: Option<String>,
    stream: Option<Saved>,
}

#[derive(Deserialize)]
struct Saved {
    stream_descriptor: Descriptor,
    stream_state: Option<Value>,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
}

/// Reads a configured catalog. Keys that are a destination's business are ignored.
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
        let place = format!("catalog, stream {name:?}");
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
        streams.push(Configured { resource, incremental, schema: stream.stream.json_schema });
    }
    if streams.is_empty() {
        return Err(Error::new(Kind::Config, "selects no stream").at("catalog"));
    }
    Ok(streams)
}

/// Reads a state file: a list of STATE messages. Streams that are not configured are ignored. An
/// empty object, which old platforms pass, is no state; any other object is refused, for no version
/// of this connector wrote one.
pub fn states(
    json: &Value,
    configured: &[Configured],
) -> Result<BTreeMap<&'static str, StreamState>> {
    let corrupt = |message: &str| {
        Error::new(Kind::State, format!("{message}; clear the connection's state to start over"))
            .at("state")
    };
    let messages = match json {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Object(legacy) if legacy.is_empty() => return Ok(BTreeMap::new()),
        Value::Array(messages) => messages,
        _ => return Err(corrupt("is not a list of state messages")),
    };
    let mut states = BTreeMap::new();
    for message in messages {
        // Whole STATE lines are taken too, as `read` writes them.
        let message = message.get("state").unwrap_or(message);
        let message = Message::deserialize(message)
            .map_err(|error| corrupt("is not a list of state messages").because(error))?;
        let Some(saved) = message.stream else {
            if message.kind.as_deref() == Some("STREAM") {
                continue;
            }
            return Err(corrupt("holds a state that is not a stream's"));
        };
        let wanted = configured.iter().find(|c| c.resource.name == saved.stream_descriptor.name);
        if let (Some(wanted), Some(state)) = (wanted, saved.stream_state)
            && let Some(state) = StreamState::from_json(wanted.resource, &state)?
        {
            states.insert(wanted.resource.name, state);
        }
    }
    Ok(states)
}
