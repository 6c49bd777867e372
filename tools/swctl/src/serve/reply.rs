//! Answers: their headers, which keep the page to what it brings along, their tags, and refusals.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use tokio::sync::mpsc;

use crate::door::{self, code};

/// Nothing is loaded but from this server, nothing is run that stands in a document, nothing is sent
/// elsewhere, and nobody frames the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What is sent: all at once, or piece by piece as it comes.
pub enum Sent {
    /// A whole.
    Whole(Full<Bytes>),
    /// A stream; it ends with its sender.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Sent::Whole(whole) => Pin::new(whole).poll_frame(cx),
            Sent::Stream(pieces) => pieces.poll_recv(cx).map(|piece| Some(Ok(Frame::data(piece?)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Sent::Whole(whole) => whole.is_end_stream(),
            Sent::Stream(_) => false,
        }
    }
}

/// An answer.
pub type Reply = Response<Sent>;

/// A refusal of the server's or of the library's, with the status that says of which sort it is.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// The library's name for it; "HTTP" for the server's own.
    pub code: &'static str,
    /// One sentence, without payloads.
    pub message: String,
    /// Whether the same may be answered later.
    pub is_retryable: bool,
}

impl Refused {
    /// One of the server's own.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Refused {
        Refused { status, code: "HTTP", message: message.into(), is_retryable: false }
    }

    /// What was asked for is not understood.
    pub fn bad(message: impl Into<String>) -> Refused {
        Refused::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<door::Error> for Refused {
    fn from(error: door::Error) -> Refused {
        let status = match error.code {
            code::SW_ERR_NOT_FOUND => StatusCode::NOT_FOUND,
            code::SW_ERR_INVALID => StatusCode::BAD_REQUEST,
            code::SW_ERR_TOO_BIG => StatusCode::PAYLOAD_TOO_LARGE,
            code::SW_ERR_CONFLICT | code::SW_ERR_BUDGET => StatusCode::CONFLICT,
            code::SW_ERR_READONLY => StatusCode::FORBIDDEN,
            code::SW_ERR_BUSY | code::SW_ERR_CLOSED => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refused {
            status,
            code: door::code_name(error.code),
            message: error.message,
            is_retryable: error.is_retryable,
        }
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Refused {
        Refused::bad(format!("this is no JSON of the form that is wanted: {error}"))
    }
}

/// An answer of one type; the headers that all have are with it.
pub fn whole(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Sent::Whole(Full::new(body.into())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    guard(headers);
    reply
}

fn guard(headers: &mut HeaderMap) {
    let all = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// A JSON document of the server's own, or a refusal as one.
pub fn json(status: StatusCode, document: impl Into<Bytes>) -> Reply {
    whole(status, "application/json", document)
}

/// A refusal, as one sentence with its code.
pub fn refused(refused: &Refused) -> Reply {
    let document = serde_json::json!({
        "code": refused.code, "message": refused.message, "retryable": refused.is_retryable
    });
    json(refused.status, document.to_string())
}

/// What has a tag of its bytes: sent whole, or not at all to whoever has it.
pub fn tagged(asked: &HeaderMap, kind: &'static str, body: Bytes) -> Reply {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    let has = asked.get(IF_NONE_MATCH).is_some_and(|had| had.as_bytes() == tag.as_bytes());
    let mut reply = if has {
        whole(StatusCode::NOT_MODIFIED, kind, Bytes::new())
    } else {
        whole(StatusCode::OK, kind, body)
    };
    reply.headers_mut().insert(ETAG, value(&tag));
    reply
}

/// A stream of server-sent events.
pub fn stream(pieces: mpsc::Receiver<Bytes>) -> Reply {
    let mut reply = Response::new(Sent::Stream(pieces));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    guard(headers);
    reply
}

/// To the same page without the token in its address, which the cookie stands for from now on; whoever
/// has it needs none.
pub fn let_in(cookie: Option<&str>) -> Reply {
    let mut reply = whole(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let headers = reply.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    if let Some(cookie) = cookie {
        headers.insert(SET_COOKIE, value(cookie));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// A header of what is printable ASCII.
pub fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("tags, cookies and numbers are printable ASCII")
}
