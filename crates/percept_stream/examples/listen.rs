//! Prints what a source says, one line an event: `cargo run --release -p percept_stream --example listen WORD [--rate HZ] [SECS]`.
//!
//! For checks against other programs: samples are shown by number, shape, sum and last row.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use percept_stream::sources::{SourceWord, open_live};
use percept_stream::{Event, SourceError};

fn main() -> Result<(), SourceError> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut rate_hz = None;
    if let Some(at) = words.iter().position(|word| word == "--rate") {
        rate_hz = words.get(at + 1).and_then(|text| text.parse().ok());
        words.drain(at..(at + 2).min(words.len()));
    }
    let word = words.first().map_or("", String::as_str);
    let secs = words.get(1).and_then(|text| text.parse().ok()).unwrap_or(10.0);
    let mut source = open_live(&SourceWord::parse(word)?, rate_hz)?;
    let until = Instant::now() + Duration::from_secs_f64(secs);
    println!("ready");
    while Instant::now() < until {
        match source.next(Duration::from_millis(50))? {
            None => {}
            Some(Event::Samples(block)) => {
                let (n_rows, n_channels) = block.samples.dim();
                let last: Vec<f64> = block.samples.row(n_rows - 1).to_vec();
                println!("samples {} {n_rows} {n_channels} {:e} {last:?}", block.first_sample, block.samples.sum());
            }
            Some(Event::End) => break,
            Some(event) => println!("{event:?}"),
        }
    }
    Ok(())
}
