//! The rule: which facts are reasons, and which of them tells most.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::facts::{Held, Owner, Parked, Queued, Record, Standing};
use crate::clock::Now;
use crate::domain::output::owned;
use crate::domain::port::{Ended, StepKind};
use crate::error::{Error, Result};
use crate::limits::CLAIM_NOTED_MS;

/// One reason, as documents show it.
#[derive(Debug, Serialize)]
pub(super) struct Reason {
    pub code: &'static str,
    text: String,
    since_ms: Option<i64>,
    evidence: BTreeMap<&'static str, Box<RawValue>>,
    hint: Option<&'static str>,
}

impl Reason {
    fn new(code: &'static str, text: impl Into<String>) -> Reason {
        let evidence = BTreeMap::new();
        Reason { code, text: text.into(), since_ms: None, evidence, hint: None }
    }

    fn since(self, since_ms: Option<i64>) -> Reason {
        Reason { since_ms, ..self }
    }

    fn hint(self, hint: &'static str) -> Reason {
        Reason { hint: Some(hint), ..self }
    }

    fn with(mut self, key: &'static str, value: &impl Serialize) -> Result<Reason> {
        let value = to_raw_value(value)
            .map_err(|error| Error::internal(format!("{key} cannot be written: {error}")))?;
        self.evidence.insert(key, value);
        Ok(self)
    }

    /// Shows a stored payload, byte for byte.
    fn with_stored(mut self, key: &'static str, json: Option<&str>) -> Result<Reason> {
        self.evidence.insert(key, owned(json.unwrap_or("null"))?);
        Ok(self)
    }

    fn with_owner(self, owner: &Owner) -> Result<Reason> {
        self.with("owner_id", &owner.owner_id)?.with("pid", &owner.pid)
    }
}

/// Returns the reasons for which a run does not move, the most telling first.
pub(super) fn reasons(standing: &Standing, now: Now) -> Result<Vec<Reason>> {
    match standing {
        Standing::Ended { state, at_ms } => {
            let ended = Reason::new("ended", format!("it is {state}"));
            Ok(vec![ended.since(*at_ms).with("state", state)?])
        }
        Standing::Held(held) => of_held(held, now),
        Standing::Paused => {
            Ok(vec![Reason::new("paused", "it was set aside").hint("sw_run_resume puts it back")])
        }
        Standing::Parked(parked) => of_parked(parked, now),
        Standing::Queued(queued) if queued.due_at_ms > now.wall_ms => Ok(vec![not_due(queued)?]),
        Standing::Queued(queued) => of_queued(queued, now),
    }
}

fn of_held(held: &Held, now: Now) -> Result<Vec<Reason>> {
    let mut list = Vec::new();
    let process = match held.owner.pid {
        Some(pid) => format!("process {pid}"),
        None => "a process that is forgotten".into(),
    };
    if held.owner.is_alive == Some(false) {
        let dead = Reason::new("owner_dead", format!("{process}, which held it, is gone"));
        let hint = "the next claim or wait of any process takes it back";
        list.push(dead.with_owner(&held.owner)?.hint(hint));
    } else if let Some(lapsed_for_ms) = held.lapsed_for_ms {
        let text = format!("{process} lives and has let its lease lapse for {lapsed_for_ms} ms");
        let silent = Reason::new("owner_silent", text)
            .since(Some(now.wall_ms.saturating_sub(lapsed_for_ms)));
        let hint =
            "the next claim or wait of any process takes it back; heartbeat, or a longer lease";
        list.push(
            silent.with_owner(&held.owner)?.with("lapsed_for_ms", &lapsed_for_ms)?.hint(hint),
        );
    }
    if let Some(told) = held.told {
        let asked = if told == Ended::Cancelled { "cancel" } else { "timeout" };
        let text = format!("its attempt was told to end ({asked}) and has not ended yet");
        let unheard = Reason::new("cancel_unheard", text).with("asked", &asked)?;
        list.push(unheard.hint("the worker hears it at its next call, or by sw_attempt_check"));
    }
    let running = Reason::new("running", format!("attempt {} holds it in {process}", held.attempt))
        .since(Some(held.claimed_at_ms))
        .with_owner(&held.owner)?
        .with("attempt", &held.attempt)?
        .with("worker", &held.worker)?
        .with("pause_asked", &held.pause_asked)?;
    list.push(running.hint("sw_run_history shows the steps that it has done"));
    Ok(list)
}

fn of_parked(parked: &[Parked], now: Now) -> Result<Vec<Reason>> {
    let mut list = Vec::new();
    let until = parked.iter().find_map(|one| match one {
        Parked::Until { at_ms, .. } => Some(*at_ms),
        Parked::Signal { .. } | Parked::Child { .. } | Parked::Room { .. } => None,
    });
    for one in parked {
        list.push(match one {
            Parked::Signal { name, since_ms } => {
                Reason::new("waits_signal", format!("no message {name:?} has come"))
                    .since(*since_ms)
                    .with("signal", name)?
                    .with("until_ms", &until)?
                    .hint("sw_signal_send sends one")
            }
            Parked::Child { run_id, state } => {
                Reason::new("waits_child", format!("its child {run_id} is {state}"))
                    .with("child", run_id)?
                    .with("state", state)?
                    .with("until_ms", &until)?
                    .hint("sw_run_explain of the child says why that does not end")
            }
            Parked::Room { unit, amount, room } => {
                let short = room.map_or(0, |room| amount.saturating_sub(room).max(0));
                Reason::new("waits_budget", format!("{short} of {unit} are missing"))
                    .with("unit", unit)?
                    .with("amount", amount)?
                    .with("room", room)?
                    .with("short_by", &short)?
                    .hint("sw_budget_raise gives more; so does what others give back")
            }
            Parked::Until { at_ms, record } => until_then(*at_ms, record.as_ref(), now)?,
        });
    }
    if list.is_empty() {
        // Parked on what has come: only its wake-up is left.
        list.push(Reason::new("waits_sleep", "it wakes with the next claim or wait").since(None));
    }
    let rank = |reason: &Reason| match reason.code {
        "waits_signal" => 0,
        "waits_child" => 1,
        "waits_budget" => 2,
        _ => 3,
    };
    list.sort_by_key(rank);
    Ok(list)
}

fn until_then(at_ms: i64, record: Option<&Record>, now: Now) -> Result<Reason> {
    let left = at_ms.saturating_sub(now.wall_ms);
    let when = if left > 0 { format!("for {left} ms more") } else { "no longer".into() };
    match record {
        Some(record) if record.backs_off => {
            Reason::new("backing_off", format!("step {:?} backs off {when}", record.name))
                .with("until_ms", &at_ms)?
                .with("step", &record.name)?
                .with_stored("error", record.error.as_deref())
        }
        Some(record) => {
            let what = if record.kind == StepKind::Sleep { "sleeps" } else { "waits at most" };
            Reason::new("waits_sleep", format!("it {what} {when}, in {:?}", record.name))
                .with("until_ms", &at_ms)?
                .with("name", &record.name)
        }
        None => Reason::new("waits_sleep", format!("it sleeps {when}")).with("until_ms", &at_ms),
    }
}

fn not_due(queued: &Queued) -> Result<Reason> {
    let Queued { due_at_ms, tries, max_tries, .. } = queued;
    if queued.backs_off {
        let text = format!("it is tried again later: {tries} of {max_tries} tries are used up");
        return Reason::new("backing_off", text)
            .with("until_ms", due_at_ms)?
            .with("tries", tries)?
            .with("max_tries", max_tries)?
            .with_stored("error", queued.last_error.as_deref());
    }
    Reason::new("not_due", "it is to begin later").with("until_ms", due_at_ms)
}

fn of_queued(queued: &Queued, now: Now) -> Result<Vec<Reason>> {
    let mut list = of_limits(queued)?;
    if let Some(owner) = &queued.local {
        let text = "only the store handle that submitted it may claim it while that is open";
        let local = Reason::new("local_owner", text).since(Some(queued.due_at_ms));
        let local = local.with_owner(owner)?.with("alive", &owner.is_alive)?;
        list.push(local.hint("claim it there, or close that handle"));
    }
    list.extend(of_claims(queued, now)?);
    Ok(list)
}

fn of_limits(queued: &Queued) -> Result<Vec<Reason>> {
    let (queue, limits) = (&queued.queue, queued.limits);
    let mut list = Vec::new();
    if limits.is_paused {
        let paused = Reason::new("queue_paused", format!("queue {queue:?} is paused"));
        list.push(
            paused
                .with("queue", queue)?
                .hint("sw_queue_set with its limits and without \"paused\""),
        );
    }
    if let Some(most) = limits.concurrency.filter(|most| queued.running >= *most) {
        let running = queued.running;
        let text = format!("queue {queue:?} lets {most} run at once, and {running} do");
        let full = Reason::new("queue_full", text)
            .with("queue", queue)?
            .with("concurrency", &most)?
            .with("running", &running)?
            .with("run_ids", &queued.holders)?;
        list.push(full.hint("sw_queue_set raises \"concurrency\"; sw_run_explain of who holds it"));
    }
    if let Some((gate, most)) = queued.gate.as_ref().zip(limits.concurrency_per_key)
        && gate.running >= most
    {
        let (key, running) = (&gate.key, gate.running);
        let text = format!("of key {key:?} {most} may run at once, and {running} do");
        let full = Reason::new("key_full", text)
            .with("queue", queue)?
            .with("concurrency_key", key)?
            .with("concurrency_per_key", &most)?
            .with("running", &running)?
            .with("run_ids", &gate.holders)?;
        list.push(full.hint("it is claimed once one of them ends"));
    }
    Ok(list)
}

/// Nothing of its own holds it back: who claims, and what.
fn of_claims(queued: &Queued, now: Now) -> Result<Vec<Reason>> {
    // The note of a claim may be behind.
    let is_after =
        |at: Option<i64>, when: i64| at.is_some_and(|at| at.saturating_add(CLAIM_NOTED_MS) > when);
    let is_since = |at: Option<i64>| is_after(at, queued.due_at_ms);
    // Whoever claims and is not busy would have claimed it.
    let is_attended = is_since(queued.queue_claimed_at_ms)
        && (queued.is_busy || is_after(queued.queue_claimed_at_ms, now.wall_ms));
    let ahead = &queued.ahead;
    let behind = behind_others(queued)?;
    let behind = (ahead.count > 0).then_some(behind);
    if !is_attended {
        return Ok(std::iter::once(unclaimed(queued, true)?).chain(behind).collect());
    }
    let is_moving = ahead.count > 0 && is_since(ahead.claimed_at_ms);
    let is_passed_over = queued.code_version.is_some() && !is_since(queued.version_claimed_at_ms);
    if is_passed_over && !is_moving {
        return Ok(std::iter::once(version_unclaimed(queued)?).chain(behind).collect());
    }
    match behind {
        Some(behind) => Ok(vec![behind]),
        None if is_since(queued.lane_claimed_at_ms) => Ok(vec![behind_others(queued)?]),
        None => Ok(vec![unclaimed(queued, false)?]),
    }
}

fn behind_others(queued: &Queued) -> Result<Reason> {
    let ahead = &queued.ahead;
    let text = match (ahead.count, ahead.is_cut) {
        (0, _) => "it is the next: those who claim it are busy".to_owned(),
        (count, true) => format!("at least {count} others stand before it"),
        (count, false) => format!("{count} others stand before it"),
    };
    Reason::new("behind_others", text)
        .since(Some(queued.due_at_ms))
        .with("ahead", &ahead.count)?
        .with("is_at_least", &ahead.is_cut)?
        .with("first_run_id", &ahead.run_id)?
        .with("last_claimed_at_ms", &queued.queue_claimed_at_ms)
        .map(|reason| reason.hint("more workers, or a lower number as its priority"))
}

fn unclaimed(queued: &Queued, is_whole_queue: bool) -> Result<Reason> {
    let (queue, workflow) = (&queued.queue, &queued.workflow);
    let since = queued.due_at_ms.max(queued.queue_claimed_at_ms.unwrap_or(i64::MIN));
    let text = match is_whole_queue {
        true => format!("nobody claims from queue {queue:?}"),
        false => {
            format!("of queue {queue:?} others are claimed, and none of workflow {workflow:?}")
        }
    };
    Reason::new("queue_unclaimed", text)
        .since(Some(if is_whole_queue { since } else { queued.due_at_ms }))
        .with("queue", queue)?
        .with("workflow", workflow)?
        .with("last_claimed_at_ms", &queued.queue_claimed_at_ms)
        .map(|reason| reason.hint("start a worker for the queue that knows the workflow"))
}

fn version_unclaimed(queued: &Queued) -> Result<Reason> {
    let version = queued.code_version.as_deref().unwrap_or_default();
    let text = format!("nobody claims code version {version:?}, though the queue is claimed from");
    Reason::new("version_unclaimed", text)
        .since(Some(queued.due_at_ms))
        .with("queue", &queued.queue)?
        .with("code_version", &version)?
        .with("last_claimed_at_ms", &queued.version_claimed_at_ms)
        .map(|reason| reason.hint("start a worker of that version, or sw_run_fork it"))
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Ahead, Gate};
    use super::*;
    use crate::domain::port::QueueLimits;

    const NOW: Now = Now { wall_ms: 10_000, lease_ms: 10_000 };

    fn codes(standing: Standing) -> Vec<&'static str> {
        reasons(&standing, NOW).unwrap().iter().map(|reason| reason.code).collect()
    }

    fn owner(is_alive: Option<bool>) -> Owner {
        Owner { owner_id: "owner_1".into(), pid: Some(7), is_alive }
    }

    fn held(is_alive: Option<bool>, lapsed_for_ms: Option<i64>, told: Option<Ended>) -> Standing {
        let owner = owner(is_alive);
        Standing::Held(Held { attempt: 1, owner, lapsed_for_ms, told, ..Held::default() })
    }

    /// Due since 5,000, in a queue that was claimed from since.
    fn queued() -> Queued {
        Queued {
            queue: "q".into(),
            workflow: "w".into(),
            due_at_ms: 5_000,
            queue_claimed_at_ms: Some(9_000),
            lane_claimed_at_ms: Some(9_000),
            is_busy: true,
            ..Queued::default()
        }
    }

    fn of(queued: Queued) -> Vec<&'static str> {
        codes(Standing::Queued(Box::new(queued)))
    }

    #[test]
    fn a_run_that_has_ended_or_was_set_aside_says_that_alone() {
        assert_eq!(codes(Standing::Ended { state: "failed", at_ms: Some(1) }), ["ended"]);
        assert_eq!(codes(Standing::Paused), ["paused"]);
    }

    #[test]
    fn of_a_held_run_the_death_of_its_owner_tells_most() {
        assert_eq!(codes(held(Some(true), None, None)), ["running"]);
        assert_eq!(codes(held(None, None, None)), ["running"]);
        let told = Some(Ended::Cancelled);
        assert_eq!(codes(held(Some(true), None, told)), ["cancel_unheard", "running"]);
        let silent = held(Some(true), Some(3), told);
        assert_eq!(codes(silent), ["owner_silent", "cancel_unheard", "running"]);
        assert_eq!(codes(held(Some(false), Some(3), None)), ["owner_dead", "running"]);
    }

    #[test]
    fn of_what_a_run_waits_for_messages_tell_more_than_moments() {
        let until = || Parked::Until { at_ms: 20_000, record: None };
        let signal = Parked::Signal { name: "go".into(), since_ms: Some(4) };
        let child = Parked::Child { run_id: "run_1".into(), state: "running" };
        let room = Parked::Room { unit: "usd".into(), amount: 9, room: Some(2) };
        let all = vec![until(), room, child, signal];
        assert_eq!(
            codes(Standing::Parked(all)),
            ["waits_signal", "waits_child", "waits_budget", "waits_sleep"]
        );
        assert_eq!(codes(Standing::Parked(vec![until()])), ["waits_sleep"]);
        assert_eq!(codes(Standing::Parked(Vec::new())), ["waits_sleep"]);
    }

    #[test]
    fn a_step_that_backs_off_is_no_sleep_and_shows_its_error() {
        let record = Record {
            kind: StepKind::Step,
            name: "s".into(),
            backs_off: true,
            error: Some("[1.50]".into()),
        };
        let parked = vec![Parked::Until { at_ms: 20_000, record: Some(record) }];
        let list = reasons(&Standing::Parked(parked), NOW).unwrap();
        assert_eq!(list[0].code, "backing_off");
        assert_eq!(list[0].evidence["error"].get(), "[1.50]");
        assert_eq!(list[0].evidence["until_ms"].get(), "20000");
    }

    #[test]
    fn what_a_budget_is_short_by_is_what_is_asked_less_what_is_left() {
        for (room, short) in [(Some(2), "7"), (Some(-3), "12"), (Some(9), "0"), (None, "0")] {
            let room = Parked::Room { unit: "usd".into(), amount: 9, room };
            let list = reasons(&Standing::Parked(vec![room]), NOW).unwrap();
            assert_eq!(list[0].evidence["short_by"].get(), short);
        }
    }

    #[test]
    fn a_run_that_is_not_due_is_tried_again_or_begins_later() {
        let later = Queued { due_at_ms: 10_001, ..queued() };
        assert_eq!(of(later.clone()), ["not_due"]);
        assert_eq!(of(Queued { backs_off: true, ..later }), ["backing_off"]);
        assert_eq!(of(Queued { due_at_ms: 10_000, ..queued() }), ["queue_unclaimed"]);
    }

    #[test]
    fn limits_come_before_whatever_stands_ahead() {
        let limits =
            QueueLimits { concurrency: Some(2), concurrency_per_key: Some(1), is_paused: true };
        let gate = Some(Gate { key: "k".into(), running: 1, holders: Vec::new() });
        let ahead = Ahead { count: 3, claimed_at_ms: Some(9_000), ..Ahead::default() };
        let local = Some(owner(Some(true)));
        let full = Queued { limits, running: 2, gate, local, ahead, ..queued() };
        let all = ["queue_paused", "queue_full", "key_full", "local_owner", "behind_others"];
        assert_eq!(of(full.clone()), all);
        let open = QueueLimits { is_paused: false, ..limits };
        assert_eq!(of(Queued { limits: open, running: 1, ..full })[0], "key_full");
    }

    #[test]
    fn who_claims_is_told_from_when_each_was_claimed_last() {
        let ahead = |count, claimed_at_ms| Ahead { count, claimed_at_ms, ..Ahead::default() };
        // Nobody since it is due; the note may be a second behind.
        let nobody = Queued { queue_claimed_at_ms: Some(4_000), ..queued() };
        assert_eq!(of(nobody.clone()), ["queue_unclaimed"]);
        let behind = Queued { ahead: ahead(2, None), ..nobody };
        assert_eq!(of(behind), ["queue_unclaimed", "behind_others"]);
        let lately = Queued {
            queue_claimed_at_ms: Some(4_001),
            lane_claimed_at_ms: Some(4_001),
            ..queued()
        };
        assert_eq!(of(lately), ["behind_others"]);
        // Nobody is busy, and nobody has claimed for a while.
        assert_eq!(of(Queued { is_busy: false, ..queued() }), ["queue_unclaimed"]);
        let just = Queued { queue_claimed_at_ms: Some(9_001), is_busy: false, ..queued() };
        assert_eq!(of(just), ["behind_others"]);
        // Others are claimed, and not its workflow.
        assert_eq!(of(Queued { lane_claimed_at_ms: None, ..queued() }), ["queue_unclaimed"]);
        // Others are claimed, and not its version.
        let version = Queued { code_version: Some("v2".into()), ..queued() };
        let version = Queued { lane_claimed_at_ms: None, ..version };
        assert_eq!(of(version.clone()), ["version_unclaimed"]);
        let line = Queued { ahead: ahead(2, Some(1_000)), ..version.clone() };
        assert_eq!(of(line), ["version_unclaimed", "behind_others"]);
        let moving = Queued { ahead: ahead(2, Some(9_000)), ..version.clone() };
        assert_eq!(of(moving), ["behind_others"]);
        let known = Queued { version_claimed_at_ms: Some(9_000), ..version };
        assert_eq!(of(known), ["queue_unclaimed"]);
    }
}
