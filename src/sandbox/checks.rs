//! The parameters that the API refuses: v2 every unknown one, v1 almost none.

use super::http_request::{Refusal, Request};
use super::options::Options;
use crate::model::{Listing, Paging, Resource, Time};

/// The requested order of a list.
#[derive(Debug)]
pub(super) struct Sorting {
    pub(super) field: String,
    pub(super) falling: bool,
}

/// Checks the parameters of a v2 list strictly.
pub(super) fn v2(
    resource: &Resource,
    listing: &Listing,
    request: &Request,
    options: &Options,
) -> Result<Sorting, Refusal> {
    let mut faults = Vec::new();
    for (name, value) in &request.query {
        let paged = listing.paging == Paging::Cursor && matches!(name.as_str(), "limit" | "cursor");
        let refused =
            options.refuse_products_since && resource.name == "products" && name == "updated_since";
        if refused || !(paged || listing.query.contains(&name.as_str())) {
            faults.push(format!("{name}: Parameter '{name}' is not allowed for this request"));
        } else if let Some(fault) = fault(resource, listing, name, value) {
            faults.push(format!("{name}: {fault}"));
        }
    }
    let combined = |csv: &str| csv.split(',').any(|s| s == "deleted") && csv.contains(',');
    if options.refuse_combined_status && request.get("status").is_some_and(combined) {
        faults.push("status: 'deleted' cannot be combined with other statuses".to_owned());
    }
    if !faults.is_empty() {
        return Err(Refusal::invalid(&faults));
    }
    if let Some(columns) = request.get("include_fields") {
        options.features.included(resource, columns)?;
    }
    // Lists of rows without a numeric id keep the order of creation.
    let natural = if resource.key == ["id"] { "id" } else { "" };
    Ok(Sorting {
        field: request.get("sort_by").unwrap_or(natural).to_owned(),
        falling: request.get("sort_direction") == Some("desc"),
    })
}

/// Returns the error in the value of a v2 parameter.
fn fault(resource: &Resource, listing: &Listing, name: &str, value: &str) -> Option<String> {
    let one_of = |allowed: &[&str]| {
        let strange = value.split(',').find(|item| !allowed.contains(item));
        strange.map(|_| format!("Expected one of {}", allowed.join(", ")))
    };
    let csv_of_numbers = |most: usize| {
        let items = value.split(',');
        if items.clone().all(|item| item.parse::<u64>().is_ok()) {
            (items.count() > most).then(|| format!("at most {most} allowed"))
        } else {
            Some("Expected integers".to_owned())
        }
    };
    match name {
        "limit" => {
            let fits = value.parse().is_ok_and(|n: u32| n >= 1 && n <= listing.limit);
            (!fits).then(|| format!("Expected integer between 1 and {}", listing.limit))
        }
        "updated_since" | "updated_until" => {
            let fits = Time::parse(value).is_some()
                && value.as_bytes().get(10) == Some(&b'T')
                && !value.contains('.')
                && value.len() > 19;
            (!fits).then(|| format!("'{value}' is not a valid datetime"))
        }
        "sort_by" if value.contains(',') => Some("Expected one value".to_owned()),
        "sort_by" => one_of(sorts(listing.path)),
        "sort_direction" => one_of(&["asc", "desc"]),
        "status" if resource.name == "projects" => {
            one_of(&["open", "completed", "canceled", "deleted"])
        }
        "status" => one_of(&["open", "won", "lost", "deleted"]),
        "done" | "is_done" | "is_milestone" | "include_labels" | "include_option_labels" => {
            one_of(&["true", "false"])
        }
        "ids" => csv_of_numbers(100),
        "custom_fields" => (value.split(',').count() > 15).then(|| "at most 15 allowed".to_owned()),
        "include_fields" => one_of(&included(resource)),
        "parent_task_id" if value == "null" => None,
        "filter_id" | "owner_id" | "person_id" | "org_id" | "deal_id" | "pipeline_id"
        | "stage_id" | "phase_id" | "project_id" | "assignee_id" | "parent_task_id"
        | "board_id" => value.parse::<u64>().is_err().then(|| "Expected integer".to_owned()),
        _ => None,
    }
}

fn sorts(path: &str) -> &'static [&'static str] {
    match path {
        "/api/v2/activities" => &["id", "update_time", "add_time", "due_date"],
        "/api/v2/products" => &["id", "name", "add_time", "update_time"],
        "/api/v2/stages" => &["id", "update_time", "add_time", "order_nr"],
        "/api/v2/deals/products" => &["id", "deal_id", "add_time", "update_time", "order_nr"],
        "/api/v2/deals/installments" => &["id", "billing_date", "deal_id"],
        _ => &["id", "update_time", "add_time"],
    }
}

/// Returns the columns that `include_fields` may name.
fn included(resource: &Resource) -> Vec<&'static str> {
    let counts = [
        "next_activity_id",
        "last_activity_id",
        "email_messages_count",
        "activities_count",
        "done_activities_count",
        "undone_activities_count",
        "files_count",
        "notes_count",
        "followers_count",
        "smart_bcc_email",
    ];
    let of_contacts = [
        "open_deals_count",
        "related_open_deals_count",
        "closed_deals_count",
        "related_closed_deals_count",
        "won_deals_count",
        "related_won_deals_count",
        "lost_deals_count",
        "related_lost_deals_count",
    ];
    let mail = ["last_incoming_mail_time", "last_outgoing_mail_time"];
    match resource.name {
        "deals" => [
            &counts[..],
            &mail,
            &["first_won_time", "products_count", "participants_count", "source_lead_id"],
        ]
        .concat(),
        "persons" => [
            &counts[..],
            &of_contacts,
            &mail,
            &[
                "participant_open_deals_count",
                "participant_closed_deals_count",
                "marketing_status",
                "doi_status",
            ],
        ]
        .concat(),
        "organizations" => [&counts[..], &of_contacts, &["people_count"]].concat(),
        "activities" => vec!["attendees"],
        "product_fields" | "activity_fields" => vec!["ui_visibility"],
        _ => vec!["ui_visibility", "important_fields", "required_fields"],
    }
}

/// Checks the parameters that v1 reads, and ignores the others.
pub(super) fn v1(
    resource: &Resource,
    listing: &Listing,
    request: &Request,
) -> Result<Sorting, Refusal> {
    let bad = |what: &str| Refusal::general(400, &format!("Bad request: {what} is not valid"), "");
    let since = request.get("updated_since").filter(|_| listing.query.contains(&"updated_since"));
    if since.is_some_and(|text| Time::parse(text).is_none() || !text.contains('T')) {
        return Err(bad("updated_since"));
    }
    for name in ["start", "limit"] {
        if request.get(name).is_some_and(|text| text.parse::<usize>().is_err()) {
            return Err(bad(name));
        }
    }
    let natural = if resource.name == "leads" { "add_time" } else { "" };
    let Some(sort) = request.get("sort").filter(|_| listing.query.contains(&"sort")) else {
        let falling = resource.name.ends_with("_changelog");
        return Ok(Sorting { field: natural.to_owned(), falling });
    };
    let (field, direction) = sort.split_once(' ').unwrap_or((sort, "ASC"));
    let allowed: &[&str] = match resource.name {
        "files" => &["id", "update_time"],
        "leads" => &[
            "id",
            "title",
            "owner_id",
            "creator_id",
            "was_seen",
            "expected_close_date",
            "next_activity_id",
            "add_time",
            "update_time",
        ],
        _ => &[
            "id",
            "user_id",
            "deal_id",
            "person_id",
            "org_id",
            "content",
            "add_time",
            "update_time",
        ],
    };
    if !allowed.contains(&field) || !matches!(direction, "ASC" | "DESC" | "asc" | "desc") {
        return Err(bad("sort"));
    }
    Ok(Sorting { field: field.to_owned(), falling: direction.eq_ignore_ascii_case("desc") })
}
