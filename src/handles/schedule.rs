//! The calls on a store about schedules.

use crate::domain::schedule::{self, Spec};
use crate::error::Result;
use crate::handles::store::Store;
use crate::storage::Call;

impl Store {
    /// Writes a schedule; the same spec again changes nothing.
    pub fn schedule_set(&self, name: &str, spec: &str) -> Result<()> {
        let (name, spec) = (name.to_owned(), Spec::read(spec)?);
        let entered = self.enter()?;
        // Before the writer's turn: to find that an expression never fires takes a while.
        let now = self.now();
        entered.read(|tx| schedule::check(tx, &spec, now))?;
        entered
            .write(Call::of("sw_schedule_set"), move |tx, now| schedule::set(tx, &name, &spec, now))
    }

    /// Forgets a schedule; its runs go on.
    pub fn schedule_delete(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.enter()?
            .write(Call::of("sw_schedule_delete"), move |tx, _| schedule::delete(tx, &name))
    }

    /// Returns all schedules as JSON.
    pub fn schedule_list(&self) -> Result<String> {
        self.enter()?.read(|tx| schedule::list(tx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::claim::Claim;
    use crate::domain::submit::Submit;
    use crate::handles::store::StoreOptions;

    const HOURLY: &str = r#"{"workflow":"w","every_ms":3600000}"#;

    #[test]
    fn a_wait_for_a_change_ends_when_a_schedule_fires() {
        let options = StoreOptions { manual_clock: true, ..StoreOptions::default() };
        let store = Store::open_in_memory(&options).unwrap();
        store.init().unwrap();
        store.schedule_set("s", HOURLY).unwrap();
        store.advance_clock(3_600_000).unwrap();
        let seen = store.changes().unwrap();
        let changed = store.wait_for_change(seen, 10_000, None).unwrap();
        assert!(changed.is_some_and(|now| now != seen));
        assert!(store.claim(Claim::default()).unwrap().is_some());
    }

    #[test]
    fn a_store_that_only_reads_lists_schedules_and_fires_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new.db");
        let options = StoreOptions { create: true, manual_clock: true, ..StoreOptions::default() };
        let store = Store::open(&path, &options).unwrap();
        store.init().unwrap();
        store.schedule_set("s", HOURLY).unwrap();
        store.advance_clock(3_600_000).unwrap();
        let reader =
            Store::open(&path, &StoreOptions { read_only: true, create: false, ..options })
                .unwrap();
        assert_eq!(reader.schedule_set("s", HOURLY).unwrap_err().code(), -43);
        let elsewhere =
            Submit { workflow: "w".into(), queue: Some("q".into()), ..Submit::default() };
        let run_id = store.submit(elsewhere).unwrap().run_id;
        assert_eq!(reader.run_wait(&run_id, 1, None).unwrap(), None);
        assert!(reader.schedule_list().unwrap().contains("\"last_run_id\":null"));
        assert!(store.claim(Claim::default()).unwrap().is_some());
    }
}
