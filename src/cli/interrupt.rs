//! Being told to stop.

use crate::model::{Error, Kind};

/// Resolves when somebody ends the run, with Ctrl-C, SIGTERM or SIGHUP, to the error of such a run.
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
    let hangup = if hangups_ignored() { None } else { signal(SignalKind::hangup()).ok() };
    let hung_up = async {
        match hangup {
            Some(mut hangup) => hangup.recv().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hung_up => {}
    }
}

/// Whether the program was started to outlive its terminal, as `nohup` does. Where that cannot be
/// told, hangups keep their usual meaning: the process ends, and what was committed stands.
#[cfg(unix)]
fn hangups_ignored() -> bool {
    static IGNORED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|m| m & 1 == 1)
    })
}

#[cfg(not(unix))]
async fn signalled() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
