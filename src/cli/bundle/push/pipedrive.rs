//! Pushes a bundle into Pipedrive: plan, write row by row, verify.

use super::confirm::confirm;
use super::report::{Itself, Report};
use super::{Input, checked, journal, pushed, whose};
use crate::bundle::map::{AccountSetup, Expected, PUBLIC_ID_FIELD, Pins};
use crate::bundle::pipedrive::{
    IdMap, MissingFields, PipedriveProjection, prepare, send_plan, tokens,
};
use crate::bundle::push::{
    Begin, Entry, Fates, JOURNAL_VERSION, Journal, Known, KnownField, Memory, Plan, Stages, verify,
};
use crate::bundle::{
    CustomField, Entity, Forms, Index, Reader, Sidecar, Source, Stamp, Survey, Unmapped, number,
    public_id_of, value_of,
};
use crate::cli::bundle::args::Push as Flags;
use crate::cli::format::grouped;
use crate::cli::interrupt::interrupted;
use crate::cli::run::{Run, Stop};
use crate::cli::setup::now;
use crate::model::{Error, Kind, Result, members};
use std::path::Path;

/// The texts for rows that came from the account itself.
const ITSELF: Itself = Itself { place: "account", backup: "source-pipedrive backup --dir DIR" };
/// The name of Pipedrive in a journal.
const TARGET: &str = "pipedrive";
/// The arrays whose rows store their public ids in custom fields. Leads use the fields of opportunities.
const OWNERS: [Entity; 3] = [Entity::Accounts, Entity::Contacts, Entity::Opportunities];

/// Pushes a bundle into Pipedrive. Returns a report of the result.
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
    run.log_account(&account);
    let company = account.company()?;
    if !flags.as_copy {
        foreign(flags, input, company)?;
    }
    let memory = Journal::remember(&input.journal, TARGET, &company.to_string())?;
    let pins = pins(input.context.as_ref(), &memory, company);
    let mut setup = run.set_up(&account, pins, stop.as_mut()).await?;
    recognizable(&setup, company)?;
    let (path, _copy) = pushed(flags, &format!("pipedrive:{company}")).await?;
    let expected = expected(&path).await?;
    let mut there = expected.numbers.clone();
    setup.expect(expected);
    let place = (flags.file.as_path(), "target");
    let (exported, setup) = run.export_found(place, setup, &account, stop.as_mut()).await?;
    let scrap = exported.hold()?;
    let (mut index, _) = Index::of(scrap.path()).await?;
    there.extend(index.numbers());
    let survey = checked(flags, &path, input, &index).await?;
    let source = input.pipelines();
    let stages = || Stages::new(source.clone(), setup.pipelines().to_vec(), &input.given);
    let needs = MissingFields::of(&survey, input.context.as_ref(), &setup).await?;
    let known = Known { company: Some(company), memory: Some(&memory) };
    let fates = Fates::of(&survey, &mut index, &known, flags.recreate_deleted).await?;
    let forms = input.context.as_ref().zip(survey.head.organization());
    let forms = forms.and_then(|(context, organization)| context.forms.get(&organization));
    let forms = forms.map(|forms| Forms::of(forms));
    let hold = PipedriveProjection::new(&setup, &needs, stages()?, &fates, &there);
    let mut hold = hold.through(forms.as_ref());
    let own = |entity, id: &str| is_own(company, entity, id);
    let row = |entity, json: &str, there: Option<&str>| Ok(hold.row(entity, json, there));
    let plan = Plan::of(&survey, &mut index, &fates, own, row).await?;
    readable(&setup, &plan)?;
    let matched = needs.matched.clone();
    let found = needs.clone().of_plan(&plan);
    let mut report = Report {
        bundle: flags.file.display().to_string(),
        from: whose(input.context.as_ref(), &survey),
        to: format!("Pipedrive company {company} ({})", account.company_domain),
        itself: ITSELF,
        dry_run: flags.dry_run,
        stages: hold.stages.used(),
        losses: hold.losses,
        kept: hold.kept,
        left_out: hold.left_out,
        fields: found.fields.iter().map(|f| (f.entity, f.name.clone(), f.ty.clone())).collect(),
        tokens: Some(tokens(&plan, &found)),
        gone: fates.gone.clone(),
        recreated: flags.recreate_deleted,
        plan,
        ..Report::default()
    };
    let needs = found;
    if flags.dry_run {
        return Ok(report);
    }
    confirm(flags, &mut report, &mut run.progress, stop.as_mut()).await?;
    if report.declined {
        return Ok(report);
    }
    let plan = &report.plan;
    let begin = Begin {
        version: JOURNAL_VERSION,
        tool: Sidecar::tool(),
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
            // The keys of the created fields are known now.
            known = run.set_up_again(known, stop.as_mut()).await?;
            known = known.pinned(|pins| created.iter().for_each(|field| pin(pins, field)));
        }
        let none = MissingFields::default();
        let hold = PipedriveProjection::new(&known, &none, stages()?, &fates, &there);
        let mut hold = hold.through(forms.as_ref()).for_sending();
        let mut ids = IdMap::of(scrap.path()).await?;
        ids.know(&fates);
        let (client, work) = (run.client.clone(), plan.work());
        let progress = &mut run.progress;
        let sending = send_plan(
            &survey,
            plan,
            (&mut index, &fates),
            &client,
            &known,
            &mut ids,
            &mut journal,
            |entity, json, there| hold.row(entity, json, there),
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
    report.earlier = earlier.kept(plan);
    let none = MissingFields::default();
    let hold = PipedriveProjection::new(&known, &none, stages()?, &fates, &there);
    let mut hold = hold.through(forms.as_ref()).for_checking();
    let pushed = |entity: Entity, row: u64| earlier.sent(entity, row) || plan.sends(entity, row);
    let row = |entity: Entity, json: &str, there: Option<&str>| Ok(hold.row(entity, json, there));
    let verified = verify(&survey, &mut index, &fates, row, pushed).await?;
    journal.write(&verified.entry())?;
    note(flags, input, &survey, &report, &known)?;
    report.verified = Some(verified);
    report.tokens = Some(run.client.spending().tokens);
    Ok(report)
}

/// Returns whether a public id was generated from an id of this company.
fn is_own(company: i64, entity: Entity, public_id: &str) -> bool {
    let rest = public_id.strip_prefix(entity.prefix()).and_then(|id| id.strip_prefix("pd"));
    let rest = rest.and_then(|id| id.strip_prefix(&company.to_string()));
    rest.is_some_and(|id| id.starts_with('_'))
}

/// Returns the field keys that the journal and the side-car record for the company. They stay valid when a
/// field is renamed.
fn pins(context: Option<&Sidecar>, memory: &Memory, company: i64) -> Pins {
    let mut pins = Pins::default();
    let own = context.is_some_and(|context| context.source.company_id == Some(company));
    let fields = context.iter().flat_map(|context| &context.fields);
    let fields: Vec<_> = fields
        .filter_map(|(entity, fields)| Some((Entity::named(entity)?, fields)))
        .flat_map(|(entity, fields)| fields.iter().map(move |field| (entity, field)))
        .collect();
    for (entity, field) in fields.iter().filter(|_| own) {
        pins.name(*entity, &field.key, &field.name);
    }
    for entity in OWNERS {
        if let Some(key) = context.and_then(|context| context.id_field(company, entity)) {
            pins.marker(entity, key);
        }
    }
    for known in memory.fields() {
        pin(&mut pins, known);
        // The name may also have changed in the source account.
        let source = |(entity, field): &&(Entity, &CustomField)| {
            *entity == known.entity && known.source.as_ref() == Some(&field.key)
        };
        if let Some((entity, field)) = fields.iter().find(source) {
            pins.name(*entity, &known.key, &field.name);
        }
    }
    pins
}

fn pin(pins: &mut Pins, field: &KnownField) {
    if field.name == PUBLIC_ID_FIELD {
        pins.marker(field.entity, &field.key);
    } else {
        pins.name(field.entity, &field.key, &field.name);
    }
}

/// Returns the fields that store public ids.
fn markers(setup: &AccountSetup) -> impl Iterator<Item = (Entity, &str)> {
    OWNERS.into_iter().filter_map(|entity| Some((entity, setup.marker(entity)?)))
}

/// Returns the public ids and custom field names of a bundle, by which its fields and rows are recognized.
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

/// Writes the fields that store public ids, and the fields that match those of the bundle, into the
/// journal, unless it already contains them.
fn remember(
    setup: &AccountSetup,
    matched: &[KnownField],
    memory: &Memory,
    journal: &mut Journal,
) -> Result<()> {
    let markers = markers(setup).map(|(entity, key)| {
        let (name, key) = (PUBLIC_ID_FIELD.to_owned(), key.to_owned());
        KnownField { entity, name, key, source: None }
    });
    let all = markers.chain(matched.iter().cloned());
    for field in all.filter(|field| memory.key(field.entity, &field.name) != Some(&field.key)) {
        journal.write(&Entry::from(&field))?;
    }
    Ok(())
}

/// Returns an error if the recorded field for public ids is missing. Without it existing rows would be
/// created again.
fn recognizable(setup: &AccountSetup, company: i64) -> Result<()> {
    let lost = OWNERS.into_iter().find_map(|entity| Some((entity, setup.lost_marker(entity)?)));
    let Some((entity, (key, why))) = lost else { return Ok(()) };
    let message = format!(
        "the custom field {key}, which keeps the public ids of {} in company {company}, {why}: without it \
         rows that were pushed before cannot be recognized, and would be created again. Restore the field \
         in Pipedrive; or, if they are to be created again, name another --journal and remove \
         \"id_fields\" from the side-car FILE.context.json",
        entity.name()
    );
    Err(Error::new(Kind::Data, message).at("--to pipedrive"))
}

/// Returns an error if rows are to be created while an unreadable field definition may be the field for
/// public ids. Existing rows would be created again.
fn readable(setup: &AccountSetup, plan: &Plan) -> Result<()> {
    let hidden =
        |entity: &Entity| plan.counts(*entity).create > 0 && setup.may_hide_marker(*entity);
    let Some(entity) = Entity::ALL.into_iter().find(hidden) else { return Ok(()) };
    let message = format!(
        "a definition of the account's fields cannot be read, and may be that of the field with the public          ids of {}: rows could be created twice; mend the field in Pipedrive, and push again",
        entity.name()
    );
    Err(Error::new(Kind::Shape, message))
}

/// Writes the values that this company could not store, and the fields that store its public ids, into the
/// side-car.
fn note(
    flags: &Flags,
    input: &Input,
    survey: &Survey,
    report: &Report,
    setup: &AccountSetup,
) -> Result<()> {
    let company = setup.company;
    let stamp = Stamp { sha256: survey.sha256.clone(), bytes: survey.bytes };
    let context = input.context.clone();
    let mut context = context.unwrap_or_else(|| Sidecar::empty(stamp, Source::default()));
    let lost = |entity: Entity, field: &str, rows: u64, reason: &str| Unmapped {
        resource: entity.name().to_owned(),
        field: field.to_owned(),
        rows,
        reason: reason.to_owned(),
    };
    let fields = report.losses.iter().chain(&report.kept);
    let fields = fields.map(|((entity, field), (why, rows))| lost(*entity, field, *rows, why));
    let rows = report.left_out.iter().map(|((entity, why), rows)| lost(*entity, "*", *rows, why));
    context.note_id_fields(company, markers(setup));
    // Existing rows do not count as a loss again, so the larger count of an earlier push is kept.
    let key = format!("pipedrive:{company}");
    let mut all = context.lost.remove(&key).unwrap_or_default();
    for new in fields.chain(rows) {
        match all.iter_mut().find(|old| old.resource == new.resource && old.field == new.field) {
            Some(old) if old.rows <= new.rows => *old = new,
            Some(_) => {}
            None => all.push(new),
        }
    }
    context.lost.insert(key, all);
    context.write(&flags.file)
}

/// Returns an error for a bundle of another company, unless `--foreign` is given.
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
