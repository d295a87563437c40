//! Parses saved states: of Airbyte, of Singer, or of a warehouse's manifest.

use crate::model::{Error, Kind, Resource, Result, StreamState, names_of};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The states of earlier runs, by stream. The object of a stream is the same in Airbyte, Singer and a
/// manifest, so a state can be moved from one to another.
#[derive(Debug, Clone, Default)]
pub struct SavedState {
    /// The objects as they were found, including streams that are not ours.
    pub streams: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: Option<String>,
    stream: Option<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    stream_descriptor: Descriptor,
    stream_state: Option<Value>,
}

#[derive(Deserialize)]
struct Descriptor {
    name: String,
}

impl SavedState {
    /// Parses a state file: a list of Airbyte's STATE messages, a Singer state (`bookmarks`, or a STATE
    /// message), or the manifest of a warehouse (`streams`). An empty object, which old platforms pass,
    /// is no state. Any other object is refused, because no version of this program wrote one.
    pub fn from_json(json: &Value) -> Result<Self> {
        let streams = match json {
            Value::Null => BTreeMap::new(),
            Value::Array(messages) => messages_of(messages)?,
            Value::Object(object) if object.is_empty() => BTreeMap::new(),
            Value::Object(object) => object_of(object)?,
            _ => return Err(corrupt("is not a state")),
        };
        Ok(Self { streams })
    }

    /// Returns the readable keys of custom fields, by hash, in the state of a resource.
    pub fn names(&self, resource: &Resource) -> BTreeMap<String, String> {
        self.streams.get(resource.name).map(names_of).unwrap_or_default()
    }

    /// Returns the state of a resource, if there is one to continue from.
    pub fn of(&self, resource: &Resource) -> Result<Option<StreamState>> {
        let state = self.streams.get(resource.name);
        state.map_or(Ok(None), |state| StreamState::from_json(resource, state))
    }
}

fn corrupt(message: &str) -> Error {
    Error::new(Kind::State, format!("{message}; clear the connection's state to start over"))
        .at("state")
}

fn messages_of(messages: &[Value]) -> Result<BTreeMap<String, Value>> {
    let mut streams = BTreeMap::new();
    for message in messages {
        // Whole STATE lines are accepted too, as `read` writes them.
        let message = message.get("state").unwrap_or(message);
        let message = Message::deserialize(message)
            .map_err(|error| corrupt("is not a list of state messages").because(error))?;
        match message.stream {
            Some(Stream { stream_descriptor, stream_state: Some(state) }) => {
                streams.insert(stream_descriptor.name, state);
            }
            Some(_) => {}
            None if message.kind.as_deref() == Some("STREAM") => {}
            None => return Err(corrupt("holds a state that is not a stream's")),
        }
    }
    Ok(streams)
}

fn object_of(object: &Map<String, Value>) -> Result<BTreeMap<String, Value>> {
    let object = object.get("value").and_then(Value::as_object).unwrap_or(object);
    let streams = object.get("bookmarks").or_else(|| object.get("streams"));
    match streams {
        None if object.is_empty() => Ok(BTreeMap::new()),
        Some(Value::Null) => Ok(BTreeMap::new()),
        Some(Value::Object(streams)) => Ok(streams.clone().into_iter().collect()),
        _ => Err(corrupt("is neither a list of state messages, nor has it bookmarks or streams")),
    }
}
