//! The other CRM in the box: organizations that see nothing of each other, an export, an import, a
//! history.

mod import;
mod options;
mod router;
mod rows;
mod tenant;

pub use options::{CrmOptions, CrmTenant, UnknownFields};
pub(super) use router::{Caller, Crm, is_path};
