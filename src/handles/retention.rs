//! The calls that take away what has ended.

use crate::domain::list::filter::Asked;
use crate::domain::port::Order;
use crate::domain::retention::{self, Meant, Next, Policy, Pruned};
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

    /// Sets which ended runs go by themselves.
    pub fn retention_set(&self, policy: Option<&str>) -> Result<()> {
        let (call, policy) = (Call::of("sw_retention_set"), Policy::read(policy)?);
        self.enter()?.write(call, move |tx, now| retention::set(tx, &policy, now))
    }

    /// Returns which ended runs go by themselves.
    pub fn retention(&self) -> Result<String> {
        self.enter()?.read(retention::get)
    }

    fn prune_meant(&self, entered: &Entered<'_>, asked: &Asked, limit: u32) -> Result<Pruned> {
        let mut pruned = Pruned::default();
        while entered.read(retention::has_begun)? {
            if pruned.runs >= limit {
                return Ok(pruned.cut());
            }
            pruned = self.prune_part(entered, None, pruned, limit)?;
        }
        let meant = match entered.read(|tx| retention::meant(tx, asked)) {
            // The run that the filter names was in a tree that a call before this one took away.
            Err(Error::NotFound(_)) if pruned.runs > 0 => return Ok(pruned),
            meant => meant?,
        };
        loop {
            match entered.read(|tx| retention::next(tx, &meant, pruned))? {
                Next::Through(pruned) => return Ok(pruned),
                Next::NoneUpTo(looked) => pruned = looked,
                Next::Part if pruned.runs >= limit => return Ok(pruned.cut()),
                Next::Part => pruned = self.prune_part(entered, Some(&meant), pruned, limit)?,
            }
            self.check_open()?;
        }
    }

    fn prune_part(
        &self,
        entered: &Entered<'_>,
        meant: Option<&Meant>,
        so_far: Pruned,
        limit: u32,
    ) -> Result<Pruned> {
        self.check_open()?;
        let meant = meant.cloned();
        entered.write(Call::of("sw_store_prune"), move |tx, _| {
            retention::prune_on(tx, meant.as_ref(), so_far, limit)
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::submit::Submit;
    use crate::handles::store::StoreOptions;

    /// Somebody calls it every minute, and mostly nothing has ended for long enough.
    #[test]
    fn a_prune_that_finds_nothing_does_not_write() {
        let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
        store.init().unwrap();
        let writes = || -> u64 {
            let facts = store.enter().unwrap().backend().unwrap().writer_facts().unwrap();
            let of_prunes = facts.calls.iter().filter(|call| call.name == "sw_store_prune");
            of_prunes.map(|call| call.writes).sum()
        };
        let submit = || store.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
        let none = r#"{"runs":0,"trees":0,"bytes":0,"more":false}"#;
        let ended = submit().run_id;
        assert_eq!(store.prune(None, 0).unwrap(), none);
        assert_eq!(writes(), 0);
        store.cancel(&ended, None).unwrap();
        assert_eq!(store.prune(Some(r#"{"state":"failed"}"#), 0).unwrap(), none);
        assert!(store.prune(None, 0).unwrap().starts_with(r#"{"runs":1,"trees":1"#));
        assert_eq!(writes(), 1);
        // Its bare row stays while it is the newest, and goes with the first call after.
        assert_eq!(store.prune(None, 0).unwrap(), none);
        assert_eq!(writes(), 1);
        submit();
        assert_eq!(store.prune(None, 0).unwrap(), none);
        assert_eq!(store.prune(None, 0).unwrap(), none);
        assert_eq!(writes(), 2);
    }
}
