//! Each command through the built program, on a store that was made through the library.

mod support;

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use support::stage::{self, Cast};
use support::{Place, ask, swctl};
use swctl::door::{Mode, Store};
use swctl::text;

fn filled() -> (Place, Cast) {
    let place = Place::new();
    let cast = stage::fill(&place.file);
    (place, cast)
}

fn open(place: &Place) -> Store {
    Store::open(&place.file, Mode::Read, 5000).expect("the store opens")
}

// ---- Forms --------------------------------------------------------------------------------------

#[test]
fn each_looker_answers_in_a_pipe_and_as_a_table_without_a_colour() {
    let (place, cast) = filled();
    let id = cast.failed.as_str();
    let lookers: &[&[&str]] = &[
        &["ls"],
        &["show", id],
        &["why", id],
        &["tree", id],
        &["steps", id],
        &["events"],
        &["stats"],
        &["queues"],
        &["owners"],
        &["schedules"],
        &["budget", cast.full.as_str()],
        &["check"],
        &["sql", "SELECT 1 AS one"],
    ];
    for looker in lookers {
        let piped = place.told(looker);
        let mut args = looker.to_vec();
        args.push("--table");
        let table = place.told(&args);
        for text in [&piped, &table] {
            let is_bare = looker[0] == "budget" || !text.trim().is_empty();
            assert!(is_bare && !text.contains('\x1b'), "{looker:?}: {text:?}");
        }
    }
}

#[test]
fn json_is_the_librarys_document_byte_for_byte() {
    let (place, cast) = filled();
    let store = open(&place);
    let id = cast.completed.as_str();
    let line = |document: Result<String, swctl::door::Error>| document.expect("a document") + "\n";
    assert_eq!(place.told(&["show", id, "--json"]), line(store.run_get(id)));
    assert_eq!(place.told(&["steps", id, "--json"]), line(store.run_history(id, None, 0)));
    assert_eq!(place.told(&["why", id, "--json"]), line(store.run_explain(id)));
    assert_eq!(place.told(&["ls", "--json"]), line(store.run_list("{}", None, 50)));
    assert_eq!(place.told(&["events", "--json"]), line(store.event_read(None, 0, 0)));
    assert_eq!(place.told(&["queues", "--json"]), line(store.queues()));
    assert_eq!(place.told(&["owners", "--json"]), line(store.owners()));
    assert_eq!(place.told(&["schedules", "--json"]), line(store.schedules()));
    assert_eq!(place.told(&["check", "--json"]), line(store.check()));
    let newsletter = cast.running.id();
    assert_eq!(place.told(&["budget", &newsletter, "--json"]), line(store.budget_get(&newsletter)));
    let one = "SELECT 9007199254740993 AS n";
    assert_eq!(place.told(&["sql", one, "--json"]), line(store.query(one, None, None)));
}

#[test]
fn jsonl_gives_a_document_a_line() {
    let (place, cast) = filled();
    for args in [
        vec!["ls", "--jsonl"],
        vec!["events", "--jsonl"],
        vec!["steps", &cast.completed, "--jsonl"],
    ] {
        let lines = place.told(&args);
        assert!(lines.lines().count() > 1, "{args:?}");
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("a document");
        }
    }
}

#[test]
fn a_pipe_gets_whole_ids_and_times_that_another_program_reads() {
    let (place, cast) = filled();
    let line = place.told(&["ls", "--state", "failed"]);
    let columns: Vec<&str> = line.trim_end_matches('\n').split('\t').collect();
    assert_eq!(columns.len(), 8, "{line:?}");
    assert_eq!(columns[..5], [cast.failed.as_str(), "failed", "invoice", "billing", "1/3"]);
    assert!(columns[5].ends_with('Z') && columns[5].contains('T'), "{line:?}");
    assert_eq!(columns[7], "bank: connection refused");
}

#[test]
fn no_payload_writes_a_control_character_to_a_terminal() {
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    let id = stage.submit(r#"{"workflow":"w","args":"a\u001b[2Jb","metadata":{"k":"\u009bx"}}"#);
    let held = stage.claim("default");
    held.step("bell\u{7}", r#""\u001b]0;title\u0007""#);
    held.event("e\u{1b}[1m", "\"\\u001b\"");
    held.fail(r#"{"message":"red \u001b[31m\u202e"}"#, true);
    for command in ["show", "why", "steps", "tree"] {
        for form in ["--table", "--busy=1s"] {
            let text = place.told(&[command, &id, form]);
            let hidden = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c));
            assert_eq!(hidden, None, "{command} {form}: {text:?}");
            assert!(!text.contains('\u{202e}'), "{command} {form}");
        }
    }
    for args in [["ls", "--table"], ["events", "--table"], ["events", "--busy=1s"]] {
        let text = place.told(&args);
        assert!(!text.chars().any(|c| c.is_control() && !"\n\t".contains(c)), "{args:?}: {text:?}");
    }
}

#[test]
fn a_name_that_moves_the_cursor_is_quoted_in_what_is_to_be_typed_next() {
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    let signal = "go\u{1b}[2J\u{9b}x\u{202e}'\\ \u{61c}";
    let queue = "q\u{1b}]0;title\u{7}";
    let item = serde_json::json!({"workflow": "w", "queue": queue}).to_string();
    let id = stage.submit(&item);
    stage.claim(queue).await_signal(signal);
    stage.submit(&item);
    let full = stage.submit(&item);
    let _held = stage.claim(queue);
    stage.queue_set(queue, r#"{"concurrency":1}"#);
    for run in [&id, &full] {
        let why = place.told(&["why", run, "--table"]);
        assert!(!why.chars().any(|c| text::is_hidden(c) && c != '\n'), "{why:?}");
    }
    // What is to be typed is the name, to the shell that reads it.
    let why = place.told(&["why", &id, "--table"]);
    let word = why.lines().find_map(|line| line.split_once(&format!("signal {id} ")));
    let word = word.expect("a command").1.strip_suffix(" JSON").expect("its payload");
    let mut shell = std::process::Command::new("bash");
    shell.env("LC_ALL", "C.UTF-8").args(["-c", &format!("printf %s {word}")]);
    assert_eq!(String::from_utf8_lossy(&shell.output().expect("bash runs").stdout), signal);
}

#[test]
fn the_version_is_told_by_command_and_by_option() {
    let say = |args: &[&str]| support::Answer::from(swctl().args(args).output().expect("it runs"));
    let told = say(&["version"]);
    assert!(told.out.starts_with("swctl ") && told.out.contains("SQLite"), "{told:?}");
    for option in ["--version", "-V"] {
        let other = say(&[option]);
        assert_eq!((other.code, other.out), (Some(0), told.out.clone()), "{option}");
    }
}

// ---- Questions of an operator -------------------------------------------------------------------

#[test]
fn a_stranger_learns_what_runs_what_failed_and_who_holds_the_queue() {
    let (place, cast) = filled();
    let running = place.told(&["ls", "--state", "running"]);
    assert!(running.starts_with(&cast.running.id()) && running.lines().count() == 1, "{running}");
    let failed = place.told(&["ls", "--state", "failed", "--ended-from", "1h"]);
    assert!(failed.contains("bank: connection refused"), "{failed}");
    let why = place.told(&["why", &cast.full, "--table"]);
    assert!(why.contains("Queue \"mail\" lets 1 run at once"), "{why}");
    assert!(why.contains(&format!("why {}", cast.running.id())), "{why}");
    let stats = place.told(&["stats", "--table"]);
    assert!(stats.contains(&cast.running.id()), "{stats}");
    let owners = place.told(&["owners"]);
    assert!(owners.contains(&format!("\t{}\talive\t1\t", std::process::id())), "{owners}");
}

#[test]
fn why_names_what_to_type_for_each_reason() {
    let (place, cast) = filled();
    let said = [
        (&cast.waiting, "signal RUN decision JSON"),
        (&cast.parent, "why"),
        (&cast.backing_off, "show RUN"),
        (&cast.delayed, "wait RUN"),
        (&cast.paused, "resume RUN"),
        (&cast.failed, "retry RUN"),
        (&cast.full, "queue set mail --concurrency 2"),
    ];
    for (id, command) in said {
        let why = place.told(&["why", id, "--table"]);
        assert!(why.contains(&command.replace("RUN", id)), "{command}: {why}");
    }
}

#[test]
fn show_tells_what_a_run_did_and_what_it_waits_for() {
    let (place, cast) = filled();
    let shown = place.told(&["show", &cast.waiting, "--table"]);
    for part in [
        "approval",
        "waiting",
        "No message \"decision\" has come",
        "asked the manager",
        "suspended",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let shown = place.told(&["show", &cast.parent, "--table"]);
    assert!(shown.contains(&cast.child), "{shown}");
}

#[test]
fn a_tree_is_drawn_from_its_top_whichever_run_is_named() {
    let (place, cast) = filled();
    let drawn = place.told(&["tree", &cast.child, "--table"]);
    let lines: Vec<&str> = drawn.lines().collect();
    assert_eq!(lines.len(), 3, "{drawn}");
    assert!(lines[0].starts_with(&cast.parent), "{drawn}");
    assert!(
        lines[1].starts_with(&format!("`- {}", cast.child)) && lines[1].contains(" <"),
        "{drawn}"
    );
    assert!(lines[2].starts_with("   `- run_"), "{drawn}");
}

#[test]
fn the_beginning_of_an_id_and_latest_mean_a_run() {
    let (place, cast) = filled();
    assert!(place.told(&["show", &cast.full[..29], "--table"]).starts_with(&cast.full));
    let newest = place.told(&["ls", "--limit", "1"]);
    assert!(newest.starts_with(place.told(&["show", "latest"]).split(' ').next().expect("an id")));
    let several = place.ask(&["show", &cast.full[..10]]);
    assert_eq!(several.code, Some(2), "{several:?}");
}

// ---- Acts ---------------------------------------------------------------------------------------

#[test]
fn what_is_submitted_is_found_by_its_key_and_metadata_and_ended_by_a_worker() {
    let place = Place::new();
    place.told(&["migrate", "--create"]);
    let args = [
        "submit",
        "w",
        "{\"n\":1}",
        "--key",
        "k1",
        "--meta",
        "tenant=acme",
        "--queue",
        "q",
        "--tries",
        "1",
    ];
    let id = place.told(&args);
    assert_eq!(place.told(&args), id, "the key has made it");
    assert!(place.told(&["ls", "--meta", "tenant=acme"]).starts_with(id.trim()));
    assert_eq!(place.told(&["ls", "--key", "k1", "--count"]), "1\n");
    let closing = place.ask(&["submit", "w", "1},{\"workflow\":\"x\""]);
    assert_eq!(closing.code, Some(2), "{closing:?}");
    assert_eq!(place.told(&["ls", "--count"]), "1\n");
    let stage = stage::Stage::open(&place.file);
    stage.claim("q").complete("true");
    assert!(place.told(&["wait", id.trim()]).contains("completed\ttrue"));
}

#[test]
fn an_act_by_filter_wants_a_yes_where_nobody_can_be_asked_and_a_dry_run_does_nothing() {
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    stage.submit_all(&format!("[{}]", vec![r#"{"workflow":"w"}"#; 1200].join(",")));
    let kept = stage.submit(r#"{"workflow":"other"}"#);
    let refused = place.ask(&["cancel", "--workflow", "w"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("cancel 1200 runs"), "{refused:?}");
    let rehearsed = place.ask(&["cancel", "--workflow", "w", "--dry-run"]);
    assert_eq!(
        (rehearsed.code, rehearsed.out.as_str()),
        (Some(0), "1000\t0\tyes\n"),
        "{rehearsed:?}"
    );
    assert_eq!(place.told(&["ls", "--state", "pending", "--count"]), "1201\n");
    assert_eq!(place.told(&["cancel", "--workflow", "w", "--yes"]), "1200\t0\n");
    assert_eq!(place.told(&["ls", "--state", "cancelled", "--count"]), "1200\n");
    assert!(place.told(&["ls", "--state", "pending"]).starts_with(&kept));
    assert_eq!(place.ask(&["cancel"]).code, Some(2), "an act on nothing named is none");
    let states = place.ask(&["retry", "--state", "pending", "--yes"]);
    assert_eq!(states.code, Some(4), "{states:?}");
    assert_eq!(place.told(&["retry", "--workflow", "w", "--yes"]), "1200\t0\n");
}

/// The program as somebody who may read a place and write nothing in it.
fn ask_as_a_reader(place: &Place, args: &[&str]) -> support::Answer {
    let allow = |name: &str, mode: u32| {
        let path = place.folder.path().join(name);
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    };
    // Where the program was built others may not look.
    let program = place.folder.path().join("swctl");
    if !program.exists() {
        // By another process: what this one has open for writing its other tests' children hold too, and a
        // program that is held so is not run.
        let mut copy = std::process::Command::new("cp");
        let copied = copy.arg(env!("CARGO_BIN_EXE_swctl")).arg(&program).status();
        assert!(copied.expect("cp runs").success());
    }
    for file in ["app.db", "app.db-wal", "app.db-shm", "app.db-smolwf"] {
        allow(file, 0o444);
    }
    allow("", 0o555);
    let mut command = std::process::Command::new(program);
    // To the owner of all files nothing is forbidden.
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let answer = command.arg(&place.file).args(args).output().expect("it runs");
    allow("", 0o755);
    answer.into()
}

#[test]
fn a_rehearsal_is_for_whoever_may_read_the_file_and_an_act_is_not() {
    if support::is_of_files("rights are those of roles") {
        return;
    }
    let (place, cast) = filled();
    let id = cast.full.as_str();
    let rehearsals: &[&[&str]] = &[
        &["cancel", id],
        &["pause", "--queue", "mail"],
        &["resume", "--where", "{}"],
        &["retry", "--state", "failed"],
        &["prune", "--all"],
        &["retention", "set", "--completed", "7d"],
        &["retention", "off"],
        &["migrate"],
    ];
    for rehearsal in rehearsals {
        let answer = ask_as_a_reader(&place, &[rehearsal, &["--dry-run"][..]].concat());
        assert_eq!(answer.code, Some(0), "{rehearsal:?}: {answer:?}");
    }
    assert_eq!(ask_as_a_reader(&place, &["pause", id]).code, Some(8));
    let none = place.folder.path().join("none.db");
    assert_eq!(ask(&none, &["prune", "--all", "--dry-run"]).code, Some(8));
    assert!(!none.exists());
}

#[test]
fn named_runs_are_paused_resumed_cancelled_retried_forked_signalled_and_annotated() {
    let (place, cast) = filled();
    let id = cast.full.as_str();
    assert_eq!(place.told(&["pause", id, "--dry-run"]), format!("{id}\tpending\n"));
    assert_eq!(place.told(&["pause", id]), format!("{id}\tpaused\n"));
    assert_eq!(place.told(&["resume", id]), format!("{id}\tpending\n"));
    assert_eq!(place.told(&["cancel", id, "--reason", "\"late\""]), format!("{id}\tcancelled\n"));
    assert!(place.told(&["show", id]).contains("\"late\""));
    assert_eq!(place.told(&["retry", id]), format!("{id}\tpending\n"));
    let fork = place.told(&["fork", &cast.completed, "--from", "mail"]);
    assert!(fork.starts_with("run_") && fork.trim() != cast.completed, "{fork}");
    assert_eq!(place.ask(&["fork", &cast.completed, "--from", "nothing"]).code, Some(3));
    place.told(&["signal", &cast.waiting, "decision", "{\"yes\":true}", "--key", "d1"]);
    // Whether somebody claims there is a matter of time; that it waits no more is not.
    let why = place.told(&["why", &cast.waiting]);
    assert!(why.starts_with("behind_others\t") || why.starts_with("queue_unclaimed\t"), "{why}");
    let annotated = place.told(&["annotate", id, "case=7", "seen=true"]);
    assert_eq!(annotated, format!("{id}\t{{\"case\":7,\"seen\":true}}\n"));
    assert!(place.told(&["ls", "--meta", "case=7"]).starts_with(id));
}

#[test]
fn a_queue_keeps_what_is_not_named() {
    let (place, _cast) = filled();
    let row = |args: &[&str]| place.told(args).split('\t').map(str::to_string).collect::<Vec<_>>();
    let columns = row(&["queue", "set", "mail", "--per-key", "2"]);
    assert_eq!(columns[..5], ["mail", "open", "1", "1", "2"]);
    assert_eq!(row(&["queue", "pause", "mail"])[..5], ["mail", "paused", "1", "1", "2"]);
    assert_eq!(
        row(&["queue", "set", "mail", "--concurrency", "none"])[..5],
        ["mail", "paused", "1", "", "2"]
    );
    assert_eq!(row(&["queue", "resume", "mail"])[..5], ["mail", "open", "1", "", "2"]);
    assert_eq!(place.ask(&["queue", "resume", "nowhere"]).code, Some(3));
    assert_eq!(place.ask(&["queue", "set", "mail", "--concurrency", "many"]).code, Some(2));
}

#[test]
fn a_prune_tells_what_it_would_take_and_takes_that() {
    let (place, cast) = filled();
    assert_eq!(place.ask(&["prune"]).code, Some(2));
    let would = place.ask(&["prune", "--state", "completed", "--dry-run", "--table"]);
    assert!(
        would.out.contains(&cast.completed) && would.err.contains("nothing was removed"),
        "{would:?}"
    );
    assert_eq!(place.told(&["ls", "--state", "completed", "--count"]), "1\n");
    let gone = place.told(&["prune", "--state", "completed", "--yes"]);
    assert!(gone.starts_with("1\t1\t") && gone.ends_with("\tno\n"), "{gone}");
    assert_eq!(place.ask(&["show", &cast.completed]).code, Some(3));
    assert_eq!(place.ask(&["prune", "--all"]).code, Some(2), "nobody can be asked");
}

#[test]
fn what_a_prune_has_freed_is_given_back_to_the_file_system() {
    if support::is_of_files("autovacuum gives room back") {
        return;
    }
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    // Letters that are like no others and do not pack, so that each takes its room.
    let mut seed = 1_u32;
    let mut letter = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'#' + (seed >> 24) as u8 % 57)
    };
    for _ in 0..20 {
        let args = format!("\"{}\"", (0..1_000_000).map(|_| letter()).collect::<String>());
        stage.submit(&format!("{{\"workflow\":\"w\",\"args\":{args}}}"));
        stage.claim("default").complete("null");
    }
    place.told(&["prune", "--all", "--yes"]);
    let pages = |line: &str| -> Vec<i64> {
        line.trim().split('\t').map(|it| it.parse().expect("a number")).collect()
    };
    let part = pages(&place.told(&["compact", "--pages", "10"]));
    assert!(part[0] == 10 && part[1] > 3000, "{part:?}");
    let rest = pages(&place.told(&["compact"]));
    assert!(rest[0] >= part[1] && rest[1] == 0, "{rest:?} after {part:?}");
    assert_eq!(place.ask(&["compact", "--pages", "0"]).code, Some(2));
}

#[test]
fn a_policy_is_set_member_by_member_shown_and_ended() {
    let (place, _cast) = filled();
    assert_eq!(place.told(&["retention", "--json"]), "{}\n");
    let asked = ["retention", "set", "--completed", "7d", "--keep-newest", "5"];
    assert_eq!(place.ask(&asked).code, Some(2), "nobody can be asked");
    let rehearsed = place.ask(&[&asked[..], &["--dry-run"]].concat());
    assert!(rehearsed.err.contains("0 topmost runs"), "{rehearsed:?}");
    assert_eq!(place.told(&["retention", "--json"]), "{}\n");
    let newest = place.ask(&["retention", "set", "--keep-newest", "1", "--dry-run"]);
    assert!(newest.err.contains("2 topmost runs"), "without an age all others go: {newest:?}");
    let set = place.told(&[&asked[..], &["--yes"]].concat());
    assert_eq!(set, "*\t604800000\t\t\t5\n");
    let one = ["retention", "set", "--workflow", "invoice", "--failed", "1h", "--yes"];
    assert_eq!(place.told(&one), "*\t604800000\t\t\t5\ninvoice\t\t3600000\t\t\n");
    let gone = ["retention", "set", "--workflow", "invoice", "--failed", "none", "--yes"];
    assert_eq!(place.told(&gone), "*\t604800000\t\t\t5\n");
    place.told(&["retention", "off"]);
    assert_eq!(place.told(&["retention"]), "");
}

#[test]
fn a_tree_goes_from_one_store_into_another() {
    let (place, cast) = filled();
    let kept = place.folder.path().join("run.json");
    let name = kept.to_str().expect("UTF-8");
    let below = place.ask(&["export", &cast.child]);
    assert_eq!(below.code, Some(4), "{below:?}");
    place.told(&["export", &cast.parent, "-o", name]);
    assert_eq!(
        place.ask(&["export", &cast.parent, "-o", name]).code,
        Some(8),
        "what is there stays"
    );
    let other = Place::new();
    other.told(&["migrate", "--create"]);
    assert_eq!(other.told(&["import", name]), format!("{}\t3\n", cast.parent));
    assert_eq!(other.told(&["tree", &cast.child]), place.told(&["tree", &cast.child]));
    assert_eq!(other.ask(&["import", name]).code, Some(4), "they are there");
    assert!(other.told(&["import", name, "--new-ids"]).ends_with("\t3\n"));
    assert_eq!(other.told(&["ls", "--count"]), "6\n");
    let redacted = place.told(&["export", &cast.failed, "--redact"]);
    assert!(!redacted.contains("connection refused"), "{redacted}");
    std::fs::write(&kept, redacted).expect("a file");
    assert_eq!(other.ask(&["import", name]).code, Some(2));
    assert_eq!(other.ask(&["import", "/nowhere.json"]).code, Some(8));
}

#[test]
fn a_store_is_moved_into_one_that_is_made_and_says_where_it_went() {
    let (place, _cast) = filled();
    let other = Place::new();
    let to = other.file.to_str().expect("UTF-8").to_string();
    let moved = place.told(&["move", &to]);
    assert!(moved.contains("sw_workflow_runs\t"), "{moved}");
    assert_eq!(other.ask(&["check"]).code, Some(0));
    let refused = place.ask(&["submit", "w"]);
    assert_eq!(refused.code, Some(7), "{refused:?}");
    assert!(refused.err.contains("was moved to"), "{refused:?}");
    let again: serde_json::Value =
        serde_json::from_str(&place.told(&["move", &to, "--json"])).expect("JSON");
    assert_eq!(again["state"], "moved");
    assert_eq!(place.ask(&["move", "--abort"]).code, Some(7), "it is decided");
    assert!(other.told(&["move", "--abort", "--json"]).contains("in_force"));
    assert_eq!(place.ask(&["move"]).code, Some(2));
}

#[test]
fn a_copy_is_whole_and_overwrites_nothing() {
    if support::is_of_files("pg_dump copies a store there") {
        return;
    }
    let (place, cast) = filled();
    let copy = place.folder.path().join("copy.db");
    let name = copy.to_str().expect("UTF-8");
    assert!(place.told(&["backup", name]).starts_with(&format!("{name}\t")));
    assert_eq!(ask(&copy, &["check"]).out, "ok\n");
    assert!(ask(&copy, &["show", &cast.completed]).out.starts_with(&cast.completed));
    assert_eq!(place.ask(&["backup", name]).code, Some(4));
}

#[test]
fn a_damaged_file_fails_its_check() {
    if support::is_of_files("its pages are the server's") {
        return;
    }
    let place = Place::new();
    drop(stage::fill(&place.file));
    let other = rusqlite::Connection::open(&place.file).expect("SQLite");
    other.execute("UPDATE sw_budget_balances SET spent = spent + 1", []).expect("a lie");
    drop(other);
    let answer = place.ask(&["check"]);
    assert_eq!(answer.code, Some(1), "{answer:?}");
    assert!(answer.out.starts_with("ledger\t"), "{answer:?}");
}

#[test]
fn a_bundle_holds_the_story_of_a_run_and_no_payload() {
    let (place, cast) = filled();
    let text = place.told(&["bundle", &cast.failed]);
    let bundle: serde_json::Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(bundle["run"]["run_id"], cast.failed.as_str());
    assert_eq!(bundle["check"]["ok"], true);
    for payload in ["connection refused", "globex", "r-9"] {
        assert!(!text.contains(payload), "{payload}");
    }
    let kept = place.folder.path().join("bundle.json");
    let name = kept.to_str().expect("UTF-8");
    place.told(&["bundle", &cast.failed, "--payloads", "-o", name]);
    assert!(std::fs::read_to_string(&kept).expect("a file").contains("connection refused"));
    assert_eq!(place.ask(&["bundle", "-o", name]).code, Some(8), "what is there stays");
}

#[test]
fn a_query_reads_and_writes_nothing() {
    let (place, _cast) = filled();
    let count = "SELECT workflow, count(*) FROM sw_workflow_lanes WHERE workflow = $1 GROUP BY 1";
    // On a server the store's schema is on the path of those who ask: their tables are in it.
    assert_eq!(place.told(&["sql", count, "--params", "[\"invoice\"]"]), "invoice\t1\n");
    assert_eq!(place.ask(&["sql", "DELETE FROM sw_workflow_runs"]).code, Some(2));
}

// ---- Tails --------------------------------------------------------------------------------------

#[test]
fn a_tail_gives_events_as_they_come() {
    let place = Place::new();
    let stage = stage::Stage::open(&place.file);
    stage.submit(r#"{"workflow":"w"}"#);
    let held = stage.claim("default");
    held.event("first", "1");
    let mut command = swctl();
    command.arg(&place.file).args(["events", "-f", "--jsonl"]).stdout(Stdio::piped());
    let mut tail = command.spawn().expect("it runs");
    let mut lines = BufReader::new(tail.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("UTF-8");
    assert!(next().contains("\"first\""));
    held.event("second", "2");
    assert!(next().contains("\"second\""));
    tail.kill().expect("it is ours");
    tail.wait().expect("it ends");
    assert_eq!(place.ask(&["events", "-f", "--json"]).code, Some(2));
}
