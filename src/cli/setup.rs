//! The context of a command: the source of its configuration, and where a replaced token is stored.

use super::args::{CommonOptions, Simulated, Source};
use super::environment::Origins;
use super::{environment, files, sandbox};
use crate::api::{Client, Reread};
use crate::model::{Credentials, Error, Kind, Result, Settings, Time, unread_keys};
use crate::sandbox::{Options, Sandbox};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

/// The percentage of the company's daily tokens that a standalone command leaves unused, unless it is
/// configured.
const RESERVE_PERCENT_USUAL: u32 = 10;

/// A configuration that is not yet validated.
pub(super) struct ConfigSource {
    config: Value,
    keeper: TokenStore,
    sandbox: Option<Sandbox>,
    /// The keys that come from the environment.
    origins: Origins,
}

/// The place that stores the refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TokenStore {
    /// The configuration file.
    File(PathBuf),
    /// The environment, which the program cannot change.
    Environment,
    /// The embedded sandbox.
    Sandbox,
}

/// The context of a command: the configuration, and the embedded sandbox if it is used.
pub(super) struct CommandContext {
    pub(super) config: Value,
    pub(super) settings: Settings,
    /// A sentence about configuration keys that are not used.
    pub(super) unread: Option<String>,
    keeper: TokenStore,
    /// The embedded sandbox. It runs until this value is dropped.
    _sandbox: Option<Sandbox>,
}

impl ConfigSource {
    /// Returns the configuration of an Airbyte command: a file or the embedded sandbox.
    pub(super) fn by(source: &Source) -> Result<Self> {
        match &source.config {
            Some(path) => Ok(Self::file(path)?),
            None => Self::sandbox(&source.simulated),
        }
    }

    /// Returns the configuration of `check` on a platform: a file without the environment, or the
    /// configuration of a standalone command.
    pub(super) fn of_platform(standalone: &CommonOptions) -> Result<Self> {
        standalone.config.as_deref().map_or_else(|| Self::alone(standalone), Self::file)
    }

    /// Returns whether there is a configuration in a file, in the environment, or in the sandbox.
    pub(super) fn is_there(standalone: &CommonOptions) -> Result<bool> {
        let names = ["PIPEDRIVE_API_TOKEN", "PIPEDRIVE_REFRESH_TOKEN"];
        let mut found = standalone.sandbox || standalone.config.is_some();
        for name in names {
            found |= environment::variable(name)?.is_some();
        }
        Ok(found)
    }

    /// Returns the configuration of a standalone command: a file with the environment merged into it, or
    /// the environment alone. With `--sandbox` both are ignored.
    pub(super) fn alone(standalone: &CommonOptions) -> Result<Self> {
        if standalone.sandbox {
            return Self::sandbox(&standalone.simulated);
        }
        let file = standalone.config.as_deref().map(Self::file).transpose()?;
        let alone = file.is_none();
        let file = file.unwrap_or_else(|| Self::layered(json!({}), None, Origins::default()));
        let (config, origins) = environment::overlay(file.config, environment::variable)?;
        if alone && config.get("credentials").is_none() {
            let message = "there is no configuration: name a file with --config, or set \
                 PIPEDRIVE_API_TOKEN (or PIPEDRIVE_CLIENT_ID, PIPEDRIVE_CLIENT_SECRET and \
                 PIPEDRIVE_REFRESH_TOKEN) and PIPEDRIVE_COMPANY_DOMAIN; --sandbox needs neither";
            let hint = environment::pdcli_hint(|name| std::env::var_os(name).is_some());
            let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            return Err(Error::new(Kind::Config, format!("{message}{hint}")));
        }
        let own = environment::variable("PIPEDRIVE_REFRESH_TOKEN")?.is_some();
        let keeper = if own { TokenStore::Environment } else { file.keeper };
        Ok(Self { config, keeper, sandbox: None, origins })
    }

    fn file(path: &Path) -> Result<Self> {
        let config = files::json("config", path)?;
        Ok(Self::layered(config, Some(path.to_owned()), Origins::default()))
    }

    /// Returns a configuration merged from several layers, with the file that stores the refresh token.
    pub(super) fn layered(config: Value, keeper: Option<PathBuf>, origins: Origins) -> Self {
        let keeper = keeper.map_or(TokenStore::Environment, TokenStore::File);
        Self { config, keeper, sandbox: None, origins }
    }

    /// Starts the embedded sandbox and returns its configuration.
    pub(super) fn sandbox(of: &Simulated) -> Result<Self> {
        let options = sandbox::simulated(of.plan, of.everything, &of.lacks);
        let sandbox = Sandbox::start(Options { scale: 1.0, ..options })
            .map_err(|e| Error::new(Kind::Storage, "cannot open a loopback port").because(e))?;
        let (config, origins) = (sandbox.config(), Origins::default());
        Ok(Self { config, keeper: TokenStore::Sandbox, sandbox: Some(sandbox), origins })
    }
}

impl CommandContext {
    /// Validates the configuration.
    pub(super) fn of(given: ConfigSource) -> Result<Self> {
        let ConfigSource { config, keeper, sandbox, origins } = given;
        let unread = unread_keys(&config);
        let settings = Settings::from_json(&config).map_err(|error| {
            let error = origins.named(error);
            // A misspelled key is often the reason why the correct one is missing.
            match &unread {
                Some(sentence) => error.with_note(sentence),
                None => error,
            }
        })?;
        Ok(Self { config, settings, unread, keeper, _sandbox: sandbox })
    }

    /// Returns the context of a standalone command.
    pub(super) fn standalone(standalone: &CommonOptions) -> Result<Self> {
        let mut setup = Self::of(ConfigSource::alone(standalone)?)?;
        if setup.config.get("reserve_percent").is_none_or(Value::is_null) {
            setup.settings.reserve_percent = RESERVE_PERCENT_USUAL;
        }
        Ok(setup)
    }

    /// Describes the source of the configuration and its type of credentials.
    pub(super) fn described(&self) -> String {
        let from = match &self.keeper {
            TokenStore::File(path) => path.display().to_string(),
            TokenStore::Environment => "from the environment".to_owned(),
            TokenStore::Sandbox => "the simulated account's".to_owned(),
        };
        let way = match &self.settings.credentials {
            Credentials::Token(_) => "an API token",
            Credentials::OAuth { .. } => "an OAuth grant",
        };
        format!("{from}: {way} for {}", self.settings.origin)
    }

    /// Returns the warning of a standalone command about configuration keys that are not used.
    pub(super) fn unread_warning(&self) -> Option<String> {
        let sentence = self.unread.as_ref()?;
        Some(format!("{sentence}: ignored (`source-pipedrive spec` prints the keys there are)"))
    }

    /// Returns the warnings about the configuration of a standalone command, one sentence each: keys that
    /// are not used, and a file with credentials that others can read.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.unread_warning().into_iter().chain(self.exposed()).collect()
    }

    /// Returns a warning if other users of the machine can read the file with the credentials.
    fn exposed(&self) -> Option<String> {
        let TokenStore::File(path) = &self.keeper else { return None };
        let config = files::json("config", path).ok()?;
        let secret = grant(&config).is_some() || config["api_token"].is_string();
        (secret && files::is_open_to_others(path)).then(|| {
            let path = path.display();
            format!(
                "{path} holds credentials, and others on this machine can read it: chmod 600 {path}"
            )
        })
    }

    /// Returns a client, and a channel that receives replaced refresh tokens.
    pub(super) fn client(&self) -> Result<(Arc<Client>, UnboundedReceiver<SecretString>)> {
        let (mut client, rotations) = Client::new(&self.settings)?;
        if let TokenStore::File(path) = &self.keeper {
            let path = path.clone();
            client = client.rereading(Reread::new(move || kept(&path)));
        }
        Ok((Arc::new(client), rotations))
    }

    /// Returns the configuration with a new refresh token.
    pub(super) fn rotated(&mut self, token: &SecretString) -> &Value {
        replace(&mut self.config, token);
        &self.config
    }

    /// Stores a replaced refresh token in the file that contained the old one. If this is not possible,
    /// returns a sentence with the required action.
    pub(super) fn save(&mut self, token: &SecretString) -> Option<String> {
        self.rotated(token);
        let lost = "Pipedrive replaced the refresh token";
        match &self.keeper {
            TokenStore::Sandbox => None,
            TokenStore::Environment => Some(format!(
                "{lost} that stood in the environment (PIPEDRIVE_REFRESH_TOKEN, or \
                 TAP_PIPEDRIVE_CREDENTIALS): this run goes on with the new one, but the one \
                 in the environment no longer works. Authorize the app again, and put its \
                 credentials into a file for --config: there, replaced tokens are kept"
            )),
            TokenStore::File(path) => {
                let error = rewrite(path, token).err()?;
                Some(format!(
                    "{lost}, and the new one cannot be kept ({error}): this run continues with it, \
                     but the one in the file no longer works. Make {} writable, authorize the app \
                     again, and put the new refresh token into it",
                    path.display()
                ))
            }
        }
    }
}

/// Returns the current refresh token of a configuration file. Another process may have replaced it.
fn kept(path: &Path) -> Option<SecretString> {
    let config = files::json("config", path).ok()?;
    let token = config[grant(&config)?]["refresh_token"].as_str()?.trim();
    (!token.is_empty()).then(|| token.to_owned().into())
}

/// Returns the key that contains the credentials of a configuration, if they are nested.
fn grant(config: &Value) -> Option<&'static str> {
    ["credentials", "authorization"].into_iter().find(|key| config[key].is_object())
}

/// Replaces the refresh token in a configuration.
fn replace(config: &mut Value, token: &SecretString) {
    if let Some(nested) = grant(config) {
        config[nested]["refresh_token"] = token.expose_secret().into();
    }
}

/// Replaces the refresh token in a configuration file. The other current contents and the permissions are
/// kept.
fn rewrite(path: &Path, token: &SecretString) -> Result<()> {
    let mut config = files::json("config", path)?;
    replace(&mut config, token);
    files::replace(path, format!("{config:#}\n").as_bytes())
}

/// Creates the runtime of a command. One worker reads and parses while the main thread writes. A second
/// worker would cost context switches and memory, and the network is slower than either thread.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Bug, "cannot start the runtime").because(error))
}

/// Pipedrive's clock, extrapolated from a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerClock {
    date: Time,
    began: Instant,
}

impl ServerClock {
    /// Creates a clock from the current time of Pipedrive.
    pub(super) fn at(date: Time) -> Self {
        Self { date, began: Instant::now() }
    }

    /// Returns the current time of Pipedrive, rounded up.
    pub(super) fn now(&self) -> Time {
        let passed = i64::try_from(self.began.elapsed().as_secs()).unwrap_or(0);
        self.date.plus_seconds(passed + 1)
    }
}

/// Returns the local wall-clock time. It is used for timestamps on messages and never decides what is read.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}
