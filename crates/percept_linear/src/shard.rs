//! Putting together the parts of a fit that several processes made, each on its share of the targets.
//!
//! Every shard decomposes the same samples (or takes the decomposition from a shared cache) and works on whole tasks, so the
//! merged model has the bytes of one process's model.

use std::path::Path;

use percept_core::Progress;
use percept_io::number::Element;
use percept_io::pieces::Pieces;
use percept_io::{fs, lock, safetensors};
use percept_regress::Real;

use crate::error::LinearError;
use crate::job::{Precision, Shard};
use crate::model::{self, Description};

/// Features copied at a time.
const FEATURES_PER_COPY: usize = 256;

/// Makes the model of the shards in `folder`, and removes them when it is whole.
///
/// # Errors
/// [`LinearError::Shards`] when some are missing or were made by different fits; failures to read or write.
pub fn merge(folder: &Path, progress: &dyn Progress) -> Result<Description, LinearError> {
    let _lock = lock::lock(folder, lock::NAME, || {
        progress.warn(&format!("another process is working in `{}`: waiting until it is done", folder.display()));
        true
    })?;
    let shards = find(folder)?;
    shards.iter().try_for_each(|shard| model::verify(folder, shard))?;
    match shards[0].precision {
        Precision::Single => merge_as::<f32>(folder, &shards, progress),
        Precision::Double => merge_as::<f64>(folder, &shards, progress),
    }
}

/// Descriptions of all shards, in order.
fn find(folder: &Path) -> Result<Vec<Description>, LinearError> {
    let wrong = |what: String| LinearError::Shards { what };
    let mut of = None;
    for path in fs::list(folder)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let tail = name.strip_prefix("model.shard-").and_then(|rest| rest.strip_suffix(".json"));
        let Some((_, n)) = tail.and_then(|tail| tail.split_once("-of-")) else { continue };
        let n: usize = n.parse().map_err(|_| wrong(format!("`{name}` is no shard")))?;
        if of.is_some_and(|of| of != n) {
            return Err(wrong(format!("`{}` holds shards of {n} and of another number", folder.display())));
        }
        of = Some(n);
    }
    let Some(of) = of else { return Err(wrong(format!("`{}` holds no finished shard", folder.display()))) };
    let mut shards = Vec::new();
    let mut absent = Vec::new();
    for number in 1..=of {
        match model::read_description(folder, Some(Shard { number, of })) {
            Ok(description) => shards.push(description),
            Err(_) => absent.push(number.to_string()),
        }
    }
    if !absent.is_empty() {
        return Err(wrong(format!("of {of} shards these are not finished: {}", absent.join(", "))));
    }
    let first = &shards[0];
    for shard in &shards {
        if shard.provenance != first.provenance || shard.n_targets != first.n_targets {
            return Err(wrong(format!("shards {:?} and {:?} are of different fits", first.targets, shard.targets)));
        }
    }
    Ok(shards)
}

fn merge_as<T: Real + Element>(
    folder: &Path,
    shards: &[Description],
    progress: &dyn Progress,
) -> Result<Description, LinearError> {
    let first = &shards[0];
    let (n_features, n_targets) = (first.n_features, first.n_targets);
    let fingerprint = first.provenance.fingerprint();
    let planned = model::planned(n_features, n_targets, first.precision, &[]);
    let path = model::tensors_path(folder, None);
    fs::remove_file(model::description_path(folder, None))?;
    let (pieces, _) = Pieces::safetensors(&path, &planned, &model::texts(&fingerprint), false)?;
    progress.begin("shards", shards.len() as u64);
    let mut counts = model::Counts::default();
    for shard in shards {
        let file = safetensors::open(model::tensors_path(folder, shard.shard))?;
        let [start, end] = shard.targets;
        for name in ["alpha", "cv_score", "intercept", "norm", "offset"] {
            pieces.put(name, start, ndarray::ArrayView1::from(&model::vector::<f64>(&file, name)?))?;
        }
        pieces.put("edge", start, ndarray::ArrayView1::from(&model::vector::<i8>(&file, "edge")?))?;
        pieces.put("x_mean", 0, ndarray::ArrayView1::from(&model::vector::<f64>(&file, "x_mean")?))?;
        for row in (0..n_features).step_by(FEATURES_PER_COPY) {
            let block = file.rows::<T>("weights", row..(row + FEATURES_PER_COPY).min(n_features))?;
            let block = block.into_dimensionality().map_err(|error| model::broken(folder, &error))?;
            pieces.put_block("weights", row, start..end, ndarray::ArrayView2::from(&block))?;
        }
        counts.edge_low += shard.counts.edge_low;
        counts.edge_high += shard.counts.edge_high;
        counts.constant += shard.counts.constant;
        counts.masked += shard.counts.masked;
        progress.advance(1);
    }
    pieces.finish()?;
    model::write_table(folder, &safetensors::open(&path)?)?;
    let tensors = Some(fs::content_hash(&path)?);
    let description =
        Description { targets: [0, n_targets], shard: None, counts, fingerprint, tensors, ..first.clone() };
    model::write_description(folder, &description)?;
    for shard in shards {
        fs::remove_file(model::description_path(folder, shard.shard))?;
        fs::remove_file(model::tensors_path(folder, shard.shard))?;
    }
    let unfinished = folder.join("unfinished");
    if fs::is_dir(&unfinished) {
        for path in fs::list(&unfinished)? {
            fs::remove_file(path)?;
        }
        let _ = std::fs::remove_dir(&unfinished);
    }
    progress.end("");
    Ok(description)
}
