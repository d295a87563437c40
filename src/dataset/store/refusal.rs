//! What an object store refuses, in sentences.

use crate::model::{Error, Kind};
use object_store::Error as Refusal;

/// The error of a request that failed: `what` was to be done.
pub(super) fn refusal(what: &str, error: Refusal) -> Error {
    // What is wrong with a listing is told only in the server's own words.
    let words = format!("{error:?}");
    let says = |codes: &[&str]| codes.iter().any(|code| words.contains(code));
    let message = match &error {
        Refusal::PermissionDenied { .. } | Refusal::Unauthenticated { .. } => refused(what),
        _ if says(&["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"]) => {
            refused(what)
        }
        Refusal::NotFound { .. } => no_bucket(what),
        _ if says(&["NoSuchBucket"]) => no_bucket(what),
        _ if says(&["169.254.169.254"]) => format!(
            "cannot {what}: there are no S3 credentials; set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ),
        Refusal::Generic { source, .. } => {
            let mut root: &dyn std::error::Error = source.as_ref();
            while let Some(cause) = root.source() {
                root = cause;
            }
            format!("cannot {what}: the object store does not answer as it should ({root})")
        }
        _ => format!("cannot {what}"),
    };
    Error::new(Kind::Storage, message).because(error)
}

fn refused(what: &str) -> String {
    format!(
        "cannot {what}: the object store refuses these credentials; look at AWS_ACCESS_KEY_ID, \
         AWS_SECRET_ACCESS_KEY or AWS_PROFILE, and at what they may do"
    )
}

fn no_bucket(what: &str) -> String {
    format!("cannot {what}: the bucket does not exist; create it, or look at its name")
}
