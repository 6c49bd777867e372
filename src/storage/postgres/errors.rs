//! How faults of the server, of libpq and of the way between read as errors of ours.

use super::pq::Fault;
use crate::error::Error;

/// States of SQL that the backend itself looks at.
pub(super) mod state {
    /// A row with this unique key is there.
    pub(in super::super) const UNIQUE: &str = "23505";
    /// Transactions could not be put in an order.
    pub(in super::super) const SERIALIZATION: &str = "40001";
    /// Transactions waited for each other.
    pub(in super::super) const DEADLOCK: &str = "40P01";
}

/// A transaction whose process slept in its midst, and what the server made of it: nothing.
const IDLE_TOO_LONG: [&str; 2] = ["25P03", "25P04"];

/// Returns whether a transaction that failed so may do better when it is run again.
pub(super) fn may_pass_again(state: &str) -> bool {
    [state::UNIQUE, state::SERIALIZATION, state::DEADLOCK].contains(&state)
}

/// Returns whether the connection is of no more use after a fault of this state.
pub(super) fn is_cut(state: &str) -> bool {
    let is_ended_by_server = state.starts_with("57P") || IDLE_TOO_LONG.contains(&state);
    state.is_empty() || state.starts_with("08") || is_ended_by_server
}

/// Returns whether a fault of a statement of the host's is none of its own: the transaction lost to another,
/// or the connection is gone.
pub(super) fn is_of_the_way(state: &str) -> bool {
    let is_protocol = state == "08P01";
    [state::SERIALIZATION, state::DEADLOCK].contains(&state) || is_cut(state) && !is_protocol
}

/// Reads a state of five characters as a number: base 36.
pub(super) fn engine_code(state: &str) -> i32 {
    i32::from_str_radix(state, 36).unwrap_or(0)
}

/// Reads a fault as an error of ours.
pub(super) fn map(fault: &Fault) -> Error {
    let state = fault.state.as_str();
    let text = &fault.text;
    let sentence = || format!("PostgreSQL answered {state}: {text}").into();
    let engine_code = engine_code(state);
    match state {
        "" => Error::Io { engine_code: 0, sentence: format!("the server is gone: {text}").into() },
        "53100" => Error::Full("the server's disk, or a quota, is full".into()),
        "53200" => Error::NoMem,
        "25006" => Error::ReadOnly(
            "the server only reads: it is a standby, or its transactions were made so".into(),
        ),
        "42501" => Error::ReadOnly(format!("the role may not do this: {text}").into()),
        "3F000" | "42P01" | "42703" => {
            Error::Corrupt(format!("the schema lacks a part of it: {text}").into())
        }
        "53300" => Error::Busy("the server has no connection left".into()),
        "55P03" | "57014" => {
            Error::Busy("another transaction kept a lock for the whole time-out".into())
        }
        "26000" | "42P05" => pooled(),
        "22021" => Error::invalid("a text holds a NUL, which PostgreSQL cannot store"),
        "54000" | "22001" => Error::TooBig("a row is larger than PostgreSQL can hold".into()),
        _ => match &state[..2] {
            "08" | "57" | "58" | "25" => Error::Io { engine_code, sentence: sentence() },
            "28" | "3D" => Error::CannotOpen { engine_code, sentence: sentence() },
            "40" => Error::Busy("other transactions were in the way for the whole time-out".into()),
            "53" => Error::Busy(sentence()),
            "XX" => Error::Corrupt(sentence()),
            _ => Error::internal(format!("PostgreSQL answered {state}: {text}")),
        },
    }
}

/// Says that a pooler is between that cannot be worked through.
pub(super) fn pooled() -> Error {
    Error::Unsupported(
        "a pooler gives each transaction another session of the server, as PgBouncer does in transaction mode: \
         say so by sw_pooler=transaction in the URL, connect to the server itself, or to a pool in session mode"
            .into(),
    )
}

/// Says that the schema became another one.
pub(super) fn migrated() -> Error {
    Error::Busy("the schema was migrated at this moment".into())
}

/// Says that the server holds what the schema does not allow.
pub(super) fn unreadable(what: &str) -> Error {
    Error::Corrupt(format!("the store holds what the schema does not allow: {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_server_read_as_errors_of_ours() {
        for (state, code) in [
            ("", -41),
            ("08006", -41),
            ("57P01", -41),
            ("53300", -40),
            ("55P03", -40),
            ("57014", -40),
            ("40001", -40),
            ("40P01", -40),
            ("53100", -42),
            ("53200", -45),
            ("25006", -43),
            ("42501", -43),
            ("28P01", -47),
            ("3D000", -47),
            ("XX001", -44),
            ("42P01", -44),
            ("42601", -60),
        ] {
            let fault = Fault { state: state.into(), text: "x".into() };
            assert_eq!(map(&fault).code(), code, "{state}");
        }
    }

    #[test]
    fn a_connection_that_the_server_ended_is_of_no_more_use() {
        for state in ["", "08006", "57P01", "57P02", "57P03", "25P03", "25P04"] {
            assert!(is_cut(state), "{state}");
        }
        for state in ["25006", "25P02", "57014", "40001", "55P03"] {
            assert!(!is_cut(state), "{state}");
        }
    }

    #[test]
    fn a_state_is_a_number_in_base_36() {
        assert_eq!(engine_code("00001"), 1);
        assert_eq!(engine_code("0000Z"), 35);
        assert_eq!(engine_code("28P01"), 2 * 36_i32.pow(4) + 8 * 36_i32.pow(3) + 25 * 36 * 36 + 1);
    }
}
