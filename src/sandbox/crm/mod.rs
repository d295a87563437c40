//! The simulated CRM: isolated organizations, an export, an import, and a history.

mod import;
mod options;
mod router;
mod rows;
mod tenant;

pub use options::{CrmOptions, CrmTenant, UnknownFields};
pub(super) use router::{Caller, Crm, is_path};
