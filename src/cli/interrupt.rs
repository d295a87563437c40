//! Signal handling.
//!
//! Signals have a thread of their own, so a command ends on a signal whatever its workers are doing.

use crate::model::{Error, Kind};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;
use tokio::sync::watch;

/// The maximum time between the first signal and the end of the process. It allows work in progress to be
/// committed and a slow reader to receive it. It is shorter than the ten seconds that containers get. After
/// it the process ends immediately, which loses no committed data.
const ENDING: Duration = Duration::from_secs(8);

/// Resolves to the error of an interrupted run on Ctrl-C, SIGTERM or SIGHUP.
///
/// The standalone commands use it in `tokio::select!` and then commit the received data. From the first
/// call on, signals have no other effect, except that the process ends [`ENDING`] after the first one. If
/// signals cannot be watched, it never resolves.
pub(super) fn interrupted() -> impl Future<Output = Error> {
    static TOLD: OnceLock<watch::Receiver<bool>> = OnceLock::new();
    let mut told = TOLD.get_or_init(listen).clone();
    async move {
        if told.wait_for(|told| *told).await.is_err() {
            return std::future::pending().await;
        }
        Error::new(Kind::Interrupted, "interrupted")
    }
}

/// Starts the signal thread and waits until it listens.
fn listen() -> watch::Receiver<bool> {
    let (tell, told) = watch::channel(false);
    let (ready, begun) = mpsc::channel();
    let listener = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let Some(signalled) = signalled() else { return };
            // The receiver exists while this function waits.
            let _ = ready.send(());
            signalled.await;
            tell.send_replace(true);
            tokio::time::sleep(ENDING).await;
            #[expect(clippy::exit, reason = "the other threads may be at work that has no end")]
            std::process::exit(i32::from(Kind::Interrupted.exit_code()));
        });
    };
    // Without the thread nothing is notified, and signals end the process with their default action.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(listener);
    let _ = begun.recv();
    told
}

#[cfg(unix)]
fn signalled() -> Option<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return None;
    };
    let mut hangup = if hangups_ignored() { None } else { signal(SignalKind::hangup()).ok() };
    Some(async move {
        let hung_up = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hung_up => {}
        }
    })
}

/// Returns whether the program was started to outlive its terminal, as `nohup` does. If this is unknown, it
/// returns `true`, and a hangup keeps its default action: the process ends, and committed data stays.
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
fn signalled() -> Option<impl Future<Output = ()>> {
    Some(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}
