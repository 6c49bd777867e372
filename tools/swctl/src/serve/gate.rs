//! What a request must be before anything is looked at: addressed to this server by a name of its own,
//! and not sent by another site's page. A browser can be made to ask this address by any page, and by
//! any name that its owner points here, so a socket on the loopback alone keeps nobody out.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, Request, StatusCode, Uri};

/// The port of an address that names none.
const HTTP_PORT: u16 = 80;

/// By which names this server may be asked.
pub struct Names {
    hosts: Vec<String>,
}

/// Why a request is turned away.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub status: StatusCode,
    /// One sentence.
    pub message: &'static str,
}

const MISDIRECTED: Refusal =
    Refusal { status: StatusCode::MISDIRECTED_REQUEST, message: "this server has another name" };
const FOREIGN: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    message: "another site's page may not ask this server",
};
const NOT_JSON: Refusal = Refusal {
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    message: "a write is application/json, and nothing else",
};

impl Names {
    /// Those of an address that is listened on, and others that were named, each with or without a port.
    pub fn new(address: SocketAddr, others: &[String]) -> Names {
        let port = address.port();
        let mut hosts = vec![written(address.ip(), port)];
        if address.ip().is_loopback() {
            hosts.push(format!("localhost:{port}"));
            hosts.push(format!("127.0.0.1:{port}"));
            hosts.push(format!("[::1]:{port}"));
        }
        if port == HTTP_PORT {
            // A browser leaves it out.
            let bare = |host: &String| host.strip_suffix(":80").map(str::to_string);
            hosts.extend(hosts.iter().filter_map(bare).collect::<Vec<_>>());
        }
        hosts.extend(others.iter().map(|name| name.to_ascii_lowercase()));
        Names { hosts }
    }

    fn contain(&self, host: &str) -> bool {
        self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

fn written(ip: IpAddr, port: u16) -> String {
    match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    }
}

/// Looks at where a request is meant to go, then at who sends it, then at how it writes.
pub fn pass<B>(request: &Request<B>, names: &Names) -> Result<(), Refusal> {
    let host = host_of(request.headers(), request.uri()).filter(|host| names.contain(host));
    let host = host.ok_or(MISDIRECTED)?;
    if is_foreign(request, host) {
        return Err(FOREIGN);
    }
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    if !is_read && !is_json(request.headers()) {
        return Err(NOT_JSON);
    }
    Ok(())
}

/// The one Host; the authority of an absolute address must be the same.
fn host_of<'a>(headers: &'a HeaderMap, uri: &Uri) -> Option<&'a str> {
    let host = only(headers, HOST)?;
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => None,
        _ => Some(host),
    }
}

fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

/// An Origin must be this server's, by http or, behind a proxy, https. What a browser says of the
/// sender's site must be the same or nobody; a person who follows a link to the page is let through,
/// as that reads nothing for the site where the link stands.
fn is_foreign<B>(request: &Request<B>, host: &str) -> bool {
    let headers = request.headers();
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, ORIGIN).unwrap_or_default();
        let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !name.is_some_and(|name| name.eq_ignore_ascii_case(host)) {
            return true;
        }
    }
    // What stands there twice no browser has said.
    let said = |name: &'static str| {
        headers
            .contains_key(name)
            .then(|| only(headers, HeaderName::from_static(name)).unwrap_or(""))
    };
    match said("sec-fetch-site") {
        None | Some("same-origin" | "none") => false,
        Some(_) => !is_visit(request, said("sec-fetch-mode"), said("sec-fetch-dest")),
    }
}

fn is_visit<B>(request: &Request<B>, mode: Option<&str>, dest: Option<&str>) -> bool {
    request.method() == Method::GET
        && !request.uri().path().starts_with("/api/")
        && mode == Some("navigate")
        && dest == Some("document")
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = only(headers, CONTENT_TYPE).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// The value of a cookie; None where it is not there, or there twice.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| value);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new(SocketAddr::from(([127, 0, 0, 1], 7000)), &[])
    }

    fn asked(method: Method, path: &str, headers: &[(&str, &str)]) -> Result<(), u16> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a request");
        pass(&request, &names()).map_err(|refusal| refusal.status.as_u16())
    }

    fn get(headers: &[(&str, &str)]) -> Result<(), u16> {
        asked(Method::GET, "/api/runs", headers)
    }

    const HERE: (&str, &str) = ("host", "127.0.0.1:7000");

    #[test]
    fn a_name_that_is_not_the_servers_is_misdirected() {
        assert_eq!(get(&[HERE]), Ok(()));
        assert_eq!(get(&[("host", "LocalHost:7000")]), Ok(()));
        assert_eq!(get(&[("host", "[::1]:7000")]), Ok(()));
        let elsewhere = [
            "evil.example:7000",
            "127.0.0.1",
            "127.0.0.1:7001",
            "localhost",
            "127.0.0.1.nip.io:7000",
            "",
        ];
        for host in elsewhere {
            assert_eq!(get(&[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(get(&[]), Err(421));
        assert_eq!(get(&[HERE, HERE]), Err(421));
        let absolute = asked(Method::GET, "http://evil.example/api/runs", &[HERE]);
        assert_eq!(absolute, Err(421));
    }

    #[test]
    fn the_name_is_looked_at_before_the_sender() {
        assert_eq!(get(&[("host", "evil.example"), ("origin", "http://evil.example")]), Err(421));
    }

    #[test]
    fn other_names_are_those_that_were_given() {
        let address = SocketAddr::from(([10, 0, 0, 7], 80));
        let names = Names::new(address, &["Store.Example".to_string()]);
        for (host, is_good) in
            [("10.0.0.7:80", true), ("store.example", true), ("localhost:80", false)]
        {
            assert_eq!(names.contain(host), is_good, "{host}");
        }
    }

    #[test]
    fn the_port_that_browsers_leave_out_may_be_left_out_and_no_other() {
        let of = |port: u16| Names::new(SocketAddr::from(([127, 0, 0, 1], port)), &[]);
        for host in ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:80"] {
            assert!(of(80).contain(host), "{host}");
        }
        assert!(!of(8080).contain("127.0.0.1") && !of(8080).contain("127.0.0.1:80"));
    }

    #[test]
    fn a_page_of_another_site_is_turned_away() {
        assert_eq!(get(&[HERE, ("origin", "http://127.0.0.1:7000")]), Ok(()));
        for origin in
            ["null", "http://evil.example", "http://127.0.0.1:7001", "http://127.0.0.1", ""]
        {
            assert_eq!(get(&[HERE, ("origin", origin)]), Err(403), "{origin}");
        }
        assert_eq!(get(&[HERE, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(get(&[HERE, ("sec-fetch-site", "none")]), Ok(()));
        for site in ["cross-site", "same-site", "whatever", ""] {
            assert_eq!(get(&[HERE, ("sec-fetch-site", site)]), Err(403), "{site}");
            let twice = [HERE, ("sec-fetch-site", "same-origin"), ("sec-fetch-site", site)];
            assert_eq!(get(&twice), Err(403), "same-origin and {site}");
        }
    }

    #[test]
    fn a_person_may_follow_a_link_to_the_page_and_not_to_its_documents() {
        let visit = [
            HERE,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert_eq!(asked(Method::GET, "/", &visit), Ok(()));
        assert_eq!(asked(Method::GET, "/api/runs", &visit), Err(403));
        assert_eq!(asked(Method::POST, "/", &visit), Err(403));
        let framed = [visit[0], visit[1], visit[2], ("sec-fetch-dest", "iframe")];
        assert_eq!(asked(Method::GET, "/", &framed), Err(403));
    }

    #[test]
    fn a_write_is_json_and_nothing_that_a_form_can_send() {
        let post = |kind: &str| asked(Method::POST, "/api/act", &[HERE, ("content-type", kind)]);
        assert_eq!(post("application/json"), Ok(()));
        assert_eq!(post("Application/JSON; charset=utf-8"), Ok(()));
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/jsonx",
            "",
        ] {
            assert_eq!(post(kind), Err(415), "{kind}");
        }
        assert_eq!(asked(Method::POST, "/api/act", &[HERE]), Err(415));
        assert_eq!(asked(Method::DELETE, "/api/act", &[HERE]), Err(415));
    }

    #[test]
    fn a_cookie_is_found_among_others_and_refused_where_it_stands_twice() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; swctl_7000=good; b=2".parse().expect("a value"));
        assert_eq!(cookie(&headers, "swctl_7000"), Some("good"));
        assert_eq!(cookie(&headers, "swctl"), None);
        headers.append(COOKIE, "swctl_7000=other".parse().expect("a value"));
        assert_eq!(cookie(&headers, "swctl_7000"), None);
    }
}
