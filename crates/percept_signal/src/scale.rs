//! Scales of signals: running z-scores that do not drift, z-scores of a whole vector, ranks to a normal distribution.

use ndarray::Array2;

/// A z-score per channel by what came before, with a fading memory.
///
/// Mean and variance are updated as m ← m + a(x − m), v ← (1 − a)(v + a(x − m)²): errors of rounding fade like the samples, so
/// nothing drifts however long it runs (sums to which samples are added and from which old ones are taken away do).
#[derive(Clone, Debug, PartialEq)]
pub struct RunningZscore {
    weight: f64,
    seen: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl RunningZscore {
    /// A memory of `samples` samples: what is older than that weighs less than 1/e.
    pub fn new(n_channels: usize, samples: f64) -> Self {
        Self { weight: 1.0 / samples.max(1.0), seen: 0.0, mean: vec![0.0; n_channels], variance: vec![0.0; n_channels] }
    }

    /// Replaces samples by their z-scores; any cut into blocks gives the same bits. Channels that never changed are 0.
    ///
    /// # Shapes
    /// n_samples × n_channels.
    pub fn push(&mut self, block: &mut Array2<f64>) {
        for mut row in block.rows_mut() {
            // At the start all samples weigh the same.
            self.seen += 1.0;
            let a = self.weight.max(1.0 / self.seen);
            for ((value, mean), variance) in row.iter_mut().zip(&mut self.mean).zip(&mut self.variance) {
                let off = *value - *mean;
                *mean += a * off;
                *variance = (1.0 - a) * (*variance + a * off * off);
                *value = if *variance > 0.0 { (*value - *mean) / variance.sqrt() } else { 0.0 };
            }
        }
    }
}

/// (x − mean) / deviation of all values together, with the population's deviation; zeros where all are the same.
pub fn zscore_whole(values: &mut [f64]) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
    for value in values {
        *value = if deviation > 0.0 { (*value - mean) / deviation } else { 0.0 };
    }
}

/// Replaces each value by the normal quantile of its rank: (rank − ½) / n, equal values sharing the mean of their ranks.
/// Whatever the distribution was, it is standard normal then.
pub fn gaussian_ranks(values: &mut [f64]) {
    let n = values.len();
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
    let mut start = 0;
    let mut ranks = vec![0.0; n];
    while start < n {
        let value = values[order[start] as usize];
        let end = start + order[start..].iter().take_while(|i| values[**i as usize] == value).count().max(1);
        let rank = (start + end) as f64 / 2.0;
        for i in &order[start..end] {
            ranks[*i as usize] = normal_quantile(rank / n as f64);
        }
        start = end;
    }
    values.copy_from_slice(&ranks);
}

/// The quantile of the standard normal distribution (Wichura 1988, algorithm AS 241: 16 digits).
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_854,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let ratio = |top: &[f64; 8], bottom: &[f64; 8], x: f64| {
        let sum = |terms: &[f64; 8]| terms.iter().rev().fold(0.0, |sum, term| sum * x + term);
        sum(top) / sum(bottom)
    };
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        return q * ratio(&A, &B, 0.180_625 - q * q);
    }
    let r = (-p.min(1.0 - p).ln()).sqrt();
    let tail = if r <= 5.0 { ratio(&C, &D, r - 1.6) } else { ratio(&E, &F, r - 5.0) };
    if q < 0.0 { -tail } else { tail }
}
