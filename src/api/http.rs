//! Builds the HTTP clients: one with a proxy, one without, and one that follows redirects to other hosts.

use crate::model::{
    Error, Kind, Proxy, Result, Variables, address, address_is_neighbour, address_is_this_machine,
    certificates, is_this_machine,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{ClientBuilder, NoProxy, Url};
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The longest time to establish a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// HTTP clients with common rules: redirects are checked before they are followed, a response has no
/// total time limit, and a silent connection times out.
#[derive(Debug)]
pub(super) struct Http {
    user_agent: String,
    silence: Duration,
    /// Whether the account is on this machine, so that its storage may be too.
    local: bool,
    /// One client per [`Route`], created on first use.
    clients: [OnceLock<reqwest::Client>; 3],
}

/// The route of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Without any proxy, for this machine. A proxy would see the token in clear text.
    Direct,
    /// Through the proxy of the environment, if there is one. The connection is always encrypted.
    Usual,
    /// The same, but never to an address of this machine or its neighbours, whatever the host name.
    Guarded,
}

impl Http {
    /// Returns clients for a service at this origin, with this limit for a silent connection.
    pub(super) fn new(origin: &str, user_agent: String, silence: Duration) -> Result<Self> {
        // Both binaries and tests come here; installing a second time is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let local = Url::parse(origin).is_ok_and(|url| way(&url) == Route::Direct);
        let http = Self { user_agent, silence, local, clients: Default::default() };
        http.client(if local { Route::Direct } else { Route::Usual })?;
        Ok(http)
    }

    /// Returns the client for our own request to this URL.
    pub(super) fn to(&self, url: &Url) -> Result<&reqwest::Client> {
        self.client(way(url))
    }

    /// Returns the client for a redirect to this URL. Returns an error if the redirect must not be
    /// followed.
    ///
    /// Other hosts are reached over https only. A neighbour on the link and a metadata service are never
    /// reached, and this machine only if the account itself is on it. A proxy resolves names itself, so
    /// only addresses and `localhost` are refused if there is one.
    pub(super) fn led_to(&self, url: &Url) -> Result<&reqwest::Client> {
        let here = way(url) == Route::Direct;
        let neighbour = url.host_str().and_then(address).is_some_and(address_is_neighbour);
        if neighbour || here && !self.local {
            return Err(forbidden());
        }
        match url.scheme() {
            "https" | "http" if here => self.client(Route::Direct),
            "https" => self.client(Route::Guarded),
            _ => Err(Error::new(Kind::Refused, "redirect leads to a place that is not safe")),
        }
    }

    fn client(&self, way: Route) -> Result<&reqwest::Client> {
        let place = &self.clients[way as usize];
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(self.silence)
            .tcp_nodelay(true);
        let env: Variables<'_> = &|name| std::env::var_os(name);
        let builder = match way {
            Route::Direct => builder.no_proxy(),
            Route::Usual => proxied(builder, env)?,
            Route::Guarded => proxied(builder, env)?
                .dns_resolver(Arc::new(Guard { local: self.local, look_up: by_system })),
        };
        let client = builder.build().map_err(|error| untrusting(error, env))?;
        Ok(place.get_or_init(|| client))
    }
}

/// Adds the proxy of the environment, and certificates that can be read.
fn proxied(builder: ClientBuilder, env: Variables<'_>) -> Result<ClientBuilder> {
    if let Some(file) = env("SSL_CERT_FILE").filter(|file| !file.is_empty()) {
        certificates("SSL_CERT_FILE", std::fs::read(file))?;
    }
    // Only validated settings are used: the library ignores those that it does not understand.
    let builder = builder.no_proxy();
    let Some(proxy) = Proxy::of(env)? else { return Ok(builder) };
    let made = reqwest::Proxy::https(&proxy.url).map_err(|error| {
        Error::new(Kind::Config, "is no proxy's address").at("HTTPS_PROXY").because(error)
    })?;
    Ok(builder.proxy(made.no_proxy(NoProxy::from_string(&proxy.excludes))))
}

/// Returns the error of a client that cannot be built: there are no certificates that it could trust.
fn untrusting(error: reqwest::Error, env: Variables<'_>) -> Error {
    let place = ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().find(|name| env(name).is_some());
    let message = "no certificates could be read that servers are known by";
    Error::new(Kind::Config, message).at(place.unwrap_or("this machine")).because(error)
}

fn way(url: &Url) -> Route {
    if url.host_str().is_some_and(is_this_machine) { Route::Direct } else { Route::Usual }
}

fn forbidden() -> Error {
    Error::new(Kind::Refused, Forbidden.to_string())
}

/// Why a redirect is not followed.
#[derive(Debug)]
struct Forbidden;

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redirect leads to an address of this machine or its network link: refused")
    }
}

impl StdError for Forbidden {}

/// Returns the error if a request was not sent because of the address of its host name.
pub(super) fn was_forbidden(error: &reqwest::Error) -> Option<Error> {
    let mut cause: Option<&dyn StdError> = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return Some(forbidden());
        }
        cause = error.source();
    }
    None
}

/// A resolver that refuses forbidden addresses of redirect targets.
struct Guard {
    local: bool,
    look_up: fn(&str) -> io::Result<Vec<SocketAddr>>,
}

fn by_system(name: &str) -> io::Result<Vec<SocketAddr>> {
    Ok((name, 0).to_socket_addrs()?.collect())
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (local, look_up) = (self.local, self.look_up);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let by_name = is_this_machine(&host);
            let found = tokio::task::spawn_blocking(move || look_up(&host)).await??;
            let refused = found.iter().map(SocketAddr::ip).any(|ip| {
                // A redirect to `localhost` does not come here: by this name a proxy is looked up.
                address_is_neighbour(ip) || address_is_this_machine(ip) && !local && !by_name
            });
            if refused {
                return Err(Forbidden.into());
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(origin: &str) -> Http {
        Http::new(origin, "test".to_owned(), Duration::from_secs(5)).expect("a client")
    }

    /// Returns the route of a redirect, or why it is refused.
    fn led(http: &Http, url: &str) -> String {
        let url = Url::parse(url).expect("a URL");
        match http.led_to(&url) {
            Err(error) => format!("{:?}", error.kind()),
            Ok(client) => {
                let same = |way: Route| {
                    http.clients[way as usize].get().is_some_and(|one| std::ptr::eq(one, client))
                };
                let ways = [Route::Direct, Route::Usual, Route::Guarded];
                format!("{:?}", ways.into_iter().find(|way| same(*way)).expect("one of them"))
            }
        }
    }

    const HERE: [&str; 8] = [
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://0x7f000001/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://0.0.0.0/x",
        "https://localhost/x",
        "https://a.localhost:8443/x",
    ];
    const NEAR: [&str; 5] = [
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://[fd00:ec2::254]/x",
        "http://169.254.169.254/x",
    ];

    #[test]
    fn redirects_lead_to_this_machine_only_when_the_account_is_here() {
        let (far, here) = (http("https://acme.pipedrive.com"), http("http://127.0.0.1:9"));
        for url in HERE {
            assert_eq!(led(&far, url), "Refused", "{url}");
            assert_eq!(led(&here, url), "Direct", "{url}");
        }
        assert_eq!(led(&here, "http://localhost:9/x"), "Direct");
        for url in NEAR {
            assert_eq!(led(&far, url), "Refused", "{url}");
            assert_eq!(led(&here, url), "Refused", "{url}");
        }
        for url in ["http://storage.example.test/x", "ftp://storage.example.test/x"] {
            assert_eq!(led(&far, url), "Refused", "{url}");
        }
        assert_eq!(led(&far, "https://storage.example.test/x"), "Guarded");
        assert_eq!(led(&far, "https://8.8.8.8/x"), "Guarded");
    }

    #[test]
    fn this_machine_is_never_asked_through_a_proxy() {
        for url in HERE {
            assert_eq!(way(&Url::parse(url).expect("a URL")), Route::Direct, "{url}");
        }
        assert_eq!(way(&Url::parse("https://acme.pipedrive.com").expect("a URL")), Route::Usual);
    }

    /// A name that resolves to this machine or a neighbour is refused before a connection is opened.
    #[tokio::test]
    async fn names_are_looked_up_before_a_redirect_is_followed() {
        #[expect(clippy::unnecessary_wraps, reason = "looking a name up may fail")]
        fn to<const A: u8, const B: u8>(_: &str) -> io::Result<Vec<SocketAddr>> {
            Ok(vec![([8, 8, 8, 8], 0).into(), ([A, B, 0, 1], 0).into()])
        }
        let asked = async |local, look_up, name: &str| {
            let guard = Guard { local, look_up };
            guard.resolve(name.parse().expect("a name")).await.is_ok()
        };
        let name = "storage.example.test";
        assert!(!asked(false, to::<127, 0>, name).await);
        assert!(asked(true, to::<127, 0>, name).await);
        assert!(asked(false, to::<127, 0>, "localhost").await, "a proxy of this machine");
        for local in [false, true] {
            assert!(!asked(local, to::<169, 254>, name).await);
            assert!(asked(local, to::<10, 0>, name).await);
        }
        let guard = Guard { local: false, look_up: to::<127, 0> };
        // As in [`Http::new`], which no other test of this process may have called yet.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().dns_resolver(Arc::new(guard));
        let client = client.build().expect("a client");
        let error = client.get("http://storage.example.test/").send().await.expect_err("refused");
        assert_eq!(was_forbidden(&error).map(|error| error.kind()), Some(Kind::Refused));
    }
}
