//! What is made for the test films in different ways, and what stands beside it so that a still picture cannot win.

use ndarray::{Array2, Array4, Axis, s};
use percept_core::outcome::Role;
use percept_core::seed::permutation;
use percept_pipeline::PipelineError;
use percept_pipeline::experiment::video::VideoMethod;
use percept_pipeline::run::{StageName, artefact};

use super::bench::Bench;
use super::decode::Decoded;
use super::films;
use super::guide::Conditions;
use super::targets::{Target, mean_picture, watch};

/// Of the films; see [`percept_pipeline::run`].
const REVISION: u32 = 1;

/// Frames of all test clips, made in one way.
pub(super) struct Arm {
    /// The name in tables.
    pub name: String,
    pub role: Role,
    /// A few words for the head of a column.
    pub short: &'static str,
    /// One sentence on how it was made.
    pub description: String,
    /// (clips · frames, side, side, 3) in 0..=1.
    pub frames: Array4<f32>,
}

/// The stimulus first, then all arms.
pub(super) fn made(bench: &Bench<'_>, targets: &[Target], decoded: &[Decoded]) -> Result<Vec<Arm>, PipelineError> {
    let side = bench.pack.pack.image_size();
    let truth = seen(bench, side)?;
    let mut arms = vec![Arm {
        name: "stimulus".to_owned(),
        role: Role::Bound,
        short: "what was seen",
        description: "The films themselves.".to_owned(),
        frames: truth,
    }];
    let of_decoded: Vec<(&str, &Array2<f32>)> = decoded.iter().map(|space| (space.name, &space.test)).collect();
    let of_truth: Vec<(&str, &Array2<f32>)> = targets.iter().map(|space| (space.name, &space.sides[1])).collect();
    for &method in &bench.experiment.methods {
        let frames = film(bench, method.name(), method, &of_decoded)?;
        arms.push(method_arm(method, "", Role::Method, "what was decoded from the brain", frames));
    }
    let Some(main) = bench.experiment.methods.last().copied() else { return Ok(arms) };
    let name = format!("{}.true", main.name());
    let frames = film(bench, &name, main, &of_truth)?;
    arms.push(method_arm(main, ".true", Role::Bound, "the true features: what perfect decoding would give", frames));
    // The stimulus, the methods, the bound: the main film stands before the last.
    let controls = controls(bench, main, &arms[0].frames, &arms[arms.len() - 2].frames)?;
    arms.extend(controls);
    Ok(arms)
}

fn method_arm(method: VideoMethod, suffix: &str, role: Role, from: &str, frames: Array4<f32>) -> Arm {
    let (short, how) = match method {
        VideoMethod::Blurred => ("no diffusion", "Latents as pictures, moved by the motion, without diffusion"),
        VideoMethod::Frames => ("frame by frame", "Blurred frames made sharp one by one"),
        VideoMethod::Cross => {
            ("attention over frames", "Blurred frames made sharp with self-attention to the first and previous frame")
        }
        VideoMethod::Film => ("motion modules", "Blurred frames made sharp together, with motion modules"),
    };
    let name = format!("{}{suffix}", method.name());
    Arm { name, role, short, description: format!("{how}, from {from}."), frames }
}

/// The true frames of all test clips.
fn seen(bench: &Bench<'_>, side: usize) -> Result<Array4<f32>, PipelineError> {
    let mut parts = Vec::new();
    watch(bench, &bench.clips.sides[1], side, |frames| {
        parts.push(frames);
        Ok(())
    })?;
    joined(&parts)
}

fn joined(parts: &[Array4<f32>]) -> Result<Array4<f32>, PipelineError> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    ndarray::concatenate(Axis(0), &views)
        .map_err(|error| PipelineError::data(format!("frames of films: {error}"), "please report this"))
}

/// One film after the other, each a stage of its own.
fn film(
    bench: &Bench<'_>,
    name: &str,
    method: VideoMethod,
    spaces: &[(&str, &Array2<f32>)],
) -> Result<Array4<f32>, PipelineError> {
    let mut parts = Vec::new();
    let films = bench.clips.test_films();
    bench.progress.begin(&format!("make films, {name}"), films.len() as u64);
    for (segment, range) in films {
        let rows = |space: &str| {
            let found = spaces.iter().find(|(name, _)| *name == space);
            found.map(|(_, rows)| rows.slice(s![range.clone(), ..]).to_owned())
        };
        let conditions =
            Conditions { z: rows("z").unwrap_or_default(), c: rows("c"), motion: rows("motion").unwrap_or_default() };
        let title = &bench.data.segments[segment].name;
        let (stage, path) = (format!("film.{name}.{title}"), format!("films/{name}/{title}.safetensors"));
        let mut record = bench
            .record
            .only(&[])
            .setting("film", &bench.experiment.film)
            .setting("method", &method)
            .setting("frames", &bench.clips.frames)
            .setting("cells", &bench.experiment.decode.motion_cells)
            .input("pack", bench.pack.content.clone())
            .input("motion modules", bench.pack.motion.clone())
            .input("z", percept_pipeline::data::hash_of_rows(&conditions.z))
            .input("motion", percept_pipeline::data::hash_of_rows(&conditions.motion));
        if let Some(c) = &conditions.c {
            record = record.input("c", percept_pipeline::data::hash_of_rows(c));
        }
        bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
            // The same noise for all methods, so that they differ by what they do alone.
            let seed = bench.seed.named("films").named(title);
            let latents = films::latents(bench, &conditions, method, seed)?;
            artefact::save(bench.run, &path, &[("latents", latents.into_dyn())])?;
            Ok(vec![path.clone()])
        })?;
        let latents = artefact::load(bench.run, &path)?.matrix("latents", range.len() * bench.clips.frames, None)?;
        parts.push(bench.pack.pack.decode(latents.view())?);
        bench.progress.advance(1);
    }
    bench.progress.end("");
    joined(&parts)
}

/// What no film should be worth less than.
fn controls(
    bench: &Bench<'_>,
    main: VideoMethod,
    truth: &Array4<f32>,
    own: &Array4<f32>,
) -> Result<Vec<Arm>, PipelineError> {
    let (n, n_clips) = (bench.clips.frames, bench.clips.sides[1].len());
    let pick = |frames: &Array4<f32>, which: &dyn Fn(usize, usize) -> usize| {
        let order: Vec<usize> =
            (0..n_clips).flat_map(|clip| (0..n).map(move |frame| (clip, frame))).map(|(c, f)| which(c, f)).collect();
        frames.select(Axis(0), &order)
    };
    // Everybody gets the film of the next one in a random order: never the own one.
    let order = permutation(bench.seed.named("shuffled"), n_clips);
    let mut other = vec![0; n_clips];
    for place in 0..n_clips {
        other[order[place]] = order[(place + 1) % n_clips.max(1)];
    }
    let picture = mean_picture(bench)?.insert_axis(Axis(0));
    let mean = picture.select(Axis(0), &vec![0; n_clips * n]);
    let method = main.name();
    let arm = |name: String, role, short, description: String, frames| Arm { name, role, short, description, frames };
    Ok(vec![
        arm(
            format!("{method}.still"),
            Role::Control,
            "its first frame",
            format!("The first frame of `{method}` in each clip, held still: what its motion adds."),
            pick(own, &|clip, _| clip * n),
        ),
        arm(
            format!("{method}.shuffled"),
            Role::Control,
            "another clip's brain",
            format!("`{method}` of another clip."),
            pick(own, &|clip, frame| other[clip] * n + frame),
        ),
        arm(
            format!("{method}.reversed"),
            Role::Control,
            "backwards",
            format!("`{method}`, each clip played backwards."),
            pick(own, &|clip, frame| clip * n + n - 1 - frame),
        ),
        arm(
            "mean".to_owned(),
            Role::Baseline,
            "no brain",
            "The mean of the middle pictures of all training clips, held still.".to_owned(),
            mean,
        ),
        arm(
            "keyframe".to_owned(),
            Role::Bound,
            "true, without motion",
            "The true middle picture of each clip, held still: what can be had without motion.".to_owned(),
            pick(truth, &|clip, _| clip * n + n / 2),
        ),
    ])
}
