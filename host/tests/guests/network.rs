//! HTTP of tasks: what is granted, and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use currant_host::runtime::{RuntimeSettings, Trust};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::{FakeRun, World, settings, value};

/// A server on this machine that answers every request with its first line, its host, and its body. Answers its port.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            answer(stream).await;
        }
    });
    port
}

/// The same by HTTPS, on every address of this machine. The certificate is for `localhost` and 127.0.0.1, from an authority that nobody knows.
async fn secure_server() -> u16 {
    let chain = CertificateDer::pem_file_iter(tls("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust it hangs up.
            if let Ok(stream) = acceptor.accept(stream).await {
                answer(stream).await;
            }
        }
    });
    port
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (head, body) = request(&mut stream).await;
    let line = head.lines().next().unwrap_or_default();
    let said = format!("{line} {}{body}", header(&head, "host").map(|host| format!("host: {host}")).unwrap_or_default());
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{said}", said.len());
    stream.write_all(answer.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

/// What was sent: the lines before the body, and the body.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let length = stream.read_buf(&mut bytes).await.unwrap();
        // Who does not speak HTTP is answered all the same.
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let expected = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
        let is_whole = text.contains("\r\n\r\n") && body.len() >= expected;
        if is_whole || length == 0 || !text.starts_with(|first: char| first.is_ascii_uppercase()) {
            return (head.to_owned(), body.to_owned());
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// A file that `tests/tls/generate` makes.
fn tls(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/tls").join(file)
}

#[tokio::test]
async fn a_granted_host_is_reached_by_address_and_by_name() {
    let port = server().await;
    for host in ["127.0.0.1", "localhost"] {
        let world = World::new().await.granting_http(&format!("{host}:{port}"));
        let answer = world.completed("http_get", &json!(format!("http://{host}:{port}/a?b=c")).to_string()).await;
        assert_eq!(answer["status"], 200);
        assert_eq!(answer["body"].as_str().unwrap().to_lowercase(), format!("get /a?b=c http/1.1 host: {host}:{port}"));
    }
}

#[tokio::test]
async fn a_body_of_many_pieces_is_sent_and_read_as_a_whole() {
    let port = server().await;
    let world = World::new().await.granting_http(&format!("127.0.0.1:{port}"));
    let text = "a".repeat(100_000);
    let answer = world.completed("http_post", &json!([format!("http://127.0.0.1:{port}/in"), text]).to_string()).await;
    let body = answer["body"].as_str().unwrap();
    assert!(body.starts_with("POST /in HTTP/1.1 "), "{}", &body[..40]);
    assert!(body.ends_with(&json!({ "text": text }).to_string()), "{} bytes", body.len());
}

#[tokio::test]
async fn without_a_grant_the_error_says_which_one_is_missing() {
    let port = server().await;
    let world = World::new().await.granting_http("localhost:1");
    let failure = world.failed("http_get", &json!(format!("http://localhost:{port}/")).to_string()).await;
    let words =
        format!("localhost:{port} is not granted to this module: `currant deploy … --allow-http localhost:{port}` grants it");
    assert!(failure.message.contains(&words), "{failure:?}");
    assert_eq!((failure.code.as_str(), failure.retryable), ("http-refused", false));
    assert_eq!(world.logs.text(), format!("warn request refused: {words}\n"));
}

#[tokio::test]
async fn nobody_answers_is_an_error_and_not_a_trap() {
    let world = World::new().await.granting_http("127.0.0.1:1");
    let failure = world.failed("http_get", "\"http://127.0.0.1:1/\"").await;
    assert_ne!(failure.code, "trap");
    assert!(failure.message.to_lowercase().contains("refused"), "{failure:?}");
}

#[tokio::test]
async fn what_is_not_secure_is_no_https() {
    let port = server().await;
    let world = World::new().await.granting_http(&format!("localhost:{port}"));
    let failure = world.failed("http_get", &json!(format!("https://localhost:{port}/")).to_string()).await;
    assert!(failure.message.contains("no secure connection"), "{failure:?}");
}

#[tokio::test]
async fn an_authority_of_the_operators_own_vouches_for_its_servers_and_for_their_names_only() {
    let port = secure_server().await;
    let trust = Trust::with_file(&tls("authority.pem")).unwrap();
    let world = World::with(RuntimeSettings { trust, ..settings() }).await;
    let world = world.granting_http(&format!("localhost:{port}")).granting_http(&format!("127.0.0.2:{port}"));
    let answer = world.completed("http_get", &json!(format!("https://localhost:{port}/a")).to_string()).await;
    assert_eq!(answer["body"].as_str().unwrap().to_lowercase(), format!("get /a http/1.1 host: localhost:{port}"));
    let failure = world.failed("http_get", &json!(format!("https://127.0.0.2:{port}/")).to_string()).await;
    assert!(failure.message.contains("no secure connection") && failure.message.contains("not valid for name"), "{failure:?}");
}

#[tokio::test]
async fn an_authority_that_nobody_named_vouches_for_nothing() {
    let port = secure_server().await;
    let world = World::new().await.granting_http(&format!("localhost:{port}"));
    let failure = world.failed("http_get", &json!(format!("https://localhost:{port}/")).to_string()).await;
    assert!(failure.message.contains("UnknownIssuer") && failure.message.contains("worker.ca_file"), "{failure:?}");
    let logged = world.logs.text();
    assert!(logged.starts_with(&format!("warn request failed: localhost:{port}: no secure connection: ")), "{logged}");
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_says_why() {
    let said = |file: &str| format!("{:#}", Trust::with_file(&tls(file)).unwrap_err());
    assert!(said("server.key").contains("server.key cannot be used: there is no certificate in it"), "{}", said("server.key"));
    assert!(said("missing.pem").contains("No such file"), "{}", said("missing.pem"));
}

#[tokio::test]
async fn a_step_has_the_grants_of_its_module_and_sockets_are_never_granted() {
    let world = World::new().await;
    let said = value(world.workflow("network_in_step", r#"["127.0.0.1", 80]"#, &FakeRun::new(1)).await);
    assert!(said.as_str().unwrap().to_lowercase().contains("access"), "{said}");
    assert!(world.logs.text().contains("a module can be granted HTTP"), "{}", world.logs.text());
    world.failed("connect", r#"["127.0.0.1", 80]"#).await;
    world.failed("resolve", "\"localhost\"").await;
}
