//! Schedules that fire each so many milliseconds, over a plain map: runs that nobody submits.

use serde_json::{Value, json};

use super::drive::Drive;
use super::oracle::{Filter, Key, NOT_FOUND, OK, Oracle, Said, Submit, said};
use super::world::{TICK_MS, core_claim, plain};

#[derive(Debug, Clone)]
pub struct Schedule {
    spec: Spec,
    anchor: i64,
    seen: i64,
    next: Option<i64>,
    last: Option<(i64, Key)>,
    skipped: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Spec {
    workflow: &'static str,
    queue: &'static str,
    every: i64,
    overlap: &'static str,
    catch_up: &'static str,
    is_paused: bool,
}

/// How late a firing may be that is not made up for.
const GRACE_MS: i64 = 60_000;

impl Schedule {
    pub fn next(&self) -> Option<i64> {
        self.next
    }

    fn after(&self, at: i64) -> i64 {
        let passed = (at - self.anchor).div_euclid(self.spec.every).max(0);
        self.anchor + (passed + 1) * self.spec.every
    }

    fn begin(self, now: i64) -> Schedule {
        let next = (!self.spec.is_paused).then(|| self.after(now));
        Schedule { next, seen: now, ..self }
    }

    /// The firings that are to make a run, oldest first, and up to where all are dealt with then.
    fn due(&self, now: i64) -> (Vec<i64>, i64) {
        let first = self.after(self.seen);
        let all = std::iter::successors(Some(first), |at| Some(at + self.spec.every));
        let all: Vec<i64> = all.take_while(|at| *at <= now).collect();
        let Some(last) = all.last().copied() else { return (all, self.seen) };
        let firings = match self.spec.catch_up {
            "all" => all,
            "none" if now - last > GRACE_MS => Vec::new(),
            _ => vec![last],
        };
        (firings, last)
    }
}

impl Oracle {
    fn schedule_set(&mut self, name: &str, spec: Spec) {
        let now = self.now;
        let fresh = Schedule {
            spec: spec.clone(),
            anchor: now,
            seen: now,
            next: None,
            last: None,
            skipped: 0,
        };
        let set = match self.schedules.remove(name) {
            None => fresh.begin(now),
            Some(old) if old.spec == spec => old,
            Some(old) if old.spec.every != spec.every => {
                Schedule { anchor: now, spec, ..old }.begin(now)
            }
            // What was missed while it was paused is not made up for.
            Some(old) if old.spec.is_paused => Schedule { spec, ..old }.begin(now),
            Some(old) => {
                let next = old.next.filter(|_| !spec.is_paused);
                Schedule { spec, next, ..old }
            }
        };
        self.schedules.insert(name.into(), set);
    }

    /// Fires what is due. The ids of the runs are the core's: they are named afterwards.
    pub fn sweep_schedules(&mut self) {
        let mut due: Vec<(i64, String)> = self
            .schedules
            .iter()
            .filter_map(|(name, schedule)| Some((schedule.next?, name.clone())))
            .filter(|(at, _)| *at <= self.now)
            .collect();
        due.sort_unstable();
        due.into_iter().for_each(|(_, name)| self.fire(&name));
    }

    fn fire(&mut self, name: &str) {
        let schedule = self.schedules[name].clone();
        let (firings, seen) = schedule.due(self.now);
        let is_open = schedule.last.is_some_and(|(_, run)| !self.runs[run].state.is_ended());
        let made = match schedule.spec.overlap {
            "skip" => usize::from(!is_open && !firings.is_empty()),
            _ => firings.len(),
        };
        for at in &firings[..made] {
            self.make_run(name, &schedule.spec, *at);
        }
        let schedule = self.schedules.get_mut(name).expect("it is there");
        schedule.skipped += (firings.len() - made) as i64;
        (schedule.seen, schedule.next) = (seen, Some(schedule.after(seen)));
    }

    fn make_run(&mut self, name: &str, spec: &Spec, at: i64) {
        let key = self.runs.len();
        let metadata = json!({"schedule": name, "scheduled_at_ms": at}).to_string();
        let submit = Submit {
            workflow: spec.workflow.into(),
            args: Some("7".into()),
            run_at: at,
            metadata: Some(metadata.clone()),
            ..Submit::default()
        };
        let run = self.new_run(&submit, spec.queue.into(), None, &metadata);
        self.add(run);
        self.unnamed.push(key);
        self.schedules.get_mut(name).expect("it is there").last = Some((at, key));
    }

    fn schedule_list(&self) -> Value {
        let shown = |(name, schedule): (&String, &Schedule)| {
            let spec = &schedule.spec;
            json!({"name": name, "workflow": spec.workflow, "args": 7, "queue": spec.queue,
                "cron": null, "every_ms": spec.every, "timezone": "UTC", "overlap": spec.overlap,
                "catch_up": spec.catch_up, "paused": spec.is_paused, "next_at_ms": schedule.next,
                "last_at_ms": schedule.last.map(|(at, _)| at),
                "last_run_id": schedule.last.map(|(_, run)| self.runs[run].id.clone()),
                "skipped": schedule.skipped, "error": null})
        };
        self.schedules.iter().map(shown).collect()
    }
}

impl Drive {
    /// Gives the runs that schedules have made the ids that they have in the core.
    pub fn name_runs(&mut self) {
        for key in std::mem::take(&mut self.oracle.unnamed) {
            let metadata = self.oracle.runs[key].submit.metadata.clone().expect("it was made so");
            let filter = format!("{{\"metadata\":{metadata}}}");
            let found = self.world.store().run_list(Some(&filter), None, 9).unwrap();
            let found: Value = serde_json::from_str(&found).unwrap();
            let known = |id: &str| self.oracle.runs.iter().any(|run| run.id == id);
            let ids = found["items"].as_array().unwrap().iter().map(|item| item["run_id"].as_str());
            let new: Vec<&str> = ids.flatten().filter(|id| !known(id)).collect();
            match new[..] {
                [id] => self.oracle.runs[key].id = id.to_owned(),
                _ => self.refuse(&format!("a firing of {metadata} made the runs {new:?}")),
            }
        }
    }

    /// Lets the core fire what has fired in the model.
    pub fn fire_schedules(&mut self, at: usize) {
        if !self.oracle.unnamed.is_empty() {
            let nobody = Filter { queue: "nobody".into(), lease_ms: 20_500, ..Filter::default() };
            assert!(self.world.handles[at].store.claim(core_claim(&nobody)).unwrap().is_none());
            self.name_runs();
        }
    }

    pub fn schedule_set(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep_both(at);
        let name = self.pick(&["nightly", "often"]);
        let spec = Spec {
            workflow: self.pick(&["a", "b"]),
            queue: self.pick(&["default", "q"]),
            every: self.pick(&[3 * TICK_MS, 20 * TICK_MS, 150 * TICK_MS]),
            overlap: self.pick(&["skip", "skip", "skip", "queue"]),
            catch_up: self.pick(&["last", "none", "last"]),
            is_paused: self.draws.below(5) == 0,
        };
        let text = json!({"workflow": spec.workflow, "args": 7, "queue": spec.queue,
            "every_ms": spec.every, "overlap": spec.overlap, "catch_up": spec.catch_up,
            "paused": spec.is_paused})
        .to_string();
        self.note(format!("schedule {name}: {text}"));
        let core = plain(self.world.handles[at].store.schedule_set(name, &text));
        self.oracle.schedule_set(name, spec);
        self.compare_schedules();
        Some((core, said(OK)))
    }

    pub fn schedule_delete(&mut self) -> Option<(Said, Said)> {
        let (at, name) = (self.some_handle(), self.pick(&["nightly", "often"]));
        self.note(format!("delete schedule {name}"));
        let core = plain(self.world.handles[at].store.schedule_delete(name));
        let was_there = self.oracle.schedules.remove(name).is_some();
        self.compare_schedules();
        Some((core, said(if was_there { OK } else { NOT_FOUND })))
    }

    pub fn compare_schedules(&mut self) {
        let core = self.world.store().schedule_list().unwrap();
        let core: Value = serde_json::from_str(&core).unwrap();
        let model = self.oracle.schedule_list();
        if core != model {
            self.refuse(&format!("schedules are\n{core}\nin the core, in the model\n{model}"));
        }
    }
}
