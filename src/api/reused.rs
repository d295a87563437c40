//! Responses that several readers of a run need: each is requested once.

use bytes::Bytes;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

/// Most bytes of answers that are kept for others who may ask alike.
const REUSED_BYTES_MAX: usize = 8 << 20;

/// Bodies by what was asked for.
#[derive(Debug, Default)]
pub(super) struct Reused {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    slots: HashMap<String, Arc<Turns<Option<Bytes>>>>,
    bytes: usize,
}

/// The right to ask for something, while others who want the same wait for the answer.
pub(super) struct Turn(OwnedMutexGuard<Option<Bytes>>);

impl Reused {
    /// Waits until no other task sends this request. The turn contains the response, if there is one.
    pub(super) async fn turn(&self, key: String) -> Turn {
        let slot = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kept.slots.entry(key).or_default())
        };
        Turn(slot.lock_owned().await)
    }

    /// Forgets all answers: something was written, and they may be out of date.
    pub(super) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Kept::default();
    }

    /// Keeps an answer for those who wait, and ends the turn.
    pub(super) fn keep(&self, mut turn: Turn, body: Bytes) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.bytes + body.len() <= REUSED_BYTES_MAX {
            kept.bytes += body.len();
            *turn.0 = Some(body);
        }
    }
}

impl Turn {
    /// Returns the response that another task received.
    pub(super) fn answer(&self) -> Option<Bytes> {
        self.0.clone()
    }
}

/// The turn of a request, from its first attempt to its last. A copy of the request has none.
#[derive(Default)]
pub(super) struct Held(pub(super) Option<Turn>);

impl Clone for Held {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "none" })
    }
}
