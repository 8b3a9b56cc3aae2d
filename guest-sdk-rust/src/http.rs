//! HTTP from tasks and steps, to the hosts that were granted at deployment (`currant deploy … --allow-http api.example:443`).
//!
//! The host resolves, connects and encrypts; a component has no sockets of its own. So this client is small, and it blocks: a task may.
//!
//! ```no_run
//! # use currant::Failure;
//! # #[derive(serde::Serialize)] struct Charge { amount: u64 }
//! # #[derive(serde::Deserialize)] struct Charged { receipt: String }
//! # fn charge() -> Result<String, Failure> {
//! let charged: Charged = currant::http::post("https://api.example/charges")
//!     .header("Idempotency-Key", &currant::context().id)
//!     .json(&Charge { amount: 1250 })
//!     .send()?
//!     .success()?
//!     .json()?;
//! # Ok(charged.receipt)
//! # }
//! ```
//!
//! Redirections are not followed: each host must be granted by name. In a native test nothing is sent, and [`Request::send`] fails: mock the
//! task.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, values};

#[cfg(target_arch = "wasm32")]
mod component;
#[cfg(target_arch = "wasm32")]
use component::exchange;

/// A request for something.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A request that sends something.
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

/// A request that puts something in place.
pub fn put(url: impl Into<String>) -> Request {
    Request::new("PUT", url)
}

/// A request that changes something.
pub fn patch(url: impl Into<String>) -> Request {
    Request::new("PATCH", url)
}

/// A request that deletes something.
pub fn delete(url: impl Into<String>) -> Request {
    Request::new("DELETE", url)
}

/// What is sent. What is wrong with it is said by [`send`](Self::send).
#[derive(Clone, Debug)]
#[must_use = "a request is sent by `send`"]
pub struct Request {
    method: String,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Result<Vec<u8>, Failure>,
    timeout: Option<Duration>,
}

impl Request {
    /// A request with any method. The functions of this module are shorter.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Ok(Vec::new()),
            timeout: None,
        }
    }

    /// The same request with one more parameter in its query.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// The same request with this header instead of another one of its name.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// The same request with these bytes.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Ok(body.into()), ..self }
    }

    /// The same request with a value as JSON.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        let body = values::encode("the body of the request", value).map(String::into_bytes);
        Self { body, ..self.with_default("content-type", "application/json") }
    }

    /// The same request with the fields of a form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let body = Ok(encoded(fields.iter().copied()).into_bytes());
        Self { body, ..self.with_default("content-type", "application/x-www-form-urlencoded") }
    }

    /// The same request that waits so long for the connection, and for each pause of the server. The attempt's own limit ends everything.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Sends it, and waits for the whole answer. Without one it fails with the code `http-failed`, and is worth another attempt; or with
    /// `http-refused`, when the host was not granted.
    pub fn send(self) -> Result<Response, Failure> {
        let prepared = self.prepared()?;
        exchange(&prepared)
    }

    fn with_default(self, name: &str, value: &str) -> Self {
        match self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            true => self,
            false => self.header(name, value),
        }
    }

    fn prepared(self) -> Result<Prepared, Failure> {
        let body = self.body.clone()?;
        let sends = !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str());
        let length = body.len().to_string();
        let request = if sends { self.with_default("content-length", &length) } else { self };
        let request = request.with_default("user-agent", "currant").with_default("accept", "*/*");
        let (scheme, authority, mut target) = parts(&request.url)?;
        if !request.query.is_empty() {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&encoded(request.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
        }
        Ok(Prepared {
            method: request.method,
            scheme,
            authority,
            target,
            headers: request.headers,
            body,
            timeout: request.timeout,
        })
    }
}

/// A request that can be sent.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "wasm32"), expect(dead_code, reason = "nothing is sent natively"))]
struct Prepared {
    method: String,
    scheme: Scheme,
    authority: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
}

impl fmt::Display for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{} {scheme}://{}{}", self.method, self.authority, self.target)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scheme {
    Http,
    Https,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// What was asked, for messages.
    asked: String,
    /// 200 when all is well.
    pub status: u16,
    /// As they came, with their names in small letters: a name may come several times.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, which is taken to be UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the body means as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        values::decode("invalid-response", &format!("the answer of {}", self.asked), &self.text())
    }

    /// This response, if its status is below 400. Otherwise a failure with the status as its code (`http-404`); worth another attempt are 408, 425,
    /// 429 and those from 500, and a `Retry-After` in seconds is heeded.
    pub fn success(self) -> Result<Self, Failure> {
        if self.status < 400 {
            return Ok(self);
        }
        let failure = Failure::new(format!("http-{}", self.status), format!("{} answered {}", self.asked, self.status));
        if !(matches!(self.status, 408 | 425 | 429) || self.status >= 500) {
            return Err(failure.not_retryable());
        }
        match self.header("retry-after").and_then(|after| after.parse().ok()) {
            Some(seconds) => Err(failure.retry_after(Duration::from_secs(seconds))),
            None => Err(failure),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn exchange(request: &Prepared) -> Result<Response, Failure> {
    Err(Failure::new("http-failed", format!("{request}: only a worker sends requests; in a test, mock the task")))
}

/// Scheme, authority, and path with query. Nothing is decoded or mended.
fn parts(url: &str) -> Result<(Scheme, String, String), Failure> {
    let wrong = |why: &str| Failure::new("invalid-url", why).not_retryable();
    let (scheme, rest) = match url.split_once("://") {
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        _ => return Err(wrong(&format!("{url:?} is not a URL: write http://host/path or https://host/path"))),
    };
    let rest = rest.split('#').next().unwrap_or(rest);
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if let Some((_, host)) = authority.rsplit_once('@') {
        return Err(wrong(&format!("credentials do not belong into a URL ({host}): send a header")));
    }
    if authority.is_empty() || rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(wrong(&format!("{url:?} is not a URL: it has no host, or blanks in it")));
    }
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    Ok((scheme, authority.to_owned(), target))
}

/// `a=1&b=x%20y`: for a query and for a form.
fn encoded<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<String> = fields.map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    fields.join("&")
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_names_authority_and_target() {
        let request = get("https://api.example:8443?x=1#part").query("y", 2).query("z", "a b&c").prepared().unwrap();
        assert_eq!((request.scheme, request.authority.as_str()), (Scheme::Https, "api.example:8443"));
        assert_eq!(request.target, "/?x=1&y=2&z=a%20b%26c");
        assert_eq!(request.to_string(), "GET https://api.example:8443/?x=1&y=2&z=a%20b%26c");
    }

    #[test]
    fn bodies_say_what_they_are_unless_the_caller_does() {
        let header = |request: Request, name: &str| {
            let request = request.prepared().unwrap();
            request.headers.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
        };
        let json = post("http://h/").json(&[1, 2]);
        assert_eq!(header(json.clone(), "content-type").as_deref(), Some("application/json"));
        assert_eq!(header(json.clone(), "content-length").as_deref(), Some("5"));
        assert_eq!(json.prepared().unwrap().body, b"[1,2]");
        let own = post("http://h/").header("Content-Type", "application/x-own").json(&1);
        assert_eq!(header(own, "content-type").as_deref(), Some("application/x-own"));
        let form = post("http://h/").form(&[("a", "x y"), ("b", "=")]);
        assert_eq!(form.prepared().unwrap().body, b"a=x%20y&b=%3D");
        assert_eq!(header(post("http://h/"), "content-length").as_deref(), Some("0"));
        assert_eq!(header(get("http://h/"), "content-length"), None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for url in ["nonsense", "ftp://host/x", "http://", "http:///x", "http://user:secret@host/", "http://host/a b"] {
            let failure = get(url).send().unwrap_err();
            assert_eq!((failure.code(), failure.is_retryable()), ("invalid-url", false), "{url}");
            assert!(!failure.message().contains("secret"));
        }
    }

    #[test]
    fn what_cannot_be_written_as_json_is_said_when_it_is_sent() {
        let keys_that_are_no_texts = std::collections::HashMap::from([((1, 2), 3)]);
        assert_eq!(post("http://h/").json(&keys_that_are_no_texts).send().unwrap_err().code(), "invalid-value");
    }

    fn response(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Response { asked: "GET http://h/".into(), status, headers, body: b"[1]".to_vec() }
    }

    #[test]
    fn a_status_that_says_failed_is_a_failure_on_request() {
        assert_eq!(response(302, &[]).success().unwrap().json::<Vec<u8>>().unwrap(), [1]);
        let missing = response(404, &[]).success().unwrap_err();
        assert_eq!((missing.to_string().as_str(), missing.is_retryable()), ("http-404: GET http://h/ answered 404", false));
        let busy = response(503, &[("retry-after", "7")]).success().unwrap_err();
        assert_eq!((busy.is_retryable(), busy.after()), (true, Some(Duration::from_secs(7))));
    }

    #[test]
    fn natively_nothing_is_sent() {
        let failure = get("http://h/x").send().unwrap_err();
        assert_eq!(failure.to_string(), "http-failed: GET http://h/x: only a worker sends requests; in a test, mock the task");
    }
}
