//! The portable CRM bundle: made of a Pipedrive account, checked, compared, pushed into a CRM and
//! pulled out of one.

mod context;
mod export;
mod index;
pub mod map;
mod portable;
mod reader;
mod writer;

pub use context::{
    ActivityType, CONTEXT_VERSION, Context, Counts, CustomField, Owner, Pipeline, Source, Stage,
    Stamp, Unmapped, beside,
};
pub use export::Export;
pub use index::{Index, number};
pub use portable::{
    Array, BUNDLE_VERSION, Field, Head, PUBLIC_ID_MAX, ROW_BYTES_MAX, STAMPS, Shape, public_id_of,
    value_of,
};
pub use reader::{Reader, Row, Span, Survey};
pub use writer::{Writer, Written, partial, settle};
