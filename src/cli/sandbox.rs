//! `sandbox`: the simulated account as a server of its own.

use super::args::{Edition, Sandbox as Flags};
use super::figures::grouped;
use super::interrupt::interrupted;
use super::setup::runtime;
use super::stdout;
use crate::model::{Error, Kind, Result};
use crate::sandbox::{self, Clock, Options, Sandbox};
use std::io::Write as _;
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
        limits: flags.plan.is_some(),
        plan: flags.plan.map_or(sandbox::Plan::Ultimate, plan),
        clock: Clock::Running,
        ..Options::default()
    };
    let port = flags.port;
    let sandbox = Sandbox::start(options).map_err(|error| {
        Error::new(Kind::Storage, "cannot listen").at(format!("127.0.0.1:{port}")).because(error)
    })?;
    // The configuration to read it with is the result; a script takes it from the first line.
    let mut config = sandbox.config();
    if let Some(object) = config.as_object_mut() {
        object.remove("backoff_millis");
    }
    stdout::print(&format!("{config}\n"))?;
    let text = format!(
        "a simulated Pipedrive account at {0}; its configuration is the line on stdout; Ctrl-C ends it\n\
         another CRM at {0}; its two organizations have the keys {1} and {2}\n",
        sandbox.origin(),
        sandbox.crm_key(0),
        sandbox.crm_key(1)
    );
    // Nobody is left to tell if stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
    runtime()?.block_on(interrupted());
    let ledger = sandbox.ledger();
    let text = format!(
        "asked {} times over {} connections, {} tokens\n",
        grouped(ledger.requests.len() as u64),
        grouped(ledger.connections),
        grouped(ledger.tokens)
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn plan(plan: Edition) -> sandbox::Plan {
    match plan {
        Edition::Lite => sandbox::Plan::Lite,
        Edition::Growth => sandbox::Plan::Growth,
        Edition::Premium => sandbox::Plan::Premium,
        Edition::Ultimate => sandbox::Plan::Ultimate,
    }
}
