//! Shows the plan of a push and asks for confirmation before anything is written.

use super::report::Report;
use crate::cli::bundle::args::Push as Flags;
use crate::cli::progress::Progress;
use crate::cli::stderr;
use crate::cli::stdout;
use crate::cli::text::Text;
use crate::model::{Error, Kind, Result};
use std::io::{IsTerminal as _, stdin};
use tokio::sync::oneshot;

/// Returns whether a user can be asked.
fn is_attended() -> bool {
    stdin().is_terminal() && stderr::is_terminal()
}

/// Refuses a push that cannot be confirmed, before any request to the target.
pub(super) fn askable(flags: &Flags) -> Result<()> {
    if flags.yes || flags.dry_run || is_attended() {
        return Ok(());
    }
    let message = "a push asks before it writes, and here is no terminal to ask on: --yes writes without \
                   asking, --dry-run only shows the plan";
    Err(Error::new(Kind::Usage, message).at("bundle push"))
}

/// Shows the plan and asks for confirmation. The report records the answer.
pub(super) async fn confirm(
    flags: &Flags,
    report: &mut Report,
    progress: &mut Progress,
    stop: impl Future<Output = Error>,
) -> Result<()> {
    progress.done();
    let ask = !flags.yes && report.plan.work() > 0;
    let plan = report.plan_text();
    if !flags.standalone.json() {
        report.shown = true;
        match stdout::people(&plan) {
            // With `--yes` the push continues even if the plan cannot be printed to a closed pipe.
            Err(error) if flags.yes && error.kind() == Kind::Pipe => {}
            printed => printed?,
        }
    }
    if !ask {
        return Ok(());
    }
    // With JSON output or a redirected stdout the plan is also shown on stderr, next to the question.
    if flags.standalone.json() || !stdout::is_terminal() {
        stderr::people(&plan);
    }
    stderr::people(&Text::of(report.question()));
    let (tell, told) = oneshot::channel();
    // A separate thread reads the answer, so that the process can end without one.
    let listener = move || {
        let mut line = String::new();
        let read = stdin().read_line(&mut line);
        let _ = tell.send(read.is_ok() && is_yes(&line));
    };
    std::thread::Builder::new().name("answer".to_owned()).spawn(listener).map_err(|error| {
        Error::new(Kind::Storage, "no thread can be started to wait for an answer").because(error)
    })?;
    let yes = tokio::select! {
        biased;
        error = stop => return Err(error),
        said = told => said.unwrap_or(false),
    };
    report.declined = !yes;
    Ok(())
}

fn is_yes(line: &str) -> bool {
    ["y", "yes"].iter().any(|yes| line.trim().eq_ignore_ascii_case(yes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for yes in ["y\n", "Y", " yes \r\n", "YES"] {
            assert!(is_yes(yes), "{yes:?}");
        }
        for no in ["", "\n", "n", "no", "yep", "yes please", "j"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
