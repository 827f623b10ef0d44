//! What is there once for all tests: a folder, and a reaper that ends what was started and removes the folder
//! when this process is gone, however it goes. The reaper waits for the end of a pipe that only we hold.

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError},
};

pub(super) struct Ground {
    pub(super) folder: PathBuf,
    reaper: Mutex<Child>,
}

/// Reads `+ PID SIGNAL` for what is to be ended in the end, `- PID` for what has ended; `$1` is the folder.
const REAPER: &str = r#"
trap '' INT TERM HUP
live=" "
while read -r what pid signal; do
    case $what in
    +) live="$live$pid:$signal " ;;
    -)
        case $live in *" $pid:"*)
            before=${live%%" $pid:"*}
            after=${live#*" $pid:"}
            live="$before ${after#* }"
            ;;
        esac
        ;;
    esac
done
for entry in $live; do kill -s "${entry#*:}" "${entry%%:*}"; done 2>/dev/null
tries=0
for entry in $live; do
    while kill -0 "${entry%%:*}" 2>/dev/null && [ $tries -lt 60 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
done
rm -rf "$1"
"#;

pub(super) fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let folder = tempfile::Builder::new().prefix("colloquy-e2e-").tempdir().expect("a folder").keep();
        // PostgreSQL runs as somebody else where we are root.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("the folder's mode");
        let reaper = Command::new("/bin/sh")
            .args(["-c", REAPER, "reaper"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("the reaper starts");
        Ground { folder, reaper: Mutex::new(reaper) }
    })
}

impl Ground {
    /// Has `pid` ended by `signal` in the end.
    pub(super) fn watch(&self, pid: u32, signal: &str) {
        self.tell(&format!("+ {pid} {signal}\n"));
    }

    /// It has ended and was waited for.
    pub(super) fn forget(&self, pid: u32) {
        self.tell(&format!("- {pid}\n"));
    }

    fn tell(&self, line: &str) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = reaper.stdin.as_mut().expect("the reaper has a pipe");
        pipe.write_all(line.as_bytes()).expect("the reaper listens");
    }
}
