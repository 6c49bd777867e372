//! What the documents say of the tool: each command that they name is one, and the answers that the
//! README shows are those that the program gives.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use support::Place;
use support::stage;
use swctl::cli::Cli;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join(name)).expect(name)
}

/// Words of a line as a shell parts them, up to what comes after the command: a comment, a pipe.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('|' | ';' | '&' | '#' | '>', None) if word.is_none() => break,
            (';', None) => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Commands of a text: what a line of a block begins with, and what stands in backquotes.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        let line = line.trim_start();
        in_block ^= line.starts_with("```");
        let typed = line.strip_prefix("$ ").unwrap_or(line);
        if in_block && typed.starts_with("swctl ") {
            found.push(typed.to_string());
        }
    }
    let prose = text.replace('\n', " ");
    found.extend(
        prose.split('`').skip(1).step_by(2).filter(|it| it.starts_with("swctl ")).map(String::from),
    );
    found
}

/// Why a command is none, if it is none.
fn fault(command: &str) -> Option<String> {
    let words = words(command);
    // Of the program itself, of a file alone.
    if words.len() < 3 && !words.iter().any(|word| word == "version" || word == "help") {
        return None;
    }
    match Cli::try_parse_from(words) {
        Err(error) if error.use_stderr() => Some(format!("{command}\n{error}")),
        _ => None,
    }
}

#[test]
fn every_command_that_the_documents_name_is_one() {
    let mut pages: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(String::from).to_vec();
    for entry in fs::read_dir(repository().join("docs")).expect("docs") {
        let name = entry.expect("docs").file_name().into_string().expect("UTF-8");
        pages.extend(name.ends_with(".md").then(|| format!("docs/{name}")));
    }
    let mut count = 0;
    let mut faults = Vec::new();
    for name in pages {
        let found = commands(&page(&name));
        count += found.len();
        faults.extend(found.iter().filter_map(|it| fault(it)).map(|it| format!("{name}: {it}")));
    }
    assert!(count > 30, "commands are found: {count}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_example_of_the_help_is_a_command() {
    fn helps(command: &clap::Command, all: &mut Vec<String>) {
        all.extend(command.get_after_help().map(ToString::to_string));
        command.get_subcommands().for_each(|sub| helps(sub, all));
    }
    let mut all = Vec::new();
    helps(&Cli::command(), &mut all);
    let lines: Vec<&str> = all.iter().flat_map(|text| text.lines()).collect();
    let examples: Vec<String> = lines
        .iter()
        .filter_map(|line| line.find("swctl ").map(|at| &line[at..]))
        // What a command of the overview does stands beside it.
        .map(|line| line.split("   ").next().unwrap_or(line).to_string())
        .collect();
    assert!(examples.len() > 15, "{examples:?}");
    let faults: Vec<String> = examples.iter().filter_map(|it| fault(it)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What differs each time, made the same: ids, times, and the room that columns take for them.
fn alike(text: &str) -> Vec<Vec<String>> {
    let is_run = |word: &str| word.len() == 30 && word.starts_with("run_");
    let is_time =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with('s');
    let is_time = |word: &str| is_time(word) || word.len() == 24 && word.ends_with('Z');
    let like = |word: &str| match word.trim_matches(['(', ')', ',', '.']) {
        word if is_run(word) => Some("run_ID".to_string()),
        word if word == "now" || is_time(word) => Some("TIME".to_string()),
        "ago" => None,
        _ => Some(word.to_string()),
    };
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_whitespace().filter_map(like).collect()).collect()
}

#[test]
fn the_readme_shows_what_the_commands_answer() {
    let readme = page("README.md");
    let block = readme
        .split("```text\n")
        .find(|block| block.starts_with("$ swctl app.db"))
        .expect("a block");
    let block = block.split("```").next().expect("its end");
    let place = Place::new();
    let cast = stage::fill(&place.file);
    let mut count = 0;
    for shown in block.split("$ ").skip(1) {
        let (command, answer) = shown.split_once('\n').expect("an answer");
        let mut args = words(command).split_off(2);
        // The README's own run, which is another one here.
        args.iter_mut()
            .filter(|arg| arg.starts_with("run_"))
            .for_each(|arg| arg.clone_from(&cast.full));
        args.push("--table".into());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let told = place.told(&args).replace(place.file.to_str().expect("UTF-8"), "app.db");
        assert_eq!(alike(&told), alike(answer), "{command} answers\n{told}");
        count += 1;
    }
    assert_eq!(count, 2);
}
