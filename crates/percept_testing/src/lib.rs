//! Helpers for percept's own tests: shared data that may be absent, and hostile bytes.
