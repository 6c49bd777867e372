//! Faults that are planted in the library (`src/plant.rs`): the corpora find each. Each stands in a process
//! of its own, which judges the corpus that is to find it.

use std::process::Command;

use smolwf::plant::OF_INPUTS;

use super::failing;

/// Which corpus finds which fault.
const FOUND_BY: [(&str, &str); OF_INPUTS.len() + 2] = [
    ("loose_json", "json"),
    ("repeat_hour", "cron"),
    ("any_cursor", "cursor"),
    ("trust_document", "import"),
    ("trust_schema", "file"),
    ("keep_failed", "script"),
    ("keep_failed", "calls"),
];

const CORPUS: &str = "SMOLWF_TEST_CORPUS";
const SAID: &str = "found by: ";

#[test]
fn every_fault_that_is_planted_is_found_by_its_corpus() {
    if let Ok(name) = std::env::var(CORPUS) {
        return println!("{SAID}{}", failing(&name).len());
    }
    let names: Vec<&str> = FOUND_BY.iter().map(|(name, _)| *name).take(OF_INPUTS.len()).collect();
    assert_eq!(names, OF_INPUTS.map(|(name, _)| name), "a plant that nobody looks for");
    let judges: Vec<&str> = super::judges::ALL.iter().map(|(name, _)| *name).collect();
    let is_shown = |judge: &&str| FOUND_BY.iter().any(|(_, known)| *known == *judge);
    assert!(judges.iter().all(is_shown), "a judge that is not shown to find anything");
    let mut missed = Vec::new();
    for (plant, corpus) in FOUND_BY {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let test = "plants::every_fault_that_is_planted_is_found_by_its_corpus";
        command.args([test, "--exact", "--nocapture"]);
        let output = command.env(CORPUS, corpus).env("SW_PLANT", plant).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let count = said.lines().find_map(|line| line.split_once(SAID)).map(|(_, count)| count);
        // A fault may also end the process that it stands in.
        missed.extend((count == Some("0")).then_some((plant, corpus)));
        println!("{plant} is found by {} inputs of {corpus}", count.unwrap_or("fatal"));
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
}
