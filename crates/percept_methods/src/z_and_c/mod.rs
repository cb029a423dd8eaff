//! The base system: images from responses by ridge regression into the latent `z` and the context `c` of a diffusion model.
//!
//! Takagi & Nishimoto (CVPR 2023): `z` from early visual cortex, `c` from ventral visual cortex; `z` alone, `c` alone and both
//! together are compared under the same seed and noise, beside controls that say how much of a picture came from the brain.
//! Unlike the authors' released code, decoders have an intercept, penalties are chosen per target by leaving out whole
//! images, and normalisation is fitted on training samples only.

use std::sync::Arc;

use percept_core::outcome::Role;
use percept_pipeline::decoding::{Rescaled, rescaled};
use percept_pipeline::experiment::{LatentAlone, MethodWord, Needs, Rescale};
use percept_pipeline::generation::{DecodeLatent, Diffusion, Guide, Start};
use percept_pipeline::packs::OnDemand;
use percept_pipeline::spaces::{Context, Latent, Space};
use percept_pipeline::{Generator, Inputs, PipelineError};

use crate::bench::Bench;
use crate::system::{Candidate, Entry, Oracle, System};

const Z: &str = "z";
const C: &str = "c";
const BOTH: &str = "z+c";

/// The system.
pub struct ZAndC;

/// One method: what it reads and what its pictures are.
struct Way {
    name: &'static str,
    reads_z: bool,
    reads_c: bool,
    short: &'static str,
}

/// The methods, the strongest last.
const WAYS: [Way; 3] = [
    Way { name: Z, reads_z: true, reads_c: false, short: "appearance only" },
    Way { name: C, reads_z: false, reads_c: true, short: "meaning only" },
    Way { name: BOTH, reads_z: true, reads_c: true, short: "both together" },
];

impl System for ZAndC {
    fn methods(&self) -> Vec<MethodWord> {
        let docs = [
            "The latent `z` decoded from early visual cortex: layout and colour, little meaning.",
            "The context `c` decoded from ventral visual cortex, denoised from pure noise: meaning, no layout of its own.",
            "Both: the decoded latent, noised part of the way and denoised under the decoded context.",
        ];
        let word = |(way, doc): (&Way, &'static str)| MethodWord {
            name: way.name,
            doc,
            by_default: true,
            thorough: false,
            needs: Needs { captions: way.reads_c, groups: false },
        };
        WAYS.iter().zip(docs).map(word).collect()
    }

    fn join<'a>(&self, bench: &Bench<'a>) -> Result<Box<dyn Entry + 'a>, PipelineError> {
        let asked: Vec<&Way> = WAYS.iter().filter(|way| bench.experiment.asks(way.name)).collect();
        let settings = &bench.experiment.decode;
        // Features first: what lacks captions is refused before the first decoder is fitted.
        let (reads_z, reads_c) = (asked.iter().any(|way| way.reads_z), asked.iter().any(|way| way.reads_c));
        if reads_z {
            bench.features(&Latent)?;
        }
        if reads_c {
            bench.features(&Context)?;
        }
        let z = if reads_z { Some(decoded(bench, &Latent, Rescale::None)?) } else { None };
        let c = if reads_c { Some(decoded(bench, &Context, settings.rescale)?) } else { None };
        let mut candidates = Vec::with_capacity(asked.len());
        for way in asked {
            candidates.push(candidate(bench, way, z.as_ref(), c.as_ref())?);
        }
        Ok(Box::new(Candidates(candidates)))
    }
}

/// Predictions of a space from its region, rescaled where the experiment asks for it.
fn decoded(bench: &Bench<'_>, space: &dyn Space, remedy: Rescale) -> Result<Rescaled, PipelineError> {
    let settings = &bench.experiment.decode;
    let region = if space.name() == Latent::NAME { settings.z_region } else { settings.c_region };
    let predictions = bench.decode(space, region)?;
    let rescaled = rescaled(&predictions, bench.plan, remedy);
    bench.report_decoder(space, region, &predictions, rescaled.median_factor)?;
    Ok(rescaled)
}

fn candidate(
    bench: &Bench<'_>,
    way: &Way,
    z: Option<&Rescaled>,
    c: Option<&Rescaled>,
) -> Result<Candidate, PipelineError> {
    let (z, c) = (z.filter(|_| way.reads_z), c.filter(|_| way.reads_c));
    let inputs = |of: fn(&Rescaled) -> &ndarray::Array2<f32>| {
        let spaces = [(Latent::NAME, z), (Context::NAME, c)];
        spaces
            .into_iter()
            .filter_map(|(name, found)| Some((name, found?)))
            .fold(Inputs::none(), |inputs, (name, found)| inputs.with(name, of(found).clone()))
    };
    let mut truth = Inputs::none();
    if way.reads_z {
        truth = truth.with(Latent::NAME, bench.true_rows(&Latent)?);
    }
    if way.reads_c {
        truth = truth.with(Context::NAME, bench.true_rows(&Context)?);
    }
    let (generator, description) = generator(bench, way);
    let words = [way.short, description];
    let mut arm = bench.arm(way.name, Role::Method, words, inputs(|found| &found.items), generator.clone())?;
    arm.is_reference = way.name == C;
    Ok(Candidate {
        arm,
        strength: 1 + u8::from(way.reads_c) + u8::from(way.reads_z && way.reads_c),
        mean: Some(inputs(|found| &found.mean)),
        oracle: Some(Oracle { of: way.name.to_owned(), generator, inputs: truth }),
    })
}

/// What makes the pictures of a method, and how, in words.
fn generator(bench: &Bench<'_>, way: &Way) -> (Arc<dyn Generator>, &'static str) {
    let settings = &bench.experiment.generate;
    let diffusion = |start, guide| -> Arc<dyn Generator> {
        Arc::new(Diffusion::new(OnDemand::plain(bench.model.clone()), settings, start, guide))
    };
    match (way.reads_z, way.reads_c) {
        (true, true) => (
            diffusion(Start::Latent, Guide::Context),
            "predicted latent, noised and denoised under the predicted context",
        ),
        (false, _) => (diffusion(Start::Noise, Guide::Context), "pure noise, denoised under the predicted context"),
        (true, false) if settings.z == LatentAlone::Denoise => {
            (diffusion(Start::Latent, Guide::Nothing), "predicted latent, noised and denoised without a caption")
        }
        (true, false) => (Arc::new(DecodeLatent::new(bench.model.clone())), "predicted latent, decoded"),
    }
}

/// Arms that add nothing to the report but themselves.
struct Candidates(Vec<Candidate>);

impl Entry for Candidates {
    fn candidates(&self) -> Vec<Candidate> {
        self.0.clone()
    }
}
