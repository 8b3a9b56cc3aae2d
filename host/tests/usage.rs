//! How `currant-host` ends when it cannot begin: with 2 when it was told something wrong, with 3 when nobody answers, and always with the reason.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::process::Command;

/// Runs it in an empty folder; answers its exit status and what it said.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_currant-host"));
    command.args(arguments).current_dir(folder.path()).env("XDG_CONFIG_HOME", folder.path());
    for variable in ["CURRANT_DATABASE_URL", "DATABASE_URL", "CURRANT_LOG"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn what_is_wrong_with_a_setting_is_said() {
    let wrong: [(&[&str], &str); 6] = [
        (&["worker"], "no database is configured\nhint: say --database-url"),
        (&["worker", "--slots", "0"], "worker.slots in the command line is wrong: `0` is not a whole number above 0"),
        (&["worker", "--lease", "1ms"], "worker.lease in the command line is wrong: it is at least 1s"),
        (&["worker", "--database-url", "postgres://127.0.0.1:x/app"], "the database URL of the command line cannot be read"),
        (
            &["worker", "--database-url", "postgres://127.0.0.1:1/app", "--queues", "No Name"],
            "`No Name` is not a valid queue name",
        ),
        (&["migrate", "status"], "no database is configured"),
    ];
    for (arguments, reason) in wrong {
        let (status, said) = run(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(reason), "{arguments:?}: {said}");
    }
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    for verb in [&["worker"][..], &["migrate", "status"]] {
        let (status, said) = run(&[verb, &["--database-url", "postgres://app:secret@127.0.0.1:1/app"]].concat());
        assert_eq!(status, Some(3), "{said}");
        assert!(said.contains("cannot reach the database at 127.0.0.1:1, named by the command line"), "{said}");
        assert!(said.contains("refused"), "the reason is said: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
