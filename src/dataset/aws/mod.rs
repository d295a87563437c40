//! The `AWS_*` variables: one table from which checks, client settings, and documentation are derived.

mod checks;

pub(super) use checks::{certificates_of, endpoint, key, region};

use crate::model::{Result, Variables, variable};
use checks::{Plain, ValueCheck, wrong};
use std::collections::BTreeMap;

/// A variable that this program evaluates. Other `AWS_*` variables are ignored.
#[derive(Debug)]
pub struct Variable {
    /// The name of the variable.
    pub name: &'static str,
    /// The meaning of the variable, in one or two sentences.
    pub about: &'static str,
    takes: ValueCheck,
    /// The part of the program that reads it.
    reads: Reads,
}

/// The reader of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// The library reads it, under the same name.
    Library,
    /// This program reads it.
    Program,
}

const fn variable_of(
    name: &'static str,
    takes: ValueCheck,
    reads: Reads,
    about: &'static str,
) -> Variable {
    Variable { name, about, takes, reads }
}

use Reads::{Library, Program};
use ValueCheck::{Address, Flag, Secret, Token, Word};

const ENCRYPTIONS: &[&str] = &["AES256", "aws:kms", "aws:kms:dsse", "sse-c"];

/// The variables that are evaluated.
pub const VARIABLES: &[Variable] = &[
    variable_of(
        "AWS_ACCESS_KEY_ID",
        Secret,
        Program,
        "Id of the access key. It and the secret go before a profile.",
    ),
    variable_of("AWS_SECRET_ACCESS_KEY", Secret, Program, "Secret of the access key."),
    variable_of("AWS_SESSION_TOKEN", Secret, Program, "Beside temporary keys, until they expire."),
    variable_of(
        "AWS_PROFILE",
        ValueCheck::Text,
        Program,
        "Section of the shared files that holds an access key, where the environment holds none; `default` without it. Logins by SSO and assumed roles are not read: `aws configure export-credentials --format env` prints their keys.",
    ),
    variable_of(
        "AWS_SHARED_CREDENTIALS_FILE",
        ValueCheck::Text,
        Program,
        "Instead of `~/.aws/credentials`.",
    ),
    variable_of("AWS_CONFIG_FILE", ValueCheck::Text, Program, "Instead of `~/.aws/config`."),
    variable_of(
        "AWS_REGION",
        ValueCheck::Region,
        Program,
        "Region of the bucket; `us-east-1` where neither a variable nor the profile names one.",
    ),
    variable_of(
        "AWS_DEFAULT_REGION",
        ValueCheck::Region,
        Program,
        "The same, where `AWS_REGION` is not set.",
    ),
    variable_of(
        "AWS_ENDPOINT_URL_S3",
        Address(Plain::Later),
        Program,
        "Address of a server of another make, with its scheme: `https://minio.example.test:9000`.",
    ),
    variable_of(
        "AWS_ENDPOINT_URL",
        Address(Plain::Later),
        Program,
        "The same, where that is not set.",
    ),
    variable_of("AWS_ENDPOINT", Address(Plain::Later), Program, "The same, where neither is set."),
    variable_of(
        "AWS_ALLOW_HTTP",
        Flag,
        Program,
        "Whether the server may be asked in plain http. On this machine it always may.",
    ),
    variable_of(
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        Flag,
        Library,
        "Whether the host name contains the bucket. An endpoint, if one is set, must then contain it.",
    ),
    variable_of(
        "AWS_CA_BUNDLE",
        ValueCheck::Certificates,
        Program,
        "File of certificates (PEM) that are trusted beside those of the system.",
    ),
    variable_of(
        "AWS_CHECKSUM_ALGORITHM",
        Word(&["SHA256", "CRC64NVME"]),
        Library,
        "Send a checksum of this kind with everything that is written.",
    ),
    variable_of(
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        Word(&["WHEN_SUPPORTED", "WHEN_REQUIRED"]),
        Program,
        "`WHEN_SUPPORTED` is `AWS_CHECKSUM_ALGORITHM=SHA256`, unless another one is set; without it, and with `WHEN_REQUIRED`, checksums are sent where S3 requires them.",
    ),
    variable_of(
        "AWS_SERVER_SIDE_ENCRYPTION",
        Word(ENCRYPTIONS),
        Library,
        "How the server encrypts what is written: `AES256`, `aws:kms`, `aws:kms:dsse`, or `sse-c` with a key of yours.",
    ),
    variable_of(
        "AWS_SSE_KMS_KEY_ID",
        Token,
        Library,
        "KMS key (ARN, id or alias) for `aws:kms` and `aws:kms:dsse`; without it the bucket's own.",
    ),
    variable_of(
        "AWS_SSE_BUCKET_KEY_ENABLED",
        Flag,
        Library,
        "Whether KMS is asked once per bucket instead of once per object.",
    ),
    variable_of(
        "AWS_SSE_CUSTOMER_KEY_BASE64",
        ValueCheck::Key256,
        Library,
        "The key of `sse-c`: 32 bytes in base64.",
    ),
    variable_of(
        "AWS_CONDITIONAL_PUT",
        Word(&["etag", "disabled"]),
        Library,
        "`disabled` for a server that knows no conditions, where that is not noticed: a lock object takes their place.",
    ),
    variable_of(
        "AWS_DISABLE_BULK_DELETE",
        Flag,
        Library,
        "Whether objects are removed one by one, for servers that know no other way.",
    ),
    variable_of(
        "AWS_REQUEST_PAYER",
        Word(&["requester", "true", "false"]),
        Library,
        "`requester` pays for the requests, where the owner of the bucket does not.",
    ),
    variable_of("AWS_S3_EXPRESS", Flag, Library, "Whether it is a directory bucket (`…--x-s3`)."),
    variable_of(
        "AWS_UNSIGNED_PAYLOAD",
        Flag,
        Library,
        "Whether what is sent stays out of the signature.",
    ),
    variable_of(
        "AWS_SKIP_SIGNATURE",
        Flag,
        Library,
        "Whether requests are not signed: for a public bucket.",
    ),
    variable_of(
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        ValueCheck::File,
        Library,
        "Token of a web identity (EKS), for the role in `AWS_ROLE_ARN`.",
    ),
    variable_of("AWS_ROLE_ARN", Token, Library, "The role that such a token takes."),
    variable_of(
        "AWS_ROLE_SESSION_NAME",
        ValueCheck::Session,
        Library,
        "What its session is called.",
    ),
    variable_of(
        "AWS_ENDPOINT_URL_STS",
        Address(Plain::Never),
        Library,
        "Where such a token is exchanged.",
    ),
    variable_of(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        ValueCheck::Path,
        Library,
        "Where a task of ECS gets its credentials.",
    ),
    variable_of(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        Address(Plain::Near),
        Library,
        "Where a pod of EKS gets its credentials.",
    ),
    variable_of(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        ValueCheck::File,
        Library,
        "The token it shows there.",
    ),
    variable_of(
        "AWS_METADATA_ENDPOINT",
        Address(Plain::Near),
        Library,
        "Where an instance of EC2 gets its credentials.",
    ),
    variable_of(
        "AWS_IMDSV1_FALLBACK",
        Flag,
        Library,
        "Whether it may ask the old version of that service.",
    ),
];

/// The variables that are set. Their values were checked.
pub(super) struct AwsSettings(BTreeMap<&'static str, String>);

impl AwsSettings {
    /// Reads and checks all variables.
    pub(super) fn of(env: Variables<'_>) -> Result<Self> {
        let mut given = BTreeMap::new();
        for row in VARIABLES {
            if let Some(text) = variable(row.name, env)? {
                given.insert(row.name, row.takes.checked(row.name, text)?);
            }
        }
        let given = Self(given);
        given.fit_together()?;
        Ok(given)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns whether a flag is set to `true`.
    pub(super) fn raised(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// Returns the settings of the library, by the library's names.
    pub(super) fn for_library(&self) -> impl Iterator<Item = (String, &str)> {
        let theirs = VARIABLES.iter().filter(|row| row.reads == Library);
        theirs.filter_map(|row| Some((row.name.to_ascii_lowercase(), self.get(row.name)?)))
    }

    /// Returns the endpoint, and the variable that sets it.
    pub(super) fn endpoint(&self) -> Option<(&'static str, &str)> {
        let names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    /// Returns the region, and the variable that sets it.
    pub(super) fn region(&self) -> Option<(&'static str, &str)> {
        let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    fn fit_together(&self) -> Result<()> {
        for (one, other) in [
            ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
            ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ] {
            if self.get(one).is_some() && self.get(other).is_none() {
                return Err(wrong(other, &format!("is missing beside {one}")));
            }
        }
        let encryption = self.get("AWS_SERVER_SIDE_ENCRYPTION").unwrap_or_default();
        let (kms, own) = (encryption.starts_with("aws:kms"), encryption == "sse-c");
        for (name, fits, needs) in [
            ("AWS_SSE_KMS_KEY_ID", kms, "aws:kms or aws:kms:dsse"),
            ("AWS_SSE_BUCKET_KEY_ENABLED", kms, "aws:kms or aws:kms:dsse"),
            ("AWS_SSE_CUSTOMER_KEY_BASE64", own, "sse-c"),
        ] {
            if self.get(name).is_some() && !fits {
                let message = format!("is used with AWS_SERVER_SIDE_ENCRYPTION={needs} only");
                return Err(wrong(name, &message));
            }
        }
        if own && self.get("AWS_SSE_CUSTOMER_KEY_BASE64").is_none() {
            let message = "sse-c needs a key in AWS_SSE_CUSTOMER_KEY_BASE64";
            return Err(wrong("AWS_SERVER_SIDE_ENCRYPTION", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(env: &[(&str, &str)]) -> Result<AwsSettings> {
        AwsSettings::of(&|name| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn what_the_library_reads_it_knows() {
        for row in VARIABLES.iter().filter(|row| row.reads == Library) {
            let name = row.name.to_ascii_lowercase();
            assert!(name.parse::<object_store::aws::AmazonS3ConfigKey>().is_ok(), "{name}");
        }
    }

    #[test]
    fn white_space_and_case_do_no_harm() {
        let given = given(&[
            ("AWS_ACCESS_KEY_ID", " a\n"),
            ("AWS_SECRET_ACCESS_KEY", "s\r\n"),
            ("AWS_REGION", "\teu-north-1"),
            ("AWS_ENDPOINT_URL", " http://127.0.0.1:9000/ "),
            ("AWS_ALLOW_HTTP", "Yes"),
            ("AWS_CHECKSUM_ALGORITHM", "sha256"),
            ("AWS_SERVER_SIDE_ENCRYPTION", "aes256"),
            ("AWS_PAGER", ""),
        ]);
        let given = given.expect("all of it is good");
        assert_eq!(given.get("AWS_ACCESS_KEY_ID"), Some("a"));
        assert_eq!(given.region(), Some(("AWS_REGION", "eu-north-1")));
        assert_eq!(given.endpoint(), Some(("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")));
        assert!(given.raised("AWS_ALLOW_HTTP"));
        assert_eq!(given.get("AWS_SERVER_SIDE_ENCRYPTION"), Some("AES256"));
        let theirs: Vec<_> = given.for_library().collect();
        assert_eq!(theirs[0], ("aws_checksum_algorithm".to_owned(), "SHA256"));
    }

    #[test]
    fn credentials_come_in_plain_text_from_near_by_only() {
        const NAME: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        for address in
            ["http://169.254.170.23/v1", "http://[fd00:ec2::254]/v1", "https://a.test/v1"]
        {
            assert!(given(&[(NAME, address)]).is_ok(), "{address}");
        }
        assert!(given(&[(NAME, "http://a.test/v1")]).is_err());
    }
}
