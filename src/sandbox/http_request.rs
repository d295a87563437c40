//! Requests to the simulated account, and the forms of its refusals.

use bytes::Bytes;

/// A request, apart from who asks.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// Path with `/v1` spelt `/api/v1`.
    pub(super) path: String,
    /// Parameters in the order they came, decoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// What a request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method of this name.
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
    /// Parses path and query of a request line.
    pub(super) fn new(method: Method, path_and_query: &str, body: Bytes) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let path = if path.starts_with("/v1/") { format!("/api{path}") } else { path.to_owned() };
        Self { method, path, query: form(query), body }
    }

    /// The value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it goes to version 2 of the API.
    pub(super) fn v2(&self) -> bool {
        self.path.starts_with("/api/v2/")
    }
}

/// Pairs of a query or form body, decoded.
pub(super) fn form(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// A no, with its status and body (pipedrive-api.md 1.5).
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Refusal {
    /// v2 does not accept a parameter or key; several faults joined.
    pub(super) fn invalid(faults: &[String]) -> Self {
        let error = super::json::quoted(&format!("Validation failed: {}", faults.join("; ")));
        let body = format!(
            "{{\"success\":false,\"error\":{error},\"code\":\"ERR_SCHEMA_VALIDATION_FAILED\"}}"
        );
        Self { status: 400, body }
    }

    /// The general no of either version.
    pub(super) fn general(status: u16, error: &str, info: &str) -> Self {
        let (error, info) = (super::json::quoted(error), super::json::quoted(info));
        let body = format!(
            "{{\"success\":false,\"error\":{error},\"error_info\":{info},\"data\":null,\"additional_data\":null}}"
        );
        Self { status, body }
    }

    /// The no of what stands before either version.
    pub(super) fn gateway(status: u16, error: &str) -> Self {
        let error = super::json::quoted(error);
        let body = format!("{{\"success\":false,\"error\":{error},\"errorCode\":{status}}}");
        Self { status, body }
    }

    /// What is asked for is not there.
    pub(super) fn not_found() -> Self {
        Self::general(404, "Entity was not found", "Object was not found.")
    }
}
