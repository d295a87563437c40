//! Secrets kept out of what people read.

use super::percent::percent_encoded;
use serde_json::Value;

/// Shortest secret that is masked: a shorter one is no secret, and would garble every message.
const SECRET_BYTES_MIN: usize = 4;

/// The secrets of a run, in every form they could turn up in.
#[derive(Clone, Default)]
pub struct Mask {
    secrets: Vec<String>,
}

impl Mask {
    /// A mask for these secrets.
    pub fn new(secrets: &[&str]) -> Self {
        let mut mask = Self::default();
        for secret in secrets {
            mask.add(secret);
        }
        mask
    }

    /// Masks one more secret from here on: as it is, as it stands in a URL, and inside JSON.
    pub fn add(&mut self, secret: &str) {
        let json = Value::from(secret).to_string();
        for form in [secret.to_owned(), percent_encoded(secret), json.trim_matches('"').to_owned()]
        {
            if form.len() >= SECRET_BYTES_MIN && !self.secrets.contains(&form) {
                self.secrets.push(form);
            }
        }
    }

    /// Text for people, without secrets.
    pub fn apply(&self, text: &str) -> String {
        let secrets = self.secrets.iter();
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "****"))
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} secrets)", self.secrets.len())
    }
}
