//! Who is let in: a token that opens the page once, the cookie that it is exchanged for, and the token
//! of a file, which opens it as often as it is shown.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

use subtle::ConstantTimeEq;

/// Bytes of a token that is made here, before they are written as hexadecimal digits.
const RANDOM_BYTES: usize = 32;
/// The least and the most bytes of a token that a file gives.
const FILE_TOKEN_BYTES: std::ops::RangeInclusive<usize> = 32..=1024;

/// The tokens of one server.
pub struct Tokens {
    /// What the cookie holds.
    session: String,
    /// What opens the page once; at most one is good at a time.
    once: Mutex<Option<String>>,
    /// What the file holds.
    lasting: Option<String>,
}

impl Tokens {
    /// New ones, and with them that of a file if there is one.
    pub fn new(lasting: Option<String>) -> Result<Tokens, String> {
        Ok(Tokens { session: random()?, once: Mutex::new(None), lasting })
    }

    /// Makes the token that opens the page next; one that was not used is good no more.
    pub fn renew(&self) -> Result<String, String> {
        let token = random()?;
        *self.lock() = Some(token.clone());
        Ok(token)
    }

    /// The value of the cookie, in exchange for a token. One that opens once is used up by it.
    pub fn exchange(&self, token: &str) -> Option<&str> {
        let mut once = self.lock();
        if once.as_deref().is_some_and(|good| is_same(good, token)) {
            *once = None;
            return Some(&self.session);
        }
        self.lasting.as_deref().is_some_and(|good| is_same(good, token)).then_some(&*self.session)
    }

    /// Whether a file gives the token, so that none is made.
    pub fn are_of_a_file(&self) -> bool {
        self.lasting.is_some()
    }

    /// Whether a cookie is that of this server.
    pub fn knows(&self, cookie: &str) -> bool {
        is_same(&self.session, cookie)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.once.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// In a time that tells nothing of what they hold.
fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

fn random() -> Result<String, String> {
    let mut bytes = [0u8; RANDOM_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the system gives no randomness: {error}"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Reads the token of a file that only its owner may read. What is wrong is told, the token never.
pub fn read_file(path: &Path) -> Result<String, String> {
    let named = path.display();
    let file = fs::File::open(path).map_err(|error| format!("{named} cannot be read: {error}"))?;
    let about = file.metadata().map_err(|error| format!("{named} cannot be read: {error}"))?;
    if about.mode() & 0o077 != 0 {
        return Err(format!(
            "{named} has mode {:o}, and others may read it: 600 is wanted",
            about.mode() & 0o7777
        ));
    }
    let mut text = String::new();
    file.take(*FILE_TOKEN_BYTES.end() as u64 + 2)
        .read_to_string(&mut text)
        .map_err(|error| format!("{named} cannot be read: {error}"))?;
    let token = text.trim();
    if !FILE_TOKEN_BYTES.contains(&token.len())
        || !token.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(format!(
            "{named} holds no token: one line of {} to {} printable ASCII characters is wanted",
            FILE_TOKEN_BYTES.start(),
            FILE_TOKEN_BYTES.end()
        ));
    }
    Ok(token.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_opens_once_and_the_next_makes_the_one_before_worthless() {
        let tokens = Tokens::new(None).expect("made");
        let first = tokens.renew().expect("made");
        let second = tokens.renew().expect("made");
        assert_eq!(tokens.exchange(&first), None);
        let cookie = tokens.exchange(&second).expect("good").to_string();
        assert_eq!(tokens.exchange(&second), None);
        assert!(tokens.knows(&cookie));
        assert!(!tokens.knows(&second));
        assert!(!tokens.knows(""));
    }

    #[test]
    fn the_token_of_a_file_opens_as_often_as_it_is_shown() {
        let tokens = Tokens::new(Some("a".repeat(32))).expect("made");
        assert!(tokens.exchange(&"a".repeat(32)).is_some());
        assert!(tokens.exchange(&"a".repeat(32)).is_some());
        assert!(tokens.exchange(&"a".repeat(31)).is_none());
        assert!(tokens.exchange("").is_none());
    }

    #[test]
    fn a_file_that_others_may_read_or_that_holds_no_token_is_refused() {
        let folder = tempfile::tempdir().expect("made");
        let path = folder.path().join("token");
        let with = |text: &str, mode: u32| {
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            read_file(&path)
        };
        let good = "0123456789abcdef0123456789abcdef";
        assert_eq!(with(&format!("{good}\n"), 0o600).as_deref(), Ok(good));
        assert!(with(good, 0o640).expect_err("readable by others").contains("mode 640"));
        let short = with("0123456789", 0o600).expect_err("too short");
        assert!(short.contains("32 to 1024") && !short.contains("0123456789"), "{short}");
        assert!(with(&"a".repeat(1025), 0o600).is_err());
        assert!(with("0123456789abcdef 0123456789abcdef", 0o600).is_err());
    }
}
