//! The calls that take away what has ended.

use crate::domain::list::filter::Asked;
use crate::domain::port::{Freed, Order};
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

    /// Gives up to so many pages that hold nothing back to the file system, part by part, and tells what came
    /// of it.
    pub fn compact(&self, pages_max: u32) -> Result<String> {
        let limit = retention::compact_len(pages_max)?;
        let entered = self.enter()?;
        let mut freed = Freed::default();
        loop {
            let before = freed;
            let call = Call::of("sw_store_compact");
            freed = entered.write(call, move |tx, _| retention::compact_on(tx, before, limit))?;
            if freed.pages == before.pages || freed.pages >= limit || freed.left == 0 {
                break;
            }
            self.check_open()?;
        }
        // What is free of the log's pages shortens the file once they are moved into it.
        entered.backend()?.settle();
        retention::compacted(freed)
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
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::domain::claim::Claim;
    use crate::domain::submit::Submit;
    use crate::handles::store::StoreOptions;
    use crate::text::noise;

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

    fn opened(path: &Path) -> Arc<Store> {
        let store = Store::open(path, &StoreOptions { create: true, ..StoreOptions::default() });
        let store = store.unwrap();
        store.init().unwrap();
        store
    }

    /// Fills a store with runs that have ended, and takes them away: what was theirs is free.
    fn leave_room(store: &Store) {
        for _ in 0..100 {
            let args = Some(noise(6_000));
            let run = Submit { workflow: "w".into(), args, ..Submit::default() };
            store.cancel(&store.submit(run).unwrap().run_id, None).unwrap();
        }
        store.prune(None, 0).unwrap();
    }

    fn compacted(store: &Store, pages_max: u32) -> (u64, u64) {
        let told: serde_json::Value =
            serde_json::from_str(&store.compact(pages_max).unwrap()).unwrap();
        (told["freed_pages"].as_u64().unwrap(), told["left_pages"].as_u64().unwrap())
    }

    fn free(store: &Store) -> u64 {
        let stats: serde_json::Value = serde_json::from_str(&store.stats().unwrap()).unwrap();
        stats["file"]["free_bytes"].as_u64().unwrap() / 4_096
    }

    #[test]
    fn a_file_is_smaller_by_what_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let store = opened(&path);
        leave_room(&store);
        let size = || std::fs::metadata(&path).unwrap().len();
        let room = free(&store);
        assert!(room > 150, "{room}");
        let (freed, left) = compacted(&store, 10);
        assert!((10..13).contains(&freed) && left < room, "{freed} {left}");
        let before = size();
        let (freed, left) = compacted(&store, 0);
        assert_eq!((left, free(&store)), (0, 0));
        assert_eq!(size(), before - freed * 4_096);
        assert_eq!(compacted(&store, 1_000_000), (0, 0));
        assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
        leave_room(&store);
        store.backup(&folder.path().join("copy")).unwrap();
        let copy = opened(&folder.path().join("copy"));
        assert!(compacted(&copy, 0).0 > 100, "a copy can be made smaller as well");
    }

    /// It waits for none: the room is the file's until the reader goes.
    #[test]
    fn a_reader_keeps_the_size_of_a_file_and_holds_no_compact_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let store = opened(&path);
        leave_room(&store);
        assert_eq!(compacted(&store, 1).1, free(&store));
        let size = || std::fs::metadata(&path).unwrap().len();
        let before = size();
        let reader = rusqlite::Connection::open(&path).unwrap();
        let count = || -> i64 {
            reader.query_row("SELECT count(*) FROM sw_store", [], |row| row.get(0)).unwrap()
        };
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(count(), 1);
        let (freed, left) = compacted(&store, 0);
        assert!(freed > 100 && left == 0, "{freed} {left}");
        assert_eq!(size(), before);
        assert_eq!(count(), 1);
        reader.execute_batch("COMMIT").unwrap();
        assert_eq!(compacted(&store, 0), (0, 0));
        assert_eq!(size(), before - freed * 4_096);
    }

    #[test]
    fn a_file_that_was_made_without_it_says_how_it_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let other = |sql: &str| {
            let conn = rusqlite::Connection::open(&path).unwrap();
            conn.execute_batch(sql).unwrap();
        };
        other("CREATE TABLE of_the_host (id INTEGER PRIMARY KEY)");
        let store = opened(&path);
        leave_room(&store);
        let refused = store.compact(0).unwrap_err();
        assert_eq!(refused.code(), -6);
        let (_, advice) =
            refused.to_string().split_once("run ").map(|(_, it)| ((), it.to_owned())).unwrap();
        let (pragma, _) = advice.split_once(" and VACUUM").unwrap();
        store.close();
        other(&format!("{pragma}; VACUUM"));
        let store = opened(&path);
        leave_room(&store);
        assert!(compacted(&store, 0).0 > 100);
        assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    }

    #[test]
    fn a_store_in_memory_gives_its_room_back() {
        let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
        store.init().unwrap();
        leave_room(&store);
        assert!(compacted(&store, 0).0 > 100);
        assert_eq!(free(&store), 0);
    }

    /// Counted in pages: how fast it goes `make bench ROWS=retention` says.
    #[test]
    fn a_file_whose_runs_go_by_themselves_does_not_grow() {
        let options = StoreOptions { manual_clock: true, ..StoreOptions::default() };
        let store = Store::open_in_memory(&options).unwrap();
        store.init().unwrap();
        store.retention_set(Some(r#"{"completed_ms":10000}"#)).unwrap();
        let mut pages = Vec::new();
        for _ in 0..60 {
            for _ in 0..20 {
                let run = Submit { workflow: "w".into(), ..Submit::default() };
                store.submit(run).unwrap();
                let attempt = store.claim(Claim::default()).unwrap().unwrap();
                attempt.complete(Some(format!("\"{}\"", "x".repeat(500)))).unwrap();
            }
            store.advance_clock(1_000).unwrap();
            let stats: serde_json::Value = serde_json::from_str(&store.stats().unwrap()).unwrap();
            pages.push(stats["file"]["pages"].as_u64().unwrap());
        }
        let (early, late) = (pages[14], pages[59]);
        assert!(late <= early + early / 10, "{pages:?}");
        let kept = store.run_count(None, 0).unwrap();
        // Those of ten seconds, and of the look that is to come.
        assert!((200..=280).contains(&kept), "{kept}");
        assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    }
}
