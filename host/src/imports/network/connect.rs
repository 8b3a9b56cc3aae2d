//! One request: resolve, check, connect to the address that was checked, speak HTTP/1.1.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::uri::{PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, timeout};
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::{Sent, Trust, reach};

/// When the guest says nothing. A connection that takes longer will not come; an answer may take its time, and the attempt's own
/// limit ends it.
const CONNECT: Duration = Duration::from_secs(30);
const FIRST_BYTE: Duration = Duration::from_secs(600);
const BETWEEN_BYTES: Duration = Duration::from_secs(600);

/// Where a request goes.
pub(super) struct Target {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    tls: bool,
}

impl Target {
    pub(super) fn of(uri: &Uri) -> Option<Target> {
        let authority = uri.authority()?;
        // A name before `@` would be sent nowhere, and only mislead whoever reads the log.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_string();
        Some(Target { host, port, tls })
    }

    /// `host:port`, as a grant names it.
    pub(super) fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

pub(super) async fn send(request: Request<WasiBody>, options: RequestOptions, target: &Target, trust: &Trust) -> Sent {
    let connection = timeout(options.connect_timeout.unwrap_or(CONNECT), connect(target, trust));
    let stream = connection.await.map_err(|_| Error::ConnectionTimeout)??;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = Box::pin(connection);

    let answer = sender.send_request(origin_form(request)?);
    let first_byte = options.first_byte_timeout.unwrap_or(FIRST_BYTE);
    let answer = timeout(first_byte, driven(answer, connection.as_mut()));
    let response = answer.await.map_err(|_| Error::ConnectionReadTimeout)??;
    let between_bytes = options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES);
    let response = response.map(|body| ResponseBody::new(body, between_bytes).boxed_unsync());
    // Whoever reads the body drives the rest of the connection.
    let rest = async move {
        // Keeps the request's side open until the connection is done with it.
        let _sender = sender;
        connection.await.map_err(Error::from)
    };
    Ok((response, Box::new(rest)))
}

/// A server expects a path, not a whole URI. The name is in the header `host` already.
fn origin_form(mut request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
    let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::builder().path_and_query(path).build().map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(request)
}

/// Waits for the answer while the connection does its work.
async fn driven(
    answer: impl Future<Output = hyper::Result<Response<Incoming>>>,
    mut connection: Pin<&mut impl Future<Output = hyper::Result<()>>>,
) -> Result<Response<Incoming>, Error> {
    let mut answer = pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => Ok(answer?),
        closed = &mut connection => {
            closed?;
            // The server closed after its answer.
            Ok(answer.await?)
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(target: &Target, trust: &Trust) -> Result<Box<dyn Stream>, Error> {
    let stream = connect_to_one_of(target, resolve(target).await?).await?;
    if !target.tls {
        return Ok(Box::new(stream));
    }
    let name = ServerName::try_from(target.host.clone())?;
    Ok(Box::new(trust.connector().connect(name, stream).await.map_err(Error::Tls)?))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Error> {
    let failed = |error: std::io::Error| Error::DnsError { rcode: Some(error.to_string()), info_code: None };
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(failed)?.collect();
    reachable(&target.host, found).map_err(|words| Error::InternalError(Some(words)))
}

/// The addresses that the host may be reached at; if there is none among those found, why.
fn reachable(host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let (reachable, inside): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| reach::allow(host, address.ip()));
    match inside.first() {
        Some(address) if reachable.is_empty() => {
            let address = address.ip();
            Err(format!(
                "{host} is granted, but resolves to {address}, which is not a public address: grant the address itself"
            ))
        }
        _ => Ok(reachable),
    }
}

async fn connect_to_one_of(target: &Target, addresses: Vec<SocketAddr>) -> Result<TcpStream, Error> {
    let mut last = Error::DestinationNotFound;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Error::Connect(std::io::Error::new(error.kind(), format!("{}: {error}", target.address()))),
        }
    }
    Err(last)
}

/// A response's body that fails when nothing comes for too long.
struct ResponseBody {
    incoming: Incoming,
    between_bytes: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl ResponseBody {
    fn new(incoming: Incoming, between_bytes: Duration) -> ResponseBody {
        ResponseBody { incoming, between_bytes, deadline: Box::pin(tokio::time::sleep(between_bytes)) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                let next = Instant::now() + self.between_bytes;
                self.deadline.as_mut().reset(next);
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
            }
            Poll::Pending => {
                ready!(self.deadline.as_mut().poll(cx));
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn a_public_name_that_resolves_to_the_inside_is_refused_and_mixed_answers_are_sifted() {
        let refused = reachable("evil.example", found(&["127.0.0.1:80", "10.0.0.5:80"])).unwrap_err();
        assert!(refused.contains("evil.example is granted, but resolves to 127.0.0.1"), "{refused}");
        let mixed = reachable("evil.example", found(&["10.0.0.5:80", "93.184.216.34:80"]));
        assert_eq!(mixed, Ok(found(&["93.184.216.34:80"])));
        assert_eq!(reachable("localhost", found(&["127.0.0.1:80"])), Ok(found(&["127.0.0.1:80"])));
    }

    #[test]
    fn a_target_is_what_a_grant_names() {
        let address = |uri: &str| Target::of(&uri.parse().unwrap()).map(|target| target.address());
        assert_eq!(address("https://api.example/x").as_deref(), Some("api.example:443"));
        assert_eq!(address("http://api.example/x").as_deref(), Some("api.example:80"));
        assert_eq!(address("http://[::1]:8080/").as_deref(), Some("[::1]:8080"));
        assert_eq!(address("http://granted.example@evil.example/"), None);
        assert_eq!(address("/path"), None);
    }
}
