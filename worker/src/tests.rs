//! A worker's promises, over interleavings that a real ledger does not give on demand.

mod bench;
mod ledger;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use colloquy_domain::{
    jobs::{JobState, Queue},
    ports::jobs::{Dispatcher, Signal, Signals},
};

use self::bench::{Act, Bench};

const GRACE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_run_and_completed_in_few_transactions() {
    let bench = Bench::begin(GRACE);
    bench.send(&[None; 100]).await;
    bench.send(&[None; 100]).await;
    bench.until("all done", || bench.ledger.count(JobState::Done) == 200).await;
    let ledger = bench.end().await;
    let completions = ledger.completions.load(Ordering::Relaxed);
    assert!(completions <= 20, "200 jobs in {completions} transactions");
    assert!(ledger.beats.load(Ordering::Relaxed) > 0);
    assert_eq!(ledger.left.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_of_a_handler_is_written_as_what_it_was() {
    let bench = Bench::begin(GRACE);
    let acts = [Act::Panic, Act::Retry, Act::Fail, Act::Commit, Act::Hang].map(Some);
    let jobs = bench.send(&acts).await;
    let after = bench.send(&[None]).await;
    bench.until("the last one timed out", || !bench.ledger.row(jobs[4]).errors.is_empty()).await;
    bench.until("the queue goes on", || bench.ledger.row(after[0]).life.state == JobState::Done).await;
    let ledger = bench.end().await;
    let [panicked, retried, failed, committed, hung] = [0, 1, 2, 3, 4].map(|at| ledger.row(jobs[at]));
    assert_eq!(panicked.errors, ["the handler panicked"]);
    assert_eq!(retried.errors, ["could not reach the moon: no signal"]);
    assert_eq!(hung.errors.len(), 1);
    for again in [panicked, retried, hung] {
        assert_eq!((again.life.state, again.life.attempts), (JobState::Ready, 1));
    }
    assert_eq!((failed.life.state, failed.errors.len()), (JobState::Dead, 1));
    // Only the store could have completed it, and this one did not.
    assert_eq!(committed.life.state, JobState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_whose_lease_is_lost_is_stopped_and_writes_nothing() {
    let bench = Bench::begin(GRACE);
    let job = bench.send(&[Some(Act::Hang)]).await[0];
    bench.until("begun", || bench.script.has_begun(job)).await;
    let began = Instant::now();
    bench.ledger.expire(job);
    bench.until("cancelled", || bench.script.cancels.lock().unwrap()[&job].is_cancelled()).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let ledger = bench.end().await;
    let row = ledger.row(job);
    assert!(row.errors.is_empty() && row.life.suspect && row.life.attempts == 0, "{row:?}");
    assert_eq!(ledger.completions.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn suspects_run_one_after_another_and_beside_nothing() {
    let bench = Bench::begin(GRACE);
    let moment = Some(Act::Take(Duration::from_millis(100)));
    let before = bench.send(&[moment]).await;
    bench.until("begun", || bench.script.has_begun(before[0])).await;
    let suspects = bench.send_suspects(&[moment; 3]).await;
    let after = bench.send(&[moment; 3]).await;
    bench.until("all done", || bench.ledger.count(JobState::Done) == 7).await;
    let beside = bench.script.beside.lock().unwrap().clone();
    assert!(suspects.iter().all(|job| beside[job] == 0), "{beside:?}");
    let begun = bench.script.begun.lock().unwrap().clone();
    let in_order: Vec<_> = begun.into_iter().filter(|job| suspects.contains(job)).collect();
    assert_eq!(in_order, suspects);
    let ledger = bench.end().await;
    let all = [before, suspects, after].concat();
    assert!(all.iter().all(|job| ledger.row(*job).life.attempts == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_running_end_and_hands_back_what_was_not_begun() {
    let bench = Bench::begin(GRACE);
    let mut acts = vec![Some(Act::Take(Duration::from_millis(300)))];
    acts.extend([None; 9]);
    let jobs = bench.send(&acts).await;
    bench.until("begun", || bench.script.has_begun(jobs[0])).await;
    let ledger = bench.end().await;
    assert_eq!(ledger.row(jobs[0]).life.state, JobState::Done);
    for job in &jobs[1..] {
        let life = ledger.row(*job).life;
        assert_eq!((life.state, life.attempts, life.claim), (JobState::Ready, 0, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_a_handler_is_stopped_and_its_job_handed_back() {
    let bench = Bench::begin(Duration::from_millis(200));
    let job = bench.send(&[Some(Act::Hang)]).await[0];
    bench.until("begun", || bench.script.has_begun(job)).await;
    let script = bench.script.clone();
    let began = Instant::now();
    let ledger = bench.end().await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(script.cancels.lock().unwrap()[&job].is_cancelled());
    let life = ledger.row(job).life;
    assert_eq!((life.state, life.attempts), (JobState::Ready, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_wait_out_an_outage_and_their_leases_are_kept() {
    let bench = Bench::begin(GRACE);
    bench.ledger.outage.store(5, Ordering::Relaxed);
    bench.send(&[None; 10]).await;
    bench.until("all done", || bench.ledger.count(JobState::Done) == 10).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_dispatch_is_away_jobs_are_claimed_directly_and_then_no_more() {
    let bench = Bench::begin(GRACE);
    bench.line.is_broken.store(true, Ordering::Relaxed);
    bench.ledger.add(250);
    bench.until("all done", || bench.ledger.count(JobState::Done) == 250).await;
    bench.line.is_broken.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let waiting = bench.ledger.add(1)[0];
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(bench.ledger.row(waiting).life.state, JobState::Ready, "dispatch serves again");
    bench.send(&[None; 3]).await;
    bench.until("dispatched ones done", || bench.ledger.count(JobState::Done) == 253).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_panics_ends_no_task_and_keeps_no_handler() {
    let bench = Bench::begin(GRACE);
    // One more than there are handlers.
    for _ in 0..3 {
        bench.ledger.panics.store(1, Ordering::Relaxed);
        bench.send(&[None]).await;
        bench.until("it panicked", || bench.ledger.panics.load(Ordering::Relaxed) == 0).await;
    }
    bench.send(&[None; 3]).await;
    bench.until("later ones done", || bench.ledger.count(JobState::Done) >= 3).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_claimed_directly_where_all_that_arrives_comes_too_late() {
    let bench = Bench::begin(GRACE);
    bench.ledger.waits.store(true, Ordering::Relaxed);
    let jobs = bench.ledger.add(50);
    let late = async {
        loop {
            // Of dispatches that were missed: nothing is known of them any more.
            let dispatch = bench.ledger.send(&[]);
            bench.line.push(Queue::Default, &[dispatch]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = bench.until("all done", || bench.ledger.count(JobState::Done) == jobs.len()) => {}
        _ = late => {}
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_keeps_the_window_and_brings_everything_in_the_end() {
    let bench = Bench::begin(GRACE);
    let _relay = bench.relay();
    bench.ledger.add(3000);
    bench.signals.raise(Signal::Jobs);
    bench.until("all done", || bench.ledger.count(JobState::Done) == 3000).await;
    // Two handlers, two chunks each.
    assert!(bench.line.longest.load(Ordering::Relaxed) <= 4);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_pushed_is_taken_back_and_nothing_stops() {
    let bench = Bench::begin(GRACE);
    let _relay = bench.relay();
    bench.line.is_broken.store(true, Ordering::Relaxed);
    bench.ledger.add(500);
    bench.signals.raise(Signal::Jobs);
    bench.until("all done", || bench.ledger.count(JobState::Done) == 500).await;
    assert_eq!(bench.line.longest.load(Ordering::Relaxed), 0, "nothing went through dispatch");
    bench.line.is_broken.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    bench.ledger.add(500);
    bench.signals.raise(Signal::Jobs);
    bench.until("all done", || bench.ledger.count(JobState::Done) == 1000).await;
    assert!(bench.line.longest.load(Ordering::Relaxed) > 0, "dispatch serves again");
    bench.end().await;
}
