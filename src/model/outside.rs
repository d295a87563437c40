//! Validates external settings before a library sees them: environment variables, addresses, proxies,
//! certificates.
//!
//! An error names the setting and never shows its value.

use super::error::{Error, Kind, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::ffi::OsString;
use std::io;
use url::{Host, Url};

/// Returns the value of an environment variable.
pub type Variables<'e> = &'e dyn Fn(&str) -> Option<OsString>;

fn wrong(name: &str, what: &str) -> Error {
    Error::new(Kind::Config, what).at(name)
}

/// Returns the value of a variable without white space at its ends. An empty value counts as absent.
pub fn variable(name: &str, env: Variables<'_>) -> Result<Option<String>> {
    let Some(value) = env(name) else { return Ok(None) };
    let text = value.into_string().map_err(|_| wrong(name, "is not UTF-8 text"))?;
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

/// Returns whether a text is printable ASCII without spaces, as keys and tokens are. An empty text is not.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
}

/// Parses a web address: https or http, with a host, without a user, a query or a fragment.
pub fn web_address(text: &str) -> Option<Url> {
    // The parser would remove line breaks, and read a backslash as a slash.
    if !is_token(text) || text.contains('\\') {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    let slashes = text.get(url.scheme().len()..).is_some_and(|rest| rest.starts_with("://"));
    (matches!(url.scheme(), "https" | "http") && url.has_host() && bare && slashes).then_some(url)
}

/// Returns whether an address always refers to this machine, whichever resolver is used.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Returns the origin of a URL that a secret may be sent to: https, or plain http on loopback only. The URL
/// has no path.
pub fn safe_origin(text: &str) -> Option<String> {
    let url = web_address(text.trim_end_matches('/'))?;
    let safe = url.path() == "/" && (url.scheme() == "https" || is_loopback(&url));
    safe.then(|| url.origin().ascii_serialization())
}

/// A proxy for https, and the hosts that are requested directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The address, with user and password if it contains them.
    pub url: String,
    /// The hosts, domains and networks to request directly, separated by commas.
    pub excludes: String,
}

impl Proxy {
    /// Returns the proxy of `HTTPS_PROXY` or `ALL_PROXY`. `NO_PROXY` is accepted in the notations of other
    /// programs, too. Plain http goes to this machine only and never uses a proxy, so `HTTP_PROXY` is not
    /// read.
    pub fn of(env: Variables<'_>) -> Result<Option<Self>> {
        let first = |names: [&'static str; 2]| names.into_iter().find(|name| env(name).is_some());
        let excludes = match first(["NO_PROXY", "no_proxy"]) {
            Some(name) => excludes(&variable(name, env)?.unwrap_or_default()),
            None => String::new(),
        };
        for names in [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]] {
            let Some(name) = first(names) else { continue };
            if let Some(text) = variable(name, env)? {
                let url = proxy_address(&text).ok_or_else(|| {
                    let message = "must be a proxy's address like http://proxy.example.test:3128 \
                                   (http or https; SOCKS is not supported)";
                    wrong(name, message)
                })?;
                return Ok(Some(Self { url, excludes }));
            }
        }
        Ok(None)
    }
}

/// Returns the address of a proxy, with its scheme.
fn proxy_address(text: &str) -> Option<String> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let rest = text.split_once("://")?.1;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let scheme = text.split_once("://")?.0;
    let url = web_address(&format!("{scheme}://{host}"))?;
    (is_token(&text) && url.path() == "/" && Url::parse(&text).is_ok()).then_some(text)
}

/// Returns the exceptions from a proxy in the notation of the HTTP library: `*.example.test` becomes
/// `.example.test`, and ports are removed.
fn excludes(text: &str) -> String {
    let entries = text.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    let entries = entries.map(|entry| {
        let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        match entry.split_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => entry,
        }
    });
    entries.collect::<Vec<_>>().join(",")
}

/// Returns the PEM certificates of a file that a setting names.
pub fn certificates(name: &str, pem: io::Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let pem = pem.map_err(|error| {
        wrong(name, &format!("names a file that cannot be read ({error})")).because(error)
    })?;
    let broken = || wrong(name, "names a file whose certificates cannot be read; PEM is needed");
    let mut roots = rustls::RootCertStore::empty();
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| broken())?;
        found.push(certificate.to_vec());
        roots.add(certificate).map_err(|_| broken())?;
    }
    if found.is_empty() {
        return Err(wrong(name, "names a file without a certificate; PEM is needed"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_text_without_white_space_around_it() {
        let read =
            |value: &'static str| variable("X", &|_| Some(value.into())).expect("it is text");
        assert_eq!(read(" a b\n").as_deref(), Some("a b"));
        assert_eq!(read(" \r\n"), None);
        assert_eq!(variable("X", &|_| None).expect("it is absent"), None);
    }

    #[test]
    fn addresses_are_whole() {
        for text in
            ["https://a.test", "http://[::1]:80/x/", "https://10.0.0.1:9000", "HTTPS://A.test"]
        {
            assert!(web_address(text).is_some(), "{text}");
        }
        for text in [
            "",
            "a.test",
            "a.test:80",
            "localhost:9000",
            "https:a.test",
            "https:/a.test",
            "ftp://a.test",
            "https://",
            "https://a b.test",
            "https://a\nb.test",
            "https://a.test\\x",
            "https://u@a.test",
            "https://:p@a.test",
            "https://a.test?x",
            "https://a.test#x",
            "https://a.test:99999",
            "https://a.test:x",
        ] {
            assert!(web_address(text).is_none(), "{text}");
        }
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        for text in ["http://127.0.0.1:9000", "http://localhost/", "http://[::1]"] {
            assert!(safe_origin(text).is_some(), "{text}");
        }
        for text in [
            "http://127.0.0.1.example.test",
            "http://localhost.example.test",
            "http://a.localhost",
            "http://store.example.test",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "https://a.test/api",
        ] {
            assert!(safe_origin(text).is_none(), "{text}");
        }
        assert_eq!(safe_origin("https://a.test:8443/").as_deref(), Some("https://a.test:8443"));
    }

    fn proxy(env: &[(&str, &str)]) -> String {
        let found = Proxy::of(&|name| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(*value))
        });
        match found {
            Ok(Some(proxy)) => format!("{} but {}", proxy.url, proxy.excludes),
            Ok(None) => "none".to_owned(),
            Err(error) => error.place().unwrap_or_default().to_owned(),
        }
    }

    #[test]
    fn a_proxy_is_named_in_many_ways() {
        assert_eq!(proxy(&[]), "none");
        assert_eq!(proxy(&[("HTTP_PROXY", "http://p.test")]), "none");
        assert_eq!(proxy(&[("HTTPS_PROXY", " p.test:3128\n")]), "http://p.test:3128 but ");
        assert_eq!(
            proxy(&[
                ("https_proxy", "https://u:p%40x@p.test"),
                ("NO_PROXY", "*.a.test, b.test:443,10.0.0.0/8,::1")
            ]),
            "https://u:p%40x@p.test but .a.test,b.test,10.0.0.0/8,::1"
        );
        assert_eq!(
            proxy(&[("HTTPS_PROXY", ""), ("ALL_PROXY", "http://p.test")]),
            "http://p.test but "
        );
        for text in [
            "socks5://p.test",
            "ftp://p.test",
            "http://",
            "p q.test",
            "http://p.test:99999",
            "http://p.test/x",
        ] {
            assert_eq!(proxy(&[("HTTPS_PROXY", text)]), "HTTPS_PROXY", "{text}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "AAAA"] {
            let error = certificates("X", Ok(pem.into())).expect_err("there is none");
            assert_eq!((error.kind(), error.place()), (Kind::Config, Some("X")));
        }
        let missing = certificates("X", Err(io::ErrorKind::NotFound.into()));
        assert_eq!(missing.expect_err("there is none").kind(), Kind::Config);
    }
}
