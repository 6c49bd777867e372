//! Completions, tried in the shells that they are for: commands come after the file, ids of runs where a
//! run may be typed, and nothing that was typed is run.

mod support;

use std::fs;
use std::process::Command;

use support::stage::{self, Cast};
use support::{Place, has, swctl};

/// A filled store, beside it the completions, and the folder of the program first of the search path.
struct Shell {
    place: Place,
    cast: Cast,
    script: String,
    name: &'static str,
}

impl Shell {
    /// None, told, where this machine has no such shell.
    fn open(name: &'static str) -> Option<Shell> {
        if !has(name) {
            return None;
        }
        let place = Place::new();
        let cast = stage::fill(&place.file);
        let made = swctl().args(["completions", name]).output().expect("it runs");
        let script = place.folder.path().join("completions");
        fs::write(&script, made.stdout).expect("it can be written");
        let script = script.to_str().expect("UTF-8").to_string();
        Some(Shell { place, cast, script, name })
    }

    /// What the shell says to a script of its own, in which `$1` is the completions.
    fn says(&self, script: &str, args: &[&str]) -> String {
        let mut command = Command::new(self.name);
        let built = std::path::Path::new(env!("CARGO_BIN_EXE_swctl")).parent().expect("a folder");
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
        command.env("PATH", path).current_dir(self.place.folder.path());
        if self.name == "fish" {
            command.args(["--no-config", "-c", script, &self.script]);
        } else {
            command.args(["--norc", "-c", script, self.name, &self.script]);
        }
        let output = command.args(args).output().expect("the shell runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What bash offers for the last of some words, a line each.
    fn bash(&self, words: &[&str]) -> Vec<String> {
        const ASK: &str = r#". "$1"; shift
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            set -- $(complete -p swctl | grep -o -- '-F [^ ]*')
            "$2" swctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            printf '%s\n' "${COMPREPLY[@]}""#;
        self.says(ASK, words).lines().map(str::to_string).collect()
    }
}

#[test]
fn bash_offers_files_then_commands_then_runs() {
    let Some(shell) = Shell::open("bash") else { return };
    let first = shell.bash(&["swctl", ""]);
    let has = |offered: &[String], word: &str| offered.iter().any(|it| it == word);
    assert!(has(&first, "app.db") && has(&first, "completions"), "{first:?}");
    assert!(!has(&first, "show"), "a command without its file: {first:?}");
    let second = shell.bash(&["swctl", "app.db", "s"]);
    assert!(has(&second, "show") && has(&second, "signal"), "{second:?}");
    let runs = shell.bash(&["swctl", "app.db", "why", ""]);
    assert!(has(&runs, &shell.cast.waiting) && has(&runs, "latest"), "{runs:?}");
    assert!(!runs.iter().any(|it| it.starts_with(['<', '['])), "{runs:?}");
    let one = shell.bash(&["swctl", "app.db", "why", &shell.cast.full[..29]]);
    assert_eq!(one, [shell.cast.full.as_str()]);
    let quoted = shell.bash(&["swctl", "'app.db'", "cancel", &shell.cast.full, "run_"]);
    assert!(has(&quoted, &shell.cast.failed), "{quoted:?}");
    let name = shell.bash(&["swctl", "app.db", "signal", &shell.cast.waiting, ""]);
    assert!(!has(&name, &shell.cast.failed), "the name of a signal is no run: {name:?}");
}

#[test]
fn bash_runs_nothing_of_what_is_being_typed() {
    let Some(shell) = Shell::open("bash") else { return };
    for file in ["$(touch taken)", "`touch taken`", "x; touch taken", "'; touch taken; '"] {
        let offered = shell.bash(&["swctl", file, "show", ""]);
        assert!(!offered.iter().any(|it| it.starts_with("run_")), "{file}: {offered:?}");
        assert!(!shell.place.folder.path().join("taken").exists(), "{file}");
        assert!(!shell.place.folder.path().join(file).exists(), "a look makes no file");
    }
}

#[test]
fn fish_offers_commands_after_the_file_and_runs_with_what_they_are() {
    let Some(shell) = Shell::open("fish") else { return };
    let ask = |line: &str| shell.says("source $argv[1]; complete -C $argv[2]", &[line]);
    let commands = ask("swctl app.db s");
    assert!(
        commands.lines().any(|line| line.starts_with("show\tTell the whole story")),
        "{commands}"
    );
    let runs = ask("swctl app.db why run_");
    let wanted = format!("{}\twaiting approval", shell.cast.waiting);
    assert!(runs.lines().any(|line| line == wanted), "{runs}");
    let first = ask("swctl comple");
    assert!(first.lines().any(|line| line.starts_with("completions\t")), "{first}");
}
