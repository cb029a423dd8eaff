//! What is made for the test films in different ways, and what stands beside it so that a still picture cannot win.

use ndarray::{Array2, s};
use percept_core::outcome::Role;
use percept_core::provenance::content_hash;
use percept_core::seed::permutation;
use percept_core::{Provenance, Seed};
use percept_pipeline::PipelineError;
use percept_pipeline::experiment::video::VideoMethod;
use percept_pipeline::run::{StageName, artefact};

use super::bench::Bench;
use super::decode::Decoded;
use super::films;
use super::frames::{self, Arm, Order, Source};
use super::guide::Conditions;
use super::spoken::Spoken;
use super::targets::{Target, mean_picture};

/// Of the films; see [`percept_pipeline::run`].
const REVISION: u32 = 2;

/// The stimulus first, then all arms.
pub(super) fn made(
    bench: &Bench<'_>,
    targets: &[Target],
    decoded: &[Decoded],
    spoken: Option<&Spoken>,
) -> Result<Vec<Arm>, PipelineError> {
    let mut arms = vec![Arm {
        name: "stimulus".to_owned(),
        role: Role::Bound,
        short: "what was seen",
        description: "The films themselves.".to_owned(),
        source: Source::Shown,
        order: Order::Own,
        content: String::new(),
    }];
    let mut of_decoded: Vec<(&str, &Array2<f32>)> = decoded.iter().map(|space| (space.name, &space.test)).collect();
    let mut of_truth: Vec<(&str, &Array2<f32>)> = targets.iter().map(|space| (space.name, &space.sides[1])).collect();
    if let Some(spoken) = spoken {
        of_decoded.push(("c", &spoken.decoded));
        of_truth.push(("c", &spoken.truth));
    }
    for &method in &bench.experiment.methods {
        let made = film(bench, [method.name(), "decoded"], method, &of_decoded)?;
        arms.push(method_arm(method, "", Role::Method, "what was decoded from the brain", made));
    }
    let Some(main) = bench.experiment.methods.last().copied() else { return Ok(arms) };
    let own = arms.len() - 1;
    let made = film(bench, [&format!("{}.true", main.name()), "true"], main, &of_truth)?;
    arms.push(method_arm(main, ".true", Role::Bound, "the true features: what perfect decoding would give", made));
    let controls = controls(bench, main, &arms[own])?;
    arms.extend(controls);
    Ok(arms)
}

/// Files of frames, one for each test film, and a hash of all.
type Made = (Vec<String>, String);

fn method_arm(method: VideoMethod, suffix: &str, role: Role, from: &str, (files, content): Made) -> Arm {
    let (short, how) = match method {
        VideoMethod::Blurred => ("no diffusion", "Latents as pictures, moved by the motion, without diffusion"),
        VideoMethod::Frames => ("frame by frame", "Moved pictures finished one by one"),
        VideoMethod::Cross => {
            ("attention over frames", "Moved pictures finished with self-attention to the first and previous frame")
        }
        VideoMethod::Film => ("motion modules", "Moved pictures finished together, with motion modules"),
    };
    let name = format!("{}{suffix}", method.name());
    let description = format!("{how}, from {from}.");
    Arm { name, role, short, description, source: Source::Made(files), order: Order::Own, content }
}

/// One film after the other, each a stage of its own. `name` is that of the arm, `from` says whether its features are `decoded` or `true`.
fn film(
    bench: &Bench<'_>,
    [name, from]: [&str; 2],
    method: VideoMethod,
    spaces: &[(&str, &Array2<f32>)],
) -> Result<Made, PipelineError> {
    let (mut files, mut content) = (Vec::new(), String::new());
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
        let (stage, path) = (format!("film.{name}.{title}"), format!("films/{name}/{title}.npy"));
        let mut record = bench
            .record
            .only(&[])
            .setting("film", &bench.experiment.film)
            .setting("frames", &bench.clips.frames)
            .setting("cells", &bench.experiment.decode.motion_cells)
            .input("pack", bench.pack.content.clone())
            .input("motion modules", bench.pack.motion.clone())
            .input("z", percept_pipeline::data::hash_of_rows(&conditions.z))
            .input("motion", percept_pipeline::data::hash_of_rows(&conditions.motion));
        if let Some(c) = &conditions.c {
            record = record.input("c", percept_pipeline::data::hash_of_rows(c));
        }
        // The same noise for all methods, so that they differ by what they do alone.
        let seed = bench.seed.named("films").named(title);
        let made = bench.run.stage(
            StageName { name: &stage, revision: REVISION },
            record.clone().setting("method", &method),
            || {
                let has_keys = method != VideoMethod::Blurred && bench.experiment.film.keyframes;
                let keys = has_keys.then(|| keyframes(bench, &conditions, record, [from, title], seed)).transpose()?;
                let latents = films::latents(bench, &conditions, keys.as_ref().map(|keys| keys.view()), method, seed)?;
                frames::write(bench, &path, latents.view())?;
                Ok(vec![path.clone()])
            },
        )?;
        content.push_str(&made.content());
        files.push(path);
        bench.progress.advance(1);
    }
    bench.progress.end("");
    Ok((files, content_hash(content.as_bytes())))
}

/// The keyframes of a film, which all methods share: made when the first asks for them.
fn keyframes(
    bench: &Bench<'_>,
    conditions: &Conditions,
    record: Provenance,
    [from, title]: [&str; 2],
    seed: Seed,
) -> Result<Array2<f32>, PipelineError> {
    let (stage, path) = (format!("keyframes.{from}.{title}"), format!("keyframes/{from}/{title}.safetensors"));
    bench.run.stage(StageName { name: &stage, revision: REVISION }, record, || {
        let keys = films::keyframes(bench, conditions, seed)?;
        artefact::save(bench.run, &path, &[("latents", keys.into_dyn())])?;
        Ok(vec![path.clone()])
    })?;
    artefact::load(bench.run, &path)?.matrix("latents", conditions.z.nrows(), Some(conditions.z.ncols()))
}

/// What no film should be worth less than.
fn controls(bench: &Bench<'_>, main: VideoMethod, own: &Arm) -> Result<Vec<Arm>, PipelineError> {
    let (n, n_clips) = (bench.clips.frames, bench.clips.sides[1].len());
    // Everybody gets the film of the next one in a random order: never the own one.
    let order = permutation(bench.seed.named("shuffled"), n_clips);
    let mut other = vec![0; n_clips];
    for place in 0..n_clips {
        other[order[place]] = order[(place + 1) % n_clips.max(1)];
    }
    let method = main.name();
    let again = |suffix: &str, short: &'static str, description: &str, order: Order| Arm {
        name: format!("{method}.{suffix}"),
        role: Role::Control,
        short,
        description: description.to_owned(),
        source: own.source.clone(),
        order,
        content: own.content.clone(),
    };
    let still = format!("The first frame of `{method}` in each clip, held still: what its motion adds.");
    let shuffled = format!("`{method}` of another clip.");
    let backwards = format!("`{method}`, each clip played backwards.");
    let (picture, of_picture) = mean_picture(bench)?;
    Ok(vec![
        again("still", "its first frame", &still, Order::Held(0)),
        again("shuffled", "another clip's brain", &shuffled, Order::Of(other)),
        again("reversed", "backwards", &backwards, Order::Backwards),
        Arm {
            name: "mean".to_owned(),
            role: Role::Baseline,
            short: "no brain",
            description: "The mean of the middle pictures of all training clips, held still.".to_owned(),
            source: Source::Picture(picture),
            order: Order::Own,
            content: of_picture,
        },
        Arm {
            name: "keyframe".to_owned(),
            role: Role::Bound,
            short: "true, without motion",
            description: "The true middle picture of each clip, held still: what can be had without motion.".to_owned(),
            source: Source::Shown,
            order: Order::Held(n / 2),
            content: String::new(),
        },
    ])
}
