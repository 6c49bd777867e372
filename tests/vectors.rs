//! The shared vectors of `tests/vectors/`, held against the library. Their form is in the README
//! beside them; every language's suite reads the same files.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::domain::{AfterFail, FailOptions};
use smolwf::error::Result;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::step::Step;
use smolwf::handles::store::{Store, StoreOptions};
use smolwf::{id, json};

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_ascii(), "{name} is not ASCII");
    serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

// ---- Codes --------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    codes: Vec<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    name: String,
    code: i32,
}

/// Returns the codes that the library publishes: the constants of its header before the versions.
fn published() -> BTreeMap<String, i32> {
    let header = fs::read_to_string(concat!(env!("OUT_DIR"), "/smolwf.cdef")).unwrap();
    let lines = header.lines().take_while(|line| !line.contains("SW_ABI_VERSION"));
    let codes = lines.filter_map(|line| line.trim_end_matches(',').trim().split_once(" = "));
    codes.map(|(name, code)| (name.to_owned(), code.parse().unwrap())).collect()
}

#[test]
fn the_codes_are_all_that_the_header_has() {
    let Codes { codes } = read("codes.json");
    let count = codes.len();
    let listed: BTreeMap<String, i32> = codes.into_iter().map(|it| (it.name, it.code)).collect();
    assert_eq!(listed.len(), count, "a name comes twice");
    assert_eq!(listed, published());
}

// ---- Ids ----------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    form: String,
    prefixes: Vec<String>,
    refused_prefixes: Vec<String>,
    ids: Vec<String>,
    not_ids: Vec<String>,
}

/// Returns whether a text is an id, as the library reads it.
fn is_id(text: &str) -> bool {
    let Some((prefix, _)) = text.rsplit_once('_') else { return false };
    id::check_prefix(prefix).is_ok() && id::parse(prefix, text).is_some()
}

#[test]
fn ids_have_the_form_of_the_vectors() {
    let vectors: Ids = read("ids.json");
    let digits = "[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}";
    assert_eq!(vectors.form, format!("^[a-z][a-z0-9_]{{0,30}}_{digits}$"));
    for prefix in &vectors.prefixes {
        id::check_prefix(prefix).unwrap();
        assert!(is_id(&id::write(prefix, id::new_id())), "{prefix}");
    }
    for prefix in &vectors.refused_prefixes {
        assert!(id::check_prefix(prefix).is_err(), "{prefix} is accepted");
    }
    assert!(vectors.ids.iter().all(|id| is_id(id)), "{:?}", vectors.ids);
    for text in &vectors.not_ids {
        assert!(!is_id(text), "{text} is read as an id");
    }
}

// ---- Inputs -------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inputs {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    input: String,
    canonical: String,
    input_hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    why: String,
    input: String,
    answers: String,
}

#[test]
fn inputs_have_the_canonical_forms_and_hashes_of_the_vectors() {
    let (store, run_id, attempt) = claimed();
    let Inputs { accepted, .. } = read("inputs.json");
    for it in &accepted {
        assert_eq!(json::canonical(&it.input).unwrap(), it.canonical);
        let input = Some(it.input.clone());
        let begin = Begin { name: "in".into(), input, max_tries: 3, ..Begin::default() };
        let Begun::Run(step) = attempt.step_begin(begin).unwrap() else { panic!("it ran before") };
        step.complete(None).unwrap();
    }
    let history = history(&store, &run_id);
    let hashes = history["steps"].as_array().unwrap().iter().map(|step| &step["input_hash"]);
    let expected: Vec<&str> = accepted.iter().map(|it| it.input_hash.as_str()).collect();
    assert_eq!(hashes.map(|it| it.as_str().unwrap()).collect::<Vec<_>>(), expected);
}

#[test]
fn inputs_that_have_no_one_meaning_are_refused() {
    let Inputs { refused, .. } = read("inputs.json");
    for it in &refused {
        assert_eq!(it.answers, "SW_ERR_INVALID");
        // The key of the library's own errors is looked for at the door, for every payload.
        let is_refused = json::input_hash(&it.input).is_err() || json::has_engine_key(&it.input);
        assert!(is_refused, "{} is accepted", it.why);
    }
}

// ---- Occurrences --------------------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Occurrences {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    attempts: Vec<Vec<Act>>,
    recorded: Vec<(String, u32)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    begin: Option<String>,
    complete: Option<String>,
    advance_ms: Option<i64>,
    at: Option<u32>,
    input: Option<String>,
    answers: Option<String>,
    occurrence: Option<u32>,
    then: Option<String>,
    #[serde(rename = "as")]
    label: Option<String>,
    result: Option<String>,
    error: Option<String>,
    retry_after_ms: Option<i64>,
}

/// One run that follows a case.
struct Player {
    store: Arc<Store>,
    attempt: Arc<Attempt>,
    kept: BTreeMap<String, Step>,
}

impl Player {
    fn play(&mut self, act: &Act) {
        if let Some(ms) = act.advance_ms {
            self.store.advance_clock(ms).unwrap();
        } else if let Some(label) = &act.complete {
            let step = self.kept.remove(label).unwrap();
            let answer = step.complete(act.result.clone());
            assert_eq!(act.answers.as_deref(), Some(name_of(&answer, |()| "SW_OK").as_str()));
        } else {
            self.begin(act);
        }
    }

    fn begin(&mut self, act: &Act) {
        let begin = Begin {
            name: act.begin.clone().unwrap(),
            input: act.input.clone(),
            occurrence: act.at.unwrap_or(0),
            max_tries: 3,
            ..Begin::default()
        };
        let answer = self.attempt.step_begin(begin);
        let name = name_of(&answer, |begun| match begun {
            Begun::Run(_) => "SW_OK",
            Begun::Replayed(_) => "SW_REPLAYED",
            Begun::Failed(_) => "SW_FAILED",
            Begun::Suspended => "SW_SUSPEND",
        });
        assert_eq!(act.answers.as_deref(), Some(name.as_str()), "{:?}", act.begin);
        let Ok(Begun::Run(step) | Begun::Replayed(step) | Begun::Failed(step)) = answer else {
            return assert_eq!(act.occurrence, None, "there is no step to ask");
        };
        assert_eq!(act.occurrence, Some(step.occurrence()), "{:?}", act.begin);
        if name == "SW_OK" {
            self.go_on(act, step);
        } else {
            assert_eq!(act.result, step.result().map(|it| it.as_str().to_owned()));
            assert_eq!(act.error, step.error().map(|it| it.as_str().to_owned()));
        }
    }

    fn go_on(&mut self, act: &Act, step: Step) {
        let fail = |is_terminal| {
            let retry_after_ms = act.retry_after_ms.unwrap_or(0);
            step.fail(act.error.clone(), FailOptions { is_terminal, retry_after_ms }).unwrap()
        };
        match act.then.as_deref().unwrap() {
            "complete" => step.complete(act.result.clone()).unwrap(),
            "fail" => assert!(matches!(fail(false), AfterFail::Retry { .. })),
            "fail_terminal" => assert_eq!(fail(true), AfterFail::Final),
            "free" => drop(step),
            "keep" => drop(self.kept.insert(act.label.clone().unwrap(), step)),
            then => panic!("nothing is known as {then}"),
        }
    }
}

/// Returns the name of the code that an answer has at the door.
fn name_of<T>(answer: &Result<T>, name: impl Fn(&T) -> &'static str) -> String {
    let code = match answer {
        Ok(answer) => return name(answer).to_owned(),
        Err(error) => error.code(),
    };
    published().into_iter().find(|(_, known)| *known == code).unwrap().0
}

fn history(store: &Store, run_id: &str) -> serde_json::Value {
    serde_json::from_str(&store.run_history(run_id, None, 1000).unwrap()).unwrap()
}

fn claimed() -> (Arc<Store>, String, Arc<Attempt>) {
    let options = StoreOptions { manual_clock: true, ..StoreOptions::default() };
    let store = Store::open_in_memory(&options).unwrap();
    store.init().unwrap();
    let submit = Submit { workflow: "vectors".into(), ..Submit::default() };
    let run_id = store.submit(submit).unwrap().run_id;
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    (store, run_id, attempt)
}

#[test]
fn occurrences_count_as_the_vectors_say() {
    let Occurrences { cases } = read("occurrences.json");
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    for case in &cases {
        println!("{}", case.name);
        let (store, run_id, attempt) = claimed();
        let mut player = Player { store, attempt, kept: BTreeMap::new() };
        for (at, acts) in case.attempts.iter().enumerate() {
            if at > 0 {
                player.attempt = player.store.claim(Claim::default()).unwrap().unwrap();
            }
            acts.iter().for_each(|act| player.play(act));
            player.attempt.release(0).unwrap();
        }
        let history = history(&player.store, &run_id);
        let steps = history["steps"].as_array().unwrap().iter();
        let of = |step: &serde_json::Value| {
            (step["name"].as_str().unwrap().to_owned(), step["occurrence"].as_u64().unwrap() as u32)
        };
        assert_eq!(steps.map(of).collect::<Vec<_>>(), case.recorded, "{}", case.name);
    }
}

// ---- Scenarios of workers -----------------------------------------------------------------------

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenarios {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    rules: Vec<String>,
    #[serde(default)]
    not_in: BTreeMap<String, String>,
    #[serde(rename = "store")]
    _store: Option<serde_json::Value>,
    #[serde(rename = "worker")]
    _worker: Option<serde_json::Value>,
    workflows: BTreeMap<String, serde_json::Value>,
    submit: Vec<serde_json::Value>,
    #[serde(rename = "world")]
    _world: Vec<serde_json::Value>,
    expect: serde_json::Value,
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/worker");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let files = names.map(|name| format!("worker/{}", name.to_str().unwrap()));
    let mut files: Vec<String> = files.filter(|name| name.ends_with(".json")).collect();
    files.sort();
    files.iter().flat_map(|name| read::<Scenarios>(name).scenarios).collect()
}

/// The rules that `docs/WORKERS.md` states, by number.
fn rules() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/WORKERS.md");
    let text = fs::read_to_string(page).unwrap();
    let stated = text.lines().filter_map(|line| line.strip_prefix("**W")?.split_once(' '));
    stated.map(|(number, _)| format!("W{number}")).collect()
}

#[test]
fn every_rule_of_workers_has_a_scenario_and_every_scenario_a_rule() {
    let scenarios = scenarios();
    let names: BTreeSet<&str> = scenarios.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), scenarios.len(), "two scenarios have one name");
    let held: BTreeSet<String> = scenarios.iter().flat_map(|it| it.rules.clone()).collect();
    assert_eq!(held, rules());
    // And where the store is none of a file.
    let languages = ["python", "asyncio", "node", "go", "cpp", "postgres", "pooler"];
    for scenario in &scenarios {
        let left_out: BTreeSet<&str> = scenario.not_in.keys().map(String::as_str).collect();
        assert!(left_out.iter().all(|it| languages.contains(it)), "{}", scenario.name);
        assert!(left_out.len() < languages.len() - 2, "{}", scenario.name);
        assert!(scenario.not_in.values().all(|why| why.len() > 8), "{}", scenario.name);
        assert!(!scenario.submit.is_empty() && !scenario.workflows.is_empty());
        let submitted: BTreeSet<&str> =
            scenario.submit.iter().map(|run| run["as"].as_str().unwrap()).collect();
        for run in scenario.expect["runs"].as_array().unwrap() {
            assert!(submitted.contains(run["run"].as_str().unwrap()), "{}", scenario.name);
        }
    }
}
