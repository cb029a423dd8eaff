//! The truth can be recovered from noisy responses: pixels from early cortex, what is shown from the ventral stream, and
//! each better than the other way round.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use percept_core::Seed;
use percept_synth::drawing::{Drawing, Object};
use percept_synth::phantom::{Area, Phantom, PhantomParams};

/// Ridge regression in its kernel form with centred data, by Cholesky.
fn ridge(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>, test: ArrayView2<'_, f32>, penalty: f32) -> Array2<f32> {
    let (mean_x, mean_y) = (x.mean_axis(Axis(0)).expect("rows"), y.mean_axis(Axis(0)).expect("rows"));
    let (x, y, test) = (&x - &mean_x, &y - &mean_y, &test - &mean_x);
    let mut factor = x.dot(&x.t());
    factor.diag_mut().mapv_inplace(|value| value + penalty);
    let n = factor.nrows();
    for column in 0..n {
        for row in column..n {
            let dot = factor.slice(s![row, ..column]).dot(&factor.slice(s![column, ..column]));
            let rest = factor[[row, column]] - dot;
            factor[[row, column]] = if row == column { rest.sqrt() } else { rest / factor[[column, column]] };
        }
    }
    let mut solution = y;
    for row in 0..n {
        let known: Array1<f32> = factor.slice(s![row, ..row]).dot(&solution.slice(s![..row, ..]));
        let value = (&solution.row(row) - &known) / factor[[row, row]];
        solution.row_mut(row).assign(&value);
    }
    for row in (0..n).rev() {
        let known: Array1<f32> = factor.slice(s![row + 1.., row]).dot(&solution.slice(s![row + 1.., ..]));
        let value = (&solution.row(row) - &known) / factor[[row, row]];
        solution.row_mut(row).assign(&value);
    }
    test.dot(&x.t()).dot(&solution) + mean_y
}

/// Measured responses, three repeats averaged, standardised within sessions: images × cortical voxels.
fn measured(phantom: &Phantom) -> Array2<f32> {
    let schedule = phantom.schedule();
    let mut mean = Array2::<f32>::zeros((phantom.params().n_images(), phantom.cortex().voxels.len()));
    for session in 0..phantom.params().n_sessions {
        let betas = phantom.betas(session).mapv(f32::from).select(Axis(1), &phantom.cortex().in_brain);
        let center = betas.mean_axis(Axis(0)).expect("trials");
        let deviation = betas.std_axis(Axis(0), 1.0).mapv(|value| value.max(1e-3));
        for (trial, row) in betas.rows().into_iter().enumerate() {
            let image = schedule.image_of_trial[session * schedule.trials_per_session + trial];
            let mut out = mean.row_mut(image);
            out += &((&row - &center) / &deviation / 3.0);
        }
    }
    mean
}

fn correlation(a: impl Iterator<Item = f32> + Clone, b: impl Iterator<Item = f32> + Clone) -> f32 {
    let n = a.clone().count() as f32;
    let (mean_a, mean_b) = (a.clone().sum::<f32>() / n, b.clone().sum::<f32>() / n);
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.zip(b) {
        ab += (a - mean_a) * (b - mean_b);
        aa += (a - mean_a).powi(2);
        bb += (b - mean_b).powi(2);
    }
    ab / (aa * bb).sqrt().max(f32::MIN_POSITIVE)
}

#[test]
fn pixels_are_read_from_early_cortex_and_objects_from_the_ventral_stream() {
    let params = PhantomParams { n_sessions: 4, n_shared: 0, n_unseen: 0, ..PhantomParams::default() };
    let phantom = Phantom::new(params, Seed::new(3)).expect("the parameters are valid");
    let responses = measured(&phantom);
    let stimuli = &phantom.schedule().stimulus_of_image[0];
    let n_images = stimuli.len();
    let n_test = 150;

    // 16 × 16 gray pixels, and one column per object.
    let pixels = Array2::from_shape_fn((n_images, 256), |(image, pixel)| (image, pixel));
    let pictures: Vec<_> = stimuli.iter().map(|&stimulus| phantom.picture(stimulus)).collect();
    let pixels = pixels.mapv(|(image, pixel)| {
        let (row, column) = (pixel / 16 * 4, pixel % 16 * 4);
        let block = pictures[image].slice(s![row..row + 4, column..column + 4, ..]);
        block.iter().map(|&value| f32::from(value)).sum::<f32>() / (255.0 * 48.0)
    });
    let object = |image: usize| match phantom.drawings()[stimuli[image]] {
        Drawing::Scene(scene) => Some(scene.object as usize),
        Drawing::Figure(_) => None,
    };
    let objects =
        Array2::from_shape_fn(
            (n_images, Object::ALL.len()),
            |(image, number)| {
                if object(image) == Some(number) { 1.0 } else { 0.0 }
            },
        );

    let score = |wanted: fn(Area) -> bool| {
        let columns: Vec<usize> =
            (0..phantom.tuning().len()).filter(|&voxel| wanted(phantom.tuning()[voxel].voxel.area)).collect();
        let x = responses.select(Axis(1), &columns);
        let (test, train) = x.view().split_at(Axis(0), n_test);
        let decoded = ridge(train, pixels.slice(s![n_test.., ..]), test, 1_000.0);
        let pixel_score = (0..n_test)
            .map(|image| correlation(decoded.row(image).iter().copied(), pixels.row(image).iter().copied()))
            .sum::<f32>()
            / n_test as f32;
        let named = ridge(train, objects.slice(s![n_test.., ..]), test, 1_000.0);
        let (mut n_right, mut n) = (0, 0);
        for image in 0..n_test {
            if let Some(object) = object(image) {
                let row = named.row(image);
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
                n_right += u32::from(best == Some(object));
                n += 1;
            }
        }
        (pixel_score, f64::from(n_right) / f64::from(n))
    };
    let early = score(|area| area.stream() == 1);
    let ventral = score(|area| matches!(area, Area::Ventral));
    assert!(early.0 > 0.6, "pixels from early cortex {}", early.0);
    assert!(early.0 > ventral.0 + 0.05, "pixels: early {}, ventral {}", early.0, ventral.0);
    assert!(ventral.1 > 0.4, "objects from the ventral stream {} (chance 0.1)", ventral.1);
    assert!(ventral.1 > early.1 + 0.1, "objects: ventral {}, early {}", ventral.1, early.1);
}

#[test]
fn the_forward_model_is_not_linear_in_what_is_shown() {
    // The best linear prediction of noise-free ventral responses from all attributes leaves much unexplained.
    let params = PhantomParams { n_sessions: 4, n_shared: 0, n_unseen: 0, ..PhantomParams::default() };
    let phantom = Phantom::new(params, Seed::new(3)).expect("the parameters are valid");
    let scenes: Vec<_> = phantom
        .drawings()
        .iter()
        .enumerate()
        .filter_map(|(stimulus, drawing)| match drawing {
            Drawing::Scene(scene) => Some((stimulus, *scene)),
            Drawing::Figure(_) => None,
        })
        .collect();
    let design = Array2::from_shape_fn((scenes.len(), 31), |(row, column)| {
        let scene = scenes[row].1;
        let columns = [
            scene.object as usize,
            10 + scene.color as usize,
            18 + scene.size as usize,
            20 + scene.place as usize,
            23 + scene.background as usize,
            29 + scene.time as usize,
        ];
        if columns.contains(&column) { 1.0 } else { 0.0 }
    });
    let rows: Vec<usize> = scenes.iter().map(|(stimulus, _)| *stimulus).collect();
    let ventral: Vec<usize> =
        (0..phantom.tuning().len()).filter(|&voxel| phantom.tuning()[voxel].voxel.area == Area::Ventral).collect();
    let signal = phantom.signal().select(Axis(0), &rows).select(Axis(1), &ventral);
    let n_train = scenes.len() * 2 / 3;
    let (train, test) = signal.view().split_at(Axis(0), n_train);
    let predicted = ridge(design.slice(s![..n_train, ..]), train, design.slice(s![n_train.., ..]), 0.5);
    let mut explained: Vec<f32> = (0..ventral.len())
        .map(|voxel| {
            let residual: f32 =
                predicted.column(voxel).iter().zip(test.column(voxel)).map(|(a, b)| (a - b).powi(2)).sum();
            let mean = test.column(voxel).mean().expect("rows");
            1.0 - residual / test.column(voxel).iter().map(|value| (value - mean).powi(2)).sum::<f32>()
        })
        .collect();
    explained.sort_unstable_by(f32::total_cmp);
    let median = explained[explained.len() / 2];
    assert!((0.4..0.85).contains(&median), "linear attributes explain {median} of the median voxel");
}
