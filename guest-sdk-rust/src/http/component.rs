//! One request by `wasi:http`.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme as WasiScheme,
};
use wasip2::io::streams::StreamError;

use super::{Prepared, Response, Scheme};
use crate::Failure;

/// A longer answer would not fit into the memory of a component anyway.
const MOST: usize = 64 << 20;
/// What one blocking write may be at most, by its definition.
const CHUNK: usize = 4096;
const READ: u64 = 256 << 10;

/// Sends it, and reads the whole answer.
pub(super) fn exchange(request: &Prepared) -> Result<Response, Failure> {
    let (outgoing, body) = outgoing(request).ok_or_else(|| {
        Failure::new("invalid-request", format!("{request}: a header, the method or the timeout is not valid")).not_retryable()
    })?;
    let pending = outgoing_handler::handle(outgoing, options(request)).map_err(|code| in_words(request, &code))?;
    write(body, &request.body).map_err(|why| failed(request, &why))?;
    pending.subscribe().block();
    match pending.get() {
        Some(Ok(answered)) => answer(request, &answered.map_err(|code| in_words(request, &code))?),
        _ => Err(failed(request, "the answer was not there when it was said to be")),
    }
}

fn outgoing(request: &Prepared) -> Option<(OutgoingRequest, OutgoingBody)> {
    let headers: Vec<_> = request.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let outgoing = OutgoingRequest::new(Fields::from_list(&headers).ok()?);
    outgoing.set_method(&method(&request.method)).ok()?;
    let scheme = match request.scheme {
        Scheme::Http => WasiScheme::Http,
        Scheme::Https => WasiScheme::Https,
    };
    outgoing.set_scheme(Some(&scheme)).ok()?;
    outgoing.set_authority(Some(&request.authority)).ok()?;
    outgoing.set_path_with_query(Some(&request.target)).ok()?;
    let body = outgoing.body().ok()?;
    Some((outgoing, body))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(request: &Prepared) -> Option<RequestOptions> {
    let limit = u64::try_from(request.timeout?.as_nanos()).ok()?;
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(limit)).ok()?;
    options.set_first_byte_timeout(Some(limit)).ok()?;
    options.set_between_bytes_timeout(Some(limit)).ok()?;
    Some(options)
}

fn write(body: OutgoingBody, content: &[u8]) -> Result<(), String> {
    if !content.is_empty() {
        let stream = body.write().map_err(|()| "its body was taken before".to_owned())?;
        for chunk in content.chunks(CHUNK) {
            stream.blocking_write_and_flush(chunk).map_err(|error| error.to_string())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|code| code.to_string())
}

fn answer(request: &Prepared, answered: &IncomingResponse) -> Result<Response, Failure> {
    let headers = answered.headers().entries().into_iter();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()));
    let headers = headers.collect();
    let body = answered.consume().map_err(|()| failed(request, "its body was taken before"))?;
    Ok(Response { asked: request.to_string(), status: answered.status(), headers, body: read(request, &body)? })
}

fn read(request: &Prepared, body: &IncomingBody) -> Result<Vec<u8>, Failure> {
    let stream = body.stream().map_err(|()| failed(request, "its body was taken before"))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(more) => bytes.extend(more),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => return Err(failed(request, &error.to_debug_string())),
        }
        if bytes.len() > MOST {
            return Err(
                Failure::new("http-too-long", format!("{request}: the answer is longer than {MOST} bytes")).not_retryable()
            );
        }
    }
}

fn failed(request: &Prepared, why: &str) -> Failure {
    Failure::new("http-failed", format!("{request}: {why}"))
}

fn in_words(request: &Prepared, code: &ErrorCode) -> Failure {
    match code {
        // The host's own words: a request that was refused, or a connection that failed.
        ErrorCode::InternalError(Some(words)) if is_refusal(words) => refused(request, words),
        ErrorCode::InternalError(Some(words)) => failed(request, words),
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => refused(request, &name(code)),
        ErrorCode::DnsError(why) => {
            let said = why.rcode.as_deref().unwrap_or("no reason was given");
            failed(request, &format!("the name cannot be resolved: {said}"))
        }
        code => failed(request, &name(code)),
    }
}

fn is_refusal(words: &str) -> bool {
    ["not granted", "not available in a workflow", "is granted, but"].iter().any(|said| words.contains(said))
}

fn refused(request: &Prepared, words: &str) -> Failure {
    Failure::new("http-refused", format!("{request}: {words}")).not_retryable()
}

/// `ErrorCode::ConnectionRefused` → `connection refused`.
fn name(code: &ErrorCode) -> String {
    let shown = format!("{code:?}");
    let name = shown.trim_start_matches("ErrorCode::");
    let name = name.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or(name);
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}
