//! The other CRM in the box: organizations that see nothing of each other, an export, an import, a
//! history.

mod import;
mod office;
mod options;
mod rows;
mod tenant;

pub(super) use office::{Caller, Crm, is_path};
pub use options::{CrmOptions, CrmTenant, UnknownFields};
