//! The parts of a run that all reading commands except Airbyte's share.

use super::airbyte;
use super::args::CommonOptions;
use super::progress::{Progress, ProgressMode};
use super::report::Report;
use super::setup::CommandContext;
use super::thrift::{Foreseen, must_get_on};
use crate::api::{Account, Client};
use crate::dataset;
use crate::extract::{Job, Reader};
use crate::model::{Error, Event, Kind, Mask, Resource, Result, Time};
use secrecy::{ExposeSecret as _, SecretString};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

/// A run: its configuration, client, resources and reports.
pub(super) struct Run {
    pub(super) setup: CommandContext,
    pub(super) client: Arc<Client>,
    rotations: UnboundedReceiver<SecretString>,
    pub(super) progress: Progress,
    pub(super) report: Report,
    pub(super) resources: Vec<&'static Resource>,
    /// Whether the user named them. It is then an error if the company lacks one.
    pub(super) named: bool,
    /// Whether another module masks the secrets in rows. A backup masks them itself, unless configured
    /// otherwise.
    pub(super) unmasked: bool,
}

/// A future that ends a run early with an error.
pub(super) type Stop<'s> = Pin<&'s mut dyn Future<Output = Error>>;

impl Run {
    /// Creates a run over these resources.
    pub(super) fn new(
        standalone: &CommonOptions,
        resources: Vec<&'static Resource>,
    ) -> Result<Self> {
        let mut run = Self::of(
            CommandContext::standalone(standalone)?,
            ProgressMode::of(standalone),
            resources,
        )?;
        run.setup.warnings().iter().for_each(|sentence| run.progress.warn(sentence));
        Ok(run)
    }

    /// Creates a run with this context.
    pub(super) fn of(
        setup: CommandContext,
        mode: ProgressMode,
        resources: Vec<&'static Resource>,
    ) -> Result<Self> {
        let (client, rotations) = setup.client()?;
        let progress = Progress::new(mode, Mask::new(&setup.settings.secrets()));
        let report = Report::of(resources.iter().copied());
        Ok(Self {
            setup,
            client,
            rotations,
            progress,
            report,
            resources,
            named: false,
            unmasked: false,
        })
    }

    /// Requests the account.
    pub(super) async fn account(&mut self, stop: Stop<'_>) -> Result<Account> {
        let account = tokio::select! {
            biased;
            error = stop => Err(error),
            account = Account::of(&self.client, &self.setup.settings) => account,
        };
        self.keep_tokens();
        account
    }

    /// Reports the account, and the data that the token cannot read.
    pub(super) fn log_account(&mut self, account: &Account) {
        self.progress.aside(&airbyte::greeting(account));
        for sentence in account.caveats() {
            self.progress.warn(&sentence);
        }
    }

    /// Prints a warning before the run reads if it is costly. A token limit that is too small to make
    /// progress is an error.
    pub(super) async fn weigh(
        &mut self,
        jobs: &[Job],
        foreseen: Foreseen<'_>,
        stop: Stop<'_>,
    ) -> Result<()> {
        self.report.least_tokens =
            must_get_on(&self.setup.settings, jobs, self.client.spending().tokens)?;
        let said = tokio::select! {
            biased;
            error = stop => Err(error),
            said = foreseen.costly(jobs) => said,
        }?;
        if let Some(sentence) = said {
            self.progress.warn(&sentence);
        }
        Ok(())
    }

    /// Passes the events of a reader to `take` until the reader ends. An interrupt is an error.
    pub(super) async fn follow(
        &mut self,
        mut reader: Reader,
        mut stop: Stop<'_>,
        mut take: impl AsyncFnMut(&mut Self, Event) -> Result<()>,
    ) -> Result<()> {
        loop {
            let event = tokio::select! {
                biased;
                error = &mut stop => return Err(error),
                Some(token) = self.rotations.recv() => {
                    self.keep_token(&token);
                    continue;
                }
                event = reader.next() => event,
            };
            let Some(mut event) = event else {
                return Ok(());
            };
            if let Event::Batch(batch) = &mut event
                && !self.unmasked
            {
                batch.mask_secrets()?;
            }
            take(self, event).await?;
        }
    }

    /// Warns about data that is missing from a resource that was read to the end.
    pub(super) fn tell_lack(&mut self, resource: &'static Resource) {
        if let Some(lack) = self.report.row(resource).lack() {
            self.progress.warn(&format!("{}: {}", resource.name, lack.text));
        }
    }

    /// Returns an error if data is missing. The error has its own kind if it stopped the run or nothing was
    /// read; otherwise its kind is [`Kind::Incomplete`].
    pub(super) fn conclude(&self) -> Result<ExitCode> {
        let Some(error) = self.report.failure(self.client.spending()) else {
            return Ok(ExitCode::SUCCESS);
        };
        let nothing = self.report.rows().all(|row| !row.was_read());
        Err(final_error(error, nothing))
    }

    fn keep_tokens(&mut self) {
        while let Ok(token) = self.rotations.try_recv() {
            self.keep_token(&token);
        }
    }

    /// Masks and stores a refresh token that Pipedrive replaced.
    fn keep_token(&mut self, token: &SecretString) {
        self.progress.mask(token.expose_secret());
        if let Some(sentence) = self.setup.save(token) {
            self.progress.notice(&sentence);
        }
    }
}

/// Returns the error of a run with missing data. The error keeps its kind if it stopped the run or nothing
/// was read; otherwise its kind is [`Kind::Incomplete`].
pub(super) fn final_error(error: Error, nothing: bool) -> Error {
    if nothing || error.kind().stops_the_run() { error } else { error.of_kind(Kind::Incomplete) }
}

/// Returns a name for a run: its start time and a random number.
pub(super) fn run_name(now: Time) -> String {
    let time: String = now.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{time}-{:04x}", fastrand::u16(..))
}

/// Returns the account in the form that data sets store. An account without a company id is an error.
pub(super) fn holder(account: &Account) -> Result<dataset::Account> {
    Ok(dataset::Account {
        company_id: Some(account.company()?),
        company_domain: account.company_domain.clone(),
        user_id: account.user_id,
        admin: account.admin,
        scopes: account.scopes.clone(),
    })
}
