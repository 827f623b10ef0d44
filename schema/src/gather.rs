//! Gathers the lookups that resolvers make one by one: those of all fields that a request is at go to the
//! [`Loader`] in one call, with what other requests happen to ask for at that moment.
//!
//! async-graphql's own loader waits for a millisecond at each level of a query; this one waits for no clock.
//! Nothing is kept, so that an answer is never older than its request.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_graphql::dataloader::Loader;
use futures::{
    FutureExt,
    channel::oneshot,
    future::{BoxFuture, Shared, WeakShared},
};

pub(crate) struct Gather<T>(Arc<Inner<T>>);

struct Inner<T> {
    loader: T,
    /// By the type of their keys, the batches that still take keys.
    open: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

type Found<K, T> = HashMap<K, <T as Loader<K>>::Value>;
/// Whoever waits for it drives it, so that it goes on for as long as anybody does.
type Answer<K, T> = BoxFuture<'static, Result<Arc<Found<K, T>>, <T as Loader<K>>::Error>>;

struct Batch<K: Key, T: Loader<K>> {
    keys: HashSet<K>,
    answer: WeakShared<Answer<K, T>>,
}

/// What [`Loader`] wants of keys, and that they are small.
pub(crate) trait Key: Copy + Eq + Hash + Send + Sync + 'static {}

impl<K: Copy + Eq + Hash + Send + Sync + 'static> Key for K {}

impl<T: Send + Sync + 'static> Gather<T> {
    pub(crate) fn new(loader: T) -> Self {
        Self(Arc::new(Inner { loader, open: Mutex::default() }))
    }

    pub(crate) async fn load_one<K>(&self, key: K) -> Result<Option<T::Value>, T::Error>
    where
        K: Key,
        T: Loader<K, Error: Sync>,
    {
        Ok(self.load(&[key]).await?.get(&key).cloned())
    }

    pub(crate) async fn load_many<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Found<K, T>, T::Error>
    where
        K: Key,
        T: Loader<K, Error: Sync>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let found = self.load(&keys).await?;
        let own = |key: K| found.get(&key).map(|value| (key, value.clone()));
        Ok(keys.into_iter().filter_map(own).collect())
    }

    /// What is found of `keys`, and of what others asked for with them.
    async fn load<K>(&self, keys: &[K]) -> Result<Arc<Found<K, T>>, T::Error>
    where
        K: Key,
        T: Loader<K, Error: Sync>,
    {
        if keys.is_empty() {
            return Ok(Arc::default());
        }
        let (answer, opened) = self.join(keys);
        if let Some(close) = opened {
            // The request's other fields are polled before this one is again.
            tokio::task::yield_now().await;
            drop(close);
        }
        answer.await
    }

    /// Who opens a batch gets what closes it when it is dropped.
    fn join<K>(&self, keys: &[K]) -> (Shared<Answer<K, T>>, Option<oneshot::Sender<()>>)
    where
        K: Key,
        T: Loader<K, Error: Sync>,
    {
        let mut open = self.0.open();
        let batch = open.get_mut(&TypeId::of::<K>()).and_then(|batch| batch.downcast_mut::<Batch<K, T>>());
        if let Some(batch) = batch
            && let Some(answer) = batch.answer.upgrade()
        {
            batch.keys.extend(keys);
            return (answer, None);
        }
        let (close, closed) = oneshot::channel();
        let answer = Arc::clone(&self.0).run(closed).boxed().shared();
        if let Some(weak) = answer.downgrade() {
            let batch = Batch::<K, T> { keys: keys.iter().copied().collect(), answer: weak };
            open.insert(TypeId::of::<K>(), Box::new(batch));
        }
        (answer, Some(close))
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    fn open(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Any + Send>>> {
        // No change to it can be cut in the middle.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run<K>(self: Arc<Self>, closed: oneshot::Receiver<()>) -> Result<Arc<Found<K, T>>, T::Error>
    where
        K: Key,
        T: Loader<K, Error: Sync>,
    {
        // Nothing is ever sent: it ends when the sender is gone.
        let _gone = closed.await;
        let batch = self.open().remove(&TypeId::of::<K>());
        let batch = batch.and_then(|batch| batch.downcast::<Batch<K, T>>().ok());
        let keys: Vec<K> = batch.into_iter().flat_map(|batch| batch.keys).collect();
        self.loader.load(&keys).await.map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::pending, time::Duration};

    use futures::future::join_all;

    use super::*;

    /// Doubles numbers, remembers the batches, and hangs on zero.
    #[derive(Default)]
    struct Double(Arc<Mutex<Vec<Vec<u64>>>>);

    impl Loader<u64> for Double {
        type Value = u64;
        type Error = Infallible;

        async fn load(&self, keys: &[u64]) -> Result<HashMap<u64, u64>, Infallible> {
            let mut sorted = keys.to_vec();
            sorted.sort_unstable();
            self.0.lock().unwrap().push(sorted);
            tokio::time::sleep(Duration::from_millis(5)).await;
            if keys.contains(&0) {
                pending::<()>().await;
            }
            Ok(keys.iter().filter(|key| **key < 1_000).map(|key| (*key, 2 * key)).collect())
        }
    }

    #[tokio::test]
    async fn what_is_asked_side_by_side_is_one_batch_and_what_follows_from_it_the_next() {
        let double = Double::default();
        let batches = Arc::clone(&double.0);
        let gather = Gather::new(double);
        let twice = async |key| {
            let first = gather.load_one(key).await.unwrap().unwrap();
            gather.load_one(first).await.unwrap()
        };
        let answers = join_all((1..=200).map(twice)).await;
        assert_eq!(answers[199], Some(800));
        let first = (1..=200).collect::<Vec<u64>>();
        let second = first.iter().map(|key| 2 * key).collect();
        assert_eq!(*batches.lock().unwrap(), [first, second]);
    }

    #[tokio::test]
    async fn many_are_given_what_they_asked_for_and_nothing_else() {
        let gather = Gather::new(Double::default());
        let (some, one, none) = tokio::join!(
            gather.load_many([1, 2, 5_000]),
            gather.load_one(7),
            gather.load_many(Vec::<u64>::new())
        );
        assert_eq!(some.unwrap(), HashMap::from([(1, 2), (2, 4)]));
        assert_eq!(one.unwrap(), Some(14));
        assert!(none.unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn whoever_goes_away_leaves_the_others_their_answer() {
        let gather = Arc::new(Gather::new(Double::default()));
        for round in 1..=50 {
            let load = |key| {
                let gather = Arc::clone(&gather);
                tokio::spawn(async move { gather.load_one(key).await.unwrap() })
            };
            // The first opens the batch and, by turns, is gone before it closes it, or while it loads.
            let (first, second) = (load(round), load(round + 100));
            if round % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            first.abort();
            let second = tokio::time::timeout(Duration::from_secs(5), second).await;
            assert_eq!(second.expect("it hangs").unwrap(), Some(2 * (round + 100)));
        }
    }

    #[tokio::test]
    async fn a_batch_that_nobody_waits_for_takes_no_keys_any_more() {
        let double = Double::default();
        let batches = Arc::clone(&double.0);
        let gather = Gather::new(double);
        // Polled once, it has opened a batch with the key that hangs.
        assert_eq!(gather.load_one(0).now_or_never(), None);
        assert_eq!(gather.load_one(3).await.unwrap(), Some(6));
        assert_eq!(*batches.lock().unwrap(), [[3]]);
    }
}
