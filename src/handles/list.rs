//! The calls on a store that see many runs: pages of them, their number, acts on them.

use crate::domain::list::act::{self, Acted, Action};
use crate::domain::list::filter::Asked;
use crate::domain::list::{self, Counted};
use crate::domain::metadata;
use crate::domain::port::RunKey;
use crate::error::Result;
use crate::handles::entered::Entered;
use crate::handles::store::Store;
use crate::storage::Call;

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
        let call = Call::of("sw_run_annotate").of_bytes(patch.len());
        let entered = self.enter()?;
        entered.write(call, move |tx, _| metadata::annotate(tx, &run_id, &patch))
    }

    /// Does to up to `limit` runs that a filter means what the call on one does, in one commit, and tells
    /// what came of it; or, as the filter asks, what would.
    pub fn act_many(&self, action: &str, filter: Option<&str>, limit: u32) -> Result<String> {
        let (action, asked) = (Action::read(action)?, Asked::read(filter)?);
        let entered = self.enter()?;
        let mut after = None;
        loop {
            let acted = self.act_behind(&entered, (action, &asked), (after, limit))?;
            match acted {
                Acted::Told(document) => return Ok(document),
                Acted::CancelsFirst => self.bring_cancels_down(&entered)?,
                // Where nothing says where such runs are, a call that found none comes to an end all
                // the same: it looks on, part by part.
                Acted::NoneUpTo(run_key) => after = Some(run_key),
            }
            self.check_open()?;
        }
    }

    fn act_behind(
        &self,
        entered: &Entered<'_>,
        (action, asked): (Action, &Asked),
        (after, limit): (Option<RunKey>, u32),
    ) -> Result<Acted> {
        if asked.is_dry_run {
            return entered.read(|tx| act::rehearse(tx, action, asked, after, limit));
        }
        let asked = asked.clone();
        let acted = entered.write(Call::of("sw_run_act_many"), move |tx, now| {
            act::act_many(tx, action, &asked, (after, limit), now)
        })?;
        if action == Action::Cancel && matches!(acted, Acted::Told(_)) {
            // As for one run: stored it is, and what is not reached here the sweeps reach.
            let _ = self.bring_cancels_down(entered);
        }
        Ok(acted)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::claim::Claim;
    use crate::domain::submit::Submit;
    use crate::handles::store::StoreOptions;
    use crate::limits::LIST_LOOKS_MAX;

    #[test]
    fn an_act_looks_on_where_no_index_says_which_runs_are_meant() {
        let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
        store.init().unwrap();
        let submit = || Submit { workflow: "w".into(), ..Submit::default() };
        store.submit_many(vec![submit()]).unwrap();
        let claim = Claim { worker: Some("it".into()), ..Claim::default() };
        let _attempt = store.claim(claim).unwrap().unwrap();
        for _ in 0..=LIST_LOOKS_MAX / 10_000 {
            store.submit_many((0..10_000).map(|_| submit()).collect()).unwrap();
        }
        let act = |filter| -> Value {
            serde_json::from_str(&store.act_many("pause", Some(filter), 0).unwrap()).unwrap()
        };
        let none = json!({"matched": 0, "done": 0, "refused": [], "more": false});
        assert_eq!(act(r#"{"worker":"another"}"#), none);
        assert_eq!(act(r#"{"worker":"another","dry_run":true}"#), none);
        let one = json!({"matched": 1, "done": 1, "refused": [], "more": false});
        assert_eq!(act(r#"{"worker":"it"}"#), one);
    }
}
