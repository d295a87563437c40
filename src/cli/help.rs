//! The text below the flags in each command's help and man page: examples, exit status, environment.

use crate::model::{Kind, Resource};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::fmt::Write as _;

/// The line width below the flags, in characters. A man page of 80 columns indents the text by seven.
const LINE_LETTERS: usize = 72;
/// Longest name that has its meaning beside it.
const NAME_LETTERS_MAX: usize = 24;

/// The examples of a command and the environment it uses.
struct Entry {
    command: &'static str,
    examples: &'static [&'static str],
    talks: Talks,
}

/// The environment variables that a command reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Talks {
    /// None: the command works with files.
    No,
    /// The variables of an account.
    Account,
    /// The variables of an account and a bucket.
    Store,
    /// The variables of a bucket.
    Bucket,
    /// The variables of the CRM for bundles, and of an account.
    Crm,
    /// The variables of the network. The configuration of the account is a file.
    Platform,
}

const fn entry(command: &'static str, talks: Talks, examples: &'static [&'static str]) -> Entry {
    Entry { command, examples, talks }
}

const COMMANDS: &[Entry] = &[
    entry("spec", Talks::No, &["source-pipedrive spec"]),
    entry(
        "check",
        Talks::Account,
        &["source-pipedrive check", "source-pipedrive check --config pipedrive.json -o json"],
    ),
    entry(
        "discover",
        Talks::Platform,
        &["source-pipedrive discover --config pipedrive.json > catalog.json"],
    ),
    entry(
        "read",
        Talks::Platform,
        &[
            "source-pipedrive read --config pipedrive.json --catalog catalog.json --state state.json",
        ],
    ),
    entry("sync", Talks::Store, &["source-pipedrive sync warehouse --dir crm --format parquet"]),
    entry(
        "sync warehouse",
        Talks::Store,
        &[
            "source-pipedrive sync warehouse --dir crm --format parquet",
            "source-pipedrive sync warehouse --dir s3://bucket/crm --resources deals,persons,stages",
            "source-pipedrive sync warehouse --dir crm --full --resources products",
        ],
    ),
    entry(
        "backup",
        Talks::Store,
        &[
            "source-pipedrive backup --dir monday",
            "source-pipedrive backup --dir monday --include file_contents",
            "source-pipedrive backup verify monday",
            "source-pipedrive backup diff monday tuesday",
        ],
    ),
    entry(
        "backup verify",
        Talks::Bucket,
        &[
            "source-pipedrive backup verify monday",
            "source-pipedrive backup verify monday --sample 10% --ignore reference",
        ],
    ),
    entry(
        "backup diff",
        Talks::Bucket,
        &[
            "source-pipedrive backup diff monday tuesday",
            "source-pipedrive backup diff monday tuesday -o html --out changes.html",
            "source-pipedrive backup diff monday tuesday --resources deals --ignore owner_id --exit-code",
        ],
    ),
    entry("bundle", Talks::Crm, &["source-pipedrive bundle export --out crm.json"]),
    entry(
        "bundle export",
        Talks::Store,
        &[
            "source-pipedrive bundle export --out crm.json",
            "source-pipedrive bundle export --from monday --out crm.json",
        ],
    ),
    entry("bundle validate", Talks::No, &["source-pipedrive bundle validate crm.json"]),
    entry(
        "bundle push",
        Talks::Crm,
        &[
            "source-pipedrive bundle push crm.json --to https://crm.example.test --dry-run",
            "source-pipedrive bundle push crm.json --to https://crm.example.test --drop custom,contacts.title",
            "source-pipedrive bundle push crm.json --to pipedrive --dry-run",
            "source-pipedrive bundle push there.json --as-copy --yes",
        ],
    ),
    entry(
        "bundle pull",
        Talks::Crm,
        &["source-pipedrive bundle pull --from https://crm.example.test --out crm.json"],
    ),
    entry(
        "bundle changes",
        Talks::Crm,
        &["source-pipedrive bundle changes --from https://crm.example.test --follow"],
    ),
    entry(
        "bundle diff",
        Talks::No,
        &["source-pipedrive bundle diff before.json after.json --ignore updated_at"],
    ),
    entry(
        "export",
        Talks::Bucket,
        &[
            "source-pipedrive export crm --to sqlite --out crm.db",
            "source-pipedrive export crm --to csv --out deals.csv --resources deals",
        ],
    ),
    entry(
        "status",
        Talks::Bucket,
        &["source-pipedrive status crm", "source-pipedrive status s3://bucket/crm -o json"],
    ),
    entry(
        "plan",
        Talks::Store,
        &[
            "source-pipedrive plan",
            "source-pipedrive plan --dir crm --resources deals,deal_changelog",
        ],
    ),
    entry(
        "resources",
        Talks::Account,
        &["source-pipedrive resources --offline", "source-pipedrive resources --sandbox -o json"],
    ),
    entry(
        "doctor",
        Talks::Store,
        &["source-pipedrive doctor", "source-pipedrive doctor --offline --dir crm"],
    ),
    entry(
        "sandbox",
        Talks::No,
        &[
            "source-pipedrive sandbox --port 8080 > sandbox.json",
            "source-pipedrive sandbox --plan growth --fault 429@5x2",
        ],
    ),
    entry(
        "completions",
        Talks::No,
        &["source-pipedrive completions bash > /etc/bash_completion.d/source-pipedrive"],
    ),
    entry("reference", Talks::No, &["source-pipedrive reference docs"]),
    entry(
        "tap",
        Talks::Platform,
        &["source-pipedrive tap --config config.json --discover > catalog.json"],
    ),
    entry(
        "tap-pipedrive",
        Talks::Platform,
        &[
            "tap-pipedrive --config config.json --discover > catalog.json",
            "tap-pipedrive --config config.json --catalog catalog.json --state state.json",
            "tap-pipedrive --config ENV",
            "tap-pipedrive --sandbox -q",
        ],
    ),
];

/// Returns the text below the flags of a command: examples, exit codes and environment variables.
pub(super) fn after(command: &str) -> String {
    let mut text = examples(command);
    let Some(entry) = named(command) else { return text };
    let _ = write!(text, "\n\nExit status:\n{}", exits(command, entry.talks));
    let variables = variables(entry.talks);
    if !variables.is_empty() {
        let _ = write!(text, "\n\nEnvironment:\n{}", lines(&variables));
    }
    text
}

/// Returns the examples only.
pub(super) fn examples(command: &str) -> String {
    let examples = named(command).map_or(&[][..], |entry| entry.examples);
    format!("Examples:\n  {}", examples.join("\n  "))
}

fn named(command: &str) -> Option<&'static Entry> {
    COMMANDS.iter().find(|entry| entry.command == command)
}

fn exits(command: &str, talks: Talks) -> String {
    if talks == Talks::Platform || command == "spec" {
        return "  0    complete\n  1    failed; the last message gives the reason\n  130  interrupted"
            .to_owned();
    }
    let mut codes = vec![("0".to_owned(), "done, complete")];
    if command.ends_with("diff") {
        codes.push(("1".to_owned(), "differences, with --exit-code"));
    }
    let mut kinds: Vec<_> = Kind::ALL.iter().filter(|kind| **kind != Kind::Pipe).collect();
    kinds.sort_by_key(|kind| kind.exit_code());
    for kind in kinds {
        let code = kind.exit_code().to_string();
        // A code with several meanings is printed once.
        let again = codes.iter().any(|(known, _)| *known == code);
        codes.push((if again { String::new() } else { code }, kind.meaning()));
    }
    let codes: Vec<_> = codes.iter().map(|(code, text)| (code.as_str(), *text)).collect();
    lines(&codes)
}

/// Returns the variables with their descriptions.
fn variables(talks: Talks) -> Vec<(&'static str, &'static str)> {
    const ACCOUNT: &[(&str, &str)] = &[
        ("PIPEDRIVE_API_TOKEN", "the token"),
        ("PIPEDRIVE_COMPANY_DOMAIN", "acme for https://acme.pipedrive.com"),
        ("PIPEDRIVE_CLIENT_ID, PIPEDRIVE_CLIENT_SECRET, PIPEDRIVE_REFRESH_TOKEN", "OAuth instead"),
        ("PIPEDRIVE_BASE_URL", "another API origin, for tests and proxies"),
    ];
    const NETWORK: &[(&str, &str)] = &[("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "a proxy for https")];
    const BUCKET: &[(&str, &str)] = &[("AWS_*", "credentials and region of a bucket")];
    const CRM: &[(&str, &str)] = &[
        ("DRIPPULSE_BASE_URL", "the CRM's address"),
        ("DRIPPULSE_API_KEY", "the key of an organization of that CRM"),
    ];
    let parts: &[&[(&str, &str)]] = match talks {
        Talks::No => &[],
        Talks::Platform => &[NETWORK],
        Talks::Account => &[ACCOUNT, NETWORK],
        Talks::Store => &[ACCOUNT, BUCKET, NETWORK],
        Talks::Bucket => &[BUCKET, NETWORK],
        Talks::Crm => &[CRM, ACCOUNT, NETWORK],
    };
    parts.concat()
}

/// Formats names with their descriptions, within the width of man pages. Descriptions of long names start
/// on a new line.
fn lines(rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let beside = width <= NAME_LETTERS_MAX;
    let indent = if beside { width + 4 } else { 6 };
    let mut out = Vec::new();
    for (name, meaning) in rows {
        let mut line = if beside {
            format!("  {name:width$} ")
        } else {
            out.push(format!("  {name}"));
            " ".repeat(indent - 1)
        };
        for word in meaning.split_whitespace() {
            if line.trim_start().len() > name.len() && line.len() + word.len() >= LINE_LETTERS {
                out.push(std::mem::replace(&mut line, " ".repeat(indent - 1)));
            }
            line.push(' ');
            line.push_str(word);
        }
        out.push(line);
    }
    out.join("\n")
}

/// Converts the text below the flags of a man page into separate sections with unfilled lines.
pub(super) fn sections(page: &str) -> String {
    let Some((above, below)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let mut out = above.to_owned();
    let (mut filled, mut ours) = (true, true);
    for line in below.lines() {
        let section = match line {
            "Examples:" => ".SH EXAMPLES",
            "Exit status:" => ".SH \"EXIT STATUS\"",
            "Environment:" => ".SH ENVIRONMENT",
            line if line.starts_with(".SH") => line,
            "" if ours => continue,
            line => {
                out.push_str(line);
                out.push('\n');
                continue;
            }
        };
        ours &= section != line;
        let lines = if filled { "" } else { ".fi\n" };
        let as_is = if ours { ".nf\n" } else { "" };
        filled = !ours;
        let _ = write!(out, "{lines}{section}\n{as_is}");
    }
    if !filled {
        out.push_str(".fi\n");
    }
    out
}

/// A parser for comma-separated resource names. Shells complete all known names.
#[derive(Debug, Clone)]
pub(super) struct Names;

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Resource::all().map(|resource| PossibleValue::new(resource.name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_below_the_flags_fits_a_man_page() {
        for entry in COMMANDS {
            let text = after(entry.command);
            let (examples, rest) = text.split_once("\n\n").expect("exit codes follow");
            assert!(examples.lines().count() > 1, "{examples}");
            assert!(rest.starts_with("Exit status:\n"), "{rest}");
            assert!(rest.lines().all(|line| line.len() <= LINE_LETTERS + 1), "{rest}");
        }
    }

    #[test]
    fn man_pages_have_sections() {
        let page = ".SH NAME\nx\n.SH EXTRA\nExamples:\n  x y\n\nExit status:\n  0  done\n.SH VERSION\nv1\n";
        let made = ".SH NAME\nx\n.SH EXAMPLES\n.nf\n  x y\n.fi\n.SH \"EXIT STATUS\"\n.nf\n  0  done\n.fi\n\
                    .SH VERSION\nv1\n";
        assert_eq!(sections(page), made);
        assert_eq!(sections(".SH NAME\nx\n"), ".SH NAME\nx\n");
    }
}
