//! HTTP requests to a bucket: their timeouts and retries.

use crate::model::{Error, Kind, Proxy, Result, address, address_is_neighbour, is_this_machine};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Certificate, ClientOptions, GetOptions, GetRange, ObjectStore,
    ObjectStoreExt as _, RetryConfig,
};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Longest time from the first attempt at a request to the last: as long as a server may ask to slow
/// down.
const RETRY_TIMEOUT: Duration = Duration::from_mins(1);
/// First pause between two attempts, and the shortest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The maximum ratio of a pause to the previous one. The pause is random between the minimum and that
/// limit, so a ratio of 2 would not increase the average.
const PAUSE_GROWTH: f64 = 4.0;
/// Attempts after the first. Never what ends them: so many of the shortest pauses take longer than
/// [`RETRY_TIMEOUT`].
const RETRIES_MAX: usize = 1_000;
/// Longest silence before an answer, or within one.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// The slowest accepted upload, in bytes per second. The progress of an upload is unknown, so it may take
/// as long as its bytes need at this rate, and [`SILENCE_MAX`] for the response.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 16 << 10;
/// Times that reading an object is taken up again without a byte that is new.
const RESUMES_MAX: u32 = 5;

/// A proxy exception list that covers all names and all addresses: `*` covers only names.
const EVERY_HOST: &str = "*,0.0.0.0/0,::/0";

/// Returns the rules for repeating a request.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: PAUSE_MIN,
            max_backoff: PAUSE_MAX,
            base: PAUSE_GROWTH,
        },
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_TIMEOUT,
    }
}

/// Returns the connection options, with additional trusted certificates. A response has no total time
/// limit, only a limit on silence.
pub(super) fn options(plain: bool, trusted: &[Vec<u8>]) -> Result<ClientOptions> {
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_read_timeout(SILENCE_MAX)
        .with_allow_http(plain);
    trusted.iter().try_fold(options, |options, certificate| {
        let certificate = Certificate::from_der(certificate).map_err(|error| {
            Error::new(Kind::Config, "is no certificate").at("AWS_CA_BUNDLE").because(error)
        })?;
        Ok(options.with_root_certificate(certificate))
    })
}

/// Creates clients that use this proxy for encrypted requests. Plain http requests, and requests to this
/// machine or to link-local addresses, bypass the proxy, because it could read them.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) proxy: Option<Proxy>,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let make = |options: &ClientOptions| ReqwestConnector::default().connect(options);
        // A proxy that excludes every host also disables the proxy of the environment.
        let direct = |options: &ClientOptions| {
            options.clone().with_proxy_url("http://127.0.0.1:9").with_proxy_excludes(EVERY_HOST)
        };
        let usual = |options: &ClientOptions| match &self.proxy {
            Some(proxy) => {
                options.clone().with_proxy_url(&proxy.url).with_proxy_excludes(&proxy.excludes)
            }
            None => direct(options),
        };
        let sending = options.clone().with_read_timeout_disabled();
        Ok(HttpClient::new(Clients {
            usual: make(&usual(options))?,
            direct: make(&direct(options))?,
            usual_sending: make(&usual(&sending))?,
            direct_sending: make(&direct(&sending))?,
        }))
    }
}

#[derive(Debug)]
struct Clients {
    usual: HttpClient,
    direct: HttpClient,
    /// The clients for requests with a body, which have no limit on silence.
    usual_sending: HttpClient,
    direct_sending: HttpClient,
}

impl HttpService for Clients {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> BoxFuture<'f, Result<HttpResponse, HttpError>>
    where
        's: 'f,
    {
        let direct = is_direct(request.uri().scheme_str(), request.uri().host());
        let bytes = request.body().content_length() as u64;
        let client = match (direct, bytes > 0) {
            (true, false) => &self.direct,
            (false, false) => &self.usual,
            (true, true) => &self.direct_sending,
            (false, true) => &self.usual_sending,
        };
        Box::pin(async move {
            if bytes == 0 {
                return client.execute(request).await;
            }
            // Responses to these requests are short. The time limit includes them.
            let answer = async {
                let (head, body) = client.execute(request).await?.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok(HttpResponse::from_parts(head, body.into()))
            };
            tokio::time::timeout(patience(bytes), answer).await.unwrap_or_else(|_| {
                let error = io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
                Err(HttpError::new(HttpErrorKind::Timeout, error))
            })
        })
    }
}

/// Returns whether a request bypasses the proxy, which could read unencrypted data.
fn is_direct(scheme: Option<&str>, host: Option<&str>) -> bool {
    scheme != Some("https") || host.is_some_and(is_near)
}

/// Returns whether a host is this machine or link-local. Services that provide credentials have such
/// addresses, and a proxy reaches other ones.
fn is_near(host: &str) -> bool {
    is_this_machine(host) || address(host).is_some_and(address_is_neighbour)
}

/// Returns the time limit for sending this number of bytes and receiving the response.
fn patience(bytes: u64) -> Duration {
    SILENCE_MAX + Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND_MIN)
}

/// Reads the bytes of an object without a time limit. After an interruption the rest of the same version
/// is requested.
pub(super) async fn read(
    objects: Arc<dyn ObjectStore>,
    path: Path,
) -> object_store::Result<BoxStream<'static, object_store::Result<Bytes>>> {
    let found = objects.get(&path).await?;
    let reading = Reading {
        end: found.range.end,
        at: found.range.start,
        tag: found.meta.e_tag.clone(),
        resumes: 0,
        bytes: found.into_stream(),
        objects,
        path,
    };
    Ok(stream::try_unfold(reading, Reading::next).boxed())
}

/// Reads all bytes of an object, with the same time limits.
pub(super) async fn read_whole(
    objects: Arc<dyn ObjectStore>,
    path: Path,
) -> object_store::Result<Bytes> {
    let mut pieces = read(objects, path).await?;
    let mut bytes = BytesMut::new();
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// An object that is being read.
struct Reading {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    tag: Option<String>,
    bytes: BoxStream<'static, object_store::Result<Bytes>>,
    at: u64,
    end: u64,
    /// The number of resumptions since the last received byte.
    resumes: u32,
}

impl Reading {
    async fn next(mut self) -> object_store::Result<Option<(Bytes, Self)>> {
        loop {
            let error = match self.bytes.try_next().await {
                Ok(Some(bytes)) => {
                    self.at += bytes.len() as u64;
                    self.resumes = 0;
                    return Ok(Some((bytes, self)));
                }
                Ok(None) => return Ok(None),
                Err(error) => error,
            };
            // Without a tag the remaining bytes might belong to another version.
            if self.resumes >= RESUMES_MAX || self.tag.is_none() || self.at >= self.end {
                return Err(error);
            }
            self.resumes += 1;
            let rest = GetOptions {
                range: Some(GetRange::Bounded(self.at..self.end)),
                ..GetOptions::default()
            };
            match self.objects.get_opts(&self.path, rest).await {
                Ok(found) if found.range.start == self.at && found.meta.e_tag == self.tag => {
                    self.bytes = found.into_stream();
                }
                _ => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time limit ends the attempts, not their number.
    #[test]
    fn a_request_is_made_again_for_a_whole_minute() {
        let retries = retries();
        let count = u32::try_from(retries.max_retries).expect("a small number");
        assert!(retries.backoff.init_backoff * count > retries.retry_timeout);
        assert_eq!(retries.retry_timeout, Duration::from_mins(1));
        assert!(retries.backoff.max_backoff < retries.retry_timeout / 10);
    }

    #[test]
    fn a_proxy_sees_nothing_that_is_not_encrypted() {
        for (scheme, host) in [
            ("http", "store.example.test"),
            ("https", "127.0.0.1"),
            ("https", "localhost"),
            ("http", "169.254.169.254"),
        ] {
            assert!(is_direct(Some(scheme), Some(host)), "{scheme}://{host}");
        }
        assert!(!is_direct(Some("https"), Some("store.example.test")));
    }

    #[test]
    fn an_upload_may_take_as_long_as_its_bytes_need() {
        assert_eq!(patience(1), SILENCE_MAX);
        assert_eq!(patience(16 << 20), SILENCE_MAX + Duration::from_secs(1_024));
    }
}
