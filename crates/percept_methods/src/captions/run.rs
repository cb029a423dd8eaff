//! `percept caption`: captions of the test items and their scores, without any picture.
//!
//! Beside the decoded captions stand those of the true vision tokens (what perfect decoding would say), of the mean response, of
//! another trial's brain, and, without any captioner, the caption of the training stimulus whose text context is most like the
//! decoded `c`.

use std::path::Path;
use std::sync::Arc;

use percept_core::outcome::{ArmSummary, ItemArm, ItemResult, Role};
use percept_core::{Outcome, Progress, Seed};
use percept_pipeline::decoding::summary::edge_warnings;
use percept_pipeline::evaluation::stimulus_pictures;
use percept_pipeline::evaluation::words::marked;
use percept_pipeline::experiment::Experiment;
use percept_pipeline::generation::captions::Said;
use percept_pipeline::packs::PackModel;
use percept_pipeline::plan::{labels, summary};
use percept_pipeline::spaces::Context;
use percept_pipeline::{PictureModel, PipelineError, Plan, RunFolder, data};

use super::decoded::{self, Decoded, mean_of_items, nearest};
use super::names::METHOD;
use super::scores::{self, Scored};
use super::ways::Way;
use super::{sections, tables};
use crate::bench::{Bench, Setting};
use crate::reconstruct::{RunOptions, record_of, say_that_it_waits};

/// Decodes captions as `experiment` says, in the folder `out`, and writes `captions.csv`, `captions.parquet`, scores and
/// `outcome.json` there. What an earlier run of the same experiment left is used again.
///
/// # Errors
/// Any [`PipelineError`]; each says what to do about it.
pub fn caption(
    experiment: &Experiment,
    out: &Path,
    options: RunOptions,
    progress: &dyn Progress,
) -> Result<Outcome, PipelineError> {
    let run = RunFolder::open_when_free(out, options.stop_after, || say_that_it_waits(out, progress))?;
    run.claim("captions", &experiment.name)?;
    let model: Arc<dyn PictureModel> = Arc::new(PackModel::open(&experiment.model.pack)?.within(options.memory)?);
    let data = data::open(experiment, &run, progress)?;
    percept_io::fs::write_bytes(run.file("experiment.toml"), experiment.resolved().as_bytes())?;
    let plan = Plan::new(&data, &experiment.split, &experiment.decode)?;
    let mut warnings = summary::warnings(&data, &plan);
    for warning in &warnings {
        progress.warn(warning);
    }
    let record = record_of(experiment, &data, &*model)?;
    labels::write(&run, &experiment.name, &data, &plan, &record)?;
    let setting = Setting { experiment, data: &data, plan: &plan, run: &run, record: &record, progress };
    let bench = Bench::new(setting, model);
    let settings = decoded::settings(experiment);
    let captioner = decoded::open(&settings)?;
    let decoded = decoded::decode(&bench, &*captioner)?;
    drop(captioner);
    let ways = ways(&bench, &decoded)?;
    let named: Vec<tables::Named<'_>> = ways.iter().map(|way| (way.name, way.beams.clone())).collect();
    tables::write(&bench, &named)?;
    let stimuli = stimulus_pictures(&run, &data, &plan, &*bench.model, &record, progress)?;
    let scored = scores::of(&bench, &ways, &stimuli, &settings)?;
    let sections = sections::of_captions(&decoded, &scored);
    let items = items(&bench, &ways, &scored, &stimuli.paths);
    let (found, decoders) = bench.into_findings();
    warnings.extend(found);
    warnings.extend(edge_warnings(&decoders));
    let outcome = Outcome {
        name: experiment.name.clone(),
        lead: format!(
            "Captions decoded from the responses of {} by the vision tokens of `{}`, beside what perfect decoding, the wrong \
             brain and the mean brain would have said.",
            data.subject, decoded.captioner
        ),
        warnings,
        data: summary::data(&data, &plan, experiment.split.kind),
        decoders,
        items,
        main: Some(METHOD.to_owned()),
        arms: ways.iter().map(summary_of).collect(),
        metrics: scored.metrics,
        scores: scored.rows,
        differences: Vec::new(),
        sections,
        experiment: experiment.resolved(),
        provenance: record.clone(),
    };
    run.write_json("scores.json", &outcome.scores)?;
    run.write_json("outcome.json", &outcome)?;
    Ok(outcome)
}

fn summary_of(way: &Way) -> ArmSummary {
    ArmSummary {
        name: way.name.to_owned(),
        role: way.role,
        short: way.short.to_owned(),
        description: way.description.to_owned(),
        n_draws: 0,
    }
}

/// All ways to a caption, in the order of the tables.
fn ways(bench: &Bench<'_>, decoded: &Decoded) -> Result<Vec<Way>, PipelineError> {
    let way =
        |name, role, [short, description]: [&'static str; 2], beams| Way { name, role, short, description, beams };
    let source = bench.plan.shuffled(Seed::new(bench.experiment.seed))?;
    let shuffled = source.iter().map(|&item| decoded.items.beams[item].clone()).collect();
    let mut all = vec![
        way(METHOD, Role::Method, ["decoded", "the caption of the decoded vision tokens"], decoded.items.beams.clone()),
        way(
            "shuffled",
            Role::Control,
            ["another trial's brain", "the caption of another stimulus' responses"],
            shuffled,
        ),
        way(
            "mean",
            Role::Control,
            ["the average brain", "the caption of the mean training response"],
            mean_of_items(bench, decoded),
        ),
        way(
            "true",
            Role::Bound,
            ["perfect decoding", "the caption of the true vision tokens"],
            decoded.truth.beams.clone(),
        ),
    ];
    if let Some(captions) = &bench.data.captions {
        let contexts = bench.features(&Context)?;
        let region = bench.experiment.decode.c_region;
        let predicted = bench.decode(&Context, region)?;
        bench.report_decoder(&Context, region, &predicted, 1.0)?;
        let found = nearest(bench, &predicted.items, &contexts.values);
        let said = |stimulus: usize| captions[stimulus].first().map(|text| Said::plain(text)).into_iter().collect();
        all.push(way(
            "c_nearest",
            Role::Baseline,
            ["without a captioner", "the caption of the training stimulus whose context is most like the decoded `c`"],
            found.into_iter().map(said).collect(),
        ));
    }
    Ok(all)
}

/// Items with their captions and scores, as a report shows them.
fn items(bench: &Bench<'_>, ways: &[Way], scored: &Scored, paths: &[String]) -> Vec<ItemResult> {
    let captions = bench.data.captions.as_ref();
    let said: Vec<Vec<String>> = ways.iter().map(Way::best).collect();
    let arm = |way: usize, item: usize, stimulus: usize| ItemArm {
        pictures: Vec::new(),
        scores: scored.per_item[way].iter().map(|metric| metric[item]).collect(),
        said: marked(&said[way][item], captions.map(|captions| captions[stimulus].as_slice())),
    };
    let all = bench.plan.items.iter().enumerate();
    all.map(|(index, item)| ItemResult {
        id: item.id.clone(),
        caption: captions.and_then(|captions| captions[item.stimulus].first().cloned()).unwrap_or_default(),
        stimulus: paths[index].clone(),
        n_repeats: item.samples.len(),
        arms: (0..ways.len()).map(|way| arm(way, index, item.stimulus)).collect(),
    })
    .collect()
}
