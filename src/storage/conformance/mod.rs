//! The contract of a backend as tests, generic over how one is made.
