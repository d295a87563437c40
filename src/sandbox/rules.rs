//! Selects the generation rule of a column, by resource and name.

use super::fill::{Contact, Ending, Fill, Mark, Shape, Special};
use crate::model::reference;

/// Returns the rule for a column whose type alone does not determine its values.
pub(super) fn rule(resource: &str, column: &str) -> Option<Fill> {
    let referring = || {
        let target = reference(resource, column)?.name;
        Some(match target {
            "leads" => Fill::Lead,
            target if column.ends_with("_ids") || column == "users" => Fill::Refs(target),
            target => Fill::Ref(target),
        })
    };
    of_resource(resource, column).or_else(|| of_column(column)).or_else(referring)
}

#[expect(
    clippy::too_many_lines,
    clippy::match_same_arms,
    reason = "one line per column that is special, in the order of the table"
)]
fn of_resource(resource: &str, column: &str) -> Option<Fill> {
    use Special as S;
    Some(match (resource, column) {
        ("leads" | "lead_labels" | "permission_sets" | "deal_discounts", "id") | (_, "uuid") => {
            Fill::Uuid
        }
        ("call_logs", "id") => Fill::Hex(32),
        ("goals", "id") => Fill::Hex(24),
        ("deals", "status") => Fill::Status,
        ("deals", "probability") => Fill::Probability,
        ("deals", "lost_reason") => Fill::LostReason,
        ("deals", "value") => Fill::Money,
        ("deals", "close_time") => Fill::Ended(Ending::Either, Shape::Time),
        ("deals", "first_won_time") => Fill::FirstWon,
        ("users", "last_login") => Fill::LastLogin,
        ("deals", "won_time") => Fill::Ended(Ending::Won, Shape::Time),
        ("deals", "lost_time") => Fill::Ended(Ending::Lost, Shape::Time),
        ("deals", "local_close_date") => Fill::Ended(Ending::Either, Shape::Date),
        ("deals", "local_won_date") => Fill::Ended(Ending::Won, Shape::Date),
        ("deals", "local_lost_date") => Fill::Ended(Ending::Lost, Shape::Date),
        ("deals", "origin") | ("leads", "origin" | "source_name") => {
            Fill::Pick(&["\"ManuallyCreated\"", "\"API\"", "\"Import\"", "\"WebForms\""])
        }
        ("deals" | "leads", "channel") => Fill::Whole(1, 9),
        ("deals" | "leads", "channel_id" | "origin_id") => Fill::Hex(12),
        ("deals" | "persons" | "organizations", "label_ids") => {
            Fill::Pick(&["[]", "[5]", "[6,7]", "[]", "[8]"])
        }
        ("leads", "label_ids") => Fill::Special(S::LabelUuids),
        ("leads" | "filters", "visible_to") => Fill::Pick(&["\"1\"", "\"3\"", "\"5\"", "\"7\""]),
        ("leads", "value") => Fill::Pick(&[
            "{\"amount\":500,\"currency\":\"EUR\"}",
            "null",
            "{\"amount\":1999.5,\"currency\":\"USD\"}",
        ]),
        ("persons", "first_name") => Fill::FirstName,
        ("persons", "last_name") => Fill::LastName,
        ("persons", "emails") => Fill::Contacts(Contact::Email),
        ("persons", "phones") => Fill::Contacts(Contact::Phone),
        ("persons", "im") => Fill::Contacts(Contact::Messenger),
        ("persons", "marketing_status") => {
            Fill::Pick(&["\"no_consent\"", "\"subscribed\"", "\"unsubscribed\"", "\"archived\""])
        }
        ("persons", "doi_status") => Fill::Pick(&["\"sent\"", "\"none\"", "\"confirmed\""]),
        ("persons", "job_title") => Fill::Pick(&["\"CTO\"", "\"Köchin\"", "\"部長\"", "\"Buyer\""]),
        ("organizations", "website") => Fill::Special(S::Url),
        ("organizations", "annual_revenue") => Fill::Whole(10_000, 9_000_000),
        ("organizations", "employee_count") => Fill::Whole(1, 5_000),
        ("activities", "type") => Fill::Pick(&["\"call\"", "\"meeting\"", "\"task\"", "\"email\""]),
        ("activities", "participants") => Fill::Special(S::Participants),
        ("activities", "attendees") => Fill::Special(S::Attendees),
        ("activities", "conference_meeting_client") => Fill::Pick(&["\"zoom\"", "\"teams\""]),
        ("activities", "conference_meeting_id") => Fill::Hex(10),
        ("products", "prices") => Fill::Special(S::Prices("product_id")),
        ("product_variations", "prices") => Fill::Special(S::Prices("product_variation_id")),
        ("products", "category") => Fill::Pick(&["\"31\"", "\"32\""]),
        ("products", "code") => Fill::Hex(8),
        ("products", "unit") => Fill::Pick(&["\"pc\"", "\"kg\"", "\"Stück\""]),
        ("pipelines", "name") => Fill::Nth(&["\"Sales\"", "\"Partner – größer\"", "\"Renewals\""]),
        ("stages", "pipeline_id") => Fill::Group(6),
        ("stages" | "phases", "order_nr") => Fill::Order(6),
        ("stages", "name") => Fill::Nth(&[
            "\"Lead in\"",
            "\"Contact\"",
            "\"Demo\"",
            "\"Proposal\"",
            "\"Negotiation\"",
            "\"締結\"",
        ]),
        ("stages", "deal_probability") => Fill::Nth(&["10", "20", "40", "60", "80", "100"]),
        ("users", "access") => Fill::Special(S::UserAccess),
        ("users", "is_you") => Fill::Special(S::IsYou),
        ("users", "is_admin") => Fill::Special(S::IsAdmin),
        ("users", "has_created_company") => Fill::Pick(&["false", "false", "true"]),
        ("users", "default_currency") => Fill::Pick(&["\"EUR\"", "\"USD\""]),
        ("users", "locale") => Fill::Pick(&["\"en_GB\"", "\"lv_LV\"", "\"ja_JP\""]),
        ("users", "lang") => Fill::Whole(1, 20),
        ("users", "timezone_name") => Fill::Pick(&["\"Europe/Riga\"", "\"Asia/Tokyo\""]),
        ("users", "timezone_offset") => Fill::Pick(&["\"+02:00\"", "\"+09:00\""]),
        ("users", "is_deleted") => Fill::Nth(&["false", "false", "false", "true"]),
        ("users", "active_flag") => Fill::Nth(&["true", "true", "true", "false"]),
        ("users", "created") => Fill::Add,
        ("users", "modified") => Fill::Update,
        ("notes", "content") => Fill::Html,
        ("notes", "deal") => Fill::Named("deals", Some("title")),
        ("notes", "organization") => Fill::Named("organizations", Some("name")),
        ("notes", "person") => Fill::Named("persons", Some("name")),
        ("notes", "project") => Fill::Named("projects", Some("title")),
        ("notes", "task") => Fill::Named("tasks", Some("title")),
        ("notes", "user") => Fill::Special(S::NoteUser),
        ("files", "deal_name") => Fill::Named("deals", None),
        ("files", "person_name") => Fill::Named("persons", None),
        ("files", "org_name") => Fill::Named("organizations", None),
        ("files", "product_name") => Fill::Named("products", None),
        ("files", "lead_name") => Fill::Named("leads", None),
        ("files", "project_name") => Fill::Named("projects", None),
        ("files", "file_name" | "name") => {
            Fill::Pick(&["\"offer.pdf\"", "\"Zeichnung_ü.png\"", "\"契約.docx\""])
        }
        ("files", "file_type") => Fill::Pick(&["\"pdf\"", "\"img\"", "\"doc\""]),
        ("files", "file_size") => Fill::Whole(100, 60_000),
        ("files", "remote_location") => Fill::Pick(&["\"s3\"", "\"googledocs\""]),
        ("files", "remote_id" | "cid" | "mail_message_id" | "mail_template_id") => Fill::Hex(16),
        ("files", "s3_bucket") => Fill::Pick(&["\"bucket-eu\""]),
        ("call_logs", "duration") => Fill::Pick(&["\"35\"", "\"600\"", "\"0\""]),
        ("call_logs", "outcome") => Fill::Pick(&["\"connected\"", "\"no_answer\"", "\"busy\""]),
        ("call_logs", "start_time") => Fill::Add,
        ("call_logs", "end_time") => Fill::Between,
        ("call_logs", "from_phone_number" | "to_phone_number") => {
            Fill::Pick(&["\"+37120000001\"", "\"+4930123456\"", "\"+81312345678\""])
        }
        ("mail_threads", "parties") => Fill::Special(S::MailParties),
        ("mail_threads", "folders") => Fill::Special(S::Folders),
        ("mail_threads", "message_count") => Fill::Special(S::MessageCount),
        ("mail_threads", "version") => Fill::Whole(1, 30),
        ("mail_threads", "deal_status") => Fill::Pick(&["\"open\"", "\"won\""]),
        ("mail_threads", "first_message_timestamp") => Fill::Add,
        ("mail_threads", "last_message_timestamp") => Fill::Update,
        (_, "message_time" | "timestamp") => Fill::Add,
        (_, "mail_tracking_status") => Fill::Pick(&["\"opened\"", "\"not opened\"", "null"]),
        (_, "from" | "to" | "cc" | "bcc") => Fill::Special(S::Party),
        (_, "draft") => Fill::Pick(&["null", "{\"body\":\"…\"}"]),
        (_, "item_type") => Fill::Pick(&["\"mailMessage\""]),
        (_, "account_id" | "nylas_id" | "mua_message_id") => Fill::Hex(12),
        ("mail_messages", "mail_thread_id")
        | ("deal_products" | "deal_installments" | "deal_discounts", "deal_id")
        | ("role_assignments", "role_id")
        | ("product_variations", "product_id")
        | ("phases", "board_id") => Fill::Parent,
        ("projects", "status") => Fill::Status,
        ("projects", "board_id") => Fill::Group(20),
        ("projects", "phase_id") => Fill::Special(S::PhaseOfBoard),
        ("projects", "label_ids") => Fill::Pick(&["[]", "[3]", "[3,4]"]),
        ("boards", "name") => Fill::Nth(&["\"Delivery\"", "\"Interne Projekte\"", "\"改善\""]),
        ("phases", "name") => {
            Fill::Nth(&["\"Kick-off\"", "\"Build\"", "\"Übergabe\"", "\"Done ✅\""])
        }
        ("lead_labels", "name") => {
            Fill::Nth(&["\"Hot\"", "\"Warm\"", "\"Kalt ❄️\"", "\"待機\"", "\"Hot\"", "\"VIP\""])
        }
        ("lead_labels", "color") => {
            Fill::Nth(&["\"red\"", "\"yellow\"", "\"blue\"", "\"dark-gray\"", "\"teal\""])
        }
        ("lead_sources", "name") => Fill::Nth(&[
            "\"Manually created\"",
            "\"Deal\"",
            "\"Web forms\"",
            "\"Prospector\"",
            "\"Chatbot\"",
            "\"Live chat\"",
            "\"Import\"",
            "\"Website visitors\"",
            "\"Workflow automation\"",
            "\"Campaigns\"",
            "\"Messaging inbox\"",
            "\"API\"",
        ]),
        ("activity_types", "name") => Fill::Nth(&[
            "\"Call\"",
            "\"Meeting\"",
            "\"Task\"",
            "\"Deadline\"",
            "\"E-mail\"",
            "\"Lunch\"",
            "\"Visite\"",
            "\"訪問\"",
            "\"Demo 🎥\"",
        ]),
        ("activity_types", "key_string") => Fill::Nth(&[
            "\"call\"",
            "\"meeting\"",
            "\"task\"",
            "\"deadline\"",
            "\"email\"",
            "\"lunch\"",
            "\"visite\"",
            "\"visit_jp\"",
            "\"demo\"",
        ]),
        ("activity_types", "icon_key") => Fill::Pick(&["\"call\"", "\"meeting\"", "\"task\""]),
        ("activity_types", "color") => Fill::Pick(&["\"FFFFFF\"", "\"00AACC\""]),
        ("filters", "type") => Fill::Nth(&[
            "\"deals\"",
            "\"leads\"",
            "\"org\"",
            "\"people\"",
            "\"products\"",
            "\"activity\"",
            "\"projects\"",
        ]),
        ("currencies", "code") => Fill::Nth(&[
            "\"EUR\"", "\"USD\"", "\"JPY\"", "\"GBP\"", "\"KWD\"", "\"CHF\"", "\"SEK\"", "\"PTS\"",
            "\"PLN\"",
        ]),
        ("currencies", "symbol") => Fill::Nth(&[
            "\"€\"",
            "\"US$\"",
            "\"¥\"",
            "\"£\"",
            "\"د.ك\"",
            "\"Fr.\"",
            "\"kr\"",
            "\"pt\"",
            "\"zł\"",
        ]),
        ("currencies", "decimal_points") => Fill::Nth(&["2", "2", "0", "2", "3"]),
        ("webhooks", "event_action") => Fill::Pick(&["\"*\"", "\"change\"", "\"delete\""]),
        ("webhooks", "event_object") => Fill::Pick(&["\"deal\"", "\"person\"", "\"*\""]),
        ("webhooks", "subscription_url") => Fill::Special(S::Url),
        ("webhooks", "version") => Fill::Pick(&["\"2.0\""]),
        ("webhooks", "is_active") => Fill::Nth(&["1", "1", "0"]),
        ("webhooks", "type") => Fill::Pick(&["\"general\"", "\"automation\""]),
        ("webhooks", "http_auth_user") => Fill::Pick(&["\"hook\""]),
        ("webhooks", "http_auth_password") => Fill::Pick(&["\"invented\""]),
        ("webhooks", "last_http_status") => Fill::Pick(&["200", "500"]),
        ("goals", "type") => Fill::Special(S::GoalType),
        ("goals", "is_active") => Fill::Special(S::GoalActive),
        ("goals", "assignee") => {
            Fill::Pick(&["{\"id\":1,\"type\":\"person\"}", "{\"id\":2,\"type\":\"team\"}"])
        }
        ("goals", "interval") => Fill::Pick(&["\"monthly\"", "\"weekly\"", "\"yearly\""]),
        ("goals", "duration") => Fill::Special(S::Duration),
        ("goals", "expected_outcome") => Fill::Pick(&[
            "{\"target\":50000,\"tracking_metric\":\"sum\"}",
            "{\"target\":12.5,\"tracking_metric\":\"quantity\"}",
        ]),
        ("goals", "report_ids") => Fill::Pick(&["[]", "[\"a1b2\"]"]),
        ("legacy_teams", "active_flag") => Fill::Nth(&["1", "1", "0"]),
        ("roles", "assignment_count" | "sub_role_count") => Fill::Pick(&["\"0\"", "\"3\""]),
        ("permission_sets", "app") => {
            Fill::Nth(&["\"sales\"", "\"projects\"", "\"campaigns\"", "\"global\"", "\"nova\""])
        }
        ("permission_sets", "type") => Fill::Nth(&["\"admin\"", "\"manager\"", "\"regular\""]),
        ("deal_products", "quantity") => Fill::Pick(&["1", "2", "3.5", "10"]),
        ("deal_products", "discount") => Fill::Pick(&["0", "10", "2.5"]),
        ("permission_set_assignments", "permission_set_id") => Fill::Special(S::SetOfParent),
        ("deal_discounts", "created_at") => Fill::Add,
        ("deal_discounts", "updated_at") => Fill::Update,
        ("deal_discounts", "created_by" | "updated_by") => Fill::Ref("users"),
        ("deal_discounts", "type") => Fill::Pick(&["\"percentage\"", "\"amount\""]),
        ("role_assignments", "type") => Fill::Pick(&["\"manual\""]),
        ("deal_products", "discount_type") => Fill::Pick(&["\"percentage\"", "\"amount\""]),
        ("deal_products", "tax_method") => {
            Fill::Pick(&["\"exclusive\"", "\"inclusive\"", "\"none\""])
        }
        ("deal_changelog", "field_key") => Fill::Pick(&["\"title\"", "\"value\"", "\"stage_id\""]),
        ("person_changelog" | "organization_changelog", "field_key") => {
            Fill::Pick(&["\"name\"", "\"owner_id\"", "\"label_ids\""])
        }
        (_, "old_value") => Fill::Pick(&["null", "\"1\"", "\"vorher\"", "12.5"]),
        (_, "new_value") => Fill::Pick(&["\"2\"", "\"nachher\"", "13", "null"]),
        (_, "change_source") => Fill::Pick(&["\"app\"", "\"api\""]),
        (_, "change_source_user_agent") => Fill::Pick(&["\"Mozilla/5.0 (invented)\""]),
        (_, "time") => Fill::Update,
        (_, "action") => Fill::Pick(&["\"added\"", "\"removed\""]),
        ("deal_participants", "person_id") => Fill::Special(S::ParticipantPerson),
        ("deal_participants", "person" | "related_item_data") => Fill::Special(S::ParticipantWrap),
        ("deal_participants", "related_item_type") => Fill::Pick(&["\"deal\""]),
        ("deal_participants", "related_item_id") => Fill::Parent,
        ("deal_participants", "added_by_user_id") => {
            Fill::Pick(&["{\"id\":1,\"value\":1}", "2", "{\"id\":3,\"value\":3}"])
        }
        (
            "deal_followers"
            | "person_followers"
            | "organization_followers"
            | "product_followers"
            | "role_assignments"
            | "permission_set_assignments",
            "user_id",
        ) => Fill::Special(S::Follower),
        ("note_comments", "object_type") => Fill::Pick(&["\"note\""]),
        ("note_comments", "object_id") => Fill::Special(S::SmallText),
        _ => return None,
    })
}

fn of_column(column: &str) -> Option<Fill> {
    Some(match column {
        "id" => Fill::Id,
        "title" | "name" | "subject" => Fill::Title,
        "content" | "note" => Fill::Sentence,
        "add_time" => Fill::Add,
        "update_time" => Fill::Update,
        "is_deleted" => Fill::Deleted,
        "is_archived" => Fill::Archived(Mark::Flag),
        "archive_time" => Fill::Archived(Mark::Time),
        "active_flag" => Fill::Active,
        "deleted_flag" => Fill::Nth(&["0", "0", "1"]),
        "custom_fields" => Fill::Custom,
        "visible_to" => Fill::Pick(&["1", "3", "5", "7"]),
        "currency" => Fill::Pick(&["\"EUR\"", "\"USD\"", "\"JPY\"", "\"GBP\""]),
        "order_nr" => Fill::Order(100),
        "tax" => Fill::Pick(&["0", "21", "19.5"]),
        "email" | "smart_bcc_email" | "cc_email" => Fill::Email,
        "phone" => Fill::Pick(&["\"+37120000001\"", "\"+4930123456\""]),
        "address" | "postal_address" | "location" => Fill::Address,
        "billing_frequency" => {
            Fill::Pick(&["\"one-time\"", "\"monthly\"", "\"annually\"", "\"weekly\""])
        }
        "company_id" => Fill::Company,
        "url" | "icon_url" | "body_url" | "linkedin" | "conference_meeting_url" => {
            Fill::Special(Special::Url)
        }
        _ => return None,
    })
}
