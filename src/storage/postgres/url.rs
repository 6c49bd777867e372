//! What names a store of PostgreSQL: a URL, with the schema as a parameter of our own.

use std::ffi::{CStr, CString};

use super::known::Trust;
use crate::error::{Error, Result};

/// The schema of a store whose URL names none.
const SCHEMA_DEFAULT: &str = "smolwf";

/// Bytes of a name on the server at most: it would cut a longer one off.
const NAME_BYTES_MAX: usize = 63;

/// Names of parameters that hold a secret.
const SECRETS: [&str; 5] =
    ["password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"];

/// Where a store is.
#[derive(Clone)]
pub(super) struct Place {
    /// The URL as libpq takes it.
    url: CString,
    /// Name of the schema, of characters that need no escape.
    pub(super) schema: String,
    /// How much writes take to be so, at most.
    pub(super) trust: Trust,
    /// A pooler is between that gives each transaction a session of its choice.
    pub(super) is_pooled: bool,
    /// The URL without what is secret in it.
    pub(super) shown: String,
    secrets: Vec<String>,
}

impl Place {
    /// Reads a URL.
    pub(super) fn read(url: &str) -> Result<Place> {
        let (start, query) = parted(url);
        if !start.contains('@') && !has_ports(start) {
            return Err(Error::invalid(
                "path is a URL with a port that is no number: a password may have to be encoded, as %2F for a slash",
            ));
        }
        let (start_shown, mut secrets) = without_password(start);
        let mut own = Own::default();
        let (mut sent, mut shown) = (Vec::new(), Vec::new());
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(torn)?;
            // The server's library reads percent signs in names, too.
            let name = decoded(name).ok_or_else(torn)?;
            if name.starts_with("sw_") {
                own.read(&name, value)?;
                continue;
            }
            sent.push(part);
            if SECRETS.contains(&name.as_str()) {
                secrets.push(value.to_owned());
            } else {
                shown.push(part);
            }
        }
        let own_shown = own.shown();
        shown.extend(own_shown.iter().map(String::as_str));
        let decoded: Vec<String> = secrets.iter().filter_map(|secret| decoded(secret)).collect();
        secrets.extend(decoded);
        secrets.retain(|secret| !secret.is_empty());
        let url = CString::new(joined(start, &sent));
        let url = url.map_err(|_| Error::invalid("path holds a NUL"))?;
        let Own { schema, trust, is_pooled } = own;
        // What becomes of a flight without a number is told by its session, which is nobody's here.
        let is_too_much = is_pooled && trust == Trust::Everything;
        let trust = if is_too_much { Trust::New } else { trust };
        Ok(Place { url, shown: joined(&start_shown, &shown), schema, trust, is_pooled, secrets })
    }

    /// Returns what libpq is told. What stands before the URL gives way to what it says.
    pub(super) fn params(&self) -> Vec<(&'static CStr, CString)> {
        vec![
            (c"keepalives_idle", c"2".to_owned()),
            (c"keepalives_interval", c"1".to_owned()),
            (c"keepalives_count", c"3".to_owned()),
            // Of what was sent and is not acknowledged no keepalive asks.
            (c"tcp_user_timeout", c"5000".to_owned()),
            (c"fallback_application_name", c"smolwf".to_owned()),
            (c"dbname", self.url.clone()),
            (c"client_encoding", c"UTF8".to_owned()),
        ]
    }

    /// Returns a sentence without what is secret.
    pub(super) fn without_secrets(&self, sentence: &str) -> String {
        self.secrets.iter().fold(sentence.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// Returns what stands before the parameters, and the parameters. A `?` in front of the `@` that ends the
/// user is of the password.
fn parted(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let user = url[host..].find(['@', '/']).filter(|at| url[host + at..].starts_with('@'));
    let from = host + user.unwrap_or(0);
    let end = url[from..].find('?').map(|at| from + at);
    end.map_or((url, ""), |end| (&url[..end], &url[end + 1..]))
}

/// Names nothing of the URL: what is no parameter may be the end of a password.
fn torn() -> Error {
    Error::invalid(
        "path is a URL with a parameter that has no value: a password may have to be encoded, as %3F for a question mark",
    )
}

/// The parameters of our own.
struct Own {
    schema: String,
    trust: Trust,
    is_pooled: bool,
}

/// How much writes take to be so, by its name.
const TRUSTS: [(&str, Trust); 3] =
    [("everything", Trust::Everything), ("new", Trust::New), ("nothing", Trust::Nothing)];

impl Default for Own {
    fn default() -> Own {
        Own { schema: SCHEMA_DEFAULT.to_owned(), trust: Trust::Everything, is_pooled: false }
    }
}

impl Own {
    fn read(&mut self, name: &str, value: &str) -> Result<()> {
        let value = decoded(value).unwrap_or_default();
        match name {
            "sw_schema" => self.schema = schema(value)?,
            "sw_trust" => self.trust = trust(&value)?,
            "sw_pooler" => self.is_pooled = is_pooled(&value)?,
            _ => {
                let sentence = format!(
                    "{name} is no parameter of a URL that this library knows: sw_schema, sw_pooler and sw_trust are"
                );
                return Err(Error::Unsupported(sentence.into()));
            }
        }
        Ok(())
    }

    /// Returns those that say something else than none would.
    fn shown(&self) -> Vec<String> {
        let schema = (self.schema != SCHEMA_DEFAULT).then(|| format!("sw_schema={}", self.schema));
        let trust = TRUSTS.iter().skip(1).find(|(_, trust)| *trust == self.trust);
        let trust = trust.map(|(name, _)| format!("sw_trust={name}"));
        let pooler = self.is_pooled.then(|| "sw_pooler=transaction".to_owned());
        schema.into_iter().chain(pooler).chain(trust).collect()
    }
}

fn schema(name: String) -> Result<String> {
    let first = name.bytes().next().unwrap_or(b'0');
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if first.is_ascii_digit() || name.len() > NAME_BYTES_MAX || !name.bytes().all(is_plain) {
        return Err(Error::invalid(format!(
            "sw_schema is {name:?}, it must be of a-z, 0-9 and _, begin with no digit, and have 1 to {NAME_BYTES_MAX} characters"
        )));
    }
    if name.starts_with("pg_") {
        return Err(Error::invalid(format!("sw_schema is {name:?}, pg_ is the server's own")));
    }
    Ok(name)
}

fn trust(name: &str) -> Result<Trust> {
    let found = TRUSTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, trust)| *trust).ok_or_else(|| {
        Error::invalid(format!("sw_trust is {name:?}, it must be everything, new or nothing"))
    })
}

fn is_pooled(mode: &str) -> Result<bool> {
    match mode {
        "transaction" => Ok(true),
        "session" => Ok(false),
        _ => {
            let sentence = format!("sw_pooler is {mode:?}, it must be transaction or session");
            Err(Error::invalid(sentence))
        }
    }
}

/// Takes the password out of what stands before the parameters; returns it beside the rest.
fn without_password(start: &str) -> (String, Vec<String>) {
    let found = start.split_once("://").and_then(|(scheme, rest)| {
        let end = rest.find('/').unwrap_or(rest.len());
        // A password that should have been encoded may hold any of these.
        let at = rest[..end].rfind('@').or_else(|| rest.rfind('@'))?;
        let (user, password) = rest[..at].split_once(':')?;
        Some((format!("{scheme}://{user}{}", &rest[at..]), password.to_owned()))
    });
    found.map_or_else(|| (start.to_owned(), Vec::new()), |(shown, secret)| (shown, vec![secret]))
}

/// Returns whether what stands where a URL has its ports is a number, in each of its hosts. What is none is
/// the beginning of a password.
fn has_ports(start: &str) -> bool {
    let rest = start.split_once("://").map_or(start, |(_, rest)| rest);
    let hosts = rest.split_once('/').map_or(rest, |(hosts, _)| hosts);
    hosts.split(',').all(|host| {
        let is_bracketed = host.starts_with('[');
        let after = host.split_once(']').filter(|_| is_bracketed).map_or(host, |(_, after)| after);
        let port = after.split_once(':').map_or("", |(_, port)| port);
        port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn joined(start: &str, parts: &[&str]) -> String {
    if parts.is_empty() { start.to_owned() } else { format!("{start}?{}", parts.join("&")) }
}

/// Returns a text with its percent signs read; `None` where one is not followed by two digits.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut half = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                u8::try_from(half()? << 4 | half()?).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_taken_out_and_no_secret_is_shown() {
        let url =
            "postgresql://me:s%40cret@host:5432/db?sslmode=require&sw_schema=own&password=other";
        let place = Place::read(url).unwrap();
        assert_eq!(place.schema, "own");
        assert_eq!(place.shown, "postgresql://me@host:5432/db?sslmode=require&sw_schema=own");
        assert_eq!(
            place.url.to_str().unwrap(),
            "postgresql://me:s%40cret@host:5432/db?sslmode=require&password=other"
        );
        let told = place.without_secrets("of s%40cret, s@cret and other");
        assert_eq!(told, "of ***, *** and ***");
        let place = Place::read("postgres://me:a/b@host").unwrap();
        assert_eq!(place.shown, "postgres://me@host");
        assert_eq!(Place::read("postgresql:///").unwrap().schema, "smolwf");
    }

    #[test]
    fn a_password_of_any_characters_and_a_name_in_any_form_is_hidden() {
        let place = Place::read("postgres://me:a?b&c=d@host/db?sw_schema=own").unwrap();
        assert_eq!(place.shown, "postgres://me@host/db?sw_schema=own");
        assert_eq!(place.without_secrets("a?b&c=d"), "***");
        assert_eq!(place.url.to_str().unwrap(), "postgres://me:a?b&c=d@host/db");
        let place = Place::read("postgres://host?application_name=a@b").unwrap();
        assert_eq!(place.shown, "postgres://host?application_name=a@b");
        for name in ["pass%77ord", "oauth_client_secret", "scram_client_key", "sslpassword"] {
            let place = Place::read(&format!("postgresql:///db?{name}=hush&user=me")).unwrap();
            assert_eq!(place.shown, "postgresql:///db?user=me", "{name}");
        }
        for url in [
            "me:hu/sh?hush@host/db",
            "me:hu/sh?a=hush@host/db",
            "me:hu]sh/x?a=b@host",
            "a:1,me:hu/s@h?b=c@host",
        ] {
            let read = Place::read(&format!("postgres://{url}"));
            let told = read.map_or_else(|refused| refused.to_string(), |place| place.shown);
            assert!(!told.contains("hu"), "{told}");
        }
        for url in ["[::1]:5432/db?application_name=a@b", "[::1]/db", "a:1,b:,c/db", "me:5432"] {
            let url = format!("postgres://{url}");
            assert_eq!(Place::read(&url).unwrap().shown, url);
        }
    }

    #[test]
    fn a_name_that_would_have_to_be_quoted_is_refused() {
        for name in ["a%22b", "a'b", "A", "1a", "", "pg_a", "a b", "%C3%A4", &"a".repeat(64)] {
            let refused = Place::read(&format!("postgresql:///?sw_schema={name}")).err().unwrap();
            assert_eq!(refused.code(), -2, "{name}");
        }
        let refused = Place::read("postgresql:///?sw_schemes=a").err().unwrap();
        assert_eq!(refused.code(), -6);
    }

    #[test]
    fn how_much_is_taken_to_be_so_is_named_and_shown() {
        let read = |query| Place::read(&format!("postgresql:///{query}")).unwrap();
        for (query, trust, shown) in [
            ("", Trust::Everything, ""),
            ("?sw_trust=everything", Trust::Everything, ""),
            ("?sw_trust=new", Trust::New, "?sw_trust=new"),
            ("?sw_trust=nothing&sw_schema=a", Trust::Nothing, "?sw_schema=a&sw_trust=nothing"),
        ] {
            let place = read(query);
            assert_eq!((place.trust, place.shown), (trust, format!("postgresql:///{shown}")));
        }
        for refused in ["sw_trust=all", "sw_trust=", "sw_pooler=statement", "sw_pooler="] {
            let refused = Place::read(&format!("postgresql:///?{refused}")).err().unwrap();
            assert_eq!(refused.code(), -2);
        }
    }

    #[test]
    fn a_pooler_is_named_and_shown_and_little_taken_to_be_so_behind_it() {
        let read = |query| Place::read(&format!("postgresql:///?{query}")).unwrap();
        let place = read("sw_pooler=transaction");
        assert!(place.is_pooled);
        assert_eq!(place.trust, Trust::New);
        assert_eq!(place.shown, "postgresql:///?sw_pooler=transaction");
        assert_eq!(read("sw_trust=nothing&sw_pooler=transaction").trust, Trust::Nothing);
        let place = read("sw_pooler=session");
        assert!(!place.is_pooled);
        assert_eq!((place.trust, place.shown), (Trust::Everything, "postgresql:///".into()));
    }
}
