//! Shapes and defaults that several rows share.

use crate::model::resource::{Changes, Column, Custom, Listing, Paging, Resource, Type};
use Type::{Bool, Date, Int, List, Naked, Num, Object, Text, Time};

/// Returns a column that the API always sends, possibly as null.
pub(super) const fn col(name: &'static str, ty: Type) -> Column {
    Column { name, ty, optional: false, computed: false }
}

/// Returns a column that the API omits if it has no value or was not requested.
pub(in crate::model) const fn opt(name: &'static str, ty: Type) -> Column {
    Column { name, ty, optional: true, computed: false }
}

pub(in crate::model) const INTS: Type = List(&Int);
pub(super) const TEXTS: Type = List(&Text);
pub(super) const CUSTOM_FIELDS: Type = Object(&[]);

/// An address: the entered text and its parsed parts.
pub(in crate::model) const ADDRESS: Type = Object(ADDRESS_COLUMNS);

/// The parsed parts of an address, without the text itself.
pub(in crate::model) const ADDRESS_PARTS: &[Column] = ADDRESS_COLUMNS.split_at(1).1;

pub(in crate::model) const ADDRESS_COLUMNS: &[Column] = &[
    opt("value", Text),
    opt("country", Text),
    opt("admin_area_level_1", Text),
    opt("admin_area_level_2", Text),
    opt("locality", Text),
    opt("sublocality", Text),
    opt("route", Text),
    opt("street_number", Text),
    opt("subpremise", Text),
    opt("postal_code", Text),
    opt("formatted_address", Text),
];

/// An e-mail address, phone number or messenger name with its label.
pub(super) const CONTACT: Type =
    Object(&[col("value", Text), col("primary", Bool), col("label", Text)]);

pub(super) const BY_ID_V2: &[(&str, &str)] = &[("sort_by", "id"), ("sort_direction", "asc")];
pub(super) const BY_ID_V1: &[(&str, &str)] = &[("sort", "id ASC")];

/// A v2 list of 500 rows a page at 10 tokens that is read in full.
pub(super) const V2: Listing = Listing {
    name: "all",
    path: "",
    paging: Paging::Cursor,
    cost: 10,
    limit: 500,
    query: &[],
    ask: &[],
    split: None,
    refusable: &[],
    changes: Changes::FullRead,
    by_id: &[],
    silent: false,
    wrapped: None,
};

/// A v1 list without pages, at 20 tokens.
pub(super) const PLAIN: Listing = Listing { paging: Paging::Plain, cost: 20, limit: 0, ..V2 };

/// A v1 list of 500 rows a page at 20 tokens.
pub(super) const OFFSET: Listing = Listing { paging: Paging::Offset, cost: 20, ..V2 };

/// A resource with an `id` and defaults for everything else.
pub(super) const ROW: Resource = Resource {
    name: "",
    file: "",
    listings: &[],
    key: &["id"],
    cursor: None,
    fields: None,
    custom: Custom::None,
    parent: None,
    scopes: &["base"],
    admin: false,
    feature: None,
    on_request: false,
    carried: false,
    secrets: &[],
    secret_urls: &[],
    counters: &[],
    columns: &[],
};

/// The columns of a v2 field definition (pipedrive-api.md 5.3). `ui_visibility` differs between entities.
pub(super) const FIELD_COLUMNS: &[Column] = &[
    col("field_name", Text),
    col("field_code", Text),
    col("field_type", Text),
    col("options", List(&FIELD_OPTION)),
    col("subfields", List(&SUBFIELD)),
    col("is_custom_field", Bool),
    col("is_optional_response_field", Bool),
    opt("description", Text),
    opt("ui_visibility", Type::Json),
    opt("important_fields", Type::Json),
    opt("required_fields", Type::Json),
];

const FIELD_OPTION: Type = Object(&[
    col("id", Type::OptionId),
    col("label", Text),
    opt("alt_id", Type::OptionId),
    opt("color", Text),
    opt("add_time", Time),
    opt("update_time", Time).computed(),
]);

const SUBFIELD: Type =
    Object(&[col("field_code", Text), col("field_name", Text), col("field_type", Text)]);

/// The columns of a v1 field definition (pipedrive-api.md 5.3), for entities without a v2 dictionary.
pub(super) const FIELD_V1_COLUMNS: &[Column] = &[
    opt("id", Int),
    col("key", Text),
    col("name", Text),
    opt("order_nr", Int),
    col("field_type", Text),
    opt("add_time", Naked),
    opt("update_time", Naked).computed(),
    opt("created_by_user_id", Int),
    opt("last_updated_by_user_id", Int),
    opt("active_flag", Bool),
    opt("edit_flag", Bool),
    opt("index_visible_flag", Bool),
    opt("details_visible_flag", Bool),
    opt("add_visible_flag", Bool),
    opt("important_flag", Bool),
    opt("bulk_edit_allowed", Bool),
    opt("searchable_flag", Bool),
    opt("filtering_allowed", Bool),
    opt("sortable_flag", Bool),
    opt("mandatory_flag", Type::Json),
    opt("options", List(&FIELD_V1_OPTION)),
    opt("options_deleted", List(&Type::Json)),
    opt("is_subfield", Bool),
    opt("subfields", List(&Type::Json)),
    opt("group_id", Int),
    opt("json_column_flag", Bool),
    opt("use_field", Text),
    opt("link", Text),
    opt("description", Text),
    opt("projects_detail_visible_flag", Bool),
    opt("show_in_pipelines", Type::Json),
];

const FIELD_V1_OPTION: Type = Object(&[
    col("id", Type::OptionId),
    col("label", Text),
    opt("alt_id", Type::OptionId),
    opt("color", Text),
]);

/// The price of a product in one currency.
pub(super) const PRICE: Type = Object(&[
    col("product_id", Int),
    col("price", Num),
    col("currency", Text),
    col("cost", Num),
    opt("direct_cost", Num),
    opt("notes", Text),
]);

/// The start and end of a goal.
pub(super) const DURATION: Type = Object(&[col("start", Date), col("end", Date)]);
