//! libpq behind safe types.
//!
//! A [`Link`] is one connection; it is used by one thread at a time. What it answers is an [`Answer`],
//! which stays readable when the link is gone.

#![allow(unsafe_code, non_snake_case, reason = "calls of a C library, by its names")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::RawFd;
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use super::libpq::{Functions, PgConn, PgResult, pq};
use crate::error::{Error, Result};
use crate::os;
use crate::process::{self, Lent};

const CONNECTION_OK: c_int = 0;
const POLLING_READING: c_int = 1;
const POLLING_WRITING: c_int = 2;
const POLLING_OK: c_int = 3;
const COMMAND_OK: c_int = 1;
const TUPLES_OK: c_int = 2;
const PIPELINE_SYNC: c_int = 10;
const EMPTY_QUERY: c_int = 0;
const TRANSACTION_IDLE: c_int = 0;
const VERBOSE: c_int = 2;
const DIAG_STATE: c_int = b'C' as c_int;
const DIAG_MESSAGE: c_int = b'M' as c_int;

/// What went wrong: a state of SQL, empty where none was told, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Five characters, or none.
    pub(super) state: String,
    /// What the server or libpq says.
    pub(super) text: String,
}

/// What is told where the connection ended in the midst of a call.
fn fault_of(text: &str) -> Fault {
    Fault { state: String::new(), text: text.trim_end().to_owned() }
}

/// Reads what a connection that came to nothing says: a state stands behind the severity.
fn fault_of_connecting(text: &str) -> Fault {
    let line = text.lines().next().unwrap_or_default();
    let mut parts = line.split(":  ").filter_map(|part| part.split_once(": "));
    match parts.find(|(state, _)| is_state(state)) {
        Some((state, sentence)) => Fault { state: state.into(), text: sentence.into() },
        None => fault_of(&text.trim_end().replace('\n', " ")),
    }
}

fn is_state(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

unsafe extern "C" fn silence(_: *mut c_void, _: *const PgResult) {}

/// A connection to a server.
pub(super) struct Link {
    pq: &'static Functions,
    conn: NonNull<PgConn>,
    generation: u32,
    /// Its socket, which a child of a fork closes.
    socket: Option<Lent>,
}

// SAFETY: libpq keeps what it knows of a connection in that connection; one thread at a time has it.
unsafe impl Send for Link {}

impl Link {
    /// Connects, within a time; `params` are libpq's, in its order.
    pub(super) fn connect(
        params: &[(&CStr, CString)],
        timeout: Duration,
    ) -> Result<std::result::Result<Link, Fault>> {
        let pq = pq()?;
        let mut names: Vec<*const c_char> = params.iter().map(|(name, _)| name.as_ptr()).collect();
        let mut values: Vec<*const c_char> = params.iter().map(|(_, it)| it.as_ptr()).collect();
        names.push(ptr::null());
        values.push(ptr::null());
        // SAFETY: both lists end with NULL and stand until the call returns.
        let conn = unsafe { (pq.PQconnectStartParams)(names.as_ptr(), values.as_ptr(), 1) };
        let conn = NonNull::new(conn).ok_or(Error::NoMem)?;
        let mut link = Link { pq, conn, generation: process::generation(), socket: None };
        // SAFETY: the connection is there.
        unsafe { (pq.PQsetErrorVerbosity)(conn.as_ptr(), VERBOSE) };
        // SAFETY: as above; the function takes nothing of what it is given.
        unsafe { (pq.PQsetNoticeReceiver)(conn.as_ptr(), silence, ptr::null_mut()) };
        match link.shake_hands(Instant::now() + timeout)? {
            None => {
                link.socket = Some(process::track_lent(link.socket()));
                Ok(Ok(link))
            }
            Some(fault) => Ok(Err(fault)),
        }
    }

    /// Carries the connection on until it stands; the fault if it does not.
    fn shake_hands(&self, deadline: Instant) -> Result<Option<Fault>> {
        // As libpq says: at first one waits until it can be written.
        let mut stage = POLLING_WRITING;
        loop {
            // SAFETY: the connection is there.
            if unsafe { (self.pq.PQstatus)(self.conn.as_ptr()) } == 1 {
                return Ok(Some(fault_of_connecting(&self.message())));
            }
            match stage {
                POLLING_OK => return Ok(None),
                POLLING_READING | POLLING_WRITING => {}
                _ => return Ok(Some(fault_of_connecting(&self.message()))),
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Some(fault_of("it did not answer within the time-out")));
            }
            let is_to_write = stage == POLLING_WRITING;
            let waited = os::wait_for_socket(self.socket(), is_to_write, left);
            if !waited.map_err(|error| Error::from_os("wait for a socket", &error))? {
                continue;
            }
            // SAFETY: the connection is there and being made.
            stage = unsafe { (self.pq.PQconnectPoll)(self.conn.as_ptr()) };
        }
    }

    fn message(&self) -> String {
        // SAFETY: the connection is there.
        let text = unsafe { (self.pq.PQerrorMessage)(self.conn.as_ptr()) };
        shown(text)
    }

    /// Returns the descriptor of its socket.
    pub(super) fn socket(&self) -> RawFd {
        // SAFETY: the connection is there.
        unsafe { (self.pq.PQsocket)(self.conn.as_ptr()) }
    }

    /// Returns the version of the server, as in 150018.
    pub(super) fn server_version(&self) -> i32 {
        // SAFETY: the connection is there.
        unsafe { (self.pq.PQserverVersion)(self.conn.as_ptr()) }
    }

    /// Returns what the server told of itself under a name as the connection was made.
    pub(super) fn told(&self, name: &CStr) -> Option<String> {
        // SAFETY: the connection is there; reads the name.
        let text = unsafe { (self.pq.PQparameterStatus)(self.conn.as_ptr(), name.as_ptr()) };
        (!text.is_null()).then(|| shown(text))
    }

    /// Returns the number of the process that serves it, as whoever answered has told.
    pub(super) fn process(&self) -> i32 {
        // SAFETY: the connection is there.
        unsafe { (self.pq.PQbackendPID)(self.conn.as_ptr()) }
    }

    /// Returns whether it stands.
    pub(super) fn is_up(&self) -> bool {
        // SAFETY: the connection is there.
        unsafe { (self.pq.PQstatus)(self.conn.as_ptr()) == CONNECTION_OK }
    }

    /// Returns whether no transaction is open on it.
    pub(super) fn is_idle(&self) -> bool {
        // SAFETY: the connection is there.
        unsafe { (self.pq.PQtransactionStatus)(self.conn.as_ptr()) == TRANSACTION_IDLE }
    }

    /// Runs statements that take no parameters.
    pub(super) fn run(&mut self, sql: &str) -> std::result::Result<Answer, Fault> {
        let sql = c_string(sql)?;
        // SAFETY: the connection is there, the text stands until the call returns.
        let answer = unsafe { (self.pq.PQexec)(self.conn.as_ptr(), sql.as_ptr()) };
        self.answer(answer)
    }

    /// Runs one statement that is prepared under no name.
    pub(super) fn run_once(
        &mut self,
        sql: &str,
        params: &[Option<CString>],
    ) -> std::result::Result<Answer, Fault> {
        let sql = c_string(sql)?;
        let values = values(params);
        // SAFETY: the connection is there; the text and the values stand until the call returns.
        let answer = unsafe {
            (self.pq.PQexecParams)(
                self.conn.as_ptr(),
                sql.as_ptr(),
                count(params),
                ptr::null(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.answer(answer)
    }

    /// Begins to send statements without waiting for their answers.
    pub(super) fn take_off(&mut self) -> std::result::Result<(), Fault> {
        // SAFETY: the connection is there.
        let is_done = unsafe { (self.pq.PQenterPipelineMode)(self.conn.as_ptr()) };
        self.done(is_done)
    }

    /// Has a statement prepared under a name. It is sent with what follows it.
    pub(super) fn send_prepare(
        &mut self,
        name: &CStr,
        sql: &str,
    ) -> std::result::Result<(), Fault> {
        let sql = c_string(sql)?;
        // SAFETY: the connection is there; both texts stand until the call returns.
        let is_done = unsafe {
            (self.pq.PQsendPrepare)(self.conn.as_ptr(), name.as_ptr(), sql.as_ptr(), 0, ptr::null())
        };
        self.done(is_done)
    }

    /// Has a statement run that was prepared under a name. It is sent with what follows it.
    pub(super) fn send_prepared(
        &mut self,
        name: &CStr,
        params: &[Option<CString>],
    ) -> std::result::Result<(), Fault> {
        let values = values(params);
        // SAFETY: the connection is there; the name and the values stand until the call returns.
        let is_done = unsafe {
            (self.pq.PQsendQueryPrepared)(
                self.conn.as_ptr(),
                name.as_ptr(),
                count(params),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.done(is_done)
    }

    /// Sends a statement that no session keeps.
    pub(super) fn send_text(
        &mut self,
        text: &str,
        params: &[Option<CString>],
    ) -> std::result::Result<(), Fault> {
        let text = c_string(text)?;
        let values = values(params);
        // SAFETY: the connection is there; the text and the values stand until the call returns.
        let is_done = unsafe {
            (self.pq.PQsendQueryParams)(
                self.conn.as_ptr(),
                text.as_ptr(),
                count(params),
                ptr::null(),
                values.as_ptr(),
                ptr::null(),
                ptr::null(),
                0,
            )
        };
        self.done(is_done)
    }

    /// Sends what is not sent yet. A fault keeps what comes behind it from being run up to here.
    pub(super) fn send_sync(&mut self) -> std::result::Result<(), Fault> {
        // SAFETY: the connection is there.
        let is_done = unsafe { (self.pq.PQpipelineSync)(self.conn.as_ptr()) };
        self.done(is_done)
    }

    fn done(&self, is_done: c_int) -> std::result::Result<(), Fault> {
        if is_done == 1 { Ok(()) } else { Err(fault_of(&self.message())) }
    }

    /// Waits for the answer of the next statement that was sent.
    pub(super) fn receive(&mut self) -> std::result::Result<Answer, Fault> {
        // SAFETY: the connection is there.
        let first = unsafe { (self.pq.PQgetResult)(self.conn.as_ptr()) };
        let answer = self.answer(first);
        // Each statement's answers end with none, and so do those of a connection that is gone.
        let mut last = first;
        while !last.is_null() {
            // SAFETY: as above.
            last = unsafe { (self.pq.PQgetResult)(self.conn.as_ptr()) };
            if let Some(result) = NonNull::new(last) {
                drop(Answer { pq: self.pq, result });
            }
        }
        answer
    }

    /// Waits until all that was sent up to a sync is done: what was not begun by a statement of its own is
    /// committed then.
    pub(super) fn receive_sync(&mut self) -> std::result::Result<(), Fault> {
        // SAFETY: the connection is there.
        let answer = unsafe { (self.pq.PQgetResult)(self.conn.as_ptr()) };
        let Some(result) = NonNull::new(answer) else { return Err(fault_of(&self.message())) };
        // SAFETY: the answer is there.
        if unsafe { (self.pq.PQresultStatus)(result.as_ptr()) } == PIPELINE_SYNC {
            drop(Answer { pq: self.pq, result });
            return Ok(());
        }
        // A commit that failed, and the sync behind it.
        let fault = self.answer(answer).err().unwrap_or_else(|| fault_of("an answer too many"));
        self.skip_to_sync();
        Err(fault)
    }

    fn skip_to_sync(&mut self) {
        let mut nothing = 0;
        // One none ends the answers of a statement, two are the end of a connection.
        while nothing < 2 {
            // SAFETY: the connection is there.
            let answer = unsafe { (self.pq.PQgetResult)(self.conn.as_ptr()) };
            let Some(result) = NonNull::new(answer) else {
                nothing += 1;
                continue;
            };
            // SAFETY: the answer is there.
            let status = unsafe { (self.pq.PQresultStatus)(result.as_ptr()) };
            drop(Answer { pq: self.pq, result });
            if status == PIPELINE_SYNC {
                return;
            }
            nothing = 0;
        }
    }

    /// Ends what [`Link::take_off`] began, once all answers are there.
    pub(super) fn land(&mut self) -> std::result::Result<(), Fault> {
        // SAFETY: the connection is there.
        let is_done = unsafe { (self.pq.PQexitPipelineMode)(self.conn.as_ptr()) };
        self.done(is_done)
    }

    fn answer(&mut self, answer: *mut PgResult) -> std::result::Result<Answer, Fault> {
        let Some(result) = NonNull::new(answer) else { return Err(fault_of(&self.message())) };
        let answer = Answer { pq: self.pq, result };
        // SAFETY: the answer is there.
        match unsafe { (self.pq.PQresultStatus)(result.as_ptr()) } {
            EMPTY_QUERY | COMMAND_OK | TUPLES_OK => Ok(answer),
            _ => Err(Fault {
                state: answer.diagnosis(DIAG_STATE),
                text: match answer.diagnosis(DIAG_MESSAGE) {
                    text if text.is_empty() => self.message().trim_end().to_owned(),
                    text => text,
                },
            }),
        }
    }

    /// Takes what has come of notifications, without waiting; the fault if the connection is gone.
    pub(super) fn notifications(&mut self) -> std::result::Result<Vec<String>, Fault> {
        // SAFETY: the connection is there.
        if unsafe { (self.pq.PQconsumeInput)(self.conn.as_ptr()) } == 0 {
            return Err(fault_of(&self.message()));
        }
        let mut payloads = Vec::new();
        // SAFETY: as above.
        while let Some(note) = NonNull::new(unsafe { (self.pq.PQnotifies)(self.conn.as_ptr()) }) {
            // SAFETY: libpq made the notification and gave it away.
            payloads.push(shown(unsafe { note.as_ref() }.payload));
            // SAFETY: it is freed once, by what made it.
            unsafe { (self.pq.PQfreemem)(note.as_ptr().cast()) };
        }
        Ok(payloads)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.socket = None;
        // A child of a fork would say goodbye on its parent's socket.
        if self.generation == process::generation() {
            // SAFETY: it was there until now, and nobody uses it after.
            unsafe { (self.pq.PQfinish)(self.conn.as_ptr()) };
        }
    }
}

fn c_string(text: &str) -> std::result::Result<CString, Fault> {
    // As the server would say it: a text of its own holds no NUL.
    CString::new(text).map_err(|_| Fault { state: "22021".into(), text: "a NUL in a text".into() })
}

fn values(params: &[Option<CString>]) -> Vec<*const c_char> {
    let of = |param: &Option<CString>| param.as_ref().map_or(ptr::null(), |text| text.as_ptr());
    params.iter().map(of).collect()
}

fn count(params: &[Option<CString>]) -> c_int {
    c_int::try_from(params.len()).unwrap_or(c_int::MAX)
}

fn shown(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: libpq's texts end with a NUL and stand until its next call, which comes after.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What a statement answered.
pub(super) struct Answer {
    pq: &'static Functions,
    result: NonNull<PgResult>,
}

impl Answer {
    /// Returns how many rows it has.
    pub(super) fn rows(&self) -> usize {
        // SAFETY: the answer is there.
        unsafe { (self.pq.PQntuples)(self.result.as_ptr()) as usize }
    }

    /// Returns how many columns they have.
    pub(super) fn columns(&self) -> usize {
        // SAFETY: the answer is there.
        unsafe { (self.pq.PQnfields)(self.result.as_ptr()) as usize }
    }

    /// Returns the name of a column, and the number of its type.
    pub(super) fn column(&self, at: usize) -> (String, u32) {
        let at = c_int::try_from(at).unwrap_or(c_int::MAX);
        // SAFETY: the answer is there; a column that is not has no name.
        let name = shown(unsafe { (self.pq.PQfname)(self.result.as_ptr(), at) });
        // SAFETY: as above, and no type.
        (name, unsafe { (self.pq.PQftype)(self.result.as_ptr(), at) })
    }

    /// Returns a value as text; `None` for NULL, and for what is not there.
    pub(super) fn value(&self, row: usize, column: usize) -> Option<&[u8]> {
        if row >= self.rows() || column >= self.columns() {
            return None;
        }
        let (row, column) = (row as c_int, column as c_int);
        // SAFETY: the answer is there, and has this place.
        if unsafe { (self.pq.PQgetisnull)(self.result.as_ptr(), row, column) } != 0 {
            return None;
        }
        // SAFETY: as above.
        let at = unsafe { (self.pq.PQgetvalue)(self.result.as_ptr(), row, column) };
        // SAFETY: as above.
        let len = unsafe { (self.pq.PQgetlength)(self.result.as_ptr(), row, column) } as usize;
        // SAFETY: so many bytes stand there as long as the answer does.
        Some(unsafe { std::slice::from_raw_parts(at.cast(), len) })
    }

    /// Returns how many rows the statement changed, or else gave.
    pub(super) fn changed(&self) -> usize {
        // SAFETY: the answer is there.
        let text = shown(unsafe { (self.pq.PQcmdTuples)(self.result.as_ptr()) });
        text.parse().unwrap_or(0)
    }

    /// Returns what was done, in a word.
    pub(super) fn done(&self) -> String {
        // SAFETY: the answer is there.
        shown(unsafe { (self.pq.PQcmdStatus)(self.result.as_ptr()) })
    }

    fn diagnosis(&self, field: c_int) -> String {
        // SAFETY: the answer is there.
        shown(unsafe { (self.pq.PQresultErrorField)(self.result.as_ptr(), field) })
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: it was there until now, and nobody uses it after.
        unsafe { (self.pq.PQclear)(self.result.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_connection_failed_of_is_read_with_its_state() {
        let told = "connection to server on socket \"/x/.s.PGSQL.5432\" failed: FATAL:  53300: sorry, too many clients already\nLOCATION:  x\n";
        let fault = fault_of_connecting(told);
        assert_eq!(
            fault,
            Fault { state: "53300".into(), text: "sorry, too many clients already".into() }
        );
        let told = "connection to server at \"no.such\" failed: nobody\n\tIs it there?\n";
        assert_eq!(fault_of_connecting(told).state, "");
    }
}
