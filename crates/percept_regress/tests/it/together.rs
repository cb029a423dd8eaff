//! Several processes, played by threads, prepare the design that one process prepares.

use std::sync::Mutex;

use ndarray::{Array2, s};
use percept_regress::{
    AlphaChoice, Design, Folds, Path, RegressError, Ridge, RidgeParams, Setup, Spectrum, SpectrumCache, Together,
};
use percept_testing::Meeting;

use crate::data::{difference, normal, targets};

/// Sums in another order.
const SAME: f64 = 1e-10;

struct Rank<'a> {
    rank: usize,
    meeting: &'a Meeting,
}

impl Together for Rank<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.meeting.size()
    }

    fn sum(&self, values: &mut [f64]) -> Result<(), RegressError> {
        self.meeting.sum(self.rank, values);
        Ok(())
    }
}

/// The same fit by each of `size` threads.
fn together(
    size: usize,
    x: &Array2<f64>,
    y: &Array2<f64>,
    folds: &Folds,
    params: &RidgeParams,
    cache: Option<&(dyn SpectrumCache + Sync)>,
    repeated_targets: bool,
) -> Vec<Ridge<f64>> {
    let meeting = Meeting::of(size);
    std::thread::scope(|scope| {
        let ranks: Vec<_> = (0..size)
            .map(|rank| {
                let rank = Rank { rank, meeting: &meeting };
                scope.spawn(move || {
                    let cache = cache.map(|cache| cache as &dyn SpectrumCache);
                    let folds = Some(folds.clone());
                    let setup = Setup { folds, cache, together: Some(&rank), repeated_targets, ..Setup::default() };
                    let design = Design::prepare(&x.view(), params, setup).expect("prepares");
                    let width = design.task_width(y.ncols());
                    let selection = (params.choice == AlphaChoice::Shared).then(|| {
                        let labels = vec![0; y.ncols()];
                        design.choose_shared(&y.view(), &labels, width, Some(&rank), &|_| {}).expect("chooses")
                    });
                    design.fit_part(y.view(), selection.as_ref(), width).expect("fits")
                })
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().expect("no panic")).collect()
    })
}

fn compare(one: &Ridge<f64>, several: &[Ridge<f64>]) {
    for ridge in several {
        assert_eq!(ridge, &several[0], "every process has the same bits");
        assert_eq!(ridge.alpha, one.alpha);
        assert_eq!(ridge.report.constant_features, one.report.constant_features);
        assert!(difference(&ridge.weights, &one.weights) < SAME, "{}", difference(&ridge.weights, &one.weights));
        for (found, expected) in ridge.cv_score.iter().zip(&one.cv_score) {
            assert!((found - expected).abs() < SAME);
        }
    }
}

#[test]
fn two_three_and_four_processes_fit_what_one_fits() {
    // Several reading blocks of samples; one process may have none of them.
    let mut x = normal("x", 1400, 24) + 2.0;
    x.column_mut(5).fill(3.0);
    x.column_mut(6).slice_mut(s![..1024]).fill(1.0);
    let y = targets("y", &x, 40);
    let labels: Vec<usize> = (0..1400).map(|sample| sample / 3).collect();
    let groups = Folds::by_label(&labels).expect("groups");
    let large = Folds::k(4, None, 1400).expect("folds");
    for (folds, choice) in
        [(&groups, AlphaChoice::PerTarget), (&groups, AlphaChoice::Shared), (&large, AlphaChoice::PerTarget)]
    {
        let params = RidgeParams { choice, extend: 1, ..RidgeParams::default() };
        let setup = Setup { folds: Some(folds.clone()), ..Setup::default() };
        let one = Design::prepare(&x.view(), &params, setup).expect("prepares").fit(y.view()).expect("fits");
        for size in [2, 3, 4] {
            compare(&one, &together(size, &x, &y, folds, &params, None, false));
        }
    }
}

#[test]
fn errors_of_repeated_targets_are_made_together_too() {
    let (x, shown) = (normal("x", 1400, 24), normal("shown", 350, 40));
    let labels: Vec<usize> = (0..1400).map(|sample| sample / 4).collect();
    let y = Array2::from_shape_fn((1400, 40), |(sample, target)| shown[(labels[sample], target)]);
    let (folds, params) = (Folds::by_label(&labels).expect("groups"), RidgeParams::default());
    let setup = Setup { folds: Some(folds.clone()), repeated_targets: true, ..Setup::default() };
    let one = Design::prepare(&x.view(), &params, setup).expect("prepares").fit(y.view()).expect("fits");
    compare(&one, &together(3, &x, &y, &folds, &params, None, true));
}

#[test]
fn the_kernel_of_many_features_is_made_together_too() {
    let x = normal("x", 60, 1100);
    let y = targets("y", &x, 7);
    let folds = Folds::k(6, None, 60).expect("folds");
    let params = RidgeParams { path: Path::Kernel, ..RidgeParams::default() };
    let setup = Setup { folds: Some(folds.clone()), ..Setup::default() };
    let one = Design::prepare(&x.view(), &params, setup).expect("prepares").fit(y.view()).expect("fits");
    compare(&one, &together(3, &x, &y, &folds, &params, None, false));
}

#[derive(Default)]
struct Shelf(Mutex<Vec<Spectrum>>);

impl SpectrumCache for Shelf {
    fn load(&self, _: &str) -> Option<Spectrum> {
        self.0.lock().expect("no panic").first().cloned()
    }

    fn store(&self, _: &str, spectrum: &Spectrum) -> Result<(), RegressError> {
        self.0.lock().expect("no panic").push(spectrum.clone());
        Ok(())
    }
}

#[test]
fn only_the_first_process_keeps_and_finds_decompositions() {
    let x = normal("x", 600, 9);
    let y = targets("y", &x, 3);
    let folds = Folds::k(6, None, 600).expect("folds");
    let shelf = Shelf::default();
    let params = RidgeParams::default();
    let fresh = together(3, &x, &y, &folds, &params, Some(&shelf), false);
    assert_eq!(shelf.0.lock().expect("no panic").len(), 1, "kept once");
    assert_eq!(fresh, together(3, &x, &y, &folds, &params, Some(&shelf), false));
    assert_eq!(shelf.0.lock().expect("no panic").len(), 1, "found");
}
