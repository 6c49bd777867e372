//! Ids: making them, writing them, reading them.
//!
//! An id is a ULID of 128 bits: 48 bits of Unix milliseconds, then 80 bits that are random, or
//! derived from what the id stands for. As text it is `<prefix>_<26 characters>` in Crockford's
//! base 32, lower-case only, so that ids of one prefix sort as text by the time they were made.
//!
//! Source: <https://github.com/ulid/spec>.

use std::sync::Mutex;

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};
use ulid::{ULID_LEN, Ulid};

use crate::clock;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::process::PerProcess;

/// Bytes in a prefix at most, so that an id fits [`ID_CAP`](crate::limits::ID_CAP).
const PREFIX_BYTES_MAX: usize = 31;

/// Bytes in an id's text at most.
const TEXT_BYTES_MAX: usize = PREFIX_BYTES_MAX + 1 + ULID_LEN;

/// Crockford's digits.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Two digits for each number of ten bits.
static PAIRS: [[u8; 2]; 1 << 10] = {
    let mut pairs = [[0; 2]; 1 << 10];
    let mut at = 0;
    while at < pairs.len() {
        pairs[at] = [DIGITS[at / 32], DIGITS[at % 32]];
        at += 1;
    }
    pairs
};

/// Characters of a refused prefix that its error repeats.
const PREFIX_SHOWN_MAX: usize = 64;

/// The last millisecond that 48 bits can say, in the year 10889.
const TIME_MS_MAX: u64 = (1 << Ulid::TIME_BITS) - 1;

/// An id without its prefix. Orders as its text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Ulid);

impl Id {
    /// Returns 48 of its random bits, as a number that is never 0.
    pub fn token(self) -> i64 {
        let bytes = self.to_bytes();
        bytes[10..].iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)).max(1)
    }

    /// Returns the 16 bytes, big-endian, so that they order as the id does.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// Makes an id of what [`to_bytes`](Id::to_bytes) gave.
    pub const fn from_bytes(bytes: [u8; 16]) -> Id {
        Id(Ulid::from_bytes(bytes))
    }

    /// Returns the time in the id, in Unix milliseconds.
    pub const fn timestamp_ms(self) -> u64 {
        self.0.timestamp_ms()
    }
}

/// What a process makes its ids from: the last one, as they only go forward, and random bytes of its own.
///
/// The random bytes are seeded by the kernel once per source and are not shared with any thread, so
/// a forked child that makes a new source cannot repeat an id of its parent.
pub struct Source<R = StdRng> {
    last: Option<Ulid>,
    random: R,
}

impl<R: Rng> Source<R> {
    /// Makes an id that is greater than all that this source made before, whatever the clock does:
    /// when it stands still or goes back, the last id is counted up.
    pub fn make(&mut self, now_ms: u64) -> Id {
        let now_ms = now_ms.min(TIME_MS_MAX);
        let id = match self.last.filter(|last| last.timestamp_ms() >= now_ms) {
            // With random bits that are used up it goes on in the next millisecond.
            Some(last) => Ulid(last.0.saturating_add(1)),
            None => Ulid::from_parts(now_ms, self.draw()),
        };
        self.last = Some(id);
        Id(id)
    }

    /// Draws the 80 bits below the time.
    fn draw(&mut self) -> u128 {
        u128::from(self.random.next_u64()) << 16 | u128::from(self.random.next_u32() & 0xFFFF)
    }
}

impl Default for Source {
    /// Takes fresh random bytes from the kernel.
    ///
    /// # Panics
    /// When the kernel refuses them, as only a sandbox without `getrandom` does. The standard
    /// library's hash maps panic there too.
    fn default() -> Source {
        let random = StdRng::try_from_rng(&mut SysRng).expect("the kernel gives random bytes");
        Source { last: None, random }
    }
}

/// Where new ids come from; a forked child makes its own.
static IDS: PerProcess<Mutex<Source>> = PerProcess::new();

/// Makes an id that is greater than every id this process made before. Never blocks for longer than
/// another thread's call takes.
pub fn new_id() -> Id {
    // The source is whole after a panic elsewhere: each call stores its state in one assignment.
    let mut source = IDS.get().lock().unpoisoned();
    // Read under the lock, so that threads hand in times in the order of their turns.
    source.make(u64::try_from(clock::system_ms()).unwrap_or(0))
}

/// Draws a key that nobody can guess.
///
/// # Panics
/// When the kernel refuses its random bytes, as for [`Source`].
pub fn new_key() -> [u8; 32] {
    let mut key = [0; 32];
    SysRng.try_fill_bytes(&mut key).expect("the kernel gives random bytes");
    key
}

/// Makes the id that belongs to `parts`, the same on every call: no column is needed to keep it.
///
/// `time_ms` is in Unix milliseconds and is held to what 48 bits can say. The other 80 bits are
/// BLAKE3 over the parts, each after its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
pub fn derive(time_ms: i64, parts: &[&[u8]]) -> Id {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut low = [0; 16];
    low[6..].copy_from_slice(&hasher.finalize().as_bytes()[..10]);
    let time_ms = u64::try_from(time_ms).unwrap_or(0).min(TIME_MS_MAX);
    Id(Ulid::from_parts(time_ms, u128::from_be_bytes(low)))
}

/// An id as text, with its prefix, without memory of its own.
pub struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    len: usize,
}

impl Text {
    /// Writes `<prefix>_<26 lower-case characters>`; a prefix that [`check_prefix`] refuses is cut.
    pub fn new(prefix: &[u8], id: Id) -> Text {
        let len = prefix.len().min(PREFIX_BYTES_MAX);
        let mut bytes = [b'_'; TEXT_BYTES_MAX];
        bytes[..len].copy_from_slice(&prefix[..len]);
        if let Some(digits) = bytes[len + 1..].first_chunk_mut() {
            write_digits(id, digits);
        }
        Text { bytes, len: len + 1 + ULID_LEN }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_ref()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Writes `<prefix>_<26 lower-case characters>`.
pub fn write(prefix: &str, id: Id) -> String {
    Text::new(prefix.as_bytes(), id).as_str().to_owned()
}

/// Writes the 26 digits of an id: ten of its time, and sixteen of the rest.
fn write_digits(id: Id, digits: &mut [u8; ULID_LEN]) {
    let bits = u128::from(id.0);
    // In numbers of 64 bits, which a processor shifts at once.
    let parts = [((bits >> 80) as u64, 0, 5), ((bits >> 40) as u64, 10, 4), (bits as u64, 18, 4)];
    for (mut bits, from, pairs) in parts {
        for pair in digits[from..][..2 * pairs].as_chunks_mut().0.iter_mut().rev() {
            *pair = PAIRS[bits as usize % PAIRS.len()];
            bits >>= 10;
        }
    }
}

/// Reads what [`write()`] wrote with the same prefix; `None` for any other text, so that one id has
/// one spelling only.
pub fn parse(prefix: &str, text: &str) -> Option<Id> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('_')?;
    // 26 characters hold 130 bits: one above 7 in front would be cut off in silence.
    let is_canonical =
        digits.bytes().next()? <= b'7' && !digits.bytes().any(|b| b.is_ascii_uppercase());
    if is_canonical { Ulid::from_string(digits).ok().map(Id) } else { None }
}

/// Returns whether bytes are a prefix, of the form `[a-z][a-z0-9_]{0,30}`.
pub fn is_prefix(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.len() <= PREFIX_BYTES_MAX
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
}

/// Checks a prefix against `[a-z][a-z0-9_]{0,30}`.
///
/// # Errors
/// [`Error::Invalid`] names the prefix and the form.
pub fn check_prefix(prefix: &str) -> Result<()> {
    if is_prefix(prefix.as_bytes()) {
        return Ok(());
    }
    let shown: String = prefix.chars().take(PREFIX_SHOWN_MAX).collect();
    Err(Error::invalid(format!(
        "the id prefix {shown:?} is not of the form [a-z][a-z0-9_]{{0,30}}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::convert::Infallible;
    use std::time::SystemTime;

    /// How many ids are made of each; Miri takes a tenth of a second for one.
    const MANY: usize = if cfg!(miri) { 20 } else { 2000 };

    /// A source of random bytes that are all the same.
    struct Constant(u8);

    impl TryRng for Constant {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
            Ok(u32::from_ne_bytes([self.0; 4]))
        }

        fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
            Ok(u64::from_ne_bytes([self.0; 8]))
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> std::result::Result<(), Infallible> {
            out.fill(self.0);
            Ok(())
        }
    }

    fn constant_source(byte: u8) -> Source<Constant> {
        Source { last: None, random: Constant(byte) }
    }

    #[test]
    fn ids_of_a_source_increase_within_one_millisecond() {
        let mut source = Source::default();
        let ids: Vec<Id> = (0..MANY).map(|_| source.make(1_700_000_000_000)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.timestamp_ms() == 1_700_000_000_000));
    }

    #[test]
    fn ids_increase_when_the_clock_goes_back() {
        let mut source = Source::default();
        let first = source.make(2_000);
        let second = source.make(1_000);
        let third = source.make(0);
        assert!(first < second && second < third);
        assert_eq!(third.timestamp_ms(), 2_000);
        assert_eq!(source.make(2_001).timestamp_ms(), 2_001);
    }

    #[test]
    fn ids_increase_when_the_random_bits_overflow() {
        let mut source = constant_source(0xff);
        let first = source.make(5);
        let second = source.make(5);
        assert!(first < second);
        assert_eq!((first.timestamp_ms(), second.timestamp_ms()), (5, 6));
        assert!(second < source.make(5));
    }

    #[test]
    fn ids_increase_when_the_clock_is_beyond_48_bits() {
        let mut source = constant_source(1);
        let first = source.make(TIME_MS_MAX + 1);
        let second = source.make(u64::MAX);
        assert!(first < second);
        assert_eq!(second.timestamp_ms(), TIME_MS_MAX);
    }

    #[test]
    fn two_sources_share_no_id_of_a_millisecond() {
        let (mut parent, mut child) = (Source::default(), Source::default());
        let mut seen = HashSet::new();
        assert!((0..MANY).all(|_| seen.insert(parent.make(7)) && seen.insert(child.make(7))));
    }

    #[test]
    fn new_ids_of_all_threads_are_unique_and_increase_in_each() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..MANY).map(|_| new_id()).collect::<Vec<Id>>()))
            .collect();
        let mut seen = HashSet::new();
        for thread in threads {
            let ids = thread.join().unwrap();
            assert!(ids.windows(2).all(|pair| write("run", pair[0]) < write("run", pair[1])));
            assert!(ids.into_iter().all(|id| seen.insert(id)));
        }
    }

    #[test]
    fn a_new_id_bears_the_time_of_now() {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        let id = u128::from(new_id().timestamp_ms());
        assert!((now - 1000..now + 60_000).contains(&id));
    }

    #[test]
    fn an_id_is_written_as_prefix_and_26_lower_case_characters() {
        let id = Id::from_bytes(*b"MN8PQDJYEB43ZA7V");
        assert_eq!(write("run", id), "run_2d9rw50ma499cmaghm6dd42dtp");
        assert_eq!(write("a_b", Id::from_bytes([0xff; 16])), "a_b_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    }

    #[test]
    fn the_digits_of_an_id_are_those_of_the_ulid_crate() {
        let mut source = Source::default();
        let drawn = (0..MANY).map(|at| source.make(1 << (at % 48)));
        let bounds = [Id::from_bytes([0; 16]), Id::from_bytes([0xFF; 16])];
        for id in drawn.chain(bounds) {
            assert_eq!(write("p", id), format!("p_{}", id.0.to_string().to_lowercase()));
        }
    }

    #[test]
    fn a_written_id_is_read_back() {
        for id in [new_id(), Id::from_bytes([0; 16]), Id::from_bytes([0xff; 16])] {
            assert_eq!(parse("run", &write("run", id)), Some(id));
            assert_eq!(Id::from_bytes(id.to_bytes()), id);
        }
    }

    #[test]
    fn another_spelling_of_an_id_is_not_read() {
        assert!(parse("run", "run_2d9rw50ma499cmaghm6dd42dtp").is_some());
        for text in [
            "",
            "run",
            "run_",
            "2d9rw50ma499cmaghm6dd42dtp",
            "task_2d9rw50ma499cmaghm6dd42dtp",
            "run2d9rw50ma499cmaghm6dd42dtp0",
            "run__2d9rw50ma499cmaghm6dd42dt",
            "run_2D9RW50MA499CMAGHM6DD42DTP",
            "run_2d9rw50ma499cmaghm6dd42dtP",
            "run_2d9rw50ma499cmaghm6dd42dt",
            "run_2d9rw50ma499cmaghm6dd42dtpp",
            "run_8d9rw50ma499cmaghm6dd42dtp",
            "run_2d9rw50ma499cmaghm6dd42dti",
            "run_2d9rw50ma499cmaghm6dd42dtl",
            "run_2d9rw50ma499cmaghm6dd42dto",
            "run_2d9rw50ma499cmaghm6dd42dtu",
            "run_2d9rw50ma499cmaghm6dd42dé",
            " run_2d9rw50ma499cmaghm6dd42dtp",
        ] {
            assert_eq!(parse("run", text), None, "{text}");
        }
    }

    #[test]
    fn a_derived_id_is_the_same_each_time_and_bears_its_time() {
        let id = derive(1_700_000_000_000, &[b"run", b"step"]);
        assert_eq!(id, derive(1_700_000_000_000, &[b"run", b"step"]));
        assert_eq!(id.timestamp_ms(), 1_700_000_000_000);
        assert_eq!(write("step", id), "step_01hf7yat006834yhcwb13ejypz");
    }

    #[test]
    fn derived_ids_differ_by_time_and_by_where_their_parts_end() {
        let ids = [
            derive(1, &[b"ab", b"c"]),
            derive(1, &[b"a", b"bc"]),
            derive(1, &[b"abc"]),
            derive(1, &[b"abc", b""]),
            derive(1, &[]),
            derive(2, &[b"ab", b"c"]),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn a_derived_id_holds_its_time_to_48_bits() {
        assert_eq!(derive(-1, &[]).timestamp_ms(), 0);
        assert_eq!(derive(i64::MAX, &[]).timestamp_ms(), TIME_MS_MAX);
    }

    #[test]
    fn a_prefix_of_the_form_is_taken() {
        for prefix in ["a", "run", "a1_", "a234567890123456789012345678901"] {
            assert_eq!(check_prefix(prefix), Ok(()), "{prefix}");
        }
    }

    #[test]
    fn a_prefix_of_another_form_is_refused_by_value_and_form() {
        for prefix in
            ["", "_a", "1a", "Run", "r-n", "r n", "é", "a\0", "a2345678901234567890123456789012"]
        {
            let error = check_prefix(prefix).unwrap_err();
            assert_eq!(error.code(), -2);
            let sentence = error.to_string();
            assert!(sentence.contains(&format!("{prefix:?}")), "{sentence}");
            assert!(sentence.contains("[a-z][a-z0-9_]{0,30}"), "{sentence}");
        }
    }

    #[test]
    fn an_endless_prefix_is_not_repeated_whole() {
        let sentence = check_prefix(&"A".repeat(10_000)).unwrap_err().to_string();
        assert!(sentence.len() < 200);
    }
}
