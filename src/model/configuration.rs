//! The configuration keys: one table from which forms, checks and documentation are derived.

use super::near::{mistyped, near};
use serde_json::Value;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// The name in the JSON object.
    pub name: &'static str,
    /// The title in forms.
    pub title: &'static str,
    /// The description in a sentence or two.
    pub about: &'static str,
    /// The type of the value.
    pub takes: ValueType,
    /// The commands that read the key.
    pub place: Visibility,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// Text, with these examples.
    Text(&'static [&'static str]),
    /// Text that is a secret and never shown.
    Secret,
    /// A time, RFC 3339.
    Time,
    /// True or false, with this default.
    Flag(bool),
    /// A whole number within limits.
    Number {
        /// The minimum.
        least: u64,
        /// The maximum; [`u64::MAX`] for no limit.
        most: u64,
        /// The default.
        usual: Option<u64>,
    },
    /// One of these words; the first is the default.
    Word(&'static [&'static str]),
}

/// The commands that read a key, and whether forms show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Every command, and forms show it.
    Everywhere,
    /// Every command, but not shown in forms: old spellings, and keys for tests.
    Hidden,
    /// `sync warehouse` only.
    Warehouse,
    /// `tap-pipedrive` only.
    Singer,
}

/// An authentication method: the value of `auth_type`, and the other keys in `credentials`.
#[derive(Debug)]
pub struct AuthMethod {
    /// The value of `auth_type`.
    pub auth_type: &'static str,
    /// The title in forms.
    pub title: &'static str,
    /// The keys, all of which are required.
    pub keys: &'static [Key],
}

const fn key(
    name: &'static str,
    title: &'static str,
    about: &'static str,
    takes: ValueType,
    place: Visibility,
) -> Key {
    Key { name, title, about, takes, place }
}

const fn number(least: u64, most: u64, usual: Option<u64>) -> ValueType {
    ValueType::Number { least, most, usual }
}

use Visibility::{Everywhere, Hidden, Singer, Warehouse};

/// The authentication methods, the one for apps first, as Airbyte requires.
pub const AUTH_METHODS: &[AuthMethod] = &[
    AuthMethod {
        auth_type: "oauth",
        title: "OAuth 2.0",
        keys: &[
            key(
                "client_id",
                "Client ID",
                "Of your app in Pipedrive's developer hub.",
                ValueType::Text(&[]),
                Everywhere,
            ),
            key(
                "client_secret",
                "Client secret",
                "Of your app in Pipedrive's developer hub.",
                ValueType::Secret,
                Everywhere,
            ),
            key(
                "refresh_token",
                "Refresh token",
                "From authorizing the app once.",
                ValueType::Secret,
                Everywhere,
            ),
        ],
    },
    AuthMethod {
        auth_type: "token",
        title: "API token",
        keys: &[key(
            "api_token",
            "API token",
            "In Pipedrive under Personal preferences, API. It sees what its user may see.",
            ValueType::Secret,
            Everywhere,
        )],
    },
];

/// All keys except `credentials`.
pub const KEYS: &[Key] = &[
    key(
        "company_domain",
        "Company domain",
        "acme for https://acme.pipedrive.com. Without it requests go to Pipedrive's shared host, and a token of another company is not noticed.",
        ValueType::Text(&["acme", "acme.pipedrive.com"]),
        Everywhere,
    ),
    key(
        "start_date",
        "Start date",
        "Incremental streams begin with rows changed at or after this time. Without it everything is read, rows without a time of change included.",
        ValueType::Time,
        Everywhere,
    ),
    key(
        "archived",
        "Archived deals and leads",
        "Whether archived deals and leads belong to their streams. Their lists cost twice the tokens.",
        ValueType::Flag(true),
        Everywhere,
    ),
    key(
        "mail_bodies",
        "Text of mail",
        "Whether the mail of deals, persons and organizations comes with its text. Those three streams are read only when selected.",
        ValueType::Flag(false),
        Everywhere,
    ),
    key(
        "custom_fields",
        "Custom field keys",
        "columns: each custom field is a column of its own, called like the field, of one type, with the labels of options beside their ids; what most people want in a database. name: the same names, inside the object custom_fields. hash: as the API has them.",
        ValueType::Word(&["hash", "name", "columns"]),
        Everywhere,
    ),
    key(
        "overlap_seconds",
        "Overlap (seconds)",
        "How far back an incremental read looks for rows that surface late. Rows delivered before are not repeated.",
        number(0, 86_400, Some(60)),
        Everywhere,
    ),
    key(
        "concurrency",
        "Streams read side by side",
        "How many streams are read at a time. With 1 they are sent one after the other, for targets that pass a state on before they have stored the rows of all streams.",
        number(1, 64, Some(4)),
        Everywhere,
    ),
    key(
        "max_tokens",
        "Token limit of a run",
        "A run stops cleanly before it spends more API tokens than this, and the next run continues from there. Large lists are read first. Configuration lists that were read within a day are left out while others are unfinished.",
        number(1, u64::MAX, None),
        Everywhere,
    ),
    key(
        "reserve_percent",
        "Daily tokens left to others (percent)",
        "A run stops cleanly before the company's daily token budget falls below this share. The limit works if Pipedrive reports the budget, which it usually does. The default of the standalone commands (sync, backup, bundle, plan) is 10.",
        number(0, 100, Some(0)),
        Everywhere,
    ),
    key(
        "api_token",
        "API token",
        "Accepted here too, so that older configurations keep working.",
        ValueType::Secret,
        Hidden,
    ),
    key(
        "replication_start_date",
        "Start date (old key)",
        "The old name of start_date.",
        ValueType::Time,
        Hidden,
    ),
    key(
        "user_agent",
        "User agent",
        "How requests introduce themselves, beside the name of this program. user-agent, as older Singer taps spell it, is taken too.",
        ValueType::Text(&["crm-sync (data@example.test)"]),
        Hidden,
    ),
    key(
        "base_url",
        "API origin",
        "Another API origin, for tests and proxies; plain http on loopback only.",
        ValueType::Text(&["http://127.0.0.1:8080"]),
        Hidden,
    ),
    key(
        "gzip",
        "Packed answers",
        "Whether answers may come packed.",
        ValueType::Flag(true),
        Hidden,
    ),
    key(
        "backoff_millis",
        "First wait (milliseconds)",
        "The first wait after a failed request; each later one is twice as long.",
        number(1, 60_000, Some(1_000)),
        Hidden,
    ),
    key(
        "timeout_millis",
        "Longest silence (milliseconds)",
        "Longest silence within an answer.",
        number(1, 600_000, Some(60_000)),
        Hidden,
    ),
    key(
        "commit_seconds",
        "Commit interval (seconds)",
        "How often rows are committed while they are read.",
        number(0, 3_600, Some(60)),
        Warehouse,
    ),
    key(
        "emit_activate_version_messages",
        "ACTIVATE_VERSION messages",
        "After a full-table stream was read to its end, tell the target that rows which did not come are gone. Targets mark or delete those.",
        ValueType::Flag(false),
        Singer,
    ),
    key(
        "objects_as_text",
        "Objects as text",
        "Objects and lists are JSON in a text, in the catalog and in records. For targets that go by the position of values and make columns of what an object holds, such as target-csv 0.3.0.",
        ValueType::Flag(false),
        Singer,
    ),
];

/// Returns the key of this name.
pub(super) fn named(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The keys that are read in addition to those of the table: at the top level, and in `credentials`.
const OTHERS: &[&str] = &["credentials", "authorization", "user-agent", "crash_at_step"];
const IN_CREDENTIALS: &[&str] = &["auth_type"];
/// The keys in `credentials` that orchestrators add for all sources.
const OF_ORCHESTRATORS: &[&str] = &["access_token", "token_expiry_date"];

/// Returns a sentence about configuration keys that no command reads. `None` if there are none. Keys that
/// begin with `_` or `/` belong to a platform, or are comments.
pub fn unread_keys(config: &Value) -> Option<String> {
    let remark = |key: &str| key.starts_with(['_', '/', '#']);
    let top = || KEYS.iter().map(|key| key.name).chain(OTHERS.iter().copied());
    let nested = || {
        let ways = AUTH_METHODS.iter().flat_map(|way| way.keys).map(|key| key.name);
        ways.chain(IN_CREDENTIALS.iter().copied())
    };
    let mut unread = Vec::new();
    for (key, value) in config.as_object()? {
        if !remark(key) && top().all(|known| known != key) {
            unread.push(mistyped([key], |key| near(key, top())));
        }
        let within = value.as_object().filter(|_| OTHERS[..2].contains(&key.as_str()));
        for inner in within.into_iter().flatten().map(|(inner, _)| inner) {
            let known = nested().chain(OF_ORCHESTRATORS.iter().copied()).any(|name| name == inner);
            if !remark(inner) && !known {
                let meant = mistyped([inner], |inner| near(inner, nested()));
                unread.push(format!("{meant} in {key}"));
            }
        }
    }
    let keys = if unread.len() == 1 { "is no key" } else { "are no keys" };
    (!unread.is_empty()).then(|| format!("{} {keys} of a configuration", unread.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let json = serde_json::from_str(json).expect("the test writes JSON");
        assert_eq!(unread_keys(&json).unwrap_or_default(), expected);
    }

    #[test]
    fn keys_that_nothing_reads_are_named_with_those_that_were_meant() {
        check(
            r#"{"api_token":"t","max_token":5}"#,
            "\"max_token\" (did you mean max_tokens?) is no key of a configuration",
        );
        check(
            r#"{"Concurrency":5,"colour":"red","credentials":{"refesh_token":"r","access_token":"a"}}"#,
            "\"Concurrency\" (did you mean concurrency?), \"colour\", \"refesh_token\" (did you mean \
             refresh_token?) in credentials are no keys of a configuration",
        );
        check(
            r#"{"//":"a remark","__injected":1,"authorization":{"_x":1,"auth_type":"Client"}}"#,
            "",
        );
        check("[]", "");
    }

    #[test]
    fn each_key_with_a_slip_in_it_is_found() {
        for key in KEYS.iter().chain(AUTH_METHODS.iter().flat_map(|way| way.keys)) {
            let slip: String = key.name.chars().skip(1).collect();
            let found = unread_keys(&serde_json::json!({ slip.clone(): 1 })).unwrap_or_default();
            assert!(found.starts_with(&format!("{slip:?}")), "{found}");
            assert!(unread_keys(&serde_json::json!({"credentials": {slip: 1}})).is_some());
        }
    }
}
