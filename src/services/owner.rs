//! As whom the children run: as this process does, or, since PostgreSQL refuses to run as root, as an
//! unprivileged user where this process is root.

use std::{
    ffi::OsStr,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, bail};
use nix::unistd::{Uid, User, chown};

use super::find_program;

pub(super) struct Owner(Option<User>);

/// In this order: the package's own user, then who owns nothing.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

impl Owner {
    pub(super) fn choose() -> Result<Self> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        for name in CANDIDATES {
            if let Some(user) = User::from_name(name)? {
                return Ok(Self(Some(user)));
            }
        }
        bail!("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as")
    }

    /// Gives the file or folder to the owner.
    pub(super) fn give(&self, path: &Path) -> Result<()> {
        match &self.0 {
            Some(user) => chown(path, Some(user.uid), Some(user.gid))
                .with_context(|| format!("could not give {} to the user {}", path.display(), user.name)),
            None => Ok(()),
        }
    }

    /// A command that runs as the owner, with its own process group, so that Ctrl-C is this process's alone.
    /// `near` is where it works: a folder of root's that others cannot enter is no hindrance.
    pub(super) fn command(&self, program: &Path, near: &Path) -> Result<Command> {
        let mut command = match &self.0 {
            Some(user) if !open_to_all(near) => {
                let mut command = Command::new(find_program("setpriv")?);
                command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).args([
                    "--clear-groups",
                    "--inh-caps=+dac_read_search",
                    "--ambient-caps=+dac_read_search",
                    "--",
                ]);
                command.arg::<&OsStr>(program.as_ref());
                command
            }
            Some(user) => {
                let mut command = Command::new(program);
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
                command
            }
            None => Command::new(program),
        };
        command.process_group(0).current_dir("/");
        Ok(command)
    }
}

/// Whether everybody may pass through every folder above.
fn open_to_all(path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.ancestors().skip(1).all(|folder| folder.metadata().is_ok_and(|meta| meta.mode() & 0o001 != 0))
}
