//! How much progress is shown.

use crate::cli::args::CommonOptions;
use crate::cli::stderr;

/// The amount of progress output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum ProgressMode {
    /// No output except required actions.
    Quiet,
    /// One line for each finished resource and each warning.
    Lines,
    /// The lines of [`Self::Lines`], and lines for resources that begin or wait.
    Verbose,
    /// A live line for each resource that is being read, and lines for everything else.
    Live,
    /// Log lines with levels, as orchestrators of Singer taps read them.
    Log,
    /// Log lines for warnings and errors only.
    Warnings,
}

impl ProgressMode {
    /// Selects the mode by the flags and the terminal.
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
