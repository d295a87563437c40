//! The values of the configuration, which is one JSON object for every command.

use super::configuration::{ValueType, named};
use super::error::{Error, Kind, Result};
use super::outside::{is_token, safe_origin};
use super::time::Time;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a user configured, checked.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Scheme and host requests go to, without a trailing slash.
    pub origin: String,
    /// Whether the origin is the shared host, where v1 lives under `/v1` (pipedrive-api.md 1.1).
    pub shared_host: bool,
    /// The company's subdomain when one was configured: a token of another company is refused.
    pub company: Option<String>,
    /// How to identify.
    pub credentials: Credentials,
    /// Where incremental streams begin without a state.
    pub start: Option<Time>,
    /// Whether archived deals and leads belong to their streams.
    pub archived: bool,
    /// Whether mail of deals, persons and organizations comes with its text.
    pub mail_bodies: bool,
    /// How custom fields are keyed.
    pub custom_fields: CustomFields,
    /// How far back an incremental read looks for rows that surface late, seconds.
    pub overlap: i64,
    /// Streams read side by side.
    pub concurrency: usize,
    /// Tokens this run may spend.
    pub max_tokens: Option<u64>,
    /// Share of the company's daily budget to leave to others, percent.
    pub reserve_percent: u32,
    /// Whether the origin was given by `base_url`.
    pub base_url: bool,
    /// First wait of the exponential backoff, milliseconds.
    pub backoff_millis: u64,
    /// Longest silence within an answer, milliseconds.
    pub timeout_millis: u64,
    /// Whether answers may come packed.
    pub gzip: bool,
    /// Seconds after which rows that were taken into a warehouse are committed at the latest.
    pub commit_seconds: i64,
    /// How requests introduce themselves, beside the name of this program.
    pub user_agent: Option<String>,
    /// Whether a Singer target gets `ACTIVATE_VERSION` after a full-table read, so that it removes missing
    /// rows.
    pub activate_versions: bool,
    /// Whether objects and lists go to a Singer target as JSON in a text.
    pub objects_as_text: bool,
    /// For tests of crashes, with `base_url` only: the process aborts at this step of its storage.
    pub crash_at_step: Option<u64>,
}

/// How to identify.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A personal API token.
    Token(SecretString),
    /// An OAuth app and a user's grant to it.
    OAuth {
        /// The app's id.
        client_id: String,
        /// The app's secret.
        client_secret: SecretString,
        /// The user's grant.
        refresh_token: SecretString,
    },
}

/// How custom fields are keyed in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CustomFields {
    /// By their 40-character hash, as the API has them.
    #[default]
    Hash,
    /// By their name, with option labels beside option ids.
    Name,
    /// The same, beside the columns of the row, each of one type; over the wire only.
    #[serde(skip)]
    Columns,
}

/// Host used when no company is configured, so that old configurations work.
const SHARED_HOST: &str = "https://api.pipedrive.com";
impl Settings {
    /// Reads a configuration. Unknown keys are ignored, null is absent.
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

    /// Every secret in it, for masking.
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

/// The value of a key that is there and not null.
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

/// A number of the table that always has a value.
fn amount<N: TryFrom<u64>>(json: &Value, key: &str) -> Result<N> {
    let number = number(json, key)?.and_then(|number| N::try_from(number).ok());
    Ok(number.expect("the table gives these keys a usual value, and limits that fit"))
}

/// A number of the table, or its usual value.
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

/// A flag of the table, or its usual value.
fn flag(json: &Value, key: &str) -> Result<bool> {
    match present(json, key) {
        None => Ok(matches!(named(key).map(|key| key.takes), Some(ValueType::Flag(true)))),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(config("must be true or false", key)),
    }
}

/// How requests introduce themselves: `user-agent` is how the existing Singer tap spells it.
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

/// `acme`, `acme.pipedrive.com` or its URL, as `acme`. A path is dropped behind a whole host only.
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

/// An origin for tests and proxies.
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
    // `authorization` is what older versions of the Airbyte connector call it.
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
