//! Identifies the company whose data a data set holds.

use crate::model::{Error, Kind, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// The company a data set belongs to, and what the token that read it could see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The company's id. `None` means that it is not known; an unknown company matches no other company.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub company_id: Option<i64>,
    /// The company's subdomain. It is empty if Pipedrive returned none.
    #[serde(default)]
    pub company_domain: String,
    /// The id of the user who owns the token.
    #[serde(default)]
    pub user_id: i64,
    /// Whether that user is an administrator and sees all rows.
    #[serde(default)]
    pub admin: bool,
    /// The granted OAuth scopes. `None` for an API token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// Parses an id. Older versions wrote 0 where Pipedrive had not returned one.
fn known<'de, D: Deserializer<'de>>(json: D) -> std::result::Result<Option<i64>, D::Error> {
    Ok(Option::deserialize(json)?.filter(|id| *id != 0))
}

impl Account {
    /// Refuses to continue with another company's data set.
    pub(super) fn must_be(&self, holder: &Self, place: &str) -> Result<()> {
        let message = match (holder.company_id, self.company_id) {
            (Some(holder), Some(own)) if holder == own => return Ok(()),
            (None, _) => format!(
                "the manifest does not say of which company this is (account.company_id), and the token \
                 belongs to {}: write its id there if it is that one's, or use another --dir",
                self.name()
            ),
            (Some(_), _) => format!(
                "this belongs to company {}, the token to {}: use another --dir",
                holder.name(),
                self.name()
            ),
        };
        Err(Error::new(Kind::Config, message).at(place))
    }

    /// Returns the company's name and id for messages.
    pub fn name(&self) -> String {
        match self.company_id {
            Some(id) => format!("\"{}\" (id {id})", self.company_domain),
            None => format!("\"{}\" (id unknown)", self.company_domain),
        }
    }

    /// Returns why this token may see fewer rows than the token of `before`. `None` if it does not.
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
