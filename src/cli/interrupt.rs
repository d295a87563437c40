//! Being told to stop.

use crate::model::{Error, Kind};

/// Resolves when somebody ends the run, with Ctrl-C or SIGTERM, to the error of such a run.
///
/// For `tokio::select!` in the standalone commands, which then commit what was taken. From the
/// first call on, the signals do nothing by themselves any more: whoever goes on after one must
/// come to an end soon. Where signals cannot be watched it never resolves.
pub(super) async fn interrupted() -> Error {
    signalled().await;
    Error::new(Kind::Interrupted, "interrupted")
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
