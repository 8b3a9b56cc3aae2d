//! A proxy before Postgres that knows when a worker's writes become durable, and can stop the world exactly there: before the database
//! is told to commit, or after it has committed and before the worker is told so.
//!
//! It reads what a client sends, message by message. A COMMIT makes something durable, and so does a statement without a transaction around
//! it: a claim, or one that writes journals and outcomes. These are *points*; they are numbered in the order in which they come by, over all
//! connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;

/// What becomes durable at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointKind {
    /// What runs have written.
    Commit,
    /// A claim.
    Claim,
}

/// When the world stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The database has not been told: it is as if the worker had never come so far.
    Before,
    /// It is durable, and the worker does not know.
    After,
}

/// How it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The worker hears no more on this connection until it is killed, which is up to whoever waits for [`Proxy::reached`].
    Killed,
    /// The connection breaks, and the worker lives.
    Cut,
}

/// Where to stop.
#[derive(Clone, Copy, Debug)]
pub enum Plan {
    /// Nowhere: only count.
    Count,
    /// At the point of this number, from 1.
    Once(usize, Moment, Stop),
    /// Every so-many-th transaction is cut off from its answer.
    CutEvery(usize),
}

/// The proxy; dropped, it accepts nobody any more.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    server: PgConnectOptions,
    plan: Plan,
    points: Mutex<Vec<PointKind>>,
    stops: AtomicUsize,
    reached: Notify,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Proxy {
    /// A proxy before the server of this database.
    pub async fn start(database_url: &str, plan: Plan) -> Result<Proxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server: database_url.parse()?,
            plan,
            points: Mutex::default(),
            stops: AtomicUsize::new(0),
            reached: Notify::new(),
        });
        let served = shared.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = served.clone();
                tokio::spawn(async move {
                    // A connection that breaks is what this is about.
                    let _ = Connection::open(client, shared).await?.pass_on().await;
                    anyhow::Ok(())
                });
            }
        });
        Ok(Proxy { port, shared, accepting })
    }

    /// The database's URL through this proxy.
    pub fn url(&self) -> Result<String> {
        let Shared { server, .. } = &*self.shared;
        let database = server.get_database().context("the URL names a database")?;
        Ok(format!("postgres://{}@127.0.0.1:{}/{database}?sslmode=disable", server.get_username(), self.port))
    }

    /// The points that came by.
    pub fn points(&self) -> Vec<PointKind> {
        self.shared.points.lock().expect("no panic while held").clone()
    }

    /// How often the world was stopped.
    pub fn stops(&self) -> usize {
        self.shared.stops.load(Ordering::Relaxed)
    }

    /// Waits until the world is stopped.
    pub async fn reached(&self) {
        self.shared.reached.notified().await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    /// Counts a point; answers what is to happen there.
    fn count(&self, kind: PointKind) -> Option<(Moment, Stop)> {
        let mut points = self.points.lock().expect("no panic while held");
        points.push(kind);
        let commits = || points.iter().filter(|kind| **kind == PointKind::Commit).count();
        match self.plan {
            Plan::Once(number, moment, stop) if number == points.len() => Some((moment, stop)),
            Plan::CutEvery(every) if kind == PointKind::Commit && commits().is_multiple_of(every) => {
                Some((Moment::After, Stop::Cut))
            }
            _ => None,
        }
    }
}

/// One connection of a client, and the one to the server that belongs to it.
struct Connection {
    client: TcpStream,
    server: Box<dyn Stream>,
    shared: Arc<Shared>,
    /// What the client sent and is not yet a whole message.
    unread: Vec<u8>,
    statements: Statements,
}

impl Connection {
    async fn open(client: TcpStream, shared: Arc<Shared>) -> Result<Connection> {
        let options = &shared.server;
        let server: Box<dyn Stream> = match options.get_socket() {
            Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", options.get_port()))).await?),
            None => Box::new(TcpStream::connect((options.get_host(), options.get_port())).await?),
        };
        Ok(Connection { client, server, shared, unread: Vec::new(), statements: Statements::default() })
    }

    /// Passes messages on in both directions, until one side ends or the world stops.
    async fn pass_on(mut self) -> Result<()> {
        let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            tokio::select! {
                read = self.client.read(&mut asked) => {
                    let bytes = &asked[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    self.unread.extend_from_slice(bytes);
                    if let Some(stop) = self.ask().await? {
                        return self.stop(stop).await;
                    }
                }
                read = self.server.read(&mut answered) => {
                    let bytes = &answered[..read?];
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    self.client.write_all(bytes).await?;
                }
            }
        }
    }

    /// Passes whole messages on to the server. Answers how the world stops, if it does here.
    async fn ask(&mut self) -> Result<Option<Stop>> {
        while let Some(message) = self.next_message() {
            let point = self.statements.read(&message).and_then(|kind| self.shared.count(kind));
            match point {
                None => self.server.write_all(&message).await?,
                Some((Moment::Before, stop)) => return Ok(Some(stop)),
                Some((Moment::After, stop)) => {
                    self.server.write_all(&message).await?;
                    self.await_answer().await?;
                    return Ok(Some(stop));
                }
            }
        }
        Ok(None)
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        // The first message of a connection has no kind.
        let kind = usize::from(self.statements.connected);
        let length = self.unread.get(kind..kind + 4)?;
        let end = kind + u32::from_be_bytes(length.try_into().ok()?) as usize;
        (self.unread.len() >= end).then(|| self.unread.drain(..end).collect())
    }

    /// Until the server is ready for the next query: what was asked is durable.
    async fn await_answer(&mut self) -> Result<()> {
        let (mut chunk, mut answer) = (vec![0; 1 << 16], Vec::new());
        loop {
            let read = self.server.read(&mut chunk).await?;
            answer.extend_from_slice(&chunk[..read]);
            let ready = answer.len().checked_sub(6).is_some_and(|at| answer[at..].starts_with(b"Z\0\0\0\x05"));
            if ready || read == 0 {
                return Ok(());
            }
        }
    }

    async fn stop(mut self, stop: Stop) -> Result<()> {
        self.shared.stops.fetch_add(1, Ordering::Relaxed);
        self.shared.reached.notify_one();
        if stop == Stop::Killed {
            let mut ignored = [0; 1024];
            while self.client.read(&mut ignored).await? > 0 {}
        }
        Ok(())
    }
}

/// What a client has prepared and is about to execute.
#[derive(Default)]
struct Statements {
    connected: bool,
    /// Those that make something durable by themselves.
    durable: HashMap<Vec<u8>, PointKind>,
    in_transaction: bool,
    executing: Option<PointKind>,
}

impl Statements {
    /// Takes note of a message; answers what it makes durable.
    fn read(&mut self, message: &[u8]) -> Option<PointKind> {
        if !self.connected {
            self.connected = true;
            return None;
        }
        let (kind, body) = (message[0], &message[5..]);
        let mut texts = body.split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        match kind {
            b'Q' => {
                let query = text();
                self.in_transaction = match query {
                    b"BEGIN" => true,
                    b"COMMIT" | b"ROLLBACK" => false,
                    _ => self.in_transaction,
                };
                return (query == b"COMMIT").then_some(PointKind::Commit);
            }
            // Prepares: a name, and a text.
            b'P' => {
                let (name, query) = (text(), text());
                let kind = if contains(query, b"insert into currant.running") {
                    PointKind::Claim
                } else if contains(query, b"insert into currant.journal") || contains(query, b"insert into currant.outcomes") {
                    PointKind::Commit
                } else {
                    return None;
                };
                self.durable.insert(name.to_vec(), kind);
            }
            // Binds: a portal, and the name of what was prepared.
            b'B' => {
                let (_portal, name) = (text(), text());
                self.executing = self.durable.get(name).copied().or(self.executing);
            }
            // Executes all that came before.
            b'S' => {
                return self.executing.take().filter(|_| !self.in_transaction);
            }
            _ => {}
        }
        None
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
