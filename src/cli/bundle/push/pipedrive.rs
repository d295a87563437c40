//! A bundle goes into Pipedrive: plan, write row by row, prove.

use super::report::Report;
use super::{Input, checked, journal, whose};
use crate::bundle::map::{Expected, MARKER, Pins, Setup};
use crate::bundle::pipedrive::{Hold, Ids, Needs, carry_out, prepare, tokens};
use crate::bundle::push::{
    Begin, Entry, Fates, JOURNAL_VERSION, Journal, Known, KnownField, Memory, Plan, Stages, verify,
};
use crate::bundle::{
    Array, Context, CustomField, Index, Reader, Source, Stamp, Survey, Unmapped, number,
    public_id_of, value_of,
};
use crate::cli::bundle::args::Push as Flags;
use crate::cli::figures::grouped;
use crate::cli::interrupt::interrupted;
use crate::cli::run::{Run, Stop};
use crate::cli::setup::now;
use crate::model::{Error, Kind, Result, members};
use std::path::Path;

/// What a journal calls Pipedrive.
const TARGET: &str = "pipedrive";
/// The arrays whose rows keep their public ids in custom fields of their own; leads have those of
/// opportunities.
const OWNERS: [Array; 3] = [Array::Accounts, Array::Contacts, Array::Opportunities];

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
    let report = Box::pin(push_with(flags, input, &mut run, stop.as_mut())).await;
    run.progress.done();
    report
}

#[expect(clippy::too_many_lines, reason = "the order of a push, step by step")]
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
    let memory = Journal::remember(&input.journal, TARGET, &company.to_string())?;
    let pins = pins(input.context.as_ref(), &memory, company);
    let mut setup = run.set_up(&account, pins, stop.as_mut()).await?;
    recognizable(&setup, company)?;
    let expected = expected(&flags.file).await?;
    let mut there = expected.numbers.clone();
    setup.expect(expected);
    let place = (flags.file.as_path(), "target");
    let (exported, setup) = run.export_found(place, setup, &account, stop.as_mut()).await?;
    let scrap = exported.hold()?;
    let (mut index, _) = Index::of(scrap.path()).await?;
    there.extend(index.numbers());
    let survey = checked(flags, input, &index).await?;
    let source = input.pipelines();
    let stages = || Stages::new(source.clone(), setup.pipelines().to_vec(), &input.given);
    let needs = Needs::of(&survey, input.context.as_ref(), &setup).await?;
    let known = Known { company: Some(company), memory: Some(&memory) };
    let fates = Fates::of(&survey, &mut index, &known, flags.recreate_deleted).await?;
    let mut hold = Hold::new(&setup, &needs, stages()?, &fates, &there);
    let plan = Plan::of(&survey, &mut index, &fates, |array, json| hold.row(array, json)).await?;
    readable(&setup, &plan)?;
    let (used, losses) = (hold.stages.used(), hold.losses);
    let matched = needs.matched.clone();
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
        target: TARGET.to_owned(),
        organization: company.to_string(),
        at: account.date.unwrap_or_else(now),
    };
    let (mut journal, earlier) = journal(flags, input, &begin, &mut run.progress)?;
    remember(&setup, &matched, &memory, &mut journal)?;
    let mut known = setup.clone();
    if plan.work() > 0 {
        let created = prepare(&run.client, &needs, &mut journal).await?;
        if needs.requests() > 0 {
            // What was created has its keys now.
            known = run.set_up_again(known, stop.as_mut()).await?;
            known = known.pinned(|pins| created.iter().for_each(|field| pin(pins, field)));
        }
        let none = Needs::default();
        let mut hold = Hold::new(&known, &none, stages()?, &fates, &there).for_sending();
        let mut ids = Ids::of(scrap.path()).await?;
        ids.know(&fates);
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
    let mut hold = Hold::new(&known, &none, stages()?, &fates, &there);
    let pushed = |array: Array, row: u64| earlier.sent(array, row) || plan.sends(array, row);
    let row = |array: Array, json: &str| hold.row(array, json);
    let verified = verify(&survey, &mut index, &fates, row, pushed).await?;
    journal.write(&verified.entry())?;
    note(flags, input, &survey, &hold, &known)?;
    report.verified = Some(verified);
    report.tokens = Some(run.client.spending().tokens);
    report.plan = plan;
    Ok(report)
}

/// What journal and side-car know of the company's fields, by their keys: people may have renamed them.
fn pins(context: Option<&Context>, memory: &Memory, company: i64) -> Pins {
    let mut pins = Pins::default();
    let own = context.is_some_and(|context| context.source.company_id == Some(company));
    let fields = context.iter().flat_map(|context| &context.fields);
    let fields: Vec<_> = fields
        .filter_map(|(array, fields)| Some((Array::named(array)?, fields)))
        .flat_map(|(array, fields)| fields.iter().map(move |field| (array, field)))
        .collect();
    for (array, field) in fields.iter().filter(|_| own) {
        pins.name(*array, &field.key, &field.name);
    }
    for array in OWNERS {
        if let Some(key) = context.and_then(|context| context.id_field(company, array)) {
            pins.marker(array, key);
        }
    }
    for known in memory.fields() {
        pin(&mut pins, known);
        // The name may have been changed where the bundle comes from, too.
        let source = |(array, field): &&(Array, &CustomField)| {
            *array == known.array && known.source.as_ref() == Some(&field.key)
        };
        if let Some((array, field)) = fields.iter().find(source) {
            pins.name(*array, &known.key, &field.name);
        }
    }
    pins
}

fn pin(pins: &mut Pins, field: &KnownField) {
    if field.name == MARKER {
        pins.marker(field.array, &field.key);
    } else {
        pins.name(field.array, &field.key, &field.name);
    }
}

/// The fields that keep public ids.
fn markers(setup: &Setup) -> impl Iterator<Item = (Array, &str)> {
    OWNERS.into_iter().filter_map(|array| Some((array, setup.marker(array)?)))
}

/// What a bundle holds by which its rows are recognized.
async fn expected(bundle: &Path) -> Result<Expected> {
    let mut rows = Reader::open(bundle)?;
    let mut expected = Expected::default();
    while let Some(row) = rows.next().await? {
        expected.numbers.extend(public_id_of(row.json).map(|id| number(&id)));
        for (name, _) in members(value_of(row.json, "custom").unwrap_or("{}")) {
            if !expected.names.contains(name.as_ref()) {
                expected.names.insert(name.into_owned());
            }
        }
    }
    Ok(expected)
}

/// Writes into the journal which fields keep public ids, and which are the bundle's, where it does not
/// know that.
fn remember(
    setup: &Setup,
    matched: &[KnownField],
    memory: &Memory,
    journal: &mut Journal,
) -> Result<()> {
    let markers = markers(setup).map(|(array, key)| {
        let (name, key) = (MARKER.to_owned(), key.to_owned());
        KnownField { array, name, key, source: None }
    });
    let all = markers.chain(matched.iter().cloned());
    for field in all.filter(|field| memory.key(field.array, &field.name) != Some(&field.key)) {
        journal.write(&Entry::from(&field))?;
    }
    Ok(())
}

/// Nothing is written while the field that is known to keep the public ids is not there: rows that are
/// there already would be created again.
fn recognizable(setup: &Setup, company: i64) -> Result<()> {
    let lost = OWNERS.into_iter().find_map(|array| Some((array, setup.lost_marker(array)?)));
    let Some((array, (key, why))) = lost else { return Ok(()) };
    let message = format!(
        "the custom field {key}, which keeps the public ids of {} in company {company}, {why}: without it \
         rows that were pushed before cannot be recognized, and would be created again. Restore the field \
         in Pipedrive; or, if they are to be created anew, name another --journal and remove \
         \"id_fields\" from the side-car FILE.context.json",
        array.name()
    );
    Err(Error::new(Kind::Data, message).at("--to pipedrive"))
}

/// Nothing is created while a field definition that cannot be read may be that of the public ids: rows
/// that are there already would be created again.
fn readable(setup: &Setup, plan: &Plan) -> Result<()> {
    let hidden = |array: &Array| plan.counts(*array).create > 0 && setup.may_hide_marker(*array);
    let Some(array) = Array::ALL.into_iter().find(hidden) else { return Ok(()) };
    let message = format!(
        "a definition of the account's fields cannot be read, and may be that of the field with the public          ids of {}: rows could be created twice; mend the field in Pipedrive, and push again",
        array.name()
    );
    Err(Error::new(Kind::Shape, message))
}

/// Writes into the side-car what this company could not hold, and which fields keep its public ids.
fn note(
    flags: &Flags,
    input: &Input,
    survey: &Survey,
    hold: &Hold<'_>,
    setup: &Setup,
) -> Result<()> {
    let company = setup.company;
    let stamp = Stamp { sha256: survey.sha256.clone(), bytes: survey.bytes };
    let context = input.context.clone();
    let mut context = context.unwrap_or_else(|| Context::empty(stamp, Source::default()));
    let lost = hold.losses.iter().map(|((array, field), (reason, rows))| Unmapped {
        resource: array.name().to_owned(),
        field: field.clone(),
        rows: *rows,
        reason: reason.clone(),
    });
    context.note_id_fields(company, markers(setup));
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
