//! JSON at the door. serde_json is the second reader: what we accept it accepts, and the other way round;
//! a canonical form means what its text does; and what is stored comes back byte for byte.

use std::collections::BTreeSet;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::json;
use smolwf::limits::JSON_DEPTH_MAX;

use super::place;

pub fn judge(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let is_ours = json::check(text).is_ok();
    let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let is_wanted = is_json && depth(text) <= JSON_DEPTH_MAX;
    assert_eq!(is_ours, is_wanted, "{text:?}: {:?}", json::check(text));
    assert_eq!(serde_json::from_str::<String>(&json::quote(text)).ok().as_deref(), Some(text));
    if is_ours {
        means_the_same(text);
        comes_apart(text);
        comes_back(text);
    }
}

/// How many containers stand in each other.
fn depth(text: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    outside_strings(text, |byte| match byte {
        b'[' | b'{' => {
            open += 1;
            most = most.max(open);
        }
        b']' | b'}' => open = open.saturating_sub(1),
        _ => {}
    });
    most
}

fn outside_strings(text: &str, mut each: impl FnMut(u8)) {
    let mut bytes = text.bytes();
    let mut is_inside = false;
    while let Some(byte) = bytes.next() {
        match (is_inside, byte) {
            (true, b'\\') => drop(bytes.next()),
            (_, b'"') => {
                is_inside = !is_inside;
                each(b' ');
            }
            (false, byte) => each(byte),
            (true, _) => {}
        }
    }
}

/// Whether a number stands there, as an integer, that binary64 has no place of its own for.
fn has_large_integer(text: &str) -> bool {
    let mut plain = String::new();
    outside_strings(text, |byte| plain.push(char::from(byte)));
    let is_end = |it: char| !it.is_ascii_digit() && !"+-.eE".contains(it);
    let integers = plain.split(is_end).filter(|word| !word.contains(['.', 'e', 'E']));
    integers
        .filter_map(|word| word.parse::<f64>().ok())
        .any(|it| it.abs() >= 9_007_199_254_740_992.0)
}

fn means_the_same(text: &str) {
    let value = serde_json::from_str::<Value>(text);
    let has_twice = serde_json::from_str::<Keys>(text).is_ok_and(|keys| keys.has_twice);
    match json::canonical(text) {
        Ok(canonical) => {
            let value = value.expect("what has a canonical form has a meaning");
            assert!(!has_twice, "{text:?} has a key twice");
            let told = serde_json_canonicalizer::to_string(&value).expect("a value can be written");
            assert_eq!(canonical, told, "{text:?}");
            // A number beyond 2^53 that was written as a float is an integer in the canonical form.
            if !has_large_integer(&canonical) {
                assert_eq!(json::canonical(&canonical).as_ref(), Ok(&canonical), "{text:?}");
                assert_eq!(json::input_hash(&canonical), json::input_hash(text), "{text:?}");
            }
        }
        Err(fault) => {
            assert!(fault.offset <= text.len() && text.is_char_boundary(fault.offset), "{text:?}");
            assert!(value.is_err() || has_twice || has_large_integer(text), "{text:?}: {fault}");
        }
    }
}

/// Our readers of input documents tell the parts that serde_json finds.
fn comes_apart(text: &str) {
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
        assert_eq!(json::document::items(text).as_ref(), Ok(&items), "{text:?}");
    }
    let keys = serde_json::from_str::<Keys>(text).ok();
    let Some(keys) = keys.filter(|_| json::is_object(text)) else { return };
    let members = json::document::members(text).expect("an object whose keys are Unicode");
    let ours: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    assert_eq!(ours, keys.top, "{text:?}");
    let is_engines = keys.top.iter().any(|key| key == json::ENGINE_KEY);
    assert_eq!(json::has_engine_key(text), is_engines, "{text:?}");
}

/// The keys of a text: those at its top, and whether any object has one twice.
#[derive(Default)]
struct Keys {
    top: Vec<String>,
    has_twice: bool,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
        from.deserialize_any(Keys::default())
    }
}

macro_rules! no_keys {
    ($($name:ident($kind:ty)),*) => {
        $(fn $name<E>(self, _: $kind) -> Result<Keys, E> { Ok(self) })*
    };
}

impl<'de> Visitor<'de> for Keys {
    type Value = Keys;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("JSON")
    }

    no_keys!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_unit<E>(self) -> Result<Keys, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Keys, A::Error> {
        while let Some(item) = items.next_element::<Keys>()? {
            self.has_twice |= item.has_twice;
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Keys, A::Error> {
        let mut known = BTreeSet::new();
        while let Some((key, item)) = members.next_entry::<String, Keys>()? {
            self.has_twice |= item.has_twice || !known.insert(key.clone());
            self.top.push(key);
        }
        Ok(self)
    }
}

/// What the door lets through comes back as args and as a result.
fn comes_back(text: &str) {
    place::with_store(|store| {
        let args = Some(text.to_owned());
        let submit = Submit { workflow: "w".into(), args, ..Submit::default() };
        let run_id = store.submit(submit).unwrap().run_id;
        let attempt = store.claim(Claim::default()).unwrap().expect("it is ready");
        assert_eq!(attempt.args().as_ref(), text);
        attempt.complete(Some(text.to_owned())).unwrap();
        let told = store.run_get(&run_id).unwrap();
        let told: Told<'_> = serde_json::from_str(&told).unwrap();
        assert_eq!((told.args.get(), told.result.get()), (text.trim(), text.trim()));
    });
}

#[derive(serde::Deserialize)]
struct Told<'a> {
    #[serde(borrow)]
    args: &'a RawValue,
    #[serde(borrow)]
    result: &'a RawValue,
}
