//! The CRM of a command: its address and its API key.

use crate::api::{ADDRESS, Crm};
use crate::cli::args::CommonOptions;
use crate::cli::environment::variable;
use crate::model::{Error, Kind, Result};
use crate::sandbox::{Options, Sandbox};
use secrecy::SecretString;
use std::time::Duration;

/// The first pause before a request is retried.
const PAUSE: Duration = Duration::from_millis(500);

/// The environment variable that overrides the first pause.
const BACKOFF: &str = "DRIPPULSE_BACKOFF_MILLIS";

/// A CRM that a command uses.
pub(super) struct Target {
    pub(super) crm: Crm,
    /// The embedded sandbox. It runs until this value is dropped.
    _sandbox: Option<Sandbox>,
}

/// Returns the CRM at this address, at the address in the environment, or the embedded one. The key is
/// never taken from a flag.
pub(super) fn target(flag: &str, address: Option<&str>, flags: &CommonOptions) -> Result<Target> {
    if flags.sandbox {
        let sandbox = Sandbox::start(Options { scale: 0.0, ..Options::default() })
            .map_err(|e| Error::new(Kind::Storage, "cannot open a loopback port").because(e))?;
        let key = SecretString::from(sandbox.crm_key(0));
        let crm = Crm::new(&sandbox.origin(), &key, PAUSE)?;
        return Ok(Target { crm, _sandbox: Some(sandbox) });
    }
    let (place, address) = match address {
        Some(address) => (flag, Some(address.to_owned())),
        None => ("DRIPPULSE_BASE_URL", variable("DRIPPULSE_BASE_URL")?),
    };
    let address = address.ok_or_else(|| {
        let message = "name the CRM's address here, or set DRIPPULSE_BASE_URL";
        Error::new(Kind::Usage, message).at(flag)
    })?;
    let key = variable("DRIPPULSE_API_KEY")?.ok_or_else(|| {
        let message = "set DRIPPULSE_API_KEY to a key (or JWT) of the organization";
        Error::new(Kind::Config, message).at("environment")
    })?;
    // The pause can be shortened, for example for tests.
    let pause = match variable(BACKOFF)? {
        Some(text) => text.parse().map(Duration::from_millis).map_err(|_| {
            Error::new(Kind::Config, "must be a number of milliseconds").at(BACKOFF)
        })?,
        None => PAUSE,
    };
    let crm = Crm::new(&address, &SecretString::from(key), pause);
    let crm = crm.map_err(|error| match error.place() {
        Some(ADDRESS) => error.at(place),
        _ => error,
    })?;
    Ok(Target { crm, _sandbox: None })
}
