//! Choosing what runs next, and putting it on its way. What is dispatched is only as much as the window
//! holds, so that priority and fairness decide about all that comes later.

use std::time::Duration;

use colloquy_domain::{
    jobs::limits::JobLimits,
    ports::jobs::{Dispatch, DispatchPlan, Dispatched},
};
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::{
    errors::Step,
    follow::milliseconds,
    jobs::{
        horizon::Known,
        known_kinds,
        limits::{self, Picked, Rooms},
    },
    pool::Connection,
    rows,
    statement::Prepare,
};

/// Tables of what picking goes by: the room that limits leave (`$lanes`, `$lane_rooms`, `$providers` and
/// `$provider_rooms` are SQL), what is on its way, and what is so or runs, by queue and lane. `$from` and `$running`
/// are SQL for the time before which no dispatch was made that stands, and for what runs.
macro_rules! rooms {
    ($lanes:literal, $lane_rooms:literal, $providers:literal, $provider_rooms:literal, $from:literal, $running:expr) => {
        concat!(
            "lane_rooms AS MATERIALIZED (SELECT * FROM unnest(",
            $lanes,
            ", ",
            $lane_rooms,
            ") AS r (lane, room)), provider_rooms AS MATERIALIZED (SELECT * FROM unnest(",
            $providers,
            ", ",
            $provider_rooms,
            ") AS r (provider, room)), standing AS MATERIALIZED (
                SELECT queue, job_ids, lanes, counts, suspect FROM dispatches WHERE made_at >= ",
            $from,
            "), on_their_way AS MATERIALIZED (
                SELECT queue, unnest(job_ids) AS id FROM standing
            ), under_way AS MATERIALIZED (
                SELECT queue, lane, sum(jobs)::bigint AS jobs FROM (",
            $running,
            " UNION ALL
                    SELECT d.queue, s.* FROM standing d
                    CROSS JOIN LATERAL unnest(d.lanes, d.counts) AS s (lane, jobs)
                ) AS u GROUP BY queue, lane
            )"
        )
    };
}
pub(super) use rooms;

/// SQL for how many jobs run, by queue and lane, where the SQL of `$look` holds.
macro_rules! running {
    ($look:literal) => {
        concat!(
            "SELECT queue, lane, count(*) AS jobs FROM jobs WHERE state = 'RUNNING' AND ",
            $look,
            " GROUP BY queue, lane"
        )
    };
}
pub(super) use running;

/// The streams of queues (jobs of one queue, priority, lane and provider) with the time of the first of each: the
/// known ones, SQL, and, where the SQL of `$look` holds, those that the index has. The walk hops through it from stream
/// to stream (a loose index scan). It stands in a WITH RECURSIVE; `$queues` is SQL, too.
macro_rules! streams {
    ($known:expr, $look:literal, $queues:literal) => {
        concat!(
            "streams AS (
                (",
            $known,
            " UNION ALL
                SELECT q.queue, first.* FROM (",
            $queues,
            ") AS q CROSS JOIN LATERAL (
                    SELECT j.priority, j.lane, j.provider, j.run_at FROM jobs j
                    WHERE j.queue = q.queue AND j.state = 'READY'
                    ORDER BY j.priority DESC, j.lane DESC, j.provider DESC, j.run_at LIMIT 1
                ) AS first
                WHERE ",
            $look,
            ")
                UNION ALL
                SELECT s.queue, next.* FROM streams s CROSS JOIN LATERAL (
                    SELECT j.priority, j.lane, j.provider, j.run_at FROM jobs j
                    WHERE j.queue = s.queue AND j.state = 'READY'
                        AND (j.priority, j.lane, j.provider) < (s.priority, s.lane, s.provider)
                    ORDER BY j.priority DESC, j.lane DESC, j.provider DESC, j.run_at LIMIT 1
                ) AS next
                WHERE ",
            $look,
            ")"
        )
    };
}
pub(super) use streams;

/// SQL for no known streams.
macro_rules! no_streams {
    () => {
        "SELECT NULL::text AS queue, NULL::smallint AS priority, NULL::uuid AS lane, NULL::text AS provider,
            NULL::timestamptz AS run_at WHERE false"
    };
}
pub(super) use no_streams;

/// SQL for the due jobs of a stream `o` that are meant.
macro_rules! waiting {
    ($queue:literal, $kinds:literal, $but:literal, $suspects:literal, $columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM jobs j WHERE j.queue = ",
            $queue,
            " AND j.state = 'READY' AND j.priority = o.priority AND j.lane = o.lane
                AND j.provider = o.provider AND j.run_at >= o.run_at AND j.run_at <= now() AND j.kind = ANY(",
            $kinds,
            ") AND (NOT j.suspect OR ",
            $suspects,
            ") AND j.id NOT IN (",
            $but,
            ")"
        )
    };
}
pub(super) use waiting;

/// Due jobs of one queue in the order in which they should run: by priority, then fairly between lanes, then by
/// age; `turn` numbers them. The arguments are SQL for the queue, for how many, for the known kinds, for the room of
/// a lane that [`rooms`] does not name, for the ids of those that are not meant, and for whether suspects are.
///
/// A priority's jobs are read when those above it have not filled `limit` (outer rows of a lateral join are taken as
/// they are wanted). Of its [`streams`] each gives an even share, and of what that leaves those that have more share
/// the rest, and one with less under way than the average gives so much more: what waits costs no more than a few times what is picked, however much it is and of however many. Where a
/// stream may have more than it gave, its last job is `cut`. A lane's turns are counted from what it has under way, so
/// that it is fair also where one job is picked at a time.
macro_rules! pick {
    ($queue:literal, $limit:literal, $kinds:literal, $any_lane:literal, $but:literal, $suspects:literal) => {
        concat!(
            "WITH open AS (
                SELECT s.*, coalesce(u.jobs, 0) AS under_way,
                    coalesce(lr.room, CASE WHEN s.lane = '00000000-0000-0000-0000-000000000000'
                        THEN NULL ELSE ",
            $any_lane,
            " END, 1000000000) AS lane_room,
                    coalesce(pr.room, 1000000000) AS provider_room,
                    ceil(",
            $limit,
            "::numeric / count(*) OVER (PARTITION BY s.priority))::bigint AS even
                FROM streams s LEFT JOIN under_way u ON u.lane = s.lane AND u.queue = s.queue
                    LEFT JOIN lane_rooms lr ON lr.lane = s.lane
                    LEFT JOIN provider_rooms pr ON pr.provider = s.provider
                WHERE s.queue = ",
            $queue,
            " AND s.run_at <= now() AND NOT EXISTS (
                    SELECT FROM paused_queues p
                    WHERE p.queue = s.queue AND (p.lane IS NULL OR p.lane = s.lane)
                )
            ), sized AS MATERIALIZED (
                SELECT o.*, (SELECT count(*) FROM (",
            waiting!($queue, $kinds, $but, $suspects, "j.id"),
            " ORDER BY j.run_at, j.id LIMIT least(o.even, o.lane_room, o.provider_room)
                ) AS first) AS waits FROM open o
            ), classes AS (
                SELECT priority, max(even) + greatest(0, ceil((",
            $limit,
            " - sum(waits)) / greatest(1, count(*) FILTER (WHERE waits >= even))))::bigint AS share,
                    avg(under_way)::bigint AS under_way
                FROM sized GROUP BY priority ORDER BY priority DESC
            )
            SELECT picked.*, row_number() OVER (
                ORDER BY priority DESC, under_way + place, run_at, id) AS turn
            FROM (
                SELECT fair.* FROM classes c CROSS JOIN LATERAL (
                SELECT given.* FROM (
                SELECT due.*, o.priority, o.lane, o.provider, o.under_way, o.lane_room, o.provider_room,
                    row_number() OVER (PARTITION BY o.lane ORDER BY due.run_at, due.id) AS place,
                    row_number() OVER (PARTITION BY o.lane, o.provider) >= o.share AS cut
                FROM (
                    SELECT *, c.share + greatest(0, c.under_way - under_way) AS share FROM sized
                    WHERE priority = c.priority AND waits > 0
                ) AS o CROSS JOIN LATERAL (",
            waiting!($queue, $kinds, $but, $suspects, "j.id, j.run_at, j.suspect"),
            "
                    ORDER BY j.run_at, j.id LIMIT least(",
            $limit,
            ", o.share, o.lane_room, o.provider_room)
                ) AS due
                ) AS given ORDER BY under_way + place, run_at, id LIMIT ",
            $limit,
            "
                ) AS fair LIMIT ",
            $limit,
            "
            ) AS picked
            ORDER BY turn"
        )
    };
}
pub(super) use pick;

/// Of a WITH query of picked jobs, those that fit into the rooms together.
macro_rules! fitting {
    ($picked:literal) => {
        concat!(
            "SELECT * FROM (
                SELECT p.*, row_number() OVER (PARTITION BY lane ORDER BY turn, id) AS of_lane,
                    row_number() OVER (PARTITION BY provider ORDER BY turn, id) AS of_provider
                FROM ",
            $picked,
            " p
            ) AS p WHERE of_lane <= lane_room AND of_provider <= provider_room"
        )
    };
}
pub(super) use fitting;

#[derive(diesel::QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    queue: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    jobs: Option<i64>,
    #[diesel(sql_type = Bool)]
    full: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    wait_ms: Option<i64>,
}

/// Suspects of one chunk at most. They run one after another while nothing else does, so that what each holds up is
/// waited for once.
pub(super) const SUSPECTS: i64 = 16;

/// All queues in one statement, since each costs a turn of the relay. Chunks are full ones in order; suspects have
/// chunks of their own, of at most [`SUSPECTS`], and are that many of a window or one part in eight: they hold up all
/// else in the process that runs them. No job's row is touched: whoever takes a job meanwhile has it.
pub(super) async fn dispatch(
    conn: &mut Connection,
    plans: &[DispatchPlan],
    deadline: Duration,
    rooms: &Rooms,
    known: &Known,
) -> Step<Dispatched> {
    let places = plans.iter().map(|plan| rows::limit(plan.window));
    let of_queue = plans.iter().map(|plan| rooms.of(plan.queue));
    let rows: Vec<Row> = diesel::sql_query(concat!(
        "WITH RECURSIVE ",
        rooms!(
            "$6",
            "$7",
            "$8",
            "$9",
            "$12",
            concat!(
                running!("$13"),
                " UNION ALL SELECT * FROM unnest($14, $15, $16) AS r (queue, lane, jobs)"
            )
        ),
        ", plan AS MATERIALIZED (
            SELECT p.queue, p.chunk, least(of_queue, p.places - (
                SELECT count(*) FROM on_their_way w WHERE w.queue = p.queue)) AS room,
                greatest($22, p.places / 8) - (
                    SELECT coalesce(sum(cardinality(s.job_ids)), 0) FROM standing s
                    WHERE s.queue = p.queue AND s.suspect) AS suspects
            FROM unnest($1, $2, $11, $3) AS p (queue, places, of_queue, chunk)
        ), ",
        streams!(
            "SELECT * FROM unnest($17, $18, $19, $20, $21) AS s (queue, priority, lane, provider, run_at)",
            "$13",
            "SELECT queue FROM plan WHERE room > 0"
        ),
        ", picked AS MATERIALIZED (
            SELECT p.queue, p.chunk AS size, p.suspects, d.*
            FROM plan p CROSS JOIN LATERAL (",
        pick!("p.queue", "p.room", "$5", "$10", "SELECT w.id FROM on_their_way w", "p.suspects > 0"),
        ") AS d
            WHERE p.room > 0
        ), fitting AS MATERIALIZED (",
        fitting!("picked"),
        "), due AS MATERIALIZED (
            SELECT queue, id, lane, provider, suspect, turn,
                (of_kind - 1) / CASE WHEN suspect THEN least(size, $22) ELSE size END AS chunk
            FROM (
                SELECT f.*, row_number() OVER (PARTITION BY queue, suspect ORDER BY turn) AS of_kind FROM fitting f
            ) AS f WHERE NOT suspect OR of_kind <= suspects
        ), chunks AS MATERIALIZED (
            SELECT gen_random_uuid() AS id, c.*, s.lanes, s.providers, s.counts
            FROM (
                SELECT queue, suspect, chunk, min(turn) AS turn, count(*) AS jobs, array_agg(id ORDER BY turn) AS job_ids
                FROM due GROUP BY queue, suspect, chunk
            ) AS c JOIN (
                SELECT queue, suspect, chunk, array_agg(lane) AS lanes, array_agg(provider) AS providers,
                    array_agg(jobs) AS counts
                FROM (
                    SELECT queue, suspect, chunk, lane, provider, count(*) AS jobs
                    FROM due GROUP BY queue, suspect, chunk, lane, provider
                ) AS shares
                GROUP BY queue, suspect, chunk
            ) AS s USING (queue, suspect, chunk)
        ), sent AS (
            INSERT INTO dispatches (id, queue, job_ids, lanes, providers, counts, suspect, deadline)
            SELECT id, queue, job_ids, lanes, providers, counts, suspect, now() + $4 * interval '1 millisecond'
            FROM chunks
        )
        SELECT c.id, c.queue, c.jobs, state.* FROM (
            SELECT
                EXISTS (
                    SELECT FROM plan p WHERE p.room <= (SELECT count(*) FROM picked d WHERE d.queue = p.queue)
                ) OR EXISTS (SELECT FROM picked WHERE cut OR suspect)
                    OR EXISTS (SELECT FROM plan WHERE room > 0 AND suspects <= 0) AS full,
                (SELECT (extract(epoch FROM w.run_at - now()) * 1000)::bigint FROM jobs w
                    WHERE w.state = 'READY' AND w.run_at > w.created_at AND w.run_at > now()
                    ORDER BY w.run_at LIMIT 1) AS wait_ms
        ) AS state LEFT JOIN chunks c ON true ORDER BY c.turn"
    ))
    .bind::<Array<Text>, _>(plans.iter().map(|plan| plan.queue.as_str()).collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(places.collect::<Vec<_>>())
    .bind::<Array<BigInt>, _>(plans.iter().map(|plan| rows::limit(plan.chunk)).collect::<Vec<_>>())
    .bind::<BigInt, _>(milliseconds(deadline))
    .bind::<Array<Text>, _>(known_kinds())
    .bind::<Array<SqlUuid>, _>(&rooms.lanes)
    .bind::<Array<BigInt>, _>(&rooms.lane_rooms)
    .bind::<Array<Text>, _>(&rooms.providers)
    .bind::<Array<BigInt>, _>(&rooms.provider_rooms)
    .bind::<Nullable<BigInt>, _>(rooms.any_lane)
    .bind::<Array<BigInt>, _>(of_queue.collect::<Vec<_>>())
    .bind::<Timestamptz, _>(known.standing_from)
    .bind::<Bool, _>(known.is_nothing)
    .bind::<Array<Text>, _>(&known.running.queues)
    .bind::<Array<SqlUuid>, _>(&known.running.lanes)
    .bind::<Array<BigInt>, _>(&known.running.jobs)
    .bind::<Array<Text>, _>(&known.streams.queues)
    .bind::<Array<SmallInt>, _>(&known.streams.priorities)
    .bind::<Array<SqlUuid>, _>(&known.streams.lanes)
    .bind::<Array<Text>, _>(&known.streams.providers)
    .bind::<Array<Timestamptz>, _>(&known.streams.from)
    .bind::<BigInt, _>(SUSPECTS)
    .prepared()
    .load(conn)
    .await?;
    let mut dispatched = Dispatched::default();
    for row in rows {
        dispatched.is_full = row.full;
        dispatched.next_due = row.wait_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
        if let (Some(id), Some(queue), Some(jobs)) = (row.id, row.queue, row.jobs) {
            let queue = rows::queue(&queue)?;
            dispatched.dispatches.push(Dispatch { id, queue, jobs: jobs as usize });
        }
    }
    Ok(dispatched)
}

#[derive(diesel::QueryableByName)]
struct Sent {
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = SqlUuid)]
    lane: Uuid,
    #[diesel(sql_type = Text)]
    provider: String,
    #[diesel(sql_type = BigInt)]
    jobs: i64,
}

/// Within a transaction, under limits.
pub(super) async fn dispatch_within(
    conn: &mut Connection,
    plans: &[DispatchPlan],
    deadline: Duration,
    limits: &JobLimits,
    known: &Known,
) -> Step<Dispatched> {
    let rooms = limits::rooms(conn, limits).await?;
    let mut dispatched = dispatch(conn, plans, deadline, &rooms, known).await?;
    let sent: Vec<Sent> = diesel::sql_query(
        "SELECT d.queue, s.* FROM dispatches d
        CROSS JOIN LATERAL unnest(d.lanes, d.providers, d.counts) AS s (lane, provider, jobs)
        WHERE d.id = ANY($1)",
    )
    .bind::<Array<SqlUuid>, _>(dispatched.dispatches.iter().map(|one| one.id).collect::<Vec<_>>())
    .prepared()
    .load(conn)
    .await?;
    let mut picked = Picked::default();
    for row in sent {
        picked.add(
            rows::queue(&row.queue)?,
            (!row.lane.is_nil()).then_some(row.lane),
            &row.provider,
            row.jobs,
        );
    }
    limits::spend(conn, limits, &picked).await?;
    // What a limit holds up does not fill a window, and waits for room all the same.
    let waits: Waits = diesel::sql_query(
        "SELECT EXISTS (
            SELECT FROM jobs j WHERE j.queue = ANY($1) AND j.state = 'READY' AND j.run_at <= now()
                AND j.id NOT IN (SELECT unnest(d.job_ids) FROM dispatches d) AND NOT EXISTS (
                    SELECT FROM paused_queues p WHERE p.queue = j.queue AND (p.lane IS NULL OR p.lane = j.lane))
        ) AS waits",
    )
    .bind::<Array<Text>, _>(plans.iter().map(|plan| plan.queue.as_str()).collect::<Vec<_>>())
    .prepared()
    .get_result(conn)
    .await?;
    dispatched.is_full |= waits.waits;
    Ok(dispatched)
}

#[derive(diesel::QueryableByName)]
struct Waits {
    #[diesel(sql_type = Bool)]
    waits: bool,
}

pub(super) async fn recall(conn: &mut Connection, dispatches: &[Uuid]) -> Step<()> {
    diesel::sql_query("DELETE FROM dispatches WHERE id = ANY($1)")
        .bind::<Array<SqlUuid>, _>(dispatches)
        .prepared()
        .execute(conn)
        .await?;
    Ok(())
}
