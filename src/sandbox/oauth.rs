//! The OAuth token endpoint (pipedrive-api.md 1.3).

use super::http_request::form;
use super::json;
use super::options::Options;
use crate::model::Time;

/// The client id that the token endpoint accepts.
pub(super) const CLIENT_ID: &str = "sandbox-client";
/// The client secret that the token endpoint accepts.
pub(super) const CLIENT_SECRET: &str = "sandbox-client-secret";

/// The tokens issued so far.
#[derive(Debug)]
pub(super) struct Tokens {
    refresh: String,
    access: Vec<(String, Time)>,
    issued: u32,
}

impl Tokens {
    /// Returns the initial state: one refresh token, and no access token.
    pub(super) fn new() -> Self {
        Self { refresh: first_refresh_token(), access: Vec::new(), issued: 0 }
    }

    /// Returns the current refresh token.
    pub(super) fn refresh_token(&self) -> &str {
        &self.refresh
    }

    /// Returns whether this access token was issued and has not expired.
    pub(super) fn open(&self, token: &str, now: Time) -> bool {
        self.access.iter().any(|(known, until)| known == token && now < *until)
    }

    /// Handles a request to the token endpoint, and returns status and body.
    pub(super) fn exchange(
        &mut self,
        authorization: Option<&str>,
        content_type: Option<&str>,
        body: &[u8],
        (now, origin, options): (Time, &str, &Options),
    ) -> (u16, String) {
        let basic = authorization
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(json::from_base64)
            .is_some_and(|pair| pair == format!("{CLIENT_ID}:{CLIENT_SECRET}").into_bytes());
        if !basic {
            return refused("Client authentication failed", "invalid_client");
        }
        if !content_type.is_some_and(|t| t.starts_with("application/x-www-form-urlencoded")) {
            return refused("Content type must be form-urlencoded", "invalid_request");
        }
        let form = form(&String::from_utf8_lossy(body));
        let get = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, v)| v.as_str());
        if get("grant_type") != Some("refresh_token") {
            return refused("Unsupported grant_type", "unsupported_grant_type");
        }
        if get("refresh_token") != Some(&self.refresh) {
            return refused("Invalid grant: refresh_token is invalid", "invalid_grant");
        }
        self.issued += 1;
        let issued = self.issued;
        let access = format!("v1u:sandbox-access-{issued:06}-{}", "x".repeat(700));
        self.access.push((access.clone(), now.plus_seconds(options.expires_in)));
        if options.rotate_refresh_tokens {
            self.refresh = format!("100:900:sandbox-refresh-{issued:06}");
        }
        let body = serde_json::json!({
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": options.expires_in,
            "refresh_token": self.refresh,
            "scope": "base,deals:read,contacts:read,activities:read,products:read,leads:read,goals:read,projects:read,mail:read,recents:read,users:read,admin,phone-integration",
            "api_domain": origin,
        });
        (200, body.to_string())
    }
}

/// Returns the initial refresh token.
pub(super) fn first_refresh_token() -> String {
    "100:900:sandbox-refresh-000000".to_owned()
}

fn refused(message: &str, error: &str) -> (u16, String) {
    let body = serde_json::json!({"success": false, "message": message, "error": error});
    (400, body.to_string())
}
