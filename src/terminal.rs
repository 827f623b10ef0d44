//! The terminal as it was: a prompt for a password that Ctrl-C ends would leave it without echo.

use std::{fs::File, os::fd::AsFd};

use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

/// The state of the controlling terminal, if there is one.
pub(crate) struct Terminal(Option<(File, Termios)>);

impl Terminal {
    pub(crate) fn save() -> Self {
        let state = File::options().read(true).write(true).open("/dev/tty").ok();
        Self(state.and_then(|tty| tcgetattr(tty.as_fd()).ok().map(|state| (tty, state))))
    }

    /// Only where it has changed: one in the background may not touch it.
    pub(crate) fn restore(self) {
        let Some((tty, before)) = self.0 else { return };
        if tcgetattr(tty.as_fd()).is_ok_and(|now| now.local_flags != before.local_flags)
            && let Err(error) = tcsetattr(tty.as_fd(), SetArg::TCSANOW, &before)
        {
            tracing::debug!(%error, "the terminal stays as it is");
        }
    }
}
