//! Mail: the token user's own mailbox, and mail of deals, persons and organizations.

use super::shapes::{OFFSET, PLAIN, ROW, col, opt};
use crate::model::resource::{Listing, Parent, PerParent, Resource, Type};
use Type::{Bool, Int, Json, List, Object, Text, Time};

/// Expands to the columns of a message, between the given ones.
macro_rules! message {
    ([$($before:expr),*], [$($after:expr),*]) => {
        &[
            $($before,)*
            col("id", Int),
            col("from", List(&PARTY)),
            col("to", List(&PARTY)),
            col("cc", List(&PARTY)),
            col("bcc", List(&PARTY)),
            opt("body_url", Text),
            col("account_id", Text),
            col("user_id", Int),
            col("mail_thread_id", Int),
            col("subject", Text),
            col("snippet", Text),
            opt("mail_tracking_status", Text),
            opt("mail_link_tracking_enabled_flag", Int),
            col("read_flag", Int),
            opt("draft", Json),
            opt("draft_flag", Int),
            col("synced_flag", Int),
            col("deleted_flag", Int),
            col("has_body_flag", Int),
            col("sent_flag", Int),
            col("sent_from_pipedrive_flag", Int),
            col("smart_bcc_flag", Int),
            col("has_attachments_flag", Int),
            opt("has_inline_attachments_flag", Int),
            opt("has_real_attachments_flag", Int),
            opt("external_deleted_flag", Bool),
            opt("write_flag", Bool),
            opt("company_id", Int),
            opt("nylas_id", Text),
            opt("mua_message_id", Text),
            opt("template_id", Int),
            opt("s3_bucket", Text),
            opt("s3_bucket_path", Text),
            opt("item_type", Text),
            opt("timestamp", Time),
            col("message_time", Time),
            col("add_time", Time),
            col("update_time", Time).computed(),
            $($after,)*
        ]
    };
}

/// Defines the mail of one row, from the mailboxes of all users. The API wraps each message.
macro_rules! mail {
    ($name:literal, $file:literal, $parent:literal, $path:literal, $column:literal) => {
        Resource {
            name: $name,
            file: $file,
            listings: &[Listing {
                path: $path,
                query: &["include_body"],
                wrapped: Some("data"),
                ..OFFSET
            }],
            key: &[$column, "id"],
            cursor: Some("update_time"),
            parent: Some(Parent {
                resource: $parent,
                ask: PerParent::Path,
                column: Some($column),
                digest: None,
                shared: false,
            }),
            scopes: &["mail:read"],
            on_request: true,
            columns: message!([col($column, Int)], [opt("body", Text)]),
            ..ROW
        }
    };
}

pub(super) static RESOURCES: &[Resource] = &[
    Resource {
        name: "mail_messages",
        file: "mailMessages",
        listings: &[Listing { path: "/api/v1/mailbox/mailThreads/{id}/mailMessages", ..PLAIN }],
        parent: Some(Parent {
            resource: "mail_threads",
            ask: PerParent::Path,
            column: None,
            digest: None,
            shared: false,
        }),
        scopes: &["mail:read"],
        on_request: true,
        columns: message!([], []),
        ..ROW
    },
    mail!("deal_mail", "dealMail", "deals", "/api/v1/deals/{id}/mailMessages", "deal_id"),
    mail!("person_mail", "personMail", "persons", "/api/v1/persons/{id}/mailMessages", "person_id"),
    mail!(
        "organization_mail",
        "organizationMail",
        "organizations",
        "/api/v1/organizations/{id}/mailMessages",
        "org_id"
    ),
];

const PARTY: Type = Object(&[
    col("id", Int),
    col("email_address", Text),
    col("name", Text),
    opt("linked_person_id", Int),
    opt("linked_person_name", Text),
    opt("mail_message_party_id", Int),
    opt("linked_organization_id", Int),
    opt("latest_sent", Bool),
    opt("message_time", Int),
]);
