//! Followers, participants and permissions: lists per row, and their histories.

use super::shapes::{OFFSET, PLAIN, ROW, V2, col, opt};
use crate::model::resource::{Listing, Paging, Parent, PerParent, Resource, Type};
use Type::{Bool, Int, Json, Naked, Text, Time};

/// Defines a history of followers. Its rows have no key, so a digest of parent and row is the key.
macro_rules! follower_changelog {
    ($name:literal, $file:literal, $parent:literal, $path:literal, $column:literal, $scope:literal) => {
        Resource {
            name: $name,
            file: $file,
            listings: &[Listing { path: $path, ..V2 }],
            key: &["change_id"],
            cursor: Some("time"),
            parent: Some(history($parent, $column)),
            scopes: &[$scope],
            on_request: true,
            columns: &[
                col("change_id", Text),
                col($column, Int),
                col("action", Text),
                col("actor_user_id", Int),
                col("follower_user_id", Int),
                col("time", Time),
            ],
            ..ROW
        }
    };
}

const fn history(resource: &'static str, column: &'static str) -> Parent {
    Parent {
        resource,
        ask: PerParent::Path,
        column: Some(column),
        digest: Some("change_id"),
        shared: false,
    }
}

/// Returns a parent with one request per row, where rows contain the parent's key.
const fn of(resource: &'static str) -> Parent {
    Parent { resource, ask: PerParent::Path, column: None, digest: None, shared: false }
}

pub(super) static RESOURCES: &[Resource] = &[
    follower_changelog!(
        "deal_followers_changelog",
        "dealFollowersChangelog",
        "deals",
        "/api/v2/deals/{id}/followers/changelog",
        "deal_id",
        "deals:read"
    ),
    follower_changelog!(
        "person_followers_changelog",
        "personFollowersChangelog",
        "persons",
        "/api/v2/persons/{id}/followers/changelog",
        "person_id",
        "contacts:read"
    ),
    follower_changelog!(
        "organization_followers_changelog",
        "organizationFollowersChangelog",
        "organizations",
        "/api/v2/organizations/{id}/followers/changelog",
        "org_id",
        "contacts:read"
    ),
    follower_changelog!(
        "product_followers_changelog",
        "productFollowersChangelog",
        "products",
        "/api/v2/products/{id}/followers/changelog",
        "product_id",
        "products:read"
    ),
    Resource {
        name: "deal_participants_changelog",
        file: "dealParticipantsChangelog",
        listings: &[Listing { path: "/api/v1/deals/{id}/participantsChangelog", ..V2 }],
        key: &["change_id"],
        cursor: Some("time"),
        parent: Some(history("deals", "deal_id")),
        scopes: &["deals:read"],
        on_request: true,
        columns: &[
            col("change_id", Text),
            col("deal_id", Int),
            col("action", Text),
            col("actor_user_id", Int),
            col("person_id", Int),
            col("time", Naked),
        ],
        ..ROW
    },
    Resource {
        name: "role_assignments",
        file: "roleAssignments",
        listings: &[Listing { path: "/api/v1/roles/{id}/assignments", cost: 10, ..OFFSET }],
        key: &["role_id", "user_id"],
        parent: Some(of("roles")),
        // A backup contains it by default: it has few rows, and is part of the account's configuration.
        carried: true,
        scopes: &["admin"],
        admin: true,
        on_request: true,
        columns: &[
            col("role_id", Int),
            col("user_id", Int),
            opt("parent_role_id", Int),
            opt("name", Text),
            opt("active_flag", Bool),
            opt("type", Text),
        ],
        ..ROW
    },
    Resource {
        name: "permission_set_assignments",
        file: "permissionSetAssignments",
        listings: &[Listing { path: "/api/v1/permissionSets/{id}/assignments", ..OFFSET }],
        key: &["permission_set_id", "user_id"],
        parent: Some(of("permission_sets")),
        // A backup contains it by default: it has few rows, and is part of the account's configuration.
        carried: true,
        scopes: &["admin"],
        admin: true,
        on_request: true,
        columns: &[col("permission_set_id", Text), col("user_id", Int), opt("name", Text)],
        ..ROW
    },
    Resource {
        name: "filter_conditions",
        file: "filterConditions",
        // The list of filters lacks the conditions. Only a request for a single filter returns them
        // (pipedrive-api.md 11).
        listings: &[Listing {
            path: "/api/v1/filters/{id}",
            paging: Paging::One,
            cost: 2,
            ..PLAIN
        }],
        parent: Some(of("filters")),
        // A backup contains it by default: it has few rows, and is part of the account's configuration.
        carried: true,
        scopes: &["deals:read", "contacts:read", "activities:read"],
        on_request: true,
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
            col("conditions", Json),
        ],
        ..ROW
    },
];
