//! A user's day on one queue: each kind of call once, made again when its answer is one that may pass; and
//! what must be there afterwards, told by a connection that nothing happens to.

use std::cell::RefCell;
use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::FailOptions;
use smolwf::domain::claim::Claim;
use smolwf::domain::event::Read;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::error::{Error, Result};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::Store;
use smolwf::handles::wait::Waited;

/// How often a call is made again before it counts as one that never gets through.
const TRIES: u32 = 20;

/// One day: its queue, and what it was told that may or may not be.
pub struct Day<'day> {
    pub queue: String,
    /// Lets the way be whole again.
    mend: &'day dyn Fn(),
    /// Calls that were answered by an error, and whether that left it open what is stored.
    pub failed: RefCell<Vec<(&'static str, bool, Error)>>,
}

impl Day<'_> {
    pub fn on<'day>(queue: &str, mend: &'day dyn Fn()) -> Day<'day> {
        Day { queue: queue.into(), mend, failed: RefCell::default() }
    }

    /// Makes a call until it is answered otherwise than by what may pass.
    pub fn call<T>(&self, name: &'static str, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        for _ in 0..TRIES {
            match call() {
                Err(error) if error.is_retryable() || matches!(error, Error::CannotOpen { .. }) => {
                    let is_open = error.to_string().contains("may or may not");
                    self.failed.borrow_mut().push((name, is_open, error));
                    (self.mend)();
                }
                answer => return answer,
            }
        }
        panic!("{name} never gets through: {:?}", self.failed.borrow());
    }

    fn made<T>(&self, name: &'static str, call: impl FnMut() -> Result<T>) -> T {
        self.call(name, call).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Ends an attempt. Who was told that its end may or may not be stored may find it ended.
    fn end(&self, name: &'static str, end: impl FnMut() -> Result<()>) {
        match self.call(name, end) {
            Err(Error::LeaseLost(_)) if self.doubts(name) > 0 => {}
            answer => answer.unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }

    /// How often a call left it open what is stored.
    pub fn doubts(&self, name: &str) -> u64 {
        self.failed.borrow().iter().filter(|(of, is_open, _)| *of == name && *is_open).count()
            as u64
    }

    fn work(&self, workflow: &str) -> Submit {
        let queue = Some(self.queue.clone());
        Submit { workflow: workflow.into(), queue, max_tries: 9, ..Submit::default() }
    }

    fn keyed(&self, workflow: &str) -> Submit {
        let idempotency_key = Some(format!("{} {workflow}", self.queue));
        Submit { idempotency_key, ..self.work(workflow) }
    }

    fn claimed(&self, store: &Arc<Store>, workflow: &str) -> Arc<Attempt> {
        let claim = Claim {
            queue: Some(self.queue.clone()),
            workflows: Some(vec![workflow.into()]),
            wait_ms: 30_000,
            // As the workers of the clients claim: nothing but an end gives such a run back.
            lease_ms: u32::MAX,
            ..Claim::default()
        };
        self.made("claim", || store.claim(claim.clone())).unwrap_or_else(|| {
            panic!(
                "{workflow} is claimed by nobody and cannot be claimed: {:?}",
                self.failed.borrow()
            )
        })
    }

    /// Lives it. Every call that returns here was acknowledged.
    pub fn live(&self, store: &Arc<Store>) {
        self.made("submit", || store.submit(self.work("free")));
        let keyed = self.made("submit keyed", || store.submit(self.keyed("keyed"))).run_id;
        let attempt = self.claimed(store, "keyed");
        assert_eq!(attempt.run_id().as_str(), keyed);
        self.steps(&attempt);
        self.end("complete", || attempt.complete(Some("3".into())));
        self.waits(store);
        self.children(store);
        self.ends(store);
    }

    fn steps(&self, attempt: &Arc<Attempt>) {
        let begin = Begin { name: "one".into(), is_tracked: true, ..Begin::default() };
        let begun = self.made("step begin", || attempt.step_begin(begin.clone()));
        let Begun::Run(step) = begun else { panic!("the step is not to be run") };
        self.made("step complete", || step.complete(Some("1".into())));
        self.made("heartbeat", || attempt.heartbeat(0));
        self.made("event keyed", || attempt.event_append("said", Some("1".into()), Some("k")));
        self.made("event", || attempt.event_append("told", Some("2".into()), None));
    }

    fn waits(&self, store: &Arc<Store>) {
        let run = self.made("submit keyed", || store.submit(self.keyed("waits"))).run_id;
        let attempt = self.claimed(store, "waits");
        let waited = self.made("signal await", || attempt.signal_await("s", -1));
        assert_eq!(waited, Waited::NotYet);
        self.end("suspend", || attempt.suspend());
        self.made("signal", || store.signal_send(&run, "s", Some("7".into()), Some("k")));
        let attempt = self.claimed(store, "waits");
        let waited = self.made("signal await", || attempt.signal_await("s", -1));
        assert_eq!(waited, Waited::Ready("7".into()));
        self.end("complete", || attempt.complete(None));
    }

    fn children(&self, store: &Arc<Store>) {
        self.made("submit keyed", || store.submit(self.keyed("parent")));
        let attempt = self.claimed(store, "parent");
        let child = self.made("child", || attempt.child_submit("c", self.work("child"))).run_id;
        let waited = self.made("child await", || attempt.child_await(&child, -1));
        assert_eq!(waited, Waited::NotYet);
        self.end("suspend", || attempt.suspend());
        let of_child = self.claimed(store, "child");
        self.end("complete", || of_child.complete(Some("4".into())));
        let attempt = self.claimed(store, "parent");
        let waited = self.made("child await", || attempt.child_await(&child, -1));
        assert_eq!(waited, Waited::Ready("4".into()));
        self.end("complete", || attempt.complete(None));
    }

    fn ends(&self, store: &Arc<Store>) {
        self.made("submit keyed", || store.submit(self.keyed("fails")));
        let attempt = self.claimed(store, "fails");
        let options = FailOptions { is_terminal: true, ..FailOptions::default() };
        self.end("fail", || attempt.fail(Some("5".into()), options).map(|_| ()));
        let gone = self.made("submit keyed", || store.submit(self.keyed("gone"))).run_id;
        self.made("cancel", || store.cancel(&gone, None));
    }

    /// Looks at what is there, by a store that nothing happens to.
    pub fn judge(&self, store: &Store) {
        let told = format!("{}: {:?}", self.queue, self.failed.borrow());
        let count = |workflow: &str| {
            let filter = format!(r#"{{"queue":"{}","workflow":"{workflow}"}}"#, self.queue);
            store.run_count(Some(&filter), 0).unwrap()
        };
        let free = count("free");
        assert!((1..=1 + self.doubts("submit")).contains(&free), "{free} free runs; {told}");
        for workflow in ["keyed", "waits", "parent", "child", "fails", "gone"] {
            assert_eq!(count(workflow), 1, "{workflow}; {told}");
        }
        let state = |workflow: &str, state: &str, result: Value| {
            let run = self.run(store, workflow);
            assert_eq!(run["state"], state, "{run}; {told}");
            assert_eq!(run["result"], result, "{run}; {told}");
        };
        state("keyed", "completed", 3.into());
        state("waits", "completed", Value::Null);
        state("parent", "completed", Value::Null);
        state("child", "completed", 4.into());
        state("fails", "failed", Value::Null);
        state("gone", "cancelled", Value::Null);
        self.judge_history(store, &told);
    }

    fn judge_history(&self, store: &Store, told: &str) {
        let run_id = self.run(store, "keyed")["run_id"].as_str().unwrap().to_owned();
        let history = store.run_history(&run_id, None, 0).unwrap();
        let steps = history.matches(r#""name":"one""#).count();
        assert_eq!(steps, 1, "{history}; {told}");
        let read = Read { run_id: Some(run_id), ..Read::default() };
        let events = store.event_read(&read).unwrap();
        let of = |kind: &str| events.matches(&format!(r#""type":"{kind}""#)).count() as u64;
        assert_eq!(of("said"), 1, "{events}; {told}");
        assert!((1..=1 + self.doubts("event")).contains(&of("told")), "{events}; {told}");
    }

    fn run(&self, store: &Store, workflow: &str) -> Value {
        let filter = format!(r#"{{"queue":"{}","workflow":"{workflow}"}}"#, self.queue);
        let page: Value =
            serde_json::from_str(&store.run_list(Some(&filter), None, 0).unwrap()).unwrap();
        let run_id = page["items"][0]["run_id"].as_str().unwrap_or_else(|| panic!("{page}"));
        serde_json::from_str(&store.run_get(run_id).unwrap()).unwrap()
    }
}
