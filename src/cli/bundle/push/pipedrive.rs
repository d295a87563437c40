//! A bundle goes into Pipedrive: plan, write row by row, prove.

use super::report::Report;
use super::{Input, checked, journal, whose};
use crate::bundle::map::Setup;
use crate::bundle::pipedrive::{Hold, Ids, Needs, carry_out, prepare, tokens};
use crate::bundle::push::{Begin, JOURNAL_VERSION, Plan, Stages, verify};
use crate::bundle::{Array, Context, Index, Source, Stamp, Survey, Unmapped};
use crate::cli::bundle::args::Push as Flags;
use crate::cli::figures::grouped;
use crate::cli::interrupt::interrupted;
use crate::cli::run::{Run, Stop};
use crate::cli::setup::now;
use crate::model::{Error, Kind, Result};

/// Pushes; the report says how far it came.
pub(super) async fn push(flags: &Flags, input: &Input) -> Result<Report> {
    for (given, flag) in [
        (flags.strict_fields, "--strict-fields"),
        (!flags.drop.is_empty(), "--drop"),
        (flags.activity_parents != super::PARENTS, "--activity-parents"),
    ] {
        if given {
            let message = "is for CRMs; what Pipedrive cannot hold is left out anyway";
            return Err(Error::new(Kind::Usage, message).at(flag));
        }
    }
    let mut run = Run::new(&flags.standalone, Vec::new())?;
    let mut stop = std::pin::pin!(interrupted());
    let report = push_with(flags, input, &mut run, stop.as_mut()).await;
    run.progress.done();
    report
}

async fn push_with(
    flags: &Flags,
    input: &Input,
    run: &mut Run,
    mut stop: Stop<'_>,
) -> Result<Report> {
    let account = run.account(stop.as_mut()).await?;
    run.greet(&account);
    let company = account.company()?;
    foreign(flags, input, company)?;
    let setup = run.set_up(&account, stop.as_mut()).await?;
    let place = (flags.file.as_path(), "target");
    let exported = run.export(place, setup.clone(), &account, stop.as_mut()).await?;
    let scrap = exported.hold()?;
    let (mut index, _) = Index::of(scrap.path()).await?;
    let survey = checked(flags, input, &index).await?;
    let source = input.pipelines();
    let stages = || Stages::new(source.clone(), setup.pipelines().to_vec(), &input.given);
    let needs = Needs::of(&survey, input.context.as_ref(), &setup).await?;
    let mut hold = Hold::new(&setup, &needs, stages()?);
    let plan = Plan::of(&survey, &mut index, |array, json| hold.row(array, json)).await?;
    recognizable(&setup, &plan)?;
    let (used, losses) = (hold.stages.used(), hold.losses);
    let needs = needs.of_plan(&plan);
    let mut report = Report {
        bundle: flags.file.display().to_string(),
        from: whose(input.context.as_ref(), &survey),
        to: format!("Pipedrive company {company} ({})", account.company_domain),
        dry_run: flags.dry_run,
        stages: used,
        losses,
        fields: needs.fields.iter().map(|f| (f.array, f.name.clone(), f.ty.clone())).collect(),
        tokens: Some(tokens(&plan, &needs)),
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
        target: "pipedrive".to_owned(),
        organization: company.to_string(),
        at: account.date.unwrap_or_else(now),
    };
    let (mut journal, earlier) = journal(flags, input, &begin, &mut run.progress)?;
    let mut known = setup.clone();
    if plan.work() > 0 {
        prepare(&run.client, &needs, &mut journal).await?;
        if needs.requests() > 0 {
            // What was created has its keys now.
            known = run.set_up_again(known, stop.as_mut()).await?;
        }
        let none = Needs::default();
        let mut hold = Hold::new(&known, &none, stages()?).for_sending();
        let mut ids = Ids::of(scrap.path()).await?;
        let (client, work) = (run.client.clone(), plan.work());
        let progress = &mut run.progress;
        let sending = carry_out(
            &survey,
            &plan,
            &client,
            &known,
            &mut ids,
            &mut journal,
            |array, json| hold.row(array, json),
            |sent| {
                let rows: u64 = sent.rows.iter().sum();
                progress.tell(&format!("pushed {} of {} rows", grouped(rows), grouped(work)));
            },
        );
        let sent = tokio::select! {
            biased;
            error = stop.as_mut() => Err(error),
            sent = sending => sent,
        }?;
        report.sent = sent.rows.iter().sum();
        report.requests = sent.requests;
        report.refused = sent.refused;
        let scrap = run.export(place, known.clone(), &account, stop).await?.hold()?;
        index = Index::of(scrap.path()).await?.0;
    }
    report.earlier = earlier.kept(&plan);
    let none = Needs::default();
    let mut hold = Hold::new(&known, &none, stages()?);
    let pushed = |array: Array, row: u64| earlier.sent(array, row) || plan.sends(array, row);
    let verified = verify(&survey, &mut index, |array, json| hold.row(array, json), pushed).await?;
    journal.write(&verified.entry())?;
    note_losses(flags, input, &survey, &hold, company)?;
    report.verified = Some(verified);
    report.tokens = Some(run.client.spending().tokens);
    report.plan = plan;
    Ok(report)
}

/// Nothing is created while a field definition that cannot be read may be that of the public ids: rows
/// that are there already would be created again.
fn recognizable(setup: &Setup, plan: &Plan) -> Result<()> {
    let hidden = |array: &Array| plan.counts(*array).create > 0 && setup.may_hide_marker(*array);
    let Some(array) = Array::ALL.into_iter().find(hidden) else { return Ok(()) };
    let message = format!(
        "a definition of the account's fields cannot be read, and may be that of the field with the public          ids of {}: rows could be created twice; mend the field in Pipedrive, and push again",
        array.name()
    );
    Err(Error::new(Kind::Shape, message))
}

/// Writes into the side-car what this company could not hold.
fn note_losses(
    flags: &Flags,
    input: &Input,
    survey: &Survey,
    hold: &Hold<'_>,
    company: i64,
) -> Result<()> {
    let stamp = Stamp { sha256: survey.sha256.clone(), bytes: survey.bytes };
    let context = input.context.clone();
    let mut context = context.unwrap_or_else(|| Context::empty(stamp, Source::default()));
    let lost = hold.losses.iter().map(|((array, field), (reason, rows))| Unmapped {
        resource: array.name().to_owned(),
        field: field.clone(),
        rows: *rows,
        reason: reason.clone(),
    });
    context.lost.insert(format!("pipedrive:{company}"), lost.collect());
    context.write(&flags.file)
}

/// A bundle of another company is pushed when that is meant.
fn foreign(flags: &Flags, input: &Input, company: i64) -> Result<()> {
    let own = input.context.as_ref().and_then(|context| context.source.company_id);
    match own {
        Some(own) if own != company && !flags.foreign => {
            let message = format!(
                "the bundle is of Pipedrive company {own}, and the token of company {company}: --foreign \
                 pushes it all the same"
            );
            Err(Error::new(Kind::Data, message).at(flags.file.display().to_string()))
        }
        _ => Ok(()),
    }
}
