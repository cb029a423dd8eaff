//! What a run of films ends in: scores of every arm, what each has more than those beside it, and what a report shows.

use percept_core::figure::{Axis, Estimate, Estimates, Figure, Matrix, Positions, Series};
use percept_core::outcome::{ArmSummary, DataSummary, DecoderSummary, MetricFacts, Role, Unit};
use percept_core::{Outcome, Section};
use percept_models::film::window_spans;
use percept_pipeline::PipelineError;
use percept_pipeline::data::UnitGroup;

use super::bench::Bench;
use super::classes::frame_namer;
use super::decode::Decoded;
use super::frames::Arm;
use super::measure::Measured;
use super::pictures;
use super::scores::{self, PerClip, SPLIT};
use super::targets::Target;

/// Metrics by which the film is compared with what stands beside it.
const COMPARED: [&str; 8] = [
    "ssim",
    "pixcorr",
    "twoway_clip",
    "clip_consistency",
    "flow_agreement",
    "flow_error",
    "motion_twoway",
    "direction",
];
/// Scores that are shown over time.
const TRACKS: [&str; 3] = ["pixcorr", "twoway_clip", "flow_agreement"];
/// Published means: 50-way by VideoMAE and ViT (top-3), SSIM, PSNR; other people, models and films.
const PUBLISHED: [(&str, [f64; 4]); 2] =
    [("MinD-Video", [0.197, 0.174, 0.171, 8.66]), ("NeuroClips", [0.220, 0.203, 0.390, 9.21])];

pub(super) fn outcome(
    bench: &Bench<'_>,
    targets: &[Target],
    decoded: &[Decoded],
    arms: &[Arm],
    measured: &[Measured],
) -> Result<Outcome, PipelineError> {
    let (blocks, seed) = (scores::blocks(bench), bench.seed.named("scores"));
    let truth = &measured[0];
    let per_clip =
        measured.iter().map(|own| scores::per_clip(bench, own, truth)).collect::<Result<Vec<PerClip>, _>>()?;
    let mut rows = Vec::new();
    for (arm, values) in arms.iter().zip(&per_clip) {
        // What the stimulus scores against itself says nothing but how constant it is.
        let own: PerClip =
            values.iter().filter(|(name, ..)| arm.name != "stimulus" || name == "clip_consistency").cloned().collect();
        rows.extend(scores::rows(&arm.name, &own, &blocks, seed)?);
    }
    let of_motion = targets.iter().zip(decoded).find(|(target, _)| target.name == "motion");
    if let Some((target, found)) = of_motion {
        let values = scores::of_motion(found.test.view(), target.sides[1].view())?;
        rows.extend(scores::rows(DECODED_MOTION, &values, &blocks, seed)?);
    }
    let main = bench.experiment.methods.last().map(|method| method.name().to_owned());
    let place = |name: &str| arms.iter().position(|arm| arm.name == name);
    let mut differences = Vec::new();
    if let Some(own) = main.as_deref().and_then(place) {
        for (other, arm) in arms.iter().enumerate().filter(|(other, arm)| *other != own && arm.name != "stimulus") {
            for metric in COMPARED {
                let pair = [(arms[own].name.as_str(), &per_clip[own]), (arm.name.as_str(), &per_clip[other])];
                differences.extend(scores::difference(metric, pair[0], pair[1], &blocks, seed)?);
            }
        }
        pictures::write_films(bench, &arms[0], &arms[own])?;
    }
    bench.run.write_json("scores.json", &rows)?;
    bench.run.write_json("differences.json", &differences)?;
    let mut sections = vec![
        pictures::section(bench, arms, &per_clip, &TRACKS)?,
        pictures::contact_sheets(bench, arms)?,
        regions(decoded),
        seams(bench, arms, measured)?,
        published(),
    ];
    sections.retain(|section| !section.figures.is_empty());
    let outcome = Outcome {
        name: bench.experiment.name.clone(),
        lead: format!(
            "Films seen by {}: {} clips of {} s that no decoder saw, made again from the brain at {} frames a second.",
            bench.data.subject,
            bench.clips.sides[1].len(),
            bench.clips.tr_secs,
            bench.experiment.film.rate
        ),
        warnings: bench.data.warnings.clone(),
        data: data(bench),
        decoders: decoded.iter().zip(targets).map(|(found, target)| decoder(bench, target, found)).collect(),
        arms: summaries(arms),
        main,
        metrics: metrics(bench, truth),
        sections,
        scores: rows,
        differences,
        items: Vec::new(),
        experiment: bench.experiment.resolved(),
        provenance: bench.record.clone(),
    };
    bench.run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

/// The arm of motion before anything is made of it.
const DECODED_MOTION: &str = "decoded.motion";

fn data(bench: &Bench<'_>) -> DataSummary {
    let count = |side: usize| bench.clips.sides[side].len();
    DataSummary {
        subject: bench.data.subject.clone(),
        source: bench.data.source.clone(),
        split: "the data's own films of training and test".to_owned(),
        n_train_samples: count(0),
        n_train_stimuli: count(0),
        n_test_samples: count(1),
        n_test_stimuli: count(1),
        regions: bench.data.regions.iter().map(UnitGroup::summary).collect(),
        groups: Vec::new(),
    }
}

fn decoder(bench: &Bench<'_>, target: &Target, found: &Decoded) -> DecoderSummary {
    let units = |name: &String| bench.data.regions.iter().find(|region| region.name == *name);
    let n_units =
        found.facts.chosen.iter().map(|name| units(name).map_or(bench.data.responses.ncols(), |r| r.units.len()));
    DecoderSummary {
        feature: found.name.to_owned(),
        region: found.facts.chosen.join(", "),
        n_samples: target.sides[0].nrows(),
        n_units: n_units.sum::<usize>() * bench.experiment.decode.scans,
        n_targets: found.facts.components,
        n_folds: 1,
        alphas: bench.experiment.decode.alphas.clone(),
        n_targets_of_alpha: found.facts.n_targets_of_alpha.clone(),
        cv_r2: found.facts.r2,
        test_correlation: found.facts.test_correlation,
        kept_variance: found.facts.kept_variance,
        rescale_median: (1.0 / found.facts.kept_variance.max(1e-12)).sqrt(),
    }
}

fn summaries(arms: &[Arm]) -> Vec<ArmSummary> {
    let own = arms.iter().map(|arm| ArmSummary {
        name: arm.name.clone(),
        role: arm.role,
        short: arm.short.to_owned(),
        description: arm.description.clone(),
        n_draws: 0,
    });
    let motion = ArmSummary {
        name: DECODED_MOTION.to_owned(),
        role: Role::Method,
        short: "before any picture".to_owned(),
        description: "Motion as it was decoded from the brain, before a film was made of it.".to_owned(),
        n_draws: 0,
    };
    own.chain(std::iter::once(motion)).collect()
}

fn metrics(bench: &Bench<'_>, truth: &Measured) -> Vec<MetricFacts> {
    let facts = |name: &str, label: &str, description: &str, unit, chance, lower_is_better| MetricFacts {
        name: name.to_owned(),
        label: label.to_owned(),
        description: description.to_owned(),
        unit,
        lower_is_better,
        chance,
    };
    let mut all = vec![
        facts(
            "ssim",
            "SSIM",
            "Structural similarity of each frame with the one that was seen, averaged over the frames of a clip.",
            Unit::Plain,
            None,
            false,
        ),
        facts(
            "psnr",
            "PSNR",
            "Peak signal to noise of each frame in dB, likewise; identical frames are left out.",
            Unit::Plain,
            None,
            false,
        ),
        facts(
            "pixcorr",
            "PixCorr",
            "Correlation of all pixels of each frame, likewise.",
            Unit::Plain,
            Some(0.0),
            false,
        ),
        facts(
            "twoway_clip",
            "2-way, CLIP",
            "The share of other test clips from which the clip is told by the mean of its frames' vectors by the pack's CLIP.",
            Unit::Percent,
            Some(0.5),
            false,
        ),
    ];
    let kinds = [
        ("frame", "frames", frame_namer(bench), truth.frames.is_some()),
        ("video", "video", "a VideoMAE", truth.films.is_some()),
    ];
    for (kind, label, by, _) in kinds.into_iter().filter(|(.., is_there)| *is_there) {
        for ways in &bench.experiment.evaluate.ways {
            for (word, rule) in [
                ("strict", "the class that the stimulus is given must be the most probable"),
                ("top3", "one of the three classes that the stimulus is given first must be (the rule of MinD-Video)"),
            ] {
                let name = format!("{kind}_{ways}way_{word}");
                let label = format!("{ways}-way, {label}, {word}");
                let description = format!(
                    "Of {ways} classes {rule}, as {by} names them; what endless draws of the other classes would give."
                );
                all.push(facts(&name, &label, &description, Unit::Percent, None, false));
            }
        }
    }
    all.extend([
        facts("clip_consistency", "CLIP consistency", "The mean cosine of neighbouring frames' vectors by CLIP. A still picture has 1: alone it says nothing.", Unit::Plain, None, false),
        facts("flow_agreement", "flow agreement", "The cosine of the optical flow of a clip with that of what was seen, over all pixels and frames. What stands still has 0, what runs backwards less.", Unit::Plain, Some(0.0), false),
        facts("flow_error", "flow error", "The mean length of the difference between the two flows, in sides of the picture per second. What stands still has the speed of the stimulus.", Unit::Plain, None, true),
        facts("motion_twoway", "2-way, motion", "The share of other test clips from which the clip is told by its motion in the cells of a grid; where nothing moves, half.", Unit::Percent, Some(0.5), false),
        facts("direction", "direction, 1 of 4", "How often the net motion goes left, right, up or down as what was seen, over clips that move one way.", Unit::Percent, Some(0.25), false),
    ]);
    all
}

/// Which regions predict what.
fn regions(decoded: &[Decoded]) -> Section {
    let figures = decoded
        .iter()
        .map(|found| {
            let mut of = found.facts.regions.clone();
            of.sort_by(|a, b| b.1.total_cmp(&a.1));
            let point =
                |(x, (_, value)): (usize, &(String, f64))| Estimate { x: x as f64, value: *value, interval: None };
            Figure::Estimates(Estimates {
                title: format!("Regions that predict {}", found.name),
                caption: format!(
                    "The held-out R² of each region's own model, averaged over components; used: {}.",
                    found.facts.chosen.join(", ")
                ),
                x: Positions::Categories {
                    label: "region".to_owned(),
                    names: of.iter().map(|(name, _)| name.clone()).collect(),
                },
                y: Axis::plain("held-out R²"),
                series: vec![Series {
                    name: found.name.to_owned(),
                    points: of.iter().enumerate().map(point).collect(),
                }],
                levels: Vec::new(),
            })
        })
        .collect();
    Section {
        title: "Regions".to_owned(),
        text: "Appearance (`z`), meaning (`c`) and motion are decoded one by one, from every region by itself."
            .to_owned(),
        figures,
    }
}

/// Whether neighbouring frames differ more where windows begin or end than elsewhere.
fn seams(bench: &Bench<'_>, arms: &[Arm], measured: &[Measured]) -> Result<Section, PipelineError> {
    const DRAWS: usize = 2_000;
    let settings = &bench.experiment.film;
    let n = bench.clips.frames;
    let is_of_motion = |arm: &&(&Arm, &Measured)| arm.0.name == "film" || arm.0.name == "film.true";
    let (mut names, mut notes) = (Vec::new(), Vec::new());
    let mut series =
        ["at borders of windows", "elsewhere"].map(|name| Series { name: name.to_owned(), points: vec![] });
    let pairs: Vec<(&Arm, &Measured)> = arms.iter().zip(measured).collect();
    for (x, (arm, own)) in pairs.iter().filter(is_of_motion).enumerate() {
        let mut parts = [Vec::new(), Vec::new()];
        for (_, range) in bench.clips.test_films() {
            let n_frames = range.len() * n;
            let spans = window_spans(n_frames, settings.window, settings.overlap);
            let is_border = |frame: usize| spans.iter().any(|span| span.start == frame || span.end == frame);
            for frame in 1..n_frames {
                parts[usize::from(!is_border(frame))].push(f64::from(own.steps[range.start * n + frame]));
            }
        }
        let mut sorted = parts[1].clone();
        sorted.sort_by(f64::total_cmp);
        let high = sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(f64::INFINITY);
        let n_above = parts[0].iter().filter(|value| **value > high).count();
        notes.push(format!("`{}`: {n_above} of {} borders lie above 95 % of the rest", arm.name, parts[0].len()));
        for (series, values) in series.iter_mut().zip(&parts).filter(|(_, values)| !values.is_empty()) {
            let found = percept_stats::bootstrap::mean_interval(values, bench.seed.named("seams").at(x as u64), DRAWS)?;
            let value = values.iter().sum::<f64>() / values.len() as f64;
            series.points.push(Estimate { x: x as f64, value, interval: Some([found.low, found.high]) });
        }
        names.push(arm.name.clone());
    }
    if series[0].points.is_empty() {
        return Ok(Section { title: "Seams".to_owned(), text: String::new(), figures: Vec::new() });
    }
    Ok(Section {
        title: "Seams".to_owned(),
        text: "Long films are denoised in windows that overlap. Where one begins or ends, frames should differ no more from the one before than elsewhere."
            .to_owned(),
        figures: vec![Figure::Estimates(Estimates {
            title: "Change from frame to frame".to_owned(),
            caption: format!(
                "Mean absolute difference of neighbouring frames, pixels from 0 to 1, with 95 % intervals. {}.",
                notes.join("; ")
            ),
            x: Positions::Categories { label: "film".to_owned(), names },
            y: Axis::plain("difference"),
            series: series.to_vec(),
            levels: Vec::new(),
        })],
    })
}

fn published() -> Section {
    Section {
        title: "As published".to_owned(),
        text: format!("Means of the published systems on cc2017, for reference: other people, models and films; not measured here on the `{SPLIT}`."),
        figures: vec![Figure::Matrix(Matrix {
            title: "Published means".to_owned(),
            caption: "MinD-Video (arXiv 2305.11675) and NeuroClips (arXiv 2410.19452): 50-way by VideoMAE and by ViT with the top-3 rule, SSIM, PSNR.".to_owned(),
            row_label: "system".to_owned(),
            rows: PUBLISHED.iter().map(|(name, _)| (*name).to_owned()).collect(),
            column_label: "score".to_owned(),
            columns: ["50-way, video", "50-way, frames", "SSIM", "PSNR"].map(str::to_owned).to_vec(),
            quantity: Axis::plain("score"),
            values: PUBLISHED.iter().map(|(_, values)| values.to_vec()).collect(),
        })],
    }
}
