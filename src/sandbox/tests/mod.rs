//! Tests that the sandbox obeys the rules that it checks in clients.

mod crm;
mod features;
mod fields;
mod habits;
mod reshape;
mod strict;
mod walks;
mod wire;
mod writes;

use super::account_state::AccountState;
use super::endpoints::{self, Answer};
use super::features::Features;
use super::habits::Habits;
use super::http_request::{Method, Request};
use super::options::Options;
use bytes::Bytes;
use serde_json::Value;

/// Returns the options of an account as documented, with every feature.
fn plain() -> Options {
    Options { features: Features::all(), habits: Habits::none(), ..Options::default() }
}

/// Returns the response to a GET.
fn get(state: &mut AccountState, options: &Options, path: &str) -> (u16, Value, Answer) {
    send(state, options, Method::Get, path, "")
}

fn send(
    state: &mut AccountState,
    options: &Options,
    method: Method,
    path: &str,
    body: &str,
) -> (u16, Value, Answer) {
    let request = Request::new(method, path, Bytes::copy_from_slice(body.as_bytes()));
    let answer = endpoints::answer(state, options, &request);
    let value = serde_json::from_slice(&answer.body()).expect("an answer is JSON");
    (answer.status, value, answer)
}
