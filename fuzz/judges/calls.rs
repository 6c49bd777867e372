//! Sequences of calls, as a program in C makes them: which function, with which of the handles and texts that
//! the calls before it gave, or with something else. Each answers a code that its documentation tells, with an
//! error that says the same or none; what it hands out can be used and given back; one that fails changes no
//! run (P7); and the store is whole at the end. Which functions there are, and what their parameters are for,
//! is read from the header.

#![allow(unsafe_code, reason = "it calls the C functions, as a host does")]

#[path = "../../tests/support/arguments.rs"]
mod arguments;
#[path = "../../tests/support/declared.rs"]
mod declared;
mod hands;
mod table;

use std::ffi::CStr;

use hands::{Bytes, Given, Hands};
use table::{Function, Gives, function_named, functions};

/// Calls of one input at most.
const CALLS_MAX: usize = 40;

/// It ends the process at its word.
const NEVER: &str = "sw_store_kill_at";

/// Functions that came after the corpus, whose bytes keep what they mean: the last bytes mean these.
const YOUNGER: [&str; 1] = ["sw_store_graduate"];

/// Calls that may move what is due before they fail.
const MOVING: [&str; 8] =
    ["claim", "wait", "advance", "close", "shutdown", "prune", "schedule", "act_many"];

pub fn judge(input: &[u8]) {
    let mut bytes = Bytes::new(input);
    let mut hands = Hands::new();
    for _ in 0..CALLS_MAX {
        if bytes.is_empty() {
            break;
        }
        let function = chosen(bytes.next());
        if function.name != NEVER {
            play(&mut hands, function, &mut bytes);
        }
    }
    let store = hands.newest("sw_store");
    if store != 0 {
        let (code, told) = hands.ask("sw_store_check", store);
        assert!(code < 0 || told == r#"{"ok":true,"faults":[]}"#, "{told}");
    }
    hands.free_all();
}

/// Returns the function that a byte means.
fn chosen(byte: u8) -> &'static Function {
    let younger = YOUNGER.get(usize::from(u8::MAX - byte)).and_then(|name| function_named(name));
    younger.unwrap_or_else(|| {
        let mut older = functions().iter().filter(|one| !YOUNGER.contains(&one.name.as_str()));
        let count = functions().len() - YOUNGER.len();
        older.nth(usize::from(byte) % count).expect("one of the older functions")
    })
}

fn play(hands: &mut Hands, function: &'static Function, bytes: &mut Bytes<'_>) {
    let may_move = MOVING.iter().any(|part| function.name.contains(part));
    let is_watched = function.is_of_store() && function.writes && !may_move;
    let given = Given::draw(function, hands, bytes);
    let before = if is_watched { runs(hands, given.words[0]) } else { String::new() };
    // SAFETY: handles are living ones or NULL, texts and places are the given ones, which live on.
    let answer = unsafe { function.call(&given.words) };
    match function.gives {
        Gives::Code => {
            let code = answer as u32 as i32;
            answers(hands, function, &given, code);
            if is_watched && code < 0 {
                let after = runs(hands, given.words[0]);
                assert_eq!(
                    before, after,
                    "{} fails with {code} and leaves something",
                    function.name
                );
            }
        }
        Gives::View => drop(view(answer)),
        Gives::Other => {}
    }
    if function.name.ends_with("_free") || function.name == "sw_store_close" {
        hands.forget(given.words[0]);
    }
}

/// Holds a code against the documentation, and what came with it against the code.
fn answers(hands: &mut Hands, function: &'static Function, given: &Given, code: i32) {
    let name = function.name.as_str();
    assert!(function.codes.contains(&code), "{name} answers {code}, of which it tells nothing");
    let error = given.error();
    if given.has_error_slot {
        assert_eq!(code < 0, error != 0, "{name} answers {code} and has an error or none");
    }
    if error != 0 {
        let told = hands.tell("sw_error_code", error) as u32 as i32;
        assert_eq!(told, code, "{name} has two minds");
        assert!(!view(hands.tell("sw_error_message", error)).unwrap_or_default().is_empty());
        hands.take("sw_error", error);
    }
    if code < 0 {
        assert!(given.is_clean(), "{name} answers {code} and hands something out");
        return;
    }
    for (kind, object) in given.handed_out() {
        if kind == "sw_text" {
            let said = view(hands.tell("sw_text_data", object)).expect("a text has data");
            hands.learn(&said);
        }
        hands.take(kind, object);
    }
    hands.learn_id(given.id());
}

/// Reads a text of the library's, NUL and all.
pub fn view(at: u64) -> Option<String> {
    if at == 0 {
        return None;
    }
    // SAFETY: the library ends its texts with a NUL.
    let text = unsafe { CStr::from_ptr(at as *const std::ffi::c_char) };
    Some(text.to_str().expect("the library writes UTF-8").to_owned())
}

/// All runs with all that is shown of them, and all events.
fn runs(hands: &mut Hands, store: u64) -> String {
    let filter = r#"{"include":["args","result","error","metadata"],"order":"oldest"}"#;
    let nothing = 0_u64;
    let runs = [filter.as_ptr() as u64, filter.len() as u64, nothing, 0, 100];
    let events = [0, nothing, 0, 100];
    hands.ask_with("sw_run_list", store, &runs).1
        + &hands.ask_with("sw_event_read", store, &events).1
}

/// The function that takes an object of a kind back.
pub fn taker(kind: &str) -> &'static Function {
    let close = format!("{kind}_close");
    function_named(&format!("{kind}_free")).or_else(|| function_named(&close)).expect("one of them")
}
