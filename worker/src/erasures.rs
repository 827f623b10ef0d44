//! Erasures: whoever begins to lead applies the list of them again, since the database may be a restored one; from then
//! on what is due of them gets its jobs, and goes on the list.

use std::{convert::Infallible, time::Duration};

use colloquy_domain::{
    Result,
    erasure::{list, sweep},
    ports::Ports,
};
use tokio::time::sleep;

use crate::{steward::SCOPE, trouble::Trouble};

const EVERY: Duration = Duration::from_secs(2);
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// Erasures of which one look makes jobs.
const PAGE: usize = 500;

pub(crate) async fn run(ports: &Ports) -> Infallible {
    let mut trouble = Trouble::new("apply the list of erasures");
    while trouble.note(list::apply(ports, SCOPE).await).is_none() {
        sleep(AFTER_FAILURE).await;
    }
    let mut trouble = Trouble::new("look after erasures");
    loop {
        let looked = trouble.note(look(ports).await);
        sleep(if looked.is_some() { EVERY } else { AFTER_FAILURE }).await;
    }
}

async fn look(ports: &Ports) -> Result<()> {
    list::publish_rest(ports, SCOPE).await?;
    sweep::enqueue(ports, SCOPE, PAGE).await?;
    Ok(())
}
