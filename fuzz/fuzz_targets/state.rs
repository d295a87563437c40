//! A saved state: of Airbyte, of Singer, or of a warehouse's manifest.
//!
//! What is taken is written again, and taken as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use source_pipedrive::model::{Resource, StreamState};
use source_pipedrive::protocol::SavedState;

fuzz_target!(|input: &[u8]| {
    let Ok(json) = serde_json::from_slice(input) else {
        return;
    };
    let Ok(saved) = SavedState::from_json(&json) else {
        return;
    };
    for resource in Resource::all() {
        let Ok(Some(state)) = saved.of(resource) else {
            continue;
        };
        let (_, _, _) = (state.settled(), state.since(), state.remembered());
        for written in [state.to_json(), state.to_sealed_json()] {
            let again = StreamState::from_json(resource, &written);
            let again = again.expect("what we write we read").expect("it is a state");
            assert_eq!(again.to_json(), state.to_json());
        }
    }
});
