//! Reads the configuration of the standalone commands from environment variables.

use crate::model::{self, Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the value of an environment variable. An empty value counts as absent.
pub(super) fn variable(name: &str) -> Result<Option<String>> {
    model::variable(name, &|name| std::env::var_os(name))
}

/// The configuration keys that environment variables set, with the names of the variables.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<String, String>);

impl Origins {
    /// Records that a variable sets this key.
    pub(super) fn set(&mut self, key: &str, variable: &str) {
        self.0.insert(key.to_owned(), variable.to_owned());
    }

    /// Removes a key that a file sets instead.
    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// Replaces the key in an error by the name of the variable that sets it.
    pub(super) fn named(&self, error: Error) -> Error {
        let Some(place) = error.place().map(str::to_owned) else { return error };
        let above = place.split('.').next().unwrap_or_default();
        match (self.0.get(&place), self.0.get(above)) {
            (Some(variable), _) => error.at(variable),
            (None, Some(variable)) => error.at(format!("{variable} ({place})")),
            (None, None) => error,
        }
    }
}

/// The variables of pdcli and their counterparts in this program (pdcli.md 3).
const PDCLI: [(&str, &str); 5] = [
    ("PDCLI_API_TOKEN", "PIPEDRIVE_API_TOKEN"),
    ("PDCLI_COMPANY_DOMAIN", "PIPEDRIVE_COMPANY_DOMAIN"),
    ("PDCLI_CLIENT_ID", "PIPEDRIVE_CLIENT_ID"),
    ("PDCLI_CLIENT_SECRET", "PIPEDRIVE_CLIENT_SECRET"),
    ("PDCLI_BASE_URL", "PIPEDRIVE_BASE_URL"),
];

/// Returns a hint for a user who set the variables of pdcli instead of those of this program. Returns
/// `None` if there are none.
pub(super) fn pdcli_hint(set: impl Fn(&str) -> bool) -> Option<String> {
    let set = PDCLI.iter().filter(|(theirs, ours)| set(theirs) && !set(ours));
    let (theirs, ours): (Vec<&str>, Vec<&str>) = set.copied().unzip();
    let one = theirs.len() == 1;
    (!theirs.is_empty()).then(|| {
        format!(
            "{} {} set, which pdcli reads and this program does not: set {} to the same",
            theirs.join(" and "),
            if one { "is" } else { "are" },
            ours.join(" and ")
        )
    })
}

/// Merges the environment into the configuration of the file.
///
/// A token in the environment replaces the credentials of the file. `PIPEDRIVE_API_TOKEN` takes precedence
/// over `PIPEDRIVE_REFRESH_TOKEN`. The id and secret of an OAuth app override those of the file.
pub(super) fn overlay(
    file: Value,
    env: impl Fn(&str) -> Result<Option<String>>,
) -> Result<(Value, Origins)> {
    let mut origins = Origins::default();
    let Value::Object(mut config) = file else {
        return Ok((file, origins));
    };
    for (variable, key) in
        [("PIPEDRIVE_COMPANY_DOMAIN", "company_domain"), ("PIPEDRIVE_BASE_URL", "base_url")]
    {
        if let Some(value) = env(variable)? {
            config.insert(key.to_owned(), value.into());
            origins.set(key, variable);
        }
    }
    if let Some(token) = env("PIPEDRIVE_API_TOKEN")? {
        for key in ["authorization", "api_token"] {
            config.remove(key);
        }
        let credentials = json!({"auth_type": "token", "api_token": token});
        config.insert("credentials".to_owned(), credentials);
        origins.set("credentials.api_token", "PIPEDRIVE_API_TOKEN");
        return Ok((Value::Object(config), origins));
    }
    let mut app: Vec<(&str, String)> = Vec::new();
    for (variable, key) in APP {
        if let Some(value) = env(variable)? {
            app.push((key, value));
        }
    }
    let granted = app.iter().any(|(key, _)| *key == "refresh_token");
    let nested = ["credentials", "authorization"].into_iter().find(|key| config.contains_key(*key));
    let own = nested.and_then(|key| config.get(key)).and_then(Value::as_object);
    let own = own.filter(|own| own.contains_key("refresh_token")).cloned();
    let token = config.contains_key("api_token") || nested.is_some();
    // An app without a refresh token does not replace a token in the file.
    if app.is_empty() || (!granted && own.is_none() && token) {
        return Ok((Value::Object(config), origins));
    }
    let mut credentials = own.unwrap_or_default();
    for (variable, key) in APP {
        // An error about a missing key names the variable that could set it.
        if app.iter().any(|(set, _)| *set == key) || !credentials.contains_key(key) {
            origins.set(&format!("credentials.{key}"), variable);
        }
    }
    credentials.insert("auth_type".to_owned(), "oauth".into());
    credentials.extend(app.into_iter().map(|(key, value)| (key.to_owned(), value.into())));
    for key in ["authorization", "api_token"] {
        config.remove(key);
    }
    config.insert("credentials".to_owned(), Value::Object(credentials));
    Ok((Value::Object(config), origins))
}

/// The variables of an OAuth app and its refresh token.
const APP: [(&str, &str); 3] = [
    ("PIPEDRIVE_CLIENT_ID", "client_id"),
    ("PIPEDRIVE_CLIENT_SECRET", "client_secret"),
    ("PIPEDRIVE_REFRESH_TOKEN", "refresh_token"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, env: &[(&str, &str)], expected: &str) {
        let file = serde_json::from_str(file).expect("the test writes JSON");
        let found = |name: &str| {
            let found = env.iter().find(|(variable, _)| name == format!("PIPEDRIVE_{variable}"));
            Ok(found.map(|(_, value)| (*value).to_owned()))
        };
        let (config, _) = overlay(file, found).expect("all of it is text");
        assert_eq!(config.to_string(), expected);
    }

    #[test]
    fn the_environment_goes_over_the_file() {
        let file = r#"{"api_token":"f","company_domain":"file","concurrency":2}"#;
        check(file, &[], r#"{"api_token":"f","company_domain":"file","concurrency":2}"#);
        check(
            file,
            &[("COMPANY_DOMAIN", "env"), ("BASE_URL", "http://127.0.0.1:1")],
            r#"{"api_token":"f","base_url":"http://127.0.0.1:1","company_domain":"env","concurrency":2}"#,
        );
        check(
            file,
            &[("API_TOKEN", "e")],
            r#"{"company_domain":"file","concurrency":2,"credentials":{"api_token":"e","auth_type":"token"}}"#,
        );
        check("[]", &[("API_TOKEN", "e")], "[]");
    }

    #[test]
    fn variables_of_pdcli_are_told_where_ours_are_missing() {
        let hint = |set: &[&str]| pdcli_hint(|name| set.contains(&name)).unwrap_or_default();
        for (theirs, ours) in PDCLI {
            assert_eq!(
                hint(&[theirs]),
                format!(
                    "{theirs} is set, which pdcli reads and this program does not: set {ours} to the same"
                )
            );
            assert_eq!(hint(&[theirs, ours]), "");
            assert_eq!(hint(&[ours]), "");
        }
        assert_eq!(
            hint(&["PDCLI_API_TOKEN", "PDCLI_COMPANY_DOMAIN"]),
            "PDCLI_API_TOKEN and PDCLI_COMPANY_DOMAIN are set, which pdcli reads and this program does \
             not: set PIPEDRIVE_API_TOKEN and PIPEDRIVE_COMPANY_DOMAIN to the same"
        );
    }

    #[test]
    fn a_token_replaces_credentials_and_the_shorter_way_wins() {
        let env = [("API_TOKEN", "e"), ("REFRESH_TOKEN", "r"), ("CLIENT_ID", "c")];
        for file in [
            r#"{"credentials":{"auth_type":"oauth","client_id":"f","refresh_token":"f"}}"#,
            r#"{"authorization":{"auth_type":"Client","client_id":"f","refresh_token":"f"}}"#,
            "{}",
        ] {
            check(file, &env, r#"{"credentials":{"api_token":"e","auth_type":"token"}}"#);
        }
    }

    #[test]
    fn an_app_goes_over_the_app_of_a_file() {
        let grant = [("CLIENT_ID", "c"), ("CLIENT_SECRET", "s"), ("REFRESH_TOKEN", "r")];
        let whole = r#"{"credentials":{"auth_type":"oauth","client_id":"c","client_secret":"s","refresh_token":"r"}}"#;
        for file in ["{}", r#"{"api_token":"f"}"#, r#"{"credentials":{"api_token":"f"}}"#] {
            check(file, &grant, whole);
        }
        let oauth = r#"{"credentials":{"client_id":"f","client_secret":"f","refresh_token":"f"}}"#;
        check(
            oauth,
            &grant[1..2],
            r#"{"credentials":{"auth_type":"oauth","client_id":"f","client_secret":"s","refresh_token":"f"}}"#,
        );
        check(r#"{"api_token":"f"}"#, &grant[..2], r#"{"api_token":"f"}"#);
        check("{}", &grant[..1], r#"{"credentials":{"auth_type":"oauth","client_id":"c"}}"#);
    }
}
