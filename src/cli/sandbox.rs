//! `sandbox`: runs the simulated account as a server.

use super::args::{Edition, Sandbox as Flags};
use super::format::grouped;
use super::interrupt::interrupted;
use super::setup::runtime;
use super::text::Text;
use super::{stderr, stdout};
use crate::model::{Error, Kind, Result};
use crate::sandbox::{self, Clock, Features, Lack, Options, Sandbox};
use std::process::ExitCode;
use std::time::Duration;

pub(super) fn serve(flags: &Flags) -> Result<ExitCode> {
    let faults = flags.fault.iter().map(|spec| {
        spec.parse()
            .map_err(|why: String| Error::new(Kind::Usage, why).at(format!("--fault {spec}")))
    });
    let options = Options {
        seed: flags.seed,
        scale: flags.scale,
        port: flags.port,
        company_id: flags.company_id,
        latency: Duration::from_millis(flags.latency_ms),
        faults: faults.collect::<Result<_>>()?,
        clock: Clock::Running,
        ..simulated(flags.plan, flags.everything, &flags.lacks)
    };
    let port = flags.port;
    let sandbox = Sandbox::start(options).map_err(|error| {
        Error::new(Kind::Storage, "cannot listen").at(format!("127.0.0.1:{port}")).because(error)
    })?;
    // The configuration of the sandbox is the result. A script reads it from the first line.
    let mut config = sandbox.config();
    if let Some(object) = config.as_object_mut() {
        object.remove("backoff_millis");
    }
    stdout::programs(&format!("{config}\n"))?;
    let origin = sandbox.origin();
    let mut text = Text::of(format!(
        "a simulated Pipedrive account at {origin}; its configuration is the line on stdout; Ctrl-C ends it"
    ));
    text.line(format!(
        "another CRM at {origin}; its two organizations have the keys {} and {}",
        sandbox.crm_key(0),
        sandbox.crm_key(1)
    ));
    stderr::people(&text);
    runtime()?.block_on(interrupted());
    let request_log = sandbox.request_log();
    stderr::people(&Text::of(format!(
        "asked {} times over {} connections, {} tokens",
        grouped(request_log.requests.len() as u64),
        grouped(request_log.connections),
        grouped(request_log.tokens)
    )));
    Ok(ExitCode::SUCCESS)
}

/// Returns options for an account of this plan, or of the default one. The limits of a plan apply only if
/// the plan is named.
pub(super) fn simulated(edition: Option<Edition>, everything: bool, lacks: &[Lack]) -> Options {
    let usual = Options::default();
    let plan = edition.map(plan);
    let features = match plan {
        _ if everything => Features::all(),
        Some(plan) => Features::of(plan),
        None => usual.features,
    };
    Options {
        limits: plan.is_some(),
        plan: plan.unwrap_or(sandbox::Plan::Ultimate),
        features: lacks.iter().copied().fold(features, Features::lacking),
        ..usual
    }
}

fn plan(plan: Edition) -> sandbox::Plan {
    match plan {
        Edition::Lite => sandbox::Plan::Lite,
        Edition::Growth => sandbox::Plan::Growth,
        Edition::Premium => sandbox::Plan::Premium,
        Edition::Ultimate => sandbox::Plan::Ultimate,
    }
}
