//! `percept model …`: what a pack is, one part of it on given tensors or against the clock, and whether its files are whole.

use std::path::Path;

use anyhow::bail;
use percept::models::parts::{Part, Parts};
use percept::models::weights::PackFiles;
use percept::models::{DiffusionPack, run as parts};
use percept::pocket;
use serde::Serialize;

use crate::arguments::{ModelBench, ModelInfo, ModelList, ModelRun, ModelTaps};
use crate::output::{bytes, json, say};

/// What a pack makes of a picture.
#[derive(Serialize)]
struct Info {
    /// The pack's folder, or `pocket`.
    pack: String,
    /// Height and width of its pictures.
    image_size: usize,
    /// Channels, height and width of its latents.
    latent_shape: [usize; 3],
    /// Tokens and width of its contexts.
    context_shape: [usize; 2],
    /// Whether pictures and captions can be compared in CLIP's space.
    clip: bool,
}

/// Opens the pack and describes it.
pub(crate) fn info(arguments: &ModelInfo) -> anyhow::Result<()> {
    let pack = open(&arguments.pack)?;
    let info = Info {
        pack: arguments.pack.display().to_string(),
        image_size: pack.image_size(),
        latent_shape: pack.latent_shape(),
        context_shape: pack.context_shape(),
        clip: pack.has_clip(),
    };
    if arguments.json {
        return json(&info);
    }
    let [channels, height, width] = info.latent_shape;
    let [n_tokens, token_width] = info.context_shape;
    say(format!("pack      {}", info.pack));
    say(format!("pictures  {0} × {0}", info.image_size));
    say(format!("latent z  {channels} × {height} × {width}"));
    say(format!("context c {n_tokens} tokens × {token_width}"));
    say(format!("clip      {}", if info.clip { "text and pictures" } else { "none: no score in CLIP space" }));
    Ok(())
}

fn open(pack: &Path) -> anyhow::Result<DiffusionPack> {
    Ok(DiffusionPack::load(&files(pack)?)?)
}

/// The files of a pack; `pocket` is the built-in one.
fn files(pack: &Path) -> anyhow::Result<PackFiles> {
    if pack == Path::new("pocket") {
        return Ok(PackFiles::Embedded(pocket::FILES));
    }
    if !pack.is_dir() {
        bail!("there is no folder `{}` (name a model pack, or `pocket`)", pack.display());
    }
    Ok(PackFiles::Directory(pack.to_owned()))
}

/// Feeds a file of tensors to one part.
pub(crate) fn run(arguments: &ModelRun) -> anyhow::Result<()> {
    let files = files(&arguments.pack)?;
    let part = Part::named(&arguments.part)?;
    for result in parts::run_file(&files, part, &arguments.input, &arguments.output, &arguments.taps)? {
        say(result);
    }
    say(format!("results: {}", arguments.output.display()));
    Ok(())
}

/// Measures one part.
pub(crate) fn bench(arguments: &ModelBench) -> anyhow::Result<()> {
    let bench = parts::bench(&files(&arguments.pack)?, Part::named(&arguments.part)?, arguments.passes)?;
    if arguments.json {
        return json(&bench);
    }
    for (name, shape) in &bench.inputs {
        say(format!("input    {name} {shape:?}"));
    }
    say(format!("time     {:.3} s, median of {}", bench.seconds, bench.passes));
    say(format!("work     {:.2} GFLOP", bench.flops as f64 / 1e9));
    say(format!("sgemm    {:.0} GFLOP/s in the same run", bench.sgemm_flops_per_second / 1e9));
    say(format!("share    {:.0} % of what that rate would allow", 100.0 * bench.share_of_sgemm));
    if let Some(peak) = bench.peak_bytes {
        say(format!("memory   {} at most", bytes(peak)));
    }
    Ok(())
}

/// Lists the places of one part, one a line on stdout: they are an answer.
pub(crate) fn taps(arguments: &ModelTaps) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    for name in parts::places(&files(&arguments.pack)?, Part::named(&arguments.part)?)? {
        writeln!(out, "{name}")?;
    }
    Ok(())
}

/// A part and what is wrong with it.
#[derive(Serialize)]
struct Checked {
    part: &'static str,
    problems: Vec<String>,
}

/// Checks every part of a pack by building it.
pub(crate) fn verify(arguments: &ModelInfo) -> anyhow::Result<()> {
    let files = files(&arguments.pack)?;
    let mut parts = Parts::new(&files)?;
    let mut checked = Vec::new();
    for part in parts.present() {
        let Some((_, name)) = Part::ALL.into_iter().find(|(known, _)| *known == part) else { continue };
        let problems: Vec<String> = parts.problems(part).iter().map(ToString::to_string).collect();
        checked.push(Checked { part: name, problems });
    }
    let n_problems: usize = checked.iter().map(|part| part.problems.len()).sum();
    if arguments.json {
        json(&checked)?;
    } else {
        for part in &checked {
            say(format!("{:<10} {}", part.part, if part.problems.is_empty() { "whole" } else { "DAMAGED" }));
            for problem in &part.problems {
                say(format!("  {problem}"));
            }
        }
    }
    match (checked.len(), n_problems) {
        (0, _) => bail!("`{}` has no part that is known (it needs `config.json` files)", arguments.pack.display()),
        (_, 0) => Ok(()),
        (_, n) => {
            bail!("`{}` has {n} problems (the list says which; download those files again)", arguments.pack.display())
        }
    }
}

/// A pack in a folder of packs.
#[derive(Serialize)]
struct Listed {
    pack: String,
    parts: Vec<&'static str>,
    bytes: u64,
}

/// Lists the packs below a folder, two levels deep (`OWNER/NAME`).
pub(crate) fn list(arguments: &ModelList) -> anyhow::Result<()> {
    if !arguments.dir.is_dir() {
        bail!("there is no folder `{}` (name the folder of your packs)", arguments.dir.display());
    }
    let mut listed = Vec::new();
    find(&arguments.dir, 2, &mut listed)?;
    listed.sort_by(|a: &Listed, b| a.pack.cmp(&b.pack));
    if arguments.json {
        return json(&listed);
    }
    for pack in &listed {
        say(format!("{}  {}  {}", pack.pack, bytes(pack.bytes), pack.parts.join(", ")));
    }
    if listed.is_empty() {
        say(format!("no pack in {}", arguments.dir.display()));
    }
    Ok(())
}

fn find(folder: &Path, depth: usize, listed: &mut Vec<Listed>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let files = PackFiles::Directory(path.clone());
        let found = if path.join("model_index.json").is_file() || path.join("config.json").is_file() {
            Parts::present_in(&files)
        } else {
            vec![]
        };
        if found.is_empty() && depth > 1 {
            find(&path, depth - 1, listed)?;
        } else if !found.is_empty() {
            let names = Part::ALL.into_iter().filter(|(part, _)| found.contains(part)).map(|(_, name)| name);
            listed.push(Listed { pack: path.display().to_string(), parts: names.collect(), bytes: size(&path)? });
        }
    }
    Ok(())
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        total += if kind.is_dir() { size(&entry.path())? } else { kind.len() };
    }
    Ok(total)
}
