//! Compiled code on disk.
//!
//! Compiled code is trusted: whoever can write it runs what they like in the worker. So the folder must be this user's and nobody
//! else's, and so must every file; each file carries the SHA-256 of its contents, and says for which engine it was compiled. Whatever
//! does not fit is removed, and compiled again. A folder that somebody else could write to is emptied before it is used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use currant_core::ids::Digest;
use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use tracing::{debug, warn};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::runtime::settings::RuntimeSettings;

const MAGIC: &[u8; 16] = b"currant module 1";
const SUFFIX: &str = "cwasm";

/// A private folder of compiled code, bounded in size.
pub(in crate::runtime) struct DiskCache {
    folder: PathBuf,
    limit: u64,
    /// Everything that compiled code depends on, beside the component: wasmtime's version, the target, the engine's switches.
    engine: String,
}

impl DiskCache {
    /// Opens the folder of the settings. None, with a warning, where it cannot be made private: then every start compiles.
    pub(in crate::runtime) fn open(engine: &Engine, settings: &RuntimeSettings) -> Option<DiskCache> {
        let folder = settings.cache_folder.clone()?;
        if let Err(error) = make_private(&folder) {
            let folder = folder.display().to_string();
            warn!(folder, error = format!("{error:#}"), "no cache of compiled code; every start compiles");
            return None;
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = format!("{}-{:016x}", std::env::consts::ARCH, hasher.finish());
        Some(DiskCache { folder, limit: settings.cache_folder_limit, engine })
    }

    /// The compiled component and the size of its code, if it is there and whole.
    pub(in crate::runtime) fn load(&self, engine: &Engine, digest: &Digest) -> Option<(Component, usize)> {
        let path = self.path(digest);
        let compiled = match read_checked(&path, &self.engine, digest) {
            Ok(compiled) => compiled?,
            Err(error) => {
                warn!(path = %path.display(), error = format!("{error:#}"), "compiled code discarded");
                let _ = fs::remove_file(&path);
                return None;
            }
        };
        match deserialize(engine, &compiled) {
            Ok(component) => Some((component, compiled.len())),
            Err(error) => {
                warn!(path = %path.display(), error = format!("{error:#}"), "compiled code of another engine discarded");
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps compiled code. A reader sees the whole file or none.
    pub(in crate::runtime) fn store(&self, digest: &Digest, compiled: &[u8]) -> anyhow::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        file.write_all(&header(&self.engine, digest, compiled))?;
        file.write_all(compiled)?;
        file.persist(self.path(digest))?;
        self.make_room();
        Ok(())
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{digest}-{}.{SUFFIX}", self.engine))
    }

    /// Removes what was not used for longest until the folder is within its bound.
    fn make_room(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, metadata.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        // The newest stays, however large.
        let removable = files.len().saturating_sub(1);
        for (_, size, path) in files.into_iter().take(removable) {
            if total <= self.limit {
                return;
            }
            debug!(path = %path.display(), "compiled code removed to make room");
            let _ = fs::remove_file(&path);
            total -= size;
        }
    }
}

/// Makes the folder, or checks that it is ours alone.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let metadata = fs::symlink_metadata(folder)?;
    ensure!(metadata.is_dir(), "{} is not a folder", folder.display());
    ensure!(metadata.uid() == geteuid().as_raw(), "{} belongs to another user", folder.display());
    let mode = metadata.mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    if mode & 0o022 != 0 {
        warn!(folder = %folder.display(), "others could write to the cache of compiled code: it is emptied");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Reads a file and checks all that it says of itself. None if there is no file.
fn read_checked(path: &Path, engine: &str, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
    let no_link = OFlags::NOFOLLOW.bits() as i32;
    let mut file = match OpenOptions::new().read(true).custom_flags(no_link).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    ensure!(metadata.is_file(), "not a file");
    ensure!(metadata.uid() == geteuid().as_raw(), "it belongs to another user");
    ensure!(metadata.mode() & 0o022 == 0, "others may write to it");
    let mut contents = Vec::with_capacity(metadata.len() as usize);
    file.read_to_end(&mut contents)?;
    let length = header_length(engine);
    if contents.len() < length {
        bail!("truncated");
    }
    let compiled = contents.split_off(length);
    ensure!(contents == header(engine, digest, &compiled), "corrupt or truncated, or made for another module or engine");
    used_now(&file);
    Ok(Some(compiled))
}

/// What a file begins with: what it is, for which engine and module, and the digest of what follows.
fn header(engine: &str, digest: &Digest, compiled: &[u8]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(engine.as_bytes());
    header.extend_from_slice(digest.as_bytes());
    header.extend_from_slice(&Sha256::digest(compiled));
    header
}

fn header_length(engine: &str) -> usize {
    MAGIC.len() + engine.len() + 32 + 32
}

/// Notes the use, for the order in which files are removed.
fn used_now(file: &File) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
    };
    let _ = futimens(file, &times);
}

/// The one place where bytes become code that runs.
#[expect(unsafe_code, reason = "argued below")]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `Component::deserialize` asks that the bytes were made by `Component::serialize` and not changed since. They come from a
    // file that only this user can write, in a folder that only this user can write (`make_private`, `read_checked`), and their
    // SHA-256 is the one that was written beside them when this program serialized them. Wasmtime itself refuses the work of another
    // version or of an engine with other switches. What remains is an attacker with this user's rights, who needs no cache to run code.
    unsafe { Component::deserialize(engine, compiled) }
}
