//! `.currant/`: what `currant dev` keeps in the folder where it runs.
//!
//! ```text
//! lock           held while it runs; names its process
//! dev.json       where its database is, for the other commands; only while it runs
//! postgres.json  port and password of the private Postgres
//! postgres/      its data
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

/// The folder, claimed by this process.
pub(super) struct Folder {
    path: PathBuf,
    /// The kernel lets go of the lock when the process ends, however it ends: no stale lock is possible. Not inherited by Postgres.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there; refuses if another `currant dev` runs in it.
    pub(super) fn claim(path: PathBuf) -> Result<Folder> {
        make_passable(&path)?;
        // Passwords and data do not belong into anybody's repository.
        let unwritable = || format!("cannot write into {}", path.display());
        fs::write(path.join(".gitignore"), "*\n").with_context(unwritable)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(path.join("lock")).with_context(unwritable)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            lock.read_to_string(&mut holder)?;
            bail!("`currant dev` already runs in this folder, as process {}", holder.trim());
        }
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Folder { path: path.canonicalize()?, _lock: lock })
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the other commands where the database is.
    pub(super) fn publish(&self, database_url: &str) -> Result<()> {
        let content = json!({ "database_url": database_url, "pid": std::process::id() });
        write_private(&self.path.join("dev.json"), &format!("{content:#}\n"))
    }

    /// Takes that back. What cannot be deleted is overwritten at the next start, and until then leads to a clear "not reachable".
    pub(super) fn retract(&self) {
        let _ = fs::remove_file(self.path.join("dev.json"));
    }
}

/// Makes a folder that the account of Postgres may pass, and not read, when we are root; whatever the umask says.
pub(super) fn make_passable(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o711)))
        .with_context(|| format!("cannot make {}", path.display()))
}

/// Writes a file that only its owner can read, as a whole or not at all.
pub(super) fn write_private(path: &Path, content: &str) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let write = || {
        let _ = fs::remove_file(&unfinished);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(content.as_bytes())?;
        fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
