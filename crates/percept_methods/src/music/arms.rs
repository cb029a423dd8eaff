//! What is made of vectors: the nearest piece of a corpus, and generated music; for decoded vectors, and for those that judge them.

use ndarray::{Array2, Axis};
use percept_core::outcome::Role;
use percept_core::seed::permutation;
use percept_io::sound::{SampleFormat, write_wav};
use percept_models::sound::music::{MusicGeneration, MusicPack};
use percept_pipeline::PipelineError;
use percept_pipeline::data::listening::sounds;
use percept_pipeline::experiment::music::MusicMethod;
use percept_pipeline::packs::{content_of, files_of_sound};
use percept_pipeline::run::{StageName, artefact};
use percept_stats::nearest::Nearest;

use super::bench::Bench;
use super::decode::Decoded;
use super::index::Index;
use super::targets::Target;

/// Of the sounds; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// What was made for every test clip in one way.
pub(super) struct Arm {
    /// The name in tables: `music`, `music.true`.
    pub name: String,
    pub role: Role,
    /// One sentence on how it was made.
    pub description: String,
    /// The sound of each clip, relative to the run.
    pub files: Vec<String>,
    /// What each is, where that is known: the name of a track.
    pub notes: Vec<String>,
    /// The vector of each sound.
    pub heard: Array2<f32>,
}

/// Vectors to make something of.
struct Source {
    /// Behind the name of the method; empty for the decoded ones.
    suffix: &'static str,
    role: Role,
    words: &'static str,
    vectors: Array2<f32>,
}

/// All arms of the methods that were asked for.
pub(super) fn made(bench: &Bench<'_>, targets: &[Target], decoded: &[Decoded]) -> Result<Vec<Arm>, PipelineError> {
    let main = bench.experiment.main_target();
    let target = &targets[main];
    let sources = sources(bench, target, &decoded[main]);
    let pack = MusicPack::load(&files_of_sound(&bench.experiment.music.pack))?;
    if pack.clap().width() != target.sides[0].truth.ncols() {
        let what = format!(
            "the target `{}` has {} numbers, but the pack that generates is conditioned on {}",
            target.name,
            target.sides[0].truth.ncols(),
            pack.clap().width()
        );
        return Err(PipelineError::data(what, "decode `clap.audio` of the pack of `[music]`, or set `music.target`"));
    }
    let mut arms = vec![stimuli(bench, target, &pack)?];
    if bench.experiment.asks(MusicMethod::Retrieval) {
        let corpus = Corpus::open(bench, target)?;
        for source in &sources {
            arms.push(retrieved(bench, target, &pack, &corpus, source)?);
        }
    }
    if bench.experiment.asks(MusicMethod::Music) {
        for source in &sources {
            arms.push(generated(bench, target, &pack, source)?);
        }
    }
    Ok(arms)
}

fn sources(bench: &Bench<'_>, target: &Target, decoded: &Decoded) -> Vec<Source> {
    let [training, test] = &target.sides;
    let vectors = decoded.vectors(target);
    let n = test.clips.len();
    // Everybody gets the vector of the next one in a random order: never the own one.
    let order = permutation(bench.seed.named("shuffled"), n);
    let mut other = vec![0; n];
    for place in 0..n {
        other[order[place]] = order[(place + 1) % n.max(1)];
    }
    let mean = training.by_clip(&training.truth).mean_axis(Axis(0)).unwrap_or_default();
    let mut all_mean = Array2::zeros((n, mean.len()));
    for mut row in all_mean.outer_iter_mut() {
        row.assign(&mean);
    }
    let source = |suffix, role, words, vectors| Source { suffix, role, words, vectors };
    vec![
        source("", Role::Method, "from the vector decoded from the brain", vectors.clone()),
        source(
            ".true",
            Role::Bound,
            "from the true vector: what perfect decoding would give",
            test.by_clip(&test.truth),
        ),
        source(
            ".shuffled",
            Role::Control,
            "from the vector decoded while another excerpt was heard",
            vectors.select(Axis(0), &other),
        ),
        source(".mean", Role::Control, "from the mean vector of the training excerpts: no brain at all", all_mean),
    ]
}

/// Writes the sounds of an arm, or finds them: `make` gives samples and a note for each test clip.
fn arm(
    bench: &Bench<'_>,
    target: &Target,
    pack: &MusicPack,
    (name, role, description): (String, Role, String),
    vectors: &Array2<f32>,
    make: impl FnOnce() -> Result<Vec<(Vec<f32>, String)>, PipelineError>,
) -> Result<Arm, PipelineError> {
    let clips = &target.sides[1].clips;
    let file = |clip: usize| format!("sounds/{name}/{}.wav", bench.data.schedule.clips[clip].name());
    let files: Vec<String> = clips.iter().map(|&clip| file(clip)).collect();
    let (heard, notes) = (format!("sounds/{name}.safetensors"), format!("sounds/{name}.json"));
    let record = bench
        .record
        .only(&["schedule", "sounds"])
        .setting("music", &bench.experiment.music)
        .input("pack", content_of(&files_of_sound(&bench.experiment.music.pack))?)
        .input("vectors", percept_pipeline::data::hash_of_rows(vectors));
    let stage = format!("sounds.{name}");
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let made = make()?;
        let rate_hz = pack.rate_hz();
        let mut written = vec![heard.clone(), notes.clone()];
        for ((samples, _), path) in made.iter().zip(&files) {
            let one = sounds::channels(samples, 1);
            write_wav(bench.run.file(path), one.view(), rate_hz, SampleFormat::Int16)?;
            written.push(path.clone());
        }
        let samples: Vec<Vec<f32>> = made.iter().map(|(samples, _)| samples.clone()).collect();
        artefact::save(bench.run, &heard, &[("heard", pack.hear(&samples)?.into_dyn())])?;
        bench.run.write_json(&notes, &made.into_iter().map(|(_, note)| note).collect::<Vec<_>>())?;
        Ok(written)
    })?;
    let heard = artefact::load(bench.run, &heard)?.matrix("heard", clips.len(), None)?;
    let notes: Vec<String> = bench.run.read_json(&notes, "notes on sounds")?;
    Ok(Arm { name, role, description, files, notes, heard })
}

/// What was played, cut to the length of what is generated.
fn stimuli(bench: &Bench<'_>, target: &Target, pack: &MusicPack) -> Result<Arm, PipelineError> {
    let test = &target.sides[1];
    let words = ("stimulus".to_owned(), Role::Bound, "the middle of what was played, for comparison".to_owned());
    arm(bench, target, pack, words, &test.by_clip(&test.truth), || {
        let one = |&clip: &usize| -> Result<_, PipelineError> {
            let whole = bench.data.excerpt(clip, pack.rate_hz())?;
            Ok((middle(&whole, bench.experiment.music.seconds, pack.rate_hz()), bench.data.schedule.clips[clip].name()))
        };
        test.clips.iter().map(one).collect()
    })
}

/// The middle of a sound.
fn middle(sound: &[f32], secs: f64, rate_hz: u32) -> Vec<f32> {
    let length = ((secs * f64::from(rate_hz)) as usize).clamp(1, sound.len().max(1));
    let from = sound.len().saturating_sub(length) / 2;
    sound[from..(from + length).min(sound.len())].to_vec()
}

/// Pieces that can be retrieved.
struct Corpus {
    nearest: Nearest,
    pieces: Pieces,
}

enum Pieces {
    /// Clips of the training.
    Training(Vec<usize>),
    /// Files of an index.
    Indexed(Index),
}

impl Corpus {
    fn open(bench: &Bench<'_>, target: &Target) -> Result<Self, PipelineError> {
        let (vectors, pieces) = match &bench.experiment.music.index {
            None => {
                let training = &target.sides[0];
                (training.by_clip(&training.truth), Pieces::Training(training.clips.clone()))
            }
            Some(folder) => {
                let index = Index::open(folder)?;
                (index.vectors()?, Pieces::Indexed(index))
            }
        };
        let nearest = Nearest::new(vectors)
            .map_err(|error| PipelineError::data(format!("the corpus: {error}"), "make it again"))?;
        Ok(Self { nearest, pieces })
    }

    /// The sound of a piece, and what it is.
    fn piece(&self, bench: &Bench<'_>, row: usize, rate_hz: u32) -> Result<(Vec<f32>, String), PipelineError> {
        match &self.pieces {
            Pieces::Training(clips) => {
                let clip = clips[row];
                Ok((bench.data.excerpt(clip, rate_hz)?, bench.data.schedule.clips[clip].name()))
            }
            Pieces::Indexed(index) => {
                let path = index.path(row);
                Ok((sounds::track(&path, super::index::MOST_SECS, rate_hz)?, index.name(row).to_owned()))
            }
        }
    }

    /// Whether a piece is the track that was played.
    fn is_of(&self, bench: &Bench<'_>, row: usize, clip: usize) -> bool {
        let played = bench.data.schedule.clips[clip].name();
        match &self.pieces {
            Pieces::Training(clips) => bench.data.schedule.clips[clips[row]].name() == played,
            Pieces::Indexed(index) => index.stem(row) == played,
        }
    }
}

fn retrieved(
    bench: &Bench<'_>,
    target: &Target,
    pack: &MusicPack,
    corpus: &Corpus,
    source: &Source,
) -> Result<Arm, PipelineError> {
    let test = &target.sides[1];
    let words = (
        format!("retrieval{}", source.suffix),
        source.role,
        format!("The nearest piece of the corpus, by cosine, {}; the track that was played is left out.", source.words),
    );
    arm(bench, target, pack, words, &source.vectors, || {
        let one = |(place, &clip): (usize, &usize)| -> Result<_, PipelineError> {
            let may_be = |row: usize| !corpus.is_of(bench, row, clip);
            let found = corpus
                .nearest
                .search(source.vectors.row(place), 1, may_be)
                .map_err(|error| PipelineError::data(error.to_string(), "make the index with the pack of `[music]`"))?;
            let Some(best) = found.first() else {
                return Err(PipelineError::data("the corpus holds nothing but the stimulus", "index more"));
            };
            let (whole, name) = corpus.piece(bench, best.row, pack.rate_hz())?;
            Ok((middle(&whole, bench.experiment.music.seconds, pack.rate_hz()), name))
        };
        test.clips.iter().enumerate().map(one).collect()
    })
}

fn generated(bench: &Bench<'_>, target: &Target, pack: &MusicPack, source: &Source) -> Result<Arm, PipelineError> {
    let settings = &bench.experiment.music;
    let n = target.sides[1].clips.len();
    let words =
        (format!("music{}", source.suffix), source.role, format!("Generated {}, with the same noise.", source.words));
    let name = words.0.clone();
    arm(bench, target, pack, words, &source.vectors, || {
        let conditions = MusicPack::unit(source.vectors.view());
        let mut made = Vec::with_capacity(n);
        bench.progress.begin(&format!("generate {name}"), n as u64);
        for from in 0..n {
            let pieces = pack.generate(&MusicGeneration {
                conditions: conditions.slice(ndarray::s![from..=from, ..]),
                negative: None,
                seconds: settings.seconds,
                steps: settings.steps,
                guidance: settings.guidance,
                candidates: settings.candidates,
                seed: bench.seed.named("music"),
                ids: &[from as u64],
                noise: None,
            })?;
            made.extend(
                pieces.into_iter().filter_map(|of| of.into_iter().next()).map(|best| (best.samples, String::new())),
            );
            bench.progress.advance(1);
        }
        bench.progress.end("");
        Ok(made)
    })
}
