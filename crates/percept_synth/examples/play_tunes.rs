//! Writes random tunes of every genre and instrument: `play_tunes FOLDER [N] [SECS]`, one file for each, named by its tags.

use std::path::PathBuf;
use std::time::Instant;

use percept_core::Seed;
use percept_synth::tunes::Tune;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("play_tunes FOLDER [N] [SECS]")?);
    let n: u64 = arguments.next().map_or(Ok(20), |n| n.parse())?;
    let secs: f64 = arguments.next().map_or(Ok(8.0), |secs| secs.parse())?;
    std::fs::create_dir_all(&folder)?;
    let mut played = 0.0;
    for number in 0..n {
        let tune = Tune::random(Seed::new(1).at(number));
        let begun = Instant::now();
        let sound = tune.play(secs);
        played += begun.elapsed().as_secs_f64();
        let path = folder.join(format!("{number:03}_{}.npy", tune.tags().join("_")));
        percept_io::npy::write(path, ndarray::Array1::from_vec(sound).view().into_dyn())?;
    }
    eprintln!("{:.0} times as fast as played", n as f64 * secs / played);
    Ok(())
}
