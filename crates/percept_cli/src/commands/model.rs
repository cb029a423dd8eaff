//! `percept model …`: what a pack is, one part of it on given tensors or against the clock, and whether its files are whole.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use percept::hub;
use percept::io::hub as cache;
use percept::models::parts::{Part, Parts};
use percept::models::weights::PackFiles;
use percept::models::{DiffusionPack, run as parts};
use percept::pocket;
use serde::Serialize;

use crate::arguments::{ModelBench, ModelInfo, ModelList, ModelRun, ModelTaps, PackArguments};
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
    /// The most frames of a video, where the U-Net has motion modules.
    frames: Option<usize>,
    /// What a user of its pictures must know.
    notes: Vec<String>,
}

/// Opens the pack and describes it.
pub(crate) fn info(arguments: &ModelInfo) -> anyhow::Result<()> {
    let files = files(&arguments.pack)?;
    let pack = DiffusionPack::load(&files)?;
    let info = Info {
        pack: arguments.pack.pack.display().to_string(),
        image_size: pack.image_size(),
        latent_shape: pack.latent_shape(),
        context_shape: pack.context_shape(),
        clip: pack.has_clip(),
        frames: Parts::new(&files)?.most_frames()?,
        notes: pack.notes(),
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
    for note in &info.notes {
        say(format!("note      {note}"));
    }
    if let Some(frames) = info.frames {
        say(format!("videos    up to {frames} frames"));
    }
    Ok(())
}

/// The files of a pack; `pocket` is the built-in one.
fn files(arguments: &PackArguments) -> anyhow::Result<PackFiles> {
    let pack = &arguments.pack;
    if pack == Path::new("pocket") {
        if arguments.motion.is_some() {
            bail!("the built-in pack has no motion modules that fit it (name another pack with `--motion`)");
        }
        return Ok(PackFiles::Embedded(pocket::FILES));
    }
    let pack = folder(pack)?;
    Ok(match &arguments.motion {
        Some(adapter) => PackFiles::WithMotion { pack, adapter: folder(adapter)? },
        None => PackFiles::Directory(pack),
    })
}

/// The folder of a pack that was named by its path, or as `hf:ORG/NAME`.
pub(crate) fn folder(pack: &Path) -> anyhow::Result<PathBuf> {
    if let Some(found) = pack.to_str().and_then(cache::pack) {
        return Ok(found?);
    }
    if !pack.is_dir() {
        bail!(
            "there is no folder `{}` (name a model pack, `hf:ORG/NAME` for one that was pulled, or `pocket`)",
            pack.display()
        );
    }
    Ok(pack.to_owned())
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
    if let PackFiles::Directory(folder) | PackFiles::WithMotion { pack: folder, .. } = &files {
        let damaged = hub::damaged(folder)?;
        if !damaged.is_empty() {
            let problems = damaged.into_iter().map(|(file, problem)| format!("`{file}`: {problem}")).collect();
            checked.push(Checked { part: "bytes", problems });
        }
    }
    let missing = parts.missing()?;
    if !missing.is_empty() {
        let problems = missing.into_iter().map(|file| format!("`{file}` is missing")).collect();
        checked.push(Checked { part: "files", problems });
    }
    for (part, problem) in parts.settings_problems() {
        checked.push(Checked { part, problems: vec![problem.to_string()] });
    }
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
        (0, _) => bail!("`{}` has no part that is known (it needs `config.json` files)", arguments.pack.pack.display()),
        (_, 0) => Ok(()),
        (_, n) => {
            let pack = arguments.pack.pack.display();
            bail!("`{pack}` has {n} problems (the list says which; download those files again)")
        }
    }
}

/// A pack in a folder of packs, or in the cache.
#[derive(Serialize)]
struct Listed {
    pack: String,
    parts: Vec<&'static str>,
    bytes: u64,
    /// Whether a pull came to its end.
    whole: bool,
}

/// Lists the packs in the cache and below `models`, or those below another folder, two levels deep (`OWNER/NAME`).
pub(crate) fn list(arguments: &ModelList) -> anyhow::Result<()> {
    let mut listed = Vec::new();
    let mut places = Vec::new();
    match &arguments.dir {
        Some(folder) if !folder.is_dir() => {
            bail!("there is no folder `{}` (name the folder of your packs)", folder.display())
        }
        Some(folder) => places.push(folder.clone()),
        None => {
            let cache = cache::Cache::of_user();
            of_cache(&cache, &mut listed)?;
            places.push(cache.root().to_owned());
            places.push(PathBuf::from("models"));
        }
    }
    for folder in places.iter().filter(|folder| folder.is_dir()) {
        find(folder, 2, &mut listed)?;
    }
    listed.sort_by(|a: &Listed, b| a.pack.cmp(&b.pack));
    if arguments.json {
        return json(&listed);
    }
    for pack in &listed {
        let parts = if pack.whole { pack.parts.join(", ") } else { "not whole: pull it again".to_owned() };
        say(format!("{}  {}  {parts}", pack.pack, bytes(pack.bytes)));
    }
    if listed.is_empty() {
        let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        say(format!("no pack in {} (`percept model pull ORG/NAME` brings one)", places.join(" or ")));
    }
    Ok(())
}

/// What was pulled.
fn of_cache(cache: &cache::Cache, listed: &mut Vec<Listed>) -> anyhow::Result<()> {
    for cached in cache.list()? {
        let (parts, bytes) = match &cached.snapshot {
            Some(snapshot) => (part_names(snapshot), size(snapshot)?),
            None => (vec![], size(&cache.folder(&cached.repository))?),
        };
        let whole = cached.snapshot.is_some();
        listed.push(Listed { pack: format!("{}{}", cache::PREFIX, cached.repository), parts, bytes, whole });
    }
    Ok(())
}

/// The names of the parts of a pack.
fn part_names(folder: &Path) -> Vec<&'static str> {
    let found = Parts::present_in(&PackFiles::Directory(folder.to_owned()));
    Part::ALL.into_iter().filter(|(part, _)| found.contains(part)).map(|(_, name)| name).collect()
}

fn find(folder: &Path, depth: usize, listed: &mut Vec<Listed>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let is_pack = path.join("model_index.json").is_file() || path.join("config.json").is_file();
        let parts = if is_pack { part_names(&path) } else { vec![] };
        if parts.is_empty() && depth > 1 {
            find(&path, depth - 1, listed)?;
        } else if !parts.is_empty() {
            listed.push(Listed { pack: path.display().to_string(), parts, bytes: size(&path)?, whole: true });
        }
    }
    Ok(())
}

/// Bytes in a folder; links count as the files they stand for.
fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("`{}` cannot be listed", folder.display()))? {
        let path = entry?.path();
        let kind = std::fs::metadata(&path).with_context(|| format!("`{}` cannot be inspected", path.display()))?;
        total += if kind.is_dir() { size(&path)? } else { kind.len() };
    }
    Ok(total)
}
