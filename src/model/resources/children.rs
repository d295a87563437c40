//! Lists that exist per parent row only. They are read for the parents that changed.

use super::shapes::{BY_ID_V2, OFFSET, PLAIN, ROW, V2, col, opt};
use crate::model::resource::{Listing, Paging, Parent, PerParent, Resource, Type};
use Type::{Bool, Date, Int, Json, List, Naked, Num, Object, Text, Time};

/// Returns a parent with one request per row and the parent's key in the path.
const fn per(resource: &'static str, column: Option<&'static str>) -> Parent {
    Parent { resource, ask: PerParent::Path, column, digest: None, shared: false }
}

/// Defines a field history. Its rows have no key, so a digest of parent and row is the key.
macro_rules! changelog {
    ($name:literal, $file:literal, $parent:literal, $path:literal, $column:literal) => {
        Resource {
            name: $name,
            file: $file,
            listings: &[Listing { path: $path, paging: Paging::Cursor, cost: 20, ..V2 }],
            key: &["change_id"],
            cursor: Some("time"),
            parent: Some(Parent {
                resource: $parent,
                ask: PerParent::Path,
                column: Some($column),
                digest: Some("change_id"),
                shared: false,
            }),
            scopes: &["recents:read"],
            on_request: true,
            columns: &[
                col("change_id", Text),
                col($column, Int),
                col("field_key", Text),
                col("old_value", Json),
                col("new_value", Json),
                col("actor_user_id", Int),
                col("time", Naked),
                opt("change_source", Text),
                opt("change_source_user_agent", Text),
                col("is_bulk_update_flag", Bool),
            ],
            ..ROW
        }
    };
}

macro_rules! followers {
    ($name:literal, $file:literal, $parent:literal, $path:literal, $column:literal, $scope:literal) => {
        Resource {
            name: $name,
            file: $file,
            listings: &[Listing { path: $path, ..V2 }],
            key: &[$column, "user_id"],
            cursor: Some("add_time"),
            parent: Some(per($parent, Some($column))),
            scopes: &[$scope],
            on_request: true,
            columns: &[col($column, Int), col("user_id", Int), col("add_time", Time)],
            ..ROW
        }
    };
}

pub(super) static RESOURCES: &[Resource] = &[
    Resource {
        name: "deal_products",
        file: "dealProducts",
        listings: &[Listing {
            path: "/api/v2/deals/products",
            query: &["deal_ids", "sort_by", "sort_direction"],
            by_id: BY_ID_V2,
            ..V2
        }],
        cursor: Some("update_time"),
        parent: Some(Parent {
            resource: "deals",
            ask: PerParent::Batch("deal_ids"),
            column: None,
            digest: None,
            shared: false,
        }),
        scopes: &["deals:read", "products:read"],
        columns: &[
            col("id", Int),
            col("deal_id", Int),
            // A purged product leaves these columns null.
            col("product_id", Int),
            col("product_variation_id", Int),
            col("name", Text),
            opt("order_nr", Int),
            col("quantity", Num),
            col("item_price", Num),
            col("sum", Num),
            col("currency", Text),
            col("discount", Num),
            col("discount_type", Text),
            col("tax", Num),
            col("tax_method", Text),
            col("is_enabled", Bool),
            col("comments", Text),
            opt("billing_frequency", Text),
            opt("billing_frequency_cycles", Int),
            opt("billing_start_date", Date),
            col("add_time", Time),
            col("update_time", Time).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "deal_installments",
        file: "dealInstallments",
        listings: &[Listing {
            path: "/api/v2/deals/installments",
            query: &["deal_ids", "sort_by", "sort_direction"],
            by_id: BY_ID_V2,
            silent: true,
            ..V2
        }],
        parent: Some(Parent {
            resource: "deals",
            ask: PerParent::Batch("deal_ids"),
            column: None,
            digest: None,
            shared: false,
        }),
        scopes: &["deals:read"],
        feature: Some("installments"),
        columns: &[
            col("id", Int),
            col("deal_id", Int),
            col("amount", Num),
            col("billing_date", Date),
            col("description", Text),
        ],
        ..ROW
    },
    Resource {
        name: "deal_discounts",
        file: "dealDiscounts",
        listings: &[Listing {
            path: "/api/v2/deals/{id}/discounts",
            paging: Paging::Plain,
            limit: 0,
            ..V2
        }],
        cursor: Some("updated_at"),
        parent: Some(per("deals", None)),
        scopes: &["deals:read"],
        on_request: true,
        columns: &[
            col("id", Text),
            col("deal_id", Int),
            col("type", Text),
            col("amount", Num),
            col("description", Text),
            col("created_at", Time),
            col("created_by", Int),
            opt("updated_at", Time),
            opt("updated_by", Int),
        ],
        ..ROW
    },
    Resource {
        name: "product_variations",
        file: "productVariations",
        listings: &[Listing { path: "/api/v2/products/{id}/variations", ..V2 }],
        parent: Some(per("products", None)),
        scopes: &["products:read"],
        on_request: true,
        carried: true,
        columns: &[
            col("id", Int),
            col("name", Text),
            col("product_id", Int),
            col("prices", List(&VARIATION_PRICE)),
        ],
        ..ROW
    },
    Resource {
        name: "organization_relationships",
        file: "organizationRelationships",
        listings: &[Listing {
            path: "/api/v1/organizationRelationships",
            query: &["org_id"],
            ..PLAIN
        }],
        cursor: Some("update_time"),
        // Both organizations list a relationship, and it has one id.
        parent: Some(Parent {
            resource: "organizations",
            ask: PerParent::Query("org_id"),
            column: None,
            digest: None,
            shared: true,
        }),
        scopes: &["contacts:read"],
        on_request: true,
        columns: &[
            col("id", Int),
            col("type", Text),
            col("rel_owner_org_id", RELATED),
            col("rel_linked_org_id", RELATED),
            col("add_time", Naked),
            col("update_time", Naked).computed(),
            col("active_flag", Bool),
            opt("calculated_type", Text),
            opt("calculated_related_org_id", Int),
            opt("related_organization_name", Text),
        ],
        ..ROW
    },
    changelog!(
        "deal_changelog",
        "dealChangelog",
        "deals",
        "/api/v1/deals/{id}/changelog",
        "deal_id"
    ),
    changelog!(
        "person_changelog",
        "personChangelog",
        "persons",
        "/api/v1/persons/{id}/changelog",
        "person_id"
    ),
    changelog!(
        "organization_changelog",
        "organizationChangelog",
        "organizations",
        "/api/v1/organizations/{id}/changelog",
        "org_id"
    ),
    Resource {
        name: "deal_participants",
        file: "dealParticipants",
        listings: &[Listing { path: "/api/v1/deals/{id}/participants", cost: 10, ..OFFSET }],
        cursor: Some("add_time"),
        parent: Some(per("deals", Some("deal_id"))),
        scopes: &["deals:read"],
        on_request: true,
        columns: &[
            col("deal_id", Int),
            col("id", Int),
            col("person_id", Json),
            opt("person", Json),
            opt("related_item_type", Text),
            opt("related_item_id", Int),
            opt("related_item_data", Json),
            col("add_time", Naked),
            col("active_flag", Bool),
            col("added_by_user_id", Json),
        ],
        ..ROW
    },
    followers!(
        "deal_followers",
        "dealFollowers",
        "deals",
        "/api/v2/deals/{id}/followers",
        "deal_id",
        "deals:read"
    ),
    followers!(
        "person_followers",
        "personFollowers",
        "persons",
        "/api/v2/persons/{id}/followers",
        "person_id",
        "contacts:read"
    ),
    followers!(
        "organization_followers",
        "organizationFollowers",
        "organizations",
        "/api/v2/organizations/{id}/followers",
        "org_id",
        "contacts:read"
    ),
    followers!(
        "product_followers",
        "productFollowers",
        "products",
        "/api/v2/products/{id}/followers",
        "product_id",
        "products:read"
    ),
    Resource {
        name: "note_comments",
        file: "noteComments",
        listings: &[Listing { path: "/api/v1/notes/{id}/comments", ..OFFSET }],
        key: &["uuid"],
        cursor: Some("update_time"),
        parent: Some(per("notes", None)),
        scopes: &["deals:read", "contacts:read"],
        on_request: true,
        columns: &[
            col("uuid", Text),
            col("active_flag", Bool),
            col("add_time", Time),
            col("update_time", Time).computed(),
            col("content", Text),
            col("object_id", Text),
            col("object_type", Text),
            col("user_id", Int),
            opt("updater_id", Int),
            opt("company_id", Int),
        ],
        ..ROW
    },
];

const VARIATION_PRICE: Type = Object(&[
    col("product_variation_id", Int),
    col("price", Num),
    col("currency", Text),
    col("cost", Num),
    opt("direct_cost", Num),
    opt("notes", Text),
]);

const RELATED: Type = Object(&[
    col("name", Text),
    col("people_count", Int),
    col("owner_id", Int),
    opt("address", Text),
    opt("cc_email", Text),
    col("value", Int),
]);
