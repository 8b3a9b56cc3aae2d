//! Finds the Postgres server that is installed here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Where packages put the programs that they keep off the PATH, below a folder per version: Debian, Homebrew on both kinds of Mac.
const FOLDERS_OF_VERSIONS: [&str; 3] = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"];

/// The folder with the programs of one Postgres.
pub(super) struct Installation {
    programs: PathBuf,
}

impl Installation {
    /// The newest one, or the one of this major version.
    pub(super) fn find(version: Option<u32>) -> Result<Installation> {
        let found: BTreeMap<u32, PathBuf> =
            candidates().into_iter().filter_map(|folder| Some((version_of(&folder)?, folder))).collect();
        let Some(newest) = found.keys().next_back() else {
            bail!(
                "no Postgres server is installed (initdb, pg_ctl and postgres were looked for)\n\
                 hint: Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql\n\
                 hint: or use a database that you have: currant dev --database-url postgres://…"
            );
        };
        match found.get(version.as_ref().unwrap_or(newest)) {
            Some(programs) => Ok(Installation { programs: programs.clone() }),
            None => bail!(
                "the data in .currant/postgres is of Postgres {}, which is not installed any more (Postgres {newest} is)\n\
                 hint: install it again, or delete .currant/postgres to begin afresh",
                version.unwrap_or_default()
            ),
        }
    }

    /// One of its programs.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

fn candidates() -> Vec<PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>()).unwrap_or_default();
    // A link on the PATH leads to the folder where the rest is.
    let linked = on_path.iter().filter_map(|folder| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned()));
    let configured =
        Command::new("pg_config").arg("--bindir").output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let configured = configured.map(|folder| PathBuf::from(folder.trim()));
    let packaged = FOLDERS_OF_VERSIONS.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    packaged.map(|version| version.path().join("bin")).chain(configured).chain(linked).collect()
}

/// The major version, if everything that is needed is in this folder.
fn version_of(programs: &Path) -> Option<u32> {
    if !["initdb", "pg_ctl", "postgres"].iter().all(|name| programs.join(name).is_file()) {
        return None;
    }
    let output = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
    major_version(&String::from_utf8(output.stdout).ok()?)
}

fn major_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_packages_write_them() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major_version("postgres\n"), None);
    }
}
