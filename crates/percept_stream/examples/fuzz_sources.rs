//! Damaged messages for the parsers of the live sources: `cargo run --release -p percept_stream --example fuzz_sources [N]`.
//!
//! Prints what became of N (a million) of them. The tests do the same with ten thousand.
#![allow(clippy::print_stdout)]

#[path = "../tests/it/fuzz.rs"]
mod fuzz;

fn main() {
    let n = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(1_000_000);
    let started = std::time::Instant::now();
    let report = fuzz::run(n);
    let fuzz::Report { n_messages, n_understood, n_refused, peak_bytes } = report;
    println!(
        "{n_messages} messages, {n_understood} understood, {n_refused} refused, at most {peak_bytes} bytes held, {:.1} s",
        started.elapsed().as_secs_f64()
    );
    assert!(peak_bytes <= fuzz::MEMORY_BYTES, "a parser held {peak_bytes} bytes");
}
