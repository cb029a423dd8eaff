//! Images through captions (Takagi & Nishimoto 2023): responses → vision tokens of a captioner (BLIP) → a caption → the text
//! encoder's context → a picture, instead of responses → context directly.
//!
//! The method `caption` starts from the decoded latent `z`, as `z+c` does, under the context of the decoded caption, with the
//! same seed and noise: what differs is only how the context was found. [`caption()`] decodes captions alone and scores them.
//!
//! Unlike the authors' released code, decoders have an intercept, penalties are chosen per target by leaving out whole images,
//! and the captioner's pictures are prepared as its configuration says (the code scales to 240 pixels with Lanczos' filter and
//! does not normalise).

mod choices;
mod compare;
mod decoded;
mod given;
mod names;
mod run;
mod scores;
mod sections;
mod settings;
mod tables;
mod ways;

use percept_pipeline::PipelineError;
use percept_pipeline::experiment::{MethodWord, Needs, SectionWord};

pub use given::{GivenCaption, caption_given, of_given};
pub use run::caption;

use crate::bench::Bench;
use crate::system::{Entry, System};

/// How words are chosen where an experiment says nothing else.
pub(crate) fn search_by_default() -> percept_models::caption::Search {
    settings::CaptionSettings::default().search()
}

/// The system.
pub struct Captions;

impl System for Captions {
    fn methods(&self) -> Vec<MethodWord> {
        vec![MethodWord {
            name: names::METHOD,
            doc: "A caption decoded from the tokens of a captioner's vision encoder: its context guides, from the decoded latent, \
                  as in `z+c`.",
            by_default: false,
            thorough: false,
            needs: Needs { captions: false, groups: false },
        }]
    }

    fn section(&self) -> Option<SectionWord> {
        Some(settings::SECTION)
    }

    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError> {
        Ok(Box::new(compare::join(bench)?))
    }
}
