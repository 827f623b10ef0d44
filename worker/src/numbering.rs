//! Gives committed events their positions, without which nobody sees them.

use std::{convert::Infallible, time::Duration};

use colloquy_domain::ports::{Ports, jobs::Signal};
use tokio::time::sleep;

use crate::{steward::SCOPE, trouble::Trouble};

const POLL: Duration = Duration::from_millis(500);
const BATCH: usize = 1000;

pub(crate) async fn run(ports: &Ports) -> Infallible {
    let mut trouble = Trouble::new("number events");
    let mut written = ports.signals.subscribe(Signal::Events);
    loop {
        written.mark_unchanged();
        let numbered = trouble.note(ports.events.number(SCOPE, BATCH).await).unwrap_or(0);
        if numbered > 0 {
            ports.signals.raise(Signal::Numbered);
        }
        if numbered >= BATCH {
            continue;
        }
        tokio::select! {
            _ = written.changed() => {}
            () = sleep(POLL) => {}
        }
    }
}
