//! The calls that take away what has ended.

use crate::domain::list::filter::Asked;
use crate::domain::port::Order;
use crate::domain::retention::{self, Meant, Pruned};
use crate::error::{Error, Result};
use crate::handles::entered::Entered;
use crate::handles::store::Store;
use crate::storage::Call;

impl Store {
    /// Removes ended trees that a filter means, up to `limit` runs, and tells what came of it; or, as the
    /// filter asks, what would. Part by part, so that no long write holds up others.
    pub fn prune(&self, filter: Option<&str>, limit: u32) -> Result<String> {
        let asked = Asked::read_in(filter, Order::Oldest)?;
        let limit = retention::prune_len(limit)?;
        let entered = self.enter()?;
        let pruned = if asked.is_dry_run {
            self.rehearse_prune(&entered, &asked, limit)?
        } else {
            self.prune_meant(&entered, &asked, limit)?
        };
        retention::told(&pruned)
    }

    fn prune_meant(&self, entered: &Entered<'_>, asked: &Asked, limit: u32) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        if entered.read(retention::has_begun)? {
            pruned = self.prune_parts(entered, None, pruned, limit)?;
            if !pruned.is_through {
                return Ok(pruned);
            }
        }
        let meant = match entered.read(|tx| retention::meant(tx, asked)) {
            // The run that the filter names was in a tree that a call before this one took away.
            Err(Error::NotFound(_)) if pruned.runs > 0 => return Ok(pruned),
            meant => meant?,
        };
        self.prune_parts(entered, Some(meant), pruned, limit)
    }

    fn prune_parts(
        &self,
        entered: &Entered<'_>,
        meant: Option<Meant>,
        mut pruned: Pruned,
        limit: u32,
    ) -> Result<Pruned> {
        loop {
            self.check_open()?;
            let (meant, so_far) = (meant.clone(), pruned);
            pruned = entered.write(Call::of("sw_store_prune"), move |tx, _| {
                retention::prune_on(tx, meant.as_ref(), so_far, limit)
            })?;
            if !pruned.goes_on(limit) {
                return Ok(pruned);
            }
        }
    }

    fn rehearse_prune(&self, entered: &Entered<'_>, asked: &Asked, limit: u32) -> Result<Pruned> {
        let meant = entered.read(|tx| retention::meant(tx, asked))?;
        let mut pruned = Pruned::default();
        while pruned.goes_on(limit) {
            self.check_open()?;
            pruned = entered.read(|tx| retention::rehearse_on(tx, &meant, pruned, limit))?;
        }
        Ok(pruned)
    }
}
