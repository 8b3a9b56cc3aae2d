//! `currant-host dev` as a person has it: a process in a folder, which is interrupted, killed, and started twice.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

struct Dev {
    process: Child,
    url: String,
}

impl Dev {
    /// Starts it, and waits until it has printed its URL.
    fn start(folder: &Path) -> Dev {
        let mut process = command(folder).stdout(Stdio::piped()).stderr(log(folder)).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        assert!(url.starts_with("postgres://"), "it did not start: {}", fs::read_to_string(folder.join("log")).unwrap());
        Dev { process, url: url.trim().to_owned() }
    }

    fn interrupt(mut self) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        assert!(self.process.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Dev {
    /// So that a test that failed leaves no Postgres behind.
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
            let _ = self.process.wait();
        }
    }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_currant-host"));
    command.arg("dev").current_dir(folder).stdin(Stdio::null());
    for variable in ["CURRANT_DATABASE_URL", "DATABASE_URL"] {
        command.env_remove(variable);
    }
    command
}

fn log(folder: &Path) -> fs::File {
    fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap()
}

/// A folder that the account of Postgres may pass, should the tests run as root.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// The process in the file that Postgres deletes when it has stopped.
fn server_pid(folder: &Path) -> Option<i32> {
    fs::read_to_string(folder.join(".currant/postgres/postmaster.pid")).ok()?.lines().next()?.parse().ok()
}

#[test]
fn an_interrupt_stops_everything_and_the_url_stays_the_same() {
    let folder = folder();
    let dev = Dev::start(folder.path());
    let url = dev.url.clone();
    let published = fs::read_to_string(folder.path().join(".currant/dev.json")).unwrap();
    assert!(published.contains(&url), "{published}");
    dev.interrupt();
    assert_eq!(server_pid(folder.path()), None, "Postgres still runs");
    assert!(!folder.path().join(".currant/dev.json").exists());

    let again = Dev::start(folder.path());
    assert_eq!(again.url, url);
    again.interrupt();
}

#[test]
fn a_killed_one_is_followed_by_one_that_adopts_its_postgres() {
    let folder = folder();
    let first = Dev::start(folder.path());
    let server = server_pid(folder.path()).unwrap();
    first.kill();

    let second = Dev::start(folder.path());
    assert_eq!(server_pid(folder.path()), Some(server));
    second.interrupt();
    assert_eq!(server_pid(folder.path()), None, "Postgres still runs");
}

#[test]
fn a_pid_file_of_another_process_is_no_server() {
    let folder = folder();
    Dev::start(folder.path()).interrupt();
    let pid_file: PathBuf = folder.path().join(".currant/postgres/postmaster.pid");
    fs::write(pid_file, format!("{}\n/elsewhere\n0\n5432\n", std::process::id())).unwrap();
    Dev::start(folder.path()).interrupt();
}

#[test]
fn the_second_one_in_a_folder_is_refused() {
    let folder = folder();
    let first = Dev::start(folder.path());
    let second = command(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(3));
    let said = String::from_utf8(second.stderr).unwrap();
    let expected = format!("`currant dev` already runs in this folder, as process {}", first.process.id());
    assert!(said.contains(&expected), "{said}");
    first.interrupt();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = command(folder.path()).args(["--port", &port.to_string()]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
}
