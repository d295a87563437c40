//! Buckets: credentials from the usual environment variables and profiles.

use super::s3_http::{Connector, options, retries};
use crate::model::{Error, Kind, Result, safe_origin};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use std::collections::HashMap;
use std::path::PathBuf;

/// A bucket of this name, as the environment describes it: the `AWS_*` variables, or a profile of
/// `~/.aws/credentials` and `~/.aws/config`, or what the machine itself offers (web identity,
/// container and instance roles).
pub(super) fn bucket(name: &str, env: impl Fn(&str) -> Option<String>) -> Result<AmazonS3> {
    // Both this and the API's client come here; installing a second time is refused and harmless.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let profile = Profile::of(&set);
    let own = set("AWS_ACCESS_KEY_ID").is_some();
    let keys = profile.get("aws_access_key_id").zip(profile.get("aws_secret_access_key"));
    let keys = keys.filter(|_| !own || set("AWS_PROFILE").is_some());
    if let (None, false, Some(name)) = (keys, own, set("AWS_PROFILE")) {
        let message = format!("profile {name:?} holds no access key in ~/.aws/credentials");
        return Err(Error::new(Kind::Storage, message));
    }
    let mut builder = environment(keys.is_none())
        .with_bucket_name(name)
        .with_retry(retries())
        .with_http_connector(Connector);
    if let Some((key, secret)) = keys {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        if let Some(token) = profile.get("aws_session_token") {
            builder = builder.with_token(token);
        }
    }
    if set("AWS_REGION").is_none()
        && let Some(region) =
            set("AWS_DEFAULT_REGION").or_else(|| profile.get("region").map(str::to_owned))
    {
        builder = builder.with_region(region);
    }
    let endpoint =
        ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"].into_iter().find_map(set);
    let endpoint = endpoint.or_else(|| profile.get("endpoint_url").map(str::to_owned));
    let mut plain = set("AWS_ALLOW_HTTP").is_some_and(|flag| flag == "true" || flag == "1");
    if let Some(endpoint) = &endpoint {
        plain |= loopback(endpoint);
        if endpoint.starts_with("http://") && !plain {
            let message = "endpoint is plain http; set AWS_ALLOW_HTTP=true to use it all the same";
            return Err(Error::new(Kind::Storage, message));
        }
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder
        .with_client_options(options(plain))
        .build()
        .map_err(|error| Error::new(Kind::Storage, "S3 is not configured").because(error))
}

/// What the `AWS_*` variables say, with or without their credentials.
fn environment(credentials: bool) -> AmazonS3Builder {
    const SECRETS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    let variables = std::env::vars().filter(|(name, _)| name.starts_with("AWS_"));
    let wanted = variables.filter(|(name, _)| credentials || !SECRETS.contains(&name.as_str()));
    wanted.fold(AmazonS3Builder::new(), |builder, (name, value)| {
        match name.to_ascii_lowercase().parse() {
            Ok(key) => builder.with_config(key, value),
            // A variable of other tools.
            Err(_) => builder,
        }
    })
}

/// Whether an endpoint is on this machine.
fn loopback(endpoint: &str) -> bool {
    let origin =
        endpoint.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or(rest));
    origin.is_some_and(|host| safe_origin(&format!("http://{host}")).is_some())
}

/// What the shared files of the AWS tools say about a profile.
struct Profile(HashMap<String, String>);

impl Profile {
    fn of(set: &impl Fn(&str) -> Option<String>) -> Self {
        let name = set("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let home = |file: &str| set("HOME").map(|home| PathBuf::from(home).join(".aws").join(file));
        let path =
            |variable: &str, file: &str| set(variable).map(PathBuf::from).or_else(|| home(file));
        let mut values = HashMap::new();
        let files = [
            (path("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
            (path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.clone()),
        ];
        for (path, section) in files {
            let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            values.extend(section_of(&text, &[&section, &name]));
        }
        Self(values)
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}

/// The keys of an INI file's section of one of these names.
fn section_of(text: &str, names: &[&str]) -> HashMap<String, String> {
    let mut inside = false;
    let mut values = HashMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = names.contains(&name.trim());
        } else if let Some((key, value)) =
            line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))
        {
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_from_its_section() {
        let text = "[default]\naws_access_key_id = A\n# x = y\n[profile lake]\nregion=eu-north-1\n; z=1\n[other]\nregion=x\n";
        let shown = |names: &[&str]| {
            let mut values: Vec<_> = section_of(text, names).into_iter().collect();
            values.sort();
            format!("{values:?}")
        };
        assert_eq!(shown(&["default"]), r#"[("aws_access_key_id", "A")]"#);
        assert_eq!(shown(&["profile lake", "lake"]), r#"[("region", "eu-north-1")]"#);
        assert_eq!(shown(&["nobody"]), "[]");
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        assert!(loopback("http://127.0.0.1:9000"));
        assert!(loopback("http://localhost/"));
        assert!(!loopback("http://127.0.0.1.example.test"));
        assert!(!loopback("http://store.example.test"));
    }
}
