//! Leadership by advisory locks: a connection of its own holds the lock, and PostgreSQL frees it when that
//! connection ends, however it ends.

use std::time::Duration;

use async_trait::async_trait;
use colloquy_domain::{
    Error, Result,
    ports::jobs::{Leaders, Leadership, Office},
};
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use crate::{Postgres, errors, pool::Connection};

/// A lock that does not answer for so long is not held for certain.
const CONFIRM_WITHIN: Duration = Duration::from_secs(5);

/// Keys of our locks begin with the bytes `coll`, so that they do not meet those of other programs.
pub(crate) fn key(office: Office) -> i64 {
    const OURS: i64 = 0x636f_6c6c << 32;
    OURS | match office {
        Office::Steward => 1,
        Office::Migration => 2,
    }
}

#[derive(diesel::QueryableByName)]
struct Granted {
    #[diesel(sql_type = Bool)]
    granted: bool,
}

struct Held {
    conn: Connection,
}

#[async_trait]
impl Leadership for Held {
    async fn confirm(&mut self) -> Result<()> {
        const DOING: &str = "confirm leadership";
        let asked = diesel::sql_query("SELECT 1").execute(&mut self.conn);
        match tokio::time::timeout(CONFIRM_WITHIN, asked).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(errors::database(DOING, error)),
            Err(elapsed) => Err(Error::unavailable(DOING, elapsed)),
        }
    }
}

#[async_trait]
impl Leaders for Postgres {
    async fn try_lead(&self, office: Office) -> Result<Option<Box<dyn Leadership>>> {
        let mut conn = self.connector.connect().await?;
        let asked: Granted = diesel::sql_query("SELECT pg_try_advisory_lock($1) AS granted")
            .bind::<BigInt, _>(key(office))
            .get_result(&mut conn)
            .await
            .map_err(|error| errors::database("ask for leadership", error))?;
        Ok(asked.granted.then(|| Box::new(Held { conn }) as Box<dyn Leadership>))
    }
}
