//! `wasi:sockets`: refused everywhere, because nothing grants raw sockets or names. The guest gets the error `access-denied`, which has
//! no words; they are in its log.
//!
//! (`wasi:filesystem` needs no code: with nothing preopened there is no file to name.)

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{self, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::{tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{DynPollable, SocketError, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView;

use super::{NO_NETWORK, outside_a_step};
use crate::runtime::store::State;

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    tcp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    udp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    ip_name_lookup::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl State {
    fn deny(&self, what: &str) -> SocketError {
        let message = match outside_a_step(&self.role) {
            Some(_) => format!("{what} refused: {NO_NETWORK}"),
            None => {
                format!("{what} refused: a module can be granted HTTP (`--allow-http host:port`), but no sockets of its own")
            }
        };
        self.log.line("warn", message, Vec::new());
        ErrorCode::AccessDenied.into()
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, _: IpAddressFamily) -> Result<Resource<TcpSocket>, SocketError> {
        Err(self.deny("a TCP socket"))
    }
}

impl udp_create_socket::Host for State {
    async fn create_udp_socket(&mut self, _: IpAddressFamily) -> Result<Resource<UdpSocket>, SocketError> {
        Err(self.deny("a UDP socket"))
    }
}

impl ip_name_lookup::Host for State {
    fn resolve_addresses(&mut self, _: Resource<Network>, name: String) -> Result<Resource<ResolveAddressStream>, SocketError> {
        Err(self.deny(&format!("looking up `{name}`")))
    }
}

// No such stream is ever made; what the guest may pass is not in the table.
impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(&mut self, stream: Resource<ResolveAddressStream>) -> Result<Option<IpAddress>, SocketError> {
        self.sockets().resolve_next_address(stream)
    }

    fn subscribe(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        self.sockets().subscribe(stream)
    }

    fn drop(&mut self, stream: Resource<ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}

// How the errors above are told to the guest.
impl network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.sockets().network_error_code(error)
    }
}

impl network::HostNetwork for State {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        network::HostNetwork::drop(&mut self.sockets(), network)
    }
}
