//! Writes the default phantom subject and says how long it took.
//!
//! `cargo run --release -p percept_synth --example write_phantom -- DIRECTORY`

use std::time::Instant;

use percept_core::{Seed, Silent};
use percept_synth::phantom::{Phantom, PhantomParams};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: write_phantom DIRECTORY")?;
    let start = Instant::now();
    let phantom = Phantom::new(PhantomParams::default(), Seed::new(1))?;
    eprintln!(
        "simulated in {:.1} s: {} voxels of cortex",
        start.elapsed().as_secs_f32(),
        phantom.cortex().voxels.len()
    );
    phantom.write(dir, &Silent)?;
    eprintln!("written after {:.1} s", start.elapsed().as_secs_f32());
    Ok(())
}
