//! Feeds batches into the ledger, and brings their jobs along when they are paused or cancelled.

use std::{convert::Infallible, time::Duration};

use colloquy_domain::{batches::feed, ports::Ports};
use tokio::time::sleep;

use crate::{steward::SCOPE, trouble::Trouble};

/// While there is more to feed …
const SOON: Duration = Duration::from_millis(50);
/// … and where jobs under way fill the window, or no batch runs.
const LATER: Duration = Duration::from_secs(1);

pub(crate) async fn run(ports: &Ports) -> Infallible {
    let mut trouble = Trouble::new("feed batches");
    loop {
        let fed = trouble.note(feed::advance(ports, SCOPE).await);
        sleep(if fed == Some(true) { SOON } else { LATER }).await;
    }
}
