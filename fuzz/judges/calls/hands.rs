//! What a program has in its hands between two calls, and what it gives to the next one.

#![allow(unsafe_code, reason = "it calls the C functions, as a host does")]

use std::path::PathBuf;

use serde_json::Value;

use super::table::{Function, Parameter, WORDS, function_named};
use super::{taker, view};

/// The bytes of an input, one by one; behind its end there are zeroes.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn new(input: &'a [u8]) -> Bytes<'a> {
        Bytes(input)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Objects of one kind that are kept; the oldest are given back.
const OBJECTS_MAX: usize = 8;
const TEXTS_MAX: usize = 24;

/// SW_OPEN_MANUAL_CLOCK.
const MANUAL_CLOCK: u32 = 4;

/// Texts that are right somewhere, by the names of their parameters.
const RIGHT: [(&str, &[&str]); 27] = [
    ("workflow", &["w", "v"]),
    ("args", &["[1]", "{\"a\":1}"]),
    ("result", &["1", "{\"r\":[]}"]),
    ("error", &["\"no\"", "{\"code\":7}"]),
    ("reason", &["\"enough\""]),
    ("payload", &["2", "\"p\""]),
    ("input", &["1", "{\"i\":1}"]),
    (
        "items",
        &[r#"[{"workflow":"w"},{"workflow":"v","args":1}]"#, r#"[{"name":"c","workflow":"w"}]"#],
    ),
    ("sql", &["SELECT 1", "SELECT run_key FROM sw_workflow_runs", "CREATE TABLE mine (a)"]),
    (
        "script",
        &[
            r#"[{"sql":"CREATE TABLE IF NOT EXISTS mine (a UNIQUE)"},{"sql":"INSERT INTO mine VALUES (1)"}]"#,
            r#"[{"query":"SELECT 1"},{"step_complete":{"result_from":0}}]"#,
            r#"[{"submit":{"workflow":"w"}},{"attempt_complete":{"result":1}}]"#,
            // Its run is not there afterwards.
            r#"[{"submit":{"workflow":"w"}},{"sql":"INSERT INTO nowhere VALUES (1)"}]"#,
        ],
    ),
    ("waits", &[r#"[{"sleep_ms":0}]"#, r#"[{"signal":"go"},{"sleep_ms":5}]"#]),
    ("action", &["pause", "resume", "cancel", "retry"]),
    ("patch", &["{\"a\":null,\"b\":1}"]),
    ("unit", &["t", "usd"]),
    ("amounts", &["{\"t\":1}", "{\"t\":600}"]),
    ("usage", &["{\"t\":1}", "{\"t\":0,\"usd\":1}"]),
    ("budget", &["{\"t\":1000}", r#"{"t":{"limit":5,"warn":1}}"#]),
    ("metadata", &["{\"a\":1}"]),
    ("workflows", &["[\"w\"]"]),
    ("code_versions", &["[\"v\"]"]),
    ("spec", &[r#"{"workflow":"w","every_ms":1000}"#, r#"{"workflow":"w","cron":"* * * * *"}"#]),
    ("settings", &["{}", r#"{"concurrency":1,"concurrency_per_key":1}"#]),
    ("policy", &["{}", r#"{"keep_newest":1,"failed_ms":1}"#]),
    ("filter", &["{}", r#"{"state":"failed"}"#, r#"{"workflow":"w","order":"oldest"}"#]),
    ("options", &["{}", r#"{"ids":"new"}"#, r#"{"redact":true}"#]),
    ("params", &["[]", "[1]"]),
    ("queue", &["default", "q"]),
];
/// For what has another name: names of steps and signals, keys, types.
const OTHERS: [&str; 5] = ["go", "n", "run", "note", "k"];

const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    5,
    10,
    100,
    1_000,
    60_000,
    1 << 31,
    u32::MAX as u64,
    1 << 53,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
    u64::MAX - 1,
];

pub struct Hands {
    objects: Vec<(&'static str, u64)>,
    texts: Vec<String>,
    document: String,
    folder: tempfile::TempDir,
}

impl Hands {
    /// With a store in memory, whose clock stands.
    pub fn new() -> Hands {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let mut hands = Hands {
            objects: Vec::new(),
            texts: Vec::new(),
            document: String::from("{}"),
            folder: folder.expect("a folder"),
        };
        // Of sw_store_options: its size, SW_OPEN_MANUAL_CLOCK, a short wait for locks.
        let options: [u32; 8] = [32, MANUAL_CLOCK, 50, 0, 0, 0, 0, 0];
        let mut store = 0_u64;
        let words = [options.as_ptr() as u64, &raw mut store as u64, 0];
        assert_eq!(hands.done("sw_store_open_in_memory", &words), 0);
        hands.take("sw_store", store);
        let mut applied = 0_u32;
        assert_eq!(hands.done("sw_store_init", &[store, &raw mut applied as u64, 0]), 0);
        hands
    }

    fn done(&self, name: &str, words: &[u64]) -> i32 {
        let function = function_named(name).expect("a function");
        let mut all = [0; WORDS];
        all[..words.len()].copy_from_slice(words);
        // SAFETY: the words are the caller's, and those of a call without an error's place.
        unsafe { function.call(&all) as u32 as i32 }
    }

    /// Asks an accessor of one object.
    pub fn tell(&self, name: &str, object: u64) -> u64 {
        let function = function_named(name).expect("a function");
        let mut words = [0; WORDS];
        words[0] = object;
        // SAFETY: a living object; the place of a length may be absent.
        unsafe { function.call(&words) }
    }

    /// Calls what hands out a text, and reads that.
    pub fn ask(&self, name: &str, store: u64) -> (i32, String) {
        self.ask_with(name, store, &[])
    }

    pub fn ask_with(&self, name: &str, store: u64, words: &[u64]) -> (i32, String) {
        let mut text = 0_u64;
        let code = self.done(name, &[&[store], words, &[&raw mut text as u64, 0]].concat());
        let told = if text == 0 { None } else { view(self.tell("sw_text_data", text)) };
        self.tell("sw_text_free", text);
        (code, told.unwrap_or_default())
    }

    /// Keeps an object, and gives the oldest back when there are many.
    pub fn take(&mut self, kind: &'static str, object: u64) {
        self.objects.push((kind, object));
        let of_kind = self.objects.iter().filter(|(known, _)| *known == kind).count();
        if of_kind > OBJECTS_MAX {
            let oldest = self.objects.iter().position(|(known, _)| *known == kind);
            let (kind, object) = self.objects.remove(oldest.expect("there are many"));
            self.tell(&taker(kind).name, object);
        }
    }

    pub fn forget(&mut self, object: u64) {
        self.objects.retain(|(_, known)| *known != object);
    }

    pub fn free_all(&mut self) {
        while let Some((kind, object)) = self.objects.pop() {
            self.tell(&taker(kind).name, object);
        }
    }

    pub fn newest(&self, kind: &str) -> u64 {
        self.before(kind, 0)
    }

    /// The object of a kind that came so many before the newest; 0, which is NULL, of none.
    fn before(&self, kind: &str, back: usize) -> u64 {
        let mut all = self.objects.iter().rev().filter(|(known, _)| *known == kind);
        let count = all.clone().count();
        all.nth(back % count.max(1)).map_or(0, |(_, object)| *object)
    }

    /// Takes ids and cursors from what a call said.
    pub fn learn(&mut self, said: &str) {
        let Ok(document) = serde_json::from_str::<Value>(said) else { return };
        if document.get("store_id").is_some() {
            self.document = said.to_owned();
        }
        let mut left = vec![&document];
        while let Some(value) = left.pop() {
            match value {
                Value::Array(items) => left.extend(items),
                Value::Object(members) => left.extend(members.values()),
                Value::String(text) => self.learn_id(Some(text.clone())),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    pub fn learn_id(&mut self, id: Option<String>) {
        let is_one = |id: &String| id.contains('_') && id.len() > 20 || id.starts_with("l1.");
        let Some(id) = id.filter(is_one).filter(|id| !self.texts.contains(id)) else { return };
        self.texts.push(id);
        if self.texts.len() > TEXTS_MAX {
            self.texts.remove(0);
        }
    }

    /// An id or a cursor of those that are known, the newest first.
    fn known(&self, prefix: &str, back: u8) -> Option<String> {
        let all: Vec<&String> = self.texts.iter().filter(|it| it.starts_with(prefix)).collect();
        let at = all.len().checked_sub(1 + usize::from(back) % all.len().max(1))?;
        Some(all[at].clone())
    }

    fn path(&self, drawn: u8) -> PathBuf {
        self.folder.path().join(["a.db", "b.db", "no such folder/c.db"][usize::from(drawn) % 3])
    }
}

/// Where nothing was handed out yet.
const POISON: u64 = 0x5a5a_5a5a_5a5a_5a5a;

/// The arguments of one call, and the memory that they point to.
pub struct Given {
    function: &'static Function,
    pub words: [u64; WORDS],
    pub has_error_slot: bool,
    lent: Vec<Vec<u8>>,
    structs: Vec<Vec<u64>>,
    outs: Box<Outs>,
}

struct Outs {
    handles: [u64; 16],
    number: u64,
    len: u64,
    id: [u8; 64],
    error: u64,
}

impl Given {
    pub fn draw(function: &'static Function, hands: &Hands, bytes: &mut Bytes<'_>) -> Given {
        let outs =
            Outs { handles: [POISON; 16], number: POISON, len: POISON, id: [0; 64], error: 0 };
        let mut given = Given {
            function,
            words: [0; WORDS],
            has_error_slot: false,
            lent: Vec::new(),
            structs: Vec::new(),
            outs: Box::new(outs),
        };
        for at in 0..function.parameters.len() {
            let parameter = &function.parameters[at];
            if parameter.class != "LENGTH" {
                let (word, len) = given.argument(parameter, hands, bytes);
                given.words[at] = word;
                if parameter.class == "TEXT" {
                    given.words[at + 1] = len;
                }
            }
        }
        given
    }

    /// Returns an argument, and the length that goes with one that is a text.
    fn argument(&mut self, of: &Parameter, hands: &Hands, bytes: &mut Bytes<'_>) -> (u64, u64) {
        let drawn = bytes.next();
        let is_wrong = drawn >= 0xf8;
        let place = |at: u64| if is_wrong { 0 } else { at };
        let word = match of.class {
            "HANDLE" if drawn < 0x80 => hands.before(of.kind, drawn.into()),
            // Of another kind, or what need not be there.
            "HANDLE" if is_wrong => hands.objects.last().map_or(0, |(_, object)| *object),
            "HANDLE" => {
                if of.kind == "sw_store" {
                    hands.newest(of.kind)
                } else {
                    0
                }
            }
            "TEXT" => return self.text(of, hands, drawn, bytes),
            "PATH" => {
                let path = hands.path(drawn).to_string_lossy().into_owned();
                self.lend(path.into_bytes()).0
            }
            "OPTIONS" => self.options(of, hands, drawn, bytes),
            "NUMBER" => self.number(of, drawn),
            "ROOM" => [64, 64, 64, 64, 1, 0][usize::from(drawn) % 6],
            "OUT_HANDLE" => place(self.outs.handles.as_mut_ptr() as u64),
            "OUT_NUMBER" => place(&raw mut self.outs.number as u64),
            "OUT_LEN" => place(&raw mut self.outs.len as u64),
            "OUT_ID" => place(self.outs.id.as_mut_ptr() as u64),
            "ERROR_SLOT" => {
                self.has_error_slot = !is_wrong;
                place(&raw mut self.outs.error as u64)
            }
            class => panic!("an argument of class {class}"),
        };
        (word, 0)
    }

    /// Returns where a text stands, with a NUL behind it, and its length.
    fn lend(&mut self, mut text: Vec<u8>) -> (u64, u64) {
        let len = text.len() as u64;
        text.push(0);
        let at = text.as_ptr() as u64;
        self.lent.push(text);
        (at, len)
    }

    fn text(
        &mut self,
        of: &Parameter,
        hands: &Hands,
        drawn: u8,
        bytes: &mut Bytes<'_>,
    ) -> (u64, u64) {
        let back = drawn % 8;
        let of_name = RIGHT.iter().find(|(name, _)| *name == of.name);
        let right = of_name.map_or(&OTHERS[..], |(_, texts)| texts);
        let right = || right[usize::from(back) % right.len()].to_owned();
        let text = match (drawn, of.name.as_str()) {
            (0..0x80, "run_id") => hands.known("run_", back).unwrap_or_else(right),
            (0..0x80, "document") => hands.document.clone(),
            (0..0x80, "cursor" | "from_step") if back == 0 => return (0, 0),
            (0..0x80, "cursor") => hands.known("l1.", back).unwrap_or_else(right),
            (0..0x80, "from_step") => hands.known("step_", back).unwrap_or_else(right),
            (0..0x80, "reservation_id") => hands.known("res", back).unwrap_or_else(right),
            (0..0x80, _) => right(),
            (0x80..0xa0, _) => return (0, 0),
            (0xa0..0xb0, _) => hands.known("", back).unwrap_or_else(right),
            (0xb0..0xf8, _) => {
                let raw = bytes.take(usize::from(drawn - 0xb0));
                return self.lend(raw.to_vec());
            }
            // As long as its NUL says.
            _ => return (self.lend(right().into_bytes()).0, u64::MAX),
        };
        self.lend(text.into_bytes())
    }

    fn number(&self, of: &Parameter, drawn: u8) -> u64 {
        let may_wait = self.function.parameters.iter().any(|it| it.name == "stop");
        match of.name.as_str() {
            "max" => u64::from(drawn % 9),
            "wait_ms" => u64::from(drawn % 2),
            "timeout_ms" if may_wait => u64::from(drawn % 2),
            "busy_timeout_ms" => 50,
            "flags" => u64::from(drawn & 0x0f),
            _ if drawn < 0xa0 => NUMBERS[usize::from(drawn) % NUMBERS.len()],
            _ => u64::from(drawn),
        }
    }

    /// Returns where options stand of which a few fields are set; NULL half of the time.
    fn options(&mut self, of: &Parameter, hands: &Hands, drawn: u8, bytes: &mut Bytes<'_>) -> u64 {
        let layout = of.layout.expect("options have a layout");
        let mut given = [0_u8; 256];
        let size = if drawn >= 0xf8 { u32::from(drawn) - 0xf0 } else { layout.size as u32 };
        given[..4].copy_from_slice(&size.to_ne_bytes());
        for _ in 0..drawn % 4 {
            let at = 1 + usize::from(bytes.next()) % (layout.fields.len() - 1);
            let field = &layout.fields[at];
            if field.class == "LENGTH" {
                continue;
            }
            let (word, len) = self.argument(field, hands, bytes);
            given[field.offset..][..field.size].copy_from_slice(&word.to_ne_bytes()[..field.size]);
            if field.class == "TEXT" {
                let next = &layout.fields[at + 1];
                given[next.offset..][..next.size].copy_from_slice(&len.to_ne_bytes());
            }
        }
        if drawn.is_multiple_of(4) && drawn < 0x80 {
            return 0;
        }
        let words =
            given.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap()));
        let words: Vec<u64> = words.collect();
        let at = words.as_ptr() as u64;
        self.structs.push(words);
        at
    }

    pub fn error(&self) -> u64 {
        self.outs.error
    }

    /// Whether a failure left nothing but NULL; where it is told how many there are, that may be wrong.
    pub fn is_clean(&self) -> bool {
        let of_many = self.function.parameters.iter().any(|it| it.name == "max");
        let is_given = self.gives().is_some();
        of_many || !is_given || self.outs.handles[0] == 0
    }

    fn gives(&self) -> Option<&'static str> {
        let places = self.function.parameters.iter().zip(self.words);
        let mut given = places.filter(|(it, word)| it.class == "OUT_HANDLE" && *word != 0);
        given.next().map(|(it, _)| it.kind)
    }

    pub fn handed_out(&self) -> Vec<(&'static str, u64)> {
        let Some(kind) = self.gives() else { return Vec::new() };
        let all = self.outs.handles.iter().filter(|it| **it != 0 && **it != POISON);
        all.map(|object| (kind, *object)).collect()
    }

    pub fn id(&self) -> Option<String> {
        let end = self.outs.id.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&self.outs.id[..end]).into_owned())
    }
}
