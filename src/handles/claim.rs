//! Claiming from a store: a look without a lock, then the writer; sweeping what has come due; owners.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::clock::Now;
use crate::domain::claim::{self, Claim, Claimer, Outlook, Picked};
use crate::domain::news::bell;
use crate::domain::port::{LaneFilter, Owner, OwnerKey, Port};
use crate::domain::{hold, sweep};
use crate::error::{Error, Result};
use crate::handles::attempt::Attempt;
use crate::handles::claims::Wish;
use crate::handles::entered::{Entered, wait_end};
use crate::handles::store::Store;
use crate::id;
use crate::limits::{OWNER_PROBE_MS, UNHEARD_MAX};
use crate::lock::Unpoisoned;
use crate::storage::{Ahead, Call};

impl Store {
    /// Claims a run, waiting for one as long as asked.
    pub fn claim(self: &Arc<Self>, claim: Claim) -> Result<Option<Arc<Attempt>>> {
        Ok(self.claim_many(claim, 1)?.pop())
    }

    /// Claims up to `max` runs in one commit, waiting for the first as long as asked.
    pub fn claim_many(self: &Arc<Self>, claim: Claim, max: u32) -> Result<Vec<Arc<Attempt>>> {
        claim.check()?;
        let lease_ms = hold::lease_length(claim.lease_ms, self.lease_default_ms)?;
        let entered = self.enter()?;
        let backend = entered.backend()?;
        let bell = bell(&claim.filter().queue);
        let until = wait_end(claim.wait_ms);
        let is_stopped = || claim.stop.as_ref().is_some_and(|stop| stop.is_fired());
        while !is_stopped() {
            // Taken before the look, so that whatever is announced after it ends the sleep.
            let seen = backend.bell_seen(bell);
            let outlook = match self.claim_now(&entered, &claim, lease_ms, (max, until))? {
                Look::Got(attempts) => return Ok(attempts),
                Look::Nothing(outlook) => outlook,
            };
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(Vec::new());
            }
            self.check_open()?;
            let sleep = self.until_due(&outlook).min(left.unwrap_or(Duration::MAX));
            backend.bell_wait(bell, seen, sleep, claim.stop.as_deref());
            self.check_open()?;
        }
        Ok(Vec::new())
    }

    /// Looks without a lock, and claims only when the look promises something (P14).
    fn claim_now(
        self: &Arc<Self>,
        entered: &Entered<'_>,
        claim: &Claim,
        lease_ms: u32,
        (max, until): (u32, Option<Instant>),
    ) -> Result<Look> {
        let now = self.terms.clock.now();
        let owner_key = self.owner.key.load(Ordering::Relaxed);
        let filter = LaneFilter { owner_key, ..claim.filter() };
        let mut dead = Vec::new();
        let is_far = entered.backend()?.is_far();
        let is_flowing = is_far && self.has_probed_lately(now) && self.claims.is_flowing(&filter);
        if !is_flowing && let Some(outlook) = self.glance(entered, &filter, now)? {
            dead = self.dead_owners(entered, &outlook, now)?;
            if !outlook.is_promising && dead.is_empty() && self.has_heard_all() {
                return Ok(Look::Nothing(outlook));
            }
        }
        let claimer = Claimer {
            owner: self.owner(entered)?,
            lease_ms,
            worker: claim.worker.clone(),
            filter,
            dead,
            unheard: self.unheard.lock().unpoisoned().clone(),
            seed: id::new_id(),
        };
        let patience = Instant::now() + Duration::from_millis(self.terms.busy_timeout_ms.into());
        let give_up = until.map(|until| until.max(patience));
        let is_over = || {
            claim.stop.as_ref().is_some_and(|stop| stop.is_fired())
                || give_up.is_some_and(|give_up| Instant::now() >= give_up)
        };
        let has_claimed = Cell::new(false);
        let picked = self.pick(entered, &claimer, max, &is_over, &has_claimed);
        // What somebody else claimed in vain, for several, is noted there.
        if has_claimed.get() {
            self.note_unheard(&claimer, picked.as_ref().err());
        }
        let picked = picked?;
        if is_far {
            self.claims.note(&claimer.filter, !picked.is_empty());
        }
        let Some(first) = picked.first() else {
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Look::Got(Vec::new()));
            }
            let filter = &claimer.filter;
            return entered.glance(|tx| claim::outlook(tx, filter, now)).map(Look::Nothing);
        };
        self.owner.key.store(first.owner_key, Ordering::Relaxed);
        let (queue, now) = (claimer.filter.queue, self.terms.clock.now());
        let attempt = |claimed| {
            Arc::new(Attempt::new(Arc::clone(self), claimed, queue.clone(), claim.manner, now))
        };
        Ok(Look::Got(picked.into_iter().map(attempt).collect()))
    }

    /// Whether no claim of this handle may have taken what nobody knows of.
    fn has_heard_all(&self) -> bool {
        self.unheard.lock().unpoisoned().is_empty()
    }

    /// Notes a claim that may stand although it failed; the next one that goes through gives back what it
    /// took.
    fn note_unheard(&self, claimer: &Claimer, failure: Option<&Error>) {
        let mut unheard = self.unheard.lock().unpoisoned();
        match failure {
            None => unheard.retain(|token| !claimer.unheard.contains(token)),
            Some(error) if error.leaves_open() && unheard.len() < UNHEARD_MAX => {
                unheard.push(claimer.seed.token());
            }
            Some(_) => {}
        }
    }

    /// Sweeps and sets aside, one bounded part after the other, until there is a run or nothing is
    /// left to move, or the caller's time is over.
    fn pick(
        &self,
        entered: &Entered<'_>,
        claimer: &Claimer,
        max: u32,
        is_over: &dyn Fn() -> bool,
        has_claimed: &Cell<bool>,
    ) -> Result<Vec<claim::Claimed>> {
        let call = Call::of(if max == 1 { "sw_run_claim" } else { "sw_run_claim_many" })
            .looking_at(Ahead::Queue(claimer.filter.queue.as_str().into()));
        let (filter, worker) = (claimer.filter.clone(), claimer.worker.clone());
        let wish = Wish { filter, lease_ms: claimer.lease_ms, worker };
        let is_far = entered.backend()?.is_far();
        loop {
            let call = call.clone();
            let claim = |max| {
                has_claimed.set(true);
                let claimer = claimer.clone();
                entered.write(call, move |tx, now| claim::claim(tx, &claimer, max, now))
            };
            // Who has to look after more than runs does so by itself. In a file everybody does: claims share
            // their transaction there, with all that is written at that moment, and to wait for another claim
            // takes longer than to find a run.
            let is_shared = is_far && claimer.dead.is_empty() && claimer.unheard.is_empty();
            let picked = if is_shared { self.claims.claim(&wish, max, claim) } else { claim(max) };
            let Picked { runs, has_more } = picked?;
            if !runs.is_empty() || !has_more || is_over() {
                return Ok(runs);
            }
            self.check_open()?;
        }
    }

    /// Looks what a claim would find; `None` when it will find something, and owners were asked after
    /// lately.
    fn glance(
        &self,
        entered: &Entered<'_>,
        filter: &LaneFilter,
        now: Now,
    ) -> Result<Option<Outlook>> {
        if self.has_probed_lately(now) {
            return entered.glance(|tx| claim::glance(tx, filter, now));
        }
        entered.glance(|tx| claim::outlook(tx, filter, now)).map(Some)
    }

    fn has_probed_lately(&self, now: Now) -> bool {
        let probed_at = self.probed_ms.load(Ordering::Relaxed);
        (0..OWNER_PROBE_MS).contains(&now.lease_ms.saturating_sub(probed_at))
    }

    /// Returns the owners in the file that are gone. Asked seldom while there is work, and whenever
    /// the answer would be that there is none (P12).
    fn dead_owners(&self, entered: &Entered<'_>, outlook: &Outlook, now: Now) -> Result<Vec<i64>> {
        if outlook.is_promising && self.has_probed_lately(now) {
            return Ok(Vec::new());
        }
        self.probed_ms.store(now.lease_ms, Ordering::Relaxed);
        let mut dead = Vec::new();
        for owner in &outlook.owners {
            if !entered.backend()?.owner_is_alive(owner.id)? {
                dead.push(owner.owner_key);
            }
        }
        Ok(dead)
    }

    /// Returns this handle as an owner, its lock held from here on.
    pub(super) fn owner(&self, entered: &Entered<'_>) -> Result<Owner> {
        let owner_key = self.owner.key.load(Ordering::Relaxed);
        if owner_key == 0 {
            entered.backend()?.owner_hold(self.owner.id)?;
        }
        Ok(Owner { owner_key, id: self.owner.id })
    }

    /// Runs a write that is given the key of this handle's owner, whose row is made in it; 0 where it needs
    /// none.
    pub(super) fn write_owned<T: Send + 'static>(
        &self,
        entered: &Entered<'_>,
        call: Call,
        needs_owner: bool,
        mut work: impl FnMut(&mut dyn Port, OwnerKey, Now) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let owner = if needs_owner { Some(self.owner(entered)?) } else { None };
        let (answer, owner_key) = entered.write(call, move |tx, now| {
            let owner_key =
                owner.as_ref().map(|owner| tx.owner_make(owner, now.wall_ms)).transpose()?;
            Ok((work(tx, owner_key.unwrap_or(0), now)?, owner_key))
        })?;
        if let Some(owner_key) = owner_key {
            self.owner.key.store(owner_key, Ordering::Relaxed);
        }
        Ok(answer)
    }

    /// Moves what has come due in any queue, one bounded part of it, and returns how long to sleep
    /// until the next comes.
    pub(crate) fn sweep(&self, entered: &Entered<'_>) -> Result<Duration> {
        if self.is_read_only {
            // What has come due is moved by those who write, and told by them.
            return Ok(self.look_every());
        }
        let now = self.terms.clock.now();
        let outlook = entered.read(|tx| claim::outlook(tx, &LaneFilter::default(), now))?;
        let dead = self.dead_owners(entered, &outlook, now)?;
        if outlook.is_promising || !dead.is_empty() {
            let seed = id::new_id();
            let swept =
                entered.write(Call::of("sweep"), move |tx, now| sweep::sweep(tx, &dead, seed, now));
            match swept {
                Ok(_) => {}
                // Somebody who may write, or who writes at this moment, will sweep; and who only
                // waits goes on reading when nobody can (P40).
                Err(
                    Error::ReadOnly(_)
                    | Error::Busy(_)
                    | Error::Full(_)
                    | Error::Poisoned
                    | Error::WalLost(_),
                ) => return Ok(self.look_every()),
                Err(error) => return Err(error),
            }
        }
        Ok(self.until_due(&outlook))
    }

    /// Returns how long a waiting claimer may sleep until something comes due by itself.
    fn until_due(&self, outlook: &Outlook) -> Duration {
        let slice = self.look_every();
        if self.terms.clock.is_manual() {
            return slice;
        }
        let now = self.terms.clock.now();
        let due = outlook.next_due_at_ms.map(|at| at - now.wall_ms);
        let lapse = outlook.next_lapse_ms.map(|at| at.saturating_sub(now.lease_ms));
        let next = [due, lapse].into_iter().flatten().min().unwrap_or(i64::MAX);
        Duration::from_millis(next.max(1).cast_unsigned()).min(slice)
    }

    /// Returns how long whoever waits sleeps at most between two looks.
    pub(super) fn look_every(&self) -> Duration {
        Duration::from_millis(self.look_every_ms.load(Ordering::Relaxed))
    }
}

/// What one look of a claimer came to.
enum Look {
    Got(Vec<Arc<Attempt>>),
    Nothing(Outlook),
}
