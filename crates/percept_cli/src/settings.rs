//! What the arguments mean: checked values with defaults filled in, made before any work begins.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use percept::methods::RunOptions;
use percept::pipeline::experiment::Pack;

use crate::arguments::Run;

/// A run of an experiment as asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RunSettings {
    /// Folder for the results.
    pub(crate) out: PathBuf,
    /// `key=value` overrides of the experiment.
    pub(crate) overrides: Vec<String>,
    /// Bytes of memory granted.
    pub(crate) memory: Option<u64>,
    /// Whether scores go to stdout.
    pub(crate) json: bool,
}

impl RunSettings {
    /// Settings of a run whose results go to `default_out` unless the user says otherwise.
    pub(crate) fn new(run: Run, default_out: &Path) -> anyhow::Result<Self> {
        let out = run.out.unwrap_or_else(|| default_out.to_owned());
        if out.exists() && !out.is_dir() {
            bail!("`{}` is a file, but results need a folder (name another with `--out`)", out.display());
        }
        let memory = run.memory.as_deref().map(parse_bytes).transpose().context("`--memory`")?;
        Ok(Self { out, overrides: run.overrides, memory, json: run.json })
    }
}

impl RunSettings {
    /// How the run is carried out.
    pub(crate) fn options(&self) -> RunOptions {
        RunOptions { memory: self.memory, ..RunOptions::default() }
    }
}

/// The folder of an experiment's results when none is named: the experiment's name without `.toml`, beside the user.
pub(crate) fn default_out(experiment: &Path) -> anyhow::Result<PathBuf> {
    match experiment.file_stem() {
        Some(stem) if experiment.extension().is_some() => Ok(PathBuf::from(stem)),
        _ => bail!("`{}` is no experiment file (expected a name that ends in `.toml`)", experiment.display()),
    }
}

/// Threads that are granted on any machine; each holds buffers of its own.
const MOST_THREADS: usize = 64;

/// Sets the number of threads for everything that follows.
pub(crate) fn use_threads(n_threads: Option<usize>) -> anyhow::Result<()> {
    let Some(n_threads) = n_threads else { return Ok(()) };
    if n_threads == 0 {
        bail!("`--threads 0` leaves nobody to work (use 1 or more)");
    }
    let most = MOST_THREADS.max(4 * std::thread::available_parallelism().map_or(1, usize::from));
    if n_threads > most {
        bail!("`--threads {n_threads}` is more than helps here (use at most {most}; one per core is the default)");
    }
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global()?;
    Ok(())
}

/// Has models live on this device in everything that follows.
pub(crate) fn use_device(name: Option<&str>) -> anyhow::Result<()> {
    if let Some(name) = name {
        percept::models::device::choose(name.parse()?)?;
    }
    Ok(())
}

/// The model pack that a user names: `pocket`, `hf:ORG/NAME` or a folder; `None` when it is none of these.
pub(crate) fn pack(name: &Path) -> anyhow::Result<Option<Pack>> {
    if name.as_os_str() == "pocket" {
        return Ok(Some(Pack::Pocket));
    }
    if let Some(found) = name.to_str().and_then(percept::io::hub::pack) {
        return Ok(Some(Pack::Folder(found?)));
    }
    Ok(name.is_dir().then(|| Pack::Folder(name.to_owned())))
}

/// Penalties from `FROM:TO:COUNT` (in equal ratios) or a list parted by commas.
pub(crate) fn parse_alphas(text: &str) -> anyhow::Result<Vec<f64>> {
    let number = |word: &str| -> anyhow::Result<f64> {
        let value: f64 = word.trim().parse().unwrap_or(f64::NAN);
        if value.is_finite() && value >= 0.0 {
            return Ok(value);
        }
        bail!("`{word}` in `--alphas {text}` is no penalty (write numbers ≥ 0, as `1:1e6:7` or `1,10,100`)")
    };
    let parts: Vec<&str> = text.split(':').collect();
    let &[from, to, count] = parts.as_slice() else {
        if parts.len() == 1 {
            return text.split(',').map(number).collect();
        }
        bail!("`--alphas {text}` has {} parts (write `FROM:TO:COUNT`, or a list as `1,10,100`)", parts.len());
    };
    let (from, to) = (number(from)?, number(to)?);
    let count: usize = count.trim().parse().unwrap_or(0);
    if count < 2 || from <= 0.0 || to <= from {
        bail!("`--alphas {text}` is no grid (give 0 < FROM < TO and a COUNT of 2 or more)");
    }
    let ratio = (to / from).ln() / (count - 1) as f64;
    // The ends are exactly what was written.
    Ok((0..count).map(|i| if i + 1 == count { to } else { from * (ratio * i as f64).exp() }).collect())
}

/// A number of bytes as `8GB`, `500 MB`, `2GiB` or plain.
pub(crate) fn parse_bytes(text: &str) -> anyhow::Result<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024f64.powi(2),
        "gib" => 1024f64.powi(3),
        _ => bail!("`{text}` is no size (write it as `8GB`)"),
    };
    match number.parse::<f64>() {
        Ok(number) if number > 0.0 => Ok((number * factor) as u64),
        _ => bail!("`{text}` is no size (write it as `8GB`)"),
    }
}

/// Random chunks such as `40:20:15`: length, how many are held out, draws.
pub(crate) fn parse_chunks(text: &str) -> anyhow::Result<[usize; 3]> {
    let numbers: Option<Vec<usize>> = text.split(':').map(|word| word.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[length, held, draws]) if length > 0 && held > 0 && draws > 0 => Ok([length, held, draws]),
        _ => bail!("`--chunks {text}` does not say which (write `LENGTH:HELD:DRAWS`, as `40:20:15`)"),
    }
}

/// A share such as `2/8`.
pub(crate) fn parse_shard(text: &str) -> anyhow::Result<percept::linear::Shard> {
    let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    match parts {
        Some((number, of)) if (1..=of).contains(&number) => Ok(percept::linear::Shard { number, of }),
        _ => bail!("`--shard {text}` is no share (write `1/8` to `8/8` for eight processes)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_are_ratios_or_lists() {
        let grid = parse_alphas("1e-2:1e6:9").expect("a grid");
        assert_eq!((grid.len(), grid[0], grid[8]), (9, 1e-2, 1e6));
        assert!(grid.windows(2).all(|pair| (pair[1] / pair[0] - 10.0).abs() < 1e-9));
        assert_eq!(parse_alphas("0, 1,1e3").expect("a list"), vec![0.0, 1.0, 1000.0]);
        for wrong in ["", "1:2", "1:2:3:4", "0:10:3", "1:10:1", "10:1:3", "-1", "1,x", "nan"] {
            assert!(parse_alphas(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("8GB").expect("a size"), 8_000_000_000);
        assert_eq!(parse_bytes("1.5 GiB").expect("a size"), 1_610_612_736);
        assert_eq!(parse_bytes("512").expect("a size"), 512);
        for wrong in ["", "GB", "8 apples", "-3GB", "0"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn chunks_have_a_length_a_number_and_draws() {
        assert_eq!(parse_chunks("40:20:15").expect("chunks"), [40, 20, 15]);
        for wrong in ["40:20", "40:20:15:1", "0:1:1", "a:b:c", ""] {
            assert!(parse_chunks(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!(parse_shard("2/8").expect("a share"), percept::linear::Shard { number: 2, of: 8 });
        for wrong in ["0/8", "9/8", "2", "a/b"] {
            assert!(parse_shard(wrong).is_err(), "{wrong}");
        }
    }

    fn run(out: Option<PathBuf>) -> Run {
        Run { out, overrides: vec![], memory: None, json: false }
    }

    #[test]
    fn results_go_to_a_folder_named_after_the_experiment() {
        assert_eq!(default_out(Path::new("examples/miyawaki.toml")).expect("a name"), PathBuf::from("miyawaki"));
        assert!(default_out(Path::new("examples/..")).is_err());
        assert!(default_out(Path::new("miyawaki")).is_err(), "results would overwrite the file");
    }

    #[test]
    fn a_file_in_the_way_of_the_results_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("results");
        std::fs::write(&file, "x").expect("a file");
        let error = RunSettings::new(run(Some(file)), Path::new("x")).expect_err("a file is in the way");
        assert!(error.to_string().contains("is a file"), "{error}");
        let settings = RunSettings::new(run(None), Path::new("demo")).expect("nothing in the way");
        assert_eq!(settings.out, PathBuf::from("demo"));
    }

    #[test]
    fn devices_that_are_not_there_are_refused() {
        let words = |name| use_device(Some(name)).expect_err(name).to_string();
        assert!(words("gpu").contains("`gpu`"));
        if !cfg!(feature = "cuda") {
            assert!(words("cuda:1").contains("--features cuda"), "{}", words("cuda:1"));
        }
    }

    #[test]
    fn no_threads_and_thousands_are_refused() {
        assert!(use_threads(Some(0)).is_err());
        let error = use_threads(Some(2_000_000)).expect_err("too many").to_string();
        assert!(error.contains("use at most"), "{error}");
    }
}
