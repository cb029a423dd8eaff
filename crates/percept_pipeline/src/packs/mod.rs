//! What reconstruction needs of a model: pictures to latents and back, captions to contexts, contexts to pictures.
//!
//! [`PictureModel`] is the seam between systems and models. The real one is a [`DiffusionPack`]; tests put a small closed-form
//! model in its place, so that a whole run can be checked against arithmetic.

mod captioner;
mod content;
mod on_demand;

use std::sync::Arc;

use ndarray::{Array2, Array4, ArrayView2, ArrayView4};
use percept_core::Seed;
use percept_core::provenance::content_hash;
use percept_io::machine;
use percept_models::error::Result;
use percept_models::parts::Parts;
use percept_models::probe::Space;
use percept_models::weights::{PackFiles, Tensors};
use percept_models::{DiffusionPack, Generation};

pub use captioner::{CaptionModel, PackCaptioner};
pub use content::content_of;
pub use on_demand::OnDemand;

use crate::error::PipelineError;
use crate::experiment;

/// A generative model with an image latent and a text context. Pictures are (n, side, side, 3), RGB in 0..=1.
pub trait PictureModel: Send + Sync {
    /// Its name, such as `pocket`.
    fn name(&self) -> &str;
    /// A hash of configuration and weights.
    fn content(&self) -> &str;
    /// Side of its pictures in pixels.
    fn image_size(&self) -> usize;
    /// Pictures to latents (n × latent).
    ///
    /// # Errors
    /// Pictures of another size.
    fn encode(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>>;
    /// Latents to pictures.
    ///
    /// # Errors
    /// Rows of another length.
    fn decode(&self, latents: &Array2<f32>) -> Result<Array4<f32>>;
    /// Captions to contexts (n × context).
    ///
    /// # Errors
    /// A caption that cannot be read.
    fn embed_text(&self, captions: &[String]) -> Result<Array2<f32>>;
    /// Pictures to CLIP's space (n × projection).
    ///
    /// # Errors
    /// When there is no image encoder.
    fn clip_image(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>>;
    /// Captions to the same space (n × projection); `None` when the text encoder has no projection into it.
    ///
    /// # Errors
    /// A caption that cannot be read.
    fn clip_text(&self, _captions: &[String]) -> Result<Option<Array2<f32>>> {
        Ok(None)
    }
    /// Whether [`PictureModel::clip_image`] works.
    fn has_clip(&self) -> bool;
    /// Pictures under contexts, from noise or from noised latents.
    ///
    /// # Errors
    /// Rows that do not fit.
    fn generate(&self, request: &Generation<'_>) -> Result<Array4<f32>>;
    /// What a user of its pictures must know.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
    /// What [`PictureModel::generate`] starts from: noised latents, n × latent; `None` from a generator that has no such thing.
    ///
    /// # Errors
    /// As [`PictureModel::generate`].
    fn start(&self, _request: &Generation<'_>) -> Result<Option<Array2<f32>>> {
        Ok(None)
    }
    /// How much each position of the latents looks at each token of the contexts: (n, tokens, h, w); `None` from a generator
    /// without attention.
    ///
    /// # Errors
    /// Rows that do not fit.
    fn attention_maps(
        &self,
        _latents: ArrayView2<'_, f32>,
        _contexts: ArrayView2<'_, f32>,
        _seed: Seed,
    ) -> Result<Option<Array4<f32>>> {
        Ok(None)
    }
    /// The same with other weights in the U-Net.
    ///
    /// # Errors
    /// When there is no U-Net, or the changes do not fit it.
    fn adapted(&self, changes: &Changes) -> Result<Arc<dyn PictureModel>>;
}

/// Tensors of a U-Net that a training changed.
#[derive(Clone)]
pub struct Changes {
    /// The tensors, by their names in the U-Net.
    pub tensors: Tensors,
    /// A hash of everything that belongs to them.
    pub content: String,
}

/// The files of the pack that `spaces` lie in: the models of language and of sound inside the program are packs of their own.
pub fn files_of(pack: &experiment::Pack, spaces: &[Space]) -> PackFiles {
    match pack {
        experiment::Pack::Pocket if spaces.iter().any(Space::is_of_language) => {
            PackFiles::Embedded(percept_pocket_words::FILES)
        }
        _ if spaces.iter().any(Space::is_of_sound) => files_of_sound(pack),
        experiment::Pack::Pocket => PackFiles::Embedded(percept_pocket::FILES),
        experiment::Pack::Folder(folder) => PackFiles::Directory(folder.clone()),
    }
}

/// The files of a pack of models of sound.
pub fn files_of_sound(pack: &experiment::Pack) -> PackFiles {
    match pack {
        experiment::Pack::Pocket => PackFiles::Embedded(percept_pocket_music::FILES),
        experiment::Pack::Folder(folder) => PackFiles::Directory(folder.clone()),
    }
}

/// A model pack as a [`PictureModel`].
pub struct PackModel {
    pack: DiffusionPack,
    files: PackFiles,
    name: String,
    content: String,
}

impl PackModel {
    /// Loads the pack that an experiment names.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    pub fn open(pack: &experiment::Pack) -> std::result::Result<Self, PipelineError> {
        let (files, name) = match pack {
            experiment::Pack::Pocket => (PackFiles::Embedded(percept_pocket::FILES), "pocket".to_owned()),
            experiment::Pack::Folder(folder) => (PackFiles::Directory(folder.clone()), folder.display().to_string()),
        };
        let content = content_of(&files)?;
        Ok(Self { pack: DiffusionPack::load(&files)?, files, name, content })
    }

    /// The same, working on as many pictures at once as the memory allows that was granted or, without a grant, is free.
    ///
    /// # Errors
    /// When it allows none beside the weights.
    pub fn within(self, granted: Option<u64>) -> std::result::Result<Self, PipelineError> {
        let taken = machine::resident_bytes().unwrap_or(0);
        // Memory that is free is free beside what this process has; a grant is for all of it.
        let left = granted.map_or_else(|| machine::granted_bytes(None), |granted| granted.saturating_sub(taken));
        let pack = match granted {
            // Without a grant at least one picture is tried.
            None => self.pack.within(left.max(self.pack.bytes_per_picture()))?,
            Some(_) => self.pack.within(left)?,
        };
        Ok(Self { pack, ..self })
    }

    /// The pack itself.
    pub fn pack(&self) -> &DiffusionPack {
        &self.pack
    }

    /// Where it came from.
    pub fn files(&self) -> &PackFiles {
        &self.files
    }

    /// The U-Net's tensors as they were released.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn unet_tensors(&self) -> Result<Tensors> {
        Parts::new(&self.files)?.unet_tensors()
    }
}

impl PictureModel for PackModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn content(&self) -> &str {
        &self.content
    }

    fn image_size(&self) -> usize {
        self.pack.image_size()
    }

    fn encode(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.pack.encode(pictures)
    }

    fn decode(&self, latents: &Array2<f32>) -> Result<Array4<f32>> {
        self.pack.decode(latents.view())
    }

    fn embed_text(&self, captions: &[String]) -> Result<Array2<f32>> {
        self.pack.embed_text(captions)
    }

    fn clip_image(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.pack.clip_image(pictures)
    }

    fn clip_text(&self, captions: &[String]) -> Result<Option<Array2<f32>>> {
        if self.pack.has_clip() { self.pack.clip_text(captions).map(Some) } else { Ok(None) }
    }

    fn has_clip(&self) -> bool {
        self.pack.has_clip()
    }

    fn generate(&self, request: &Generation<'_>) -> Result<Array4<f32>> {
        self.pack.generate(request)
    }

    fn notes(&self) -> Vec<String> {
        self.pack.notes()
    }

    fn start(&self, request: &Generation<'_>) -> Result<Option<Array2<f32>>> {
        self.pack.start_latents(request).map(Some)
    }

    fn attention_maps(
        &self,
        latents: ArrayView2<'_, f32>,
        contexts: ArrayView2<'_, f32>,
        seed: Seed,
    ) -> Result<Option<Array4<f32>>> {
        self.pack.attention_maps(latents, contexts, seed).map(Some)
    }

    fn adapted(&self, changes: &Changes) -> Result<Arc<dyn PictureModel>> {
        let mut tensors = self.unet_tensors()?;
        tensors.extend(changes.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        let pack = self.pack.with_unet(tensors, &format!("the changed U-Net of {}", self.files.origin()))?;
        let content = content_hash(format!("{} {}", self.content, changes.content).as_bytes());
        Ok(Arc::new(Self { pack, files: self.files.clone(), name: self.name.clone(), content }))
    }
}
