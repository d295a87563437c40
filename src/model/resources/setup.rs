//! The configuration of an account: field definitions, labels, roles, goals, filters, webhooks.

use super::shapes::{
    DURATION, FIELD_COLUMNS, FIELD_V1_COLUMNS, INTS, OFFSET, PLAIN, ROW, V2, col, opt,
};
use crate::model::resource::{Column, Listing, Paging, Resource, Type};
use Type::{Bool, Int, Naked, Num, Object, Text, Time};

const RICH: &[(&str, &str)] =
    &[("include_fields", "ui_visibility,important_fields,required_fields")];
const POOR: &[(&str, &str)] = &[("include_fields", "ui_visibility")];

/// Returns a v2 field dictionary.
const fn dictionary(
    name: &'static str,
    file: &'static str,
    scopes: &'static [&'static str],
    listings: &'static [Listing],
) -> Resource {
    Resource { name, file, scopes, listings, key: &["field_code"], columns: FIELD_COLUMNS, ..ROW }
}

const fn fields(path: &'static str, ask: &'static [(&'static str, &'static str)]) -> Listing {
    Listing { path, ask, query: &["include_fields"], refusable: &["include_fields"], ..V2 }
}

pub(super) static RESOURCES: &[Resource] = &[
    dictionary("deal_fields", "dealFields", &["deals:read"], &[fields("/api/v2/dealFields", RICH)]),
    dictionary(
        "person_fields",
        "personFields",
        &["contacts:read"],
        &[fields("/api/v2/personFields", RICH)],
    ),
    dictionary(
        "organization_fields",
        "organizationFields",
        &["contacts:read"],
        &[fields("/api/v2/organizationFields", RICH)],
    ),
    dictionary(
        "product_fields",
        "productFields",
        &["products:read"],
        &[fields("/api/v2/productFields", POOR)],
    ),
    dictionary(
        "activity_fields",
        "activityFields",
        &["admin"],
        &[fields("/api/v2/activityFields", POOR)],
    ),
    Resource {
        name: "lead_fields",
        file: "leadFields",
        listings: &[Listing { path: "/api/v1/leadFields", ..OFFSET }],
        key: &["key"],
        scopes: &["leads:read"],
        columns: FIELD_V1_COLUMNS,
        ..ROW
    },
    Resource {
        name: "note_fields",
        file: "noteFields",
        listings: &[Listing { path: "/api/v1/noteFields", ..PLAIN }],
        key: &["key"],
        scopes: &["deals:read", "contacts:read"],
        columns: FIELD_V1_COLUMNS,
        ..ROW
    },
    Resource {
        name: "lead_labels",
        file: "leadLabels",
        listings: &[Listing { path: "/api/v1/leadLabels", cost: 10, ..PLAIN }],
        scopes: &["leads:read"],
        columns: &[
            col("id", Text),
            col("name", Text),
            col("color", Text),
            col("add_time", Time),
            col("update_time", Time).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "lead_sources",
        file: "leadSources",
        listings: &[Listing { path: "/api/v1/leadSources", cost: 2, ..PLAIN }],
        key: &["name"],
        scopes: &["leads:read"],
        columns: &[col("name", Text)],
        ..ROW
    },
    Resource {
        name: "activity_types",
        file: "activityTypes",
        listings: &[Listing { path: "/api/v1/activityTypes", ..PLAIN }],
        scopes: &["activities:read"],
        columns: &[
            col("id", Int),
            col("name", Text),
            col("icon_key", Text),
            col("color", Text),
            col("order_nr", Int),
            col("key_string", Text),
            col("active_flag", Bool),
            col("is_custom_flag", Bool),
            col("add_time", Naked),
            col("update_time", Naked).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "filters",
        file: "filters",
        listings: &[Listing { path: "/api/v1/filters", query: &["type"], ..PLAIN }],
        scopes: &["deals:read", "contacts:read", "activities:read"],
        columns: &[
            col("id", Int),
            col("name", Text),
            opt("filter_code", Text),
            opt("is_editable", Bool),
            col("active_flag", Bool),
            col("type", Text),
            opt("temporary_flag", Bool),
            col("user_id", Int),
            col("add_time", Naked),
            col("update_time", Naked).computed(),
            col("visible_to", Text),
            opt("last_used_time", Naked).computed(),
            opt("custom_view_id", Int),
        ],
        ..ROW
    },
    Resource {
        name: "currencies",
        file: "currencies",
        listings: &[Listing { path: "/api/v1/currencies", query: &["term"], ..PLAIN }],
        columns: &[
            col("id", Int),
            col("code", Text),
            col("name", Text),
            col("decimal_points", Int),
            col("symbol", Text),
            col("active_flag", Bool),
            col("is_custom_flag", Bool),
        ],
        ..ROW
    },
    Resource {
        name: "webhooks",
        file: "webhooks",
        listings: &[Listing { path: "/api/v1/webhooks", cost: 10, ..PLAIN }],
        scopes: &["admin", "webhooks:read"],
        admin: true,
        secrets: &["http_auth_password"],
        secret_urls: &["subscription_url"],
        columns: &[
            col("id", Int),
            col("company_id", Int),
            col("owner_id", Int),
            col("user_id", Int),
            col("event_action", Text),
            col("event_object", Text),
            col("subscription_url", Text),
            col("version", Text),
            col("is_active", Int),
            col("add_time", Time),
            opt("remove_time", Time),
            opt("type", Text),
            opt("http_auth_user", Text),
            opt("http_auth_password", Text),
            opt("remove_reason", Text),
            opt("last_delivery_time", Time).computed(),
            opt("last_http_status", Int).computed(),
            opt("admin_id", Int),
            opt("name", Text),
        ],
        ..ROW
    },
    Resource {
        name: "goals",
        file: "goals",
        // Without a type of assignee the API returns only the token user's own goals, and without `is_active`
        // only active ones. Each combination takes one request (pipedrive-api.md 11).
        listings: &[
            goals("person", &[("assignee.type", "person"), ACTIVE]),
            goals("person_past", &[("assignee.type", "person"), PAST]),
            goals("company", &[("assignee.type", "company"), ACTIVE]),
            goals("company_past", &[("assignee.type", "company"), PAST]),
            goals("team", &[("assignee.type", "team"), ACTIVE]),
            goals("team_past", &[("assignee.type", "team"), PAST]),
        ],
        scopes: &["goals:read"],
        feature: Some("goals"),
        columns: &[
            col("id", Text),
            col("owner_id", Int),
            col("title", Text),
            col("type", Object(&[col("name", Text), col("params", Type::Json)])),
            col("assignee", Object(&[col("id", Int), col("type", Text)])),
            col("interval", Text),
            col("duration", DURATION),
            col("expected_outcome", OUTCOME),
            col("is_active", Bool),
            opt("report_ids", super::shapes::TEXTS),
        ],
        ..ROW
    },
    Resource {
        name: "roles",
        file: "roles",
        listings: &[Listing { path: "/api/v1/roles", ..OFFSET }],
        scopes: &["admin"],
        admin: true,
        columns: &[
            col("id", Int),
            opt("parent_role_id", Int),
            col("name", Text),
            col("active_flag", Bool),
            col("assignment_count", Text).computed(),
            col("sub_role_count", Text).computed(),
            opt("level", Int),
            opt("description", Text),
        ],
        ..ROW
    },
    Resource {
        name: "permission_sets",
        file: "permissionSets",
        listings: &[Listing { path: "/api/v1/permissionSets", query: &["app"], ..PLAIN }],
        scopes: &["admin"],
        admin: true,
        columns: &[
            col("id", Text),
            col("name", Text),
            opt("description", Text),
            col("app", Text),
            col("type", Text),
            col("assignment_count", Int).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "legacy_teams",
        file: "legacyTeams",
        listings: &[Listing {
            path: "/api/v1/legacyTeams",
            query: &["order_by", "skip_users"],
            ..PLAIN
        }],
        scopes: &["users:read"],
        feature: Some("teams"),
        columns: TEAM,
        ..ROW
    },
];

const OUTCOME: Type =
    Object(&[col("target", Num), col("tracking_metric", Text), opt("currency_id", Int)]);

const TEAM: &[Column] = &[
    col("id", Int),
    col("name", Text),
    col("description", Text),
    col("manager_id", Int),
    col("users", INTS),
    col("active_flag", Int),
    col("deleted_flag", Int),
    col("add_time", Naked),
    col("created_by_user_id", Int),
];

const ACTIVE: (&str, &str) = ("is_active", "true");
const PAST: (&str, &str) = ("is_active", "false");

const fn goals(name: &'static str, ask: &'static [(&'static str, &'static str)]) -> Listing {
    Listing {
        name,
        path: "/api/v1/goals/find",
        paging: Paging::Goals,
        query: &["type.name", "assignee.type", "is_active"],
        ask,
        refusable: &["assignee.type"],
        ..PLAIN
    }
}
