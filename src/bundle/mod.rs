//! The portable CRM bundle: made of a Pipedrive account, checked, compared, pushed into a CRM and
//! pulled out of one.

mod context;
mod copied;
pub mod crm;
mod diff;
mod export;
mod fitting;
mod forms;
mod index;
mod listing;
mod losses;
pub mod map;
pub mod pipedrive;
mod portable;
pub mod push;
mod reader;
mod validate;
mod writer;

pub use context::{
    ActivityType, CONTEXT_VERSION, Context, Counts, CustomField, Owner, Pipeline, Source, Stage,
    Stamp, Unmapped, beside,
};
pub use copied::copied;
pub use diff::Diff;
pub use export::Export;
pub use forms::{Form, Forms, observed};
pub use index::{Index, number};
pub use listing::Listing;
pub use losses::Losses;
pub use portable::{
    Array, BUNDLE_VERSION, Field, Head, PUBLIC_ID_MAX, ROW_BYTES_MAX, STAMPS, Shape, public_id_of,
    value_of,
};
pub use reader::{Reader, Row, Span, Survey};
pub use validate::{FINDINGS_MAX, Finding, Rule, Validation, validate};
pub use writer::{Writer, Written};
