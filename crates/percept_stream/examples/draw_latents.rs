//! Latents to pictures by a pack, as numbers, to compare with another program: `draw_latents PACK LATENTS.npy STEPS OUT`. Writes
//! `OUT/latents.npy` (the denoised ones) and `OUT/pictures.npy` (n × height × width × 3 in 0..=1).

use ndarray::{Array2, Axis, Ix2};
use percept_core::Seed;
use percept_models::Flow;
use percept_stream::picture::open_pack;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    percept_models::threads::claim();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pack, file, steps, out] = arguments.as_slice() else {
        return Err("usage: draw_latents PACK LATENTS.npy STEPS OUT".into());
    };
    let pack = open_pack(pack)?;
    let starts: Array2<f32> = percept_io::array::read::<f32>(file)?.data.into_dimensionality::<Ix2>()?;
    let context = pack.embed_text(&[String::new()])?;
    let flow = Flow::new(&pack, steps.parse()?, 1.0, Seed::new(1))?;
    let mut rows = Vec::new();
    for start in starts.rows() {
        rows.push(flow.begin(start, context.row(0))?);
    }
    for _ in flow.steps() {
        flow.advance(&mut rows)?;
    }
    let latents = rows.iter().map(|row| flow.latent(row)).collect::<Result<Vec<_>, _>>()?;
    let latents = ndarray::concatenate(Axis(0), &latents.iter().map(|l| l.view()).collect::<Vec<_>>())?;
    let pictures = pack.decode(latents.view())?;
    percept_io::fs::create_dir(out)?;
    percept_io::npy::write(format!("{out}/latents.npy"), latents.view().into_dyn())?;
    percept_io::npy::write(format!("{out}/pictures.npy"), pictures.view().into_dyn())?;
    Ok(())
}
