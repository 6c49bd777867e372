//! The calls on a store that see many runs: pages of them, their number, acts on them.

use crate::domain::list::act::{self, Action};
use crate::domain::list::filter::Asked;
use crate::domain::list::{self, Counted};
use crate::domain::{Durability, metadata};
use crate::error::Result;
use crate::handles::store::Store;

impl Store {
    /// Returns a page of the runs that a filter means.
    pub fn run_list(
        &self,
        filter: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<String> {
        let asked = Asked::read(filter)?;
        self.enter()?.read(|tx| list::list(tx, &asked, cursor, limit))
    }

    /// Returns how many runs a filter means, `at_most` if there are more. Counts part by part, so that no
    /// long read holds up the log, and a shutdown ends it.
    pub fn run_count(&self, filter: Option<&str>, at_most: u64) -> Result<u64> {
        let asked = Asked::read(filter)?;
        let at_most = list::count_max(at_most)?;
        let entered = self.enter()?;
        let filter = entered.read(|tx| list::count_begin(tx, &asked))?;
        let mut counted = Counted::default();
        loop {
            counted = entered.read(|tx| list::count_on(tx, (&asked, &filter), counted, at_most))?;
            if counted.after.is_none() {
                return Ok(counted.count);
            }
            self.check_open()?;
        }
    }

    /// Changes a run's metadata by a merge patch.
    pub fn annotate(&self, run_id: &str, patch: &str) -> Result<()> {
        let (run_id, patch) = (run_id.to_owned(), patch.to_owned());
        let (entered, bytes) = (self.enter()?, patch.len());
        entered
            .write(Durability::Inherit, bytes, move |tx, _| metadata::annotate(tx, &run_id, &patch))
    }

    /// Does to up to `limit` runs that a filter means what the call on one does, in one commit, and tells
    /// what came of it; or, as the filter asks, what would.
    pub fn act_many(&self, action: &str, filter: Option<&str>, limit: u32) -> Result<String> {
        let (action, asked) = (Action::read(action)?, Asked::read(filter)?);
        let entered = self.enter()?;
        if asked.is_dry_run {
            return entered.read(|tx| act::rehearse(tx, action, &asked, limit));
        }
        loop {
            let asked = asked.clone();
            let acted = entered.write(Durability::Inherit, 0, move |tx, now| {
                act::act_many(tx, action, &asked, limit, now)
            })?;
            let Some(document) = acted else {
                self.bring_cancels_down(&entered)?;
                continue;
            };
            if action == Action::Cancel {
                // As for one run: stored it is, and what is not reached here the sweeps reach.
                let _ = self.bring_cancels_down(&entered);
            }
            return Ok(document);
        }
    }
}
