//! Generates the part of the configuration page about S3, proxies, and certificates.

use super::{code, table};
use crate::dataset::VARIABLES;
use crate::model::{Error, Kind, Result};
use serde_json::json;
use std::fmt::Write as _;

/// The permissions that a run in a bucket needs, with the reasons.
const PERMISSIONS: &[(&str, &str)] = &[
    ("s3:ListBucket", "on the bucket: what lies below the prefix"),
    ("s3:GetObject", "on its objects: manifests, and what is verified, compared or copied"),
    ("s3:PutObject", "on its objects: everything that is written; pieces of large objects, too"),
    ("s3:DeleteObject", "on its objects: what was replaced, and what a killed run left"),
    ("s3:AbortMultipartUpload", "on its objects: large objects that come to nothing"),
    ("kms:GenerateDataKey, kms:Decrypt", "on the KMS key, if the bucket is encrypted with one"),
];

pub(super) fn section() -> Result<String> {
    let mut page = String::from(
        "\n## S3\n\nFor `s3://bucket/prefix`, as other AWS tools have it. Values are taken without white space \
         around them; an empty one is absent. One that cannot be right ends the run with exit code 78 and the \
         variable's name before anything is asked for. `AWS_*` variables that are not listed are for other \
         tools and are not looked at.\n\n",
    );
    let rows = VARIABLES.iter().map(|row| vec![code(row.name), row.about.to_owned()]);
    page.push_str(&table(&["variable", "meaning"], rows));
    page.push_str(
        "\nCredentials are looked for in this order: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; the \
         profile (`AWS_PROFILE`, else `default`); a web identity; a container's role; an instance's role. The \
         profile's `region` and `endpoint_url` count where no variable names one.\n\n\
         ### Permissions\n\n",
    );
    let rows = PERMISSIONS.iter().map(|(action, why)| vec![code(action), (*why).to_owned()]);
    page.push_str(&table(&["action", "why"], rows));
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:ListBucket"],
                "Resource": "arn:aws:s3:::BUCKET",
                "Condition": {"StringLike": {"s3:prefix": ["PREFIX", "PREFIX/*"]}},
            },
            {
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                ],
                "Resource": "arn:aws:s3:::BUCKET/PREFIX/*",
            },
        ],
    });
    let policy = serde_json::to_string_pretty(&policy)
        .map_err(|error| Error::new(Kind::Bug, "a policy is JSON").because(error))?;
    let _ = write!(
        page,
        "\nThe smallest policy, to which a KMS key's two actions are added where there is one:\n\n\
         ```json\n{policy}\n```\n\n\
         ### Object Lock, encryption and integrity\n\n\
         - A bucket with Object Lock and a default retention refuses what comes without a checksum: \
         `AWS_CHECKSUM_ALGORITHM=SHA256`. Objects that are replaced or removed stay as older versions until \
         their retention ends, so that a warehouse with many small commits grows; a backup of its own prefix \
         per day is the better fit.\n\
         - A bucket whose policy demands encryption by KMS: `AWS_SERVER_SIDE_ENCRYPTION=aws:kms` and \
         `AWS_SSE_KMS_KEY_ID`. Reading needs neither, but the key's `kms:Decrypt`.\n\
         - With a key of your own (`sse-c`), every run needs the same key, `backup verify` included.\n\n\
         ## Proxies\n\n\
         `HTTPS_PROXY`, else `ALL_PROXY` (in capitals or not), names a proxy like \
         `http://user:password@proxy.example.test:3128`; SOCKS is not supported. `NO_PROXY` lists hosts, domains \
         (`.example.test`, `*.example.test`) and networks (`10.0.0.0/8`) that are asked past it. Everything that \
         goes by a proxy is encrypted from end to end: `HTTP_PROXY` is not looked at, since plain http is spoken \
         with this machine only, or with an S3 server under `AWS_ALLOW_HTTP`, and then without a proxy. This machine \
         and the services on its link that hand out credentials are never asked through one. An address that cannot \
         be a proxy's ends the run with exit code 78.\n\n\
         ## Private certificates\n\n\
         Certificates of the system are trusted. `SSL_CERT_FILE` (a file, PEM) or `SSL_CERT_DIR` take their place, for \
         Pipedrive, the CRM and S3 alike: where a proxy opens connections, name a file with the proxy's authority \
         in it. `AWS_CA_BUNDLE` adds certificates for S3 alone.\n",
    );
    Ok(page)
}
