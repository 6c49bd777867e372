//! JSON at the door: checking it, hashing it, reading the little we need of it.
//!
//! Payloads come back byte for byte as they were given, so nothing here turns a text into a tree and
//! back. One scanner walks a text in a single pass, holds it to the grammar of RFC 8259 and hands
//! each token on; what a function wants of the text it takes from the tokens. The scanner is ours
//! because a fault must name its byte, where serde_json names line and column, reads integers beyond
//! 64 bits as floats and lets the last of two equal keys win in silence. It keeps its place in a
//! word of bits: no input makes it recurse. serde_json reads and writes strings with escapes,
//! serde_json_canonicalizer writes the numbers of the canonical form.

pub mod document;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, Sentence};
use crate::limits::JSON_DEPTH_MAX;
use crate::plant::{Plant, stands};

/// The key that marks an error document of the engine's own; hosts may not use it.
pub const ENGINE_KEY: &str = "$smolwf";

/// The largest integer that binary64 holds apart from its neighbours: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a text is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes before the fault; the length of the text when it ends too early.
    pub offset: usize,
    /// What is wrong there. Never holds a part of the text.
    pub what: Sentence,
}

impl Fault {
    fn new(offset: usize, what: impl Into<Sentence>) -> Fault {
        Fault { offset, what: what.into() }
    }

    /// Makes an [`Error::Invalid`] that names the argument, as in `args: expected a value at byte 7`.
    pub fn of(&self, argument: &str) -> Error {
        Error::invalid(format!("{argument}: {self}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} at byte {}", self.what, self.offset)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        fault.of("JSON")
    }
}

/// Checks that a text is one JSON value (RFC 8259) of at most [`JSON_DEPTH_MAX`] levels.
///
/// A surrogate escape without its partner and a key that comes twice are within that grammar.
///
/// # Errors
/// The first fault of the text.
pub fn check(text: &str) -> Result<(), Fault> {
    scan(text, |_| Ok(()))
}

/// Returns whether a text that [`check`] passed is an object.
pub fn is_object(text: &str) -> bool {
    text.trim_start_matches(is_space).starts_with('{')
}

/// Returns whether a text is an object with the key `$smolwf` at its top, however the key is spelt.
///
/// Expects a text that [`check`] passed; of another, only what stands before its fault is looked at.
pub fn has_engine_key(text: &str) -> bool {
    let may_hold_it = is_object(text) && (text.contains(ENGINE_KEY) || text.contains("\\u00"));
    if !may_hold_it {
        return false;
    }
    let mut is_found = false;
    // A fault is no concern of this question.
    let _ = scan(text, |token| {
        if token.kind == Kind::Key && token.depth == 1 && !is_found {
            is_found = is_engine_key(token.of(text));
        }
        Ok(())
    });
    is_found
}

/// Returns the canonical form of a JSON text (RFC 8785): equal for texts that mean the same.
///
/// # Errors
/// What [`check`] refuses, and what has no one meaning in it: a key twice in one object, an integer
/// beyond +-(2^53 - 1), a number beyond binary64, a surrogate escape without its partner.
pub fn canonical(text: &str) -> Result<String, Fault> {
    let mut writer = Canonical::new(text);
    scan(text, |token| writer.take(&token))?;
    Ok(writer.out)
}

/// Returns the hash that two inputs share when they mean the same: the first 16 bytes of BLAKE3 of
/// the [`canonical`] form.
///
/// # Errors
/// As [`canonical`].
pub fn input_hash(text: &str) -> Result<[u8; 16], Fault> {
    let hash = blake3::hash(canonical(text)?.as_bytes());
    let mut first = [0; 16];
    first.copy_from_slice(&hash.as_bytes()[..16]);
    Ok(first)
}

/// Writes a hash as 32 lower-case hexadecimal characters.
pub fn hex(hash: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

/// Writes any text as a JSON string, with its quotes.
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string can always be written as JSON")
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Object,
    ObjectEnd,
    Array,
    ArrayEnd,
    Key,
    Text,
    Number,
    Literal,
}

/// One token: its bytes, quotes included, and how many containers it stands in. A bracket counts as
/// outside of its own container.
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    depth: usize,
}

impl Token {
    fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }
}

/// Walks a text and calls `each` with every token in order, until the first fault of either.
fn scan(text: &str, each: impl FnMut(Token) -> Result<(), Fault>) -> Result<(), Fault> {
    Scanner { bytes: text.as_bytes(), at: 0, depth: 0, objects: 0, each }.run()
}

/// One bit per level says whether it is an object.
type Levels = u128;

const _: () = assert!(JSON_DEPTH_MAX <= Levels::BITS as usize, "a level has no bit");

struct Scanner<'a, F> {
    bytes: &'a [u8],
    /// Offset of the next byte.
    at: usize,
    /// Open containers.
    depth: usize,
    /// The lowest bit is the innermost container.
    objects: Levels,
    each: F,
}

impl<F: FnMut(Token) -> Result<(), Fault>> Scanner<'_, F> {
    fn run(mut self) -> Result<(), Fault> {
        loop {
            let is_complete = self.begin_value()?;
            if is_complete && self.go_on()? {
                return Ok(());
            }
        }
    }

    /// Reads a scalar or an empty container and returns true, or goes to the first value of a
    /// container and returns false.
    fn begin_value(&mut self) -> Result<bool, Fault> {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            b'{' => self.open(Kind::Object),
            b'[' => self.open(Kind::Array),
            b'"' => {
                self.string()?;
                self.emit(Kind::Text, start)?;
                Ok(true)
            }
            b'-' | b'0'..=b'9' => {
                self.number()?;
                self.emit(Kind::Number, start)?;
                Ok(true)
            }
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(self.expected("a value")),
        }
    }

    /// Stands behind a value: closes what ends here and goes to the next value. Returns true at the
    /// end of the text.
    fn go_on(&mut self) -> Result<bool, Fault> {
        loop {
            self.skip_space();
            if self.depth == 0 {
                let is_end = self.at == self.bytes.len();
                return if is_end { Ok(true) } else { Err(self.expected("nothing more")) };
            }
            match (self.peek(), self.is_in_object()) {
                (b',', is_in_object) => {
                    self.at += 1;
                    if is_in_object {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (b'}', true) => self.close(Kind::ObjectEnd)?,
                (b']', false) => self.close(Kind::ArrayEnd)?,
                (_, true) => return Err(self.expected("`,` or `}`")),
                (_, false) => return Err(self.expected("`,` or `]`")),
            }
        }
    }

    /// Opens a container; returns true when it is empty and closed again.
    fn open(&mut self, kind: Kind) -> Result<bool, Fault> {
        if self.depth == JSON_DEPTH_MAX {
            let what = format!("nested deeper than {JSON_DEPTH_MAX} levels");
            return Err(Fault::new(self.at, what));
        }
        let start = self.at;
        self.at += 1;
        self.emit(kind, start)?;
        let is_object = kind == Kind::Object;
        self.depth += 1;
        self.objects = self.objects << 1 | Levels::from(is_object);
        self.skip_space();
        match (self.peek(), is_object) {
            (b'}', true) => self.close(Kind::ObjectEnd).map(|()| true),
            (b']', false) => self.close(Kind::ArrayEnd).map(|()| true),
            (_, true) => self.key().map(|()| false),
            (_, false) => Ok(false),
        }
    }

    fn close(&mut self, kind: Kind) -> Result<(), Fault> {
        self.depth -= 1;
        self.objects >>= 1;
        self.at += 1;
        self.emit(kind, self.at - 1)
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(), Fault> {
        self.skip_space();
        let start = self.at;
        if self.peek() != b'"' {
            return Err(self.expected("a key in double quotes"));
        }
        self.string()?;
        self.emit(Kind::Key, start)?;
        self.skip_space();
        if self.peek() != b':' {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<bool, Fault> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        let start = self.at;
        self.at += word.len();
        self.emit(Kind::Literal, start)?;
        Ok(true)
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.at += usize::from(self.peek() == b'-');
        let first = self.at;
        self.digits()?;
        if self.bytes[first] == b'0' && self.at > first + 1 && !stands(Plant::LooseJson) {
            return Err(Fault::new(first, "a number has a zero in front"));
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return Err(self.expected("a digit"));
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            self.skip_plain();
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    return Err(Fault::new(self.at, "a control character stands in a string"));
                }
                None => return Err(self.expected("the end of a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
            b'u' => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_ascii_hexdigit() {
                        return Err(self.expected("four hexadecimal digits"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.expected("one of `\"\\/bfnrtu` after a backslash")),
        }
        Ok(())
    }

    /// Goes to the next quote, backslash or control character of a string, eight bytes at a time.
    fn skip_plain(&mut self) {
        while let Some(chunk) = self.bytes[self.at..].first_chunk() {
            let stops = stops_in(u64::from_le_bytes(*chunk));
            if stops != 0 {
                self.at += (stops.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += chunk.len();
        }
        while self.bytes.get(self.at).is_some_and(|b| *b >= 0x20 && *b != b'"' && *b != b'\\') {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Returns the next byte, or 0, which no rule expects, at the end.
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn is_in_object(&self) -> bool {
        self.objects & 1 == 1
    }

    fn emit(&mut self, kind: Kind, start: usize) -> Result<(), Fault> {
        (self.each)(Token { kind, start, end: self.at, depth: self.depth })
    }

    #[cold]
    fn expected(&self, what: &str) -> Fault {
        let is_end = self.at == self.bytes.len();
        let found = if is_end { ", found the end of the text" } else { "" };
        Fault::new(self.at, format!("expected {what}{found}"))
    }
}

/// Marks the top bit of each byte that is a quote, a backslash or below 0x20. Bits above the lowest
/// mark may be wrong, since a subtraction borrows upwards.
const fn stops_in(word: u64) -> u64 {
    let quotes = below(word ^ (ONES * b'"' as u64), 1);
    let backslashes = below(word ^ (ONES * b'\\' as u64), 1);
    (quotes | backslashes | below(word, 0x20)) & (ONES << 7)
}

/// A one in each of eight bytes.
const ONES: u64 = u64::MAX / 255;

/// Marks the top bit of each byte below `bound`, as [`stops_in`] says; other bits mean nothing.
const fn below(word: u64, bound: u64) -> u64 {
    word.wrapping_sub(ONES * bound) & !word
}

/// Writes the canonical form while the scanner walks.
struct Canonical<'a> {
    text: &'a str,
    out: String,
    /// Whether the last thing written was a value, so that the next one needs a comma.
    is_after_value: bool,
    /// Index in `members` of the first of each open object.
    objects: Vec<usize>,
    /// Members of all open objects, the innermost last.
    members: Vec<Member<'a>>,
}

/// One member of an object, in the order of the text.
struct Member<'a> {
    key: Cow<'a, str>,
    /// Where its key stands in the text.
    offset: usize,
    /// Where it begins in the canonical form.
    from: usize,
}

impl<'a> Canonical<'a> {
    fn new(text: &'a str) -> Canonical<'a> {
        let out = String::with_capacity(text.len());
        Canonical { text, out, is_after_value: false, objects: Vec::new(), members: Vec::new() }
    }

    fn take(&mut self, token: &Token) -> Result<(), Fault> {
        let raw = token.of(self.text);
        if !matches!(token.kind, Kind::ObjectEnd | Kind::ArrayEnd) && self.is_after_value {
            self.out.push(',');
        }
        match token.kind {
            Kind::Object => {
                self.objects.push(self.members.len());
                self.out.push('{');
            }
            Kind::Key => {
                let from = self.out.len();
                let key = self.write_string(raw, token.start)?;
                self.members.push(Member { key, offset: token.start, from });
                self.out.push(':');
            }
            Kind::ObjectEnd => self.end_object()?,
            Kind::Text => self.write_string(raw, token.start).map(drop)?,
            Kind::Number => self.write_number(raw, token.start)?,
            Kind::Array | Kind::ArrayEnd | Kind::Literal => self.out.push_str(raw),
        }
        self.is_after_value = !matches!(token.kind, Kind::Object | Kind::Array | Kind::Key);
        Ok(())
    }

    /// Writes a string and returns what it says.
    fn write_string(&mut self, raw: &'a str, offset: usize) -> Result<Cow<'a, str>, Fault> {
        let decoded = decode(raw, offset)?;
        match &decoded {
            // Without escapes, the grammar leaves one spelling only.
            Cow::Borrowed(_) => self.out.push_str(raw),
            Cow::Owned(text) => self.out.push_str(&quote(text)),
        }
        Ok(decoded)
    }

    fn write_number(&mut self, raw: &str, offset: usize) -> Result<(), Fault> {
        let digits = raw.strip_prefix('-').unwrap_or(raw);
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            if !digits.parse().is_ok_and(|integer: u64| integer <= INTEGER_MAX) {
                return Err(Fault::new(offset, "an integer is beyond +-9007199254740991"));
            }
            // An integer has one spelling, but for the sign of zero.
            self.out.push_str(if digits == "0" { digits } else { raw });
            return Ok(());
        }
        let number = raw.parse().ok().filter(|number: &f64| number.is_finite());
        let written = number
            .and_then(|number| serde_json_canonicalizer::to_string(&number).ok())
            .ok_or_else(|| Fault::new(offset, "a number is beyond binary64"))?;
        self.out.push_str(&written);
        Ok(())
    }

    /// Closes the innermost object, with its members in the order of their keys.
    fn end_object(&mut self) -> Result<(), Fault> {
        let first = self.objects.pop().expect("the scanner closes only what it opened");
        let is_sorted = self.members[first..]
            .windows(2)
            .all(|pair| utf16_order(&pair[0].key, &pair[1].key) == Ordering::Less);
        if !is_sorted {
            let members = self.members.split_off(first);
            self.sort(&members)?;
        }
        self.members.truncate(first);
        self.out.push('}');
        Ok(())
    }

    /// Rewrites the end of the canonical form, which is `members` and the commas between them.
    fn sort(&mut self, members: &[Member<'_>]) -> Result<(), Fault> {
        let end = self.out.len();
        let ends = members.iter().skip(1).map(|next| next.from - 1).chain([end]);
        let mut spans: Vec<(&Member<'_>, usize)> = members.iter().zip(ends).collect();
        spans.sort_unstable_by(|(a, _), (b, _)| {
            utf16_order(&a.key, &b.key).then(a.offset.cmp(&b.offset))
        });
        let repeats = spans.windows(2).filter(|pair| pair[0].0.key == pair[1].0.key);
        if let Some(offset) = repeats.map(|pair| pair[1].0.offset).min() {
            return Err(Fault::new(offset, "a key comes twice in one object"));
        }
        let start = members[0].from;
        let mut sorted = String::with_capacity(end - start);
        for (member, to) in spans {
            if !sorted.is_empty() {
                sorted.push(',');
            }
            sorted.push_str(&self.out[member.from..to]);
        }
        self.out.truncate(start);
        self.out.push_str(&sorted);
        Ok(())
    }
}

/// Orders keys as RFC 8785 asks: by their UTF-16 units, where a character beyond the first 65,536
/// comes before some within them.
fn utf16_order(a: &str, b: &str) -> Ordering {
    // Against ASCII the order of bytes is the same, and much faster to find.
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Returns what a string token says; `offset` is where it stands.
fn decode(raw: &str, offset: usize) -> Result<Cow<'_, str>, Fault> {
    if !raw.contains('\\') {
        return Ok(Cow::Borrowed(&raw[1..raw.len() - 1]));
    }
    // The scanner passed the token, so all that can be wrong with it is a surrogate.
    serde_json::from_str(raw).map(Cow::Owned).map_err(|_| {
        let what = "a surrogate escape has no partner";
        Fault::new(offset + lone_surrogate(raw.as_bytes()).unwrap_or(0), what)
    })
}

/// Finds the first surrogate escape without its partner in a string token.
fn lone_surrogate(raw: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < raw.len() {
        at += match (raw[at], unit(raw, at)) {
            (_, Some(0xd800..=0xdbff)) if matches!(unit(raw, at + 6), Some(0xdc00..=0xdfff)) => 12,
            (_, Some(0xd800..=0xdfff)) => return Some(at),
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    None
}

/// Returns the UTF-16 unit of a `\uXXXX` that begins at `at`.
fn unit(raw: &[u8], at: usize) -> Option<u16> {
    let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn is_engine_key(raw: &str) -> bool {
    // Seven characters, each spelt as an escape at most, in quotes.
    raw.len() <= 6 * ENGINE_KEY.len() + 2 && decode(raw, 0).is_ok_and(|key| key == ENGINE_KEY)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;

    /// Texts of every construct of the grammar; the tests of agreement change them at random.
    const CORPUS: [&str; 12] = [
        "null",
        " [true , false,null ] ",
        r#"{"a":1,"b":[{"c":{}},[]],"c":"d"}"#,
        r#"[0,-0,1.5,-1.25e+3,1E-7,9007199254740991,0.1e1,100]"#,
        r#""plain text that is longer than eight bytes""#,
        r#"["\"\\\/\b\f\n\r\t","\u00e9\ud83d\ude00","\ud800x"]"#,
        "{\"gr\u{fc}\u{df}e\":\"\u{1f600}\u{2028}\",\"\u{e000}\":1,\"\u{10000}\":2}",
        "{\r\n\t\"k\" : [ 1 ,\t2 ] }\n",
        r#"{"z":{"y":{"x":[3,2,1]}},"a":{"c":0,"b":""}}"#,
        r#"[[[[[[[[[[]]]]]]]]]]"#,
        r#"{"":{"":{"":""}}}"#,
        r#"{"$smolwf":"tries","message":"x"}"#,
    ];

    /// A small generator, so that a failure can be repeated from its seed.
    struct Chance(u64);

    impl Chance {
        fn new(seed: u64) -> Chance {
            // Spread over the bits, since small seeds start alike. Never 0, as the factor is odd.
            Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        }

        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }

        /// Takes a text of the corpus and replaces, removes, repeats or inserts some bytes of it.
        fn text(&mut self) -> String {
            const BYTES: &[u8] = b"{}[]:,\"\\ \n\t\0\x1f0123456789-+.eEtrufalsnbdD8x/";
            let mut bytes = CORPUS[self.below(CORPUS.len())].as_bytes().to_vec();
            for _ in 0..self.below(4) {
                let (at, byte) = (self.below(bytes.len() + 1), BYTES[self.below(BYTES.len())]);
                match self.below(4) {
                    0 => bytes.insert(at, byte),
                    1 if at < bytes.len() => bytes[at] = byte,
                    2 if at < bytes.len() => drop(bytes.remove(at)),
                    _ => bytes.extend_from_within(at..),
                }
            }
            String::from_utf8_lossy(&bytes).into_owned()
        }
    }

    fn fault_of(text: &str) -> (usize, String) {
        let fault = check(text).expect_err(text);
        (fault.offset, fault.what.into_owned())
    }

    #[test]
    fn every_construct_of_the_grammar_passes() {
        for text in CORPUS {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_fault_names_its_byte() {
        for (text, offset) in [
            ("", 0),
            ("  ", 2),
            ("\u{feff}1", 0),
            ("nul", 0),
            ("nulll", 4),
            ("1 2", 2),
            ("01", 0),
            ("-01", 1),
            ("-", 1),
            ("+1", 0),
            (".5", 0),
            ("1.", 2),
            ("1.e2", 2),
            ("1e", 2),
            ("1e+", 3),
            ("NaN", 0),
            ("[1,]", 3),
            ("[,1]", 1),
            ("[1 2]", 3),
            ("[1", 2),
            ("[1}", 2),
            ("]", 0),
            ("{", 1),
            ("{\"a\":}", 5),
            ("{\"a\"}", 4),
            ("{\"a\":1,}", 7),
            ("{\"a\":1 \"b\":2}", 7),
            ("{\"a\":1]", 6),
            ("{a:1}", 1),
            ("{1:1}", 1),
            ("'a'", 0),
            ("\"a", 2),
            ("\"0123456789", 11),
            ("\"a\nb\"", 2),
            ("\"0123456789\u{1}\"", 11),
            ("\"\\x\"", 2),
            ("\"\\", 2),
            ("\"\\u12g4\"", 5),
            ("\"\\u12", 5),
            ("[\"gr\u{fc}\u{df}e\", x]", 12),
            ("1\0", 1),
            ("[1]\u{a0}", 3),
            ("[1]/*c*/", 3),
        ] {
            assert_eq!(fault_of(text).0, offset, "{text:?} {}", fault_of(text).1);
        }
    }

    #[test]
    fn a_fault_reads_as_a_sentence_without_the_payload() {
        let fault = check("[1,secret]").unwrap_err();
        assert_eq!(fault.to_string(), "expected a value at byte 3");
        let error = fault.of("args");
        assert_eq!(error, Error::invalid("args: expected a value at byte 3"));
        let early = check("[1,").unwrap_err().to_string();
        assert_eq!(early, "expected a value, found the end of the text at byte 3");
    }

    #[test]
    fn a_hundred_levels_pass_and_one_more_does_not() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let of = |levels: usize| open.repeat(levels) + "1" + &close.repeat(levels);
            assert_eq!(check(&of(JSON_DEPTH_MAX)), Ok(()));
            let (offset, what) = fault_of(&of(JSON_DEPTH_MAX + 1));
            assert_eq!(offset, open.len() * JSON_DEPTH_MAX);
            assert!(what.contains("100"), "{what}");
            assert!(canonical(&of(JSON_DEPTH_MAX)).is_ok());
        }
        assert_eq!(fault_of(&"[".repeat(1 << 20)).0, JSON_DEPTH_MAX);
    }

    #[test]
    fn siblings_do_not_count_as_levels() {
        assert_eq!(check(&format!("[{}1]", "[[]],{\"a\":{}},".repeat(500))), Ok(()));
    }

    #[test]
    fn every_byte_of_a_word_can_end_a_run_of_plain_text() {
        for before in 0..20 {
            for (stop, is_good) in
                [("\\n", true), ("\u{1f}", false), ("\u{7f}", true), ("\u{e9}", true)]
            {
                let text = format!("\"{}{stop}{}\"", "x".repeat(before), "y".repeat(20));
                assert_eq!(check(&text).is_ok(), is_good, "{text:?}");
            }
            let text = format!("\"{}\u{1f}", "x".repeat(before));
            assert_eq!(fault_of(&text).0, before + 1);
        }
    }

    #[test]
    fn serde_json_agrees_on_what_is_json() {
        for seed in 1..=100_000 {
            let text = Chance::new(seed).text();
            let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(check(&text).is_ok(), theirs, "seed {seed}: {text:?}");
        }
    }

    #[test]
    fn the_canonicalizer_agrees_on_the_canonical_form() {
        let mut compared = 0;
        for seed in 1..=100_000 {
            let text = Chance::new(seed).text();
            if let Ok(ours) = canonical(&text) {
                let theirs = serde_json_canonicalizer::pipe(&text).unwrap();
                assert_eq!(ours, theirs, "seed {seed}: {text:?}");
                // A float such as 1e20 has a canonical form that is refused as an integer.
                let again = canonical(&ours).unwrap_or_else(|_| ours.clone());
                assert_eq!(again, ours, "seed {seed}: {text:?}");
                compared += 1;
            }
        }
        assert!(compared > 10_000, "{compared}");
    }

    #[test]
    fn the_example_of_rfc_8785_is_written_as_there() {
        let text = r#"{
            "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let wanted = concat!(
            r#"{"literals":[null,true,false],"#,
            r#""numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        assert_eq!(canonical(text).as_deref(), Ok(wanted));
    }

    #[test]
    fn keys_are_sorted_by_their_utf16_units() {
        let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#;
        let wanted = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
        assert_eq!(canonical(text).as_deref(), Ok(wanted));
    }

    #[test]
    fn inner_objects_are_sorted_before_and_with_outer_ones() {
        let text = r#"{"b":{"d":[{"z":1,"y":2},3],"c":{}},"a":{"b":1,"a":{}}}"#;
        let wanted = r#"{"a":{"a":{},"b":1},"b":{"c":{},"d":[{"y":2,"z":1},3]}}"#;
        assert_eq!(canonical(text).as_deref(), Ok(wanted));
    }

    #[test]
    fn one_number_has_one_canonical_form() {
        for (text, wanted) in [
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e9", "0"),
            ("10", "10"),
            ("1e1", "10"),
            ("10.0", "10"),
            ("1e20", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("12345678901234567890.0", "12345678901234567000"),
            ("-1.50", "-1.5"),
            ("1e-7", "1e-7"),
            ("5e-324", "5e-324"),
            ("1e-400", "0"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn an_input_without_one_meaning_is_refused_at_its_byte() {
        for (text, offset, what) in [
            (r#"{"a":1,"a":1}"#, 7, "a key"),
            (r#"{"a":1,"b":2,"\u0061":3}"#, 13, "a key"),
            (r#"[{"b":{"x":0,"y":1,"x":2}}]"#, 19, "a key"),
            (r#"{"b":1,"a":2,"b":3,"a":4}"#, 13, "a key"),
            ("[9007199254740992]", 1, "an integer"),
            ("[-9007199254740992]", 1, "an integer"),
            ("100000000000000000000000000", 0, "an integer"),
            ("[0,1e400]", 3, "a number"),
            ("-1e400", 0, "a number"),
            (r#"["x\ud800"]"#, 3, "a surrogate"),
            (r#"["\ud83d\ude00\ude00"]"#, 14, "a surrogate"),
            (r#"["\\ud800\ud800\u0041"]"#, 9, "a surrogate"),
            (r#"{"\uDFFF":1}"#, 2, "a surrogate"),
            (r#"{"a":1,"a":2"#, 12, "expected"),
        ] {
            let fault = canonical(text).expect_err(text);
            assert_eq!((fault.offset, &fault.what[..what.len()]), (offset, what), "{text}");
            assert_eq!(input_hash(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_key_may_come_again_in_another_object() {
        assert!(canonical(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn texts_that_mean_the_same_have_one_hash() {
        let hash = input_hash(r#"{"a":[1,"é"],"b":null}"#).unwrap();
        assert_eq!(input_hash(" { \"b\":null, \"a\":[1.0,\"\\u00e9\"] }"), Ok(hash));
        assert_ne!(input_hash(r#"{"a":["é",1],"b":null}"#), Ok(hash));
        let known = blake3::hash(r#"{"a":[1,"é"],"b":null}"#.as_bytes());
        assert_eq!(hex(&hash), known.to_hex()[..32]);
    }

    #[test]
    fn the_hash_of_an_input_never_changes() {
        assert_eq!(hex(&input_hash("null").unwrap()), "03f88b99c3d8073bba8948d6e762aac4");
    }

    #[test]
    fn the_engine_key_is_found_in_any_spelling_at_the_top() {
        for text in [
            r#"{"$smolwf":1}"#,
            " \n\t{ \"a\":{\"b\":1}, \"$smolwf\":null}",
            r#"{"\u0024smolwf":1}"#,
            r#"{"\u0024\u0073\u006d\u006f\u006C\u0077\u0066":1}"#,
            r#"{"$smolw\u0066":1}"#,
        ] {
            assert_eq!(check(text), Ok(()));
            assert!(has_engine_key(text), "{text}");
        }
    }

    #[test]
    fn the_engine_key_elsewhere_is_the_hosts_own_matter() {
        for text in [
            r#""$smolwf""#,
            r#"["$smolwf"]"#,
            r#"[{"$smolwf":1}]"#,
            r#"{"a":{"$smolwf":1}}"#,
            r#"{"a":"$smolwf"}"#,
            r#"{"$smolwf2":1,"$Smolwf":2,"smolwf":3,"":4}"#,
            r#"{"\\u0024smolwf":1}"#,
            r#"{"\ud800\u0024smolwf":1}"#,
            "{}",
            "",
        ] {
            assert!(!has_engine_key(text), "{text}");
        }
    }

    #[test]
    fn a_quoted_text_reads_as_itself() {
        for text in ["", "a", "\"\\\u{0}\u{1f}\n", "grüße \u{1f600}\u{2028}"] {
            let quoted = quote(text);
            assert_eq!(check(&quoted), Ok(()));
            assert_eq!(decode(&quoted, 0).unwrap(), text);
        }
        assert_eq!(quote("a\"b"), r#""a\"b""#);
    }
}
