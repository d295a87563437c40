//! Prints errors of the standalone commands: as a sentence, or as one JSON object.

use super::text::Text;
use super::{stderr, stdout};
use crate::model::{Error, Kind, plain_lines, printable};
use clap::Parser;
use clap::error::ErrorKind;
use serde_json::{Value, json};
use std::ffi::OsString;

/// Returns whether the output is JSON: with `-o json`, or without `-o` if stdout is not a terminal. Errors
/// follow the same rule, even before the command line is parsed.
pub(super) fn wants_json(arguments: &[OsString]) -> bool {
    match asked(arguments).as_deref() {
        Some("json") => true,
        Some("table") => false,
        _ => !stdout::is_terminal(),
    }
}

/// Returns whether stdout is not a terminal and the command line has no output format.
pub(super) fn names_no_form(arguments: &[OsString]) -> bool {
    asked(arguments).is_none() && !stdout::is_terminal()
}

/// Returns the probable meaning of an invalid command line. Examples are `sync` without a target, and
/// `backup` with a folder but without `--dir`.
fn meant(arguments: &[OsString]) -> Option<String> {
    let words: Vec<_> = arguments.iter().skip(1).map(|word| word.to_string_lossy()).collect();
    let (command, rest) = words.split_first()?;
    let asks = rest.iter().any(|word| matches!(word.as_ref(), "-h" | "--help" | "help"));
    let meant = match (command.as_ref(), rest.first().map(AsRef::as_ref)) {
        _ if asks => return None,
        ("sync", Some("warehouse")) | ("backup", None | Some("verify" | "diff")) => return None,
        ("sync", Some(dir)) if !dir.starts_with('-') => {
            [&["sync", "warehouse", "--dir"], &strs(rest)[..]].concat()
        }
        ("sync", _) => [&["sync", "warehouse"], &strs(rest)[..]].concat(),
        ("backup", Some(dir)) if !dir.starts_with('-') => {
            [&["backup", "--dir"], &strs(rest)[..]].concat()
        }
        _ => return None,
    };
    Some(format!("source-pipedrive {}", meant.join(" ")))
}

fn strs<'w>(words: &'w [std::borrow::Cow<'_, str>]) -> Vec<&'w str> {
    words.iter().map(AsRef::as_ref).collect()
}

/// Returns the error of an invalid command line.
pub(super) fn usage(error: &clap::Error, arguments: &[OsString]) -> Error {
    if let Some(meant) = meant(arguments) {
        let message = format!("the command line is not understood; did you mean `{meant}`?");
        return Error::new(Kind::Usage, message);
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Error::new(Kind::Usage, "a command is needed; --help lists them");
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:"));
    let words: Vec<_> = lines.flat_map(str::split_whitespace).collect();
    Error::new(Kind::Usage, words.join(" ").trim_start_matches("error: "))
}

/// Returns clap's message about an invalid command line: the error and the usage.
///
/// Arguments may contain text of others, such as file names. They are parsed again in printable form, so
/// that every line of the message comes from clap.
pub(super) fn advice<A: Parser>(arguments: &[OsString]) -> Text {
    let shown =
        arguments.iter().map(|argument| printable(&argument.to_string_lossy()).into_owned());
    let answer = match A::try_parse_from(shown) {
        Err(answer) => answer.render().to_string(),
        Ok(_) => "error: an argument holds characters that cannot be shown".to_owned(),
    };
    let mut text = Text::new();
    if let Some(meant) = meant(arguments) {
        text.line("error: the command line is not understood");
        text.line("");
        text.line(format!("  did you mean: {meant}"));
        text.line("");
        text.line("For more information, try '--help'.");
        return text;
    }
    plain_lines(&answer).lines().for_each(|line| text.line(line));
    text
}

/// Prints an error to stderr. The causes are printed in verbose mode only.
pub(super) fn print_error(error: &Error, as_json: bool, verbose: bool) {
    if as_json {
        stderr::programs(&object(error).to_string());
    } else {
        stderr::people(&sentences(error, verbose));
    }
}

/// Returns whether a command line contains `-v` or `--verbose`.
pub(super) fn wants_words(arguments: &[OsString]) -> bool {
    arguments.iter().skip(1).any(|argument| {
        let argument = argument.to_string_lossy();
        argument == "--verbose"
            || argument
                .strip_prefix('-')
                .is_some_and(|flags| !flags.is_empty() && flags.chars().all(|flag| flag == 'v'))
    })
}

/// Returns the message and its causes.
fn sentences(error: &Error, verbose: bool) -> Text {
    let mut text = Text::of(format!("error: {error}"));
    let causes = error.causes();
    for cause in causes.into_iter().filter(|_| verbose) {
        text.line(format!("  because {cause}"));
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
    let causes = error.causes();
    if !causes.is_empty() {
        object["cause"] = causes.join(": ").into();
    }
    object
}

/// Returns the value of the last `-o` or `--output`.
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
            // Short flags may be combined in one argument: `-qojson`.
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
    fn what_was_meant_is_told() {
        for (line, expected) in [
            ("sync -o table", Some("sync warehouse -o table")),
            ("sync", Some("sync warehouse")),
            ("sync ./w -v", Some("sync warehouse --dir ./w -v")),
            ("backup ./b --resume", Some("backup --dir ./b --resume")),
            ("backup verify", None),
            ("backup --dri x", None),
            ("sync --help", None),
            ("plan x", None),
        ] {
            let line = format!("source-pipedrive {line}");
            let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
            let expected = expected.map(|meant| format!("source-pipedrive {meant}"));
            assert_eq!(meant(&arguments), expected, "{line}");
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
        let socket = Error::new(Kind::Network, "connection refused").because("os error 111");
        let error = Error::new(Kind::Network, "Pipedrive cannot be reached").because(socket);
        assert_eq!(
            object(&error).to_string(),
            r#"{"cause":"connection refused: os error 111","error":"network","exitCode":69,"message":"Pipedrive cannot be reached"}"#
        );
    }
}
