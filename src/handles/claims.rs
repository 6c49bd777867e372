//! Claims that are made at the same time on a server: one for all who ask for the same.
//!
//! Who finds nobody at it claims for itself. Those who come meanwhile wait, and then the first of them claims
//! for all: to find the next runs costs the same for one as for many.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::domain::claim::{Claimed, Picked};
use crate::domain::port::LaneFilter;
use crate::error::{Error, Result};
use crate::limits::WRITE_BATCH_BYTES_MAX;
use crate::lock::Unpoisoned;

/// Runs that are claimed for several at most, unless one of them asks for more.
const TOGETHER_MAX: u32 = 1_000;

/// What those ask for whom one claim can serve.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Wish {
    pub(super) filter: LaneFilter,
    pub(super) lease_ms: u32,
    pub(super) worker: Option<String>,
}

/// The claims of a handle that are under way.
#[derive(Debug, Default)]
pub(super) struct Claims {
    /// Of each wish that somebody claims for, who waits.
    lines: Mutex<HashMap<Wish, Vec<Arc<Asker>>>>,
    /// Stands for the lanes from which the last claim came back with runs; 0 after one that did not.
    flowing: AtomicU64,
}

#[derive(Debug)]
struct Asker {
    max: u32,
    said: Mutex<Said>,
    told: Condvar,
}

#[derive(Debug)]
enum Said {
    Nothing,
    /// To claim, for these as well.
    Lead(Vec<Arc<Asker>>),
    Got(Result<Picked>),
}

/// Whoever claims; calls the next when it is done, whatever it came to.
struct Turn<'claims> {
    claims: &'claims Claims,
    wish: &'claims Wish,
}

impl Claims {
    /// Claims up to `max` runs by `claim`, which is given how many; or has somebody else claim them.
    pub(super) fn claim(
        &self,
        wish: &Wish,
        max: u32,
        claim: impl FnOnce(u32) -> Result<Picked>,
    ) -> Result<Picked> {
        let Some(asker) = self.queue(wish, max) else {
            let _turn = Turn { claims: self, wish };
            return claim(max);
        };
        let others = match asker.hear() {
            Said::Lead(others) => Others(others.into()),
            Said::Got(answer) => return answer,
            Said::Nothing => return Err(Error::internal("a claim was told nothing")),
        };
        let _turn = Turn { claims: self, wish };
        let all = others.0.iter().fold(max, |sum, other| sum.saturating_add(other.max));
        match claim(all.min(TOGETHER_MAX.max(max))) {
            Ok(picked) => Ok(share(picked, max, others)),
            Err(error) => {
                others.answer(|_| Err(error.clone()));
                Err(error)
            }
        }
    }

    /// Returns whether the last claim was from these lanes and found runs, so that one more is worth its lock
    /// without a look.
    pub(super) fn is_flowing(&self, filter: &LaneFilter) -> bool {
        self.flowing.load(Ordering::Relaxed) == stand_in(filter)
    }

    /// Notes whether a claim from these lanes found runs.
    pub(super) fn note(&self, filter: &LaneFilter, has_found: bool) {
        let flowing = if has_found { stand_in(filter) } else { 0 };
        self.flowing.store(flowing, Ordering::Relaxed);
    }

    /// Waits in line; `None` for who is to claim at once.
    fn queue(&self, wish: &Wish, max: u32) -> Option<Arc<Asker>> {
        let mut lines = self.lines.lock().unpoisoned();
        let Some(line) = lines.get_mut(wish) else {
            lines.insert(wish.clone(), Vec::new());
            return None;
        };
        let asker = Asker { max, said: Mutex::new(Said::Nothing), told: Condvar::new() };
        let asker = Arc::new(asker);
        line.push(Arc::clone(&asker));
        Some(asker)
    }
}

/// Those for whom somebody claims. Each hears of it, even where the claim panics.
struct Others(VecDeque<Arc<Asker>>);

impl Others {
    /// Gives each its answer, in the order in which they came.
    fn answer(mut self, mut answer: impl FnMut(&Asker) -> Result<Picked>) {
        while let Some(other) = self.0.pop_front() {
            other.tell(Said::Got(answer(&other)));
        }
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for other in self.0.drain(..) {
            other.tell(Said::Got(Err(Error::internal("a claim for many came to nothing"))));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut lines = self.claims.lines.lock().unpoisoned();
        let mut line = lines.get_mut(self.wish).map(std::mem::take).unwrap_or_default();
        if line.is_empty() {
            lines.remove(self.wish);
            return;
        }
        let others = line.split_off(1);
        drop(lines);
        line.into_iter().for_each(|first| first.tell(Said::Lead(others.clone())));
    }
}

impl Asker {
    fn tell(&self, what: Said) {
        *self.said.lock().unpoisoned() = what;
        self.told.notify_one();
    }

    fn hear(&self) -> Said {
        let mut said = self.said.lock().unpoisoned();
        while matches!(*said, Said::Nothing) {
            said = self.told.wait(said).unpoisoned();
        }
        std::mem::replace(&mut said, Said::Nothing)
    }
}

/// Returns what stands for lanes whose keys do not matter: of others it costs a look too few or too many.
fn stand_in(filter: &LaneFilter) -> u64 {
    let mut hasher = DefaultHasher::new();
    LaneFilter { owner_key: 0, ..filter.clone() }.hash(&mut hasher);
    hasher.finish().max(1)
}

/// Gives everybody its part, in the order in which they came, and returns the first one's. Where there may be
/// more than one claim gives, who got nothing asks again.
fn share(picked: Picked, max: u32, others: Others) -> Picked {
    let Picked { runs, mut has_more } = picked;
    has_more |= runs.iter().map(|claimed| claimed.run.args.len()).sum::<usize>()
        >= WRITE_BATCH_BYTES_MAX
        || runs.len() >= TOGETHER_MAX as usize;
    let mut left = runs.into_iter();
    let mut part = |max: u32| -> Vec<Claimed> { left.by_ref().take(max as usize).collect() };
    let mine = Picked { runs: part(max), has_more };
    others.answer(|other| Ok(Picked { runs: part(other.max), has_more }));
    mine
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::claim::Claim;
    use crate::domain::port::{ClaimedRun, Fence};
    use crate::domain::submit::Submit;
    use crate::handles::store::{Store, StoreOptions};
    use crate::id::Id;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    fn wish(queue: &str) -> Wish {
        let filter = LaneFilter { queue: queue.into(), ..LaneFilter::default() };
        Wish { filter, lease_ms: 1, worker: None }
    }

    fn claimed(key: i64) -> Claimed {
        let run = ClaimedRun {
            run_id: Id::from_bytes([1; 16]),
            root_run_id: Id::from_bytes([1; 16]),
            parent_run_id: None,
            workflow: "w".into(),
            code_version: None,
            args: "1".into(),
            metadata: None,
            has_history: false,
            lane_claimed_at_ms: None,
        };
        let fence = Fence { run_key: key, number: 1, token: 1 };
        let (owner_key, lease_until_ms, claimed_at_ms, due_at_ms) = (1, 1, 1, 1);
        Claimed { owner_key, fence, lease_until_ms, claimed_at_ms, due_at_ms, run }
    }

    fn some(count: u32) -> Picked {
        Picked { runs: (1..=i64::from(count)).map(claimed).collect(), has_more: false }
    }

    fn keys(answer: Result<Picked>) -> Result<Vec<i64>> {
        Ok(answer?.runs.iter().map(|claimed| claimed.fence.run_key).collect())
    }

    /// Has three claims wait for one that is under way, and `claim` made for them; what the three get, each of
    /// up to two.
    fn three(
        claim: impl Fn(u32) -> Result<Picked> + Sync,
    ) -> Vec<thread::Result<Result<Vec<i64>>>> {
        let (claims, wish) = (Claims::default(), wish("q"));
        let waiting = || claims.lines.lock().unwrap().get(&wish).map_or(0, Vec::len);
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let answers = thread::scope(|scope| {
            let held = (&claims, &wish, may_go_on);
            let first = scope.spawn(move || {
                let (claims, wish, may_go_on) = held;
                claims.claim(wish, 1, |max| {
                    // Ends when the test lets go of the other end.
                    let _ = may_go_on.recv();
                    Ok(some(max))
                })
            });
            while !claims.lines.lock().unwrap().contains_key(&wish) {
                thread::yield_now();
            }
            let mut others = Vec::new();
            for place in 0..3 {
                others.push(scope.spawn(|| keys(claims.claim(&wish, 2, &claim))));
                while waiting() <= place {
                    thread::yield_now();
                }
            }
            drop(go_on);
            assert_eq!(keys(first.join().unwrap()), Ok(vec![1]));
            others.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        assert!(claims.lines.lock().unwrap().is_empty(), "a line is left");
        answers
    }

    #[test]
    fn those_who_wait_for_a_claim_are_served_by_one_in_their_order() {
        let served = |count: u32| {
            let asked = AtomicU64::new(0);
            let answers = three(|max| {
                asked.fetch_add(u64::from(max), Ordering::Relaxed);
                Ok(some(count.min(max)))
            });
            assert_eq!(asked.into_inner(), 6, "one claim, for all");
            answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(served(9), [vec![1, 2], vec![3, 4], vec![5, 6]]);
        assert_eq!(served(3), [vec![1, 2], vec![3], vec![]]);
    }

    /// There they share a transaction, and waiting for another claim would be longer than one.
    #[test]
    fn in_a_file_a_claim_waits_for_no_other_one() {
        let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
        store.init().unwrap();
        store.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
        let claim = Claim { lease_ms: 60_000, ..Claim::default() };
        let wish = Wish { filter: claim.filter(), lease_ms: 60_000, worker: None };
        assert!(store.claims.queue(&wish, 1).is_none(), "nobody else claims");
        let (tell, told) = mpsc::channel();
        let other = Arc::clone(&store);
        // It is not joined: it would wait for ever.
        thread::spawn(move || tell.send(other.claim(claim).map(|claimed| claimed.is_some())));
        assert_eq!(told.recv_timeout(Duration::from_secs(60)), Ok(Ok(true)));
    }

    #[test]
    fn what_a_claim_for_many_fails_of_each_of_them_hears() {
        for answer in three(|_| Err(Error::NoMem)) {
            assert_eq!(answer.unwrap(), Err(Error::NoMem));
        }
        let answers = three(|_| panic!("on purpose"));
        let told =
            |answer: &thread::Result<Result<_>>| matches!(answer, Ok(Err(Error::Internal(_))));
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 1, "who claimed");
        assert_eq!(answers.iter().filter(|answer| told(answer)).count(), 2, "for whom");
    }

    #[test]
    fn who_asks_for_something_else_waits_for_nobody() {
        let claims = Claims::default();
        let inner = |max| claims.claim(&wish("b"), max, |max| Ok(some(max)));
        let outer = claims.claim(&wish("a"), 1, |_| inner(2));
        assert_eq!(keys(outer), Ok(vec![1, 2]));
    }

    #[test]
    fn lanes_flow_until_a_claim_from_them_finds_nothing() {
        let claims = Claims::default();
        let (a, b) = (wish("a").filter, wish("b").filter);
        assert!(!claims.is_flowing(&a));
        claims.note(&LaneFilter { owner_key: 7, ..a.clone() }, true);
        assert!(claims.is_flowing(&a) && !claims.is_flowing(&b));
        claims.note(&a, false);
        assert!(!claims.is_flowing(&a));
    }
}
