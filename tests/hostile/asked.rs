//! Every kind of call on a file that may be damaged. What it answers does not matter, as long as it is
//! an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use smolwf::domain::claim::Claim;
use smolwf::domain::event::Read;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::error::Result;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::sql::InNameOf;
use smolwf::handles::store::Store;

use super::made::options;
use super::support::code;

/// What calls on one file came to: each name of a call with its code; a panic is its text.
#[derive(Debug, Default)]
pub struct Answers {
    pub codes: Vec<(&'static str, i32)>,
    pub panics: Vec<String>,
}

impl Answers {
    /// Asks; a call that panics is noted, as the door would catch it.
    fn ask<T>(&mut self, name: &'static str, call: impl FnOnce() -> Result<T>) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(answer) => {
                self.codes.push((name, code(&answer)));
                answer.ok()
            }
            Err(_) => {
                self.panics.push(format!("{name} panics"));
                None
            }
        }
    }
}

/// Opens the file and asks all there is to ask.
#[allow(dead_code, reason = "each suite asks one way")]
pub fn ask_all(path: &Path) -> Answers {
    ask_some(path, u8::MAX)
}

/// Opens the file, looks, and asks those parts of all there is whose bits are set.
pub fn ask_some(path: &Path, parts: u8) -> Answers {
    let mut answers = Answers::default();
    let Some(store) = answers.ask("open", || Store::open(path, &options())) else { return answers };
    let has = |part: u8| parts >> part & 1 == 1;
    answers.ask("init", || store.init());
    let mut runs = if has(0) { look(&mut answers, &store) } else { Vec::new() };
    if has(1) {
        write(&mut answers, &store, &mut runs);
    }
    for run in runs.iter().take(if has(2) { 12 } else { 1 }) {
        touch(&mut answers, &store, run);
    }
    if has(3) {
        work(&mut answers, &store);
    }
    if has(4) {
        tidy(&mut answers, &store, path);
    }
    answers.ask("close", || {
        store.close();
        Ok(())
    });
    answers
}

/// What reads, of the store as a whole; returns the runs that it tells of.
fn look(answers: &mut Answers, store: &Arc<Store>) -> Vec<String> {
    answers.ask("check", || store.check());
    answers.ask("migrations", || store.migrations());
    answers.ask("stats", || store.stats());
    answers.ask("queues", || store.queue_list());
    answers.ask("owners", || store.owner_list());
    answers.ask("schedules", || store.schedule_list());
    answers.ask("retention", || store.retention());
    answers.ask("find", || store.find("", "once"));
    answers.ask("events", || store.event_read(&Read::default()));
    answers.ask("query", || store.query("SELECT count(*) FROM mine", None, None));
    for filter in [r#"{"metadata":{"customer":"c-1"}}"#, r#"{"state":["failed","pending"]}"#] {
        answers.ask("count", || store.run_count(Some(filter), 100));
        answers.ask("list", || store.run_list(Some(filter), None, 10));
    }
    let page = answers.ask("list", || store.run_list(None, None, 100)).unwrap_or_default();
    let page: serde_json::Value = serde_json::from_str(&page).unwrap_or_default();
    let ids =
        page["runs"].as_array().into_iter().flatten().filter_map(|run| run["run_id"].as_str());
    ids.map(str::to_owned).collect()
}

/// What writes, of the store as a whole.
fn write(answers: &mut Answers, store: &Arc<Store>, runs: &mut Vec<String>) {
    let large = format!("\"{}\"", "large ".repeat(2_000));
    let submit = Submit {
        workflow: "w".into(),
        args: Some(large.clone()),
        concurrency_key: Some("k".into()),
        budget: Some(r#"{"tokens":5}"#.into()),
        metadata: Some(r#"{"customer":"c-1"}"#.into()),
        ..Submit::default()
    };
    let again = Submit { idempotency_key: Some("once".into()), ..submit.clone() };
    runs.extend(answers.ask("submit", || store.submit(submit.clone())).map(|it| it.run_id));
    answers.ask("submit again", || store.submit(again));
    answers.ask("submit many", || store.submit_many(vec![submit.clone(), submit]));
    answers.ask("script", || {
        let script = r#"[{"sql":"INSERT INTO mine (note) VALUES ('three')"}]"#;
        store.tx_run(InNameOf::default(), script)
    });
    answers.ask("queue", || {
        store.queue_set("default", r#"{"concurrency":40,"concurrency_per_key":2}"#)
    });
    answers.ask("schedule", || {
        store.schedule_set("daily", r#"{"workflow":"w","cron":"* * * * * *"}"#)
    });
    answers.ask("policy", || store.retention_set(Some(r#"{"keep_newest":3}"#)));
}

/// All that can be asked of, and done to, one run.
fn touch(answers: &mut Answers, store: &Arc<Store>, run: &str) {
    answers.ask("get", || store.run_get(run));
    answers.ask("history", || store.run_history(run, None, 100));
    answers.ask("explain", || store.run_explain(run));
    answers.ask("budget", || store.budget(run));
    answers.ask("raise", || store.budget_raise(run, "tokens", 3));
    answers.ask("annotate", || store.annotate(run, r#"{"seen":true}"#));
    answers.ask("signal", || store.signal_send(run, "go", Some("1".into()), None));
    answers.ask("pause", || store.pause(run));
    answers.ask("resume", || store.resume(run));
    answers.ask("fork", || store.fork(run, None));
    let document = answers.ask("export", || store.run_export(run, None));
    if let Some(document) = document {
        answers.ask("import", || store.run_import(&document, Some(r#"{"ids":"new"}"#)));
    }
}

/// Some attempts, whatever runs they get.
fn work(answers: &mut Answers, store: &Arc<Store>) {
    for turn in 0..4 {
        let claimed = answers.ask("claim", || store.claim(Claim::default()));
        let Some(attempt) = claimed.flatten() else { continue };
        answers.ask("heartbeat", || attempt.heartbeat(0));
        step(answers, &attempt, "a");
        step(answers, &attempt, "pay");
        answers.ask("event", || attempt.event_append("note", None, None));
        answers.ask("reserve", || attempt.reserve(None, r#"{"tokens":2}"#, None));
        let child = Submit { workflow: "w".into(), ..Submit::default() };
        answers.ask("child", || attempt.child_submit("child", child));
        answers.ask("sleep", || attempt.sleep("a while", 1));
        answers.ask("await", || attempt.signal_await("go", 1));
        match turn {
            0 => drop(answers.ask("complete", || attempt.complete(Some("1".into())))),
            1 => drop(answers.ask("fail", || attempt.fail(None, Default::default()))),
            2 => drop(answers.ask("release", || attempt.release(0))),
            _ => drop(answers.ask("suspend", || attempt.suspend())),
        }
    }
}

fn step(answers: &mut Answers, attempt: &Arc<Attempt>, name: &str) {
    let begin = Begin { name: name.into(), is_tracked: true, ..Begin::default() };
    if let Some(Begun::Run(step)) = answers.ask("begin", || attempt.step_begin(begin)) {
        answers.ask("finish", || step.complete_usage(Some("1".into()), r#"{"tokens":1}"#));
    }
}

/// What takes away, and what copies.
fn tidy(answers: &mut Answers, store: &Arc<Store>, path: &Path) {
    answers.ask("cancel many", || store.act_many("cancel", None, 50));
    answers.ask("retry many", || store.act_many("retry", Some(r#"{"state":"failed"}"#), 2));
    answers.ask("prune", || store.prune(None, 100));
    answers.ask("compact", || store.compact(10));
    let copy = path.with_file_name("copy");
    answers.ask("backup", || store.backup(&copy));
    answers.ask("check again", || store.check());
}
