//! `percept model info DIR`: opens a model pack, which checks it, and says what it is.

use std::path::Path;

use anyhow::bail;
use percept::models::DiffusionPack;
use serde::Serialize;

use crate::arguments::ModelInfo;
use crate::output::{json, say};

/// What a pack makes of a picture.
#[derive(Serialize)]
struct Info {
    /// The pack's folder, or `pocket`.
    pack: String,
    /// Height and width of its pictures.
    image_size: usize,
    /// Channels, height and width of its latents.
    latent_shape: [usize; 3],
    /// Tokens and width of its contexts.
    context_shape: [usize; 2],
    /// Whether pictures and captions can be compared in CLIP's space.
    clip: bool,
}

/// Opens the pack and describes it.
pub(crate) fn info(arguments: &ModelInfo) -> anyhow::Result<()> {
    let pack = open(&arguments.pack)?;
    let info = Info {
        pack: arguments.pack.display().to_string(),
        image_size: pack.image_size(),
        latent_shape: pack.latent_shape(),
        context_shape: pack.context_shape(),
        clip: pack.has_clip(),
    };
    if arguments.json {
        return json(&info);
    }
    let [channels, height, width] = info.latent_shape;
    let [n_tokens, token_width] = info.context_shape;
    say(format!("pack      {}", info.pack));
    say(format!("pictures  {0} × {0}", info.image_size));
    say(format!("latent z  {channels} × {height} × {width}"));
    say(format!("context c {n_tokens} tokens × {token_width}"));
    say(format!("clip      {}", if info.clip { "text and pictures" } else { "none: no score in CLIP space" }));
    Ok(())
}

fn open(pack: &Path) -> anyhow::Result<DiffusionPack> {
    if pack == Path::new("pocket") {
        return Ok(percept::pocket::load()?);
    }
    if !pack.is_dir() {
        bail!("there is no folder `{}` (name a model pack, or `pocket`)", pack.display());
    }
    Ok(DiffusionPack::open(pack)?)
}
