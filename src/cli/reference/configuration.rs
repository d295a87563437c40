//! Generates the page of all configuration keys.

use super::{begin, code, s3, table};
use crate::model::{AUTH_METHODS, ConfigKey, KEYS, Result, ValueType, Visibility};
use std::fmt::Write as _;

pub(super) fn page() -> Result<String> {
    let mut page = begin("Configuration");
    page.push_str(
        "One JSON object serves every command. A key that is not listed is an error in standalone commands, and a warning under an orchestrator; those that begin with `_`, `/` or `#` are remarks. null is absent.\n\n\
         ```json\n{\"company_domain\": \"acme\", \"credentials\": {\"auth_type\": \"token\", \"api_token\": \"...\"}}\n```\n\n\
         ## credentials\n\n`api_token` is taken at the top level too, as older connectors have it, and \
         `authorization` is another name of `credentials`.\n\n",
    );
    for way in AUTH_METHODS {
        let _ = writeln!(
            page,
            "With `\"auth_type\": \"{}\"` ({}), all of:\n",
            way.auth_type, way.title
        );
        let rows = way.keys.iter().map(|key| vec![code(key.name), key.about.to_owned()]);
        page.push_str(&table(&["key", "meaning"], rows));
        page.push('\n');
    }
    for (title, note, place) in [
        ("All commands", "", Visibility::Everywhere),
        ("`sync warehouse`", "", Visibility::Warehouse),
        ("`tap-pipedrive`", "", Visibility::Singer),
        ("Older spellings, tests and proxies", "Forms do not show these.\n\n", Visibility::Hidden),
    ] {
        let _ = write!(page, "## {title}\n\n{note}");
        let keys = KEYS.iter().filter(|key| key.place == place);
        let rows =
            keys.map(|key| vec![code(key.name), kind(key.takes), usual(key), key.about.to_owned()]);
        page.push_str(&table(&["key", "value", "without it", "meaning"], rows));
        page.push('\n');
    }
    page.push_str(
        "A key that is not listed here is ignored. Standalone commands warn about it and name the nearest known \
         key; Airbyte commands and `tap-pipedrive` log it at level DEBUG. Keys that begin with `_`, `/` or `#` \
         are remarks.\n\n",
    );
    page.push_str(
        "## Environment\n\nStandalone commands (`sync`, `backup`, `bundle`, `plan`) read these over the file, and get by \
         without one. `tap-pipedrive --config ENV` reads `TAP_PIPEDRIVE_` and the key in capitals.\n\n",
    );
    let variables = [
        ("PIPEDRIVE_COMPANY_DOMAIN", "`company_domain`"),
        ("PIPEDRIVE_API_TOKEN", "the token; it replaces whatever credentials the file holds"),
        (
            "PIPEDRIVE_CLIENT_ID, PIPEDRIVE_CLIENT_SECRET, PIPEDRIVE_REFRESH_TOKEN",
            "an OAuth grant, if there is no token; id and secret alone go over those of the file",
        ),
        ("PIPEDRIVE_BASE_URL", "`base_url`"),
        ("DRIPPULSE_BASE_URL", "address of the CRM, for `bundle`, where no flag names it"),
        ("DRIPPULSE_API_KEY", "key or JWT of an organization of that CRM; never taken from a flag"),
    ];
    let rows = variables.map(|(name, meaning)| vec![code(name), meaning.to_owned()]);
    page.push_str(&table(&["variable", "what it sets"], rows));
    page.push_str(&s3::section()?);
    Ok(page)
}

fn kind(takes: ValueType) -> String {
    match takes {
        ValueType::Text(_) => "text".to_owned(),
        ValueType::Secret => "text, secret".to_owned(),
        ValueType::Time => "a time, RFC 3339".to_owned(),
        ValueType::Flag(_) => "true or false".to_owned(),
        ValueType::Number { least, most: u64::MAX, .. } => format!("a whole number from {least}"),
        ValueType::Number { least, most, .. } => format!("a whole number, {least} to {most}"),
        ValueType::Word(words) => {
            words.iter().map(|word| code(word)).collect::<Vec<_>>().join(" or ")
        }
    }
}

fn usual(key: &ConfigKey) -> String {
    match key.takes {
        ValueType::Flag(usual) => code(&usual.to_string()),
        ValueType::Number { usual: Some(usual), .. } => code(&usual.to_string()),
        ValueType::Word(words) => code(words[0]),
        _ => String::new(),
    }
}
