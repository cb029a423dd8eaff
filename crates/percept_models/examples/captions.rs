//! Times the captions of given features for `benches/peers/captions.py`.
//!
//! `captions DIR N ROUNDS`; DIR holds a captioner whose features are of N pictures drawn here; prints seconds per round
//! and peak bytes as JSON.

use std::{error::Error, io::Write, path::Path, time::Instant};

use ndarray::Array2;
use percept_core::Seed;
use percept_models::{
    caption::{Captioner, Search},
    run::peak_bytes,
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, n, rounds] = args.as_slice() else { return Err("usage: captions DIR N ROUNDS".into()) };
    let (n, rounds): (usize, usize) = (n.parse()?, rounds.parse()?);
    let captioner = Captioner::open(Path::new(dir))?;
    let columns = captioner.n_tokens() * captioner.width();
    let features = Array2::from_shape_vec((n, columns), Seed::new(1).named("features").normal(n * columns))?;
    let mut times = Vec::with_capacity(rounds);
    let mut tokens = 0;
    for _ in 0..rounds {
        let begin = Instant::now();
        let found = captioner.caption(features.view(), &Search::default())?;
        times.push(begin.elapsed().as_secs_f64());
        tokens = found.iter().map(|beams| beams[0].log_probs.len()).sum();
    }
    let out = serde_json::json!({ "seconds": times, "peak_bytes": peak_bytes(), "tokens": tokens });
    writeln!(std::io::stdout(), "{out}")?;
    Ok(())
}
