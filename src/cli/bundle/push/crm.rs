//! Pushes a bundle into a CRM: plan, send, verify.

use super::confirm::confirm;
use super::report::{Itself, Report};
use super::{Input, checked, journal, pushed, whose};
use crate::bundle::crm::{changes, fetch, pipelines};
use crate::bundle::push::{
    Begin, Conformer, Dropped, Fates, Fitted, JOURNAL_VERSION, Known, Plan, RowFate, Stages,
    account, send_plan, verify,
};
use crate::bundle::{
    Entity, Index, Sidecar, Source, Stamp, Survey, observed, public_id_of, value_of,
};
use crate::cli::bundle::args::Push as Flags;
use crate::cli::bundle::target::target;
use crate::cli::format::grouped;
use crate::cli::interrupt::interrupted;
use crate::cli::progress::Progress;
use crate::cli::setup::now;
use crate::dataset::TempFile;
use crate::model::{Error, Kind, Result};

/// The texts for rows that came from the organization itself.
const ITSELF: Itself =
    Itself { place: "organization", backup: "source-pipedrive bundle pull --out FILE" };

/// Pushes a bundle into a CRM. Returns a report of the result.
pub(super) async fn push(flags: &Flags, input: &Input, progress: &mut Progress) -> Result<Report> {
    let dropped = Dropped::of(&flags.drop, &flags.file).await?;
    let target = target("--to", flags.to.as_deref(), &flags.standalone)?;
    let crm = &target.crm;
    let scrap = TempFile::beside(&flags.file, "target")?;
    let at = fetch(crm, scrap.path(), flags.max_bytes).await?;
    let (mut index, own) = Index::of(scrap.path()).await?;
    let organization = own.head.organization().ok_or_else(|| {
        let message = "the CRM's export does not say of which organization it is";
        Error::new(Kind::Shape, message).at("/crm/export")
    })?;
    let (path, _copy) = pushed(flags, &organization).await?;
    let survey = checked(flags, &path, input, &index).await?;
    foreign(flags, input, &survey, &organization)?;
    let stages = Stages::new(input.pipelines(), pipelines(crm).await?, &input.given)?;
    let mut fit = Conformer::new(stages, dropped, flags.strict_fields, &flags.activity_parents)?;
    let fates = Fates::of(&survey, &mut index, &Known::default(), flags.recreate_deleted).await?;
    // Whether the rows were pulled from the organization itself.
    let pulled = input.context.as_ref().is_some_and(|context| context.source.system == "crm");
    let own = pulled && survey.head.organization().as_ref() == Some(&organization);
    let new = fit.clone();
    let plan = {
        let fitted = |entity, json: &str, there: Option<&str>| {
            Ok(Some(fitted(&fates, &mut fit, entity, json, there)))
        };
        Plan::of(&survey, &mut index, &fates, |_, _| own, fitted).await?
    };
    let mut report = Report {
        bundle: flags.file.display().to_string(),
        from: whose(input.context.as_ref(), &survey),
        to: format!("organization {organization} at {}", crm.origin()),
        itself: ITSELF,
        dry_run: flags.dry_run,
        stages: fit.stages.used(),
        kept: fit.kept.clone(),
        gone: fates.gone.clone(),
        recreated: flags.recreate_deleted,
        plan,
        ..Report::default()
    };
    if flags.dry_run {
        return Ok(report);
    }
    confirm(flags, &mut report, progress, interrupted()).await?;
    if report.declined {
        return Ok(report);
    }
    let plan = &report.plan;
    let begin = Begin {
        version: JOURNAL_VERSION,
        tool: Sidecar::tool(),
        bundle: survey.sha256.clone(),
        target: crm.origin().to_owned(),
        organization: organization.clone(),
        at: at.unwrap_or_else(now),
    };
    let (mut journal, earlier) = journal(flags, input, &begin, progress)?;
    let since = earlier.at.unwrap_or(begin.at);
    if plan.work() > 0 {
        let work = plan.work();
        let fitted = |entity, json: &str, there: Option<&str>| {
            Ok(Some(fitted(&fates, &mut fit, entity, json, there)))
        };
        let sent = send_plan(
            &survey,
            plan,
            (&mut index, &fates),
            (crm, usize::from(flags.batch_rows)),
            &mut journal,
            fitted,
            |sent| {
                let rows: u64 = sent.rows.iter().sum();
                progress.tell(&format!("pushed {} of {} rows", grouped(rows), grouped(work)));
            },
        )
        .await?;
        report.sent = sent.rows.iter().sum();
        report.requests = sent.requests;
        report.refused = sent.refused;
        progress.tell("asking the target what it has now");
        fetch(crm, scrap.path(), flags.max_bytes).await?;
        index = Index::of(scrap.path()).await?.0;
    }
    report.earlier = earlier.kept(plan);
    let pushed = |entity: Entity, row: u64| earlier.sent(entity, row) || plan.sends(entity, row);
    let row = |entity, json: &str, there: Option<&str>| {
        Ok(Some(fitted(&fates, &mut fit, entity, json, there)))
    };
    let verified = verify(&survey, &mut index, &fates, row, pushed).await?;
    remember(flags, input, (&survey, &organization), &mut index, &fates, plan, new).await?;
    if report.sent + report.earlier > 0 {
        let events = TempFile::beside(&flags.file, "events")?;
        changes(crm, None, None, events.path(), flags.max_bytes).await?;
        report.events = Some(account(events.path(), &verified, Some(since)).await?);
    }
    journal.write(&verified.entry())?;
    report.verified = Some(verified);
    Ok(report)
}

/// Returns a row in the form that is sent. `there` is the CRM's row.
fn fitted(
    fates: &Fates,
    fit: &mut Conformer,
    entity: Entity,
    json: &str,
    there: Option<&str>,
) -> Fitted {
    Fitted::whole(revived(fates, &fit.row(entity, json, there)), there)
}

/// Writes the value forms of the CRM into the side-car. A pull copies them, so that values that come back
/// in these forms do not count as edits. `new` converts a row as if it were new.
async fn remember(
    flags: &Flags,
    input: &Input,
    (survey, organization): (&Survey, &String),
    index: &mut Index,
    fates: &Fates,
    plan: &Plan,
    mut new: Conformer,
) -> Result<()> {
    let before = input.context.as_ref().and_then(|context| context.forms.get(organization));
    let before = before.cloned().unwrap_or_default();
    if flags.as_copy || plan.work() == 0 && !before.is_empty() {
        return Ok(());
    }
    let row = |entity, json: &str| {
        Ok(Some(Fitted::whole(new.row(entity, json, None).into_owned(), None)))
    };
    let forms = observed(survey, index, fates, plan, &before, row).await?;
    if forms == before {
        return Ok(());
    }
    let stamp = Stamp { sha256: survey.sha256.clone(), bytes: survey.bytes };
    let context = input.context.clone();
    let mut context = context.unwrap_or_else(|| Sidecar::empty(stamp, Source::default()));
    context.forms.insert(organization.clone(), forms);
    context.write(&flags.file)
}

/// Returns the row, with a null `deleted_at` if it was deleted in the CRM and is to be restored.
fn revived(fates: &Fates, row: &str) -> String {
    let again = public_id_of(row).is_some_and(|id| fates.row(&id) == Some(&RowFate::Again));
    match row.strip_suffix('}') {
        Some(open) if again && value_of(row, "deleted_at").is_none() => {
            format!("{open},\"deleted_at\":null}}")
        }
        _ => row.to_owned(),
    }
}

/// Returns an error for a bundle of another organization of the CRM, unless `--foreign` or `--as-copy` is
/// given. Public ids are unique across the product, so its ids are taken.
fn foreign(flags: &Flags, input: &Input, survey: &Survey, organization: &str) -> Result<()> {
    let Some(own) = survey.head.organization() else { return Ok(()) };
    let of_crm = input.context.as_ref().is_some_and(|context| context.source.system == "crm");
    let from_pipedrive = own.starts_with("pipedrive:") && !of_crm;
    if own == organization || from_pipedrive || flags.foreign || flags.as_copy {
        return Ok(());
    }
    let message = format!(
        "the bundle is of organization {own}, and the key is of {organization}: --as-copy pushes a copy with \
         public ids of its own, --foreign pushes it as it is"
    );
    Err(Error::new(Kind::Data, message).at(flags.file.display().to_string()))
}
