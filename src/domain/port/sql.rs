//! The host's own statements, run in the transaction of a script or of a query.

use crate::error::Result;

/// A value of a parameter or of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlValue {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent; may be infinite on its way out.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes, also of a text that is no UTF-8.
    Blob(Vec<u8>),
}

/// The values of a statement's parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum SqlParams {
    /// By position, from the first.
    Listed(Vec<SqlValue>),
    /// By name, with the sign in front or without.
    Named(Vec<(String, SqlValue)>),
}

impl Default for SqlParams {
    fn default() -> SqlParams {
        SqlParams::Listed(Vec::new())
    }
}

/// One statement of the host's.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlStatement {
    /// Its text, which holds no other.
    pub sql: String,
    /// What its parameters stand for.
    pub params: SqlParams,
    /// Whether it may only read.
    pub is_query: bool,
}

/// What an answer may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlBounds {
    /// Rows.
    pub rows_max: u32,
    /// Bytes of values in them: the row that goes beyond is the last.
    pub bytes_max: usize,
}

/// What a statement answers.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlAnswer {
    /// Names of the columns; none when it is of a kind that has no rows.
    pub columns: Vec<String>,
    /// Rows, within the bounds.
    pub rows: Vec<Vec<SqlValue>>,
    /// Whether there are more rows.
    pub has_more: bool,
    /// Bytes of values in the rows.
    pub bytes: usize,
    /// Rows that it inserted, changed or deleted itself.
    pub changes: u64,
}

/// Statements of the host's: they read every table, and write none of the library's own.
pub trait SqlPort {
    /// Begins to count the time of the statements to come, all together.
    fn sql_begin(&mut self, timeout_ms: u64);

    /// Runs one statement.
    ///
    /// # Errors
    /// `Invalid` for one that cannot be run or may not be, `Conflict` for a constraint that it breaks,
    /// `TooBig` when the time is over.
    fn sql_run(&mut self, statement: &SqlStatement, bounds: SqlBounds) -> Result<SqlAnswer>;

    /// Looks whether what was run may be committed.
    ///
    /// # Errors
    /// `Conflict` when a row still refers to another that is missing.
    fn sql_end(&mut self) -> Result<()>;
}
