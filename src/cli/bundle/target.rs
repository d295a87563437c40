//! The CRM that a command talks to: its address and its key.

use crate::api::Crm;
use crate::cli::environment::variable;
use crate::model::{Error, Kind, Result};
use secrecy::SecretString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// First pause before a request is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// The CRM at this address, or at the one in the environment. The key is never taken from a flag.
pub(super) fn crm(flag: &str, address: Option<&str>) -> Result<Crm> {
    let address = address.map(str::to_owned).or_else(|| variable("DRIPPULSE_BASE_URL"));
    let address = address.ok_or_else(|| {
        let message = "name the CRM's address here, or set DRIPPULSE_BASE_URL";
        Error::new(Kind::Usage, message).at(flag)
    })?;
    let key = variable("DRIPPULSE_API_KEY").ok_or_else(|| {
        let message = "set DRIPPULSE_API_KEY to a key (or JWT) of the organization";
        Error::new(Kind::Config, message).at("environment")
    })?;
    // Against a sandbox nobody has to be polite.
    let pause = variable("DRIPPULSE_BACKOFF_MILLIS").and_then(|millis| millis.parse().ok());
    Crm::new(&address, &SecretString::from(key), pause.map_or(PAUSE, Duration::from_millis))
}

/// A file beside a bundle that is gone when this is dropped.
pub(super) struct Scrap(PathBuf);

impl Scrap {
    /// A place for it: `FILE.<what>`.
    pub(super) fn beside(bundle: &Path, what: &str) -> Self {
        let mut name = bundle.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{what}"));
        Self(bundle.with_file_name(name))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        // It may never have been written.
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_file(crate::bundle::partial(&self.0));
    }
}
