//! The program on a terminal that a script drives: tmux types, and what it shows is read back.

mod support;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::stage;
use support::{Place, has, swctl};

/// A terminal of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// Opens one with a shell in it; None, told, where there is no tmux.
    fn open(columns: u16, rows: u16) -> Option<Terminal> {
        if !has("tmux") {
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let terminal = Terminal { socket: format!("swctl-{}-{number}", std::process::id()) };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let shell = "env -u NO_COLOR PS1='ready> ' sh -i";
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            shell,
        ]);
        terminal.shows("ready>");
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        let output = command.arg("-L").arg(&self.socket).args(args).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Types a line, with a mark at its end that tells the exit code.
    fn types(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.key("Enter");
    }

    fn key(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        self.until(text, |screen| screen.contains(text))
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no {what} on:\n{screen}");
            // A terminal tells nobody that it has changed.
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn line(place: &Place, args: &str) -> String {
    format!("{} '{}' {args}; echo code=$?", env!("CARGO_BIN_EXE_swctl"), place.file.display())
}

#[test]
fn top_shows_what_runs_and_its_end_without_a_key_pressed_and_q_leaves_the_screen_as_it_was() {
    let Some(terminal) = Terminal::open(120, 40) else { return };
    let place = Place::new();
    let cast = stage::fill(&place.file);
    terminal.types(&line(&place, "top"));
    // What is drawn last: a terminal may be read in the middle of a screen.
    let screen = terminal.shows("alive");
    let id = cast.running.id();
    for part in ["queues", "running", "the oldest that wait", "owners", id.as_str(), "alive"] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    cast.running.complete("null");
    terminal.shows("just ended");
    terminal.until("end of a run", |screen| screen.contains(&id) && screen.contains("completed"));
    terminal.key("q");
    let screen = terminal.shows("code=0");
    assert!(!screen.contains("swctl top") && !screen.contains("just ended"), "{screen}");
}

#[test]
fn top_fits_a_terminal_of_twenty_columns_and_ctrl_c_ends_it() {
    let Some(terminal) = Terminal::open(20, 12) else { return };
    let place = Place::new();
    let _cast = stage::fill(&place.file);
    terminal.types(&line(&place, "top"));
    let screen = terminal.shows("queues");
    assert!(screen.lines().all(|line| line.chars().count() <= 20), "{screen}");
    terminal.tmux(&["resize-window", "-x", "100", "-y", "30"]);
    terminal.shows("OLDEST READY");
    terminal.key("C-c");
    terminal.shows("code=130");
}

#[test]
fn a_narrow_terminal_is_written_no_line_that_it_would_break() {
    let Some(terminal) = Terminal::open(20, 50) else { return };
    let place = Place::new();
    let cast = stage::fill(&place.file);
    for command in ["ls", "queues", "schedules"] {
        terminal.types(&format!("clear; {}", line(&place, command)));
        let screen = terminal.until("end", |screen| {
            screen.contains("code=0") && screen.trim_end().ends_with("ready>")
        });
        // The headings, the code and the next prompt beside the rows: a broken line would be one more.
        let rows = place.told(&[command]).lines().count();
        let lines = screen.lines().filter(|line| !line.trim().is_empty()).count();
        assert_eq!(lines, rows + 3, "{command}:\n{screen}");
    }
    let stories = [
        format!("show {}", cast.waiting),
        format!("why {}", cast.full),
        format!("tree {}", cast.child),
        format!("steps {}", cast.completed),
        format!("budget {}", cast.running.id()),
        "stats".to_string(),
        "owners".to_string(),
        "events".to_string(),
        "retention".to_string(),
        "check".to_string(),
    ];
    for command in stories {
        // What is above the screen is not looked at: the head of a long story.
        terminal.tmux(&["clear-history"]);
        terminal.types(&format!("clear; {}", line(&place, &command)));
        terminal.until("end", |screen| {
            screen.contains("code=0") && screen.trim_end().ends_with("ready>")
        });
        let joined = terminal.tmux(&["capture-pane", "-p", "-J"]);
        // What is there to be copied is whole.
        let is_whole = |line: &&str| line.trim().starts_with("run_") || line.contains("swctl ");
        let mut lines = joined.lines().filter(|line| !is_whole(line));
        let broken = lines.find(|line| line.trim_end().chars().count() > 20);
        assert_eq!(broken, None, "{command}:\n{joined}");
    }
}

#[test]
fn a_question_is_asked_and_no_is_an_answer() {
    let Some(terminal) = Terminal::open(100, 20) else { return };
    let place = Place::new();
    let cast = stage::fill(&place.file);
    terminal.types(&line(&place, "prune --all"));
    terminal.shows("prune 2 runs in 2 trees");
    terminal.shows("[y/N]");
    terminal.types("n");
    terminal.shows("nothing was done");
    terminal.shows("code=1");
    assert_eq!(place.ask(&["show", &cast.completed]).code, Some(0));
    terminal.types(&format!("clear; {}", line(&place, "prune --all")));
    terminal.shows("[y/N]");
    terminal.types("y");
    terminal.shows("code=0");
    assert_eq!(place.ask(&["show", &cast.completed]).code, Some(3));
}

#[test]
fn a_tail_ends_with_ctrl_c_and_says_so_by_its_code() {
    let Some(terminal) = Terminal::open(100, 20) else { return };
    let place = Place::new();
    let cast = stage::fill(&place.file);
    terminal.types(&line(&place, "events -f"));
    terminal.shows("paid");
    cast.running.event("halfway", "50");
    terminal.shows("halfway");
    terminal.key("C-c");
    terminal.shows("ready>");
    terminal.types("echo last=$?");
    terminal.shows("last=130");
}

#[test]
fn a_pipe_that_closes_early_ends_the_command_quickly_and_with_a_sentence() {
    let Some(terminal) = Terminal::open(100, 20) else { return };
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    stage.submit_all(&format!("[{}]", vec![r#"{"workflow":"w"}"#; 5000].join(",")));
    let command = format!("{} \"{}\" ls --all", env!("CARGO_BIN_EXE_swctl"), place.file.display());
    terminal.types(&format!("bash -c '{command} | head -n 1; echo codes=${{PIPESTATUS[*]}}'"));
    let screen = terminal.shows("codes=141 0");
    assert!(screen.contains("whoever read the output has gone"), "{screen}");
}

#[test]
fn a_terminal_gets_colours_unless_it_does_not_want_them() {
    let Some(terminal) = Terminal::open(120, 30) else { return };
    let place = Place::new();
    let _cast = stage::fill(&place.file);
    let colours = || terminal.tmux(&["capture-pane", "-p", "-e"]).contains("\x1b[31mfailed");
    terminal.types(&format!("clear; {}", line(&place, "ls")));
    terminal.shows("code=0");
    assert!(colours());
    terminal.types(&format!("clear; NO_COLOR=1 {}", line(&place, "ls --limit 49")));
    terminal.shows("code=0");
    terminal.until("colours gone", |_| !colours());
}

#[test]
fn zsh_completes_the_beginning_of_a_run() {
    if !has("zsh") {
        return;
    }
    let Some(terminal) = Terminal::open(120, 30) else { return };
    let place = Place::new();
    let cast = stage::fill(&place.file);
    let script = place.folder.path().join("_swctl");
    let made = swctl().args(["completions", "zsh"]).output().expect("it runs");
    std::fs::write(&script, made.stdout).expect("it can be written");
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_swctl")).parent().expect("a folder");
    terminal.types(&format!("clear; PATH={}:$PATH PS1='zsh> ' zsh -f", built.display()));
    terminal.shows("zsh>");
    terminal.types(&format!(
        "autoload -U compinit; compinit -u -D; source {}; echo is-$?",
        script.display()
    ));
    terminal.shows("is-0");
    // Quoted, as a URL has to be: a shell ends a command at &.
    let typed = format!("swctl '{}' why {}", place.file.display(), &cast.full[..29]);
    terminal.tmux(&["send-keys", "-l", &typed]);
    terminal.key("Tab");
    terminal.shows(&cast.full);
}
