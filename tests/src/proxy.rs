//! A proxy before Postgres that cuts the connection between a COMMIT and its answer: the database has committed, and the client
//! will never know.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// As a client sends it: a simple query, its length, its text.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// A proxy that cuts every so-many-th commit off from its answer.
pub struct CuttingProxy {
    port: u16,
    cuts: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl CuttingProxy {
    /// A proxy before the server of this database; every `every`-th commit is cut off.
    pub async fn start(database_url: &str, every: usize) -> Result<CuttingProxy> {
        let server: PgConnectOptions = database_url.parse()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (commits, cuts) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let cut = cuts.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, commits, cut) = (server.clone(), commits.clone(), cut.clone());
                tokio::spawn(async move {
                    // A connection that breaks is what this is about.
                    let _ = pass_on(client, &server, &commits, &cut, every).await;
                });
            }
        });
        Ok(CuttingProxy { port, cuts, accepting })
    }

    /// The database's URL through this proxy.
    pub fn url(&self, database_url: &str) -> Result<String> {
        let options: PgConnectOptions = database_url.parse()?;
        let database = options.get_database().context("the URL names a database")?;
        Ok(format!("postgres://{}@127.0.0.1:{}/{database}?sslmode=disable", options.get_username(), self.port))
    }

    /// How many commits were cut off.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for CuttingProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(server: &PgConnectOptions) -> Result<Box<dyn Stream>> {
    Ok(match server.get_socket() {
        Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", server.get_port()))).await?),
        None => Box::new(TcpStream::connect((server.get_host(), server.get_port())).await?),
    })
}

/// Passes bytes on in both directions, until one side ends or a commit is cut off.
async fn pass_on(
    mut client: TcpStream,
    server: &PgConnectOptions,
    commits: &AtomicUsize,
    cuts: &AtomicUsize,
    every: usize,
) -> Result<()> {
    let mut server = connect(server).await?;
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                let commit = bytes.windows(COMMIT.len()).any(|window| window == COMMIT);
                server.write_all(bytes).await?;
                if commit && (commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(every) {
                    // The answer says that it is committed; it is not passed on.
                    let _ = server.read(&mut answered).await?;
                    cuts.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
            }
            read = server.read(&mut answered) => {
                let bytes = &answered[..read?];
                if bytes.is_empty() {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}
