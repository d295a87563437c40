//! Fields that Pipedrive counts or stamps by itself: they change without anybody's doing.

/// Whether a top-level field is one of them.
///
/// Counters and next and last activities follow other rows (API facts 2.1); the others tell when
/// somebody looked, or when Pipedrive did something.
pub(super) fn is_computed(resource: &str, field: &str) -> bool {
    let everywhere = matches!(
        field,
        "update_time"
            | "next_activity_id"
            | "next_activity_date"
            | "next_activity_time"
            | "last_activity_id"
            | "last_activity_date"
            | "last_incoming_mail_time"
            | "last_outgoing_mail_time"
            | "rotten_time"
            | "was_seen"
    ) || field.ends_with("_count");
    let here = match resource {
        "users" => ["last_login", "modified", "is_you"].contains(&field),
        "filters" => field == "last_used_time",
        "webhooks" => ["last_delivery_time", "last_http_status"].contains(&field),
        // Signed anew for every answer.
        "files" => field == "url",
        "mail_threads" => field == "version",
        _ => false,
    };
    everywhere || here
}
