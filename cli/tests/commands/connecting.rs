//! What is said when there is no database to talk to, and how one is found.

use std::fs;

use currant_test_support::TestDatabase;

use crate::{Cli, assert_shown, output, program, shown};

#[test]
fn without_a_database_it_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.arg("list");
    assert_shown!(shown(&output(command, "")), @"
    exit status 2
    --- stderr
    error: no database is configured
    hint: start a private one in this folder: currant dev
    hint: or name yours: --database-url postgres://…, or CURRANT_DATABASE_URL, or currant.toml
    ");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.args(["list", "--database-url", "postgres://me:secret@127.0.0.1:1/x"]);
    assert_shown!(shown(&output(command, "")), @"
    exit status 3
    --- stderr
    error: cannot reach the database at 127.0.0.1:1, named by the command line: error communicating with database: Connection refused (os error 111)
    hint: check that it runs and that the URL is right, or start a private one: currant dev
    ");
}

#[test]
fn a_dev_that_runs_no_more_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".currant")).unwrap();
    fs::write(folder.path().join(".currant/dev.json"), r#"{"database_url": "postgres://127.0.0.1:1/x"}"#).unwrap();
    let mut command = program(folder.path());
    command.arg("list");
    assert_shown!(shown(&output(command, "")), @"
    exit status 3
    --- stderr
    error: cannot reach the database at 127.0.0.1:1, named by ./.currant/dev.json: error communicating with database: Connection refused (os error 111)
    hint: `currant dev` seems not to run any more; start it again: currant dev
    ");
}

#[test]
fn a_url_that_is_none_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.args(["list"]).env("DATABASE_URL", "mysql://localhost");
    assert_shown!(shown(&output(command, "")), @"
    exit status 2
    --- stderr
    error: the database URL of DATABASE_URL cannot be read: it does not begin with postgres://
    ");
}

#[test]
fn a_misspelt_setting_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("currant.toml"), "[database]\nurk = \"postgres://localhost\"\n").unwrap();
    let mut command = program(folder.path());
    command.args(["list"]);
    assert_shown!(shown(&output(command, "")), @"
    exit status 2
    --- stderr
    error: ./currant.toml has an unknown setting `database.urk`: did you mean `database.url`?
    ");
}

#[tokio::test]
async fn a_database_without_the_schema_gets_the_command_that_makes_it() {
    let database = TestDatabase::empty().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.args(["list"]).env("DATABASE_URL", database.url());
    assert_shown!(shown(&output(command, "")), @"
    exit status 3
    --- stderr
    error: the database has no Currant schema
    hint: create it with `currant-host migrate up`
    ");
}

#[tokio::test]
async fn a_schema_of_another_release_is_refused_or_noted() {
    let cli = Cli::new().await;
    cli.sql("update currant.metadata set value = '1000' where key = 'schema_version'").await;
    assert_shown!(cli.run(&["list"]), @"
    exit status 0
    --- stderr
    warning: the database's schema has version 1000, which is newer than this program; that works
    no execution is found
    ");
    cli.sql("update currant.metadata set value = '9.0.0' where key = 'oldest_binary'").await;
    assert_shown!(cli.run(&["list"]), @"
    exit status 3
    --- stderr
    error: the database's schema has version 1000, which this binary does not know
    hint: install Currant 9.0.0 or newer
    ");
    cli.sql("update currant.metadata set value = '3' where key = 'schema_version'").await;
    assert_shown!(cli.run(&["list"]), @"
    exit status 3
    --- stderr
    error: the database's schema has version 3, this binary needs 10
    hint: upgrade it with `currant-host migrate up`
    ");
}

#[tokio::test]
async fn a_database_is_found_in_the_file_of_dev() {
    let database = TestDatabase::new().await;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".currant")).unwrap();
    fs::write(folder.path().join(".currant/dev.json"), format!(r#"{{"database_url": "{}"}}"#, database.url())).unwrap();
    let mut command = program(folder.path());
    command.args(["list"]);
    assert_shown!(shown(&output(command, "")), @"
    exit status 0
    --- stderr
    no execution is found
    ");
}

#[test]
fn a_host_verb_without_the_host_says_so() {
    let folder = tempfile::tempdir().unwrap();
    // A copy that has no host beside it.
    let alone = folder.path().join("currant");
    fs::copy(env!("CARGO_BIN_EXE_currant"), &alone).unwrap();
    let mut command = std::process::Command::new(alone);
    command.env_clear().arg("dev");
    assert_shown!(shown(&output(command, "")), @"
    exit status 3
    --- stderr
    error: `currant dev` needs currant-host, which is neither beside this program nor on the PATH
    hint: install it: cargo install --locked currant-host
    ");
}

#[test]
fn a_host_verb_hands_everything_over() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let host = folder.path().join("currant-host");
    fs::write(&host, "#!/bin/sh\necho \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&host, fs::Permissions::from_mode(0o755)).unwrap();
    let alone = folder.path().join("currant");
    fs::copy(env!("CARGO_BIN_EXE_currant"), &alone).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&alone);
        command.env_clear().args(arguments);
        shown(&output(command, ""))
    };
    assert_shown!(run(&["dev", "orders.wasm", "--port", "5433"]), @"
    exit status 7
    --- stdout
    dev orders.wasm --port 5433
    ");
    assert_shown!(run(&["--database-url", "postgres://x", "migrate", "up"]), @"
    exit status 7
    --- stdout
    migrate --database-url postgres://x up
    ");
    assert_shown!(run(&["worker", "--help"]), @"
    exit status 7
    --- stdout
    worker --help
    ");
}
