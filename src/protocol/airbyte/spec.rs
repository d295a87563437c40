//! What a user can configure, as the platform's form shows it (protocol facts, section 4).

use serde_json::{Value, json};

/// The payload of the SPEC message.
pub fn spec() -> Value {
    json!({
        "documentationUrl": "https://developers.pipedrive.com/docs/api/v1",
        "supportsIncremental": true,
        "connectionSpecification": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Pipedrive",
            "type": "object",
            "additionalProperties": true,
            "properties": {
                "credentials": credentials(),
                "company_domain": {
                    "type": "string",
                    "title": "Company domain",
                    "description": "acme for https://acme.pipedrive.com. Without it requests go to Pipedrive's shared host, and a token of another company is not noticed.",
                    "examples": ["acme", "acme.pipedrive.com"],
                    "order": 1
                },
                "start_date": {
                    "type": "string",
                    "title": "Start date",
                    "description": "Incremental streams begin with rows changed at or after this time. Without it everything is read, rows without a time of change included.",
                    "format": "date-time",
                    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
                    "pattern_descriptor": "YYYY-MM-DDTHH:MM:SSZ",
                    "examples": ["2024-01-01T00:00:00Z"],
                    "order": 2
                },
                "archived": {
                    "type": "boolean",
                    "title": "Archived deals and leads",
                    "description": "Whether archived deals and leads belong to their streams. Their lists cost twice the tokens.",
                    "default": true,
                    "order": 3
                },
                "custom_fields": {
                    "type": "string",
                    "title": "Custom field keys",
                    "description": "hash: as the API has them, stable when a field is renamed. name: made of the field's name, with the labels of options beside their ids.",
                    "enum": ["hash", "name"],
                    "default": "hash",
                    "order": 4
                },
                "overlap_seconds": {
                    "type": "integer",
                    "title": "Overlap (seconds)",
                    "description": "How far back an incremental read looks for rows that surface late. Rows delivered before are not repeated.",
                    "default": 60, "minimum": 0, "maximum": 86400,
                    "order": 5
                },
                "concurrency": {
                    "type": "integer",
                    "title": "Streams read side by side",
                    "default": 4, "minimum": 1, "maximum": 64,
                    "order": 6
                },
                "max_tokens": {
                    "type": "integer",
                    "title": "Token limit of a run",
                    "description": "A run stops cleanly before it spends more API tokens than this; the next one goes on from there.",
                    "minimum": 1,
                    "order": 7
                },
                "reserve_percent": {
                    "type": "integer",
                    "title": "Daily tokens left to others (percent)",
                    "description": "A run stops cleanly before the company's daily token budget falls under this share.",
                    "default": 0, "minimum": 0, "maximum": 100,
                    "order": 8
                },
                "api_token": {
                    "type": "string",
                    "title": "API token",
                    "description": "Accepted here too, so that older configurations keep working.",
                    "airbyte_secret": true, "airbyte_hidden": true,
                    "order": 9
                },
                "replication_start_date": {
                    "type": "string",
                    "title": "Start date (old key)",
                    "airbyte_hidden": true,
                    "order": 10
                },
                "base_url": {
                    "type": "string",
                    "title": "Another API origin, for tests and proxies",
                    "airbyte_hidden": true,
                    "order": 11
                }
            }
        }
    })
}

fn credentials() -> Value {
    json!({
        "type": "object",
        "title": "Authentication",
        "order": 0,
        "oneOf": [
            {
                "title": "OAuth 2.0",
                "type": "object",
                "required": ["auth_type", "client_id", "client_secret", "refresh_token"],
                "properties": {
                    "auth_type": {"type": "string", "const": "oauth", "order": 0},
                    "client_id": {
                        "type": "string", "title": "Client ID",
                        "description": "Of your app in Pipedrive's developer hub.",
                        "order": 1
                    },
                    "client_secret": {
                        "type": "string", "title": "Client secret",
                        "airbyte_secret": true, "order": 2
                    },
                    "refresh_token": {
                        "type": "string", "title": "Refresh token",
                        "description": "From authorizing the app once.",
                        "airbyte_secret": true, "order": 3
                    }
                }
            },
            {
                "title": "API token",
                "type": "object",
                "required": ["auth_type", "api_token"],
                "properties": {
                    "auth_type": {"type": "string", "const": "token", "order": 0},
                    "api_token": {
                        "type": "string", "title": "API token",
                        "description": "In Pipedrive under Personal preferences, API. It sees what its user may see.",
                        "airbyte_secret": true, "order": 1
                    }
                }
            }
        ]
    })
}
