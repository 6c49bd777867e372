//! The calls of attempts and from outside, each drawn and made on both sides.

use super::attempt::{Begin, Begun};
use super::door::{Result, Store};
use super::drive::{Drive, HeldStep};
use super::oracle::{
    FAILED, Key, LEASE_LOST, Limits, NONDETERMINISM, OK, Oracle, REPLAYED, SUSPEND, Said, Space,
    State, Submit, said,
};
use super::waiting::{Ask, Form, Member};
use super::world::{
    TICK_MS, answer, begun, children, core_begin, core_submit, distinct, fail_options, failed,
    plain, waited,
};

impl Drive {
    // -------------------------------------------------------------------- steps

    fn some_begin(&mut self) -> Begin {
        let input = |n: u64| format!("{{\"n\":{n}}}");
        let inputs = [input(1), input(1), input(1), input(2)];
        Begin {
            name: self.pick(&["s0", "s1"]).into(),
            occurrence: self.maybe(6, &[1, 2, 3]).unwrap_or(0),
            input: self.maybe(3, &inputs),
            label: self.maybe(6, &["agent".to_owned()]),
            max_tries: self.maybe(3, &[1, 2]).unwrap_or(0),
            is_tracked: self.draws.below(3) == 0,
            is_cleanup: self.draws.below(6) == 0,
        }
    }

    pub fn begin(&mut self) -> Option<(Said, Said)> {
        let (id, begin) = (self.some_attempt()?, self.some_begin());
        let held = self.held.get_mut(&id).expect("it was drawn");
        let run = held.model.run;
        self.log.push(format!("begin in {id} of run {run}: {begin:?}"));
        let (core, step) = begun(held.core.step_begin(core_begin(&begin)));
        match self.oracle.begin(&mut held.model, &begin) {
            Begun::Said(model) => Some((core, model)),
            Begun::Run(model) => {
                let Some(step) = step else { return Some((core, said(OK))) };
                assert_eq!((step.occurrence(), step.tries()), (model.occurrence, model.tries));
                self.steps.push(HeldStep { core: step, model, attempt: id });
                if begin.is_tracked {
                    self.check_lease(id);
                }
                Some((core, said(OK)))
            }
            Begun::Stale(occurrence) => {
                let record =
                    self.oracle.runs[run].record(Space::Step, &begin.name, occurrence).cloned();
                match core.0 {
                    LEASE_LOST => Some((said(LEASE_LOST), said(LEASE_LOST))),
                    SUSPEND | NONDETERMINISM => None,
                    REPLAYED => {
                        let result = record.and_then(|record| record.result);
                        let model = (REPLAYED, result.unwrap_or_default());
                        held.model.pass(Space::Step, &begin.name, occurrence);
                        Some((core, model))
                    }
                    // A retry may have cleared it since.
                    FAILED => {
                        held.model.pass(Space::Step, &begin.name, occurrence);
                        None
                    }
                    _ => Some((core, said(LEASE_LOST))),
                }
            }
        }
    }

    pub fn complete_step(&mut self) -> Option<(Said, Said)> {
        let at = self.some_step()?;
        let result = if self.draws.below(6) == 0 { "1".into() } else { self.payload() };
        let HeldStep { core, model, attempt } = &mut self.steps[at];
        let held = self.held.get_mut(attempt).expect("a step has its attempt");
        self.log.push(format!("complete {} of attempt {attempt} with {result}", model.name));
        // Confirming what was recorded is no write, and keeps no lease.
        let (id, is_first) = (*attempt, !model.is_finished());
        let core = plain(core.complete(Some(result.clone())));
        let model = self.oracle.complete_step(&mut held.model, model, &result);
        if model.0 == OK && is_first {
            self.check_lease(id);
        }
        if model.0 == OK && self.is_whole {
            self.compare_step(&self.steps[at].core, self.held[&id].model.run);
        }
        self.forget_finished(at);
        Some((core, model))
    }

    /// Most steps are let go of once they are finished; the others are finished again.
    pub fn forget_finished(&mut self, at: usize) {
        if self.steps[at].model.is_finished() && self.draws.below(4) > 0 {
            self.steps.swap_remove(at);
        }
    }

    pub fn fail_step(&mut self) -> Option<(Said, Said)> {
        let at = self.some_step()?;
        let error = if self.draws.below(6) == 0 { "\"e\"".into() } else { self.payload() };
        let (is_terminal, after) = (self.draws.below(4) == 0, self.next_try(2 * TICK_MS));
        let HeldStep { core, model, attempt } = &mut self.steps[at];
        let held = self.held.get_mut(attempt).expect("a step has its attempt");
        self.log.push(format!("fail {} of attempt {attempt}: {is_terminal} {after}", model.name));
        let (core, retry_at) =
            failed(core.fail(Some(error.clone()), fail_options(is_terminal, after)));
        let how = (is_terminal, after, retry_at);
        let model = self.oracle.fail_step(&mut held.model, model, &error, how);
        self.forget_finished(at);
        Some((core, model))
    }

    pub fn free_step(&mut self) -> Option<(Said, Said)> {
        let at = self.some_step()?;
        let HeldStep { core, model, attempt } = self.steps.swap_remove(at);
        self.note(format!("free {} of attempt {attempt}", model.name));
        self.held.get_mut(&attempt).expect("a step has its attempt").model.free(&model);
        drop(core);
        None
    }

    fn free_steps_of(&mut self, id: u64) {
        self.note(format!("free the steps of attempt {id}"));
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.steps.retain(|step| {
            if step.attempt == id {
                held.model.free(&step.model);
            }
            step.attempt != id
        });
    }

    // -------------------------------------------------------------------- waiting

    fn ask(&mut self, id: u64, ask: &Ask) -> Option<(Said, Said)> {
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("ask in {id} of run {}: {ask:?}", held.model.run));
        let core = waited(&held.core, ask);
        let model = self.oracle.ask(&mut held.model, ask);
        Some((core, model))
    }

    fn some_timeout(&mut self) -> i64 {
        self.pick(&[-1, -1, 0, 2 * TICK_MS, 30 * TICK_MS])
    }

    pub fn sleep(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let members = vec![Member::Sleep(self.pick(&[0, TICK_MS, 7 * TICK_MS, 90 * TICK_MS]))];
        let name = self.pick(&["z0", "z1"]).into();
        self.ask(id, &Ask { form: Form::Sleep, name, members, timeout: -1 })
    }

    pub fn signal_await(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let (name, timeout) = (self.pick(&["x", "y"]).to_owned(), self.some_timeout());
        let members = vec![Member::Signal(name.clone())];
        self.ask(id, &Ask { form: Form::Signal, name, members, timeout })
    }

    pub fn child_await(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let children = self.oracle.children(self.held[&id].model.run);
        if children.is_empty() && self.draws.below(10) > 0 {
            return None;
        }
        let child = if children.is_empty() || self.draws.below(30) == 0 {
            self.draws.below(self.oracle.runs.len() as u64) as usize
        } else {
            self.pick(&children)
        };
        let name = self.oracle.runs[child].id.clone();
        let members = vec![Member::Child(name.clone())];
        let timeout = self.some_timeout();
        self.ask(id, &Ask { form: Form::Child, name, members, timeout })
    }

    pub fn await_any(&mut self) -> Option<(Said, Said)> {
        let name = self.pick(&["any", "both"]);
        self.await_several(Form::Any, name)
    }

    pub fn await_all(&mut self) -> Option<(Said, Said)> {
        let name = self.pick(&["all", "all2", "both"]);
        self.await_several(Form::All, name)
    }

    fn await_several(&mut self, form: Form, name: &str) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let run = self.held[&id].model.run;
        let origin = self.origins.get(&run).copied().unwrap_or(run);
        let asked = (origin, name.to_owned());
        if !self.recipes.contains_key(&asked) {
            let members = (0..=self.draws.below(3)).map(|_| self.some_member(run)).collect();
            self.recipes.insert(asked.clone(), members);
        }
        let members = self.recipes[&asked].clone();
        let timeout = self.some_timeout();
        self.ask(id, &Ask { form, name: name.into(), members, timeout })
    }

    fn some_member(&mut self, run: Key) -> Member {
        let children = self.oracle.children(run);
        match self.draws.below(5) {
            0 => Member::Sleep(self.pick(&[TICK_MS, 10 * TICK_MS])),
            1 | 2 if !children.is_empty() => {
                let child = self.pick(&children);
                Member::Child(self.oracle.runs[child].id.clone())
            }
            _ => Member::Signal(self.pick(&["x", "y"]).into()),
        }
    }

    pub fn child_submit(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        if self.is_crowded() {
            return None;
        }
        let count = self.pick(&[1, 1, 1, 2, 3]);
        let items: Vec<(String, Submit)> = (0..count)
            .map(|_| (self.pick(&["c0", "c1"]).to_owned(), self.some_submit(true)))
            .collect();
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("children in {id} of run {}: {items:?}", held.model.run));
        let mut list = items.iter().map(|(name, submit)| (name.clone(), core_submit(submit)));
        let core = if count == 1 {
            let (name, submit) = list.next().expect("there is one");
            children(held.core.child_submit(&name, submit).map(|child| vec![child]))
        } else {
            children(held.core.child_submit_many(list.collect()))
        };
        let ids: Vec<String> = core.1.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(distinct(&ids), ids.len(), "P25");
        let model = self.oracle.submit_children(&mut held.model, &items, &ids);
        Some(((core.0, format!("run_{:?}", core.1)), (model.0, format!("run_{:?}", model.1))))
    }

    // -------------------------------------------------------------------- ends

    pub fn suspend(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        if self.held[&id].model.has_open_step() && self.draws.below(4) > 0 {
            self.free_steps_of(id);
        }
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("suspend {id} of run {}", held.model.run));
        let core = plain(held.core.suspend());
        Some((core, self.oracle.suspend(&mut held.model)))
    }

    pub fn complete(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let result = if self.draws.below(4) == 0 { "1".into() } else { self.payload() };
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("complete {id} of run {} with {result}", held.model.run));
        let core = plain(held.core.complete(Some(result.clone())));
        Some((core, self.oracle.complete(&mut held.model, &result)))
    }

    pub fn fail(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let error = if self.draws.below(4) == 0 { "\"e\"".into() } else { self.payload() };
        let (is_terminal, after) = (self.draws.below(4) == 0, self.next_try(3 * TICK_MS));
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("fail {id} of run {}: {is_terminal} {after}", held.model.run));
        let options = fail_options(is_terminal, after);
        let (core, retry_at) = failed(held.core.fail(Some(error.clone()), options));
        let how = (is_terminal, after, retry_at);
        Some((core, self.oracle.fail(&mut held.model, &error, how)))
    }

    pub fn release(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let delay = self.pick(&[0, 0, 4 * TICK_MS]);
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("release {id} of run {} for {delay}", held.model.run));
        let core = plain(held.core.release(delay));
        Some((core, self.oracle.release(&mut held.model, delay)))
    }

    pub fn heartbeat(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let lease_ms = self.pick(&[0, 0, 2_500, 15_500, u32::MAX]);
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("heartbeat {id} of run {}: {lease_ms}", held.model.run));
        let core = plain(held.core.heartbeat(lease_ms));
        let model = self.oracle.heartbeat(&held.model, lease_ms);
        if model.0 == OK {
            self.check_lease(id);
        }
        Some((core, model))
    }

    pub fn check(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let held = &self.held[&id];
        Some((plain(held.core.check()), self.oracle.check(&held.model)))
    }

    // -------------------------------------------------------------------- from outside

    pub fn signal_send(&mut self) -> Option<(Said, Said)> {
        let (key, at) = (self.some_run()?, self.some_handle());
        let (name, payload) = (self.pick(&["x", "y"]), self.payload());
        let idempotency = self.maybe(4, &["i1", "i2"]);
        let id = self.oracle.runs[key].id.clone();
        self.note(format!("signal {name} to run {key} {idempotency:?}"));
        let store = &self.world.handles[at].store;
        let core = store.signal_send(&id, name, Some(payload.clone()), idempotency);
        let core = answer(&core, |is_new| said(if *is_new { OK } else { super::oracle::EXISTS }));
        Some((core, self.oracle.signal(&id, name, &payload, idempotency)))
    }

    /// Acts on a run from outside, most often on one in a state in which that does something.
    fn outside(
        &mut self,
        (what, states): (&str, &[State]),
        core: impl Fn(&Store, &str) -> Result<()>,
        model: impl Fn(&mut Oracle, &str) -> Said,
    ) -> Option<(Said, Said)> {
        let apt: Vec<Key> = (0..self.oracle.runs.len())
            .filter(|key| states.contains(&self.oracle.runs[*key].state))
            .collect();
        let key = if apt.is_empty() || self.draws.below(4) == 0 {
            self.some_run()?
        } else {
            self.pick(&apt)
        };
        self.touched = Some(key);
        let (id, at) = (self.oracle.runs[key].id.clone(), self.some_handle());
        self.note(format!("{what} run {key}"));
        let core = plain(core(&self.world.handles[at].store, &id));
        Some((core, model(&mut self.oracle, &id)))
    }

    pub fn cancel(&mut self) -> Option<(Said, Said)> {
        let reason = self.maybe(2, &["\"why\"", "{\"by\":\"me\"}"]);
        self.outside(
            ("cancel", &[State::Running, State::Waiting]),
            |store, id| store.cancel(id, reason.map(str::to_owned)),
            |oracle, id| oracle.cancel(id, reason),
        )
    }

    pub fn pause(&mut self) -> Option<(Said, Said)> {
        let states = [State::Running, State::Waiting];
        self.outside(("pause", &states), |s, id| s.pause(id), |oracle, id| oracle.pause(id))
    }

    pub fn resume(&mut self) -> Option<(Said, Said)> {
        let states = [State::Paused];
        self.outside(("resume", &states), |s, id| s.resume(id), |oracle, id| oracle.resume(id))
    }

    pub fn retry(&mut self) -> Option<(Said, Said)> {
        let states = [State::Failed, State::Cancelled];
        self.outside(("retry", &states), |s, id| s.retry(id), |oracle, id| oracle.retry(id))
    }

    pub fn fork(&mut self) -> Option<(Said, Said)> {
        let key = self.some_run()?;
        if self.is_crowded() {
            return None;
        }
        let names: Vec<String> =
            self.oracle.runs[key].records.iter().map(|record| record.name.clone()).collect();
        let from = match self.draws.below(4) {
            0 => None,
            1 => Some("s1".to_owned()),
            _ if names.is_empty() => None,
            _ => Some(self.pick(&names)),
        };
        let id = self.oracle.runs[key].id.clone();
        self.note(format!("fork run {key} from {from:?}"));
        let core = self.world.store().fork(&id, from.as_deref());
        let new_id = core.clone().unwrap_or_default();
        let model = self.oracle.fork(&id, from.as_deref(), &new_id);
        if model.0 == OK {
            let origin = self.origins.get(&key).copied().unwrap_or(key);
            self.origins.insert(self.oracle.runs.len() - 1, origin);
        }
        Some((answer(&core, |_| said(OK)), model))
    }

    pub fn queue_set(&mut self) -> Option<(Said, Said)> {
        let (queue, at) = (self.pick(&["default", "q"]), self.some_handle());
        let limits = Limits {
            concurrency: self.maybe(3, &[2, 3, 6]),
            per_key: self.maybe(2, &[1, 2]),
            is_paused: self.draws.below(12) == 0,
        };
        let limit = |name: &str, value: Option<u32>| {
            value.map(|value| format!("\"{name}\":{value},")).unwrap_or_default()
        };
        let settings = format!(
            "{{{}{}\"paused\":{}}}",
            limit("concurrency", limits.concurrency),
            limit("concurrency_per_key", limits.per_key),
            limits.is_paused
        );
        self.note(format!("set queue {queue} to {settings}"));
        let core = plain(self.world.handles[at].store.queue_set(queue, &settings));
        self.oracle.queues.insert(queue.into(), limits);
        Some((core, said(OK)))
    }

    pub fn advance(&mut self) -> Option<(Said, Said)> {
        let ticks = self.pick(&[1, 1, 1, 1, 2, 2, 3, 3, 10, 30, 400]);
        self.note(format!("advance by {ticks} ticks"));
        self.world.advance_to(self.oracle.now + ticks * TICK_MS, &mut self.oracle);
        self.compare_held();
        None
    }

    /// One of several handles is closed, and another opened.
    pub fn reopen(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.note(format!("close handle {at} and open another"));
        let number = self.world.close(at);
        self.oracle.close(number);
        self.world.open(&mut self.oracle);
        None
    }
}
