//! A server on the loopback address, spoken to byte by byte.

mod client;
mod fuzz;
mod guard;
mod live;
