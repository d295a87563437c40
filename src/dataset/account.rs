//! Whose data a data set holds.

use crate::model::{Error, Kind, Result};
use serde::{Deserialize, Serialize};

/// Whose data it is, and what the token that read it could see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The company's id.
    pub company_id: i64,
    /// Its subdomain, empty if Pipedrive did not say.
    #[serde(default)]
    pub company_domain: String,
    /// The user behind the token.
    #[serde(default)]
    pub user_id: i64,
    /// Whether that user is an admin, who sees everything.
    #[serde(default)]
    pub admin: bool,
    /// The OAuth scopes granted; absent for an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

impl Account {
    /// Refuses to go on with another company's data set.
    pub(super) fn must_be(&self, holder: &Self, place: &str) -> Result<()> {
        if holder.company_id == self.company_id {
            return Ok(());
        }
        let name =
            |account: &Self| format!("{:?} (id {})", account.company_domain, account.company_id);
        let message = format!(
            "this belongs to company {}, the token to {}: use another --dir",
            name(holder),
            name(self)
        );
        Err(Error::new(Kind::Config, message).at(place))
    }

    /// Why this token may see less than that one did.
    pub(super) fn narrower_than(&self, before: &Self) -> Option<String> {
        if before.admin && !self.admin {
            return Some(format!("user {} is not an admin, as the one before was", self.user_id));
        }
        if !self.admin && before.user_id != self.user_id {
            return Some(format!(
                "user {} is not the one before ({})",
                self.user_id, before.user_id
            ));
        }
        let lacks =
            |scope: &&String| self.scopes.as_ref().is_some_and(|scopes| !scopes.contains(scope));
        let lost: Vec<&str> =
            before.scopes.iter().flatten().filter(lacks).map(String::as_str).collect();
        (!lost.is_empty()).then(|| format!("scopes were withdrawn: {}", lost.join(", ")))
    }
}
