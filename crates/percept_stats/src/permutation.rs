//! What a correlation between a series and its prediction is worth when neighbours in time resemble each other.
//!
//! A t-test counts samples as independent, which those of a slow signal are not, so it finds far too much. Here the series is put into
//! other orders that keep its own slowness: blocks of samples change places within their run, or each run is turned around as a
//! ring. One set of orders serves all units, so that the largest correlation of an order over all units is known too (max-T):
//! its distribution controls the chance of a single false discovery anywhere.
//!
//! p = (1 + b) / (1 + B) is never 0, and with too few orders it is never small enough; [`Permutations::resolution`] says so before
//! anything is computed.
//!
//! References: Phipson and Smyth 2010, doi:10.2202/1544-6115.1585; Nichols and Holmes 2002, doi:10.1002/hbm.1058 (max-T);
//! Nakagi and others 2024, EMNLP (blocks of 10 volumes).

use ndarray::{ArrayView2, Axis, s};
use percept_core::Seed;
use percept_core::seed::permutation;
use pulp::{Simd, WithSimd};
use rand::Rng;
use rayon::prelude::*;

use crate::ItemScores;
use crate::error::{StatsError, at_least, finite, same_shape};
use crate::significance::Side;

/// Units handled by one task, as many as a vector register holds.
const WIDTH: usize = 16;
/// Orders that are summed together, so that a prediction is read once for all of them.
const TOGETHER: usize = 4;
/// Samples summed in f32 before they are added in f64.
const SHORT_SUM: usize = 128;
/// Bins of the histogram of null correlations over −1..=1.
pub const N_BINS: usize = 200;

/// How a series is put into another order within each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shuffle {
    /// Stretches of `length` samples change places; the last stretch of a run may be shorter. What series and prediction have in
    /// common across the cuts is lost, so stretches should be some ten times as long as the series remembers; shorter ones find too much.
    Blocks {
        /// Samples of a stretch.
        length: usize,
    },
    /// Each run is turned as a ring, by any number of samples from 0 on. Keeps all of the series' slowness but at one seam. Small
    /// shifts belong to it: their correlations resemble the one that is tested, and a null without them is too narrow.
    Shifts,
}

/// Orders of samples, the same for all units.
#[derive(Clone, Debug, PartialEq)]
pub struct Permutations {
    n_samples: usize,
    orders: Vec<Vec<u32>>,
    /// How many different orders there are to draw from.
    n_possible: f64,
}

/// What a set of orders can find.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// The smallest p-value.
    pub smallest_p: f64,
    /// Benjamini and Hochberg's procedure can only reject at least so many tests together.
    pub fewest: usize,
}

impl Permutations {
    /// Draws `n_orders` orders. A run is a stretch of samples with one label.
    ///
    /// # Errors
    /// [`StatsError::Run`] for a run that is too short to be put into another order, [`StatsError::TooFew`] for no orders or samples,
    /// [`StatsError::Range`] for blocks of length 0.
    pub fn new(run_of_sample: &[usize], shuffle: Shuffle, n_orders: usize, seed: Seed) -> Result<Self, StatsError> {
        at_least("permutations", 1, n_orders)?;
        at_least("samples", 2, run_of_sample.len())?;
        let runs = stretches(run_of_sample);
        let mut log_possible = 0.0;
        for (run, length) in &runs {
            let (needed, log_of_run) = match shuffle {
                Shuffle::Blocks { length: 0 } => {
                    return Err(StatsError::Range { what: "length of blocks", value: 0.0, range: "1.." });
                }
                Shuffle::Blocks { length: block } => (block + 1, libm::lgamma(length.div_ceil(block) as f64 + 1.0)),
                Shuffle::Shifts => (2, (*length as f64).ln()),
            };
            if *length < needed {
                return Err(StatsError::Run { run: *run, samples: *length, needed });
            }
            log_possible += log_of_run;
        }
        let orders = (0..n_orders as u64)
            .into_par_iter()
            .map(|draw| {
                let mut order = Vec::with_capacity(run_of_sample.len());
                for (number, (_, length)) in runs.iter().enumerate() {
                    let start = order.len();
                    let own = order_of_run(*length, shuffle, seed.at(draw).at(number as u64));
                    order.extend(own.into_iter().map(|sample| (start + sample) as u32));
                }
                order
            })
            .collect();
        Ok(Self { n_samples: run_of_sample.len(), orders, n_possible: log_possible.exp() })
    }

    /// Orders made elsewhere, each holding every sample once.
    ///
    /// # Errors
    /// [`StatsError::TooFew`] for no orders; [`StatsError::Range`] for one that is not an order of all samples.
    pub fn from_orders(orders: Vec<Vec<u32>>) -> Result<Self, StatsError> {
        at_least("permutations", 1, orders.len())?;
        let n_samples = orders[0].len();
        for order in &orders {
            let mut seen = vec![false; n_samples];
            let valid = order.len() == n_samples
                && order
                    .iter()
                    .all(|&sample| seen.get_mut(sample as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
            if !valid {
                let value = order.len() as f64;
                return Err(StatsError::Range { what: "an order", value, range: "every sample once" });
            }
        }
        Ok(Self { n_samples, orders, n_possible: f64::INFINITY })
    }

    /// Number of orders.
    pub fn len(&self) -> usize {
        self.orders.len()
    }

    /// Whether there are none; never.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The orders: which sample stands at each place.
    pub fn orders(&self) -> &[Vec<u32>] {
        &self.orders
    }

    /// What these orders can find among `n_tests` tests at false discovery rate `rate`.
    ///
    /// # Errors
    /// [`StatsError::TooFewPermutations`] when nothing can be rejected, whatever the data are: (1 + B) · rate < 1, where B is the
    /// number of orders or, if smaller, of different orders that the runs allow.
    pub fn resolution(&self, n_tests: usize, rate: f64) -> Result<Resolution, StatsError> {
        at_least("tests", 1, n_tests)?;
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(StatsError::Range { what: "rate", value: rate, range: "(0, 1]" });
        }
        let different = (self.orders.len() as f64).min(self.n_possible.max(1.0).floor());
        let smallest_p = 1.0 / (1.0 + different);
        // Rounding must not ask for one more than an exact division gives.
        let needed = ((1.0 / rate - 1.0) - 1e-9).ceil().max(1.0) as usize;
        if different < needed as f64 {
            return Err(StatsError::TooFewPermutations { got: different as usize, needed, rate });
        }
        let fewest = ((n_tests as f64 * smallest_p / rate - 1e-9).ceil() as usize).max(1);
        Ok(Resolution { smallest_p, fewest })
    }
}

/// Labels and lengths of the stretches of equal labels.
fn stretches(run_of_sample: &[usize]) -> Vec<(usize, usize)> {
    run_of_sample.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect()
}

fn order_of_run(length: usize, shuffle: Shuffle, seed: Seed) -> Vec<usize> {
    match shuffle {
        Shuffle::Blocks { length: block } => permutation(seed, length.div_ceil(block))
            .into_iter()
            .flat_map(|number| number * block..((number + 1) * block).min(length))
            .collect(),
        Shuffle::Shifts => {
            let shift = seed.stream().random_range(0..length as u64) as usize;
            (0..length).map(|sample| (sample + shift) % length).collect()
        }
    }
}

/// Correlations of all units, and what they are worth.
#[derive(Clone, Debug, PartialEq)]
pub struct PermutationTest {
    /// Correlation of each unit with its prediction; `None` where either is constant.
    pub r: ItemScores,
    /// p of each unit by itself.
    pub p: Vec<Option<f64>>,
    /// p over all units: the share of orders in which any unit reaches this value (max-T).
    pub p_max: Vec<Option<f64>>,
    /// The value that 5 % of the orders of this unit exceed: what chance reaches.
    pub chance: Vec<Option<f64>>,
    /// Per order the largest value over all units.
    pub max: Vec<f64>,
    /// Null correlations of all units and orders in [`N_BINS`] bins over −1..=1.
    pub histogram: Vec<u64>,
}

/// Correlation of each column of `pred` with the same column of `truth`, tested against orders of the truth. For
/// [`Side::TwoSided`] the values compared are |r|.
///
/// # Shapes
/// Both n_samples × n_units, as many samples as the orders have.
///
/// # Errors
/// As [`TestByPart::add`].
///
/// # Numerics
/// Means, lengths and sums in f64, products in f32: r agrees with f64 to 1e-7. The same bits on any number of threads.
///
/// # Performance
/// n_orders · n_samples · n_units products, 16 units and 4 orders at a time; nothing that grows with orders × units is kept.
pub fn test_columns(
    pred: ArrayView2<'_, f32>,
    truth: ArrayView2<'_, f32>,
    permutations: &Permutations,
    side: Side,
) -> Result<PermutationTest, StatsError> {
    let mut all = TestByPart::new(permutations, side);
    all.add(pred, truth)?;
    Ok(all.finish())
}

/// [`test_columns`] of units that come in parts, so that not all of them need to be in memory. How the units are parted does not matter.
pub struct TestByPart<'a> {
    permutations: &'a Permutations,
    side: Side,
    test: PermutationTest,
}

impl<'a> TestByPart<'a> {
    /// Nothing yet.
    pub fn new(permutations: &'a Permutations, side: Side) -> Self {
        let test = PermutationTest {
            r: ItemScores { values: Vec::new() },
            p: Vec::new(),
            p_max: Vec::new(),
            chance: Vec::new(),
            max: vec![f64::NEG_INFINITY; permutations.len()],
            histogram: vec![0; N_BINS],
        };
        Self { permutations, side, test }
    }

    /// Adds the next units.
    ///
    /// # Shapes
    /// Both n_samples × n_units, as many samples as the orders have.
    ///
    /// # Errors
    /// Shapes that differ, values that are not finite.
    pub fn add(&mut self, pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>) -> Result<(), StatsError> {
        same_shape(("pred", pred.shape()), ("truth", truth.shape()))?;
        same_shape(("truth", &[truth.nrows()]), ("permutations", &[self.permutations.n_samples]))?;
        finite("pred", pred)?;
        finite("truth", truth)?;
        let n_units = pred.ncols();
        let starts: Vec<usize> = (0..n_units).step_by(WIDTH).collect();
        // A few thousand tiles at a time, so that their maxima need little memory.
        for starts in starts.chunks(1024) {
            let tiles: Vec<Tile> = starts
                .par_iter()
                .map(|&start| {
                    let columns = s![.., start..(start + WIDTH).min(n_units)];
                    Tile::new(pred.slice(columns), truth.slice(columns), self.permutations, self.side)
                })
                .collect();
            for tile in tiles {
                let test = &mut self.test;
                test.r.values.extend(tile.r);
                test.p.extend(tile.p);
                test.chance.extend(tile.chance);
                test.max.iter_mut().zip(tile.max).for_each(|(max, value)| *max = max.max(value));
                test.histogram.iter_mut().zip(tile.histogram).for_each(|(sum, count)| *sum += count);
            }
        }
        Ok(())
    }

    /// What was found of all units that were added.
    pub fn finish(mut self) -> PermutationTest {
        let mut sorted = self.test.max.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let p_max = |r: &Option<f64>| {
            r.map(|r| {
                let value = self.side.statistic(r);
                (1 + sorted.len() - sorted.partition_point(|max| *max < value)) as f64 / (1 + sorted.len()) as f64
            })
        };
        self.test.p_max = self.test.r.values.iter().map(p_max).collect();
        self.test
    }
}

/// What one task finds.
struct Tile {
    r: Vec<Option<f64>>,
    p: Vec<Option<f64>>,
    chance: Vec<Option<f64>>,
    max: Vec<f64>,
    histogram: Vec<u64>,
}

type Row = [f32; WIDTH];

impl Tile {
    fn new(pred: ArrayView2<'_, f32>, truth: ArrayView2<'_, f32>, permutations: &Permutations, side: Side) -> Self {
        let n_units = pred.ncols();
        let (p, p_varies) = standard_rows(pred);
        let (y, y_varies) = standard_rows(truth);
        let given: Vec<u32> = (0..pred.nrows() as u32).collect();
        let observed = products(&p, &y, [&given; TOGETHER])[0];
        let mut nulls = vec![Vec::with_capacity(permutations.len()); n_units];
        let mut max = vec![f64::NEG_INFINITY; permutations.len()];
        let mut histogram = vec![0; N_BINS];
        for (number, orders) in permutations.orders.chunks(TOGETHER).enumerate() {
            let of = |k: usize| orders[k.min(orders.len() - 1)].as_slice();
            let found = products(&p, &y, std::array::from_fn(of));
            for (k, found) in found.iter().enumerate().take(orders.len()) {
                for unit in (0..n_units).filter(|&unit| p_varies[unit] && y_varies[unit]) {
                    let r = found[unit].clamp(-1.0, 1.0);
                    let value = side.statistic(r);
                    nulls[unit].push(value);
                    let max = &mut max[number * TOGETHER + k];
                    *max = max.max(value);
                    histogram[(((r + 1.0) * 0.5 * N_BINS as f64) as usize).min(N_BINS - 1)] += 1;
                }
            }
        }
        let mut tile = Self { r: Vec::new(), p: Vec::new(), chance: Vec::new(), max, histogram };
        for (unit, null) in nulls.iter_mut().enumerate() {
            if null.is_empty() {
                tile.r.push(None);
                tile.p.push(None);
                tile.chance.push(None);
                continue;
            }
            let r = observed[unit].clamp(-1.0, 1.0);
            let value = side.statistic(r);
            let extreme = null.iter().filter(|null| **null >= value).count();
            null.sort_unstable_by(f64::total_cmp);
            tile.r.push(Some(r));
            tile.p.push(Some((1 + extreme) as f64 / (1 + null.len()) as f64));
            tile.chance.push(Some(crate::bootstrap::quantile(null, 0.95)));
        }
        tile
    }
}

/// Columns less their mean and over their length, as rows of [`WIDTH`]; whether each varies.
fn standard_rows(values: ArrayView2<'_, f32>) -> (Vec<Row>, Vec<bool>) {
    let n = values.nrows();
    let mut rows = vec![[0.0; WIDTH]; n];
    let mut varies = Vec::with_capacity(values.ncols());
    for (unit, column) in values.axis_iter(Axis(1)).enumerate() {
        let mean = column.iter().map(|&value| f64::from(value)).sum::<f64>() / n as f64;
        let square: f64 = column.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
        let differs = column.iter().any(|value| *value != column[0]) && square > 0.0;
        varies.push(differs);
        if differs {
            let scale = 1.0 / square.sqrt();
            for (row, &value) in rows.iter_mut().zip(column) {
                row[unit] = ((f64::from(value) - mean) * scale) as f32;
            }
        }
    }
    (rows, varies)
}

/// Σ p[t]·y[order[t]] of every unit for a few orders.
fn products(p: &[Row], y: &[Row], orders: [&[u32]; TOGETHER]) -> [[f64; WIDTH]; TOGETHER] {
    pulp::Arch::new().dispatch(Products { p, y, orders })
}

struct Products<'a> {
    p: &'a [Row],
    y: &'a [Row],
    orders: [&'a [u32]; TOGETHER],
}

impl WithSimd for Products<'_> {
    type Output = [[f64; WIDTH]; TOGETHER];

    // Must be inlined where the widest vector instructions are allowed.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let mut sums = [[0.0f64; WIDTH]; TOGETHER];
        let n = self.p.len();
        let mut start = 0;
        while start < n {
            let end = (start + SHORT_SUM).min(n);
            let mut short = [[0.0f32; WIDTH]; TOGETHER];
            let [a, b, c, d] = self.orders.map(|order| &order[start..end]);
            for ((((p, &a), &b), &c), &d) in self.p[start..end].iter().zip(a).zip(b).zip(c).zip(d) {
                let rows = [&self.y[a as usize], &self.y[b as usize], &self.y[c as usize], &self.y[d as usize]];
                for k in 0..TOGETHER {
                    for unit in 0..WIDTH {
                        short[k][unit] += p[unit] * rows[k][unit];
                    }
                }
            }
            for k in 0..TOGETHER {
                for unit in 0..WIDTH {
                    sums[k][unit] += f64::from(short[k][unit]);
                }
            }
            start = end;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn orders_stay_within_their_run_and_keep_stretches_whole() {
        let run: Vec<usize> = [(3, 23), (1, 40), (9, 17)].iter().flat_map(|&(run, n)| vec![run; n]).collect();
        for shuffle in [Shuffle::Blocks { length: 5 }, Shuffle::Shifts] {
            let found = Permutations::new(&run, shuffle, 50, Seed::new(3)).expect("fits");
            assert_eq!(Permutations::from_orders(found.orders().to_vec()).expect("orders").len(), 50);
            for order in found.orders() {
                assert!(order.iter().enumerate().all(|(place, &sample)| run[place] == run[sample as usize]));
                let breaks = order.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
                // Neighbours stay neighbours but at the ends of stretches: at most 5 + 8 + 4 of them, or a ring's end per run.
                assert!(breaks <= if shuffle == Shuffle::Shifts { 5 } else { 16 }, "{breaks}");
            }
        }
        let error = Permutations::new(&[0, 0, 0, 7, 7], Shuffle::Blocks { length: 2 }, 9, Seed::new(1));
        assert_eq!(error, Err(StatsError::Run { run: 7, samples: 2, needed: 3 }));
        assert!(Permutations::from_orders(vec![vec![0, 1, 1]]).is_err());
    }

    #[test]
    fn too_few_orders_to_reject_anything_are_an_error() {
        let run = vec![0; 400];
        let of = |n| Permutations::new(&run, Shuffle::Blocks { length: 10 }, n, Seed::new(1)).expect("fits");
        assert_eq!(
            of(18).resolution(100, 0.05),
            Err(StatsError::TooFewPermutations { got: 18, needed: 19, rate: 0.05 })
        );
        assert_eq!(of(19).resolution(100, 0.05), Ok(Resolution { smallest_p: 0.05, fewest: 100 }));
        assert_eq!(of(999).resolution(60_000, 0.05).expect("enough").fewest, 1200);
        // A thousand orders of three blocks are six different ones.
        let few = Permutations::new(&[0; 30], Shuffle::Blocks { length: 10 }, 1000, Seed::new(1)).expect("fits");
        assert!(matches!(few.resolution(10, 0.05), Err(StatsError::TooFewPermutations { got: 5 | 6, .. })));
    }

    #[test]
    fn constant_units_have_no_p_and_threads_do_not_matter() {
        let noise =
            |name: &str| Array2::from_shape_vec((120, 37), Seed::new(5).named(name).normal(120 * 37)).expect("fits");
        let (mut pred, truth) = (noise("pred"), noise("truth"));
        pred.column_mut(20).fill(2.0);
        let run: Vec<usize> = (0..120).map(|sample| sample / 40).collect();
        let orders = Permutations::new(&run, Shuffle::Blocks { length: 4 }, 61, Seed::new(2)).expect("fits");
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| test_columns(pred.view(), truth.view(), &orders, Side::Greater).expect("fits"))
        };
        let found = on(1);
        assert_eq!(found, on(4));
        let mut parted = TestByPart::new(&orders, Side::Greater);
        for units in [0..5, 5..33, 33..37] {
            let of = |values: &Array2<f32>| values.slice(s![.., units.clone()]).to_owned();
            parted.add(of(&pred).view(), of(&truth).view()).expect("fits");
        }
        assert_eq!(found, parted.finish());
        assert_eq!((found.r.undefined(), found.p[20], found.p_max[20]), (vec![20], None, None));
        assert_eq!(found.histogram.iter().sum::<u64>(), 36 * 61);
        assert!(found.p.iter().flatten().all(|p| *p >= 1.0 / 62.0));
        assert!(found.p.iter().zip(&found.p_max).all(|(p, p_max)| p <= p_max));
    }
}
