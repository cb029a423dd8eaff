//! Scores of captions: BLEU, ROUGE-L, METEOR, CIDEr, CLIPScore, each with an interval and with what chance gives.
//!
//! [`Captions`] are the predicted captions and the references of each item as words ([`tokenize`]). [`score`] gives all metrics
//! of them, [`score_clip`] those that compare embeddings. Behind both stands one idea: every metric has *statistics* of a pair
//! (a prediction, an item's references) that are added over items, and a value of their sum. For BLEU they are counts, so that
//! the corpus score of a bootstrap draw or of shuffled predictions is a sum again; for the others they are the item's score.
//!
//! | metric | equals | module |
//! |---|---|---|
//! | `bleu1`…`bleu4` | corpus BLEU of pycocoevalcap and sacrebleu (`smooth_method="none"`), in 0..=1 | [`bleu`] |
//! | `bleu4_sentence` | mean of sacrebleu's sentence BLEU (`exp`, effective order) | [`bleu`] |
//! | `rouge_l` | pycocoevalcap `Rouge` | [`rouge`] |
//! | `meteor` | METEOR 1.5 with the modules `exact` and `stem` | [`meteor`] |
//! | `cider` | pycocoevalcap `Cider`, which is CIDEr-D | [`cider`] |
//! | `clipscore`, `refclipscore` | Hessel et al. 2021 | [`clip`] |
//!
//! No model is known here, and no file: embeddings and words are passed in.

pub mod bleu;
pub mod cider;
pub mod clip;
mod corpus;
pub mod meteor;
mod metric;
pub mod rouge;
mod score;
mod tokens;

pub use clip::ClipEmbeddings;
pub use corpus::Captions;
pub use score::{Chance, ScoreSettings, TextScore, score, score_clip};
pub use tokens::tokenize;
