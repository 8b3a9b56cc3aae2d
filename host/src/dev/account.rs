//! Postgres refuses to run as root: the account that it runs under instead.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use anyhow::{Context, Result};
use tokio::process::Command;

/// Who Postgres runs as.
pub(super) enum Account {
    /// Whoever runs `currant dev`.
    Ours,
    /// Somebody without rights, because we are root.
    Dropped {
        /// From the password file, as is the group.
        uid: u32,
        gid: u32,
        name: String,
    },
}

impl Account {
    pub(super) fn choose() -> Result<Account> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Account::Ours);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd to find an account for Postgres")?;
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| account_named(&accounts, name))
            .context("Postgres refuses to run as root, and there is no account `postgres` or `nobody` to run it under")
    }

    /// Has the command run as this account.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Account::Dropped { uid, gid, .. } = self {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Hands over a file or folder that we have made.
    pub(super) fn own(&self, path: &Path) -> Result<()> {
        match self {
            Account::Ours => Ok(()),
            Account::Dropped { uid, gid, .. } => {
                chown(path, Some(*uid), Some(*gid)).with_context(|| format!("cannot hand over {}", path.display()))
            }
        }
    }

    /// Whether every folder on the way to this one, and itself, may be passed.
    pub(super) fn can_enter(&self, folder: &Path) -> bool {
        match self {
            Account::Ours => true,
            Account::Dropped { uid, gid, .. } => folder.ancestors().all(|ancestor| {
                fs::metadata(ancestor).is_ok_and(|found| {
                    let passable = match () {
                        () if found.uid() == *uid => 0o100,
                        () if found.gid() == *gid => 0o010,
                        () => 0o001,
                    };
                    found.mode() & passable != 0
                })
            }),
        }
    }
}

fn account_named(accounts: &str, name: &str) -> Option<Account> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let _password = fields.next()?;
        let mut number = || fields.next()?.parse().ok();
        Some(Account::Dropped { uid: number()?, gid: number()?, name: name.to_owned() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let accounts = "root:x:0:0::/root:/bin/sh\nnobody2:x:1:1:::\nnobody:x:65534:65533:nobody:/nonexistent:/bin/false\n";
        let Some(Account::Dropped { uid, gid, name }) = account_named(accounts, "nobody") else { panic!("not found") };
        assert_eq!((uid, gid, name.as_str()), (65534, 65533, "nobody"));
        assert!(account_named(accounts, "postgres").is_none());
    }
}
