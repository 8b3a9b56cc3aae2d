//! Where Postgres is installed, and under which account it runs.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Postgres' programs, and the account under which they run.
pub(crate) struct Installation {
    folder: PathBuf,
    /// Set when we are root: Postgres refuses to run as root.
    pub(crate) account: Option<(u32, u32)>,
}

impl Installation {
    /// The newest installation that this machine has.
    pub(crate) fn find() -> Result<Installation> {
        let folder = candidates().into_iter().find(|folder| folder.join("initdb").is_file());
        let folder = folder.context("no Postgres is installed: see scripts/setup, or set CURRANT_TEST_DATABASE_URL")?;
        let account = if rustix::process::getuid().is_root() { Some(unprivileged()?) } else { None };
        Ok(Installation { folder, account })
    }

    /// A command that runs one of its programs.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join(program));
        // The current folder may be one that the account cannot enter.
        command.current_dir("/").env("LC_ALL", "C");
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes an empty server in this folder, which must not be there. Whoever may enter it may do everything.
    pub(crate) fn make(&self, data: &Path) -> Result<()> {
        let data = data.to_string_lossy();
        let local = "--locale=C";
        self.run("initdb", &["--username=postgres", "--auth=trust", "--encoding=UTF8", local, "--no-sync", "--pgdata", &data])
    }

    /// Starts the server of `data`. Its socket and its log are in `folder`.
    pub(crate) fn start(&self, folder: &Path, data: &Path, settings: &str) -> Result<()> {
        let options = format!("{settings} -c unix_socket_directories='{}'", folder.display());
        let log = folder.join("server.log");
        let (log, data) = (log.to_string_lossy(), data.to_string_lossy());
        self.run("pg_ctl", &["start", "--wait", "--silent", "--log", &log, "--options", &options, "--pgdata", &data])
            .with_context(|| format!("the private Postgres does not start; its log is {log}"))
    }

    /// Runs a program to its end; what it says is shown only if it fails.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.command(program).args(arguments).output().with_context(|| format!("cannot run {program}"))?;
        if !output.status.success() {
            bail!("{program} failed: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    found.extend(versions.into_iter().map(|(_, folder)| folder));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.push(Path::new(String::from_utf8_lossy(&output.stdout).trim()).to_path_buf());
    }
    found
}

/// User and group of an account that is not root.
fn unprivileged() -> Result<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").context("cannot read the accounts of this machine")?;
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|wanted| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                let name = fields.next()?;
                let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                (name == wanted).then_some((user, group))
            })
        })
        .context("Postgres does not run as root, and there is neither an account `postgres` nor `nobody`")
}
