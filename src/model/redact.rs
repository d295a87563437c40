//! Redacts secrets in text for people and in rows.

use super::error::Result;
use super::event::Batch;
use super::object::{pairs, quoted};
use super::percent::percent_encoded;
use super::resource::Resource;
use bytes::Bytes;
use serde_json::Value;

/// The replacement for a secret.
const STARS: &str = "****";

/// A secret shorter than this is masked where it stands as a word of its own only: inside of other
/// words its few letters say nothing, and stars there would garble every message.
const ANYWHERE_BYTES_MIN: usize = 4;

/// The endings of words in the names of query parameters with secrets, in lower case.
const SECRET_ENDINGS: [&str; 17] = [
    "auth",
    "authorization",
    "credential",
    "credentials",
    "hmac",
    "jwt",
    "key",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
];

/// The secrets of a run, in every form in which they may occur.
#[derive(Clone, Default)]
pub struct Mask {
    /// The secrets, the longest first, so that a secret that contains another one is masked as a whole.
    secrets: Vec<String>,
}

impl Mask {
    /// Returns a mask for these secrets.
    pub fn new(secrets: &[&str]) -> Self {
        let mut mask = Self::default();
        for secret in secrets {
            mask.add(secret);
        }
        mask
    }

    /// Adds a secret to mask: unchanged, URL-encoded, and escaped as in JSON.
    pub fn add(&mut self, secret: &str) {
        let json = Value::from(secret).to_string();
        for form in [secret.to_owned(), percent_encoded(secret), json.trim_matches('"').to_owned()]
        {
            if !form.is_empty() && !self.secrets.contains(&form) {
                self.secrets.push(form);
            }
        }
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    }

    /// Returns text without secrets.
    pub fn apply(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            if !text.contains(secret.as_str()) {
                text
            } else if secret.len() < ANYWHERE_BYTES_MIN {
                without_word(&text, secret)
            } else {
                text.replace(secret.as_str(), STARS)
            }
        })
    }
}

/// Replaces a word by asterisks where no letter or digit precedes or follows it.
fn without_word(text: &str, word: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    for (place, _) in text.match_indices(word) {
        let end = place + word.len();
        let before = text[..place].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = text[end..].chars().next().is_some_and(char::is_alphanumeric);
        if place >= kept && !before && !after {
            out.push_str(&text[kept..place]);
            out.push_str(STARS);
            kept = end;
        }
    }
    out.push_str(&text[kept..]);
    out
}

/// Returns a row of a resource with its secrets masked. `None` if it contains none. Secret columns are masked
/// as a whole. In URLs, the user information and the values of parameters named like `token` or `key` are
/// masked. Everything else stays byte for byte.
pub fn masked(resource: &Resource, row: &str) -> Result<Option<String>> {
    let mut places = Vec::new();
    pairs(row, |key, value| {
        let start = value.as_ptr() as usize - row.as_ptr() as usize;
        let place = start..start + value.len();
        if resource.secrets.contains(&key.as_ref()) && value != "null" {
            places.push((place, quoted(STARS)));
        } else if resource.secret_urls.contains(&key.as_ref())
            && let Ok(url) = serde_json::from_str::<String>(value)
            && let Some(url) = masked_url(&url)
        {
            places.push((place, quoted(&url)));
        }
    })?;
    let mut text = String::with_capacity(row.len());
    let mut kept = 0;
    for (place, value) in &places {
        text.push_str(&row[kept..place.start]);
        text.push_str(value);
        kept = place.end;
    }
    text.push_str(&row[kept..]);
    Ok((!places.is_empty()).then_some(text))
}

/// Returns a URL with its secrets masked. `None` if it contains none. A text that is not a URL is handled the
/// same way.
fn masked_url(url: &str) -> Option<String> {
    let (scheme, rest) = match url.find("//") {
        Some(place) => url.split_at(place + 2),
        None => ("", url),
    };
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (info, host) = match authority.rsplit_once('@') {
        Some((_, host)) => (format!("{STARS}@"), host),
        None => (String::new(), authority),
    };
    let mut out = format!("{scheme}{info}{host}");
    let query = rest.find(['?', '#']).unwrap_or(rest.len());
    out.push_str(&rest[..query]);
    for part in rest[query..].split_inclusive(['?', '#', '&', ';']) {
        let (pair, end) = match part.strip_suffix(['?', '#', '&', ';']) {
            Some(pair) => (pair, &part[pair.len()..]),
            None => (part, ""),
        };
        match pair.split_once('=') {
            Some((name, value)) if !value.is_empty() && names_a_secret(name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(STARS);
            }
            _ => out.push_str(pair),
        }
        out.push_str(end);
    }
    (out != url).then_some(out)
}

/// Returns whether a parameter of this name is likely a secret.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    // A percent-encoded name cannot be checked. `code` is the parameter of the key of Azure Functions.
    name == "code"
        || name.contains('%')
        || words.any(|word| SECRET_ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

impl Batch {
    /// Masks the secrets in the rows. It does nothing for a resource without secrets.
    pub fn mask_secrets(&mut self) -> Result<()> {
        if self.resource.secrets.is_empty() && self.resource.secret_urls.is_empty() {
            return Ok(());
        }
        for record in &mut self.records {
            if let Some(row) = masked(self.resource, &String::from_utf8_lossy(&record.json))? {
                record.json = Bytes::from(row);
                // The positions in the record have changed.
                record.exact = None;
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_columns_are_masked_and_all_else_stays() {
        let webhooks = Resource::named("webhooks").expect("there are webhooks");
        let check = |row: &str, expected: Option<&str>| {
            assert_eq!(masked(webhooks, row).expect("a row").as_deref(), expected);
        };
        check(
            r#"{"id":1, "http_auth_password" : "p\"w","name":"n"}"#,
            Some(r#"{"id":1, "http_auth_password" : "****","name":"n"}"#),
        );
        check(r#"{"id":1,"http_auth_password":null}"#, None);
        check(r#"{"id":1,"subscription_url":"https:\/\/hook.example.test\/p?a=1&b"}"#, None);
        check(
            r#"{"subscription_url":"https:\/\/u:p\u0040hook.example.test\/p?a=1&api_key=k","x":1.50}"#,
            Some(
                r#"{"subscription_url":"https://****@hook.example.test/p?a=1&api_key=****","x":1.50}"#,
            ),
        );
    }

    #[test]
    fn a_url_keeps_all_but_its_secrets() {
        let check = |url: &str, expected: &str| {
            assert_eq!(masked_url(url).unwrap_or_else(|| url.to_owned()), expected, "{url}");
        };
        for plain in [
            "https://hook.example.test/p@th?a=b@c#part",
            "https://hook.example.test",
            "hook.example.test/p?token=&a",
            "https://h.test/?keyword=1&author=2&zip_code=3&sigma=4",
            "",
        ] {
            check(plain, plain);
        }
        check("https://t0ken@hook.example.test", "https://****@hook.example.test");
        check("https://a:b@c@hook.example.test:8/x", "https://****@hook.example.test:8/x");
        check("user:word@hook.example.test/x", "****@hook.example.test/x");
        check(
            "https://h.test/?sig=1&Access_Token=2#k=3",
            "https://h.test/?sig=****&Access_Token=****#k=3",
        );
        check("https://h.test/x#password=1", "https://h.test/x#password=****");
        check("https://h.test/?%74oken=1", "https://h.test/?%74oken=****");
        check("https://h.test?a=1;client_secret=2", "https://h.test?a=1;client_secret=****");
    }

    /// A token of any length is masked where it is a word, and the text around it stays readable.
    #[test]
    fn a_secret_of_any_length_is_masked() {
        const LETTERS: &str = "q7Zx0vK2mB9nW4cR8tY6uJ1hG3fD5sAqEwLpOiXkVbNjMhUyTgRfCdZeQ7sPzKx0";
        for length in 1..=LETTERS.len() {
            let secret = &LETTERS[..length];
            let mask = Mask::new(&[secret]);
            let said = |around: &str| mask.apply(&around.replace('@', secret));
            for around in ["token @ is unknown", "@", "api_token=@&x", "\"@\"", "Bearer @."] {
                assert_eq!(said(around), around.replace('@', STARS), "{length}");
            }
            assert_eq!(said("the request is unauthorized"), "the request is unauthorized");
        }
        assert_eq!(Mask::new(&["a"]).apply("a banana, a"), "**** banana, ****");
        assert_eq!(Mask::new(&["aa"]).apply("aaaa aa"), "aaaa ****");
        assert_eq!(Mask::new(&["abcd", "abcdefgh"]).apply("xabcdefghx"), "x****x");
    }
}
