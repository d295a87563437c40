//! Validates the values of the `AWS_*` variables.

use crate::model::{
    Error, Kind, Result, address, address_is_neighbour, certificates, is_loopback, is_token,
    web_address,
};
use std::path::Path;

/// The kind of a value, which decides how it is checked.
#[derive(Debug, Clone, Copy)]
pub(super) enum ValueCheck {
    /// Printable ASCII without spaces.
    Token,
    /// An access key or a token. Its value never appears in a message.
    Secret,
    Region,
    Flag,
    /// An address. [`Plain`] says where plain http is accepted.
    Address(Plain),
    /// A path on a known host.
    Path,
    /// The path of a file that can be read.
    File,
    /// The path of a file of certificates.
    Certificates,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// A 256-bit key in base64.
    Key256,
    /// The name of a session.
    Session,
    /// Any text, such as the name of a profile or of a file that does not have to exist.
    Text,
}

/// The rule by which an address may use plain http.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plain {
    /// Decided later, by `AWS_ALLOW_HTTP`.
    Later,
    /// Accepted for this machine and for link-local addresses, which provide the credentials of
    /// machines.
    Near,
    Never,
}

pub(super) fn wrong(name: &str, message: &str) -> Error {
    Error::new(Kind::Config, message).at(name)
}

/// Checks an access key or a session token. `name` names its source in errors.
pub(in crate::dataset) fn key(name: &str, text: &str) -> Result<String> {
    ValueCheck::Secret.checked(name, text.to_owned())
}

/// Checks a region. `name` names its source in errors.
pub(in crate::dataset) fn region(name: &str, text: &str) -> Result<String> {
    ValueCheck::Region.checked(name, text.to_owned())
}

/// Checks the address of a server. `name` names its source in errors.
pub(in crate::dataset) fn endpoint(name: &str, text: &str) -> Result<String> {
    ValueCheck::Address(Plain::Later).checked(name, text.to_owned())
}

/// Reads the certificates of a file. `name` names the setting in errors.
pub(in crate::dataset) fn certificates_of(name: &str, path: &str) -> Result<Vec<Vec<u8>>> {
    certificates(name, std::fs::read(path))
}

impl ValueCheck {
    /// Checks a value and returns it in the form that the library expects.
    pub(super) fn checked(self, name: &str, text: String) -> Result<String> {
        let fits = |fits: bool, message: &str| {
            if fits { Ok(()) } else { Err(wrong(name, message)) }
        };
        match self {
            Self::Text => fits(!text.contains(char::is_control), "holds a control character")?,
            Self::Token => fits(is_token(&text), "holds characters that no such name has")?,
            Self::Secret => fits(is_token(&text), "holds characters that no key or token has")?,
            Self::Region => fits(
                is_token(&text)
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
                "must be a region like eu-north-1",
            )?,
            Self::Path => fits(
                is_token(&text) && text.starts_with('/'),
                "must be a path that begins with a slash",
            )?,
            Self::Session => fits(
                (2..=64).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)),
                "must be 2 to 64 letters, digits and _+=,.@-",
            )?,
            Self::Key256 => fits(is_key256(&text), "must be 32 bytes in base64")?,
            Self::File => {
                let read = std::fs::File::open(Path::new(&text));
                read.map_err(|error| {
                    wrong(name, &format!("names a file that cannot be read ({error})"))
                })?;
            }
            Self::Certificates => drop(certificates_of(name, &text)?),
            Self::Flag => return flag(name, &text),
            Self::Word(words) => return word(name, &text, words),
            Self::Address(plain) => return location(name, &text, plain),
        }
        Ok(text)
    }
}

fn flag(name: &str, text: &str) -> Result<String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok("true".to_owned()),
        "0" | "false" | "off" | "no" | "n" => Ok("false".to_owned()),
        _ => Err(wrong(name, "must be true or false")),
    }
}

fn word(name: &str, text: &str, words: &[&str]) -> Result<String> {
    let known = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    known
        .map(|word| (*word).to_owned())
        .ok_or_else(|| wrong(name, &format!("must be one of {}", words.join(", "))))
}

fn location(name: &str, text: &str, plain: Plain) -> Result<String> {
    let wrong = |message: &str| Err(wrong(name, message));
    let Some(url) = web_address(text) else {
        return wrong(
            "must be an address like https://store.example.test:9000, with its scheme and without \
             a user, a question mark or a #",
        );
    };
    let near =
        is_loopback(&url) || url.host_str().and_then(address).is_some_and(address_is_neighbour);
    let may = match plain {
        Plain::Later => true,
        Plain::Near => near,
        Plain::Never => false,
    };
    if url.scheme() == "http" && !may {
        return wrong("must begin with https://");
    }
    // The normalized form is returned, because `127.1` is this machine, too.
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Returns whether a text is 32 bytes in base64.
fn is_key256(text: &str) -> bool {
    let digits = text.strip_suffix('=').unwrap_or_default();
    digits.len() == 43 && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
}
