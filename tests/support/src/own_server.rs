//! A Postgres of one test's own: what is done to it happens to nobody else.

use std::os::unix::fs::chown;
use std::path::PathBuf;

use anyhow::Result;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::installation::Installation;

/// A server that can be stopped and started again. Dropped, it is stopped for good.
pub struct OwnServer {
    installation: Installation,
    folder: TempDir,
    settings: String,
}

impl OwnServer {
    /// Makes one, and starts it with these settings, written `-c NAME=VALUE`.
    pub fn start(settings: &str) -> Result<OwnServer> {
        let installation = Installation::find()?;
        let folder = TempDir::new()?;
        if let Some((user, group)) = installation.account {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let settings = format!("-c listen_addresses='' {settings}");
        let server = OwnServer { installation, folder, settings };
        server.installation.make(&server.data())?;
        server.start_again()?;
        Ok(server)
    }

    /// Stops it as a crash does: at once, with whatever was under way.
    pub fn stop_at_once(&self) -> Result<()> {
        self.installation.run("pg_ctl", &["stop", "--mode=immediate", "--wait", "--pgdata", &self.data().to_string_lossy()])
    }

    /// The same, and starts it again.
    pub fn crash(&self) -> Result<()> {
        self.stop_at_once()?;
        self.start_again()
    }

    /// Ends all connections in an orderly way, and starts it again.
    pub fn restart(&self) -> Result<()> {
        self.installation.run("pg_ctl", &["stop", "--mode=fast", "--wait", "--pgdata", &self.data().to_string_lossy()])?;
        self.start_again()
    }

    /// Starts it after a stop; it recovers first.
    pub fn start_again(&self) -> Result<()> {
        self.installation.start(self.folder.path(), &self.data(), &self.settings)
    }

    /// The URL of its database, for other processes.
    pub fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    /// How to connect to its database.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass().socket(self.folder.path()).username("postgres").database("postgres")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // A test may have stopped it, and not started it again.
        let _ = self.stop_at_once();
    }
}
