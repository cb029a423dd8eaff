//! All pairs of options of `percept fit`: each either acts beside the other, or is refused. None is recorded without effect.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Array1, Array2};
use percept::core::Seed;
use percept::io::npy;

use crate::program::{percept as program, text};

/// An option with its value, as words.
type Words = &'static [&'static str];

/// Every option that changes what is fitted, with values under which the data below show it.
const OPTIONS: [Words; 25] = [
    &["--x", "more.npy"],
    &["--groups", "groups.npy"],
    &["--folds", "3"],
    &["--splits", "splits.npy"],
    &["--chunks", "4:5:3"],
    &["--stimuli", "pairs.npy"],
    &["--allow-leaks"],
    &["--weights", "weights.npy"],
    &["--average", "pairs.npy"],
    &["--preset", "sklearn"],
    &["--alphas", "2,20,7e8"],
    &["--extend", "2"],
    &["--score", "r"],
    &["--mean-over-folds"],
    &["--shared"],
    &["--target-groups", "of_target.npy"],
    &["--standardize"],
    &["--no-intercept"],
    &["--kernel"],
    &["--select", "3"],
    &["--regions", "regions.npy"],
    &["--components", "3"],
    &["--draws", "7"],
    &["--seed", "9"],
    &["--precision", "f64"],
];

/// Pairs of which one says what the other does already; the first of them has no effect of its own, and that is right.
const SAYS_NOTHING_NEW: [(&str, &str, &str); 4] = [
    ("--precision", "--score", "correlations are made in f64"),
    ("--extend", "--shared", "the best penalty of all targets together lies inside the grid"),
    ("--extend", "--no-intercept", "every best penalty lies inside the grid"),
    ("--extend", "--components", "every best penalty lies inside the grid"),
];

fn write(folder: &Path) {
    let normal = |name: &str, rows: usize, columns: usize| -> Array2<f64> {
        let values = Seed::new(11).named(name).normal(rows * columns).into_iter().map(f64::from).collect();
        Array2::from_shape_vec((rows, columns), values).expect("as many as drawn")
    };
    let n = 48;
    let scale = Array1::from_iter((0..8).map(|feature| 1.0 + f64::from(feature)));
    let x = (normal("x", n, 8) + 0.5) * &scale;
    // From a target without noise, which wants no penalty, to one of noise alone, which wants the largest.
    let noise = Array1::from(vec![0.0, 0.3, 2.0, 4.0, 8.0, 1e3]);
    let y = x.dot(&normal("w", 8, 6)) * 0.2 + normal("noise", n, 6) * &noise + 2.0;
    let save = |name: &str, values: ndarray::ArrayViewD<'_, f64>| {
        npy::write(folder.join(name), values).expect("writes");
    };
    save("x.npy", x.view().into_dyn());
    save("more.npy", normal("more", n, 3).view().into_dyn());
    save("y.npy", y.view().into_dyn());
    let list = |name: &str, values: Vec<f64>| save(name, Array1::from(values).view().into_dyn());
    list("groups.npy", (0..n).map(|sample| (sample % 6) as f64).collect());
    list("pairs.npy", (0..n).map(|sample| (sample % 24) as f64).collect());
    list("weights.npy", (0..n).map(|sample| 0.2 + (sample % 5) as f64).collect());
    list("of_target.npy", (0..6).map(|target| f64::from(target / 2)).collect());
    list("regions.npy", (0..8).map(|feature| f64::from(feature / 2)).collect());
    let splits = Array2::from_shape_fn((n, 2), |(sample, split)| if sample / 16 == split { 2.0 } else { 1.0 });
    save("splits.npy", splits.view().into_dyn());
}

/// What a fit with these options leaves: weights, penalties and scores as bytes; or why it was refused.
fn fit(folder: &Path, options: &[Words]) -> Result<Vec<u8>, String> {
    let out = tempfile::tempdir().expect("a folder");
    let model = out.path().join("model");
    let model = model.to_str().expect("a plain path");
    let mut words = vec!["fit", "--threads", "1", "--x", "x.npy", "--y", "y.npy", "--out", model];
    words.extend(options.iter().flat_map(|words| words.iter().copied()));
    let output = program(folder, &words).output().expect("the program starts");
    if output.status.success() {
        return Ok(std::fs::read(format!("{model}/model.safetensors")).expect("a model"));
    }
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", text(&output.stderr));
    Err(text(&output.stderr))
}

/// The bytes without the fingerprint of the settings, which differs whenever anything does.
fn values(bytes: &[u8]) -> &[u8] {
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    &bytes[8 + header..]
}

#[test]
fn of_every_two_options_each_acts_or_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    write(data.path());
    let plain = fit(data.path(), &[]).expect("fits");
    let alone: BTreeMap<&str, Result<Vec<u8>, String>> =
        OPTIONS.iter().map(|words| (words[0], fit(data.path(), &[words]))).collect();
    let mut idle = Vec::new();
    for (option, result) in &alone {
        if result.as_ref().is_ok_and(|model| values(model) == values(&plain)) {
            idle.push(format!("{option} alone"));
        }
    }
    let (mut n_pairs, mut n_refused) = (0, 0);
    for (i, a) in OPTIONS.iter().enumerate() {
        for b in &OPTIONS[i + 1..] {
            n_pairs += 1;
            let Ok(both) = fit(data.path(), &[a, b]) else {
                n_refused += 1;
                continue;
            };
            for (without, kept) in [(a, b), (b, a)] {
                let known = SAYS_NOTHING_NEW.iter().any(|(one, other, _)| *one == without[0] && *other == kept[0]);
                let same = alone[kept[0]].as_ref().is_ok_and(|model| values(model) == values(&both));
                if same && !known {
                    idle.push(format!("{} beside {}", without[0], kept[0]));
                }
            }
        }
    }
    assert!(idle.is_empty(), "{n_pairs} pairs, {n_refused} refused; these do nothing: {idle:#?}");
    assert_eq!(n_pairs, OPTIONS.len() * (OPTIONS.len() - 1) / 2);
}
