//! The values of the configuration, which is one JSON object for every command.

use super::configuration::{ValueType, named};
use super::error::{Error, Kind, Result};
use super::outside::{is_token, safe_origin};
use super::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The validated configuration.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The scheme and host of requests, without a trailing slash.
    pub origin: String,
    /// Whether the origin is the shared host, where v1 is below `/v1` (pipedrive-api.md 1.1).
    pub shared_host: bool,
    /// The company's subdomain, if it is configured. A token of another company is then refused.
    pub company: Option<String>,
    /// The credentials.
    pub credentials: Credentials,
    /// The start time of incremental streams without a state.
    pub start: Option<Time>,
    /// Whether archived deals and leads are read.
    pub archived: bool,
    /// Whether mail of deals, persons and organizations is read with its text.
    pub mail_bodies: bool,
    /// The kind of keys of custom fields.
    pub custom_fields: CustomFields,
    /// The overlap of incremental reads, in seconds. Rows that appear late are found in it.
    pub overlap: i64,
    /// The number of streams that are read concurrently.
    pub concurrency: usize,
    /// The maximum number of tokens of a run.
    pub max_tokens: Option<u64>,
    /// The share of the company's daily budget that is left to other clients, in percent.
    pub reserve_percent: u32,
    /// Whether `base_url` determined the origin.
    pub base_url: bool,
    /// The first pause of the exponential backoff, in milliseconds.
    pub backoff_millis: u64,
    /// The maximum pause while a response is received, in milliseconds.
    pub timeout_millis: u64,
    /// Whether responses may be compressed.
    pub gzip: bool,
    /// The maximum time between receiving rows and committing them to a warehouse, in seconds.
    pub commit_seconds: i64,
    /// The text that follows this program's name in the `User-Agent` header.
    pub user_agent: Option<String>,
    /// Whether a Singer target gets `ACTIVATE_VERSION` after a full-table read, so that it removes missing
    /// rows.
    pub activate_versions: bool,
    /// Whether objects and lists are sent to a Singer target as JSON in a text.
    pub objects_as_text: bool,
    /// For crash tests, with `base_url` only: the process aborts at this step of its storage.
    pub crash_at_step: Option<u64>,
}

/// The credentials of requests.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A personal API token.
    Token(SecretString),
    /// An OAuth app, and a user's grant to it.
    OAuth {
        /// The id of the app.
        client_id: String,
        /// The secret of the app.
        client_secret: SecretString,
        /// The user's grant.
        refresh_token: SecretString,
    },
}

/// The kind of keys of custom fields in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomFields {
    /// The 40-character hash, as in the API.
    #[default]
    Hash,
    /// The field name. Option labels are added next to option ids.
    Name,
    /// The field name, as top-level columns of one type each. This is available on the wire only.
    #[serde(skip)]
    Columns,
}

/// The host that is used if no company is configured, so that old configurations work.
const SHARED_HOST: &str = "https://api.pipedrive.com";
impl Settings {
    /// Reads a configuration. Unknown keys are ignored, and null counts as absent.
    pub fn from_json(json: &Value) -> Result<Self> {
        let Value::Object(_) = json else {
            return Err(config("configuration is not a JSON object", "configuration"));
        };
        let company = text(json, "company_domain")?.map(|name| company(&name)).transpose()?;
        let base = text(json, "base_url")?.map(|url| base_url(&url)).transpose()?;
        let own_base = base.is_some();
        let shared_host = !own_base && company.is_none();
        let origin = match (base, &company) {
            (Some(base), _) => base,
            (None, Some(company)) => format!("https://{company}.pipedrive.com"),
            (None, None) => SHARED_HOST.to_owned(),
        };
        let start = match text(json, "start_date")? {
            Some(text) => Some(start("start_date", &text)?),
            None => text(json, "replication_start_date")?
                .map(|text| start("replication_start_date", &text))
                .transpose()?,
        };
        let custom_fields = match text(json, "custom_fields")?.as_deref() {
            None | Some("hash") => CustomFields::Hash,
            Some("name") => CustomFields::Name,
            Some("columns") => CustomFields::Columns,
            Some(_) => {
                let message = "must be \"hash\", \"name\" or \"columns\"";
                return Err(config(message, "custom_fields"));
            }
        };
        Ok(Self {
            origin,
            shared_host,
            company,
            credentials: credentials(json)?,
            start,
            archived: flag(json, "archived")?,
            mail_bodies: flag(json, "mail_bodies")?,
            custom_fields,
            overlap: amount(json, "overlap_seconds")?,
            concurrency: amount(json, "concurrency")?,
            max_tokens: number(json, "max_tokens")?,
            reserve_percent: amount(json, "reserve_percent")?,
            base_url: own_base,
            backoff_millis: amount(json, "backoff_millis")?,
            timeout_millis: amount(json, "timeout_millis")?,
            gzip: flag(json, "gzip")?,
            commit_seconds: amount(json, "commit_seconds")?,
            user_agent: user_agent(json)?,
            activate_versions: flag(json, "emit_activate_version_messages")?,
            objects_as_text: flag(json, "objects_as_text")?,
            crash_at_step: within(json, "crash_at_step", 1, u64::MAX)?.filter(|_| own_base),
        })
    }

    /// Returns all secrets of the configuration, for masking.
    pub fn secrets(&self) -> Vec<&str> {
        match &self.credentials {
            Credentials::Token(token) => vec![token.expose_secret()],
            Credentials::OAuth { client_secret, refresh_token, .. } => {
                vec![client_secret.expose_secret(), refresh_token.expose_secret()]
            }
        }
    }
}

fn config(message: &str, key: &str) -> Error {
    Error::new(Kind::Config, message).at(key)
}

/// Returns the value of a key that is present and not null.
fn present<'j>(json: &'j Value, key: &str) -> Option<&'j Value> {
    json.get(key).filter(|value| !value.is_null())
}

fn text(json: &Value, key: &str) -> Result<Option<String>> {
    match present(json, key) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(config("must be text", key)),
    }
}

/// Returns a number of the table that always has a value.
fn amount<N: TryFrom<u64>>(json: &Value, key: &str) -> Result<N> {
    let number = number(json, key)?.and_then(|number| N::try_from(number).ok());
    Ok(number.expect("the table gives these keys a usual value, and limits that fit"))
}

/// Returns a number of the table, or its default.
fn number(json: &Value, key: &str) -> Result<Option<u64>> {
    let Some(ValueType::Number { least, most, usual }) = named(key).map(|key| key.takes) else {
        return Err(Error::new(Kind::Bug, "is no number of the table").at(key));
    };
    Ok(within(json, key, least, most)?.or(usual))
}

fn within(json: &Value, key: &str, least: u64, most: u64) -> Result<Option<u64>> {
    match present(json, key) {
        None => Ok(None),
        Some(value) => match value.as_u64().filter(|n| (least..=most).contains(n)) {
            Some(number) => Ok(Some(number)),
            None if most == u64::MAX => {
                Err(config(&format!("must be a whole number from {least} on"), key))
            }
            None => Err(config(&format!("must be a whole number from {least} to {most}"), key)),
        },
    }
}

/// Returns a flag of the table, or its default.
fn flag(json: &Value, key: &str) -> Result<bool> {
    match present(json, key) {
        None => Ok(matches!(named(key).map(|key| key.takes), Some(ValueType::Flag(true)))),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(config("must be true or false", key)),
    }
}

/// Returns the configured user agent. `user-agent` is the key of the existing Singer tap.
fn user_agent(json: &Value) -> Result<Option<String>> {
    for key in ["user_agent", "user-agent"] {
        if let Some(text) = text(json, key)? {
            if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
                return Ok(Some(text));
            }
            return Err(config("holds characters that no header has", key));
        }
    }
    Ok(None)
}

fn start(key: &str, text: &str) -> Result<Time> {
    Time::parse(text).ok_or_else(|| config("must be a time like 2026-01-31T00:00:00Z", key))
}

/// Longest label of a host name.
const LABEL_BYTES_MAX: usize = 63;

/// Returns `acme` for `acme`, `acme.pipedrive.com` or its URL. A path is allowed only after a complete host.
fn company(name: &str) -> Result<String> {
    let host = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"));
    let host = host.unwrap_or(name);
    let (host, path) = host.split_at(host.find(['/', '?', '#']).unwrap_or(host.len()));
    let whole = host.strip_suffix(".pipedrive.com");
    let name = whole.unwrap_or(host).to_ascii_lowercase();
    let valid = !name.is_empty()
        && name.len() <= LABEL_BYTES_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
        && (whole.is_some() || path.trim_end_matches('/').is_empty());
    if valid {
        Ok(name)
    } else {
        Err(config(
            "must be a company domain like acme, acme.pipedrive.com or https://acme.pipedrive.com",
            "company_domain",
        ))
    }
}

/// Returns an origin for tests and proxies.
fn base_url(url: &str) -> Result<String> {
    safe_origin(url).ok_or_else(|| {
        config("must be an https:// origin, or http:// on loopback, without a path", "base_url")
    })
}

fn secret(json: &Value, key: &str) -> Result<Option<SecretString>> {
    let secret = text(json, key)?;
    match secret {
        Some(text) if !is_token(&text) => Err(config("holds characters that no token has", key)),
        other => Ok(other.map(SecretString::from)),
    }
}

fn credentials(json: &Value) -> Result<Credentials> {
    const HINT: &str =
        "an api_token, or credentials with client_id, client_secret and refresh_token, is needed";
    // `authorization` is the key of older versions of the Airbyte connector.
    let nested = present(json, "credentials").or_else(|| present(json, "authorization"));
    let Some(nested) = nested else {
        return match secret(json, "api_token")? {
            Some(token) => Ok(Credentials::Token(token)),
            None => Err(config(HINT, "credentials")),
        };
    };
    if !nested.is_object() {
        return Err(config("must be an object", "credentials"));
    }
    let kind = text(nested, "auth_type")?.map(|kind| kind.to_ascii_lowercase());
    let oauth = match kind.as_deref() {
        Some("token" | "api_token") => false,
        Some("oauth" | "oauth2" | "client") => true,
        Some(_) => {
            return Err(config("must be \"token\" or \"oauth\"", "credentials.auth_type"));
        }
        None => present(nested, "refresh_token").is_some(),
    };
    let needed = |key: &str| {
        let place = format!("credentials.{key}");
        let found = secret(nested, key).map_err(|error| error.at(&place))?;
        found.ok_or_else(|| config("is missing", &place))
    };
    if oauth {
        Ok(Credentials::OAuth {
            client_id: needed("client_id")?.expose_secret().to_owned(),
            client_secret: needed("client_secret")?,
            refresh_token: needed("refresh_token")?,
        })
    } else {
        Ok(Credentials::Token(needed("api_token")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let json = serde_json::from_str(json).expect("the test writes JSON");
        let shown = match Settings::from_json(&json) {
            Ok(settings) => settings.origin,
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn every_spelling_of_a_company_is_one_origin() {
        for name in [
            "acme",
            "ACME",
            "acme.pipedrive.com",
            "https://acme.pipedrive.com/",
            "http://acme.pipedrive.com/v1",
        ] {
            check(
                &format!(r#"{{"api_token":"t","company_domain":"{name}"}}"#),
                "https://acme.pipedrive.com",
            );
        }
        check(
            r#"{"api_token":"t","company_domain":"evil.test"}"#,
            "company_domain: must be a company domain like acme, acme.pipedrive.com or https://acme.pipedrive.com",
        );
        check(r#"{"api_token":"t","company_domain":null}"#, "https://api.pipedrive.com");
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        check(r#"{"api_token":"t","base_url":"http://127.0.0.1:8080/"}"#, "http://127.0.0.1:8080");
        check(r#"{"api_token":"t","base_url":"http://[::1]:8080"}"#, "http://[::1]:8080");
        for url in [
            "http://127.0.0.1.evil.test",
            "http://localhost@evil.test",
            "http://acme.test",
            "ftp://x",
        ] {
            check(
                &format!(r#"{{"api_token":"t","base_url":"{url}"}}"#),
                "base_url: must be an https:// origin, or http:// on loopback, without a path",
            );
        }
    }

    #[test]
    fn a_user_agent_is_taken_in_both_spellings() {
        let read = |json: &str| {
            let json = serde_json::from_str(json).expect("the test writes JSON");
            Settings::from_json(&json).map(|settings| settings.user_agent)
        };
        for key in ["user_agent", "user-agent"] {
            let json = format!(r#"{{"api_token":"t","{key}":"tap (data@example.test)"}}"#);
            let agent = read(&json).expect("it is one");
            assert_eq!(agent.as_deref(), Some("tap (data@example.test)"));
        }
        let error = read(r#"{"api_token":"t","user_agent":"a\nb"}"#).expect_err("it is none");
        assert_eq!(error.to_string(), "user_agent: holds characters that no header has");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check("[]", "configuration: configuration is not a JSON object");
        check(
            "{}",
            "credentials: an api_token, or credentials with client_id, client_secret and refresh_token, is needed",
        );
        check(
            r#"{"credentials":{"auth_type":"oauth","client_id":"a"}}"#,
            "credentials.client_secret: is missing",
        );
        check(
            r#"{"credentials":{"auth_type":"magic"}}"#,
            "credentials.auth_type: must be \"token\" or \"oauth\"",
        );
        check(
            r#"{"api_token":"t","start_date":"soon"}"#,
            "start_date: must be a time like 2026-01-31T00:00:00Z",
        );
        check(
            r#"{"api_token":"t","concurrency":0}"#,
            "concurrency: must be a whole number from 1 to 64",
        );
        check(r#"{"api_token":"a b"}"#, "api_token: holds characters that no token has");
    }
}
