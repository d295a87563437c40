//! `bundle push`: pushes a bundle into a CRM or into Pipedrive.

mod confirm;
mod crm;
mod pipedrive;
mod report;

use super::args::Push as Flags;
use super::findings;
use crate::bundle::push::{Begin, Earlier, Found, Journal};
use crate::bundle::{Entity, Index, Pipeline, Sidecar, Survey, copied, push, validate};
use crate::cli::files;
use crate::cli::interrupt::interrupted;
use crate::cli::progress::{Progress, ProgressMode};
use crate::cli::setup::runtime;
use crate::cli::stdout;
use crate::dataset::TempFile;
use crate::model::{Error, Kind, Mask, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The default order in which arrays become the parent of an activity, best first.
const PARENTS: [&str; 4] = ["opportunity", "contact", "account", "lead"];

/// The inputs of a push other than the bundle.
struct Input {
    context: Option<Sidecar>,
    /// The mapping from `--map-stages`.
    given: BTreeMap<String, String>,
    journal: PathBuf,
}

impl Input {
    /// Returns the pipelines of the bundle. The list is empty without a side-car.
    fn pipelines(&self) -> Vec<Pipeline> {
        self.context.as_ref().map(|context| context.pipelines.clone()).unwrap_or_default()
    }
}

pub(super) fn push(flags: &Flags) -> Result<ExitCode> {
    if !flags.file.is_file() {
        let message = "there is no such bundle";
        return Err(Error::new(Kind::Usage, message).at(flags.file.display().to_string()));
    }
    confirm::askable(flags)?;
    files::private();
    let journal = if flags.as_copy {
        let mut name = flags.file.clone().into_os_string();
        name.push(".copy");
        push::beside(Path::new(&name))
    } else {
        push::beside(&flags.file)
    };
    let input = Input {
        context: Sidecar::read(&flags.file)?,
        given: given(flags)?,
        journal: flags.journal.clone().unwrap_or(journal),
    };
    let mut progress = Progress::new(ProgressMode::of(&flags.standalone), Mask::new(&[]));
    let report = runtime()?.block_on(async {
        if flags.to.as_deref() == Some("pipedrive") {
            return Box::pin(pipedrive::push(flags, &input)).await;
        }
        tokio::select! {
            biased;
            error = interrupted() => Err(error),
            report = crm::push(flags, &input, &mut progress) => report,
        }
    });
    let report = report.map_err(|error| match error.kind() {
        Kind::Interrupted if input.journal.exists() => Error::new(
            Kind::Interrupted,
            "interrupted: the journal records what was sent, run again with --resume to continue",
        ),
        _ => error,
    })?;
    progress.done();
    if flags.standalone.json() {
        stdout::programs(&format!("{}\n", report.json()))?;
    } else {
        stdout::people(&report.text())?;
    }
    report.failure().map_or(Ok(ExitCode::SUCCESS), Err)
}

/// Returns the bundle to push: the file, or a copy for this target. The copy is deleted when the returned
/// value is dropped.
async fn pushed(flags: &Flags, target: &str) -> Result<(PathBuf, Option<TempFile>)> {
    if !flags.as_copy {
        return Ok((flags.file.clone(), None));
    }
    let copy = copied(&flags.file, target).await?;
    Ok((copy.path().to_owned(), Some(copy)))
}

/// Validates the bundle. References to rows of the target are valid, including leads that became deals. A
/// bundle with findings is not pushed at all.
async fn checked(flags: &Flags, path: &Path, input: &Input, target: &Index) -> Result<Survey> {
    let elsewhere = |entity: Entity, id: u64| {
        let moves = matches!(entity, Entity::Leads | Entity::Opportunities);
        let either = [Entity::Leads, Entity::Opportunities];
        target.holds(entity, id) || moves && either.iter().any(|entity| target.holds(*entity, id))
    };
    let validation = validate(path, input.context.as_ref(), elsewhere).await?;
    if validation.total == 0 {
        return Ok(validation.survey);
    }
    if flags.standalone.json() {
        stdout::programs(&format!("{}\n", findings::object(&flags.file, &validation)))?;
    } else {
        stdout::people(&findings::table(&validation))?;
    }
    Err(findings::found(&flags.file, validation.total))
}

/// Opens the journal, reports what it contains, and returns what is resumed.
fn journal(
    flags: &Flags,
    input: &Input,
    begin: &Begin,
    progress: &mut Progress,
) -> Result<(Journal, Earlier)> {
    let (journal, found) = Journal::open(&input.journal, begin, flags.resume)?;
    let earlier = match found {
        Found::Broken(earlier) => earlier,
        Found::Nothing => Earlier::default(),
        Found::OtherBundle => {
            progress.note(
                "the last push was of another version of this bundle and was interrupted: this push starts \
                 from the beginning, and rows that the other one sent count as unchanged",
            );
            Earlier::default()
        }
    };
    Ok((journal, earlier))
}

fn given(flags: &Flags) -> Result<BTreeMap<String, String>> {
    let Some(path) = &flags.map_stages else { return Ok(BTreeMap::new()) };
    let json = files::json("map-stages", path)?;
    serde_json::from_value(json).map_err(|_| {
        let message =
            "must be one JSON object of texts, like {\"Sales/Demo\": \"Default/Proposal\"}";
        Error::new(Kind::Usage, message).at(format!("--map-stages {}", path.display()))
    })
}

/// Returns the owner of a bundle's rows.
fn whose(context: Option<&Sidecar>, survey: &Survey) -> String {
    let company = context.and_then(|context| context.source.company_id);
    match (company, survey.head.organization()) {
        (Some(company), _) => format!("Pipedrive company {company}"),
        (None, Some(organization)) => format!("organization {organization}"),
        (None, None) => "unknown".to_owned(),
    }
}
