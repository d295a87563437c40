//! The keys that a client may set of each resource (pipedrive-api.md 7). All others are refused.

use super::shape::Shape;
use crate::sandbox::http_request::Method;
use Shape::{
    ActivityType, Address, Amount, Attendees, Bool, Category, Clock, Contacts, Currency, Custom,
    Date, Either, Flag, Instant, Labels, Lead, LeadLabels, Naked, Num, OneOf, Participants,
    Percent, Prices, Row, Text, Visible, VisibleText, Whole,
};

/// A resource that can be written.
#[derive(Debug)]
pub(super) struct Writable {
    /// The name of the resource.
    pub(super) name: &'static str,
    /// The method of a change.
    pub(super) change: Method,
    /// Whether the sandbox supports deleting rows.
    pub(super) deletes: bool,
    /// Whether only admins can write it (pipedrive-api.md 1.4).
    pub(super) admin: bool,
    /// The required keys of a new row.
    pub(super) needs: &'static [&'static str],
    /// The keys that can be set.
    pub(super) keys: &'static [Key],
}

/// A key of a body.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// Whether null clears the value. The specification marks only few keys so: UNVERIFIED for most.
    pub(super) null: bool,
    pub(super) when: When,
}

/// The kind of writes that accept a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// The key is accepted for a new row only.
    Born,
    /// The key is accepted for a change only.
    Later,
}

const fn must(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, null: false, when: When::Always }
}

const fn may(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, null: true, when: When::Always }
}

const fn born(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, null: false, when: When::Born }
}

const fn later(name: &'static str, shape: Shape) -> Key {
    Key { name, shape, null: false, when: When::Later }
}

/// Returns the write rules of a resource, if it can be written.
pub(super) fn writable(resource: &str) -> Option<&'static Writable> {
    TABLE.iter().find(|writable| writable.name == resource)
}

const V2: Writable = Writable {
    name: "",
    change: Method::Patch,
    deletes: true,
    admin: false,
    needs: &[],
    keys: &[],
};

static TABLE: &[Writable] = &[
    Writable {
        name: "organizations",
        needs: &["name"],
        keys: &[
            must("name", Text),
            must("owner_id", Row("users")),
            born("add_time", Instant),
            must("visible_to", Visible),
            must("label_ids", Labels("organization_fields")),
            may("address", Address),
            may("website", Text),
            may("linkedin", Text),
            may("industry", Whole),
            may("annual_revenue", Num),
            may("employee_count", Whole),
            must("custom_fields", Custom),
        ],
        ..V2
    },
    Writable {
        name: "persons",
        // A name, or its two parts: see `follow`.
        keys: &[
            must("name", Text),
            may("first_name", Text),
            may("last_name", Text),
            must("owner_id", Row("users")),
            may("org_id", Row("organizations")),
            born("add_time", Instant),
            must("emails", Contacts),
            must("phones", Contacts),
            must("visible_to", Visible),
            must("label_ids", Labels("person_fields")),
            must(
                "marketing_status",
                OneOf(&["no_consent", "unsubscribed", "subscribed", "archived"]),
            ),
            may("postal_address", Address),
            may("notes", Text),
            must("im", Contacts),
            may("birthday", Date),
            may("job_title", Text),
            must("custom_fields", Custom),
        ],
        ..V2
    },
    Writable {
        name: "deals",
        needs: &["title"],
        // `add_time` is missing: a deal is created at the time of its request.
        keys: &[
            must("title", Text),
            must("owner_id", Row("users")),
            may("person_id", Row("persons")),
            may("org_id", Row("organizations")),
            must("pipeline_id", Row("pipelines")),
            must("stage_id", Row("stages")),
            may("value", Num),
            must("currency", Currency),
            must("status", OneOf(&["open", "won", "lost"])),
            may("probability", Percent),
            may("lost_reason", Text),
            may("close_time", Instant),
            may("won_time", Instant),
            may("lost_time", Instant),
            may("expected_close_date", Date),
            must("visible_to", Visible),
            must("label_ids", Labels("deal_fields")),
            must("is_archived", Bool),
            // The specification writes this time without a zone, and rows contain it with one.
            may("archive_time", Either),
            must("custom_fields", Custom),
        ],
        ..V2
    },
    Writable {
        name: "activities",
        // `person_id` is derived from `participants`.
        keys: &[
            must("subject", Text),
            must("type", ActivityType),
            must("owner_id", Row("users")),
            may("deal_id", Row("deals")),
            may("lead_id", Lead),
            may("org_id", Row("organizations")),
            may("project_id", Row("projects")),
            may("due_date", Date),
            may("due_time", Clock),
            may("duration", Clock),
            may("busy", Bool),
            must("done", Bool),
            may("location", Address),
            must("participants", Participants),
            must("attendees", Attendees),
            may("public_description", Text),
            may("priority", Whole),
            may("note", Text),
        ],
        ..V2
    },
    Writable {
        name: "products",
        needs: &["name"],
        keys: &[
            must("name", Text),
            may("code", Text),
            may("description", Text),
            may("unit", Text),
            must("tax", Num),
            may("category", Category),
            must("owner_id", Row("users")),
            must("is_linkable", Bool),
            must("visible_to", Visible),
            must("prices", Prices),
            must(
                "billing_frequency",
                OneOf(&["one-time", "annually", "semi-annually", "quarterly", "monthly", "weekly"]),
            ),
            may("billing_frequency_cycles", Whole),
            must("custom_fields", Custom),
        ],
        ..V2
    },
    Writable {
        name: "pipelines",
        admin: true,
        needs: &["name"],
        keys: &[must("name", Text), must("is_deal_probability_enabled", Bool)],
        ..V2
    },
    Writable {
        name: "stages",
        admin: true,
        needs: &["name", "pipeline_id"],
        keys: &[
            must("name", Text),
            must("pipeline_id", Row("pipelines")),
            must("deal_probability", Percent),
            must("is_deal_rot_enabled", Bool),
            may("days_to_rotten", Whole),
        ],
        ..V2
    },
    Writable {
        name: "leads",
        needs: &["title"],
        keys: &[
            must("title", Text),
            must("owner_id", Row("users")),
            must("label_ids", LeadLabels),
            may("person_id", Row("persons")),
            may("organization_id", Row("organizations")),
            later("is_archived", Bool),
            may("value", Amount),
            may("expected_close_date", Date),
            must("visible_to", VisibleText),
            must("was_seen", Bool),
            born("origin_id", Text),
            may("channel", Whole),
            may("channel_id", Text),
        ],
        ..V2
    },
    Writable {
        name: "notes",
        change: Method::Put,
        needs: &["content"],
        keys: &[
            must("content", Text),
            may("lead_id", Lead),
            may("deal_id", Row("deals")),
            may("person_id", Row("persons")),
            may("org_id", Row("organizations")),
            may("project_id", Row("projects")),
            may("task_id", Row("tasks")),
            must("user_id", Row("users")),
            must("add_time", Naked),
            must("pinned_to_lead_flag", Flag),
            must("pinned_to_deal_flag", Flag),
            must("pinned_to_person_flag", Flag),
            must("pinned_to_organization_flag", Flag),
            must("pinned_to_project_flag", Flag),
            must("pinned_to_task_flag", Flag),
        ],
        ..V2
    },
    Writable {
        name: "activity_types",
        change: Method::Put,
        // Pipedrive keeps removed types with `active_flag` false. No test needs that yet.
        deletes: false,
        admin: true,
        needs: &["name", "icon_key"],
        keys: &[must("name", Text), must("icon_key", OneOf(ICONS)), may("color", Text)],
    },
    Writable {
        name: "lead_labels",
        needs: &["name", "color"],
        keys: &[must("name", Text), must("color", OneOf(COLORS))],
        ..V2
    },
];

const COLORS: &[&str] =
    &["blue", "brown", "dark-gray", "gray", "green", "orange", "pink", "purple", "red", "yellow"];

const ICONS: &[&str] = &[
    "task",
    "email",
    "meeting",
    "deadline",
    "call",
    "lunch",
    "calendar",
    "downarrow",
    "document",
    "smartphone",
    "camera",
    "scissors",
    "cogs",
    "bubble",
    "uparrow",
    "checkbox",
    "signpost",
    "shuffle",
    "addressbook",
    "linegraph",
    "picture",
    "car",
    "world",
    "search",
    "clip",
    "sound",
    "brush",
    "key",
    "padlock",
    "pricetag",
    "suitcase",
    "finish",
    "plane",
    "loop",
    "wifi",
    "truck",
    "cart",
    "bulb",
    "bell",
    "presentation",
];
