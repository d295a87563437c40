//! The vocabulary: resources, records, pages, states. The module is pure: no clock and no network.

mod carried;
mod configuration;
mod conform;
mod convert;
mod definition;
mod definitions;
mod deletion;
mod doubt;
mod error;
mod event;
mod host;
mod json;
mod keys;
mod members;
mod names;
mod near;
mod normalize;
mod number;
mod object;
mod order;
mod outside;
mod page;
mod page_parser;
mod percent;
mod pins;
mod plain;
mod progress;
mod record;
mod redact;
mod reference;
mod resource;
mod resources;
mod same;
mod schema;
mod schema_deviation;
mod settings;
mod shape;
mod sorting;
mod state;
mod time;
pub(crate) mod work;

pub use carried::{CARRIED_BYTES_MAX, Carried};
pub use configuration::{
    AUTH_METHODS, AuthMethod, KEYS, Key as ConfigKey, ValueType, Visibility, unread_keys,
};
pub use conform::{Conformer, JSON_AS_TEXT, TypeMismatches};
pub(crate) use convert::{To, converted, is_true};
pub use definition::{Definition, FieldOption};
pub use definitions::Definitions;
pub use deletion::DeletionReason;
pub use doubt::{Asked, Doubt};
pub use error::{Error, Kind, Result};
pub use event::{Batch, Cost, Event};
pub use host::{address, address_is_neighbour, address_is_this_machine, is_this_machine};
pub(crate) use json::Json;
pub(crate) use keys::{Key, Keys};
pub(crate) use names::LABELS_BYTES_MAX;
pub use names::Names;
pub use near::{folded, mistyped, near};
pub use normalize::{Change, Normalizer, beside};
pub(crate) use object::{items, pairs, quoted};
pub use order::{InOrder, custom_fields_of};
pub use outside::{
    Proxy, Variables, certificates, is_loopback, is_token, safe_origin, variable, web_address,
};
pub(crate) use page::is_custom;
pub use page::{Layout, Next, Page};
pub use percent::percent_encoded;
pub use pins::{declared, joined, names_of, repinned, undeclared, with_names};
pub use plain::{is_deceptive, plain_json, plain_lines, printable};
pub use progress::{DELIVERED_MAX, Delivery, Progress, Walk};
pub(crate) use record::usable;
pub use record::{Digest, NestedRows, Record, key_of};
pub use redact::{Mask, masked};
pub use reference::reference;
pub use resource::{
    BATCH_PARENTS_MAX, Changes, Column, Custom, Listing, Paging, Parent, PerParent, Resource,
    StatusPartition, Type,
};
pub use same::json_eq;
pub(crate) use same::{Lookup, Members, list, members, text};
pub use schema::json_schema;
pub use schema_deviation::{SURPRISES_MAX, SchemaDeviation};
pub use settings::{Credentials, CustomFields, Settings};
pub use sorting::Sorting;
pub use state::{STATE_VERSION, StreamState};
pub use time::Time;
