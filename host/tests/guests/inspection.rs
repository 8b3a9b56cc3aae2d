//! Inspection, in its child process.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use currant_core::executions::Kind;
use currant_host::runtime::{Inspector, Refusal, Runtime, RuntimeSettings};

use crate::bare::Bare;
use crate::world::{Components, guest, settings};

fn inspector(settings: &RuntimeSettings) -> Inspector {
    Inspector::new(Some(PathBuf::from(env!("CARGO_BIN_EXE_currant-host"))), settings)
}

async fn refused(component: &[u8]) -> String {
    match inspector(&settings()).inspect(component).await {
        Err(Refusal::Module(reason)) => reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_component_says_what_it_offers_and_leaves_its_code() {
    let cache = tempfile::tempdir().unwrap();
    let settings = RuntimeSettings { cache_folder: Some(cache.path().join("modules")), ..settings() };
    let bytes = guest("behaviours");
    let description = inspector(&settings).inspect(&bytes).await.unwrap();
    assert_eq!(description.name.as_str(), "behaviours");
    assert!(description.sdk.starts_with("rust "), "{}", description.sdk);
    let function = |name: &str| description.functions.iter().find(|function| function.name.as_str() == name).unwrap();
    assert_eq!((function("echo").kind, function("echo_flow").kind), (Kind::Task, Kind::Workflow));
    assert_eq!(function("echo").queue.as_ref().unwrap().as_str(), "echo");
    assert_eq!(function("fail").retry.as_ref().unwrap().retries, 2);

    // The same file: it was not compiled, and not written, a second time.
    let kept = || {
        let files = std::fs::read_dir(cache.path().join("modules")).unwrap();
        files.map(|file| file.unwrap().metadata().unwrap().ino()).collect::<Vec<_>>()
    };
    let before = kept();
    assert_eq!(inspector(&settings).inspect(&bytes).await.unwrap(), description);
    assert_eq!((before.len(), kept()), (1, before.clone()));

    let (source, digest) = Components::with(bytes);
    Runtime::new(settings, source.clone()).unwrap().load(&digest).await.unwrap();
    assert_eq!(source.reads(), 0, "its compiled code was not used");
}

#[tokio::test]
async fn what_is_no_component_is_refused_in_words() {
    assert!(refused(b"#!/bin/sh").await.contains("not WebAssembly"));
    assert!(refused(b"\0asm\x01\0\0\0").await.contains("core WebAssembly module"));
    let whole = guest("hello");
    let reason = refused(&whole[..whole.len() / 2]).await;
    assert!(reason.contains("truncated"), "{reason}");
    let mut damaged = whole.clone();
    damaged.truncate(whole.len() - 3);
    let reason = refused(&damaged).await;
    assert!(reason.contains("truncated") || reason.contains("not a valid component"), "{reason}");
}

#[tokio::test]
async fn what_it_imports_and_exports_is_compared_with_what_there_is() {
    let text = |text: &str| wat::parse_str(text).unwrap();
    assert!(refused(&text("(component)")).await.contains("exports no `currant:guest/entry`"));
    let foreign = r#"(component (import "acme:db/query@1.0.0" (instance)) (import "wasi:nn/graph@0.1.0" (instance)))"#;
    let reason = refused(&text(foreign)).await;
    assert!(reason.contains("`acme:db/query@1.0.0`") && reason.contains("`wasi:nn/graph@0.1.0`"), "{reason}");
    let newer = r#"(component (import "currant:guest/workflow@0.2.0" (instance)))"#;
    let reason = refused(&text(newer)).await;
    assert!(reason.contains("version 0.2.0, and this host has 0.1"), "{reason}");
    let reason = refused(&text(r#"(component (instance) (export "currant:guest/entry@0.2.0" (instance 0)))"#)).await;
    assert!(reason.contains("exports `currant:guest/entry` of version 0.2.0"), "{reason}");
}

#[tokio::test]
async fn a_function_that_we_do_not_have_is_named() {
    let unknown = r#"(component
        (import "currant:guest/task@0.1.9" (instance (export "dream" (func (result bool)))))
        (instance) (export "currant:guest/entry@0.1.0" (instance 1)))"#;
    let reason = refused(&wat::parse_str(unknown).unwrap()).await;
    assert!(reason.contains("dream") && reason.contains("upgrade the worker"), "{reason}");
}

#[tokio::test]
async fn any_patch_release_of_wasi_is_linked() {
    for version in ["0.2.0", "0.2.3", "0.2.12", "0.2.99"] {
        let component = format!(
            r#"(component
                (import "wasi:random/random@{version}" (instance (export "get-random-u64" (func (result u64)))))
                (import "wasi:cli/environment@{version}" (instance (export "get-arguments" (func (result (list string))))))
                (instance) (export "currant:guest/entry@0.1.0" (instance 2)))"#
        );
        // It gets as far as its `entry`, which has no functions.
        let reason = refused(&wat::parse_str(component).unwrap()).await;
        assert!(reason.contains("its `currant:guest/entry` is not that of version 0.1"), "{version}: {reason}");
    }
}

#[tokio::test]
async fn a_describe_that_does_not_answer_is_refused() {
    let reason = refused(&describing("unreachable")).await;
    assert!(reason.contains("`describe` failed (trap)"), "{reason}");
    let reason = refused(&describing("(loop (br 0)) (i32.const 0)")).await;
    assert!(reason.contains("took more than 2 s"), "{reason}");
    for size in [2 << 20, 3 << 20] {
        let name_of =
            format!("(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const {size})) (i32.const 0)");
        let reason = refused(&describing(&name_of)).await;
        assert!(reason.contains("describes itself in more than 1048576 bytes"), "{reason}");
    }
    let reason = refused(&describing("(i32.const 0)")).await;
    assert!(reason.contains("not a valid module name"), "{reason}");
}

#[tokio::test]
async fn one_that_traps_while_it_is_instantiated_is_refused() {
    let core = "(func $early unreachable) (start $early)";
    let reason = refused(&Bare { core, describe: "(i32.const 0)", ..Bare::default() }.build()).await;
    assert!(reason.contains("`describe` failed (trap)"), "{reason}");
}

/// A component with this body of `describe`, which answers the address of the description.
fn describing(body: &str) -> Vec<u8> {
    Bare { describe: body, ..Bare::default() }.build()
}

#[tokio::test]
async fn one_that_takes_too_long_is_killed() {
    let settings = RuntimeSettings { inspection_limit: Duration::from_millis(1), ..settings() };
    let reason = inspector(&settings).inspect(&guest("hello")).await.unwrap_err();
    assert!(reason.to_string().contains("inspection_limit"), "{reason}");
}

#[tokio::test]
async fn an_inspector_that_is_not_there_is_our_fault() {
    let inspector = Inspector::new(Some("/nowhere/currant-host".into()), &settings());
    let refusal = inspector.inspect(&guest("hello")).await.unwrap_err();
    assert!(matches!(&refusal, Refusal::Host(reason) if reason.contains("/nowhere")), "{refusal}");
}

#[tokio::test]
async fn one_that_crashes_is_refused_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let crashing = folder.path().join("crashing");
    std::fs::write(&crashing, "#!/bin/sh\necho 'memory allocation of 5 bytes failed' >&2\nkill -ABRT $$\n").unwrap();
    std::fs::set_permissions(&crashing, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let refusal = Inspector::new(Some(crashing), &settings()).inspect(&guest("hello")).await.unwrap_err().to_string();
    assert!(refusal.contains("crashed") && refusal.contains("memory allocation of 5 bytes failed"), "{refusal}");
}
