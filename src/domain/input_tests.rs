//! One rule of reading for every document that the door takes: what is wrong with it is told in the
//! same words wherever it stands, by its place, its key and its limit, and no text of it is shown.

use super::budget::{amounts, limits};
use super::port::QueueLimits;
use super::schedule::Spec;
use super::{input, items, wait};
use crate::error::Result;
use crate::limits::{KEY_BYTES_MAX, NAME_BYTES_MAX};

/// What a key may hold.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A text of so many bytes at most.
    Word(usize),
    /// An integer of a range.
    Integer(i64, i64),
    Boolean,
    /// One of these words.
    OneOf(&'static str),
    /// JSON of the host's own.
    Payload,
    /// An object.
    Object,
}

use Kind::{Boolean, Integer, Object, OneOf, Payload, Word};

/// A place where an object is read.
struct Place {
    /// In front of its errors.
    name: &'static str,
    /// The document with `%` where the object stands.
    around: &'static str,
    read: fn(&str) -> Result<()>,
    /// What it may have; empty where the keys are the host's.
    keys: &'static [(&'static str, Kind)],
}

const NAME: Kind = Word(NAME_BYTES_MAX);
const KEY: Kind = Word(KEY_BYTES_MAX);
const ANY: Kind = Integer(i64::MIN, i64::MAX);
const I32: Kind = Integer(i32::MIN as i64, i32::MAX as i64);
const U32: Kind = Integer(0, u32::MAX as i64);
const AMOUNT: Kind = Integer(0, i64::MAX);

const SUBMIT: [(&str, Kind); 16] = [
    ("workflow", NAME),
    ("args", Payload),
    ("queue", NAME),
    ("run_at_ms", ANY),
    ("timeout_ms", ANY),
    ("backoff_initial_ms", ANY),
    ("backoff_max_ms", ANY),
    ("priority", I32),
    ("max_tries", U32),
    ("backoff_percent", U32),
    ("idempotency_key", KEY),
    ("idempotency_scope", KEY),
    ("concurrency_key", KEY),
    ("code_version", NAME),
    ("metadata", Object),
    ("local", Boolean),
];

const PLACES: [Place; 8] = [
    Place { name: "items[1]", around: r#"[{"workflow":"w"},%]"#, read: submit_many, keys: &SUBMIT },
    Place {
        name: "items[1]",
        around: r#"[{"workflow":"w","name":"n"},%]"#,
        read: |text| items::children(text).map(drop),
        keys: &[("name", NAME), ("workflow", NAME), ("args", Payload), ("max_tries", U32)],
    },
    Place {
        name: "waits[1]",
        around: r#"[{"signal":"s"},%]"#,
        read: |text| wait::members(text).map(drop),
        keys: &[("signal", NAME), ("sleep_ms", Integer(0, 3_162_240_000_000))],
    },
    Place {
        name: "settings",
        around: "%",
        read: |text| QueueLimits::read(text).map(drop),
        keys: &[("concurrency", U32), ("concurrency_per_key", U32), ("paused", Boolean)],
    },
    Place {
        name: "spec",
        around: "%",
        read: |text| Spec::read(text).map(drop),
        keys: &[
            ("workflow", NAME),
            ("args", Payload),
            ("queue", NAME),
            ("cron", KEY),
            ("every_ms", Integer(1, 3_162_240_000_000)),
            ("timezone", NAME),
            ("overlap", OneOf(r#""skip", "queue""#)),
            ("catch_up", OneOf(r#""none", "last", "all""#)),
            ("paused", Boolean),
        ],
    },
    Place { name: "usage", around: "%", read: |text| amounts("usage", text).map(drop), keys: &[] },
    Place { name: "budget", around: "%", read: |text| limits(text).map(drop), keys: &[] },
    Place {
        name: r#"budget: "tokens""#,
        around: r#"{"usd":1,"tokens":%}"#,
        read: |text| limits(text).map(drop),
        keys: &[("limit", AMOUNT), ("warn", AMOUNT)],
    },
];

/// Reads and checks, as the handle does.
fn submit_many(items: &str) -> Result<()> {
    let runs = items::runs(items)?;
    runs.iter().enumerate().try_for_each(|(at, run)| run.check().map_err(|e| e.at_index(at)))
}

impl Place {
    /// Returns how a document with this object is refused, after the name of the place.
    fn refusal(&self, object: &str) -> (i32, String) {
        let text = self.around.replace('%', object);
        let error = (self.read)(&text).expect_err(&text);
        let sentence = error.to_string();
        assert!(!sentence.contains("secret"), "{text}: {sentence}");
        let name = format!("{}: ", self.name);
        let sentence = sentence.strip_prefix(&name).unwrap_or_else(|| panic!("{text}: {sentence}"));
        (error.code(), sentence.to_owned())
    }

    fn is_invalid(&self, object: &str, sentence: &str) {
        assert_eq!(self.refusal(object), (-2, sentence.to_owned()), "{}: {object}", self.name);
    }
}

/// Values of the wrong kind, and the sentence after the key.
fn wrong(kind: Kind) -> Vec<(String, String)> {
    let of = |values: &[&str], sentence: &str| -> Vec<(String, String)> {
        values.iter().map(|value| ((*value).to_owned(), sentence.to_owned())).collect()
    };
    match kind {
        Word(_) => {
            let mut all = of(&["7", "true", r#"["secret"]"#, r#"{"secret":1}"#], " is no string");
            all.extend(of(&[r#""""#], " is empty"));
            all.extend(of(&[r#""secret\u0000""#], " has a NUL at byte 6"));
            all
        }
        Integer(min, max) => {
            let values = [r#""secret""#, "1.5", "1e3", "true", "[1]", "9223372036854775808"];
            let mut all = of(&values, &format!(" is no integer from {min} to {max}"));
            let beyond = [min.checked_sub(1), max.checked_add(1)].into_iter().flatten();
            let far = |n: i64| (n.to_string(), format!(" is {n}, it must be {min} to {max}"));
            all.extend(beyond.map(far));
            all
        }
        Boolean => of(&["1", r#""secret""#, "{}"], " is neither true nor false"),
        OneOf(known) => {
            let mut all = of(&[r#""secret""#, r#""""#], &format!(" is none of {known}"));
            all.extend(of(&["1"], " is no string"));
            all
        }
        Payload => {
            of(&[r#"{"$smolwf":"secret"}"#], " has the key \"$smolwf\", which is the library's own")
        }
        Object => of(&["[1]", "7", r#""secret""#], ": expected an object"),
    }
}

#[test]
fn what_is_no_object_is_refused_in_the_same_words_everywhere() {
    for place in &PLACES {
        let is_limit = place.name.contains("tokens");
        for other in ["[]", r#""secret""#, "null", "true"] {
            let sentence = "expected an object at byte 0";
            if !is_limit {
                place.is_invalid(other, sentence);
            }
        }
    }
}

#[test]
fn a_key_that_is_not_known_or_comes_twice_is_named_in_the_same_words_everywhere() {
    for place in &PLACES {
        if !place.keys.is_empty() {
            place.is_invalid(r#"{"colo\u0075r":"secret"}"#, r#"unknown key "colour""#);
        }
        let twice = |key: &str| {
            place.is_invalid(
                &format!(r#"{{"{key}":null,"{key}":null}}"#),
                &format!("the key {key:?} comes twice"),
            )
        };
        place.keys.iter().for_each(|(key, _)| twice(key));
    }
    for place in PLACES.iter().filter(|place| place.keys.is_empty()) {
        place.is_invalid(r#"{"a":1,"\u0061":1}"#, r#"the key "a" comes twice"#);
    }
}

#[test]
fn a_value_of_the_wrong_kind_or_range_is_named_in_the_same_words_everywhere() {
    for place in &PLACES {
        for (key, kind) in place.keys {
            for (value, sentence) in wrong(*kind) {
                let first = if key == &"workflow" { "" } else { r#""workflow":"w","# };
                let first = if SUBMIT.contains(&(key, *kind)) { first } else { "" };
                place.is_invalid(
                    &format!(r#"{{{first}"{key}":{value}}}"#),
                    &format!("{key}{sentence}"),
                );
            }
            if let Word(max) = kind {
                let long = "s".repeat(max + 1);
                let (code, sentence) = place.refusal(&format!(r#"{{"{key}":"{long}"}}"#));
                let len = max + 1;
                let expected = format!("{key} has {len} bytes, at most {max} are allowed");
                assert_eq!((code, sentence), (-5, expected));
            }
        }
    }
}

#[test]
fn amounts_by_unit_are_named_by_their_unit_in_the_same_words() {
    for place in PLACES.iter().filter(|place| place.keys.is_empty()) {
        for (value, sentence) in wrong(AMOUNT) {
            place.is_invalid(
                &format!(r#"{{"usd":1,"tokens":{value}}}"#),
                &format!(r#""tokens"{sentence}"#),
            );
        }
    }
}

#[test]
fn lists_say_how_many_and_which_in_the_same_words_everywhere() {
    type Read = fn(&str) -> Result<()>;
    let readers: [(&str, Read); 3] = [
        ("items", |text| items::runs(text).map(drop)),
        ("items", |text| items::children(text).map(drop)),
        ("waits", |text| wait::members(text).map(drop)),
    ];
    for (what, read) in readers {
        let refusal = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(refusal("[]"), format!("{what} has 0 entries, it must have 1 to 10000"));
        let many = format!("[{}1]", "1,".repeat(10_000));
        assert_eq!(refusal(&many), format!("{what} has 10001 entries, it must have 1 to 10000"));
        assert_eq!(refusal("{}"), format!("{what}: expected an array at byte 0"));
    }
    assert_eq!(input::names("names", " []").unwrap(), [""; 0]);
    assert_eq!(input::names("names", r#"["a","b\u00e9"]"#).unwrap(), ["a", "b\u{e9}"]);
    for (text, sentence) in [
        ("{}", "names: expected an array at byte 0"),
        (r#"["a"#, "names: expected the end of a string, found the end of the text at byte 3"),
        (r#"["a",null]"#, "names[1] is no string"),
        (r#"["a",["secret"]]"#, "names[1] is no string"),
        (r#"["a",""]"#, "names[1] is empty"),
    ] {
        assert_eq!(input::names("names", text).unwrap_err().to_string(), sentence);
    }
}

#[test]
fn what_must_be_given_and_is_not_is_named_in_the_same_words_everywhere() {
    for (place, absent) in [(0, "workflow"), (1, "workflow"), (4, "workflow"), (7, "limit")] {
        PLACES[place].is_invalid("{}", &format!("{absent} is absent, it must be given"));
        let null = format!(r#"{{"{absent}":null}}"#);
        PLACES[place].is_invalid(&null, &format!("{absent} is absent, it must be given"));
    }
}
