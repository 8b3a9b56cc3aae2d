//! HTTP of tasks: what is granted, and nothing else.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::{FakeRun, World, value};

/// A server on this machine that answers every request with its first line. Answers its port.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let line = request.lines().next().unwrap_or_default();
            let host = request.lines().find(|line| line.to_lowercase().starts_with("host:")).unwrap_or_default();
            let body = format!("{line} {host}");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
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
async fn without_a_grant_the_error_says_which_one_is_missing() {
    let port = server().await;
    let world = World::new().await.granting_http("localhost:1");
    let failure = world.failed("http_get", &json!(format!("http://localhost:{port}/")).to_string()).await;
    let words =
        format!("localhost:{port} is not granted to this module: `--allow-http localhost:{port}` at its deployment grants it");
    assert!(failure.message.contains(&words), "{failure:?}");
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
async fn a_step_has_the_grants_of_its_module_and_sockets_are_never_granted() {
    let world = World::new().await;
    let said = value(world.workflow("network_in_step", r#"["127.0.0.1", 80]"#, &FakeRun::new(1)).await);
    assert!(said.as_str().unwrap().to_lowercase().contains("access"), "{said}");
    assert!(world.logs.text().contains("a module can be granted HTTP"), "{}", world.logs.text());
    world.failed("connect", r#"["127.0.0.1", 80]"#).await;
    world.failed("resolve", "\"localhost\"").await;
}
