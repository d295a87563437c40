//! Counts, by field, the values of a bundle that a target does not accept.

use crate::bundle::format::Entity;
use std::collections::BTreeMap;

/// The reason of a loss and the number of affected rows, by array and field.
pub type Losses = BTreeMap<(Entity, String), (String, u64)>;

/// Most fields whose losses are named; the others are counted together.
const FIELDS_MAX: usize = 1_000;
/// The name that replaces fields above the limit.
const OTHERS: &str = "(other fields)";
/// The maximum length of a reported field name, in bytes.
const FIELD_BYTES_MAX: usize = 200;

/// Counts one row that loses this field.
pub(in crate::bundle) fn count(losses: &mut Losses, entity: Entity, field: &str, why: &str) {
    let field = &field[..field.floor_char_boundary(FIELD_BYTES_MAX)];
    let own = (entity, field.to_owned());
    let room = losses.len() < FIELDS_MAX || losses.contains_key(&own);
    let key = if room { own } else { (entity, OTHERS.to_owned()) };
    losses.entry(key).or_insert_with(|| (why.to_owned(), 0)).1 += 1;
}
