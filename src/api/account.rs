//! Whose account it is, and what its token may see.

use super::client::Client;
use super::request::Request;
use crate::model::{Error, Kind, Resource, Result, Settings, Time};
use serde::Deserialize;

/// The company and the user behind the token (`GET /v1/users/me`, 2 tokens).
#[derive(Debug, Clone)]
pub struct Account {
    /// The company's id; `None` if Pipedrive did not say. See [`Account::company`].
    pub company_id: Option<i64>,
    /// Its name.
    pub company_name: String,
    /// Its subdomain, empty if Pipedrive did not say.
    pub company_domain: String,
    /// The user's id.
    pub user_id: i64,
    /// The user's name.
    pub user_name: String,
    /// Whether the user is a global admin, who sees everything.
    pub admin: bool,
    /// The OAuth scopes that were granted; `None` for an API token.
    pub scopes: Option<Vec<String>>,
    /// The server's clock at this first answer: rows changed from here on belong to the next run.
    pub date: Time,
}

#[derive(Deserialize)]
struct Me {
    data: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    company_id: Option<i64>,
    #[serde(default)]
    company_name: Option<String>,
    #[serde(default)]
    company_domain: Option<String>,
    #[serde(default)]
    access: Option<Vec<Access>>,
    #[serde(default)]
    is_admin: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    app: String,
    #[serde(default)]
    admin: bool,
}

impl Account {
    /// Asks who we are. A token of another company than the configured one is refused.
    pub async fn of(client: &Client, settings: &Settings) -> Result<Self> {
        const PATH: &str = "/api/v1/users/me";
        let answer = client.get(Request::new(PATH, 2)).await?;
        let me: Me = serde_json::from_slice(&answer.body)
            .map_err(|e| Error::new(Kind::Shape, "answer is not a user").at(PATH).because(e))?;
        let Some(user) = me.data else {
            return Err(Error::new(Kind::Shape, "answer holds no user").at(PATH));
        };
        let date = answer.date.ok_or_else(|| {
            Error::new(Kind::Shape, "answer tells no time in its Date header").at(PATH)
        })?;
        let access = user.access.unwrap_or_default();
        let flagged = user.is_admin.is_some_and(|flag| flag == 1 || flag == true);
        let account = Self {
            company_id: user.company_id.filter(|id| *id != 0),
            company_name: user.company_name.unwrap_or_default(),
            company_domain: user.company_domain.unwrap_or_default(),
            user_id: user.id,
            user_name: user.name,
            admin: flagged
                || access
                    .iter()
                    .any(|a| a.admin && matches!(&*a.app, "global" | "account_settings")),
            scopes: client.auth.scopes().await,
            date,
        };
        if let Some(company) = &settings.company
            && !account.company_domain.is_empty()
            && !account.company_domain.eq_ignore_ascii_case(company)
        {
            return Err(Error::new(
                Kind::Config,
                format!(
                    "the token belongs to company {:?}, not to {company:?}",
                    account.company_domain
                ),
            )
            .at("company_domain"));
        }
        Ok(account)
    }

    /// The company's id, where rows of two companies must not be mixed: an answer that does not say
    /// it is a [`Kind::Shape`] error.
    pub fn company(&self) -> Result<i64> {
        self.company_id.ok_or_else(|| {
            let message = "answer does not say of which company the token is (company_id): what is read \
                           could be mixed with another company's";
            Error::new(Kind::Shape, message).at("/api/v1/users/me")
        })
    }

    /// What this user's permissions hide, in sentences; empty for an admin.
    pub fn hidden(&self) -> Vec<String> {
        let mut hidden = Vec::new();
        if !self.admin {
            hidden.push(format!(
                "user {:?} is not an admin: Pipedrive leaves out, without an error, every row this \
                 user may not see, and is likely to refuse {}",
                self.user_name,
                closed(|resource| resource.scope == "admin")
            ));
        }
        if let Some(scopes) = &self.scopes {
            let granted = |scope: &str| {
                let full = scope.replace(":read", ":full");
                scopes.iter().any(|granted| granted == scope || *granted == full)
            };
            let closed = closed(|resource| resource.scope != "base" && !granted(resource.scope));
            if !closed.is_empty() {
                hidden.push(format!("the OAuth app was not granted the scopes for {closed}"));
            }
        }
        hidden
    }
}

fn closed(is: impl Fn(&Resource) -> bool) -> String {
    let names: Vec<_> = Resource::all().filter(|r| is(r)).map(|resource| resource.name).collect();
    names.join(", ")
}
