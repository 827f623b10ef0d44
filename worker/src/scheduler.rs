//! Looks each second for schedules that are due.

use std::{convert::Infallible, time::Duration};

use colloquy_domain::{ports::Ports, schedules::fire};
use tokio::time::sleep;

use crate::{steward::SCOPE, trouble::Trouble};

const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(ports: &Ports) -> Infallible {
    let mut trouble = Trouble::new("run schedules");
    loop {
        if let Some(begun) = trouble.note(fire::advance(ports, SCOPE).await)
            && begun > 0
        {
            metrics::counter!("colloquy_scheduled_runs_total").increment(begun as u64);
        }
        sleep(EVERY).await;
    }
}
