//! Authentication: a personal API token, or OAuth with access tokens that expire.

use super::client::{Client, is_html};
use super::retry::{ATTEMPTS_MAX, ResponseInfo, RetryDecision, verdict};
use crate::model::{Credentials, Error, Kind, Result, Settings, percent_encoded};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedSender;

const TOKEN_URL: &str = "https://oauth.pipedrive.com/oauth/token";
/// The share of an access token's life after which it is renewed.
const RENEW_AFTER: f64 = 0.9;
/// The life of an access token if the response does not contain it, in seconds (pipedrive-api.md 1.3).
const LIFE_SECONDS: u64 = 3_600;
/// The bounds of `expires_in` in a response, in seconds.
const LIFE_SECONDS_MIN: u64 = 60;
const LIFE_SECONDS_MAX: u64 = 86_400;
/// The maximum number of times that a refused refresh token is reread from its store: another process may
/// have replaced it, and may be about to store the new one.
const REREADS_MAX: u32 = 3;

#[derive(Debug)]
pub(super) enum Auth {
    Token { origin: String, token: SecretString },
    OAuth(Box<OAuth>),
}

#[derive(Debug)]
pub(super) struct OAuth {
    client_id: String,
    client_secret: SecretString,
    token_url: String,
    /// The configured origin of the API. Otherwise the token's response contains it.
    origin: Option<String>,
    /// A host that `api_domain` may name besides Pipedrive's own.
    base: Option<String>,
    grant: Mutex<Grant>,
    rotated: UnboundedSender<SecretString>,
    reread: Option<Reread>,
}

/// A function that returns the currently stored refresh token, for instance from a file that several
/// processes share.
pub struct Reread(Box<dyn Fn() -> Option<SecretString> + Send + Sync>);

impl Reread {
    /// Wraps this function, which may read a file.
    pub fn new(kept: impl Fn() -> Option<SecretString> + Send + Sync + 'static) -> Self {
        Self(Box::new(kept))
    }
}

impl std::fmt::Debug for Reread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reread")
    }
}

#[derive(Debug)]
struct Grant {
    refresh_token: SecretString,
    access: Option<Access>,
    /// The number of access tokens that were fetched. It shows whether another stream was faster.
    serial: u64,
    /// The scopes that the user granted, if the response lists them.
    scopes: Option<Vec<String>>,
}

/// The authentication of a request.
pub(super) struct Pass {
    pub(super) origin: String,
    pub(super) name: HeaderName,
    pub(super) value: HeaderValue,
    /// The number of the access token, so that only that one is replaced when it is refused.
    pub(super) serial: u64,
}

#[derive(Debug)]
struct Access {
    token: SecretString,
    origin: String,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    expires_in: Option<u64>,
    refresh_token: Option<SecretString>,
    api_domain: Option<String>,
    scope: Option<String>,
}

impl Auth {
    pub(super) fn new(settings: &Settings, rotated: UnboundedSender<SecretString>) -> Self {
        let origin = settings.origin.clone();
        match &settings.credentials {
            Credentials::Token(token) => Self::Token { origin, token: token.clone() },
            Credentials::OAuth { client_id, client_secret, refresh_token } => {
                let own = settings.base_url;
                Self::OAuth(Box::new(OAuth {
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    token_url: if own {
                        format!("{origin}/oauth/token")
                    } else {
                        TOKEN_URL.to_owned()
                    },
                    base: own.then(|| origin.clone()),
                    origin: (!settings.shared_host).then_some(origin),
                    grant: Mutex::new(Grant {
                        refresh_token: refresh_token.clone(),
                        access: None,
                        serial: 0,
                        scopes: None,
                    }),
                    rotated,
                    reread: None,
                }))
            }
        }
    }

    /// Returns the same with a function that looks for a newer refresh token before a refusal is final.
    pub(super) fn rereading(mut self, reread: Reread) -> Self {
        if let Self::OAuth(oauth) = &mut self {
            oauth.reread = Some(reread);
        }
        self
    }

    pub(super) const fn is_oauth(&self) -> bool {
        matches!(self, Self::OAuth(_))
    }

    /// Returns the origin and the authentication header. Fetches or renews the access token if it is due.
    pub(super) async fn pass(&self, client: &Client) -> Result<Pass> {
        let (origin, name, text, serial) = match self {
            Self::Token { origin, token } => {
                (origin.clone(), HeaderName::from_static("x-api-token"), token.clone(), 0)
            }
            Self::OAuth(oauth) => {
                let mut grant = oauth.grant.lock().await;
                if grant.access.as_ref().is_none_or(|access| access.renew_at <= Instant::now()) {
                    oauth.refresh(client, &mut grant).await?;
                }
                let access = grant.access.as_ref().ok_or_else(|| {
                    Error::new(Kind::Bug, "an access token was fetched and is not there")
                })?;
                let bearer = format!("Bearer {}", access.token.expose_secret());
                (access.origin.clone(), AUTHORIZATION, bearer.into(), grant.serial)
            }
        };
        let mut value = HeaderValue::from_str(text.expose_secret())
            .map_err(|_| Error::new(Kind::Config, "token holds characters that no token has"))?;
        value.set_sensitive(true);
        Ok(Pass { origin, name, value, serial })
    }

    /// Replaces the access token with this number, which was refused.
    pub(super) async fn renew(&self, client: &Client, serial: u64) -> Result<()> {
        if let Self::OAuth(oauth) = self {
            let mut grant = oauth.grant.lock().await;
            if grant.serial == serial {
                oauth.refresh(client, &mut grant).await?;
            }
        }
        Ok(())
    }

    /// Returns the scopes that the user granted the app. `None` for an API token, or while they are
    /// unknown.
    pub(super) async fn scopes(&self) -> Option<Vec<String>> {
        match self {
            Self::Token { .. } => None,
            Self::OAuth(oauth) => oauth.grant.lock().await.scopes.clone(),
        }
    }
}

impl OAuth {
    /// Fetches an access token. A refresh token that the response replaces is passed on before the access
    /// token is used (protocols.md 2).
    async fn refresh(&self, client: &Client, grant: &mut Grant) -> Result<()> {
        let granted = match self.granted(client, &grant.refresh_token).await {
            Err(error) if error.kind() == Kind::Auth => self.newer(client, grant, error).await?,
            granted => granted?,
        };
        if let Some(new) = granted.refresh_token
            && new.expose_secret() != grant.refresh_token.expose_secret()
        {
            // The receiver is gone once the run is over.
            let _ = self.rotated.send(new.clone());
            client.mask().add(new.expose_secret());
            grant.refresh_token = new;
        }
        client.mask().add(granted.access_token.expose_secret());
        let origin = match (&self.origin, granted.api_domain) {
            (Some(origin), Some(domain)) if self.base.is_none() && !same_host(origin, &domain) => {
                return Err(Error::new(
                    Kind::Config,
                    format!("the OAuth grant is for {domain}, not for the configured company"),
                )
                .at("company_domain"));
            }
            (Some(origin), _) => origin.clone(),
            (None, Some(domain)) if pipedrives(&domain) => domain.trim_end_matches('/').to_owned(),
            (None, Some(_)) => {
                return Err(Error::new(
                    Kind::Auth,
                    "the OAuth answer names a host that is not Pipedrive's",
                ));
            }
            (None, None) => {
                return Err(Error::new(
                    Kind::Config,
                    "the OAuth answer names no host; configure the company",
                )
                .at("company_domain"));
            }
        };
        let renew_at = renewal(Instant::now(), granted.expires_in);
        grant.access = Some(Access { token: granted.access_token, origin, renew_at });
        grant.serial += 1;
        grant.scopes = granted
            .scope
            .map(|scope| scope.split([',', ' ']).map(|name| name.trim().to_owned()).collect());
        Ok(())
    }

    /// Fetches an access token with a refresh token that another process has stored since ours was read.
    /// Returns the error if there is none.
    async fn newer(&self, client: &Client, grant: &mut Grant, error: Error) -> Result<Granted> {
        let Some(Reread(kept)) = &self.reread else { return Err(error) };
        let mut refused = error;
        for attempt in 0..REREADS_MAX {
            if attempt > 0 {
                tokio::time::sleep(client.pace().pause(attempt - 1)).await;
            }
            let own = grant.refresh_token.expose_secret();
            let Some(token) = kept().filter(|token| token.expose_secret() != own) else {
                continue;
            };
            client.mask().add(token.expose_secret());
            grant.refresh_token = token;
            match self.granted(client, &grant.refresh_token).await {
                Err(error) if error.kind() == Kind::Auth => refused = error,
                granted => return granted,
            }
        }
        Err(refused)
    }

    async fn granted(&self, client: &Client, refresh_token: &SecretString) -> Result<Granted> {
        let form = format!(
            "grant_type=refresh_token&refresh_token={}",
            percent_encoded(refresh_token.expose_secret())
        );
        let mut attempt = 0;
        loop {
            let url = reqwest::Url::parse(&self.token_url)
                .map_err(|e| Error::new(Kind::Config, "host is not a valid URL").because(e))?;
            let call = client
                .http
                .to(&url)?
                .post(url)
                .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
            let pause = match call.send().await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let html = is_html(response.headers());
                    let body = client.body(response).await.unwrap_or_default();
                    let seen = ResponseInfo {
                        status,
                        html,
                        body: &body,
                        attempt,
                        limited: attempt,
                        ..ResponseInfo::default()
                    };
                    let decided = verdict(&seen, &client.mask(), client.pace());
                    match decided {
                        RetryDecision::Accept => match granted(&body) {
                            Err(_) if attempt < ATTEMPTS_MAX => client.pace().pause(attempt),
                            outcome => return outcome,
                        },
                        RetryDecision::Retry { pause, .. } => pause,
                        RetryDecision::Fail(error) if matches!(status, 400 | 401) => {
                            return Err(Error::new(
                                Kind::Auth,
                                "Pipedrive refused the refresh token or the app: authorize again",
                            )
                            .status(status)
                            .because(error));
                        }
                        RetryDecision::Fail(error) => return Err(error.at("/oauth/token")),
                        RetryDecision::Refresh => {
                            return Err(Error::new(Kind::Bug, "refresh of a refresh"));
                        }
                    }
                }
                Err(error) if attempt >= ATTEMPTS_MAX => {
                    return Err(Error::new(
                        Kind::Network,
                        "Pipedrive's OAuth server cannot be reached",
                    )
                    .because(error.without_url()));
                }
                Err(_) => client.pace().pause(attempt),
            };
            attempt += 1;
            tokio::time::sleep(pause).await;
        }
    }
}

/// Returns when an access token fetched now is renewed: well before it expires.
fn renewal(now: Instant, expires_in: Option<u64>) -> Instant {
    let life = expires_in.unwrap_or(LIFE_SECONDS).clamp(LIFE_SECONDS_MIN, LIFE_SECONDS_MAX);
    now + Duration::from_secs(life).mul_f64(RENEW_AFTER)
}

fn granted(body: &[u8]) -> Result<Granted> {
    // The cause would quote the body, which holds tokens.
    serde_json::from_slice(body)
        .map_err(|_| Error::new(Kind::Shape, "the OAuth answer holds no access token"))
}

/// Returns whether the host of a URL belongs to Pipedrive.
fn pipedrives(url: &str) -> bool {
    url.strip_prefix("https://").is_some_and(|rest| {
        let host = rest.trim_end_matches('/');
        host.ends_with(".pipedrive.com")
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    })
}

fn same_host(a: &str, b: &str) -> bool {
    a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_tokens_are_renewed_before_they_run_out() {
        let now = Instant::now();
        let check = |expires_in, seconds| {
            assert_eq!(renewal(now, expires_in), now + Duration::from_secs(seconds));
        };
        check(Some(3_600), 3_240);
        check(None, 3_240);
        check(Some(0), 54);
        check(Some(u64::MAX), 77_760);
    }

    #[test]
    fn only_pipedrives_hosts_are_followed() {
        for good in ["https://acme.pipedrive.com", "https://acme.pipedrive.com/"] {
            assert!(pipedrives(good), "{good}");
        }
        for bad in [
            "http://acme.pipedrive.com",
            "https://acme.pipedrive.com.evil.test",
            "https://evil.test/.pipedrive.com",
            "https://evil.test#.pipedrive.com",
            "https://user@acme.pipedrive.com",
        ] {
            assert!(!pipedrives(bad), "{bad}");
        }
    }
}
