//! The configuration of the tap: files, of which later ones override earlier ones, and the environment.

use crate::cli::environment::Origins;
use crate::cli::setup::ConfigSource;
use crate::cli::{environment, files};
use crate::model::{Error, KEYS, Kind, Result, ValueType};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The argument that selects the environment as a configuration layer.
const ENV: &str = "ENV";
/// The prefix of the environment variables.
const PREFIX: &str = "TAP_PIPEDRIVE_";

/// Merges these layers into a configuration. Later layers override earlier ones. A replaced refresh token
/// is stored in the file that contained the old one.
pub(super) fn given(layers: &[PathBuf]) -> Result<ConfigSource> {
    let (mut config, mut keeper, mut origins) = (Map::new(), None, Origins::default());
    for layer in layers {
        let (found, file) = if layer.as_os_str() == ENV {
            (environment(environment::variable)?, None)
        } else {
            (file(layer)?, Some(layer))
        };
        if ["credentials", "authorization"].iter().any(|key| found.contains_key(*key)) {
            keeper = file.cloned();
        }
        for key in found.keys() {
            match file {
                None => origins.set(key, &variable_of(key)),
                Some(_) => origins.forget(key),
            }
        }
        config.extend(found);
    }
    Ok(ConfigSource::layered(Value::Object(config), keeper, origins))
}

fn file(path: &Path) -> Result<Map<String, Value>> {
    if let Value::Object(object) = files::json("config", path)? {
        return Ok(object);
    }
    let place = format!("--config {}", path.display());
    Err(Error::new(Kind::Config, "configuration is not a JSON object").at(place))
}

/// Reads the environment. Texts are taken unchanged; numbers, flags and objects are parsed as JSON.
fn environment(variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Map<String, Value>> {
    let keys = KEYS.iter().map(|key| (key.name, Some(key.takes)));
    let mut config = Map::new();
    for (key, takes) in keys.chain([("credentials", None)]) {
        let name = variable_of(key);
        let Some(text) = variable(&name)? else { continue };
        let value = match takes {
            Some(ValueType::Flag(_) | ValueType::Number { .. }) | None => {
                serde_json::from_str(&text)
                    .map_err(|_| Error::new(Kind::Config, "must be JSON").at(&name))?
            }
            Some(_) => Value::String(text),
        };
        config.insert(key.to_owned(), value);
    }
    Ok(config)
}

/// Returns the name of the variable that sets a key.
fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_settings() {
        let read = |env: &'static [(&str, &str)]| {
            let found = environment(|name| {
                let found = env.iter().find(|(known, _)| name == format!("{PREFIX}{known}"));
                Ok(found.map(|(_, value)| (*value).to_owned()))
            });
            found.map_or_else(|error| error.to_string(), |found| Value::Object(found).to_string())
        };
        assert_eq!(
            read(&[("API_TOKEN", "12"), ("CONCURRENCY", "2"), ("ARCHIVED", "false")]),
            r#"{"api_token":"12","archived":false,"concurrency":2}"#
        );
        assert_eq!(
            read(&[("CREDENTIALS", r#"{"api_token":"x"}"#)]),
            r#"{"credentials":{"api_token":"x"}}"#
        );
        assert_eq!(read(&[("CONCURRENCY", "two")]), "TAP_PIPEDRIVE_CONCURRENCY: must be JSON");
    }
}
