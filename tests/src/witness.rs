//! A server outside of everything, which is told by guests what they do and remembers it: what it has heard has happened, whatever became of
//! the run that did it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// The witness; dropped, it hears nothing any more.
pub struct Witness {
    port: u16,
    heard: Arc<Mutex<Vec<Effect>>>,
    accepting: tokio::task::JoinHandle<()>,
}

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Effect {
    /// The workflow for which it was done.
    pub root: Uuid,
    /// What was done: a task's or a step's name.
    pub what: String,
    /// The execution that did it.
    pub by: Uuid,
    /// With what.
    pub detail: String,
}

impl Witness {
    /// A witness on a port of its own.
    pub async fn start() -> Result<Witness> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let heard = Arc::<Mutex<Vec<Effect>>>::default();
        let hearing = heard.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let hearing = hearing.clone();
                tokio::spawn(async move {
                    // Who is killed while it talks was not heard.
                    let _ = listen(client, &hearing).await;
                });
            }
        });
        Ok(Witness { port, heard, accepting })
    }

    /// Where it listens: what has to be granted.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What was done for a workflow, in the order in which it was heard.
    pub fn effects(&self, root: Uuid) -> Vec<Effect> {
        self.heard.lock().expect("no panic while held").iter().filter(|effect| effect.root == root).cloned().collect()
    }

    /// How much it heard in all, and how much of that for the first time.
    pub fn heard(&self) -> (usize, usize) {
        let heard = self.heard.lock().expect("no panic while held");
        (heard.len(), heard.iter().collect::<HashSet<_>>().len())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads one request, `GET /root/what/by/detail`, and says that it was heard.
async fn listen(mut client: TcpStream, heard: &Mutex<Vec<Effect>>) -> Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut chunk = [0; 1024];
        let read = client.read(&mut chunk).await?;
        anyhow::ensure!(read > 0, "the request ends before it is whole");
        request.extend_from_slice(&chunk[..read]);
    }
    let status = match effect(&request) {
        Some(effect) => {
            heard.lock().expect("no panic while held").push(effect);
            "204 No Content"
        }
        None => "400 Bad Request",
    };
    client.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    Ok(client.shutdown().await?)
}

fn effect(request: &[u8]) -> Option<Effect> {
    let path = std::str::from_utf8(request).ok()?.strip_prefix("GET /")?.split(' ').next()?;
    let mut parts = path.splitn(4, '/');
    Some(Effect {
        root: parts.next()?.parse().ok()?,
        what: parts.next()?.into(),
        by: parts.next()?.parse().ok()?,
        detail: parts.next()?.into(),
    })
}
