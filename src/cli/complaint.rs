//! Errors of the standalone commands: a sentence for people, or one JSON object for programs.

use crate::model::{Error, Kind};
use clap::error::ErrorKind;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};

/// Whether a command line asks for JSON: with `-o json`, or with no `-o` when stdout is not a
/// terminal. Errors go by the same rule as results, also before the command line is understood.
pub(super) fn wants_json(arguments: &[OsString]) -> bool {
    match asked(arguments).as_deref() {
        Some("json") => true,
        Some("table") => false,
        _ => !std::io::stdout().is_terminal(),
    }
}

/// The error of a command line that is not understood.
pub(super) fn usage(error: &clap::Error) -> Error {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new(Kind::Usage, "a command is needed; --help lists them");
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    Error::new(Kind::Usage, words.join(" ").trim_start_matches("error: "))
}

/// An error on stderr.
pub(super) fn complain(error: &Error, as_json: bool) {
    let text = if as_json { format!("{}\n", object(error)) } else { sentences(error) };
    // Nobody is left to tell if stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The sentence, then its causes.
fn sentences(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.causes().lines() {
        text.push_str("  because ");
        text.push_str(cause);
        text.push('\n');
    }
    text
}

fn object(error: &Error) -> Value {
    let mut object = json!({
        "error": error.kind().name(),
        "message": error.summary(),
        "exitCode": error.kind().exit_code(),
    });
    if let Some(status) = error.http_status() {
        object["statusCode"] = status.into();
    }
    if let Some(place) = error.place() {
        object["path"] = place.into();
    }
    object
}

/// The value of the last `-o` or `--output`.
fn asked(arguments: &[OsString]) -> Option<String> {
    let mut form = None;
    let mut arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        }
        let value = match argument.strip_prefix("--") {
            Some("output") => Some(""),
            Some(long) => long.strip_prefix("output="),
            // Short flags may stand in one word: `-qojson`.
            None => argument.strip_prefix('-').and_then(|flags| {
                let (before, value) = flags.split_once('o')?;
                let flags = before.chars().all(|flag| matches!(flag, 'q' | 'v'));
                flags.then(|| value.strip_prefix('=').unwrap_or(value))
            }),
        };
        match value {
            Some("") => form = arguments.next().map(std::borrow::Cow::into_owned),
            Some(value) => form = Some(value.to_owned()),
            None => {}
        }
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_asking_for_a_form_is_found() {
        for (line, expected) in [
            ("plan", None),
            ("plan -o json", Some("json")),
            ("plan -ojson", Some("json")),
            ("plan -o=table", Some("table")),
            ("plan -qo json --nonsense", Some("json")),
            ("plan --output json", Some("json")),
            ("plan --output=json -o table", Some("table")),
            ("plan --config -", None),
            ("plan -- -o json", None),
            ("plan -o", None),
        ] {
            let line = format!("source-pipedrive {line}");
            let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
            assert_eq!(asked(&arguments).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn an_error_is_one_object() {
        let error = Error::new(Kind::Auth, "Pipedrive does not accept the token");
        assert_eq!(
            object(&error).to_string(),
            r#"{"error":"auth","exitCode":77,"message":"Pipedrive does not accept the token"}"#
        );
        let error = error.at("/api/v1/users/me").status(401);
        assert_eq!(
            object(&error).to_string(),
            r#"{"error":"auth","exitCode":77,"message":"/api/v1/users/me: Pipedrive does not accept the token","path":"/api/v1/users/me","statusCode":401}"#
        );
    }
}
