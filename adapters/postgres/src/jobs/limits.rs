//! How much more may begin, under limits that hold over the whole fleet. Whoever picks jobs under limits holds
//! one lock from the count to the commit, so that two never fill the same room.

use std::collections::HashMap;

use colloquy_domain::jobs::{
    Queue,
    limits::{JobLimits, Limit},
};
use diesel::sql_types::{Array, BigInt, Double, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{errors::Step, pool::Connection, statement::Prepare};

/// An advisory lock for as long as a transaction: "limits".
const LOCK: i64 = 0x6c69_6d69_7473;
/// As good as no limit.
pub(super) const PLENTY: i64 = 1_000_000_000;

/// Room by what limits it. What is not named has room in plenty.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    queues: HashMap<Queue, i64>,
    /// Of organizations that have anything under way, or a limit of their own.
    pub(super) lanes: Vec<Uuid>,
    pub(super) lane_rooms: Vec<i64>,
    /// Of every other organization.
    pub(super) any_lane: Option<i64>,
    pub(super) providers: Vec<String>,
    pub(super) provider_rooms: Vec<i64>,
}

/// What has been picked, to be taken out of the buckets.
#[derive(Debug, Default)]
pub(super) struct Picked(HashMap<String, i64>);

#[derive(diesel::QueryableByName)]
struct Active {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = SqlUuid)]
    lane: Uuid,
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

#[derive(diesel::QueryableByName)]
struct Bucket {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Double)]
    tokens: f64,
    #[diesel(sql_type = Double)]
    age_s: f64,
}

fn queue_name(queue: Queue) -> String {
    format!("queue {}", queue.as_str())
}

fn lane_name(lane: Uuid) -> String {
    format!("organization {lane}")
}

fn provider_name(provider: &str) -> String {
    format!("provider {provider}")
}

impl Rooms {
    pub(super) fn of(&self, queue: Queue) -> i64 {
        self.queues.get(&queue).copied().unwrap_or(PLENTY)
    }
}

/// Within a transaction: others wait for its end.
pub(super) async fn rooms(conn: &mut Connection, limits: &JobLimits) -> Step<Rooms> {
    diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
        .bind::<BigInt, _>(LOCK)
        .prepared()
        .execute(conn)
        .await?;
    let active: Vec<Active> = diesel::sql_query(
        "SELECT queue, lane, provider, sum(jobs)::bigint AS jobs FROM (
            SELECT queue, lane, provider, count(*) AS jobs FROM jobs WHERE state = 'RUNNING'
            GROUP BY queue, lane, provider
            UNION ALL
            SELECT d.queue, s.* FROM dispatches d
            CROSS JOIN LATERAL unnest(d.lanes, d.providers, d.counts) AS s (lane, provider, jobs)
        ) AS under_way
        GROUP BY queue, lane, provider",
    )
    .prepared()
    .load(conn)
    .await?;
    let buckets: Vec<Bucket> = diesel::sql_query(
        "SELECT name, tokens, extract(epoch FROM now() - refilled_at)::float8 AS age_s FROM job_rates",
    )
    .prepared()
    .load(conn)
    .await?;
    let buckets: HashMap<_, _> =
        buckets.into_iter().map(|bucket| (bucket.name, (bucket.tokens, bucket.age_s))).collect();
    let under_way = |of: &dyn Fn(&Active) -> bool| -> i64 {
        active.iter().filter(|row| of(row)).map(|row| row.jobs).sum()
    };
    let room = |limit: Limit, name: &str, under_way: i64| {
        let running = limit.running.map_or(PLENTY, |most| i64::from(most) - under_way);
        let rate = limit.per_minute.map_or(PLENTY, |per_minute| filled(buckets.get(name), per_minute) as i64);
        running.min(rate).max(0)
    };

    let mut rooms = Rooms::default();
    for (queue, limit) in &limits.queues {
        let under_way = under_way(&|row| row.queue == queue.as_str());
        rooms.queues.insert(*queue, room(*limit, &queue_name(*queue), under_way));
    }
    let mut lanes: Vec<Uuid> = limits.organizations.keys().map(|id| id.0).collect();
    if !limits.organization.is_none() {
        rooms.any_lane = Some(room(limits.organization, "", 0));
        lanes.extend(active.iter().map(|row| row.lane));
        lanes.extend(
            buckets.keys().filter_map(|name| name.strip_prefix("organization ")?.parse::<Uuid>().ok()),
        );
    }
    lanes.sort_unstable();
    lanes.dedup();
    // The system's own work belongs to nobody.
    for lane in lanes.into_iter().filter(|lane| !lane.is_nil()) {
        let own = limits.organizations.get(&lane.into()).copied();
        let under_way = under_way(&|row| row.lane == lane);
        rooms.lane_rooms.push(room(own.unwrap_or(limits.organization), &lane_name(lane), under_way));
        rooms.lanes.push(lane);
    }
    for (provider, limit) in &limits.providers {
        let under_way = under_way(&|row| row.provider == *provider);
        rooms.provider_rooms.push(room(*limit, &provider_name(provider), under_way));
        rooms.providers.push(provider.clone());
    }
    Ok(rooms)
}

/// Tokens that a bucket holds by now.
fn filled(bucket: Option<&(f64, f64)>, per_minute: u32) -> f64 {
    let burst = Limit::burst(per_minute);
    bucket.map_or(burst, |(tokens, age_s)| (tokens + age_s * f64::from(per_minute) / 60.0).min(burst))
}

impl Picked {
    pub(super) fn add(&mut self, queue: Queue, lane: Option<Uuid>, provider: &str, jobs: i64) {
        let names = [
            Some(queue_name(queue)),
            lane.map(lane_name),
            (!provider.is_empty()).then(|| provider_name(provider)),
        ];
        for name in names.into_iter().flatten() {
            *self.0.entry(name).or_default() += jobs;
        }
    }
}

/// In the transaction that counted the room.
pub(super) async fn spend(conn: &mut Connection, limits: &JobLimits, picked: &Picked) -> Step<()> {
    let (mut names, mut jobs, mut rates, mut bursts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (name, number) in &picked.0 {
        let (scope, of) = name.split_once(' ').unwrap_or((name, ""));
        let limit = match scope {
            "queue" => of.parse().ok().and_then(|queue: Queue| limits.queues.get(&queue).copied()),
            "organization" => {
                let own = of.parse().ok().and_then(|id: Uuid| limits.organizations.get(&id.into()).copied());
                own.or(Some(limits.organization))
            }
            _ => limits.providers.get(of).copied(),
        };
        if let Some(per_minute) = limit.and_then(|limit| limit.per_minute) {
            names.push(name.as_str());
            jobs.push(*number);
            rates.push(f64::from(per_minute) / 60.0);
            bursts.push(Limit::burst(per_minute));
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    diesel::sql_query(
        "INSERT INTO job_rates AS r (name, tokens, refilled_at)
        SELECT name, burst - jobs, now() FROM unnest($1, $2, $3, $4) AS spent (name, jobs, rate, burst)
        ON CONFLICT (name) DO UPDATE SET refilled_at = now(), tokens = (
            SELECT least(burst, r.tokens + extract(epoch FROM now() - r.refilled_at) * rate) - jobs
            FROM unnest($1, $2, $3, $4) AS spent (name, jobs, rate, burst) WHERE spent.name = r.name)",
    )
    .bind::<Array<Text>, _>(names)
    .bind::<Array<BigInt>, _>(jobs)
    .bind::<Array<Double>, _>(rates)
    .bind::<Array<Double>, _>(bursts)
    .prepared()
    .execute(conn)
    .await?;
    Ok(())
}
