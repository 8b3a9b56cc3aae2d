//! The private Postgres: made once, started or adopted, stopped.
//!
//! It listens on 127.0.0.1 with a random password and nowhere else. No unix socket: its path would have to fit into 107 bytes, which
//! the path of a project may not, and every client can use the URL.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::account::Account;
use super::folder::{Folder, make_passable, write_private};
use super::installation::Installation;
use super::say;

/// Where the data goes when we are root and the account of Postgres cannot enter the current folder, as below `/root`.
const HOME_OF_UNREACHABLE: &str = "/var/lib/currant";

/// A Postgres that runs.
pub(super) struct Postgres {
    installation: Installation,
    account: Account,
    /// Absolute, and reachable for the account.
    data: PathBuf,
    settings: Settings,
}

/// What is kept about it from start to start, so that URLs stay valid.
#[derive(Serialize, Deserialize)]
struct Settings {
    port: u16,
    password: String,
}

impl Postgres {
    /// Starts it, making it first if it is not there. One that a killed `currant dev` has left running is adopted.
    pub(super) async fn start(folder: &Folder, port: Option<u16>) -> Result<Postgres> {
        let account = Account::choose()?;
        let home = home(folder, &account)?;
        let data = home.join("postgres");
        let installation = Installation::find(version_of_data(&data))?;
        let settings = Settings::load_or_make(&home)?;
        let mut postgres = Postgres { installation, account, data, settings };

        if !postgres.data.exists() {
            say(&format!("making a private Postgres in {}", postgres.data.display()));
            postgres.initialise(&home).await?;
        }
        match postgres.running() {
            Some(running) if port.is_none_or(|port| port == running) => {
                say("the private Postgres still runs: using it");
                postgres.settings.port = running;
            }
            Some(_) => {
                postgres.stop().await?;
                postgres.launch(port).await?;
            }
            None => postgres.launch(port).await?,
        }
        postgres.settings.save(&home)?;
        Ok(postgres)
    }

    /// The URL of its database.
    pub(super) fn url(&self) -> String {
        format!("postgres://currant:{}@127.0.0.1:{}/postgres", self.settings.password, self.settings.port)
    }

    /// Stops it: what is committed is kept, open connections are closed.
    pub(super) async fn stop(&self) -> Result<()> {
        self.run("pg_ctl", &["stop", "--mode=fast", "--wait", "--pgdata", &self.data_text()]).await
    }

    /// Makes the data folder beside its place and moves it there, so that one which is there is whole.
    async fn initialise(&self, home: &Path) -> Result<()> {
        let unfinished = home.join("postgres.unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        fs::create_dir(&unfinished)?;
        self.account.own(&unfinished)?;
        let password = tempfile::NamedTempFile::new()?;
        fs::write(password.path(), &self.settings.password)?;
        self.account.own(password.path())?;
        self.run(
            "initdb",
            &[
                "--username=currant",
                "--auth=scram-sha-256",
                &format!("--pwfile={}", password.path().display()),
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "--pgdata",
                &unfinished.to_string_lossy(),
            ],
        )
        .await?;
        fs::rename(unfinished, &self.data).context("cannot move the data folder to its place")
    }

    /// Without just-in-time compilation: it takes half a second for statements that run for a millisecond, because the tables are too
    /// young for Postgres to know how small they are.
    async fn launch(&mut self, port: Option<u16>) -> Result<()> {
        self.settings.port = match port {
            Some(port) if !is_free(port) => {
                bail!("port {port} is taken: name another with --port, or none to have a free one chosen")
            }
            Some(port) => port,
            None if is_free(self.settings.port) => self.settings.port,
            None => free_port()?,
        };
        let options =
            format!("-c listen_addresses=127.0.0.1 -c port={} -c unix_socket_directories='' -c jit=off", self.settings.port);
        let log = self.data.join("server.log");
        // By pg_ctl and not as a child: it gets a session of its own, so that a Ctrl-C reaches us, and Postgres only after the worker.
        let started = self
            .run(
                "pg_ctl",
                &[
                    "start",
                    "--wait",
                    "--silent",
                    "--log",
                    &log.to_string_lossy(),
                    "--options",
                    &options,
                    "--pgdata",
                    &self.data_text(),
                ],
            )
            .await;
        started.with_context(|| format!("Postgres does not start; its log is {}", log.display()))
    }

    /// The port on which it runs, if it does. A pid file whose process is gone, or is another by now, is a stale one.
    fn running(&self) -> Option<u16> {
        let pid_file = self.data.join("postmaster.pid");
        let content = fs::read_to_string(&pid_file).ok()?;
        let mut lines = content.lines();
        let pid: i32 = lines.next()?.trim().parse().ok()?;
        if is_postgres_of(pid, &self.data) {
            return lines.nth(2)?.trim().parse().ok();
        }
        let _ = fs::remove_file(pid_file);
        None
    }

    /// Runs one of its programs under its account; what it says is shown only if it fails.
    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(self.installation.program(program));
        command.args(arguments).env_clear().env("LC_ALL", "C").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // The current folder may be one that the account cannot enter, and then they fail before they begin.
        command.current_dir("/");
        self.account.apply(&mut command);
        let output = command.output().await.with_context(|| format!("cannot run {program}"))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("{program} failed: {}", String::from_utf8_lossy(&said).trim());
        }
        Ok(())
    }

    fn data_text(&self) -> String {
        self.data.to_string_lossy().into_owned()
    }
}

impl Settings {
    fn load_or_make(home: &Path) -> Result<Settings> {
        let path = home.join("postgres.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display())),
            Err(_) if home.join("postgres").exists() => {
                bail!(
                    "{} is gone, and with it the password\nhint: delete {} to begin afresh",
                    path.display(),
                    home.join("postgres").display()
                )
            }
            Err(_) => {
                let mut secret = [0; 16];
                SysRng.try_fill_bytes(&mut secret).context("the system gives no random bytes")?;
                let settings = Settings { port: free_port()?, password: hexadecimal(&secret) };
                settings.save(home)?;
                Ok(settings)
            }
        }
    }

    fn save(&self, home: &Path) -> Result<()> {
        write_private(&home.join("postgres.json"), &serde_json::to_string_pretty(self)?)
    }
}

/// The folder for data and settings: `.currant`, unless the account cannot get there.
fn home(folder: &Folder, account: &Account) -> Result<PathBuf> {
    if account.can_enter(folder.path()) {
        return Ok(folder.path().to_owned());
    }
    let name = hexadecimal(&Sha256::digest(folder.path().as_os_str().as_encoded_bytes())[..6]);
    let home = Path::new(HOME_OF_UNREACHABLE).join(name);
    make_passable(Path::new(HOME_OF_UNREACHABLE))?;
    make_passable(&home)?;
    if let Account::Dropped { name, .. } = account {
        say(&format!("Postgres runs as `{name}`, who cannot enter this folder: its data is in {}", home.display()));
    }
    Ok(home)
}

fn version_of_data(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The server works in its data folder; where /proc does not tell, a process that is alive has to do.
fn is_postgres_of(pid: i32, data: &Path) -> bool {
    if Path::new("/proc/self/cwd").exists() {
        return fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data);
    }
    rustix::process::Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).context("no port is free")?.port())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
