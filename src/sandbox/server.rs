//! A running sandbox: HTTP/1.1 on 127.0.0.1, in a thread of its own.

use super::account_state::AccountState;
use super::apply_fault::Delivery;
use super::edit::Edit;
use super::faults::{DRIPS, Fault};
use super::oauth::{CLIENT_ID, CLIENT_SECRET};
use super::options::Options;
use super::request_log::RequestLog;
use super::service::{Incoming, Outgoing, Service};
use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::{Frame, Incoming as Body};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A running sandbox. Dropping it stops the server and closes its connections.
#[derive(Debug)]
pub struct Sandbox {
    origin: String,
    token: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Service>,
    latency: Duration,
    traffic: Mutex<Traffic>,
    hung: Mutex<bool>,
    hang: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Traffic {
    in_flight: usize,
    in_flight_most: usize,
    connections: u64,
}

/// Locks data that stays consistent when a test panics while it holds the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// Starts a server on 127.0.0.1.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port))?;
        listener.set_nonblocking(true)?;
        let origin = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (latency, token) = (options.latency, options.token.clone());
        let shared = Arc::new(Shared {
            desk: Mutex::new(Service::new(options, origin.clone(), Instant::now())),
            latency,
            traffic: Mutex::default(),
            hung: Mutex::new(false),
            hang: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sandbox".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, &serving) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { origin, token, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the origin, `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        self.origin.clone()
    }

    /// Returns a configuration that reads this account with its API token.
    pub fn config(&self) -> Value {
        json!({
            "base_url": self.origin,
            "credentials": {"auth_type": "token", "api_token": self.token},
            "backoff_millis": 1,
        })
    }

    /// Returns a configuration that reads this account over OAuth, with the current refresh token.
    pub fn oauth_config(&self) -> Value {
        let refresh = lock(&self.shared.desk).tokens.refresh_token().to_owned();
        json!({
            "base_url": self.origin,
            "credentials": {
                "auth_type": "oauth",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "refresh_token": refresh,
            },
            "backoff_millis": 1,
        })
    }

    /// Returns the key of an organization of the other CRM, by its index from 0. It is empty if there is
    /// none.
    pub fn crm_key(&self, organization: usize) -> String {
        lock(&self.shared.desk).crm.key(organization).unwrap_or_default()
    }

    /// Returns the rows of an organization of the other CRM, as its export contains them: `accounts`,
    /// `contacts`, `opportunities`, `leads` or `activities`.
    pub fn crm_rows(&self, organization: usize, array: &str) -> Vec<Bytes> {
        lock(&self.shared.desk).crm.rows(organization, array)
    }

    /// Returns the number of change events of an organization of the other CRM.
    pub fn crm_events(&self, organization: usize) -> usize {
        lock(&self.shared.desk).crm.events(organization)
    }

    /// Returns the requests so far.
    pub fn request_log(&self) -> RequestLog {
        let traffic = *lock(&self.shared.traffic);
        let mut request_log = lock(&self.shared.desk).request_log.clone();
        request_log.in_flight_most = traffic.in_flight_most;
        request_log.connections = traffic.connections;
        request_log
    }

    /// Reads or changes the account. Requests wait until it returns.
    pub fn state<R>(&self, look: impl FnOnce(&mut AccountState) -> R) -> R {
        look(&mut lock(&self.shared.desk).state)
    }

    /// Replaces the faults and the edits during a read. The request count restarts: the next request is
    /// number 1.
    pub fn replace_faults(&self, faults: Vec<Fault>, script: Vec<(u64, Edit)>) {
        lock(&self.shared.desk).replace_faults(faults, script);
        *lock(&self.shared.hung) = false;
    }

    /// Releases the threads that wait for a hanging request, because no request will hang.
    pub fn stop_waiting(&self) {
        *lock(&self.shared.hung) = true;
        self.shared.hang.notify_all();
    }

    /// Waits until a request has reached [`super::FaultKind::Hang`].
    pub fn wait_for_hang(&self) {
        let mut hung = lock(&self.shared.hung);
        while !*hung {
            hung = self.shared.hang.wait(hung).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The process has no file descriptors left. Others may be closed soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        lock(&shared.traffic).connections += 1;
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(Arc::clone(&shared), request));
            let http = hyper::server::conn::http1::Builder::new();
            // An error is a client that disconnected, or an injected fault.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The error of a body that fails on purpose.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Counts a request as in progress until it is dropped.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn begin(shared: &Arc<Shared>) -> Self {
        let mut traffic = lock(&shared.traffic);
        traffic.in_flight += 1;
        traffic.in_flight_most = traffic.in_flight_most.max(traffic.in_flight);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(&self.0.traffic).in_flight -= 1;
    }
}

async fn serve(
    shared: Arc<Shared>,
    request: Request<Body>,
) -> io::Result<Response<impl hyper::body::Body<Data = Bytes, Error = Failure>>> {
    let under_way = UnderWay::begin(&shared);
    let (head, body) = request.into_parts();
    let header = |name: &str| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let incoming = Incoming {
        method: head.method.as_str().to_owned(),
        path_and_query: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        token: header("x-api-token"),
        authorization: header("authorization"),
        content_type: header("content-type"),
        range: header("range"),
        if_range: header("if-range"),
        gzip: header("accept-encoding").is_some_and(|accepted| accepted.contains("gzip")),
        body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
    };
    let outgoing = lock(&shared.desk).respond(&incoming, Instant::now());
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    match outgoing.delivery {
        Delivery::Reset => return Err(io::Error::other("reset, as asked for")),
        Delivery::Hang => {
            *lock(&shared.hung) = true;
            shared.hang.notify_all();
            std::future::pending::<()>().await;
        }
        Delivery::Whole
        | Delivery::Cut
        | Delivery::CutAfter(_)
        | Delivery::Drip(_)
        | Delivery::Slow(_) => {}
    }
    Ok(response(outgoing, under_way))
}

/// Builds a response. The request is in progress until its body ends.
fn response(
    outgoing: Outgoing,
    under_way: UnderWay,
) -> Response<impl hyper::body::Body<Data = Bytes, Error = Failure>> {
    let length = outgoing.body.len();
    let mut response = Response::builder().status(outgoing.status);
    for (name, value) in outgoing.headers {
        response = response.header(name, value);
    }
    let body = outgoing.body.clone();
    let steps = match outgoing.delivery {
        Delivery::Cut => vec![Step::Send(body.slice(..length / 2)), Step::Cut],
        Delivery::CutAfter(bytes) if bytes < length => {
            vec![Step::Send(body.slice(..bytes)), Step::Cut]
        }
        Delivery::Slow(pause) => vec![
            Step::Send(body.slice(..length / 2)),
            Step::Pause(pause),
            Step::Send(body.slice(length / 2..)),
        ],
        Delivery::Drip(pause) => {
            let piece = length.div_ceil(DRIPS).max(1);
            let pieces = (0..length).step_by(piece);
            let pieces = pieces.map(|at| body.slice(at..length.min(at + piece)));
            pieces.flat_map(|piece| [Step::Pause(pause), Step::Send(piece)]).collect()
        }
        Delivery::Whole | Delivery::CutAfter(_) | Delivery::Reset | Delivery::Hang => Vec::new(),
    };
    let body = if steps.is_empty() {
        drop(under_way);
        Either::Right(Full::new(outgoing.body).map_err(|never| match never {}))
    } else {
        response = response.header("content-length", length);
        let steps =
            stream::unfold((steps.into_iter(), under_way), |(mut steps, under_way)| async {
                loop {
                    let frame: Result<_, Failure> = match steps.next()? {
                        Step::Pause(pause) => {
                            tokio::time::sleep(pause).await;
                            continue;
                        }
                        Step::Send(bytes) => Ok(Frame::data(bytes)),
                        Step::Cut => {
                            // The bytes sent so far must reach the client before the connection ends.
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            Err(io::Error::other("cut, as asked for").into())
                        }
                    };
                    return Some((frame, (steps, under_way)));
                }
            });
        Either::Left(StreamBody::new(Box::pin(steps)))
    };
    response.body(body).expect("our headers are well-formed")
}

/// A step of a body that is sent over time.
enum Step {
    Send(Bytes),
    Pause(Duration),
    Cut,
}
