//! Results as one self-contained HTML page; computes no statistics.
