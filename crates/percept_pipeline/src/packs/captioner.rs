//! What captioning needs of a model: pictures to the tokens of its vision encoder, and tokens, true or predicted, to captions.
//!
//! [`CaptionModel`] is the seam between systems and captioners, as [`PictureModel`](super::PictureModel) is for pictures.

use ndarray::{Array2, ArrayView2, ArrayView4};
use percept_models::caption::{Beam, Captioner, Preparation, Search};
use percept_models::error::Result;
use percept_models::weights::PackFiles;

use crate::error::PipelineError;
use crate::experiment::Pack;

/// A model that says what a picture shows. Pictures are (n, side, side, 3), RGB in 0..=1.
pub trait CaptionModel: Send + Sync {
    /// Its name, such as `pocket`.
    fn name(&self) -> &str;
    /// A hash of configuration and weights.
    fn content(&self) -> &str;
    /// Tokens of the vision encoder for one picture, and the width of each.
    fn shape(&self) -> [usize; 2];
    /// Pictures of any size to vision tokens: n × (tokens · width).
    ///
    /// # Errors
    /// Pictures without pixels.
    fn features(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>>;
    /// Vision tokens to captions: for each row the beams that were kept, the best first.
    ///
    /// # Errors
    /// Rows of another length, and a search that cannot be carried out.
    fn caption(&self, features: ArrayView2<'_, f32>, search: &Search) -> Result<Vec<Vec<Beam>>>;
}

/// A BLIP model pack, or the pocket captioner.
pub struct PackCaptioner {
    captioner: Captioner,
    name: String,
    content: String,
}

impl PackCaptioner {
    /// Loads the captioner in `pack`, with pictures prepared as `prepare` says, given how the pack itself says it.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    pub fn open(
        pack: &Pack,
        prepare: impl FnOnce(Preparation) -> Preparation,
    ) -> std::result::Result<Self, PipelineError> {
        let (files, name) = match pack {
            Pack::Pocket => (PackFiles::Embedded(percept_pocket_captions::FILES), "pocket".to_owned()),
            Pack::Folder(folder) => (PackFiles::Directory(folder.clone()), folder.display().to_string()),
        };
        let captioner = Captioner::load(&files)?;
        let preparation = prepare(*captioner.preparation());
        let captioner = captioner.with_preparation(preparation)?;
        let content = captioner.content();
        Ok(Self { captioner, name, content })
    }
}

impl CaptionModel for PackCaptioner {
    fn name(&self) -> &str {
        &self.name
    }

    fn content(&self) -> &str {
        &self.content
    }

    fn shape(&self) -> [usize; 2] {
        [self.captioner.n_tokens(), self.captioner.width()]
    }

    fn features(&self, pictures: ArrayView4<'_, f32>) -> Result<Array2<f32>> {
        self.captioner.features(pictures)
    }

    fn caption(&self, features: ArrayView2<'_, f32>, search: &Search) -> Result<Vec<Vec<Beam>>> {
        self.captioner.caption(features, search)
    }
}
