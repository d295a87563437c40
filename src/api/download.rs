//! The bytes of a file, as they come.

use super::client::{Client, Step, unreachable};
use super::request::Request;
use crate::model::{Error, Kind, Result};
use bytes::Bytes;
use reqwest::header::LOCATION;
use reqwest::{Response, Url};

/// Redirects that are followed. Whether Pipedrive redirects downloads at all is UNVERIFIED (API
/// facts 2.3).
const REDIRECTS_MAX: usize = 3;

/// A file that is coming.
#[derive(Debug)]
pub struct Download {
    response: Response,
}

impl Download {
    /// The next bytes; `None` when all have come. A connection that breaks off is a
    /// [`Kind::Network`] error: the file may be asked for again.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.response.chunk().await.map_err(unreachable)
    }
}

impl Client {
    /// Makes one attempt at a file; the caller sleeps.
    ///
    /// A redirect to a storage is followed, but the token never goes with it: only the request to
    /// Pipedrive itself carries one.
    pub async fn download(&self, request: &mut Request) -> Result<Step<Download>> {
        let mut response = match self.open(request).await? {
            Step::Done(response) => response,
            Step::Wait { pause, limited } => return Ok(Step::Wait { pause, limited }),
        };
        for _ in 0..REDIRECTS_MAX {
            let target = match target(&response) {
                Ok(Some(target)) => target,
                Ok(None) => break,
                Err(error) if error.kind() == Kind::Shape => return self.lost(request, error),
                Err(error) => return Err(error.at(request.path())),
            };
            response = match self.http.get(target).send().await.map_err(unreachable) {
                Ok(response) => response,
                Err(error) => return self.lost(request, error),
            };
        }
        if response.status().is_success() {
            return Ok(Step::Done(Download { response }));
        }
        match self.judge(request, response).await? {
            Step::Wait { pause, limited } => Ok(Step::Wait { pause, limited }),
            Step::Done(_) => Err(Error::new(Kind::Bug, "answer is a failure and a success")),
        }
    }

    /// An attempt at a file that brought something else: again after a pause, or the error at last.
    pub fn spoilt(&self, request: &mut Request, error: Error) -> Result<Step<Download>> {
        self.lost(request, error)
    }
}

/// Where an answer redirects to, if it does.
fn target(response: &Response) -> Result<Option<Url>> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| response.url().join(location).ok());
    let target = target.ok_or_else(|| Error::new(Kind::Shape, "redirect leads nowhere"))?;
    let loopback = matches!(target.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if target.scheme() == "https" || loopback && target.scheme() == "http" {
        Ok(Some(target))
    } else {
        Err(Error::new(Kind::Refused, "redirect leads to a place that is not safe"))
    }
}
