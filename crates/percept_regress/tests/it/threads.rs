//! The same bits on any number of threads.

use percept_regress::{Path, Ridge, RidgeCv, RidgeParams};

use crate::data::{normal, targets};

fn on(threads: usize, path: Path) -> (Ridge<f32>, Vec<u32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    pool.install(|| {
        // Larger than one panel, one block and one tile; the eigensolver takes its parallel path.
        let x = normal("x", 700, 300).mapv(|value| value as f32);
        let y = targets("y", &x.mapv(f64::from), 150).mapv(|value| value as f32);
        let groups: Vec<usize> = (0..700).map(|sample| sample / 3).collect();
        let params = RidgeParams { path, ..RidgeParams::default() };
        let ridge = RidgeCv::new(params).fit(x.view(), y.view(), &groups).expect("fits");
        let predicted = ridge.predict(x.view()).expect("predicts").iter().map(|value| value.to_bits()).collect();
        (ridge, predicted)
    })
}

#[test]
fn one_three_and_eight_threads_give_the_same_bits() {
    for path in [Path::Covariance, Path::Kernel] {
        let (reference, predicted) = on(1, path);
        for threads in [3, 8] {
            let (ridge, again) = on(threads, path);
            let bits = |ridge: &Ridge<f32>| ridge.weights.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&reference), bits(&ridge), "{path:?} on {threads} threads");
            assert_eq!(reference, ridge);
            assert_eq!(predicted, again);
        }
    }
}
