//! How a caption is looked for: beam search, the greedy choice, or draws from the nucleus, as transformers' `generate` does it
//! (5.x).
//!
//! The search knows scores only. A [`Hunt`] is one picture's: it is given the logits behind each of its running texts, and says
//! how they go on. Pictures do not influence each other.
//!
//! - Beam search: logarithms of the softmax; the repetition penalty (Keskar et al. 2019, arXiv 1909.05858) multiplies those of
//!   all tokens so far, the prompt's included; the end token is masked while the text is shorter than `min_len`. Of the
//!   2 · beams best continuations those that end are finished, if they are among the first `beams`, with the score Σ / lengthᵖ
//!   over the tokens behind the prompt; the others run on.
//! - Greedy and nucleus (Holtzman et al. 2020, arXiv 1904.09751): penalty and mask act on the logits themselves.

use percept_core::{Seed, seed::Stream};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::{
    error::{ModelError, Result},
    nn::kernel::{pointwise::exp, sum1, vectorised},
};

/// A score below all that can be reached.
const NEVER: f32 = -1e9;
/// The most beams; all of a picture's run at once.
const MOST_BEAMS: usize = 64;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The texts that are likeliest as a whole.
    #[default]
    Beam,
    /// The likeliest token each time.
    Greedy,
    /// A draw among the likeliest tokens, which together have the probability `p`. What is drawn depends on the seed and the
    /// picture's features alone.
    Nucleus {
        /// The probability.
        p: f32,
        /// The root of the draws.
        seed: u64,
    },
}

/// When a beam search ends before all texts have the greatest length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// As soon as `beams` texts have ended and the best that runs, at its present length, is worse than the worst of them
    /// (`early_stopping=False`).
    #[default]
    NoHope,
    /// As soon as `beams` texts have ended (`early_stopping=True`).
    Full,
    /// As [`Self::NoHope`], but hoping for the greatest length where that helps (`early_stopping="never"`).
    Never,
}

/// What is looked for, and how. The default is Takagi & Nishimoto's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Texts that run side by side, and are returned; 1 unless [`How::Beam`].
    pub beams: usize,
    /// Tokens before which a text may not end, beginning and prompt included.
    pub min_len: usize,
    /// The most tokens of a text, beginning, prompt and end included.
    pub max_len: usize,
    /// By which the scores of tokens that the text has already are multiplied (log-probabilities, negative logits); 1 is none.
    pub repetition_penalty: f32,
    /// The power of the length by which scores of whole texts are divided.
    pub length_penalty: f64,
    /// When to end.
    pub stop: Stop,
    /// What every caption begins with; not part of the returned text.
    pub prompt: String,
    /// How tokens are chosen.
    pub how: How,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            beams: 3,
            min_len: 5,
            max_len: 20,
            repetition_penalty: 1.5,
            length_penalty: 1.0,
            stop: Stop::NoHope,
            prompt: "a picture of ".into(),
            how: How::Beam,
        }
    }
}

impl Search {
    /// Texts that run side by side.
    pub fn n_beams(&self) -> usize {
        if self.how == How::Beam { self.beams } else { 1 }
    }

    /// Refuses numbers that no search has; `prompt` is the number of tokens that a text begins with, `longest` the most that the
    /// model knows, `vocabulary` the number of its tokens.
    pub(super) fn check(&self, prompt: usize, longest: usize, vocabulary: usize) -> Result<()> {
        let refuse = |what, expected: String, got: String| Err(ModelError::Input { what, expected, got });
        let most = MOST_BEAMS.min(vocabulary / 2);
        if self.beams == 0 || self.beams > most {
            return refuse("beams of the search", format!("1 to {most}"), self.beams.to_string());
        }
        if self.max_len <= prompt || self.max_len > longest {
            return refuse(
                "greatest length of a caption",
                format!("{} to {longest} tokens (the prompt has {prompt})", prompt + 1),
                self.max_len.to_string(),
            );
        }
        if self.min_len > self.max_len {
            return refuse("least length of a caption", format!("0 to {}", self.max_len), self.min_len.to_string());
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            return refuse("repetition penalty", "a number above 0".into(), self.repetition_penalty.to_string());
        }
        if !self.length_penalty.is_finite() || self.length_penalty.abs() > 100.0 {
            return refuse("length penalty", "-100 to 100".into(), self.length_penalty.to_string());
        }
        match self.how {
            How::Nucleus { p, .. } if !(p > 0.0 && p <= 1.0) => {
                refuse("`p` of the nucleus", "above 0, at most 1".into(), p.to_string())
            }
            _ => Ok(()),
        }
    }

    /// Scores of the next token behind `tokens`, the prompt included: penalty and mask over log-probabilities (beam) or logits,
    /// and, for the nucleus, −∞ for all that lies outside. `end` is the token that ends a text.
    ///
    /// # Shapes
    /// `logits` (vocabulary) → (vocabulary).
    pub fn scores(&self, logits: &[f32], tokens: &[u32], end: u32) -> Vec<f32> {
        let mut scores = match self.how {
            How::Beam => log_softmax(logits),
            _ => logits.to_vec(),
        };
        self.adjust(&mut scores, tokens, end);
        if let How::Nucleus { p, .. } = self.how {
            keep_nucleus(&mut scores, p);
        }
        scores
    }

    fn adjust(&self, scores: &mut [f32], tokens: &[u32], end: u32) {
        let mut seen = tokens.to_vec();
        seen.sort_unstable();
        seen.dedup();
        for token in seen {
            if let Some(score) = scores.get_mut(token as usize) {
                *score = if *score < 0.0 { *score * self.repetition_penalty } else { *score / self.repetition_penalty };
            }
        }
        if tokens.len() < self.min_len
            && let Some(score) = scores.get_mut(end as usize)
        {
            *score = f32::NEG_INFINITY;
        }
    }
}

/// A caption that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beam {
    /// All tokens: beginning, prompt, caption, and the end where it was reached.
    pub tokens: Vec<u32>,
    /// The caption behind the prompt, in words.
    pub text: String,
    /// What beams are ordered by: the sum of the (penalised) scores over lengthᵖ; of greedy and nucleus, the sum of `log_probs`
    /// over it.
    pub score: f32,
    /// The model's own logarithm of the probability of each token behind the prompt, without penalty or mask.
    pub log_probs: Vec<f32>,
}

/// A text that is not finished.
#[derive(Clone, Debug)]
struct Running {
    tokens: Vec<u32>,
    score: f32,
    log_probs: Vec<f32>,
}

/// The search for one picture's captions.
pub(super) struct Hunt<'a> {
    search: &'a Search,
    end: u32,
    prompt: usize,
    running: Vec<Running>,
    finished: Vec<Beam>,
    draws: Stream,
    is_over: bool,
}

/// A way that a text may go on.
#[derive(Clone, Copy)]
struct Way {
    from: usize,
    token: u32,
    score: f32,
    log_prob: f32,
}

impl<'a> Hunt<'a> {
    /// A hunt that begins with `prompt` and ends captions with `end`; `name` is the picture's, for draws.
    pub(super) fn new(search: &'a Search, prompt: &[u32], end: u32, name: &str) -> Self {
        let seed = match search.how {
            How::Nucleus { seed, .. } => seed,
            _ => 0,
        };
        Self {
            search,
            end,
            prompt: prompt.len(),
            running: vec![Running { tokens: prompt.to_vec(), score: 0.0, log_probs: Vec::new() }],
            finished: Vec::new(),
            draws: Seed::new(seed).named("nucleus").named(name).stream(),
            is_over: false,
        }
    }

    /// Whether all is found.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many texts run.
    pub(super) fn n_running(&self) -> usize {
        self.running.len()
    }

    /// The last tokens of the texts that run.
    pub(super) fn next(&self) -> impl Iterator<Item = u32> {
        self.running.iter().filter_map(|text| text.tokens.last().copied())
    }

    /// Takes the logits (texts that run × vocabulary) and goes on; says of each text that runs now which it came from.
    pub(super) fn advance(&mut self, logits: &[f32]) -> Vec<u32> {
        let vocabulary = logits.len() / self.running.len().max(1);
        let ways = match self.search.how {
            How::Beam => self.best(logits, vocabulary),
            _ => self.one(logits),
        };
        let length = self.running.first().map_or(0, |text| text.tokens.len()) + 1;
        let beams = self.search.n_beams();
        let is_last = length >= self.search.max_len;
        let generated = length - self.prompt;
        let mut running = Vec::with_capacity(beams);
        let mut parents = Vec::with_capacity(beams);
        for (rank, way) in ways.iter().enumerate() {
            let old = &self.running[way.from];
            let ends = is_last || way.token == self.end;
            if (ends && rank >= beams) || (!ends && running.len() == beams) {
                continue;
            }
            let mut text = Running { score: way.score, ..old.clone() };
            text.tokens.push(way.token);
            text.log_probs.push(way.log_prob);
            if ends {
                self.finish(text, generated);
            } else {
                running.push(text);
                parents.push(way.from as u32);
            }
        }
        self.running = running;
        self.is_over = self.running.is_empty() || self.has_no_hope(generated);
        parents
    }

    /// Keeps a text that ended, if it is among the best.
    fn finish(&mut self, text: Running, length: usize) {
        let sum = if self.search.how == How::Beam { text.score } else { text.log_probs.iter().sum() };
        let score = sum / (length as f64).powf(self.search.length_penalty) as f32;
        // Behind those with the same score.
        let place = self.finished.partition_point(|other| other.score >= score);
        let beam = Beam { tokens: text.tokens, text: String::new(), score, log_probs: text.log_probs };
        self.finished.insert(place, beam);
        self.finished.truncate(self.search.n_beams());
    }

    /// Whether nothing that runs can be better than what is finished.
    fn has_no_hope(&self, generated: usize) -> bool {
        let (Some(best), Some(worst)) = (self.running.first(), self.finished.last()) else { return false };
        if self.finished.len() < self.search.n_beams() {
            return false;
        }
        let penalty = self.search.length_penalty;
        let length = match self.search.stop {
            Stop::Full => return true,
            Stop::Never if penalty > 0.0 => self.search.max_len - self.prompt,
            _ => generated,
        };
        best.score / (length as f64).powf(penalty) as f32 <= worst.score
    }

    /// The 2 · beams best ways, the best first; of equal ones the first.
    fn best(&self, logits: &[f32], vocabulary: usize) -> Vec<Way> {
        let keep = 2 * self.search.beams;
        let mut best: Vec<Way> = Vec::with_capacity(keep + 1);
        for (from, (text, logits)) in self.running.iter().zip(logits.chunks(vocabulary.max(1))).enumerate() {
            let own = log_softmax(logits);
            let mut scores = own.clone();
            self.search.adjust(&mut scores, &text.tokens, self.end);
            for (token, score) in scores.into_iter().enumerate() {
                let score = score + text.score;
                if best.len() == keep && best.last().is_some_and(|worst| score <= worst.score) {
                    continue;
                }
                let place = best.partition_point(|other| other.score >= score);
                best.insert(place, Way { from, token: token as u32, score, log_prob: own[token] });
                best.truncate(keep);
            }
        }
        best
    }

    /// The one way of a text that runs alone.
    fn one(&mut self, logits: &[f32]) -> Vec<Way> {
        let Some(text) = self.running.first() else { return Vec::new() };
        let scores = self.search.scores(logits, &text.tokens, self.end);
        let token = match self.search.how {
            How::Nucleus { .. } => drawn(&scores, &mut self.draws),
            _ => (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best }),
        };
        let log_prob = log_softmax(logits)[token];
        vec![Way { from: 0, token: token as u32, score: 0.0, log_prob }]
    }

    /// What was found, the best first.
    pub(super) fn found(self) -> Vec<Beam> {
        self.finished
    }
}

/// The logarithm of the softmax.
fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let mut out = logits.to_vec();
    vectorised!({
        let max = out.iter().fold(NEVER, |max, &v| if v > max { v } else { max });
        let total = max + sum1(&out, |v| exp(v - max)).ln();
        for value in &mut out {
            *value -= total;
        }
    });
    out
}

/// Leaves the smallest set of largest scores whose softmax sums to `p` or more, and −∞ for the others.
fn keep_nucleus(scores: &mut [f32], p: f32) {
    let log_probs = log_softmax(scores);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let mut sum = 0.0f32;
    let last = order.len().saturating_sub(1);
    for &i in &order[..last] {
        sum += log_probs[i].exp();
        if sum <= 1.0 - p {
            scores[i] = f32::NEG_INFINITY;
        }
    }
}

/// A draw by the softmax of `scores`.
fn drawn(scores: &[f32], stream: &mut Stream) -> usize {
    let probs: Vec<f64> = log_softmax(scores).into_iter().map(|v| f64::from(v).exp()).collect();
    let mut left = stream.random::<f64>() * probs.iter().sum::<f64>();
    let mut choice = 0;
    for (i, p) in probs.into_iter().enumerate().filter(|(_, p)| *p > 0.0) {
        choice = i;
        left -= p;
        if left <= 0.0 {
            break;
        }
    }
    choice
}
