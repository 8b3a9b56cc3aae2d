//! Compiled code on disk: used when it is whole and ours, discarded when it is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use currant_core::ids::Digest;
use currant_host::runtime::{Runtime, RuntimeSettings};

use crate::world::{Components, guest, settings};

struct Cache {
    folder: tempfile::TempDir,
    source: Arc<Components>,
    digest: Digest,
}

impl Cache {
    /// A folder with the compiled guest in it.
    async fn filled() -> Cache {
        let (source, digest) = Components::with(guest("hello"));
        let cache = Cache { folder: tempfile::tempdir().unwrap(), source, digest };
        cache.load().await;
        assert_eq!(cache.source.reads(), 1);
        cache
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("modules")
    }

    /// Loads in a runtime that has nothing in memory.
    async fn load(&self) {
        let settings = RuntimeSettings { cache_folder: Some(self.path()), ..settings() };
        Runtime::new(settings, self.source.clone()).unwrap().load(&self.digest).await.unwrap();
    }

    fn file(&self) -> PathBuf {
        let mut files: Vec<_> = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.remove(0)
    }

    /// Loads again, which must compile, and again, which must not.
    async fn is_compiled_again(&self) {
        self.load().await;
        assert_eq!(self.source.reads(), 2);
        self.load().await;
        assert_eq!(self.source.reads(), 2);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_second_start_finds_compiled_code_that_is_private() {
    let cache = Cache::filled().await;
    cache.load().await;
    assert_eq!(cache.source.reads(), 1);
    assert_eq!((mode(&cache.path()), mode(&cache.file())), (0o700, 0o600));
}

#[tokio::test]
async fn a_changed_byte_is_noticed_anywhere() {
    let cache = Cache::filled().await;
    let length = fs::metadata(cache.file()).unwrap().len() as usize;
    for at in [0, 20, 60, 100, length / 2, length - 1] {
        let reads = cache.source.reads();
        let mut contents = fs::read(cache.file()).unwrap();
        contents[at] ^= 1;
        fs::write(cache.file(), contents).unwrap();
        cache.load().await;
        assert_eq!(cache.source.reads(), reads + 1, "byte {at}");
    }
}

#[tokio::test]
async fn a_truncated_file_is_compiled_again() {
    for length in [0, 50, 5_000] {
        let cache = Cache::filled().await;
        fs::OpenOptions::new().write(true).open(cache.file()).unwrap().set_len(length).unwrap();
        cache.is_compiled_again().await;
    }
}

#[tokio::test]
async fn a_file_that_others_can_write_is_compiled_again() {
    let cache = Cache::filled().await;
    chmod(&cache.file(), 0o666);
    cache.is_compiled_again().await;
}

#[tokio::test]
async fn a_link_in_its_place_is_compiled_again() {
    let cache = Cache::filled().await;
    let (file, elsewhere) = (cache.file(), cache.folder.path().join("elsewhere"));
    fs::rename(&file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
    cache.is_compiled_again().await;
    assert!(elsewhere.exists());
}

#[tokio::test]
async fn another_modules_code_under_this_name_is_compiled_again() {
    let cache = Cache::filled().await;
    let (other_source, other) = Components::with(guest("behaviours"));
    let elsewhere = Cache { folder: tempfile::tempdir().unwrap(), source: other_source, digest: other };
    elsewhere.load().await;
    fs::copy(elsewhere.file(), cache.file()).unwrap();
    cache.is_compiled_again().await;
}

#[tokio::test]
async fn a_folder_that_others_could_write_is_emptied() {
    let cache = Cache::filled().await;
    chmod(&cache.path(), 0o777);
    cache.is_compiled_again().await;
    assert_eq!(mode(&cache.path()), 0o700);
}

#[tokio::test]
async fn a_folder_that_is_none_costs_only_time() {
    let cache = Cache::filled().await;
    fs::remove_dir_all(cache.path()).unwrap();
    fs::write(cache.path(), "a file").unwrap();
    cache.load().await;
    assert_eq!(cache.source.reads(), 2);
}

#[tokio::test]
async fn the_folder_stays_within_its_bound() {
    let cache = Cache::filled().await;
    let old = cache.file();
    let (source, digest) = Components::with(guest("behaviours"));
    let settings = RuntimeSettings { cache_folder: Some(cache.path()), cache_folder_limit: 1, ..settings() };
    Runtime::new(settings, source).unwrap().load(&digest).await.unwrap();
    assert!(!old.exists() && cache.file().exists());
}

#[tokio::test]
async fn many_loads_at_once_are_one() {
    let (source, digest) = Components::with(guest("hello"));
    let runtime = Runtime::new(RuntimeSettings { cache_folder: None, ..settings() }, source.clone()).unwrap();
    let loaded = futures_util::future::join_all((0..10).map(|_| runtime.load(&digest))).await;
    let first = loaded[0].as_ref().unwrap();
    assert!(loaded.iter().all(|module| Arc::ptr_eq(module.as_ref().unwrap(), first)));
    assert_eq!(source.reads(), 1);
}

#[tokio::test]
async fn memory_is_bounded_and_what_is_held_stays() {
    let (hello, behaviours) = (guest("hello"), guest("behaviours"));
    let digests = [Digest::of(&hello), Digest::of(&behaviours)];
    let source = Arc::new(Components([(digests[0], hello), (digests[1], behaviours)].into(), Default::default()));
    let settings = RuntimeSettings { cache_memory_limit: 1, cache_folder: None, ..settings() };
    let runtime = Runtime::new(settings, source.clone()).unwrap();
    let held = runtime.load(&digests[0]).await.unwrap();
    runtime.load(&digests[1]).await.unwrap();
    let again = runtime.load(&digests[0]).await.unwrap();
    assert!(!Arc::ptr_eq(&held, &again));
    assert_eq!(source.reads(), 3);
}

#[tokio::test]
async fn a_source_with_other_bytes_is_not_believed() {
    let digest = Digest::of(b"something else");
    let source = Arc::new(Components([(digest, guest("hello"))].into(), Default::default()));
    let runtime = Runtime::new(settings(), source).unwrap();
    assert!(runtime.load(&digest).await.unwrap_err().to_string().contains("other bytes"));
    let missing = runtime.load(&Digest::of(b"missing")).await.unwrap_err().to_string();
    assert!(missing.contains("no such component"), "{missing}");
}
