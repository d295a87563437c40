//! The retry loop of every request to Pipedrive: send it, read the response, repeat it if the response
//! cannot be read.

use super::client::{Answer, Client, Step};
use super::request::Request;
use super::retry::DOUBTS_MAX;
use crate::model::{Error, Kind, Result};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

impl Client {
    /// Asks until there is an answer that `parse` can read, a failure, or no attempt left.
    ///
    /// An answer with status 200 that `parse` refuses (cut JSON, `null`, `success: false`) is a failed
    /// attempt like a 503: it is asked for again, and its error is the outcome only after the last
    /// attempt. A request that must not arrive twice is not sent again: its caller gets that error.
    pub async fn ask<T>(
        &self,
        mut request: Request,
        mut parse: impl FnMut(&Answer) -> Result<T>,
    ) -> Result<T> {
        loop {
            let parse = async |answer: &Answer| parse(answer);
            match self.attempt(&mut request, parse).await? {
                Step::Done(done) => return Ok(done),
                Step::Wait { pause, .. } => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Makes one attempt of [`Client::ask`]: the one place where an answer is read. The caller sleeps, so it can tell others that it does.
    pub async fn attempt<T>(
        &self,
        request: &mut Request,
        parse: impl AsyncFnOnce(&Answer) -> Result<T>,
    ) -> Result<Step<T>> {
        match self.step(request).await? {
            Step::Done(answer) => match parse(&answer).await {
                Ok(done) => Ok(Step::Done(done)),
                Err(error) if error.kind() == Kind::Shape && is_settled(&answer.body) => {
                    request.shapes += 1;
                    if request.shapes <= DOUBTS_MAX {
                        return self.lost(request, self.told(error));
                    }
                    let placed =
                        if error.place().is_some() { error } else { error.at(&request.path) };
                    Err(self.told(placed))
                }
                Err(error) => self.lost(request, self.told(error)),
            },
            Step::Wait { pause, limited } => Ok(Step::Wait { pause, limited }),
        }
    }
}

/// Whether an answer came whole and says nothing of a failure: asked again, it will be the same.
fn is_settled(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Whole {
        #[serde(default)]
        success: Option<bool>,
    }
    if std::str::from_utf8(body).is_err() {
        return false;
    }
    match serde_json::from_slice::<Whole>(body) {
        Ok(whole) => whole.success != Some(false),
        // Too deep to be looked into, and not cut off.
        Err(error) => error.is_syntax() && error.to_string().starts_with("recursion limit"),
    }
}

#[derive(Deserialize)]
struct One<'a> {
    success: bool,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// What a successful answer holds as `data`; `None` when that is null, or when there is no body at all
/// (204). For [`Client::ask`]: anything else is a [`Kind::Shape`] error.
pub fn data(answer: &Answer) -> Result<Option<Bytes>> {
    if answer.body.is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice::<One<'_>>(&answer.body) {
        Ok(One { success: true, data }) => {
            Ok(data.map(|data| answer.body.slice_ref(data.get().as_bytes())))
        }
        Ok(_) => Err(Error::new(Kind::Shape, "answer is no success")),
        Err(error) => Err(Error::new(Kind::Shape, "answer is not a row").because(error)),
    }
}
