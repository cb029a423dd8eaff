//! Latents of a recording as a file, to compare with the formula elsewhere: `dump_latents FILE RATE paper|repo N_LATENT OUT.npy`.

use percept_io::recording::{self, Options};
use percept_stream::settings::{Preset, Settings};
use percept_stream::signal::latents;
use percept_stream::{ChannelFacts, SourceFacts};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, rate, preset, n_latent, out] = arguments.as_slice() else {
        return Err("usage: dump_latents FILE RATE paper|repo N_LATENT OUT.npy".into());
    };
    let options = Options { rate_hz: Some(rate.parse()?), ..Options::default() };
    let recording = recording::open(file, &options)?;
    let samples = recording.read(0..recording.n_samples())?.mapv(f64::from);
    let channel = |c: &recording::Channel| ChannelFacts { name: c.name.clone(), unit: c.unit.clone() };
    let facts = SourceFacts {
        name: file.clone(),
        channels: recording.channels().iter().map(channel).collect(),
        rate_hz: recording.rate_hz(),
        n_samples: Some(recording.n_samples() as u64),
    };
    let mut settings = Settings::default();
    settings.latent.preset = if preset == "repo" { Preset::Repo } else { Preset::Paper };
    let (made, _) = latents(&settings, &facts, samples.view(), n_latent.parse()?)?;
    percept_io::npy::write(out, made.view().into_dyn())?;
    Ok(())
}
