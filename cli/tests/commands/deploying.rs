//! `deploy`: what is refused before it is stored, and what happens without a worker.

use std::fs;

use crate::{Cli, assert_shown, output, program, shown};

/// The smallest component that exports an instance of this name: a header, an empty instance, its export.
fn component(export: &str) -> Vec<u8> {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    // Section 5, one instance, made of no exports.
    bytes.extend([5, 3, 1, 1, 0]);
    // Section 11, one export: a plain name, the sort `instance`, index 0, no type.
    let mut section = vec![1, 0, u8::try_from(export.len()).unwrap()];
    section.extend(export.as_bytes());
    section.extend([5, 0, 0]);
    bytes.extend([11, u8::try_from(section.len()).unwrap()]);
    bytes.extend(section);
    bytes
}

/// Deploys these bytes where there is no database: whatever is said comes from looking at the file.
fn refused(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("shop.wasm"), bytes).unwrap();
    let mut command = program(folder.path());
    command.args(["deploy", "shop.wasm"]);
    shown(&output(command, ""))
}

#[test]
fn what_is_no_component_of_ours_is_refused_with_the_way_to_mend_it() {
    assert_shown!(refused(b""), @"
    exit status 1
    --- stderr
    error: shop.wasm is empty
    hint: build it again, and deploy it when the build has ended
    ");
    assert_shown!(refused(b"#!/bin/sh\n"), @"
    exit status 1
    --- stderr
    error: shop.wasm is not WebAssembly
    hint: deploy the .wasm file that the build made
    ");
    assert_shown!(refused(b"(component)"), @"
    exit status 1
    --- stderr
    error: shop.wasm is WebAssembly in its text form
    hint: make it binary: wasm-tools parse MODULE.wat -o MODULE.wasm
    ");
    assert_shown!(refused(b"\0asm\x01\0\0\0"), @"
    exit status 1
    --- stderr
    error: shop.wasm is a core module, not a component
    hint: build it for wasm32-wasip2, which makes components: cargo build --release --target wasm32-wasip2
    ");
    assert_shown!(refused(b"\0asm\x0d\0\x01\0"), @"
    exit status 1
    --- stderr
    error: shop.wasm is a component that exports nothing: currant:guest/entry is missing
    hint: mark its functions with #[currant::task] or #[currant::workflow], and call currant::module! once
    ");
    assert_shown!(refused(&component("wasi:cli/run@0.2.0")), @"
    exit status 1
    --- stderr
    error: shop.wasm is a component for something else: it exports wasi:cli/run@0.2.0, and not currant:guest/entry
    hint: mark its functions with #[currant::task] or #[currant::workflow], and call currant::module! once
    ");
    assert_shown!(refused(&component("currant:guest/entry@0.2.0")), @"
    exit status 1
    --- stderr
    error: shop.wasm speaks version 0.2.0 of the contract currant:guest, and this release speaks 0.1
    hint: build it with the SDK of this release, or use the release that it was built for
    ");
    let whole = component("currant:guest/entry@0.1.0");
    assert_shown!(refused(&whole[..whole.len() - 4]), @"
    exit status 1
    --- stderr
    error: shop.wasm is damaged or cut off at byte 15: unexpected end-of-file
    hint: build it again, and deploy it when the build has ended
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let run = |file: &str| {
        let mut command = program(folder.path());
        command.args(["deploy", file]);
        shown(&output(command, ""))
    };
    assert_shown!(run("missing.wasm"), @"
    exit status 2
    --- stderr
    error: cannot read missing.wasm: No such file or directory (os error 2)
    hint: build it first: cargo build --release --target wasm32-wasip2
    hint: what the build made has a name that ends in .wasm
    ");
    assert_shown!(run("."), @"
    exit status 2
    --- stderr
    error: . is a folder
    hint: name the .wasm file that the build made
    ");
}

#[test]
fn source_code_is_met_with_the_command_that_builds_it() {
    let folder = tempfile::tempdir().unwrap();
    let run = |file: &str| {
        let mut command = program(folder.path());
        command.args(["deploy", file]);
        shown(&output(command, ""))
    };
    fs::write(folder.path().join("app.py"), "import currant\n").unwrap();
    assert_shown!(run("app.py"), @"
    exit status 1
    --- stderr
    error: app.py is source code, not a component
    hint: build it: python -m currant build app.py
    hint: deploy the .wasm file that it makes
    ");
    // Its first letter is that of WebAssembly's text form.
    fs::write(folder.path().join("app.js"), "(() => {})()\n").unwrap();
    assert_shown!(run("app.js"), @"
    exit status 1
    --- stderr
    error: app.js is source code, not a component
    hint: build it: npx currant build app.js
    hint: deploy the .wasm file that it makes
    ");
    assert_shown!(run("."), @"
    exit status 2
    --- stderr
    error: . is a folder
    hint: build it: python -m currant build .
    hint: deploy the .wasm file that it makes
    ");
    assert_shown!(run("missing.ts"), @"
    exit status 2
    --- stderr
    error: cannot read missing.ts: No such file or directory (os error 2)
    hint: build it first: npx currant build missing.ts
    hint: what the build made has a name that ends in .wasm
    ");
}

#[tokio::test]
async fn grants_are_checked_and_taken_from_the_environment() {
    let cli = Cli::new().await;
    fs::write(cli.folder.path().join("shop.wasm"), component("currant:guest/entry@0.1.0")).unwrap();
    assert_shown!(cli.run(&["deploy", "shop.wasm", "--allow-http", "https://api.stripe.com"]), @"
    exit status 2
    --- stderr
    error: invalid value 'https://api.stripe.com' for '--allow-http <HOST:PORT>': `https://api.stripe.com` is not HOST:PORT; write for example api.stripe.com:443

    For more information, try '--help'.
    ");
    assert_shown!(cli.run(&["deploy", "shop.wasm", "--env", "STRIPE_KEY"]), @"
    exit status 2
    --- stderr
    error: --env STRIPE_KEY: your environment has no such variable, and STRIPE_KEY=VALUE was not given
    ");
    fs::write(cli.folder.path().join(".env"), "STRIPE_KEY=sk-1\n").unwrap();
    assert_shown!(
        cli.run(&["deploy", "shop.wasm", "--no-wait", "--env", "STRIPE_KEY", "--env", "REGION=eu", "--allow-http", "API.stripe.com:443"]),
        @"
    exit status 0
    --- stderr
    stored shop.wasm, 1 KiB, sha256:6daf773e880b
    a worker decides; see then: currant modules
    "
    );
    let grants: String =
        sqlx::query_scalar("select grants::text from currant.deployments").fetch_one(cli.database.pool()).await.unwrap();
    assert_eq!(grants, r#"{"http":["api.stripe.com:443"],"env":{"REGION":"eu","STRIPE_KEY":"sk-1"}}"#);
}

#[tokio::test]
async fn without_a_worker_it_is_stored_and_that_is_no_answer() {
    let cli = Cli::new().await;
    fs::write(cli.folder.path().join("shop.wasm"), component("currant:guest/entry@0.1.0")).unwrap();
    assert_shown!(cli.run(&["deploy", "shop.wasm", "--timeout", "1500ms"]), @"
    exit status 3
    --- stderr
    stored shop.wasm, 1 KiB, sha256:6daf773e880b
    no worker runs: waiting for one (start it: currant worker)
    error: no worker runs; after 1s500ms the module is stored (deployment 1) and is decided as soon as one does
    hint: start one: currant worker
    ");
    let requested: i64 = sqlx::query_scalar("select count(*) from currant.deployments where status = 'requested'")
        .fetch_one(cli.database.pool())
        .await
        .unwrap();
    assert_eq!(requested, 1);
}

#[tokio::test]
async fn a_module_goes_back_to_the_version_before_and_is_deleted_when_nothing_needs_it() {
    let cli = Cli::with_shop().await;
    assert_shown!(cli.run(&["rollback", "shop"]), @"
    exit status 1
    --- stderr
    error: module `shop` has no earlier version
    hint: show every version: currant modules --all
    ");
    assert_shown!(cli.run(&["rollback", "store"]), @"
    exit status 1
    --- stderr
    error: there is no module `store`
    ");
    cli.sql(
        "insert into currant.modules (digest, size, bytes, description, inspected_at)
         select sha256('another'), 7, 'another', description, currant.now() from currant.modules;
         insert into currant.deployments (digest, status, module, decided_at)
         values (sha256('another'), 'deployed', 'shop', currant.now());
         update currant.functions set digest = sha256('another')",
    )
    .await;
    let id = cli.start(&["checkout", "--id", "order-1"]);
    cli.sql(&format!("update currant.workflows set digest = sha256('another') where id = '{id}'")).await;
    assert_shown!(cli.run(&["rollback", "shop"]), @"
    exit status 0
    --- stderr
    sha256:626d0ce33ca5 is the current version of shop, sha256:ae448ac86c4e is not any more
    ");
    assert_shown!(cli.run(&["modules", "delete", "shop", "ae448", "--yes"]), @"
    exit status 1
    --- stderr
    error: 1 open execution needs version sha256:ae448ac86c4e
    hint: wait until they have ended, or cancel them; show the counts: currant modules --all
    ");
    assert_shown!(cli.run(&["modules", "delete", "shop"]), @"
    exit status 2
    --- stderr
    error: delete module shop, so that what failed on it can no longer be retried? nobody can be asked
    hint: say --yes
    ");
    cli.run(&["cancel", "order-1"]);
    assert_shown!(cli.run(&["modules", "delete", "shop", "ae448", "--yes"]), @"
    exit status 0
    --- stderr
    1 version is deleted of shop
    ");
    assert_shown!(cli.run(&["modules", "delete", "shop", "--yes", "--json"]), @r#"
    exit status 0
    --- stdout
    {
      "module": "shop",
      "deleted": [
        "[digest]"
      ]
    }
    "#);
    assert_shown!(cli.run(&["modules"]), @"
    exit status 0
    --- stderr
    nothing is deployed
    hint: deploy a module: currant deploy MODULE.wasm
    ");
}
