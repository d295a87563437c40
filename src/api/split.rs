//! Splits response bodies into pages without blocking other tasks.

use crate::model::{Error, Kind, Layout, Page, Result};
use bytes::Bytes;

/// The largest body that is split on the task's own thread, in bytes: a few milliseconds of work. A
/// larger one is split on a blocking thread, so that the one worker continues with the other streams.
const INLINE_BYTES_MAX: usize = 1 << 20;

/// Splits a body, see [`Page::split`].
pub(super) async fn split(body: &Bytes, layout: &Layout) -> Result<Page> {
    if body.len() <= INLINE_BYTES_MAX {
        return Page::split(body, layout);
    }
    let (body, layout) = (body.clone(), layout.clone());
    let page = tokio::task::spawn_blocking(move || Page::split(&body, &layout)).await;
    page.unwrap_or_else(|error| {
        Err(Error::new(Kind::Bug, "splitting a page broke down, please report it").because(error))
    })
}
