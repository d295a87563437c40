//! Requests to the simulated account, and the forms of its refusals.

use bytes::Bytes;

/// A request without its credentials.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// The path, with `/api/v1` for `/v1`.
    pub(super) path: String,
    /// The decoded parameters, in the order of the request.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Returns the method of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }
}

impl Request {
    /// Parses the path and query of a request line.
    pub(super) fn new(method: Method, path_and_query: &str, body: Bytes) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let path = if path.starts_with("/v1/") { format!("/api{path}") } else { path.to_owned() };
        Self { method, path, query: form(query), body }
    }

    /// Returns the value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns whether the request is for version 2 of the API.
    pub(super) fn v2(&self) -> bool {
        self.path.starts_with("/api/v2/")
    }
}

/// Returns the decoded pairs of a query or form body.
pub(super) fn form(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// A refusal, with its status and body (pipedrive-api.md 1.5).
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Refusal {
    /// Returns the refusal of parameters or keys by v2. Several errors are joined.
    pub(super) fn invalid(faults: &[String]) -> Self {
        let error = super::json::quoted(&format!("Validation failed: {}", faults.join("; ")));
        let body = format!(
            "{{\"success\":false,\"error\":{error},\"code\":\"ERR_SCHEMA_VALIDATION_FAILED\"}}"
        );
        Self { status: 400, body }
    }

    /// Returns the general form of a refusal in both versions.
    pub(super) fn general(status: u16, error: &str, info: &str) -> Self {
        let (error, info) = (super::json::quoted(error), super::json::quoted(info));
        let body = format!(
            "{{\"success\":false,\"error\":{error},\"error_info\":{info},\"data\":null,\"additional_data\":null}}"
        );
        Self { status, body }
    }

    /// Returns a refusal of the gateway in front of both versions.
    pub(super) fn gateway(status: u16, error: &str) -> Self {
        let error = super::json::quoted(error);
        let body = format!("{{\"success\":false,\"error\":{error},\"errorCode\":{status}}}");
        Self { status, body }
    }

    /// Returns the refusal of a request for something that does not exist.
    pub(super) fn not_found() -> Self {
        Self::general(404, "Entity was not found", "Object was not found.")
    }
}
