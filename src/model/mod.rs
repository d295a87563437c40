//! The vocabulary: what a resource, a record, a page, a state is. Pure: no clock, no network.

mod carried;
mod configuration;
mod convert;
mod definition;
mod definitions;
mod doubt;
mod error;
mod event;
mod fit;
mod gone;
mod host;
mod json;
mod keys;
mod mask;
mod members;
mod names;
mod near;
mod number;
mod object;
mod order;
mod outside;
mod page;
mod percent;
mod pins;
mod plain;
mod progress;
mod record;
mod reference;
mod resource;
mod resources;
mod same;
mod scan;
mod schema;
mod settings;
mod shape;
mod sorting;
mod state;
mod surprise;
mod tidy;
mod time;
pub(crate) mod work;

pub use carried::{CARRIED_BYTES_MAX, Carried};
pub use configuration::{KEYS, Key as ConfigKey, Place, Takes, WAYS, Way, unread_keys};
pub(crate) use convert::{To, converted, is_true};
pub use definition::{Definition, FieldOption};
pub use definitions::Definitions;
pub use doubt::{Asked, Doubt};
pub use error::{Error, Kind, Result};
pub use event::{Batch, Cost, Event};
pub use fit::{Fit, JSON_AS_TEXT, Misfits};
pub use gone::Reason;
pub use host::{address, address_is_neighbour, address_is_this_machine, is_this_machine};
pub(crate) use json::Json;
pub(crate) use keys::{Key, Keys};
pub use mask::{Mask, masked};
pub(crate) use names::LABELS_BYTES_MAX;
pub use names::Names;
pub use near::{folded, mistyped, near};
pub(crate) use object::{items, pairs, quoted};
pub use order::{InOrder, custom_fields_of};
pub use outside::{
    Proxy, Variables, certificates, is_loopback, is_token, safe_origin, variable, web_address,
};
pub(crate) use page::is_custom;
pub use page::{Layout, Next, Page};
pub use percent::percent_encoded;
pub use pins::{declared, joined, names_of, repinned, undeclared, with_names};
pub use plain::{is_deceptive, plain, plain_json, plain_lines};
pub use progress::{DELIVERED_MAX, Delivery, Progress, Walk};
pub(crate) use record::usable;
pub use record::{Digest, Inside, Record, key_of};
pub use reference::reference;
pub use resource::{
    BATCH_PARENTS_MAX, ByParent, Changes, Column, Custom, Listing, Paging, Parent, Resource, Split,
    Type,
};
pub use same::same;
pub(crate) use same::{Lookup, Members, list, members, text};
pub use schema::json_schema;
pub use settings::{Credentials, CustomFields, Settings};
pub use sorting::Sorting;
pub use state::{STATE_VERSION, StreamState};
pub use surprise::{SURPRISES_MAX, Surprise};
pub use tidy::{Change, Tidy, beside};
pub use time::Time;
