//! Looking at a store as a whole.

use crate::domain::port::Owner;
use crate::domain::{explain, stats};
use crate::error::Result;
use crate::handles::store::Store;

impl Store {
    /// Returns what there is to be told of the store as a whole.
    pub fn stats(&self) -> Result<String> {
        let entered = self.enter()?;
        let writer = entered.backend()?.writer_facts();
        let now = self.now();
        let life = |owner: &Owner| entered.backend()?.owner_life(owner.id);
        entered.read(|tx| stats::stats(tx, &life, writer.as_ref(), now))
    }

    /// Returns the queues that have runs or were set.
    pub fn queue_list(&self) -> Result<String> {
        self.enter()?.read(|tx| stats::queue_list(tx))
    }

    /// Returns the handles that claim, or have claimed and are not forgotten yet.
    pub fn owner_list(&self) -> Result<String> {
        let entered = self.enter()?;
        let life = |owner: &Owner| entered.backend()?.owner_life(owner.id);
        entered.read(|tx| stats::owner_list(tx, &life))
    }

    /// Returns why a run does not move.
    pub fn run_explain(&self, run_id: &str) -> Result<String> {
        let entered = self.enter()?;
        let now = self.now();
        let life = |owner: &Owner| entered.backend()?.owner_life(owner.id);
        entered.read(|tx| explain::explain(tx, run_id, &life, now))
    }
}
