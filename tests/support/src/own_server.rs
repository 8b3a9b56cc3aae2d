//! A Postgres of its own, for tests that let it crash. Unlike the shared one it writes to disk what it says it has written.

use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context, Result};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use crate::installation::Installation;

/// A private server with one empty database. Dropped, it is stopped, and its folder deleted.
pub struct OwnServer {
    installation: Installation,
    folder: tempfile::TempDir,
}

impl OwnServer {
    /// Makes a server, and starts it.
    pub fn start() -> Result<OwnServer> {
        let server = OwnServer { installation: Installation::find()?, folder: tempfile::tempdir()? };
        if let Some((user, group)) = server.installation.account {
            chown(server.folder.path(), Some(user), Some(group))?;
        }
        let data = server.data();
        server.installation.run(
            "initdb",
            &["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata", &data],
        )?;
        server.go_on()?;
        Ok(server)
    }

    /// How to connect to its database.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(self.folder.path()).username("postgres").database("postgres")
    }

    /// The same as a URL, for other processes.
    pub fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// Ends all of its processes at once, and starts it again: it recovers from its log.
    pub fn crash(&self) -> Result<()> {
        self.stop("immediate")?;
        self.go_on()
    }

    /// Ends all connections in an orderly way, and starts it again.
    pub fn restart(&self) -> Result<()> {
        self.stop("fast")?;
        self.go_on()
    }

    fn go_on(&self) -> Result<()> {
        let folder = self.folder.path();
        let options =
            format!("-c listen_addresses='' -c unix_socket_directories='{}' -c max_connections=200", folder.display());
        let log = folder.join("server.log");
        let log = text(&log);
        self.installation
            .run("pg_ctl", &["start", "--wait", "--silent", "--log", &log, "--options", &options, "--pgdata", &self.data()])
            .with_context(|| {
                format!("a private Postgres does not start: {}", std::fs::read_to_string(&log).unwrap_or_default())
            })
    }

    fn stop(&self, mode: &str) -> Result<()> {
        self.installation.run("pg_ctl", &["stop", "--mode", mode, "--wait", "--silent", "--pgdata", &self.data()])
    }

    fn data(&self) -> String {
        text(&self.folder.path().join("data"))
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.stop("immediate");
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
