//! Generates the page about states.

use super::begin;
use crate::model::{DELIVERED_MAX, Error, Kind, Resource, Result, STATE_VERSION, StreamState};
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn page() -> Result<String> {
    let one = json!({
        "version": STATE_VERSION,
        "update_time": "2026-03-04T09:11:02Z",
        "since": "2026-03-04T09:10:02Z",
        "delivered": {"42": "9f3a6c0d12b45e78"},
        "records": 18_402,
    });
    let two = json!({
        "version": STATE_VERSION,
        "update_time": "2026-03-04T09:11:02Z",
        "listings": {
            "live": {"since": "2026-03-04T09:10:02Z", "update_time": "2026-03-04T09:11:02Z"},
            "archived": {"since": "2026-03-01T00:00:00Z", "update_time": "2026-03-01T00:01:00Z"},
        },
        "records": 5_120,
    });
    let walking = json!({
        "version": STATE_VERSION,
        "walk": {"since": "2026-03-04T09:11:02Z", "cursor": "eyJpZCI6NTAwfQ"},
        "records": 500,
    });
    let mut page = begin("State");
    let _ = write!(
        page,
        "How far a stream was read is one JSON object, the same in an Airbyte STATE, a Singer STATE and a \
         manifest. It is of version {STATE_VERSION}; older versions are read, a newer one is refused.\n\n"
    );
    for (text, name, example) in [
        ("A stream that was read to its end:", "persons", one),
        ("One over two lists:", "deals", two),
        ("One whose first read is under way:", "persons", walking),
    ] {
        let _ = write!(page, "{text}\n\n```json\n{:#}\n```\n\n", read(name, &example)?);
    }
    let _ = write!(
        page,
        "- `since` is a promise: every row that changed before it was delivered. A read asks from there on, \
         inclusively. The beginning of time stands for a list that had no rows: the next read walks it once \
         more. A `since` that lies after Pipedrive's clock, and after `update_time`, is drawn back with a \
         warning.\n\
         - `delivered` holds keys and digests of rows at or after `since` that went out already; a row is \
         left out exactly when both are known. At most {DELIVERED_MAX} keys are kept. `ahead` holds the times of \
         those that are later than `update_time`.\n\
         - `update_time` is the newest time delivered before the run's bound. No row is left out because of it. \
         It is used in three ways: a `since` after Pipedrive's clock is drawn back to it, `ahead` is relative to \
         it, and where `until` is missing, a list without `update_time` counts as one of which nothing was read \
         yet: `plan` estimates a first run, and nothing is said of deleted rows that were purged since.\n\
         - `walk` is where a full walk is, and what `since` becomes at its end, when what changed meanwhile is \
         read; `full_refresh` and `__ab_full_refresh_sync_complete` mark states of \
         full refreshes.\n\
         - `refused` names parameters that Pipedrive refused for a list; they are left out until the next full \
         refresh.\n\
         - `until` is up to when the last run that came to its end has read, by Pipedrive's clock; for a list without times, when that run began.\n\
         - `records` counts rows, so that no two states are equal.\n\
         - `seal`, in Singer states, is a digest of the rest. Meltano merges the state of a `--full-refresh` \
         into the old one, key by key; a state whose seal is broken is trusted only as far as it is certain: \
         from `since` on, or, where a walk was under way, not at all. Rows come again then, none is lost.\n\n\
         A state of another connector that has just an `update_time`, or a `replication_key_value`, is taken \
         as a watermark.\n\n\
         ## Carrying it\n\n\
         `read --state`, `tap-pipedrive --state`, `plan --state` and `sync warehouse --state` take a state in \
         any of its forms, so a stream can go on in another tongue without loss or repeat:\n\n\
         | where | form |\n| --- | --- |\n\
         | Airbyte | a list of STATE messages, or of their `state` |\n\
         | Singer | `{{\"bookmarks\": {{\"deals\": {{...}}}}}}`, or a whole STATE message |\n\
         | warehouse | its `manifest.json` (`streams`) |\n"
    );
    Ok(page)
}

/// Returns the example after a round trip through the state parser.
fn read(name: &str, example: &Value) -> Result<Value> {
    let bug = || Error::new(Kind::Bug, "an example of the docs is no state");
    let resource = Resource::named(name).ok_or_else(bug)?;
    Ok(StreamState::from_json(resource, example)?.ok_or_else(bug)?.to_json())
}
