//! Secrets kept out of what people read.

use super::error::Result;
use super::object::pairs;
use super::percent::percent_encoded;
use super::resource::Resource;
use serde_json::Value;

/// What stands for a secret.
const STARS: &str = "****";

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
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), STARS))
    }
}

/// A row of a resource with its secret columns masked; `None` when none of them has a value.
/// Everything else stays byte for byte.
pub fn masked(resource: &Resource, row: &str) -> Result<Option<String>> {
    let mut places = Vec::new();
    pairs(row, |key, value| {
        if resource.secrets.contains(&key.as_ref()) && value != "null" {
            let start = value.as_ptr() as usize - row.as_ptr() as usize;
            places.push(start..start + value.len());
        }
    })?;
    let mut text = String::with_capacity(row.len());
    let mut kept = 0;
    for place in &places {
        text.push_str(&row[kept..place.start]);
        text.push('"');
        text.push_str(STARS);
        text.push('"');
        kept = place.end;
    }
    text.push_str(&row[kept..]);
    Ok((!places.is_empty()).then_some(text))
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
    }
}
