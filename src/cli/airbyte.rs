//! `spec`, `check`, `discover`, and what they share with `read`.

use super::args::Source;
use super::files;
use crate::api::{Account, Client, definitions};
use crate::model::{Definition, Error, Kind, Resource, Result, Settings, Time};
use crate::protocol::airbyte::{self, Level, Writer};
use crate::sandbox::{Options, Sandbox};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;

/// What a command works with: the configuration, and the embedded account if that is used.
pub(super) struct Setup {
    pub(super) config: Value,
    pub(super) settings: Settings,
    /// Held so that it is served until the command ends.
    _sandbox: Option<Sandbox>,
}

impl Setup {
    pub(super) fn load(source: &Source) -> Result<Self> {
        let (config, sandbox) = Self::config(source)?;
        Ok(Self { settings: Settings::from_json(&config)?, config, _sandbox: sandbox })
    }

    fn config(source: &Source) -> Result<(Value, Option<Sandbox>)> {
        if let Some(path) = &source.config {
            return Ok((files::json("config", path)?, None));
        }
        let sandbox =
            Sandbox::start(Options { scale: 1.0, limits: false, ..Options::default() })
                .map_err(|e| Error::new(Kind::Storage, "cannot open a loopback port").because(e))?;
        Ok((sandbox.config(), Some(sandbox)))
    }

    pub(super) fn writer(&self) -> Writer<Stdout> {
        Writer::new(std::io::stdout(), &self.settings.secrets())
    }

    /// A client, and the channel of refresh tokens that Pipedrive replaced.
    pub(super) fn client(&self) -> Result<(Arc<Client>, UnboundedReceiver<SecretString>)> {
        let (client, rotations) = Client::new(&self.settings)?;
        Ok((Arc::new(client), rotations))
    }

    /// The configuration with a new refresh token.
    fn rotated(&mut self, token: &SecretString) -> &Value {
        let nested =
            ["credentials", "authorization"].into_iter().find(|key| self.config[key].is_object());
        if let Some(nested) = nested {
            self.config[nested]["refresh_token"] = token.expose_secret().into();
        }
        &self.config
    }

    /// Hands on every refresh token that was replaced so far.
    pub(super) fn keep(
        &mut self,
        rotations: &mut UnboundedReceiver<SecretString>,
        writer: &mut Writer<Stdout>,
    ) -> Result<()> {
        while let Ok(token) = rotations.try_recv() {
            self.hand_on(&token, writer)?;
        }
        Ok(())
    }

    /// Hands on a refresh token that Pipedrive replaced, and keeps it out of all other messages.
    pub(super) fn hand_on(
        &mut self,
        token: &SecretString,
        writer: &mut Writer<Stdout>,
    ) -> Result<()> {
        writer.mask(token.expose_secret());
        writer.config(self.rotated(token), now())
    }
}

pub(super) fn spec() -> Result<ExitCode> {
    Writer::new(std::io::stdout(), &[]).spec(&airbyte::spec())?;
    Ok(ExitCode::SUCCESS)
}

/// Names the company, the user, and what the user's permissions hide.
///
/// A configuration that does not work is an answer (FAILED, exit 0); a file that cannot be read is
/// an error.
pub(super) fn check(source: &Source) -> Result<ExitCode> {
    let (config, sandbox) = Setup::config(source)?;
    let settings = match Settings::from_json(&config) {
        Ok(settings) => settings,
        Err(error) => {
            Writer::new(std::io::stdout(), &[]).refused(&error)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut setup = Setup { config, settings, _sandbox: sandbox };
    let mut writer = setup.writer();
    let (client, mut rotations) = setup.client()?;
    let account = runtime()?.block_on(Account::of(&client, &setup.settings));
    setup.keep(&mut rotations, &mut writer)?;
    match account {
        Ok(account) => {
            let hidden = account.hidden();
            for sentence in &hidden {
                writer.log(Level::Warn, sentence)?;
            }
            let mut message = greeting(&account);
            for sentence in &hidden {
                message.push_str("; ");
                message.push_str(sentence);
            }
            writer.succeeded(&message)?;
        }
        Err(error) if error.kind() == Kind::Bug => return Err(error),
        Err(error) => writer.refused(&error)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `company "Acme" (acme, id 900), user "Ola" (id 3, admin)`.
pub(super) fn greeting(account: &Account) -> String {
    format!(
        "company {:?} ({}, id {}), user {:?} (id {}, {})",
        account.company_name,
        account.company_domain,
        account.company_id,
        account.user_name,
        account.user_id,
        if account.admin { "admin" } else { "not an admin" },
    )
}

pub(super) fn discover(source: &Source) -> Result<ExitCode> {
    let mut setup = Setup::load(source)?;
    let mut writer = setup.writer();
    let (client, mut rotations) = setup.client()?;
    let outcome = runtime()?.block_on(async {
        // One request before the dictionaries: a wrong token is found once, not five times.
        Account::of(&client, &setup.settings).await?;
        dictionaries(&client, Resource::all(), &mut writer).await
    });
    setup.keep(&mut rotations, &mut writer)?;
    let readable = setup.settings.custom_fields.readable();
    let outcome = outcome.and_then(|fields| writer.catalog(&airbyte::catalog(&fields, readable)));
    writer.conclude(outcome.map(|()| ExitCode::SUCCESS), now())
}

/// The field dictionaries of these resources, by the dictionary's name, read side by side. One
/// that this token may not see is left out with a warning.
pub(super) async fn dictionaries(
    client: &Client,
    resources: impl Iterator<Item = &'static Resource>,
    writer: &mut Writer<Stdout>,
) -> Result<BTreeMap<&'static str, Vec<Definition>>> {
    let names: BTreeSet<_> = resources.filter_map(|resource| resource.fields).collect();
    let dictionaries: Vec<_> = names.into_iter().filter_map(Resource::named).collect();
    let reads = dictionaries.iter().map(|dictionary| definitions(client, dictionary));
    let outcomes = futures_util::future::join_all(reads).await;
    let mut found = BTreeMap::new();
    for (dictionary, outcome) in dictionaries.into_iter().zip(outcomes) {
        match outcome {
            Ok(definitions) => {
                found.insert(dictionary.name, definitions);
            }
            Err(error) if matches!(error.kind(), Kind::Permission | Kind::Refused) => {
                let text = format!("custom fields stay undescribed: {error}");
                writer.log(Level::Warn, &text)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// A runtime for a command. One worker reads and parses while the main thread writes: a second
/// one would cost switches and memory, and the network is slower than either.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Error::new(Kind::Bug, "cannot start the runtime").because(error))
}

/// An Airbyte command failed before it had a configuration: TRACE ERROR, and exit code 1.
pub(super) fn fail(error: &Error) -> ExitCode {
    // Settings that failed to load leave no secret to mask, and no message quotes a value.
    let mut writer = Writer::new(std::io::stdout(), &[]);
    // A reader that is gone will not miss the message.
    let _ = writer.error(error, None, now());
    if std::io::stderr().is_terminal() {
        super::complain(error);
    }
    ExitCode::from(1)
}

/// The wall clock: for stamps on messages, never for deciding what is read.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(0))
}
