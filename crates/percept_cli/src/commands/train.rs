//! `percept train`: the built-in model pack made again, from a seed, and encoders from responses to context; resumable.

use anyhow::bail;
use clap::ValueEnum;
use percept::methods::pocket::motion::{self, MotionRecipe};
use percept::methods::pocket::music::{MusicPart, MusicRecipe};
use percept::methods::pocket::{self, Attributes, Part, PocketScores, Recipe};
use percept::methods::{b2c, experiment};

use crate::arguments::{self, TrainB2c, TrainPocket};
use crate::output::{json, say};
use crate::progress::Bars;
use crate::settings::{RunSettings, default_out};

/// Trains the encoders of an experiment and says how well their contexts tell the test images apart.
pub(crate) fn b2c(arguments: TrainB2c) -> anyhow::Result<()> {
    let settings = RunSettings::new(arguments.run, &default_out(&arguments.experiment)?)?;
    let experiment = experiment::open(&arguments.experiment, &settings.overrides)?;
    let outcome = b2c::train(&experiment, &settings.out, settings.options(), &Bars::new())?;
    let report = percept::report::write(&settings.out, &outcome)?;
    say(format!("report: {}", report.display()));
    if settings.json {
        return json(&outcome.scores);
    }
    say(format!("{:<24} {:>24} {:>24}", "test images", "context cosine", "context pairwise"));
    let of_contexts: Vec<_> = outcome.scores.iter().filter(|row| row.metric.starts_with("context_")).collect();
    for pair in of_contexts.chunks(2) {
        let cell = |row: &percept::core::ScoreRow| format!("{:.3} [{:.3}, {:.3}]", row.value, row.low, row.high);
        say(format!("{:<24} {:>24} {:>24}", pair[0].method, cell(pair[0]), cell(pair[1])));
    }
    Ok(())
}

/// Trains the parts asked for and scores the pack when it is whole.
pub(crate) fn pocket(arguments: &TrainPocket) -> anyhow::Result<()> {
    if arguments.music {
        return music(arguments);
    }
    if arguments.motion {
        return motion(arguments);
    }
    let parts = parts(&arguments.parts)?;
    pocket::train(&arguments.out, &parts, &recipe(arguments)?, &Bars::new())?;
    say(format!("pack: {}", arguments.out.display()));
    // A pack without its last part cannot be scored, and nobody who asked for one part wants the error.
    if arguments.score == 0 {
        return Ok(());
    }
    let n = arguments.score;
    let has = |part: Part| parts.contains(&part);
    let pack = has(Part::Unet).then(|| pocket::score(&arguments.out, n)).transpose()?;
    let captions = has(Part::Captioner).then(|| pocket::score_captions(&arguments.out, n)).transpose()?;
    if arguments.json {
        return match (&pack, &captions) {
            (None, None) => Ok(()),
            (Some(pack), None) => json(pack),
            (None, Some(captions)) => json(captions),
            (Some(pack), Some(captions)) => json(&serde_json::json!({ "pack": pack, "captions": captions })),
        };
    }
    if let Some(pack) = &pack {
        print(pack, n);
    }
    if let Some(captions) = &captions {
        say(format!("captions of {n} scenes that the captioner never saw name:"));
        print_attributes(captions);
    }
    Ok(())
}

/// Trains the adapter that moves the pictures of a pack.
fn motion(arguments: &TrainPocket) -> anyhow::Result<()> {
    let mut recipe = arguments.recipe.as_deref().map(MotionRecipe::open).transpose()?.unwrap_or_default();
    recipe.seed = arguments.seed.unwrap_or(recipe.seed);
    recipe.steps = arguments.steps.unwrap_or(recipe.steps);
    motion::train(&arguments.out, &recipe, &Bars::new())?;
    say(format!("adapter: {}", arguments.out.join("motion_adapter").display()));
    Ok(())
}

/// Trains the parts of the pack of music and scores it when it is whole.
fn music(arguments: &TrainPocket) -> anyhow::Result<()> {
    let mut recipe = arguments.recipe.as_deref().map(MusicRecipe::open).transpose()?.unwrap_or_default();
    recipe.seed = arguments.seed.unwrap_or(recipe.seed);
    if let Some(steps) = arguments.steps {
        let own =
            [&mut recipe.clap_steps, &mut recipe.autoencoder_steps, &mut recipe.vocoder_steps, &mut recipe.unet_steps];
        for own in own {
            *own = steps;
        }
    }
    let mut parts = Vec::new();
    for part in &arguments.parts {
        parts.push(match part {
            arguments::Part::Clap => MusicPart::Clap,
            arguments::Part::Autoencoder => MusicPart::Autoencoder,
            arguments::Part::Vocoder => MusicPart::Vocoder,
            arguments::Part::Unet => MusicPart::Unet,
            other => bail!("the pack of music has no part `{}` (it has {MUSIC})", name(*other)),
        });
    }
    if parts.is_empty() {
        parts = MusicPart::ALL.to_vec();
    }
    pocket::music::train(&arguments.out, &parts, &recipe, &Bars::new())?;
    say(format!("pack: {}", arguments.out.display()));
    if arguments.score == 0 || !parts.contains(&MusicPart::Unet) {
        return Ok(());
    }
    let scores = pocket::music::score(&arguments.out, arguments.score)?;
    if arguments.json {
        return json(&scores);
    }
    let share = |value: f64| format!("{:.1} %", 100.0 * value);
    say(format!("on {} tunes that the pack never heard:", arguments.score));
    say(format!("  CLAP: the right one of 100 captions   {}", share(scores.clap_top1_of_100)));
    for (heading, of) in [
        ("tunes", &scores.tunes),
        ("tunes through autoencoder and vocoder", &scores.copied),
        ("music made from their vectors", &scores.generated),
    ] {
        say(format!("  tags named of {heading}:"));
        for (word, value) in
            [("genre", of.genre), ("instrument", of.instrument), ("tempo", of.tempo), ("mood", of.mood)]
        {
            say(format!("    {word:<35} {}", share(value)));
        }
    }
    say(format!("  cosine of what is made with its vector {:.3}", scores.likeness));
    Ok(())
}

/// The parts of the pack of music, for messages.
const MUSIC: &str = "`clap`, `autoencoder`, `vocoder` and `unet`";

fn name(part: arguments::Part) -> String {
    part.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn parts(asked: &[arguments::Part]) -> anyhow::Result<Vec<Part>> {
    if asked.is_empty() {
        return Ok(Part::ALL.to_vec());
    }
    asked
        .iter()
        .map(|part| match part {
            arguments::Part::Judge => Ok(Part::Judge),
            arguments::Part::Autoencoder => Ok(Part::Autoencoder),
            arguments::Part::Decoder => Ok(Part::Decoder),
            arguments::Part::Clip => Ok(Part::Clip),
            arguments::Part::Unet => Ok(Part::Unet),
            arguments::Part::Captioner => Ok(Part::Captioner),
            arguments::Part::Language => Ok(Part::Language),
            arguments::Part::Clap | arguments::Part::Vocoder => {
                bail!("`{}` is a part of the pack of music (add `--music`)", name(*part))
            }
        })
        .collect()
}

fn recipe(arguments: &TrainPocket) -> anyhow::Result<Recipe> {
    let mut recipe = arguments.recipe.as_deref().map(Recipe::open).transpose()?.unwrap_or_default();
    recipe.seed = arguments.seed.unwrap_or(recipe.seed);
    if let Some(steps) = arguments.steps {
        let own = [
            &mut recipe.judge_steps,
            &mut recipe.autoencoder_steps,
            &mut recipe.decoder_steps,
            &mut recipe.clip_steps,
            &mut recipe.unet_steps,
            &mut recipe.captioner_steps,
            &mut recipe.language_steps,
        ];
        for own in own {
            *own = steps;
        }
    }
    Ok(recipe)
}

fn print(scores: &PocketScores, n: usize) {
    let share = |value: f64| format!("{:.1} %", 100.0 * value);
    say(format!("on {n} drawings that the pack never saw:"));
    say(format!("  the judge names object and colour     {}", share(scores.judge.object_and_color)));
    say(format!("  autoencoder: PSNR                     {:.1} dB", scores.autoencoder_psnr_db));
    say(format!("  autoencoder: object and colour        {}", share(scores.autoencoder.object_and_color)));
    say(format!("  CLIP: the right one of 100 captions   {}", share(scores.clip_top1_of_100)));
    for (name, of) in
        [("a caption", &scores.text_to_image), ("the mean of five captions", &scores.mean_context_to_image)]
    {
        say(format!("  pictures from {name}:"));
        print_attributes(of);
    }
}

fn print_attributes(of: &Attributes) {
    for (word, value) in [
        ("object", of.object),
        ("colour", of.color),
        ("object and colour", of.object_and_color),
        ("size", of.size),
        ("place", of.place),
        ("background", of.background),
        ("time of day", of.time),
    ] {
        say(format!("    {word:<35} {:.1} %", 100.0 * value));
    }
}
