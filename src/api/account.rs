//! Reads which company and user a token belongs to, and what the token may see.

use super::client::{Answer, Client};
use super::refusal::{TokenRights, granted};
use super::request::Request;
use crate::model::{Error, Kind, Resource, Result, Settings, Time};
use serde::Deserialize;

/// The endpoint that identifies the owner of a token.
pub(super) const ME: &str = "/api/v1/users/me";

/// The company and the user behind the token (`GET /v1/users/me`, 2 tokens).
#[derive(Debug, Clone)]
pub struct Account {
    /// The company's id. `None` if the response does not contain it. See [`Account::company`].
    pub company_id: Option<i64>,
    /// The company's name.
    pub company_name: String,
    /// The company's subdomain, empty if the response does not contain it.
    pub company_domain: String,
    /// The user's id.
    pub user_id: i64,
    /// The user's name.
    pub user_name: String,
    /// Whether the user is a global admin, who sees everything.
    pub admin: bool,
    /// The OAuth scopes that were granted; `None` for an API token.
    pub scopes: Option<Vec<String>>,
    /// The server's clock at this first response: rows changed from here on belong to the next run.
    /// `None` if the response has no readable time.
    pub date: Option<Time>,
    /// The configured start.
    pub start: Option<Time>,
}

#[derive(Deserialize)]
struct Me {
    data: Option<User>,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    company_id: Option<i64>,
    #[serde(default)]
    company_name: Option<String>,
    #[serde(default)]
    company_domain: Option<String>,
    #[serde(default)]
    access: Option<Vec<Option<Access>>>,
    #[serde(default)]
    is_admin: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Access {
    #[serde(default)]
    app: Option<String>,
    #[serde(default)]
    admin: Option<bool>,
}

impl Access {
    /// Returns whether a permission set makes its user a global admin.
    fn opens_all(&self) -> bool {
        let all = matches!(self.app.as_deref(), Some("global" | "account_settings"));
        all && self.admin == Some(true)
    }
}

/// Parses the user of a response, and the server's clock.
fn read(answer: &Answer) -> Result<(User, Option<Time>)> {
    let me: Option<Me> = serde_json::from_slice(&answer.body)
        .map_err(|error| Error::new(Kind::Shape, "answer is not a user").because(error))?;
    let user = me.and_then(|me| me.data);
    let user = user.ok_or_else(|| Error::new(Kind::Shape, "answer holds no user"))?;
    Ok((user, answer.date))
}

impl Account {
    /// Requests the owner of the token. A token of another company than the configured one is refused.
    pub async fn of(client: &Client, settings: &Settings) -> Result<Self> {
        let (user, date) = client.ask(Request::new(ME, 2), read).await?;
        let access = user.access.unwrap_or_default();
        let flagged = user.is_admin.is_some_and(|flag| flag == 1 || flag == true);
        let account = Self {
            company_id: user.company_id.filter(|id| *id != 0),
            company_name: user.company_name.unwrap_or_default(),
            company_domain: user.company_domain.unwrap_or_default(),
            user_id: user.id,
            user_name: user.name.unwrap_or_default(),
            admin: flagged || access.iter().flatten().any(Access::opens_all),
            scopes: client.auth.scopes().await,
            date,
            start: settings.start,
        };
        if let Some(company) = &settings.company
            && !account.company_domain.is_empty()
            && !account.company_domain.eq_ignore_ascii_case(company)
        {
            return Err(Error::new(
                Kind::Config,
                format!(
                    "the token belongs to company \"{}\", not to \"{company}\"",
                    account.company_domain
                ),
            )
            .at("company_domain"));
        }
        let standing = TokenRights { admin: account.admin, scopes: account.scopes.clone() };
        // The first value stays: it belongs to the same token.
        let _ = client.standing.set(standing);
        Ok(account)
    }

    /// Returns the company's id, for uses in which rows of two companies must not be mixed. A response
    /// without the id is a [`Kind::Shape`] error.
    pub fn company(&self) -> Result<i64> {
        self.company_id.ok_or_else(|| {
            let message = "answer does not say of which company the token is (company_id): what is read \
                           could be mixed with another company's";
            Error::new(Kind::Shape, message).at(ME)
        })
    }

    /// Returns why this token cannot read a resource, if that is known.
    pub fn closed(&self, resource: &Resource) -> Option<&'static str> {
        if resource.admin && !self.admin {
            return Some("for admins only");
        }
        let scopes = self.scopes.as_ref()?;
        (!granted(resource, scopes)).then_some("the OAuth app was not granted its scope")
    }

    /// Returns sentences about what this user's permissions hide, and what the server does not report.
    pub fn caveats(&self) -> Vec<String> {
        let mut caveats = Vec::new();
        if self.date.is_none() {
            caveats.push(
                "Pipedrive's first answer tells no time (Date header): nothing bounds this run above, \
                 rows that change while it reads may come with it"
                    .to_owned(),
            );
        }
        if let (Some(start), Some(date)) = (self.start, self.date)
            && start > date
        {
            caveats.push(format!(
                "start_date {start} lies in the future, for Pipedrive it is {date}: rows are read only if \
                 they change after that start"
            ));
        }
        if !self.admin {
            caveats.push(format!(
                "user \"{}\" is not an admin: Pipedrive leaves out, without an error, every row this \
                 user may not see, and is likely to refuse {}",
                self.user_name,
                closed(|resource| resource.admin)
            ));
        }
        if let Some(scopes) = &self.scopes {
            let closed = closed(|resource| !granted(resource, scopes));
            if !closed.is_empty() {
                caveats.push(format!("the OAuth app was not granted the scopes for {closed}"));
            }
        }
        caveats
    }
}

fn closed(is: impl Fn(&Resource) -> bool) -> String {
    let names: Vec<_> = Resource::all().filter(|r| is(r)).map(|resource| resource.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let answer = Answer { body: body.to_owned().into(), date: None };
        let shown = match read(&answer) {
            Ok((user, _)) => format!("user {}", user.id),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected);
    }

    #[test]
    fn null_is_absent_and_what_holds_no_user_is_an_error() {
        check(r#"{"data":{"id":1}}"#, "user 1");
        check(
            r#"{"data":{"id":1,"name":null,"company_id":null,"company_name":null,"access":[null,{"app":null,"admin":null}],"is_admin":null}}"#,
            "user 1",
        );
        for none in ["null", r#"{"success":false,"data":null}"#, "{}"] {
            check(none, "answer holds no user");
        }
        for none in ["", "<html>", r#"{"data":{"id":1"#, r#"{"data":{"id":null}}"#, "[]"] {
            check(none, "answer is not a user");
        }
    }
}
