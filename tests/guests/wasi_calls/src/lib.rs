//! Every call of WASI 0.2 that a guest can make, and what came of it: from a task, and from a workflow outside a step.
//!
//! What has no way to it is not here: descriptors, sockets and their streams, because nothing gives one out; and what only a server of
//! HTTP is given. `exit` ends the guest, so it has functions of its own.
#![forbid(unsafe_code)]

use std::fmt::Debug;

use currant::Failure;
use wasip2::cli::{environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::filesystem::preopens;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions, Scheme};
use wasip2::io::poll;
use wasip2::random::{insecure, insecure_seed, random};
use wasip2::sockets::network::IpAddressFamily;
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

currant::module!();

/// A call, and what came of it.
type Row = (&'static str, String);

/// From a task. Times and random numbers are real, and only said to be there.
#[currant::task(retries = 0)]
fn call_all() -> Result<Vec<(String, String)>, Failure> {
    Ok(owned(calls(Seen { exactly: false })))
}

/// From a workflow, outside a step. Times and random numbers are those of the record, and are shown.
#[currant::workflow]
async fn call_all_flow() -> Result<Vec<(String, String)>, Failure> {
    Ok(owned(calls(Seen { exactly: true })))
}

#[currant::task(retries = 0)]
fn exit_well() -> Result<(), Failure> {
    exit::exit(Ok(()));
    Ok(())
}

#[currant::task(retries = 0)]
fn exit_badly() -> Result<(), Failure> {
    exit::exit(Err(()));
    Ok(())
}

#[derive(Clone, Copy)]
struct Seen {
    exactly: bool,
}

impl Seen {
    /// A value that differs between two runs of a task.
    fn varying(self, value: impl Debug) -> String {
        if self.exactly { format!("{value:?}") } else { "differs".into() }
    }
}

fn owned(rows: Vec<Row>) -> Vec<(String, String)> {
    rows.into_iter().map(|(call, answer)| (call.to_owned(), answer)).collect()
}

fn calls(seen: Seen) -> Vec<Row> {
    let mut rows = Vec::new();
    command_line(&mut rows);
    time(seen, &mut rows);
    chance(seen, &mut rows);
    streams(&mut rows);
    rows.push(("filesystem/preopens.get-directories", format!("{} folders", preopens::get_directories().len())));
    sockets(&mut rows);
    http(&mut rows);
    rows
}

fn command_line(rows: &mut Vec<Row>) {
    rows.push(("cli/environment.get-environment", format!("{:?}", environment::get_environment())));
    rows.push(("cli/environment.get-arguments", format!("{:?}", environment::get_arguments())));
    rows.push(("cli/environment.initial-cwd", format!("{:?}", environment::initial_cwd())));
    rows.push(("cli/terminal-stdin.get-terminal-stdin", present(&terminal_stdin::get_terminal_stdin())));
    rows.push(("cli/terminal-stdout.get-terminal-stdout", present(&terminal_stdout::get_terminal_stdout())));
    rows.push(("cli/terminal-stderr.get-terminal-stderr", present(&terminal_stderr::get_terminal_stderr())));
}

fn time(seen: Seen, rows: &mut Vec<Row>) {
    const MILLISECOND: u64 = 1_000_000;
    let wall = |now: wall_clock::Datetime| format!("{}.{:09}", now.seconds, now.nanoseconds);
    rows.push(("clocks/wall-clock.now", seen.varying(wall(wall_clock::now()))));
    rows.push(("clocks/wall-clock.resolution", wall(wall_clock::resolution())));
    let began = monotonic_clock::now();
    rows.push(("clocks/monotonic-clock.now", seen.varying(began)));
    rows.push(("clocks/monotonic-clock.resolution", format!("{}", monotonic_clock::resolution())));
    let later = monotonic_clock::subscribe_duration(5 * MILLISECOND);
    rows.push(("io/poll.pollable.ready", format!("{}", later.ready())));
    later.block();
    rows.push(("clocks/monotonic-clock.subscribe-duration + io/poll.pollable.block", slept(seen, began)));
    let later = monotonic_clock::subscribe_instant(monotonic_clock::now() + 5 * MILLISECOND);
    let never = monotonic_clock::subscribe_duration(3_600_000 * MILLISECOND);
    rows.push(("clocks/monotonic-clock.subscribe-instant + io/poll.poll", format!("{:?}", poll::poll(&[&never, &later]))));
    rows.push(("clocks/monotonic-clock.now, after both", slept(seen, began)));
}

fn slept(seen: Seen, began: u64) -> String {
    let passed = monotonic_clock::now() - began;
    if seen.exactly { format!("{passed} ns later") } else { format!("at least 5 ms later: {}", passed >= 5_000_000) }
}

fn chance(seen: Seen, rows: &mut Vec<Row>) {
    rows.push(("random/random.get-random-bytes", seen.varying(random::get_random_bytes(4))));
    rows.push(("random/random.get-random-u64", seen.varying(random::get_random_u64())));
    rows.push(("random/insecure.get-insecure-random-bytes", seen.varying(insecure::get_insecure_random_bytes(4))));
    rows.push(("random/insecure.get-insecure-random-u64", seen.varying(insecure::get_insecure_random_u64())));
    rows.push(("random/insecure-seed.insecure-seed", seen.varying(insecure_seed::insecure_seed())));
}

fn streams(rows: &mut Vec<Row>) {
    let input = stdin::get_stdin();
    rows.push(("cli/stdin.get-stdin + io/streams.input-stream.read", format!("{:?}", input.read(4))));
    rows.push(("io/streams.input-stream.blocking-read", format!("{:?}", input.blocking_read(4))));
    rows.push(("io/streams.input-stream.skip", format!("{:?}", input.skip(4))));
    rows.push(("io/streams.input-stream.blocking-skip", format!("{:?}", input.blocking_skip(4))));
    rows.push(("io/streams.input-stream.subscribe", format!("ready: {}", input.subscribe().ready())));
    let output = stdout::get_stdout();
    rows.push(("cli/stdout.get-stdout + io/streams.output-stream.check-write", format!("{:?}", output.check_write())));
    rows.push(("io/streams.output-stream.write", format!("{:?}", output.write(b"written\n"))));
    rows.push(("io/streams.output-stream.flush", format!("{:?}", output.flush())));
    rows.push(("io/streams.output-stream.blocking-flush", format!("{:?}", output.blocking_flush())));
    rows.push((
        "io/streams.output-stream.blocking-write-and-flush",
        format!("{:?}", output.blocking_write_and_flush(b"written and flushed\n")),
    ));
    rows.push(("io/streams.output-stream.write-zeroes", format!("{:?}", output.write_zeroes(1))));
    rows.push((
        "io/streams.output-stream.blocking-write-zeroes-and-flush",
        format!("{:?}", output.blocking_write_zeroes_and_flush(1)),
    ));
    rows.push(("io/streams.output-stream.splice", format!("{:?}", output.splice(&input, 4))));
    rows.push(("io/streams.output-stream.blocking-splice", format!("{:?}", output.blocking_splice(&input, 4))));
    rows.push(("io/streams.output-stream.subscribe", format!("ready: {}", output.subscribe().ready())));
    let output = stderr::get_stderr();
    rows.push(("cli/stderr.get-stderr", format!("{:?}", output.write(b"to stderr\n"))));
}

fn sockets(rows: &mut Vec<Row>) {
    let network = instance_network::instance_network();
    rows.push((
        "sockets/tcp-create-socket.create-tcp-socket (IPv4)",
        refused(tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4)),
    ));
    rows.push((
        "sockets/tcp-create-socket.create-tcp-socket (IPv6)",
        refused(tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv6)),
    ));
    rows.push((
        "sockets/udp-create-socket.create-udp-socket",
        refused(udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)),
    ));
    let looked_up = ip_name_lookup::resolve_addresses(&network, "example.com");
    rows.push(("sockets/instance-network + ip-name-lookup.resolve-addresses", refused(looked_up)));
}

fn http(rows: &mut Vec<Row>) {
    let fields = Fields::new();
    rows.push(("http/types.fields.append", format!("{:?}", fields.append("x-one", b"1"))));
    rows.push(("http/types.fields.set", format!("{:?}", fields.set("x-two", &[b"2".to_vec()]))));
    rows.push(("http/types.fields.has", format!("{}", fields.has("x-one"))));
    rows.push(("http/types.fields.get", format!("{:?}", fields.get("x-two"))));
    rows.push(("http/types.fields.delete", format!("{:?}", fields.delete("x-two"))));
    rows.push(("http/types.fields.entries", format!("{:?}", fields.clone().entries())));
    let listed = Fields::from_list(&[("host".to_owned(), b"elsewhere".to_vec())]);
    rows.push((
        "http/types.fields.from-list, a forbidden header",
        listed.map(|_| "taken".into()).unwrap_or_else(|error| format!("{error:?}")),
    ));

    let options = RequestOptions::new();
    rows.push((
        "http/types.request-options.set-connect-timeout",
        format!("{:?}", options.set_connect_timeout(Some(1_000_000_000))),
    ));
    rows.push((
        "http/types.request-options.set-first-byte-timeout",
        format!("{:?}", options.set_first_byte_timeout(Some(1_000_000_000))),
    ));
    rows.push((
        "http/types.request-options.set-between-bytes-timeout",
        format!("{:?}", options.set_between_bytes_timeout(None)),
    ));
    let timeouts = (options.connect_timeout(), options.first_byte_timeout(), options.between_bytes_timeout());
    rows.push(("http/types.request-options, read", format!("{timeouts:?}")));

    let request = OutgoingRequest::new(fields);
    rows.push(("http/types.outgoing-request.set-method", format!("{:?}", request.set_method(&Method::Post))));
    rows.push(("http/types.outgoing-request.set-scheme", format!("{:?}", request.set_scheme(Some(&Scheme::Http)))));
    rows.push(("http/types.outgoing-request.set-authority", format!("{:?}", request.set_authority(Some("example.com:80")))));
    rows.push(("http/types.outgoing-request.set-path-with-query", format!("{:?}", request.set_path_with_query(Some("/x?y")))));
    rows.push((
        "http/types.outgoing-request, read",
        format!("{:?} {:?} {:?} {:?}", request.method(), request.scheme(), request.authority(), request.path_with_query()),
    ));
    rows.push(("http/types.outgoing-request.headers", format!("{} headers", request.headers().entries().len())));
    match request.body() {
        Ok(body) => {
            let written = body.write().map(|stream| format!("{:?}", stream.blocking_write_and_flush(b"{}")));
            rows.push(("http/types.outgoing-request.body + outgoing-body.write", format!("{written:?}")));
            rows.push(("http/types.outgoing-body.finish", format!("{:?}", OutgoingBody::finish(body, None))));
        }
        Err(()) => rows.push(("http/types.outgoing-request.body + outgoing-body.write", "refused".into())),
    }
    rows.push(("http/outgoing-handler.handle", answer_to(request, options)));

    let response = OutgoingResponse::new(Fields::new());
    rows.push(("http/types.outgoing-response.set-status-code", format!("{:?}", response.set_status_code(204))));
    let parts = (response.status_code(), response.headers().entries().len(), response.body().is_ok());
    rows.push(("http/types.outgoing-response, read", format!("{parts:?}")));
}

fn answer_to(request: OutgoingRequest, options: RequestOptions) -> String {
    match outgoing_handler::handle(request, Some(options)) {
        Err(error) => format!("refused at once: {error:?}"),
        Ok(response) => {
            response.subscribe().block();
            match response.get() {
                Some(Ok(Ok(response))) => format!("answered with {}", response.status()),
                Some(Ok(Err(error))) => format!("refused: {error:?}"),
                other => format!("no answer: {}", other.is_some()),
            }
        }
    }
}

fn present<T>(value: &Option<T>) -> String {
    if value.is_some() { "there".into() } else { "none".into() }
}

fn refused<T, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => "GIVEN".into(),
        Err(error) => format!("refused: {error:?}"),
    }
}
