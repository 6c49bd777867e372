//! libpq, PostgreSQL's client library, and the OpenSSL that it needs, built from their sources.
//!
//! There is no code here. Who is linked with this crate is linked with both; `scripts/packages/libraries.sh` also
//! makes a shared library of it, `libsmolwf_pq.so`, that shows the functions that smolwf calls.

extern crate openssl_sys;
extern crate pq_src;
