//! What the handles on one store share in this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use super::bells::Bells;
use super::ear::Ear;
use super::known::{Held, Tasks, Trust};
use super::memory::Common;
use super::url::Place;
use crate::domain::port::{Fence, RunKey};
use crate::error::Result;
use crate::lock::Unpoisoned;
use crate::os;
use crate::process::PerProcess;
use crate::storage::Death;
use crate::storage::tally::Tally;

/// The stores that are open in this process.
static STORES: PerProcess<Mutex<HashMap<String, Weak<Shared>>>> = PerProcess::new();

/// Attempts whose hold is remembered at most: those beyond look.
const HELD_MAX: usize = 4096;

/// What the handles on one store share.
pub(super) struct Shared {
    pub(super) common: Arc<Common>,
    pub(super) bells: Bells,
    pub(super) ear: Ear,
    pub(super) tally: Tally,
    /// How much writes take to be so, at most.
    pub(super) trust: Trust,
    /// The number that is locked by whoever writes.
    pub(super) lock: i64,
    death: Mutex<Option<Death>>,
    /// What attempts held when they wrote last.
    held: Mutex<Tasks>,
}

/// Returns what the handles on the store of a URL share.
pub(super) fn of(url: &str, place: &Place) -> Result<Arc<Shared>> {
    let mut stores = STORES.get().lock().unpoisoned();
    stores.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = stores.get(url).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let common = Arc::new(Common::default());
    let hash = blake3::hash(format!("smolwf writes {}", place.schema).as_bytes());
    let mut lock = [0; 8];
    lock.copy_from_slice(&hash.as_bytes()[..8]);
    let shared = Arc::new(Shared {
        ear: Ear::new(place, &common),
        common,
        bells: Bells::new()?,
        tally: Tally::default(),
        trust: place.trust,
        lock: i64::from_le_bytes(lock),
        death: Mutex::default(),
        held: Mutex::default(),
    });
    stores.insert(url.to_owned(), Arc::downgrade(&shared));
    Ok(shared)
}

impl Shared {
    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub(super) fn kill_at(&self, death: Option<Death>) {
        *self.death.lock().unpoisoned() = death;
    }

    /// Dies where a test has asked for that: before the commit that is about to be, or after it.
    pub(super) fn meet_death(&self, is_after: bool) {
        let mut death = self.death.lock().unpoisoned();
        match &mut *death {
            Some(death) if death.commit == 1 && death.is_after == is_after => os::die(),
            Some(death) if is_after => death.commit -= 1,
            Some(_) | None => {}
        }
    }

    /// Returns what these attempts held when they wrote last, of those of which that is remembered.
    pub(super) fn remembered(&self, fences: impl Iterator<Item = Fence>) -> Tasks {
        let held = self.held();
        fences.filter_map(|fence| held.get_key_value(&fence.run_key)).map(owned).collect()
    }

    /// Remembers what attempts hold, as a commit has left it.
    pub(super) fn remember(&self, news: Tasks) {
        let mut held = self.held();
        if held.len() + news.len() > HELD_MAX {
            held.clear();
        }
        for (run_key, mut new) in news {
            // What was told by the claim is told by nobody else.
            new.ends_alone |= held.get(&run_key).is_some_and(|old| old.ends_alone);
            held.insert(run_key, new);
        }
    }

    /// Forgets what is not so, or not any more.
    pub(super) fn forget(&self, untrue: &Tasks) {
        self.held().retain(|run_key, _| !untrue.contains_key(run_key));
    }

    fn held(&self) -> MutexGuard<'_, Tasks> {
        self.held.lock().unpoisoned()
    }
}

fn owned((run_key, held): (&RunKey, &Held)) -> (RunKey, Held) {
    (*run_key, held.clone())
}
