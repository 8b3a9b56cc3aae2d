//! Hands a command over to `currant-host`, which carries the WebAssembly engine that this small program goes without.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::diagnostics::{Problem, causes};

/// Becomes `currant-host VERB ARGUMENT…`: same process, same signals, same exit status. Returns only if that is not possible.
pub(crate) fn hand_over(verb: &str, database_url: Option<String>, arguments: Vec<OsString>) -> Problem {
    let Some(program) = find() else {
        return Problem::no_answer(format!(
            "`currant {verb}` needs currant-host, which is neither beside this program nor on the PATH"
        ))
        .hint("install it: cargo install --locked currant-host");
    };
    let mut command = Command::new(&program);
    command.arg(verb);
    if let Some(url) = database_url {
        command.arg("--database-url").arg(url);
    }
    let error = command.args(arguments).exec();
    Problem::no_answer(format!("cannot run {}: {}", program.display(), causes(&error)))
}

fn find() -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    // Beside the link first, if this program was started through one, then beside what it leads to.
    let beside = [own.clone(), own.and_then(|path| path.canonicalize().ok())];
    let beside = beside.into_iter().flatten().filter_map(|path| Some(path.parent()?.to_owned()));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    beside.chain(std::env::split_paths(&on_path)).map(|folder| folder.join("currant-host")).find(|program| program.is_file())
}
