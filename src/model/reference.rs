//! The columns that refer to rows of other resources.

use super::resource::Resource;

/// Returns the resource whose row, or rows, a top-level column refers to by key. `None` if it is not a
/// reference.
///
/// Pipedrive uses the same names everywhere (pipedrive-api.md 5.1, 5.2), so one table is used for all
/// resources. The sandbox fills the columns by it, and a backup's references are checked by it.
pub fn reference(resource: &str, column: &str) -> Option<&'static Resource> {
    let name = match (resource, column) {
        ("leads", "source_deal_id") => "deals",
        ("users" | "role_assignments", "role_id")
        | ("roles" | "role_assignments", "parent_role_id") => "roles",
        ("tasks", "assignee_ids") | ("legacy_teams", "users") => "users",
        ("project_templates", "projects_board_id") => "boards",
        ("tasks", "parent_task_id") => "tasks",
        (_, column) => of_column(column)?,
    };
    Resource::named(name)
}

fn of_column(column: &str) -> Option<&'static str> {
    Some(match column {
        "owner_id"
        | "user_id"
        | "creator_user_id"
        | "creator_id"
        | "actor_user_id"
        | "manager_id"
        | "created_by_user_id"
        | "last_update_user_id"
        | "updater_id"
        | "follower_user_id"
        | "admin_id" => "users",
        "person_id" | "person_ids" => "persons",
        "org_id" | "organization_id" | "org_ids" => "organizations",
        "deal_id" | "deal_ids" => "deals",
        "product_id" => "products",
        "project_id" => "projects",
        "task_id" => "tasks",
        "activity_id" | "next_activity_id" => "activities",
        "pipeline_id" => "pipelines",
        "stage_id" => "stages",
        "board_id" => "boards",
        "phase_id" => "phases",
        "lead_id" | "source_lead_id" => "leads",
        "permission_set_id" => "permission_sets",
        _ => return None,
    })
}
