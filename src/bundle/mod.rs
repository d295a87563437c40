//! The portable CRM bundle: exports one from a Pipedrive account, validates it, compares two, pushes it
//! into a CRM, and pulls it from one.

mod copied;
pub mod crm;
mod diff;
mod export;
mod fitting;
mod format;
mod forms;
mod index;
mod listing;
mod losses;
pub mod map;
pub mod pipedrive;
pub mod push;
mod reader;
mod sidecar;
mod validate;
mod writer;

pub use copied::copied;
pub use diff::Diff;
pub use export::Export;
pub use format::{
    BUNDLE_VERSION, Entity, Field, Head, PUBLIC_ID_MAX, ROW_BYTES_MAX, STAMPS, Shape, public_id_of,
    value_of,
};
pub use forms::{Form, Forms, observed};
pub use index::{Index, number};
pub use listing::Listing;
pub use losses::Losses;
pub use reader::{Reader, Row, Span, Survey};
pub use sidecar::{
    ActivityType, CONTEXT_VERSION, Counts, CustomField, Owner, Pipeline, Sidecar, Source, Stage,
    Stamp, Unmapped, beside,
};
pub use validate::{FINDINGS_MAX, Finding, Rule, Validation, validate};
pub use writer::{Writer, Written};
