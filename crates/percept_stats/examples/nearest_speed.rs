//! How long a search among many vectors takes, and whether it finds what comparing with all of them finds:
//! `nearest_speed [VECTORS] [WIDTH] [QUERIES]`. Half of the queries are near a vector, half are anywhere; vectors lie in clusters.

use std::time::Instant;

use ndarray::{Array1, Array2};
use percept_core::Seed;
use percept_stats::nearest::Nearest;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).map(|n| n.parse()).collect::<Result<_, _>>()?;
    let number = |place: usize, default: usize| numbers.get(place).copied().unwrap_or(default);
    let (n, width, queries) = (number(0, 100_000), number(1, 512), number(2, 20));
    let seed = Seed::new(1);
    let clusters = Array2::from_shape_vec((50, width), seed.named("clusters").normal(50 * width))?;
    let mut vectors = Array2::from_shape_vec((n, width), seed.named("vectors").normal(n * width))?;
    for (row, mut vector) in vectors.outer_iter_mut().enumerate() {
        vector.zip_mut_with(&clusters.row(row % 50), |value, middle| *value = 0.7 * *value + middle);
    }
    let begun = Instant::now();
    let index = Nearest::new(vectors.clone())?;
    eprintln!("prepared {n} vectors of {width} in {:.2} s", begun.elapsed().as_secs_f64());
    let (mut search, mut all) = (Vec::new(), Vec::new());
    for query in 0..queries {
        let noise = Array1::from_vec(seed.named("queries").at(query as u64).normal(width));
        let query = if query % 2 == 0 { &vectors.row(query * (n / queries)) + &(noise * 0.2) } else { noise };
        let begun = Instant::now();
        let found = index.search(query.view(), 10, |_| true)?;
        search.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let expected = index.by_comparing_all(query.view(), 10, |_| true)?;
        all.push(begun.elapsed().as_secs_f64() * 1e3);
        if found != expected {
            return Err("a search found something else".into());
        }
    }
    for (what, times) in [("search", &mut search), ("comparing with all", &mut all)] {
        times.sort_by(f64::total_cmp);
        eprintln!("{what}: median {:.1} ms, longest {:.1} ms", times[times.len() / 2], times[times.len() - 1]);
    }
    Ok(())
}
