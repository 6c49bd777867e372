//! `swctl FILE serve`: a page on this machine that shows the store, and with --write acts on it.
//!
//! One thread carries all connections; calls of the library, which may block, run on a few others. The
//! server keeps nothing of the store: each answer is a document that the library writes when it is
//! asked. `gate` and `token` say who may ask, `api` and `acts` what, `payloads` how much of it is shown,
//! `changes` tells the page to look again, `pace` gives up on whoever does not read.

mod acts;
mod api;
mod assets;
mod changes;
mod gate;
mod pace;
mod payloads;
mod reply;
mod token;

use std::convert::Infallible;
use std::future::pending;
use std::io::{self, BufRead};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

use self::api::{Query, Setup};
use self::gate::Names;
use self::reply::{Refused, Reply};
use self::token::Tokens;
use crate::door::{Mode, Store};
use crate::failure::Failure;
use crate::out::{self, Out};
use crate::place;

/// Connections at once; one more is told to come later.
const CONNECTIONS_MAX: usize = 128;
/// Streams of changes at once, one for each page that is seen.
const STREAMS_MAX: usize = 64;
/// Threads that call the library.
const LOOKERS_MAX: usize = 8;
/// Bytes of a write.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a request's line and headers.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long the head of a request may take, the next one on a connection too.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long the body of a write may take.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a reader may take nothing of what it asked for.
const READ_PATIENCE: Duration = Duration::from_secs(30);

/// How the page is served.
#[derive(clap::Args, Debug, Clone)]
pub struct Options {
    /// Let the page act: retry, cancel, pause, resume, signal, fork, and more
    #[arg(long)]
    pub write: bool,
    /// Hide what runs carry: args, results, errors, metadata, signals, events
    #[arg(long)]
    pub redact: bool,
    /// Where to listen; the system picks the port where it is 0
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Take the token from this file; what listens on other addresses than this machine's own wants one
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Also answer to this name, as of a proxy: NAME or NAME:PORT as browsers send it
    #[arg(long, value_name = "HOST")]
    pub host: Vec<String>,
}

/// What all connections share.
struct Server {
    store: Store,
    setup: Setup,
    names: Names,
    tokens: Tokens,
    cookie: String,
    counter: watch::Sender<u64>,
    streams: Arc<Semaphore>,
}

/// Serves until it is told to end.
pub fn serve(file: &Path, options: &Options, busy_ms: u32, out: &mut Out) -> Result<(), Failure> {
    if !options.listen.ip().is_loopback() && options.token_file.is_none() {
        return Err(Failure::Usage(format!(
            "{} is not this machine's alone: listening there wants --token-file",
            options.listen.ip()
        )));
    }
    let lasting = options.token_file.as_deref().map(token::read_file).transpose();
    let lasting = lasting.map_err(Failure::Usage)?;
    let mode = if options.write { Mode::Write } else { Mode::Read };
    let store = Store::open(file, mode, busy_ms)?;
    // A store that cannot be looked at is refused here, and not by every view of the page.
    store.queues()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(LOOKERS_MAX)
        .build()?;
    let done = runtime.block_on(async {
        let listener = TcpListener::bind(options.listen).await?;
        let server = Arc::new(Server::new(store, file, options, &listener, lasting)?);
        server.run(listener, out).await
    });
    runtime.shutdown_background();
    done
}

impl Server {
    fn new(
        store: Store,
        file: &Path,
        options: &Options,
        listener: &TcpListener,
        lasting: Option<String>,
    ) -> Result<Server, Failure> {
        let address = listener.local_addr()?;
        let setup = Setup {
            file: place::name(file, &store),
            is_on_server: place::is_on_server(file),
            write: options.write,
            redact: options.redact,
        };
        Ok(Server {
            store,
            setup,
            names: Names::new(address, &options.host),
            tokens: Tokens::new(lasting).map_err(failed)?,
            // Cookies are of a host, whatever the port: others may be served beside this one.
            cookie: format!("swctl_{}", address.port()),
            counter: watch::channel(0).0,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        })
    }

    async fn run(self: &Arc<Self>, listener: TcpListener, out: &mut Out) -> Result<(), Failure> {
        let address = listener.local_addr()?;
        let mut ends = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        self.print(address, out)?;
        let mut lines = lines_typed();
        tokio::select! {
            never = self.accept(listener) => never,
            never = self.watch() => never,
            failure = async {
                while lines.recv().await.is_some() {
                    self.print(address, out)?;
                }
                pending().await
            } => failure,
            _ = ends.0.recv() => Ok(()),
            _ = ends.1.recv() => Ok(()),
        }
    }

    /// The address that opens the page: with a token that is good once, or without the file's, which
    /// stands nowhere else.
    fn print(&self, address: SocketAddr, out: &mut Out) -> Result<(), Failure> {
        if self.tokens.are_of_a_file() {
            out.line(&format!("http://{address}/?token=<what the file holds>"))?;
        } else {
            let token = self.tokens.renew().map_err(failed)?;
            out.line(&format!("http://{address}/?token={token}"))?;
            out::say("It opens the page once, in one browser. Enter prints another; Ctrl-C ends.");
        }
        Ok(out.flush()?)
    }

    /// Where the file that tells of changes cannot be read, pages look by themselves alone.
    async fn watch(&self) -> Result<(), Failure> {
        if let Ok(watch) = self.store.watch() {
            let _ = changes::watch(&watch, &self.counter).await;
        }
        pending().await
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener) -> Result<(), Failure> {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Descriptors have run out, as a rule: some will be closed.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
                let _ = stream.try_write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                continue;
            };
            tokio::spawn(Arc::clone(self).carry(stream, permit));
        }
    }

    async fn carry(self: Arc<Self>, stream: TcpStream, _permit: OwnedSemaphorePermit) {
        let _ = stream.set_nodelay(true);
        let stream = TokioIo::new(pace::Paced::new(stream, READ_PATIENCE));
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        // A connection that fails has nobody to be told.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(stream, service)
            .await;
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        if let Err(refusal) = gate::pass(&request, &self.names) {
            return reply::refused(&Refused::new(refusal.status, refusal.message));
        }
        let query = Query::read(request.uri().query().unwrap_or_default());
        let is_known = gate::cookie(request.headers(), &self.cookie)
            .is_some_and(|cookie| self.tokens.knows(cookie));
        if let Some(token) = query.text("token").filter(|_| request.uri().path() == "/") {
            return self.exchange(token, is_known);
        }
        if !is_known {
            return turned_away(request.uri().path());
        }
        self.serve(request, query).await.unwrap_or_else(|refused| reply::refused(&refused))
    }

    fn exchange(&self, token: &str, is_known: bool) -> Reply {
        match self.tokens.exchange(token) {
            Some(session) => {
                let cookie = &self.cookie;
                reply::let_in(Some(&format!(
                    "{cookie}={session}; Path=/; HttpOnly; SameSite=Strict"
                )))
            }
            None if is_known => reply::let_in(None),
            None => turned_away("/"),
        }
    }

    async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        query: Query,
    ) -> Result<Reply, Refused> {
        let path = request.uri().path().to_string();
        let Some(path) = path.strip_prefix("/api/").map(str::to_string) else {
            return asset(&request, &path);
        };
        match *request.method() {
            Method::GET | Method::HEAD if path == "changes" => self.stream(),
            Method::GET | Method::HEAD => self.look(request.headers().clone(), path, query).await,
            Method::POST => self.act(request, path).await,
            _ => Err(Refused::new(StatusCode::METHOD_NOT_ALLOWED, "GET looks, POST acts")),
        }
    }

    fn stream(&self) -> Result<Reply, Refused> {
        let permit = Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            let message = format!("{STREAMS_MAX} pages follow already");
            Refused::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })?;
        let (pieces, stream) = mpsc::channel(1);
        tokio::spawn(changes::follow(self.counter.subscribe(), pieces, permit));
        Ok(reply::stream(stream))
    }

    async fn look(
        self: Arc<Self>,
        asked: HeaderMap,
        path: String,
        query: Query,
    ) -> Result<Reply, Refused> {
        let server = Arc::clone(&self);
        let found = aside(move || api::look(&server.store, &server.setup, &path, &query)).await?;
        let kind = match found.payload_bytes {
            None => "application/json",
            Some(_) => "text/plain; charset=utf-8",
        };
        let mut reply = reply::tagged(&asked, kind, found.text.into());
        let headers = reply.headers_mut();
        headers.insert("store-now", reply::value(&self.store.now_ms().to_string()));
        if let Some(bytes) = found.payload_bytes {
            headers.insert("payload-bytes", reply::value(&bytes.to_string()));
        }
        Ok(reply)
    }

    async fn act(
        self: Arc<Self>,
        request: Request<Incoming>,
        path: String,
    ) -> Result<Reply, Refused> {
        if !self.setup.write {
            let message = "this page only reads: swctl was started without --write";
            return Err(Refused::new(StatusCode::FORBIDDEN, message));
        }
        let body = body_of(request).await?;
        let said = aside(move || {
            let body =
                std::str::from_utf8(&body).map_err(|_| Refused::bad("the body is no UTF-8"))?;
            acts::act(&self.store, &self.setup, &path, body)
        });
        Ok(reply::json(StatusCode::OK, said.await?))
    }
}

/// Where a call of the library may block without holding up the others.
async fn aside<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(call).await;
    done.unwrap_or_else(|_| {
        Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "the server has a defect"))
    })
}

async fn body_of(request: Request<Incoming>) -> Result<Bytes, Refused> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    match timeout(BODY_PATIENCE, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let message = format!("the body has more than {BODY_BYTES_MAX} bytes");
            Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, message))
        }
        Ok(Err(_)) => Err(Refused::bad("the body broke off")),
        Err(_) => Err(Refused::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn asset(request: &Request<Incoming>, path: &str) -> Result<Reply, Refused> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Refused::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "a file of the page is only read",
        ));
    }
    let asset = assets::at(path)
        .ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "the page has no such file"))?;
    Ok(reply::tagged(request.headers(), asset.kind, asset.bytes()))
}

fn turned_away(path: &str) -> Reply {
    if path.starts_with("/api/") {
        return reply::refused(&Refused::new(StatusCode::UNAUTHORIZED, "who asks is not known"));
    }
    reply::whole(StatusCode::UNAUTHORIZED, "text/html; charset=utf-8", assets::CLOSED)
}

fn failed(message: String) -> Failure {
    Failure::Output(io::Error::other(message))
}

/// A sign for each line that is typed. Nothing is read from a terminal of which this is not the
/// foreground: reading there would stop the process.
fn lines_typed() -> mpsc::Receiver<()> {
    let (typed, lines) = mpsc::channel(1);
    let stdin = io::stdin();
    let foreground = rustix::termios::tcgetpgrp(&stdin).ok();
    if foreground.is_none_or(|group| group == rustix::process::getpgrp()) {
        std::thread::spawn(move || {
            for line in stdin.lock().lines() {
                if line.is_err() || typed.blocking_send(()).is_err() {
                    return;
                }
            }
        });
    }
    lines
}
