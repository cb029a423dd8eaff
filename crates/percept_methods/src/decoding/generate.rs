//! From features to pictures on disk: every arm, sample by sample, batch by batch.
//!
//! - `z`: the latent, decoded; or treated as in `z+c`, but under the empty caption.
//! - `c`: DDIM from pure noise under the context, with guidance.
//! - `z+c`: the latent decoded, brought to the generator's picture size, encoded again, noised to the strength, and
//!   denoised under the context (Takagi & Nishimoto, CVPR 2023).
//!
//! The noise of a picture depends on the seed, the item and the number of the sample only, so all arms see the same. Each
//! batch is a stage of its own: a run that is killed loses at most one.

use ndarray::{Array2, Array4, Axis, s};
use percept_core::provenance::content_hash;
use percept_core::{Progress, Provenance, Seed};
use percept_models::Generation;

use super::arms::{Arm, Source};
use super::generator::Generator;
use super::plan::Item;
use crate::error::MethodError;
use crate::experiment::{GenerateSettings, LatentAlone, Method};
use crate::pictures;
use crate::run::RunFolder;

/// The file of one picture, relative to the run directory.
pub(super) fn path_of(arm: &str, item: &Item, sample: usize) -> String {
    format!("images/{arm}/{}-s{sample}.png", item.id)
}

/// Makes all pictures of one arm and returns a hash of them.
pub(super) fn pictures_of_arm(
    run: &RunFolder,
    arm: &Arm,
    items: &[Item],
    generator: &dyn Generator,
    settings: &GenerateSettings,
    progress: &dyn Progress,
) -> Result<String, MethodError> {
    let adapted = arm.changes.as_ref().map(|changes| generator.adapted(changes)).transpose()?;
    let generator = adapted.as_deref().unwrap_or(generator);
    progress.begin(&format!("pictures: {}", arm.name), (items.len() * arm.n_samples) as u64);
    let mut content = String::new();
    for sample in 0..arm.n_samples {
        for (batch_idx, start) in (0..items.len()).step_by(settings.batch).enumerate() {
            let rows = start..(start + settings.batch).min(items.len());
            let part = arm.source.rows(rows.clone());
            let batch = &items[rows.clone()];
            let name = format!("pictures.{}.sample{sample}.batch{batch_idx:04}", arm.name);
            let stage = run.stage(&name, provenance(&part, batch, sample, generator, settings), || {
                let made = make(&part, batch, sample, generator, settings)?;
                let levels = pictures::to_levels(made.view());
                let mut files = Vec::with_capacity(batch.len());
                for (item, picture) in batch.iter().zip(levels.outer_iter()) {
                    let path = path_of(&arm.name, item, sample);
                    run.write(&path, &percept_io::picture::encode_png(picture)?)?;
                    files.push(path);
                }
                Ok(files)
            })?;
            content.push_str(&stage.content());
            progress.advance(batch.len() as u64);
        }
    }
    progress.end("");
    Ok(content_hash(content.as_bytes()))
}

impl Source {
    /// The same for some of the items.
    fn rows(&self, rows: std::ops::Range<usize>) -> Source {
        let cut = |from: &Array2<f32>| from.slice(s![rows.clone(), ..]).to_owned();
        match self {
            Source::Model { method, z, c } => {
                Source::Model { method: *method, z: z.as_ref().map(cut), c: c.as_ref().map(cut) }
            }
            Source::Pixels { rows: all, shape } => Source::Pixels { rows: cut(all), shape: *shape },
        }
    }
}

/// What a batch depends on: its features by content, the model, and of the settings those that its method reads.
fn provenance(
    source: &Source,
    items: &[Item],
    sample: usize,
    generator: &dyn Generator,
    settings: &GenerateSettings,
) -> Provenance {
    let mut record = Provenance::new(settings.seed);
    record.inputs.insert("pack".to_owned(), generator.content().to_owned());
    let names: Vec<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let mut set = |key: &str, value: String| record.settings.insert(key.to_owned(), value);
    set("items", names.join(" "));
    match source {
        Source::Pixels { shape, .. } => {
            set("method", "pixels".to_owned());
            set("shape", format!("{shape:?}"));
        }
        Source::Model { method, .. } => {
            set("method", method.name().to_owned());
            let denoised = *method == Method::Z && settings.z == LatentAlone::Denoise;
            if *method == Method::Z {
                set("z", format!("{:?}", settings.z));
            }
            if method.reads_c() || denoised {
                let noise: Vec<String> = items.iter().map(|item| item.noise_id.to_string()).collect();
                set("noise", noise.join(" "));
                set("sample", sample.to_string());
                set("steps", settings.steps.to_string());
                set("guidance", settings.guidance.to_string());
            }
            if *method == Method::ZC || denoised {
                set("strength", settings.strength.to_string());
            }
        }
    }
    let mut hash = |name: &str, rows: &Array2<f32>| {
        let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
        record.inputs.insert(name.to_owned(), content_hash(&bytes));
    };
    match source {
        Source::Pixels { rows, .. } => hash("pixels", rows),
        Source::Model { z, c, .. } => {
            if let Some(z) = z {
                hash("z", z);
            }
            if let Some(c) = c {
                hash("c", c);
            }
        }
    }
    record
}

fn make(
    source: &Source,
    items: &[Item],
    sample: usize,
    generator: &dyn Generator,
    settings: &GenerateSettings,
) -> Result<Array4<f32>, MethodError> {
    let size = generator.image_size();
    let (method, z, c) = match source {
        Source::Pixels { rows, shape } => return Ok(from_pixels(rows, *shape, size)),
        Source::Model { method, z, c } => (*method, z.as_ref(), c.as_ref()),
    };
    let absent = |name: &str| MethodError::data(format!("`{}` needs `{name}`", method.name()), "please report this");
    let decoded = |z: Option<&Array2<f32>>| -> Result<Array4<f32>, MethodError> {
        Ok(generator.decode(z.ok_or_else(|| absent("z"))?)?)
    };
    if method == Method::Z && settings.z == LatentAlone::Decode {
        return decoded(z);
    }
    let init = if method.reads_z() {
        let shown = decoded(z)?;
        Some(generator.encode(pictures::resize(shown.view(), size, size).view())?)
    } else {
        None
    };
    let image_ids: Vec<u64> = items.iter().map(|item| item.noise_id).collect();
    let empty;
    let (context, guidance) = if method == Method::Z {
        empty = generator.embed_text(&vec![String::new(); items.len()])?;
        // Guidance leads away from the empty caption, so there is none.
        (&empty, 1.0)
    } else {
        (c.ok_or_else(|| absent("c"))?, settings.guidance)
    };
    Ok(generator.generate(&Generation {
        context: context.view(),
        init: init.as_ref().map(|rows| rows.view()),
        strength: settings.strength,
        steps: settings.steps,
        guidance,
        seed: Seed::new(settings.seed),
        image_ids: &image_ids,
        sample: sample as u64,
    })?)
}

/// Predicted pixels as pictures of the generator's size.
fn from_pixels(rows: &Array2<f32>, shape: [usize; 3], size: usize) -> Array4<f32> {
    let [height, width, channels] = shape;
    let small = Array4::from_shape_fn((rows.nrows(), height, width, 3), |(row, y, x, channel)| {
        rows[(row, (y * width + x) * channels + channel.min(channels - 1))]
    });
    pictures::resize(small.view(), size, size)
}

/// Pictures that were made, read back: one (n_items, side, side, 3) per sample.
pub(super) fn read_back(run: &RunFolder, arm: &Arm, items: &[Item], sample: usize) -> Result<Array4<u8>, MethodError> {
    let mut all: Option<Array4<u8>> = None;
    for (row, item) in items.iter().enumerate() {
        let picture = percept_io::picture::read(run.file(&path_of(&arm.name, item, sample)))?;
        let (height, width, _) = picture.dim();
        let all = all.get_or_insert_with(|| Array4::zeros((items.len(), height, width, 3)));
        if all.index_axis(Axis(0), row).dim() != picture.dim() {
            let expected = "a picture of the size of the others".to_owned();
            return Err(MethodError::Artefact { path: path_of(&arm.name, item, sample), expected });
        }
        all.index_axis_mut(Axis(0), row).assign(&picture);
    }
    Ok(all.unwrap_or_default())
}
