//! Where a store is: a file, or a URL of a server. A URL may hold a password, which is shown nowhere: not in an
//! error, not in a title, not in a command to type next.

use std::borrow::Cow;
use std::path::Path;

use crate::door::Store;

/// What a URL of a server begins with, either way.
const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];
/// The schema of a store whose URL names none.
const SCHEMA_DEFAULT: &str = "smolwf";
/// What stands in the place of a URL that may hold a secret.
const HIDDEN: &str = "postgresql://...";
/// Parts of a URL's parameters that hold one.
const SECRETS: [&str; 3] = ["password", "secret", "_key"];

/// Whether what was typed is a store on a server.
pub fn is_on_server(typed: &Path) -> bool {
    typed.to_str().is_some_and(|typed| SCHEMES.iter().any(|scheme| typed.starts_with(scheme)))
}

/// What is shown of it, whole: a file as it was typed, a URL as the library shows it, without a password.
pub fn shown(typed: &Path, store: &Store) -> String {
    let of_server = is_on_server(typed).then(|| store.path()).flatten();
    of_server.unwrap_or_else(|| typed.to_string_lossy().into_owned())
}

/// The same for a title: the name of a file, or of a server with its database and the store's schema.
pub fn name(typed: &Path, store: &Store) -> String {
    if is_on_server(typed) {
        return short(&shown(typed, store));
    }
    typed.file_name().unwrap_or(typed.as_os_str()).to_string_lossy().into_owned()
}

/// The schema of a store on a server; None for one in a file.
pub fn schema(store: &Store) -> Option<String> {
    let path = store.path()?;
    is_on_server(Path::new(&path)).then(|| named(&path).unwrap_or(SCHEMA_DEFAULT).to_string())
}

/// The schema that a URL names.
fn named(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|part| part.strip_prefix("sw_schema="))
}

fn short(shown: &str) -> String {
    let start = shown.split_once('?').map_or(shown, |(start, _)| start);
    named(shown).map_or_else(|| start.to_string(), |schema| format!("{start} {schema}"))
}

/// A sentence without the URLs that were typed, where they may hold a password: one that stood in the wrong
/// place, as the name of a command, is a part of what is said about it.
pub fn without_secrets(sentence: &str) -> Cow<'_, str> {
    let typed = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    typed.fold(Cow::Borrowed(sentence), |told, arg| match url_with_secret(&arg) {
        Some(url) if told.contains(url) => Cow::Owned(told.replace(url, HIDDEN)),
        _ => told,
    })
}

/// The URL in what was typed, if there may be a secret in it.
fn url_with_secret(arg: &str) -> Option<&str> {
    let at = SCHEMES.iter().filter_map(|scheme| arg.find(scheme)).min()?;
    let url = &arg[at..];
    let (_, rest) = url.split_once("://")?;
    let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
    let may_be = user.contains(':') || SECRETS.iter().any(|part| url.contains(part));
    // A name of a parameter may be written with percent signs.
    (may_be || url.contains('%')).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_told_from_a_file() {
        for url in ["postgresql://h/d", "postgres://", "postgresql:///?host=/run"] {
            assert!(is_on_server(Path::new(url)), "{url}");
        }
        for file in ["app.db", "./postgresql://h/d", "postgresql:/h", "postgres"] {
            assert!(!is_on_server(Path::new(file)), "{file}");
        }
    }

    #[test]
    fn a_title_names_server_database_and_schema() {
        let name = short("postgresql://me@db:5432/app?sslmode=require&sw_schema=jobs");
        assert_eq!(name, "postgresql://me@db:5432/app jobs");
        assert_eq!(short("postgresql:///app"), "postgresql:///app");
    }

    #[test]
    fn a_url_that_may_hold_a_password_is_found_wherever_it_stands() {
        let url = "postgresql://me:hush@db/app";
        assert_eq!(url_with_secret(url), Some(url));
        assert_eq!(url_with_secret(&format!("--key={url}")), Some(url));
        for secret in ["password=hush", "sslpassword=hush", "pass%77ord=hush", "scram_client_key=h"]
        {
            let url = format!("postgres:///db?{secret}");
            assert_eq!(url_with_secret(&url), Some(url.as_str()), "{secret}");
        }
        assert_eq!(url_with_secret("postgresql://me@db/app?sw_schema=jobs"), None);
        assert_eq!(url_with_secret("app.db"), None);
    }
}
