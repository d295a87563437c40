//! Classifies a refusal: a feature that the company lacks, a scope, a permission, or a parameter.

use super::client::Client;
use super::retry::answered;
use crate::model::{Error, Kind, Resource};

/// Words of refusals that concern the company and not one row (pipedrive-api.md 1.5): "Required suites
/// missing", "The company does not have access to this feature", "Feature is not enabled".
const OF_THE_COMPANY: &[&str] = &["feature", "company", "plan", "suite"];
/// Pipedrive's message if an OAuth app lacks the scope of a path, or the path no longer exists.
const SCOPE: &str = "scope and url mismatch";

/// The owner of a token, as `/users/me` reports it.
#[derive(Debug)]
pub(super) struct TokenRights {
    /// Whether the user is a global admin.
    pub(super) admin: bool,
    /// The OAuth scopes that were granted; `None` for an API token.
    pub(super) scopes: Option<Vec<String>>,
}

/// Returns whether these scopes allow a resource.
pub(super) fn granted(resource: &Resource, scopes: &[String]) -> bool {
    let has = |scope: &str| {
        let full = scope.replace(":read", ":full");
        scope == "base" || scopes.iter().any(|granted| granted == scope || *granted == full)
    };
    resource.scopes.iter().any(|scope| has(scope))
}

/// Returns whether a refusal concerns an OAuth scope.
pub(super) fn is_of_scope(error: &Error) -> bool {
    let said = error.said().unwrap_or_default().to_ascii_lowercase();
    error.http_status() == Some(403) && said.contains(SCOPE)
}

/// Returns whether the message of a refusal states that it concerns the company.
pub fn is_of_company(error: &Error) -> bool {
    let said = error.said().unwrap_or_default().to_ascii_lowercase();
    match error.http_status() {
        Some(402 | 415) => true,
        Some(403) => !is_of_scope(error) && OF_THE_COMPANY.iter().any(|word| said.contains(word)),
        _ => false,
    }
}

/// Returns whether a refusal concerns the requested resource, and neither the firewall nor an OAuth
/// scope.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind(), Kind::Permission | Kind::Refused) && !is_of_scope(error)
}

/// Returns whether a refusal may concern one row that the request names: the row does not exist or is not
/// visible.
pub fn is_of_one_row(error: &Error) -> bool {
    is_refusal(error)
        && !is_of_company(error)
        && matches!(error.http_status(), Some(403 | 404 | 410))
}

/// Returns whether a refusal may concern a parameter.
pub fn is_of_parameter(error: &Error) -> bool {
    is_refusal(error) && matches!(error.http_status(), Some(400 | 403))
}

/// Returns the sets of parameters to omit from a refused request, one attempt after the other: those that
/// the refusal names, or else each by itself; then all. Empty if it does not concern parameters.
pub fn leaving_out(error: &Error, refusable: &[&'static str]) -> Vec<Vec<&'static str>> {
    if !is_of_parameter(error) || refusable.is_empty() {
        return Vec::new();
    }
    let said = error.said().unwrap_or_default();
    let named: Vec<_> = refusable.iter().copied().filter(|name| said.contains(name)).collect();
    let mut attempts = if named.is_empty() {
        refusable.iter().map(|name| vec![*name]).collect()
    } else {
        vec![named]
    };
    if attempts.last().is_some_and(|last| last.len() < refusable.len()) {
        attempts.push(refusable.to_vec());
    }
    attempts
}

impl Client {
    /// Explains the refusal of a resource's list with a remedy: the scope to grant, or an admin's token.
    pub fn explained(&self, error: Error, resource: &Resource) -> Error {
        let standing = self.standing.get();
        if is_of_scope(&error) {
            let scopes = resource.scopes.join(" or ");
            let known = standing.and_then(|standing| standing.scopes.as_deref());
            let message = if known.is_some_and(|scopes| granted(resource, scopes)) {
                format!(
                    "the OAuth app has the scope {scopes}, and Pipedrive refuses the path: it may be gone"
                )
            } else {
                format!(
                    "the OAuth app was not granted the scope {scopes}: grant it and authorize the app again"
                )
            };
            return answered(error, &message);
        }
        let admin = standing.is_some_and(|standing| standing.admin);
        if resource.admin && !admin && error.kind() == Kind::Permission && !is_of_company(&error) {
            let message =
                "only admins may read this: use an admin's token, or leave it out with --exclude";
            return answered(error, message);
        }
        error
    }

    /// Classifies the refusal of the first page of a whole list. After a response of `/users/me` it means
    /// that the company lacks the resource ([`Kind::Unavailable`]). A missing OAuth scope, an admin's
    /// list that a regular user asked for, and other errors stay unchanged. This is the only place that
    /// decides.
    pub fn whole_list(&self, error: Error, resource: &Resource) -> Error {
        let Some(standing) = self.standing.get() else { return error };
        let reserved = resource.admin && !standing.admin && !is_of_company(&error);
        let why = match error.http_status() {
            _ if !is_refusal(&error) => return error,
            Some(402) => "the plan or an add-on is missing",
            Some(415) => "the feature is not enabled",
            Some(403) if reserved => return error,
            Some(403) if is_of_company(&error) => "the plan, or a setting, lacks the feature",
            Some(403) => "it is not open to the token's user",
            Some(404 | 410) => "Pipedrive has no such list",
            _ => return error,
        };
        let message = format!("not available to this company: {why}");
        answered(error.of_kind(Kind::Unavailable), &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Settings;
    use serde_json::json;

    fn client(admin: bool, scopes: Option<&str>) -> Client {
        let config = json!({"credentials": {"api_token": "x"}, "company_domain": "example"});
        let settings = Settings::from_json(&config).expect("they are settings");
        let (client, _) = Client::new(&settings).expect("a client");
        let scopes = scopes.map(|scopes| scopes.split(',').map(str::to_owned).collect());
        client.standing.set(TokenRights { admin, scopes }).expect("it was not set");
        client
    }

    #[track_caller]
    fn check(client: &Client, name: &str, (status, said): (u16, &str), expected: &str) {
        let kind = if matches!(status, 400 | 404 | 410) { Kind::Refused } else { Kind::Permission };
        let error = Error::new(kind, "refused").status(status).saying(Some(said.to_owned()));
        let resource = Resource::named(name).expect("it exists");
        let error = client.explained(client.whole_list(error, resource), resource);
        assert_eq!(format!("{:?}: {error}", error.kind()), expected);
    }

    #[test]
    fn a_refused_request_is_made_again_without_what_was_refused() {
        let check = |status, said: &str, refusable: &[&'static str], expected: &str| {
            let error = Error::new(Kind::Refused, "").status(status).saying(Some(said.to_owned()));
            let attempts = leaving_out(&error, refusable);
            let attempts: Vec<_> = attempts.iter().map(|names| names.join("+")).collect();
            assert_eq!(attempts.join(" "), expected, "{status} {said}");
        };
        let both = &["include_fields", "status"];
        check(400, "Bad request", both, "include_fields status include_fields+status");
        check(400, "status: not allowed", both, "status include_fields+status");
        check(403, "no", &["include_fields"], "include_fields");
        check(400, "include_fields, status", both, "include_fields+status");
        check(404, "no", both, "");
        check(400, "no", &[], "");
        check(403, "The company does not have access to this feature", &["status"], "status");
        check(402, "Required suites missing", both, "");
        check(403, "Scope and URL mismatch", both, "");
    }

    #[test]
    fn a_feature_a_scope_and_a_permission_are_three_things() {
        let admin = client(true, None);
        let missing = "Required suites missing";
        let unavailable = "Unavailable: not available to this company:";
        check(
            &admin,
            "projects",
            (402, missing),
            &format!("{unavailable} the plan or an add-on is missing (HTTP 402: {missing})"),
        );
        let off = "Teams feature is not enabled in your company";
        check(
            &admin,
            "legacy_teams",
            (403, off),
            &format!("{unavailable} the plan, or a setting, lacks the feature (HTTP 403: {off})"),
        );
        check(
            &admin,
            "tasks",
            (410, "Gone"),
            &format!("{unavailable} Pipedrive has no such list (HTTP 410: Gone)"),
        );
        check(&admin, "deals", (400, "Bad filter"), "Refused: refused");
        let no = "You do not have permissions to do this.";
        check(
            &client(false, None),
            "roles",
            (403, no),
            &format!(
                "Permission: only admins may read this: use an admin's token, or leave it out with --exclude (HTTP 403: {no})"
            ),
        );
        check(
            &client(false, None),
            "notes",
            (403, no),
            &format!("{unavailable} it is not open to the token's user (HTTP 403: {no})"),
        );
        let scope = "Scope and URL mismatch";
        check(
            &client(true, Some("base")),
            "notes",
            (403, scope),
            &format!(
                "Permission: the OAuth app was not granted the scope deals:read or contacts:read: grant it and authorize the app again (HTTP 403: {scope})"
            ),
        );
        check(
            &client(true, Some("projects:full")),
            "projects",
            (403, scope),
            &format!(
                "Permission: the OAuth app has the scope projects:read, and Pipedrive refuses the path: it may be gone (HTTP 403: {scope})"
            ),
        );
    }
}
