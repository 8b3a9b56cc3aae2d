//! The network: HTTP by the SDK's client, sockets by WASI itself: `std::net` comes down to the same calls, but not every guest toolchain has it.

use std::time::Duration;

use currant::{Failure, http};
use serde::{Deserialize, Serialize};
use serde_json::json;
use wasip2::io::streams::{InputStream, StreamError};
use wasip2::sockets::network::{IpAddress, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp, tcp_create_socket};

/// The addresses of a host.
#[currant::task(retries = 0)]
fn resolve(host: String) -> Result<Vec<String>, Failure> {
    Ok(addresses(&host)?.iter().map(|address| format!("{address:?}")).collect())
}

/// Connects by TCP, sends a line, and answers what comes back, at most 100 bytes of it.
#[currant::task(retries = 0)]
fn connect(host: String, port: u16) -> Result<String, Failure> {
    talk(&host, port)
}

/// What came of an HTTP request.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    body: String,
}

/// Gets a page: `http://host[:port]/path` or the same with https.
#[currant::task(retries = 0)]
fn http_get(url: String) -> Result<Answer, Failure> {
    get(&url)
}

/// Sends something and answers what came back.
#[currant::task(retries = 0)]
fn http_post(url: String, text: String) -> Result<Answer, Failure> {
    let response = http::post(url).header("X-Test", "yes").json(&json!({ "text": text })).send()?.success()?;
    Ok(Answer { status: response.status, body: response.text() })
}

/// The same from a workflow, outside a step. Answers what the error said.
#[currant::workflow]
async fn http_in_workflow(url: String) -> Result<String, Failure> {
    Ok(get(&url).map_or_else(|failure| failure.to_string(), |answer| answer.body))
}

pub fn talk(host: &str, port: u16) -> Result<String, Failure> {
    let address = *addresses(host)?.first().ok_or_else(|| Failure::new("no-address", host))?;
    let (family, address) = match address {
        IpAddress::Ipv4(address) => (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address })),
        IpAddress::Ipv6(address) => {
            let socket = Ipv6SocketAddress { port, address, flow_info: 0, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(socket))
        }
    };
    let socket = tcp_create_socket::create_tcp_socket(family)?;
    socket.start_connect(&instance_network::instance_network(), address)?;
    let (input, output) = loop {
        match socket.finish_connect() {
            Err(tcp::ErrorCode::WouldBlock) => socket.subscribe().block(),
            connected => break connected?,
        }
    };
    output.blocking_write_and_flush(b"ping\n")?;
    socket.shutdown(tcp::ShutdownType::Send)?;
    Ok(read(&input, 100)?.trim_end().to_owned())
}

fn addresses(host: &str) -> Result<Vec<IpAddress>, Failure> {
    let lookup = ip_name_lookup::resolve_addresses(&instance_network::instance_network(), host)?;
    let mut addresses = Vec::new();
    loop {
        match lookup.resolve_next_address() {
            Ok(Some(address)) => addresses.push(address),
            Ok(None) => return Ok(addresses),
            Err(tcp::ErrorCode::WouldBlock) => lookup.subscribe().block(),
            Err(code) => return Err(code.into()),
        }
    }
}

fn get(url: &str) -> Result<Answer, Failure> {
    let response = http::get(url).timeout(Duration::from_secs(5)).send()?;
    Ok(Answer { status: response.status, body: response.text() })
}

fn read(input: &InputStream, most: usize) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    while bytes.len() < most {
        match input.blocking_read((most - bytes.len()) as u64) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
