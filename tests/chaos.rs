//! Bad days in a row, in small: `ops/chaos` with a few thousand jobs instead of a hundred thousand.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use crate::support::left_out;

#[tokio::test]
async fn on_bad_days_every_job_ends_once_and_for_a_known_reason() {
    for program in ["python3", "faketime", "pgrep"] {
        let found = std::process::Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if found.is_err() {
            return left_out("chaos", &format!("{program} was not found"));
        }
    }
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops/chaos");
    let run = Command::new(tool)
        .args([
            "--binary",
            env!("CARGO_BIN_EXE_colloquy"),
            "--jobs",
            "2000",
            "--seconds",
            "180",
            "--workers",
            "2",
        ])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ended = run.await.expect("the tool runs");
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{printed}{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(printed.lines().last(), Some("accepted 2000 done 1996 dead 4 lost 0 doubled 0"), "{printed}");
    assert!(!printed.contains("left out"), "{printed}");
}
