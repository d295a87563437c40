//! The commands `spec`, `check`, and `discover`, and what they share with `read`.

use super::args::Source;
use super::field_definitions::FieldDefinitions;
use super::report::unavailable;
use super::setup::{CommandContext, ConfigSource, now, runtime};
use super::{error_output, stderr, stdout};
use crate::api::Account;
use crate::extract::survey;
use crate::model::{Error, Kind, Resource, Result};
use crate::protocol::airbyte::{self, Level, Writer};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::BTreeMap;
use std::io::Stdout;
use std::process::ExitCode;
use tokio::sync::mpsc::UnboundedReceiver;

/// Returns a writer on stdout that masks the secrets of this configuration.
pub(super) fn writer(setup: &CommandContext) -> Writer<Stdout> {
    Writer::new(stdout::protocol(), &setup.settings.secrets())
}

/// Passes on all refresh tokens that were replaced so far.
pub(super) fn keep(
    setup: &mut CommandContext,
    rotations: &mut UnboundedReceiver<SecretString>,
    writer: &mut Writer<Stdout>,
) -> Result<()> {
    while let Ok(token) = rotations.try_recv() {
        hand_on(setup, &token, writer)?;
    }
    Ok(())
}

/// Passes a replaced refresh token on to the platform and masks it in all other messages.
pub(super) fn hand_on(
    setup: &mut CommandContext,
    token: &SecretString,
    writer: &mut Writer<Stdout>,
) -> Result<()> {
    writer.mask(token.expose_secret());
    writer.config(setup.rotated(token), now())
}

pub(super) fn spec() -> Result<ExitCode> {
    Writer::new(stdout::protocol(), &[]).spec(&airbyte::spec())?;
    Ok(ExitCode::SUCCESS)
}

/// Reports the company, the user, and the data that the user's permissions hide.
///
/// A configuration that does not work gives the status FAILED and exit code 0. An unreadable file is an
/// error.
pub(super) fn check(given: ConfigSource) -> Result<ExitCode> {
    let mut setup = match CommandContext::of(given) {
        Ok(setup) => setup,
        Err(error) => {
            Writer::new(stdout::protocol(), &[]).refused(&error)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut writer = writer(&setup);
    let (client, mut rotations) = setup.client()?;
    let outcome = runtime()?.block_on(async {
        let account = Account::of(&client, &setup.settings).await?;
        let lacking = survey(&client, &Resource::all().collect::<Vec<_>>()).await?;
        Ok::<_, Error>((account, lacking))
    });
    keep(&mut setup, &mut rotations, &mut writer)?;
    match outcome {
        Ok((account, lacking)) => {
            log_unread(&setup, &mut writer)?;
            let mut caveats = account.caveats();
            caveats.extend(sentence(&lacking));
            for sentence in &caveats {
                writer.log(Level::Warn, sentence)?;
            }
            let mut message = greeting(&account);
            for sentence in &caveats {
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

/// Logs the configuration keys that are not used. Platforms add keys of their own, so this is not a
/// warning.
pub(super) fn log_unread(setup: &CommandContext, writer: &mut Writer<Stdout>) -> Result<()> {
    setup.unread.iter().try_for_each(|sentence| writer.log(Level::Debug, sentence))
}

/// Returns a text such as `company "Acme" (acme, id 900), user "Ola" (id 3, admin)`.
pub(super) fn greeting(account: &Account) -> String {
    format!(
        "company \"{}\" ({}, {}), user \"{}\" (id {}, {})",
        account.company_name,
        account.company_domain,
        account.company_id.map_or_else(|| "id unknown".to_owned(), |id| format!("id {id}")),
        account.user_name,
        account.user_id,
        if account.admin { "admin" } else { "not an admin" },
    )
}

/// Returns a sentence about the resources that the company does not have.
pub(super) fn sentence(lacking: &BTreeMap<&'static str, String>) -> Option<String> {
    unavailable(lacking.iter().map(|(name, said)| (said.as_str(), (*name).to_owned())))
}

pub(super) fn discover(source: &Source) -> Result<ExitCode> {
    let mut setup = CommandContext::of(ConfigSource::by(source)?)?;
    let mut writer = writer(&setup);
    let (client, mut rotations) = setup.client()?;
    let outcome = runtime()?.block_on(async {
        // One request precedes the field definitions, so that a wrong token is reported once, not five
        // times.
        Account::of(&client, &setup.settings).await?;
        let resources: Vec<_> = Resource::all().collect();
        let lacking = survey(&client, &resources).await?;
        let there = resources.into_iter().filter(|resource| !lacking.contains_key(resource.name));
        Ok::<_, Error>((FieldDefinitions::read(&client, there).await?, lacking))
    });
    keep(&mut setup, &mut rotations, &mut writer)?;
    let keys = setup.settings.custom_fields;
    let outcome = outcome.and_then(|(found, lacking)| {
        log_unread(&setup, &mut writer)?;
        if let Some(sentence) = sentence(&lacking) {
            writer.log(Level::Warn, &sentence)?;
        }
        for warning in &found.warnings {
            writer.log(Level::Warn, warning)?;
        }
        for note in &found.notes {
            writer.log(Level::Info, note)?;
        }
        writer.catalog(&airbyte::catalog(&found.fields, keys, &lacking))
    });
    writer.conclude(outcome.map(|()| ExitCode::SUCCESS), now())
}

/// Reports the failure of an Airbyte command that has no configuration yet: a TRACE ERROR message and exit
/// code 1.
pub(super) fn fail(error: &Error) -> ExitCode {
    // Settings that failed to load leave no secret to mask, and no message quotes a value.
    let mut writer = Writer::new(stdout::protocol(), &[]);
    // On a full disk the message cannot be written, so stderr gets it. A closed pipe is ignored.
    let told = writer.error(error, now());
    let lost = told.is_err_and(|error| error.kind() != Kind::Pipe);
    if lost || stderr::is_terminal() {
        error_output::print_error(error, false, false);
    }
    ExitCode::from(1)
}
