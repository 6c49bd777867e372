//! Looks at a store as a whole, waits from outside, watches, and what needs no run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::door::beside::{Fired, Watch, code_name, json_quote, new_id, version};
use super::door::{Attempt as CoreAttempt, Step as CoreStep};
use super::drive::Drive;
use super::oracle::{
    CLOSED, Key, NONE, NOT_FOUND, OK, Oracle, Run, Said, State, Submit, TIMEOUT, said,
};
use super::schedule::Schedule;
use super::world::{core_submit, open, text};
use crate::support::PATIENCE;

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a document is JSON")
}

impl Oracle {
    /// When time moves a run or a schedule next.
    fn moves_next(&self) -> Option<i64> {
        let of_run = |run: &Run| {
            let deadline = run.deadline.filter(|_| !run.is_timed_out);
            let lapse = run.lease.as_ref().map(|lease| lease.until).filter(|at| *at != i64::MAX);
            [run.wake, deadline, lapse]
        };
        let open = self.runs.iter().filter(|run| !run.state.is_ended());
        let rooms = self.budgets.values().flat_map(|budget| budget.units.values());
        let rooms = rooms.filter_map(|unit| unit.wake);
        let schedules = self.schedules.values().filter_map(Schedule::next);
        open.flat_map(of_run).flatten().chain(rooms).chain(schedules).min()
    }

    fn count(&self, is_counted: impl Fn(&Run) -> bool) -> u64 {
        self.runs.iter().filter(|run| !run.is_gone && is_counted(run)).count() as u64
    }
}

impl Drive {
    fn differ(&self, what: &str, core: &Value, model: &Value) {
        if core != model {
            self.refuse(&format!("{what}: {core} in the core, {model} in the model"));
        }
    }

    /// What the store tells of itself is what the runs come to.
    pub fn look_around(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        let store = &self.world.handles[at].store;
        let (stats, queues) =
            (parsed(&store.stats().unwrap()), parsed(&store.queue_list().unwrap()));
        let (owners, policy) =
            (parsed(&store.owner_list().unwrap()), store.retention_get().unwrap());
        let states = [State::Pending, State::Running, State::Waiting, State::Paused];
        for state in states.into_iter().chain([State::Failed, State::Cancelled]) {
            let model = self.oracle.count(|run| run.state == state);
            self.differ(state.name(), &stats["runs"][state.name()], &model.into());
        }
        self.differ("queues", &queues, &stats["queues"]);
        for queue in queues.as_array().unwrap() {
            self.look_at_queue(queue);
        }
        self.differ("owners", &owners, &stats["owners"]);
        let model = self.oracle.owners.len();
        self.differ("owners", &owners.as_array().unwrap().len().into(), &model.into());
        for (owner, handle) in owners.as_array().unwrap().iter().zip(&self.oracle.owners) {
            let is_its =
                |run: &Run| run.lease.as_ref().is_some_and(|lease| lease.handle == *handle);
            self.differ("runs of an owner", &owner["running"], &self.oracle.count(is_its).into());
            let is_alive = self.oracle.handles.contains(handle);
            self.differ("an owner that lives", &owner["alive"], &is_alive.into());
        }
        assert_eq!(policy, "{}", "no policy is set");
        None
    }

    fn look_at_queue(&self, queue: &Value) {
        let name = queue["queue"].as_str().unwrap();
        let of = |state: State| self.oracle.count(|run| run.queue == name && run.state == state);
        self.differ("runs that run", &queue["running"], &of(State::Running).into());
        self.differ("runs that wait", &queue["waiting"], &of(State::Waiting).into());
        let pending = ["ready", "delayed", "blocked"].map(|part| queue[part].as_u64().unwrap());
        let pending: u64 = pending.iter().sum();
        self.differ("pending runs of a queue", &pending.into(), &of(State::Pending).into());
        let limits = self.oracle.queues.get(name).copied().unwrap_or_default();
        let told = json!([queue["concurrency"], queue["concurrency_per_key"], queue["paused"]]);
        let model = json!([limits.concurrency, limits.per_key, limits.is_paused]);
        self.differ("limits of a queue", &told, &model);
    }

    /// Whoever waits hears of a run that may be claimed: by the count, and by a descriptor.
    pub fn hear(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep_both(at);
        let store = self.world.handles[at].store.clone();
        let mut watch = (self.draws.below(3) == 0).then(|| Watch::open(&store).unwrap());
        let seen = match &watch {
            Some(watch) => watch.drain().unwrap(),
            None => store.wait(0, 0).unwrap().1,
        };
        let answers = self.submit()?;
        if answers.1.0 != OK {
            return Some(answers);
        }
        let (is_other, now) = store.wait(seen, 0).unwrap();
        if !is_other || now == seen {
            self.refuse("nobody is told of a run that was submitted");
        }
        if let Some(watch) = &mut watch {
            let patience = Instant::now() + PATIENCE;
            while !watch.is_readable() {
                assert!(Instant::now() < patience, "a watch does not tell of a run");
                // Its thread tells of it; nothing is measured by this.
                std::thread::sleep(Duration::from_micros(200));
            }
            assert_ne!(watch.drain().unwrap(), seen);
        }
        Some(answers)
    }

    /// Waits for the end of a run: it has come, or the look ends without.
    pub fn run_wait(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep_both(at);
        let key = self.some_run()?;
        let run = &self.oracle.runs[key];
        let (id, has_ended) = (run.id.clone(), run.state.is_ended());
        let stop = (self.draws.below(2) == 0).then(Fired::new);
        self.note(format!("wait for run {key}"));
        let store = &self.world.handles[at].store;
        if let Some(stop) = &stop {
            assert!(store.claim_stopped("nobody", stop).unwrap());
        }
        let model = match self.oracle.runs[key].is_gone {
            true => said(NOT_FOUND),
            false => said(if has_ended { OK } else { TIMEOUT }),
        };
        let core = match store.run_wait(&id, stop.as_ref()) {
            Err(error) => said(error.code()),
            Ok(None) => said(TIMEOUT),
            Ok(Some(told)) => {
                assert_eq!(text(&told), text(&store.run_get(&id).unwrap()));
                said(OK)
            }
        };
        Some((core, model))
    }

    /// A handle that is shut down answers so, and the others go on.
    pub fn shut_down(&mut self) -> Option<(Said, Said)> {
        let store = open(self.world.path());
        store.shutdown();
        let submit = Submit { workflow: "a".into(), ..Submit::default() };
        let answers = [
            store.stats().err().map(|error| error.code()),
            store.submit(core_submit(&submit)).err().map(|error| error.code()),
            store.wait(0, -1).err().map(|error| error.code()),
        ];
        store.close();
        let code = answers.iter().all(|code| *code == Some(CLOSED));
        Some((said(if code { CLOSED } else { OK }), said(CLOSED)))
    }

    /// What is always the same, whatever was done.
    pub fn ask_host(&mut self) -> Option<(Said, Said)> {
        let (at, told) = (self.some_handle(), self.pick_text());
        let store = &self.world.handles[at].store;
        assert_eq!(parsed(&json_quote(&told)), Value::from(told));
        let (one, other) = (new_id("run"), new_id("run"));
        assert!(one.starts_with("run_") && one != other, "{one} {other}");
        let (version, number, info, fits) = version();
        assert!(!version.is_empty() && !info.is_empty() && number > 0);
        assert!(fits[0] == 0 && fits[1] < 0, "{fits:?}");
        assert_eq!(code_name(OK), Some("SW_OK"));
        let store_path = store.path();
        assert_eq!(store_path.is_some(), !self.world.is_in_memory());
        let (current, newest) = store.schema_version().unwrap();
        let migrations = parsed(&store.migrations().unwrap());
        assert_eq!((current, migrations.as_array().unwrap().len() as i64), (newest, newest));
        assert_eq!((store.init().unwrap(), store.migrate(newest).unwrap()), (0, 0));
        // It would strike after more commits than a walk makes, and is taken back.
        store.kill_at(1_000_000, 1).and_then(|()| store.kill_at(0, 1)).unwrap();
        assert_eq!(store.kill_at(-1, 1).err().map(|error| error.code()), Some(-2));
        let older = store.migrate(newest - 1).err().map(|error| error.code());
        Some((said(older.unwrap_or(OK)), said(-27)))
    }

    /// Moves the clock to the moment at which time moves something next.
    pub fn advance_to_due(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep_both(at);
        self.note("advance to what comes due".into());
        let store = self.world.handles[at].store.clone();
        let core = store.advance_to_due().unwrap();
        let model = self.oracle.moves_next();
        if let Some(due) = model {
            // A lease ends by the time awake, which may be a millisecond off.
            let now = store.now_ms();
            if now.abs_diff(due.max(self.oracle.now)) > 5 {
                self.refuse(&format!(
                    "the clock stands at {now}, in the model something is due at {due}"
                ));
            }
            self.world.meet(now, &mut self.oracle);
            self.compare_held();
        }
        Some((said(if core { OK } else { NONE }), said(if model.is_some() { OK } else { NONE })))
    }

    fn pick_text(&mut self) -> String {
        self.pick(&["plain", "with \"quotes\"\n", "\u{1f600} and \u{7}", ""]).to_owned()
    }

    /// What the handle of an attempt that was just claimed says of it.
    pub fn compare_claimed(&self, core: &CoreAttempt, run: Key) {
        let run = &self.oracle.runs[run];
        let told = (core.code_version(), core.metadata().map(parsed));
        let metadata = run.submit.metadata.as_deref().map(parsed);
        if told != (run.submit.version.as_deref(), metadata) {
            self.refuse(&format!("the attempt says {told:?} of {:?}", run.submit));
        }
        let history = self.world.store().run_history(&run.id, None, 0).unwrap();
        let attempts = parsed(&history)["attempts"].take();
        let newest = attempts.as_array().unwrap().last().map(|last| last["attempt_id"].clone());
        assert_eq!(newest, Some(core.id().into()), "an attempt has one id");
    }

    /// A step that was completed has the id and the name that its handle had.
    pub fn compare_step(&self, core: &CoreStep, run: Key) {
        let history = self.world.store().run_history(&self.oracle.runs[run].id, None, 0).unwrap();
        let steps = parsed(&history)["steps"].take();
        let is_it = |step: &&Value| step["step_id"] == core.id();
        let step = steps.as_array().unwrap().iter().find(is_it);
        let named = step.map(|step| (step["name"].as_str(), step["occurrence"].as_u64()));
        let wanted = Some((Some(core.name()), Some(core.occurrence().into())));
        if named != wanted {
            self.refuse(&format!("the history has {named:?} of the step {wanted:?}"));
        }
    }
}
