//! The files of the page, which the program carries.

use bytes::Bytes;

/// A file: where it is asked for, its type, what it holds.
pub struct Asset {
    /// The path.
    pub path: &'static str,
    /// The type.
    pub kind: &'static str,
    /// The bytes.
    pub body: &'static [u8],
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($path:literal, $kind:expr) => {
        Asset { path: $path, kind: $kind, body: include_bytes!(concat!("../../page", $path)) }
    };
}

/// All of them, the page itself first.
pub const ASSETS: &[Asset] = &[
    asset!("/index.html", "text/html; charset=utf-8"),
    asset!("/page.css", "text/css; charset=utf-8"),
    asset!("/icon.svg", "image/svg+xml"),
    asset!("/page.js", SCRIPT),
    asset!("/acts.js", SCRIPT),
    asset!("/failures.js", SCRIPT),
    asset!("/live.js", SCRIPT),
    asset!("/payload.js", SCRIPT),
    asset!("/run.js", SCRIPT),
    asset!("/runs.js", SCRIPT),
    asset!("/store.js", SCRIPT),
    asset!("/timeline.js", SCRIPT),
    asset!("/words.js", SCRIPT),
    asset!("/vendor/preact.js", SCRIPT),
    asset!("/vendor/hooks.js", SCRIPT),
    asset!("/vendor/htm.js", SCRIPT),
];

const VIEWS: &[&str] = &["/", "/runs", "/queues", "/owners", "/schedules", "/budgets", "/events"];

/// The file at a path. Each view of the page is the page; it reads its own address.
pub fn at(path: &str) -> Option<&'static Asset> {
    let run = path.strip_prefix("/runs/").is_some_and(|id| !id.is_empty() && !id.contains('/'));
    if run || VIEWS.contains(&path) {
        return ASSETS.first();
    }
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// Its bytes, without a copy.
    pub fn bytes(&self) -> Bytes {
        Bytes::from_static(self.body)
    }
}

/// What whoever is not let in is shown: it says nothing of the store.
pub const CLOSED: &str = include_str!("../../page/closed.html");

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES_MAX: usize = 150_000;

    #[test]
    fn all_that_the_page_is_made_of_is_small() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.body.len()).sum();
        assert!(bytes + CLOSED.len() < BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn every_script_that_another_imports_is_carried() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            let text = std::str::from_utf8(asset.body).expect("UTF-8");
            let folder = asset.path.rsplit_once('/').expect("a path").0;
            for line in text.lines().filter(|line| line.contains("from \"./")) {
                let name = line.split("from \"./").nth(1).and_then(|rest| rest.split('"').next());
                let path = format!("{folder}/{}", name.expect("a name"));
                assert!(
                    ASSETS.iter().any(|other| other.path == path),
                    "{} imports {path}",
                    asset.path
                );
            }
        }
    }

    #[test]
    fn the_page_names_every_script_for_its_browser_to_fetch_at_once() {
        let page = std::str::from_utf8(ASSETS[0].body).expect("UTF-8");
        for asset in ASSETS.iter().filter(|asset| asset.kind == SCRIPT) {
            assert!(page.contains(&format!("\"{}\"", asset.path)), "{}", asset.path);
        }
    }

    #[test]
    fn views_are_the_page_and_other_paths_are_not() {
        for path in ["/", "/runs", "/runs/run_1", "/events"] {
            assert_eq!(at(path).map(|asset| asset.path), Some("/index.html"), "{path}");
        }
        for path in ["/runs/", "/runs/a/b", "/nothing", "/../Cargo.toml", "/vendor/", ""] {
            assert!(at(path).is_none(), "{path}");
        }
    }
}
