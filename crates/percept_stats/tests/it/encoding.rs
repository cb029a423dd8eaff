//! Nulls, partitions and best candidates of encoding against loops in NumPy, SciPy and statsmodels on twenty random problems each.

use ndarray::{Array2, ArrayView2};
use percept_stats::ItemScores;
use percept_stats::best::{Profile, best};
use percept_stats::contrasts::{Contrast, Measure, contrasts};
use percept_stats::noise_ceiling::{ceiling, ceiling_mixed, explainable_variance, ncsnr};
use percept_stats::partition::{commonality, product_measure, sets_for_unique, unique_parts};
use percept_stats::permutation::{Permutations, test_columns};
use percept_stats::resampling::{Estimate, Resampling};
use percept_stats::significance::{Side, correlation_p_values, false_discovery};
use percept_stats::subjects::over_subjects;
use serde_json::Value;

/// Both sides are in f64 but for products of permutations, which are in f32.
const SAME: f64 = 1e-6;

fn problems(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("valid JSON")
}

fn permutation() -> Vec<Value> {
    problems(include_str!("../data/encoding/permutation.json"))
}

fn partition() -> Vec<Value> {
    problems(include_str!("../data/encoding/partition.json"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

fn matrix(value: &Value, columns: usize) -> Array2<f32> {
    let values: Vec<f32> = numbers(value).into_iter().map(|value| value as f32).collect();
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

fn matrices(value: &Value) -> Vec<Array2<f32>> {
    value.as_array().expect("a list").iter().map(|value| matrix(value, 2)).collect()
}

fn views(matrices: &[Array2<f32>]) -> Vec<ArrayView2<'_, f32>> {
    matrices.iter().map(|matrix| matrix.view()).collect()
}

fn assert_close(found: impl IntoIterator<Item = f64>, expected: &[f64], what: &str) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= SAME * expected.abs().max(1.0), "{what}: {found} {expected}");
    }
}

fn assert_estimates(found: &[Vec<Option<Estimate>>], expected: &Value, what: &str) {
    let expected = expected.as_array().expect("a list");
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        for (found, expected) in found.iter().zip(expected.as_array().expect("units")) {
            let found = found.expect("defined");
            assert_close([found.value, found.low, found.high, found.p], &numbers(expected), what);
        }
    }
}

fn all(values: Vec<Option<f64>>) -> Vec<f64> {
    values.into_iter().map(|value| value.expect("defined")).collect()
}

#[test]
fn permutation_p_max_t_false_discovery_and_student_p_are_those_of_numpy_scipy_and_statsmodels() {
    for problem in permutation() {
        let n_units = problem["n_units"].as_u64().expect("a number") as usize;
        let (pred, truth) = (matrix(&problem["pred"], n_units), matrix(&problem["truth"], n_units));
        let orders = problem["orders"].as_array().expect("a list").iter();
        let orders = orders.map(|order| numbers(order).into_iter().map(|sample| sample as u32).collect()).collect();
        let orders = Permutations::from_orders(orders).expect("valid");
        for (name, side) in [("greater", Side::Greater), ("two_sided", Side::TwoSided)] {
            let expected = &problem[name];
            let found = test_columns(pred.view(), truth.view(), &orders, side).expect("fits");
            assert_close(all(found.r.values.clone()), &numbers(&problem["r"]), "r");
            let p = all(found.p);
            assert_close(p.clone(), &numbers(&expected["p"]), "p");
            assert_close(all(found.p_max), &numbers(&expected["p_max"]), "max-T");
            assert_close(found.max, &numbers(&expected["max"]), "largest");
            assert_close(all(found.chance), &numbers(&expected["chance"]), "chance");
            let discoveries = false_discovery(&p, 0.3).expect("valid");
            assert_close(discoveries.adjusted, &numbers(&expected["adjusted"]), "adjusted");
            let rejected = discoveries.rejected.into_iter().map(|rejected| f64::from(u8::from(rejected)));
            assert_close(rejected, &numbers(&expected["rejected"]), "rejected");
            // The t-test takes correlations in f64.
            let r = ItemScores::from(numbers(&problem["r"]));
            let student = correlation_p_values(&r, pred.nrows(), side).expect("valid");
            assert_close(all(student), &numbers(&expected["student"]), "t-test");
        }
        let subjects = &problem["subjects"];
        let found = over_subjects(&numbers(&subjects["values"])).expect("several");
        assert_close([found.mean, found.low, found.high, found.p], &numbers(&subjects["found"]), "subjects");
    }
}

#[test]
fn unique_common_and_product_parts_with_intervals_are_those_of_loops_in_numpy() {
    for problem in partition() {
        let n = problem["n_spaces"].as_u64().expect("a number") as usize;
        let block: Vec<usize> = numbers(&problem["block"]).into_iter().map(|block| block as usize).collect();
        let counts = numbers(&problem["counts"]);
        let n_blocks = block.iter().max().expect("blocks") + 1;
        let counts = Array2::from_shape_vec((counts.len() / n_blocks, n_blocks), counts).expect("whole draws");
        let resampling = Resampling::from_counts(block, counts).expect("valid");
        let truth = matrix(&problem["truth"], 2);
        let models = matrices(&problem["models"]);
        let names = &["a", "b", "c", "d"][..n];
        let regions = [Some(0), Some(0)];

        let wanted: Vec<ArrayView2<'_, f32>> = sets_for_unique(n).iter().map(|set| models[set - 1].view()).collect();
        let (named, unique) = unique_parts(truth.view(), &wanted, names, &regions, &resampling).expect("fits");
        assert_estimates(&unique.units, &problem["unique"], "unique parts");
        assert_estimates(&[vec![unique.regions[0][0]]], &serde_json::json!([problem["region"]]), "the region");
        assert_eq!((named[0].name.as_str(), named[n].name.as_str()), ("unique_r2:a", "unique_r:a"));

        let parts = commonality(names).expect("few");
        let found = contrasts(truth.view(), &views(&models), &parts, &regions, &resampling).expect("fits");
        assert_estimates(&found.units, &problem["commonality"], "commonality");

        let shares: Vec<Array2<f32>> = matrices(&problem["parts"]).into_iter().map(|part| part * 0.5).collect();
        let found = product_measure(truth.view(), &views(&shares), &regions, &resampling).expect("fits");
        assert_estimates(&found.units, &problem["product"], "product measure");

        let profile = Profile { measure: Measure::R, ceiling: None, least_ceiling: 0.0 };
        let found = best(truth.view(), &views(&models), &profile, &[None, None], &resampling).expect("fits");
        for (found, expected) in found.units.iter().zip(problem["best"].as_array().expect("units")) {
            assert_close(found.clone().expect("defined").probability, &numbers(expected), "best");
        }
        let repeats = matrices(&problem["repeats"]);
        let found = explainable_variance(&views(&repeats)).expect("fits");
        assert_close(all(found.values), &numbers(&problem["explainable"]), "explainable variance");
    }
}

#[test]
fn noise_ceilings_and_r2_about_zero_are_those_of_loops_in_numpy() {
    let labels = |value: &Value| -> Vec<usize> { numbers(value).into_iter().map(|label| label as usize).collect() };
    let cases = problems(include_str!("../data/encoding/ceiling.json"));
    assert_eq!(cases.len(), 20);
    for problem in cases {
        let units = problem["units"].as_u64().expect("a number") as usize;
        let (z, predicted) = (matrix(&problem["z"], units), matrix(&problem["predicted"], units));
        let (label, repeats) = (labels(&problem["label"]), labels(&problem["repeats"]));
        let ratios = all(ncsnr(z.view(), &label, 3).expect("three repeats").values);
        assert_close(ratios.clone(), &numbers(&problem["ncsnr"]), "ncsnr");
        assert_close(ratios.iter().map(|ratio| ceiling(*ratio, 1)), &numbers(&problem["single"]), "one repeat");
        assert_close(ratios.iter().map(|ratio| ceiling(*ratio, 3)), &numbers(&problem["thrice"]), "three repeats");
        let mixed = ratios.iter().map(|ratio| ceiling_mixed(*ratio, &repeats).expect("stimuli"));
        assert_close(mixed, &numbers(&problem["mixed"]), "unequal repeats");

        let weights = numbers(&problem["weights"]);
        let draws = Array2::from_shape_vec((weights.len() / repeats.len(), repeats.len()), weights).expect("draws");
        let resampling = Resampling::from_counts(label, draws).expect("valid");
        let r2 = [Contrast { name: "r2".to_owned(), measure: Measure::R2AboutZero, weights: vec![1.0] }];
        let found = contrasts(z.view(), &[predicted.view()], &r2, &vec![None; units], &resampling).expect("fits");
        let of = |part: fn(&Estimate) -> f64| -> Vec<f64> {
            found.units[0].iter().map(|found| part(found.as_ref().expect("defined"))).collect()
        };
        assert_close(of(|found| found.value), &numbers(&problem["r2"]), "R²");
        assert_close(of(|found| found.low), &numbers(&problem["interval"][0]), "low end");
        assert_close(of(|found| found.high), &numbers(&problem["interval"][1]), "high end");
    }
}

#[test]
fn contrasts_do_not_depend_on_threads() {
    let noise = |name: &str| {
        let values = percept_core::Seed::new(3).named(name).normal(90 * 70);
        Array2::from_shape_vec((90, 70), values).expect("fits")
    };
    let (y, p) = (noise("y"), noise("p"));
    let run: Vec<usize> = (0..90).map(|sample| sample / 30).collect();
    let resampling = Resampling::blocks(&run, 5, 40, percept_core::Seed::new(1)).expect("fits");
    let score = [Contrast { name: "r2".to_owned(), measure: Measure::R2, weights: vec![1.0] }];
    let regions: Vec<Option<usize>> = (0..70).map(|unit| Some(unit % 3)).collect();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| contrasts(y.view(), &[p.view()], &score, &regions, &resampling).expect("fits"))
    };
    assert_eq!(on(1), on(3));
}
