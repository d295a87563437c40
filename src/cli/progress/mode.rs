//! How much progress is shown.

use crate::cli::args::CommonOptions;
use crate::cli::stderr;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum ProgressMode {
    /// Nothing.
    Quiet,
    /// A line for each resource that came to its end, and for each warning.
    Lines,
    /// Also what begins and what waits.
    Verbose,
    /// A live line for each resource that is being read; the rest as lines.
    Live,
    /// As lines of a log, each with its level: what orchestrators of Singer taps read.
    Log,
    /// Of those only warnings and errors.
    Warnings,
}

impl ProgressMode {
    /// As the flags and the terminal have it.
    pub(in crate::cli) fn of(flags: &CommonOptions) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        match flags {
            CommonOptions { quiet: true, .. } => Self::Quiet,
            _ if flags.verbose > 0 => Self::Verbose,
            _ if stderr::is_terminal() && !dumb => Self::Live,
            _ => Self::Lines,
        }
    }
}
