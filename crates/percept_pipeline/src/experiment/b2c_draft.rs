//! `[b2c]`: how a Brain-to-Context encoder is built and trained, and its variants that are trained side by side.
