//! `[captions]`: which captioner reads the decoded vision tokens, and how it chooses its words.

use percept_models::caption::{How, Preparation, Search};
use percept_pipeline::experiment::{
    ExperimentError, Groups, KeyTable, Needs, Pack, Region, Rescale, SectionText, SectionWord,
};
use percept_pipeline::{section, words};
use toml::{Table, Value};

use super::names::SECTION as NAME;

/// `[captions]` as a word of the experiment file.
pub(super) const SECTION: SectionWord = SectionWord {
    name: NAME,
    doc: "How captions are decoded.",
    tables: || KeyTable::of::<CaptionSettings>(NAME),
    thorough: false,
    needs: Needs { captions: false, groups: false },
    of: Some(super::names::METHOD),
    read,
};

words! {
    /// How the words of a caption are chosen.
    pub enum Choice {
        /// The best of several captions that grow side by side.
        Beam = "beam",
        /// The most probable word each time.
        Greedy = "greedy",
        /// A word drawn from the most probable ones, which together have the probability `top_p`.
        Nucleus = "nucleus",
    }
}

words! {
    /// How pictures are prepared for the captioner.
    pub enum Pictures {
        /// As its `preprocessor_config.json` says; without one, as `blip`.
        Model = "model",
        /// Bicubic, with CLIP's mean and standard deviation.
        Blip = "blip",
        /// Lanczos, not normalised: what the released code of Takagi & Nishimoto does, at 240 pixels.
        Takagi2023 = "takagi2023",
    }
}

section! {
    /// From vision tokens to captions.
    pub struct CaptionSettings {
        /// `pocket` for the captioner that is part of the program, or the folder of a BLIP model (`config.json` and
        /// `model.safetensors`, or the original `.pth`), or `hf:ORG/NAME` for one in the cache of the Hugging Face hub.
        captioner: Pack = Pack::Pocket;
        /// How pictures are prepared for it.
        pictures: Pictures = Pictures::Model;
        /// Side of the prepared pictures in pixels; 0 leaves it to the model. The table of positions is interpolated.
        picture_size: usize = 0, in 0..=4096;
        /// Units that predict the vision tokens.
        region: Region = Region::All;
        /// Against shrinkage of the predicted tokens.
        rescale: Rescale = Rescale::None;
        /// How words are chosen.
        search: Choice = Choice::Beam;
        /// Captions that grow side by side.
        beams: usize = 3, in 1..=64;
        /// Probability of the words that `nucleus` draws from.
        top_p: f64 = 0.9, in 0.01..=1.0;
        /// Fewest tokens, those of the prompt included.
        min_tokens: usize = 5, in 0..=512;
        /// Most tokens, those of the prompt included.
        max_tokens: usize = 20, in 2..=512;
        /// What the log-probability of a word that was said already is multiplied by; 1 is none.
        repetition_penalty: f64 = 1.5, in 0.1..=100.0;
        /// Captions are ranked by their log-probability over their length to this power.
        length_penalty: f64 = 1.0, in -10.0..=10.0;
        /// How every caption begins; not shown.
        prompt: String = "a picture of ".to_owned();
        /// Captions made at a time.
        batch: usize = 16, in 1..=4096;
        /// The seed of `nucleus`.
        seed: u64 = 1, in 0..=u64::MAX, or "the experiment's `seed`";
        /// Words of one kind under a name, such as `object = ["house", "tree"]`: the share of captions that name the right
        /// ones is scored as `names.object`. `"!green field"` is a phrase that is not looked at.
        #[serde(skip_serializing_if = "Groups::is_empty")]
        words: Groups<Vec<String>> = Groups::none();
    }
}

impl CaptionSettings {
    /// How pictures are prepared, where the model itself does it as `own`.
    pub(super) fn prepared(&self, own: Preparation) -> Preparation {
        let size = if self.picture_size > 0 { self.picture_size } else { own.size };
        match self.pictures {
            Pictures::Model => Preparation { size, ..own },
            Pictures::Blip => Preparation::blip(size),
            Pictures::Takagi2023 => Preparation::takagi2023(size),
        }
    }

    /// How the captioner searches.
    pub(super) fn search(&self) -> Search {
        Search {
            beams: self.beams,
            min_len: self.min_tokens,
            max_len: self.max_tokens,
            repetition_penalty: self.repetition_penalty as f32,
            length_penalty: self.length_penalty,
            prompt: self.prompt.clone(),
            how: match self.search {
                Choice::Beam => How::Beam,
                Choice::Greedy => How::Greedy,
                Choice::Nucleus => How::Nucleus { p: self.top_p as f32, seed: self.seed },
            },
            ..Search::default()
        }
    }
}

fn read(text: &SectionText<'_>) -> Result<Table, ExperimentError> {
    let mut table = text.table().clone();
    table.entry("seed").or_insert(Value::Integer(text.seed() as i64));
    let settings: CaptionSettings = text.read("", table)?;
    if settings.min_tokens > settings.max_tokens {
        let got = format!("{} and `max_tokens = {}`", settings.min_tokens, settings.max_tokens);
        return Err(text.value("min_tokens", "at most `max_tokens`", got));
    }
    Ok(Table::try_from(settings).expect("settings hold only what TOML can say"))
}
