//! The behaviour of the CRM where its documentation does not define it.

/// An organization of the CRM.
#[derive(Debug, Clone)]
pub struct CrmTenant {
    /// The API key of the organization.
    pub key: String,
    /// The id of the organization, a UUID.
    pub organization_id: String,
    /// The pipelines besides the default one: name, and stages with their types.
    pub pipelines: Vec<(String, Vec<(String, String)>)>,
}

/// The handling of undocumented fields in an import (drippulse.md 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are stored.
    Keep,
    /// They are left out.
    Drop,
    /// The row is refused.
    Refuse,
}

/// The behaviour of the CRM. `CrmOptions::default()` is the most permissive reading of its documentation.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent habit of the API")]
pub struct CrmOptions {
    /// The organizations.
    pub tenants: Vec<CrmTenant>,
    /// Whether a request with an invalid row is refused as a whole (422).
    pub atomic: bool,
    /// Whether exported rows contain their internal id.
    pub ids: bool,
    /// The fields that cause a row to be refused: `custom`, `contacts.custom`.
    pub refuse_fields: Vec<String>,
    /// The handling of fields that are neither documented nor likely.
    pub unknown_fields: UnknownFields,
    /// Whether `created_at` and `updated_at` are stored as they are sent.
    pub keep_stamps: bool,
    /// The kinds of rows that activities may belong to.
    pub activity_parents: Vec<String>,
    /// Whether activities may exist without a parent.
    pub parentless: bool,
    /// Whether the export contains soft-deleted rows.
    pub export_deleted: bool,
    /// Whether change events contain their time.
    pub event_times: bool,
    /// Whether the response to an import reports the result of each row.
    pub report: bool,
    /// The maximum size of a request body, in bytes.
    pub body_bytes_max: usize,
    /// The maximum number of rows of a request.
    pub rows_max: usize,
}

impl Default for CrmOptions {
    fn default() -> Self {
        let tenant = |key: &str, id: &str| CrmTenant {
            key: key.to_owned(),
            organization_id: id.to_owned(),
            pipelines: Vec::new(),
        };
        let parents = ["account", "contact", "opportunity", "lead"];
        Self {
            tenants: vec![
                tenant("adcrm_test_first", "0f1c5a52-6a0e-4c2e-9d5a-000000000001"),
                tenant("adcrm_test_second", "0f1c5a52-6a0e-4c2e-9d5a-000000000002"),
            ],
            atomic: false,
            ids: true,
            refuse_fields: Vec::new(),
            unknown_fields: UnknownFields::Keep,
            keep_stamps: true,
            activity_parents: parents.map(str::to_owned).to_vec(),
            parentless: true,
            export_deleted: true,
            event_times: true,
            report: true,
            body_bytes_max: 64 << 20,
            rows_max: 5_000,
        }
    }
}
