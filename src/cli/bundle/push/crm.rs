//! A bundle goes into a CRM: plan, send, prove.

use super::report::Report;
use super::{Input, checked, journal, whose};
use crate::bundle::crm::{changes, fetch, pipelines};
use crate::bundle::push::{
    Begin, Dropped, Fate, Fates, Fit, JOURNAL_VERSION, Known, Plan, Stages, account, carry_out,
    verify,
};
use crate::bundle::{Array, Context, Index, Survey, public_id_of, value_of};
use crate::cli::bundle::args::Push as Flags;
use crate::cli::bundle::target::target;
use crate::cli::figures::grouped;
use crate::cli::progress::Progress;
use crate::cli::setup::now;
use crate::dataset::Scrap;
use crate::model::{Error, Kind, Result};

/// Pushes; the report says how far it came.
pub(super) async fn push(flags: &Flags, input: &Input, progress: &mut Progress) -> Result<Report> {
    let dropped = Dropped::of(&flags.drop, &flags.file).await?;
    let target = target("--to", flags.to.as_deref(), &flags.standalone)?;
    let crm = &target.crm;
    let scrap = Scrap::beside(&flags.file, "target")?;
    let at = fetch(crm, scrap.path(), flags.max_bytes).await?;
    let (mut index, own) = Index::of(scrap.path()).await?;
    let organization = own.head.organization().ok_or_else(|| {
        let message = "the CRM's export does not say of which organization it is";
        Error::new(Kind::Shape, message).at("/crm/export")
    })?;
    let survey = checked(flags, input, &index).await?;
    foreign(flags, input, &survey, &organization)?;
    let stages = Stages::new(input.pipelines(), pipelines(crm).await?, &input.given)?;
    let mut fit = Fit::new(stages, dropped, flags.strict_fields, &flags.activity_parents)?;
    let fates = Fates::of(&survey, &mut index, &Known::default(), flags.recreate_deleted).await?;
    let plan = {
        let fitted = |array, json: &str| Ok(Some(revived(&fates, &fit.row(array, json))));
        Plan::of(&survey, &mut index, &fates, fitted).await?
    };
    let mut report = Report {
        bundle: flags.file.display().to_string(),
        from: whose(input.context.as_ref(), &survey),
        to: format!("organization {organization} at {}", crm.origin()),
        dry_run: flags.dry_run,
        stages: fit.stages.used(),
        gone: fates.gone.clone(),
        recreated: flags.recreate_deleted,
        ..Report::default()
    };
    if flags.dry_run {
        report.plan = plan;
        return Ok(report);
    }
    let begin = Begin {
        version: JOURNAL_VERSION,
        tool: Context::tool(),
        bundle: survey.sha256.clone(),
        target: crm.origin().to_owned(),
        organization,
        at: at.unwrap_or_else(now),
    };
    let (mut journal, earlier) = journal(flags, input, &begin, progress)?;
    let since = earlier.at.unwrap_or(begin.at);
    if plan.work() > 0 {
        let work = plan.work();
        let fitted = |array, json: &str| Ok(Some(revived(&fates, &fit.row(array, json))));
        let sent = carry_out(
            &survey,
            &plan,
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
    report.earlier = earlier.kept(&plan);
    let pushed = |array: Array, row: u64| earlier.sent(array, row) || plan.sends(array, row);
    let fitted = |array, json: &str| Ok(Some(revived(&fates, &fit.row(array, json))));
    let verified = verify(&survey, &mut index, &fates, fitted, pushed).await?;
    if report.sent + report.earlier > 0 {
        let events = Scrap::beside(&flags.file, "events")?;
        changes(crm, None, None, events.path(), flags.max_bytes).await?;
        report.events = Some(account(events.path(), &verified, Some(since)).await?);
    }
    journal.write(&verified.entry())?;
    report.verified = Some(verified);
    report.plan = plan;
    Ok(report)
}

/// The row, which says that it lives if it was deleted in the CRM and is to be brought back.
fn revived(fates: &Fates, row: &str) -> String {
    let again = public_id_of(row).is_some_and(|id| fates.row(&id) == Some(&Fate::Again));
    match row.strip_suffix('}') {
        Some(open) if again && value_of(row, "deleted_at").is_none() => {
            format!("{open},\"deleted_at\":null}}")
        }
        _ => row.to_owned(),
    }
}

/// A bundle of another organization of the CRM is refused: its public ids are taken there, and unique
/// across the product.
fn foreign(flags: &Flags, input: &Input, survey: &Survey, organization: &str) -> Result<()> {
    let Some(own) = survey.head.organization() else { return Ok(()) };
    let of_crm = input.context.as_ref().is_some_and(|context| context.source.system == "crm");
    if own == organization || own.starts_with("pipedrive:") && !of_crm || flags.foreign {
        return Ok(());
    }
    let message = format!(
        "the bundle is of organization {own}, and the key is of {organization}: --foreign pushes it all \
         the same"
    );
    Err(Error::new(Kind::Data, message).at(flags.file.display().to_string()))
}
