//! Projects, an add-on of some plans, served from v2.

use super::shapes::{CUSTOM_FIELDS, FIELD_COLUMNS, INTS, PLAIN, ROW, V2, col, opt};
use crate::model::resource::{Custom, Listing, Parent, PerParent, Resource, StatusPartition, Type};
use Type::{Bool, Date, Int, Text, Time};

const PROJECT_STATES: &[(&str, &str)] = &[("status", "open,completed,canceled,deleted")];

/// The statuses to request separately if the API refuses them together, as it may for deals.
const PROJECT_SPLIT: StatusPartition =
    StatusPartition { param: "status", values: &["open,completed,canceled", "deleted"] };

pub(super) static RESOURCES: &[Resource] = &[
    Resource {
        name: "projects",
        file: "projects",
        listings: &[
            Listing {
                name: "live",
                path: "/api/v2/projects",
                query: &["filter_id", "status", "phase_id", "deal_id", "person_id", "org_id"],
                ask: PROJECT_STATES,
                split: Some(PROJECT_SPLIT),
                refusable: &["status"],
                ..V2
            },
            Listing {
                name: "archived",
                path: "/api/v2/projects/archived",
                query: &["filter_id", "status", "phase_id"],
                ask: PROJECT_STATES,
                split: Some(PROJECT_SPLIT),
                refusable: &["status"],
                ..V2
            },
        ],
        cursor: Some("update_time"),
        fields: Some("project_fields"),
        custom: Custom::Nested,
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: &[
            col("id", Int),
            col("title", Text),
            col("description", Text),
            col("status", Text),
            col("board_id", Int),
            col("phase_id", Int),
            col("owner_id", Int),
            opt("start_date", Date),
            opt("end_date", Date),
            col("deal_ids", INTS),
            col("person_ids", INTS),
            col("org_ids", INTS),
            col("label_ids", INTS),
            opt("health_status", Int),
            col("add_time", Time),
            col("update_time", Time).computed(),
            opt("status_change_time", Time),
            opt("archive_time", Time),
            opt("custom_fields", CUSTOM_FIELDS),
        ],
        ..ROW
    },
    Resource {
        name: "tasks",
        file: "tasks",
        listings: &[Listing {
            path: "/api/v2/tasks",
            query: &["is_done", "is_milestone", "assignee_id", "project_id", "parent_task_id"],
            ..V2
        }],
        cursor: Some("update_time"),
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: &[
            col("id", Int),
            col("title", Text),
            col("creator_id", Int),
            opt("description", Text),
            col("project_id", Int),
            col("is_done", Bool),
            col("is_milestone", Bool),
            opt("due_date", Date),
            opt("start_date", Date),
            opt("parent_task_id", Int),
            col("assignee_ids", INTS),
            opt("priority", Int),
            col("add_time", Time),
            col("update_time", Time).computed(),
            opt("marked_as_done_time", Time),
        ],
        ..ROW
    },
    Resource {
        name: "boards",
        file: "boards",
        listings: &[Listing { path: "/api/v2/boards", cost: 10, ..PLAIN }],
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: &[
            col("id", Int),
            col("name", Text),
            col("order_nr", Int),
            col("add_time", Time),
            col("update_time", Time).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "phases",
        file: "phases",
        listings: &[Listing { path: "/api/v2/phases", cost: 10, query: &["board_id"], ..PLAIN }],
        parent: Some(Parent {
            resource: "boards",
            ask: PerParent::Query("board_id"),
            column: None,
            digest: None,
            shared: false,
        }),
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: &[
            col("id", Int),
            col("name", Text),
            col("board_id", Int),
            col("order_nr", Int),
            col("add_time", Time),
            col("update_time", Time).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "project_templates",
        file: "projectTemplates",
        listings: &[Listing { path: "/api/v2/projectTemplates", ..V2 }],
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: &[
            col("id", Int),
            col("title", Text),
            col("description", Text),
            col("projects_board_id", Int),
            col("owner_id", Int),
            col("add_time", Time),
            col("update_time", Time).computed(),
        ],
        ..ROW
    },
    Resource {
        name: "project_fields",
        file: "projectFields",
        listings: &[Listing { path: "/api/v2/projectFields", ..V2 }],
        key: &["field_code"],
        scopes: &["projects:read"],
        feature: Some("projects"),
        columns: FIELD_COLUMNS,
        ..ROW
    },
];
