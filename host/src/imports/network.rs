//! `wasi:http`: requests of tasks and steps to the hosts that were granted.
//!
//! ```text
//!   granted?  ──►  resolve  ──►  reachable?  ──►  connect to that very address  ──►  TLS for the name  ──►  HTTP/1.1
//!   [`grants`]                   [`reach`]        (a second look-up could answer differently)      [`trust`]
//! ```
//!
//! A refusal is an error of the request, in words, and a log line of the execution. It is never a trap.

mod connect;
mod grants;
mod reach;
mod trust;

use std::sync::Arc;

use http::Uri;
use tracing::debug;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::HttpError;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler::Host;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView};

use self::connect::Target;
pub use self::trust::Trust;
use super::telemetry::Log;
use super::{NO_NETWORK, outside_a_step};
use crate::guest::{Grants, Role};
use crate::runtime::store::State;

/// The function that sends, under the name that wasmtime gives it; a component may ask for any other 0.2.
const HANDLER: &str = "wasi:http/outgoing-handler@0.2.12";

/// Takes the place of WASI's own function, which cannot refuse before the request is on its way.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.instance(HANDLER)?.func_wrap("handle", |mut store: StoreContextMut<'_, State>, (request, options)| {
        match store.data_mut().handle(request, options) {
            Ok(response) => Ok((Ok::<_, ErrorCode>(response),)),
            Err(error) => Ok((Err(error.downcast()?),)),
        }
    })
}

impl State {
    fn handle(
        &mut self,
        request: Resource<HostOutgoingRequest>,
        options: Option<Resource<RequestOptions>>,
    ) -> Result<Resource<HostFutureIncomingResponse>, HttpError> {
        if outside_a_step(&self.role).is_some() {
            // Refused at once: when the answer of a request comes is on no record, not even that of a refusal.
            self.table.delete(request)?;
            self.log.line("warn", NO_NETWORK.into(), Vec::new());
            return Err(ErrorCode::InternalError(Some(NO_NETWORK.into())).into());
        }
        self.http().handle(request, options)
    }
}

/// What one instance may reach.
pub(crate) struct Network {
    role: Role,
    grants: Arc<Grants>,
    trust: Trust,
    log: Log,
}

impl Network {
    pub(crate) fn new(role: Role, grants: Arc<Grants>, trust: Trust, log: Log) -> Network {
        Network { role, grants, trust, log }
    }

    fn admit(&self, uri: &Uri) -> Result<Target, String> {
        if outside_a_step(&self.role).is_some() {
            return Err(NO_NETWORK.into());
        }
        let target = Target::of(uri).ok_or_else(|| format!("`{uri}` names no host"))?;
        if !grants::allow(&self.grants.http, &target.host, target.port) {
            let address = target.address();
            return Err(format!(
                "{address} is not granted to this module: `currant deploy … --allow-http {address}` grants it"
            ));
        }
        Ok(target)
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Network {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let target = match self.admit(request.uri()) {
            Ok(target) => target,
            Err(words) => {
                self.log.line("warn", format!("request refused: {words}"), Vec::new());
                return Box::new(std::future::ready(Err(Error::InternalError(Some(words)))));
            }
        };
        let (log, trust) = (self.log.clone(), self.trust.clone());
        Box::new(async move {
            let sent = connect::send(request, options.unwrap_or_default(), &target, &trust).await;
            if let Err(error) = &sent {
                debug!(address = target.address(), error = %error, "a guest's request failed");
                log.line("warn", said(&target, error), Vec::new());
            }
            sent
        })
    }

    fn p2_error_from_connect(&mut self, error: &std::io::Error) -> ErrorCode {
        match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ErrorCode::ConnectionRefused,
            _ => ErrorCode::InternalError(Some(format!("cannot connect to {error}"))),
        }
    }

    fn p2_error_from_tls(&mut self, error: &std::io::Error) -> ErrorCode {
        ErrorCode::InternalError(Some(insecure(error)))
    }
}

/// A log line about a request without an answer. Some languages have one error for everything, so that it is only said here.
fn said(target: &Target, error: &Error) -> String {
    let address = target.address();
    match error {
        Error::InternalError(Some(words)) => format!("request refused: {words}"),
        Error::Connect(error) => format!("request failed: {error}"),
        Error::Tls(error) => format!("request failed: {address}: {}", insecure(error)),
        Error::DnsError { rcode: Some(why), .. } => format!("request failed: {address}: the name cannot be resolved: {why}"),
        other => format!("request failed: {address}: {other}"),
    }
}

fn insecure(error: &std::io::Error) -> String {
    let hint = match error.to_string().contains("UnknownIssuer") {
        true => ": no authority that this worker knows vouches for the server; the setting `worker.ca_file` names more of them",
        false => "",
    };
    format!("no secure connection: {error}{hint}")
}
