//! Describes errors of an object store in sentences, and quotes the store's own message.

use crate::model::{Error, Kind, printable};
use object_store::Error as Refusal;
use serde::Deserialize;

/// Most characters of a server's own words that are quoted.
const QUOTE_MAX: usize = 300;

/// The error response of a server, in XML.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ServerError {
    code: String,
    message: String,
}

/// Returns whether the object does not exist in an existing bucket.
pub(super) fn is_absent(error: &Refusal) -> bool {
    let bucket = || said(&root(error)).is_some_and(|said| said.code == "NoSuchBucket");
    matches!(error, Refusal::NotFound { .. }) && !bucket()
}

/// Creates the error of a failed request. `what` describes the operation.
pub(super) fn refusal(what: &str, error: Refusal) -> Error {
    // Only the server's message names the cause of a failed listing.
    let words = format!("{error:?}");
    let root = root(&error);
    let said = said(&root);
    let code = said.as_ref().map_or("", |said| said.code.as_str());
    let quoted = said.as_ref().map(quoted).unwrap_or_default();
    let message = if let Some((fact, advice)) =
        known(code, said.as_ref().map_or("", |s| &s.message))
    {
        format!("{fact} {quoted}; {advice}")
    } else if matches!(error, Refusal::PermissionDenied { .. } | Refusal::Unauthenticated { .. }) {
        format!("the object store refuses these credentials {quoted}; {KEYS}")
    } else if matches!(error, Refusal::NotFound { .. }) && code != "NoSuchKey" {
        format!("the bucket does not exist {quoted}; create it, or look at its name")
    } else if words.contains("169.254.169.254") {
        "there are no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            .to_owned()
    } else if said.is_some() {
        format!("the object store refuses it {quoted}")
    } else if matches!(error, Refusal::Generic { .. }) {
        // The library's message about a refused certificate does not name the certificate.
        let advice = if root.contains("certificate") {
            "; AWS_CA_BUNDLE names a file of certificates to trust"
        } else if root.contains("LOCATION") {
            "; look at AWS_REGION and AWS_ENDPOINT_URL"
        } else {
            ""
        };
        format!("the object store does not answer as it should ({}){advice}", short(&root))
    } else {
        format!("the object store refuses it ({})", short(&root))
    };
    // A message without a quotation contains an extra space.
    let message = format!("cannot {what}: {}", message.replace(" ;", ";").trim_end());
    Error::new(Kind::Storage, message).because(error)
}

const KEYS: &str = "look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY or AWS_PROFILE, and at what they may \
                    do (docs/configuration.md lists it)";
const PLACE: &str = "look at AWS_REGION and AWS_ENDPOINT_URL";

/// Returns the meaning of an error code, and what to do.
fn known(code: &str, message: &str) -> Option<(&'static str, &'static str)> {
    const WHO: &str = "the object store refuses these credentials";
    const IT: &str = "the object store refuses it";
    let demands = |words: &[&str]| words.iter().any(|word| message.contains(word));
    Some(match code {
        "AccessDenied" if demands(&["encrypt", "KMS", "kms:"]) => (
            IT,
            "look at AWS_SERVER_SIDE_ENCRYPTION and AWS_SSE_KMS_KEY_ID, and at what the key's policy permits",
        ),
        "AccessDenied" | "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "AllAccessDisabled" => {
            (WHO, KEYS)
        }
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            (WHO, "their time is over: get new ones, and AWS_SESSION_TOKEN with them")
        }
        "RequestTimeTooSkewed" => (IT, "set the clock of this machine"),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => (IT, PLACE),
        "InvalidRequest" | "MissingContentMD5" | "MissingChecksum"
            if demands(&["checksum", "Content-MD5", "Object Lock"]) =>
        {
            (IT, "set AWS_CHECKSUM_ALGORITHM=SHA256")
        }
        "NoSuchBucket" => ("the bucket does not exist", "create it, or look at its name"),
        _ if code.starts_with("KMS.") => (IT, "look at AWS_SSE_KMS_KEY_ID"),
        _ => return None,
    })
}

/// Returns the message of the innermost cause of an error.
fn root(error: &Refusal) -> String {
    let mut root: &dyn std::error::Error = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

/// Returns the server's XML from the message of the library.
fn said(root: &str) -> Option<ServerError> {
    let xml = root.get(root.find('<')?..)?;
    let said: ServerError = quick_xml::de::from_str(xml).ok()?;
    (!said.code.is_empty()).then_some(said)
}

fn quoted(said: &ServerError) -> String {
    if said.message.is_empty() || said.message == said.code {
        return format!("({})", short(&said.code));
    }
    format!("({})", short(&format!("{}: {}", said.code, said.message)))
}

/// Returns the beginning of a message from outside, in one line.
fn short(words: &str) -> String {
    let words: Vec<_> = words.split_whitespace().collect();
    printable(&words.join(" ")).chars().take(QUOTE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_server_are_found() {
        let root = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\
                    <Error><Code>AccessDenied</Code><Message>No &quot;put&quot;\nfor you</Message>\
                    <RequestId>1</RequestId><HostId/></Error>";
        let said = said(root).expect("there are words");
        assert_eq!(quoted(&said), "(AccessDenied: No \"put\" for you)");
    }

    #[test]
    fn what_is_no_xml_is_no_word_of_a_server() {
        for root in ["", "a < b", "<html><body>no</body></html>", "<Error><Code>", "<Error/>"] {
            assert!(said(root).is_none(), "{root}");
        }
    }
}
