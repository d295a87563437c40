//! S3 buckets: credentials from the usual environment variables and profiles.

use super::aws::{self, AwsSettings};
use super::s3_http::{Connector, options, retries};
use crate::model::{Error, Kind, Proxy, Result, Variables, is_loopback, variable, web_address};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use std::collections::HashMap;
use std::path::PathBuf;

/// Opens a bucket with the configuration of the environment: the `AWS_*` variables, a profile of
/// `~/.aws/credentials` and `~/.aws/config`, or the services of the machine (web identity, container and
/// instance roles). All values are checked before the library receives them.
pub(super) fn bucket(name: &str, env: Variables<'_>) -> Result<AmazonS3> {
    // The API client installs the provider, too. A second installation fails without effect.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let given = AwsSettings::of(env)?;
    let profile = Profile::of(&given, env)?;
    let mut builder = AmazonS3Builder::new().with_bucket_name(name).with_retry(retries());
    for (key, value) in given.for_library() {
        let key = key.parse().map_err(|error: object_store::Error| {
            Error::new(Kind::Bug, "the library does not know the setting").at(&key).because(error)
        })?;
        builder = builder.with_config(key, value);
    }
    if given.get("AWS_REQUEST_CHECKSUM_CALCULATION") == Some("WHEN_SUPPORTED")
        && given.get("AWS_CHECKSUM_ALGORITHM").is_none()
    {
        builder = builder.with_checksum_algorithm(object_store::aws::Checksum::SHA256);
    }
    if let Some((key, secret, token)) = keys(&given, &profile)? {
        builder = builder.with_access_key_id(key).with_secret_access_key(secret);
        if let Some(token) = token {
            builder = builder.with_token(token);
        }
    }
    let endpoint = match given.endpoint() {
        Some((name, endpoint)) => Some((name.to_owned(), endpoint.to_owned())),
        None => profile.checked("endpoint_url", aws::endpoint)?,
    };
    let region = match given.region() {
        Some((name, region)) => Some((name.to_owned(), region.to_owned())),
        None => profile.checked("region", aws::region)?,
    };
    fits_amazon(name, &given, endpoint.is_some(), region.as_ref())?;
    if let Some((_, region)) = region {
        builder = builder.with_region(region);
    }
    let mut near = false;
    let mut plain = given.raised("AWS_ALLOW_HTTP");
    if let Some((name, endpoint)) = endpoint {
        near = web_address(&endpoint).is_some_and(|url| is_loopback(&url));
        plain |= near;
        if endpoint.starts_with("http://") && !plain {
            let message = "is plain http; set AWS_ALLOW_HTTP=true to use it all the same";
            return Err(Error::new(Kind::Config, message).at(name));
        }
        builder = builder.with_endpoint(endpoint);
    }
    let trusted = match given.get("AWS_CA_BUNDLE") {
        Some(path) => aws::certificates_of("AWS_CA_BUNDLE", path)?,
        None => Vec::new(),
    };
    if !near && let Some(file) = env("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        crate::model::certificates("SSL_CERT_FILE", std::fs::read(file))?;
    }
    let proxy = if near { None } else { Proxy::of(env)? };
    let built = builder
        .with_http_connector(Connector { proxy })
        .with_client_options(options(plain, &trusted)?)
        .build();
    built.map_err(|error| {
        // The only remaining cause of an error is the system's certificates.
        let sets = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| env(name).is_some());
        let error = Error::new(Kind::Config, "the client for S3 cannot be set up").because(error);
        match sets {
            Some(name) => error.at(name),
            None => error,
        }
    })
}

/// Returns the access keys of the environment, or else of the profile.
fn keys(
    given: &AwsSettings,
    profile: &Profile,
) -> Result<Option<(String, String, Option<String>)>> {
    let own = given.get("AWS_ACCESS_KEY_ID").zip(given.get("AWS_SECRET_ACCESS_KEY"));
    if let Some((key, secret)) = own {
        let token = given.get("AWS_SESSION_TOKEN").map(str::to_owned);
        return Ok(Some((key.to_owned(), secret.to_owned(), token)));
    }
    let value = |name: &str| {
        let found = profile.checked(name, aws::key)?;
        Ok::<_, Error>(found.map(|(_, value)| value))
    };
    match (value("aws_access_key_id")?, value("aws_secret_access_key")?) {
        (Some(key), Some(secret)) => Ok(Some((key, secret, value("aws_session_token")?))),
        _ if given.get("AWS_PROFILE").is_some() => {
            let message = format!(
                "profile \"{}\" holds no access key in ~/.aws/credentials; of an SSO login or an assumed \
                 role, export the keys: aws configure export-credentials --format env",
                profile.name
            );
            Err(Error::new(Kind::Config, message).at("AWS_PROFILE"))
        }
        _ => Ok(None),
    }
}

/// Checks a bucket name against Amazon's rules, which are stricter than those of other servers.
fn fits_amazon(
    bucket: &str,
    given: &AwsSettings,
    elsewhere: bool,
    region: Option<&(String, String)>,
) -> Result<()> {
    let place = format!("s3://{bucket}");
    if given.raised("AWS_S3_EXPRESS")
        && !(bucket.ends_with("--x-s3") || bucket.ends_with("--xa-s3"))
    {
        let message = format!("is for directory buckets, and {place} is none: it ends with --x-s3");
        return Err(Error::new(Kind::Config, message).at("AWS_S3_EXPRESS"));
    }
    if elsewhere {
        return Ok(());
    }
    if bucket.bytes().any(|byte| byte.is_ascii_uppercase() || byte == b'_') {
        let message = "a bucket of Amazon's has no capital letters and no underscores; for a server of \
                       another make set AWS_ENDPOINT_URL";
        return Err(Error::new(Kind::Usage, message).at(place));
    }
    match region {
        Some((name, region)) if !is_amazons_region(region) => {
            let message = "must be a region like eu-north-1; for a server of another make set \
                           AWS_ENDPOINT_URL";
            Err(Error::new(Kind::Config, message).at(name))
        }
        _ => Ok(()),
    }
}

/// Returns whether a text has the form of an Amazon region, such as `eu-north-1` or `us-gov-west-1`.
fn is_amazons_region(region: &str) -> bool {
    let number = region.rsplit_once('-').map(|(_, number)| number).unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !region.starts_with('-')
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The values of a profile in the shared files of the AWS tools.
struct Profile {
    name: String,
    values: HashMap<String, String>,
}

impl Profile {
    fn of(given: &AwsSettings, env: Variables<'_>) -> Result<Self> {
        let name = given.get("AWS_PROFILE").unwrap_or("default").to_owned();
        let home = variable("HOME", env)?.map(PathBuf::from);
        let path = |variable: &str, file: &str| {
            let own = given.get(variable).map(PathBuf::from);
            own.or_else(|| Some(home.as_ref()?.join(".aws").join(file)))
        };
        let mut values = HashMap::new();
        let files = [
            (path("AWS_CONFIG_FILE", "config"), format!("profile {name}")),
            (path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), name.clone()),
        ];
        for (path, section) in files {
            let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
            values.extend(section_of(&text, &[&section, &name]));
        }
        Ok(Self { name, values })
    }

    /// Returns a checked value of the profile, and its source. `None` if it is missing or empty.
    fn checked(
        &self,
        key: &str,
        check: impl Fn(&str, &str) -> Result<String>,
    ) -> Result<Option<(String, String)>> {
        let Some(text) = self.values.get(key).filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let place = format!("{key} of profile \"{}\"", self.name);
        let value = check(&place, text)?;
        Ok(Some((place, value)))
    }
}

/// Returns the keys of the sections of an INI file that have one of these names.
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
    fn regions_of_amazon_end_with_a_number() {
        for region in ["eu-north-1", "us-gov-west-1", "eusc-de-east-1"] {
            assert!(is_amazons_region(region), "{region}");
        }
        for region in ["eu-north-1a", "Frankfurt", "eu-north", "EU-NORTH-1", "1", "-1", "eu-north-"]
        {
            assert!(!is_amazons_region(region), "{region}");
        }
    }
}
