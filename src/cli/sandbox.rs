//! `sandbox`: the simulated account as a server of its own.

use super::args::{Plan, Sandbox as Flags};
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
    writeln!(std::io::stdout(), "{config}").and_then(|()| std::io::stdout().flush()).map_err(
        |error| {
            let kind = match error.kind() {
                std::io::ErrorKind::BrokenPipe => Kind::Pipe,
                _ => Kind::Storage,
            };
            Error::new(kind, "cannot write to standard output").because(error)
        },
    )?;
    let text = format!(
        "a simulated Pipedrive account at {}; its configuration is the line on stdout; Ctrl-C ends it\n",
        sandbox.origin()
    );
    // Nobody is left to tell if stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
    sandbox.serve_forever();
    Ok(ExitCode::SUCCESS)
}

fn plan(plan: Plan) -> sandbox::Plan {
    match plan {
        Plan::Lite => sandbox::Plan::Lite,
        Plan::Growth => sandbox::Plan::Growth,
        Plan::Premium => sandbox::Plan::Premium,
        Plan::Ultimate => sandbox::Plan::Ultimate,
    }
}
