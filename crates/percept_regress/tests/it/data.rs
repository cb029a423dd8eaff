//! Small random problems.

use ndarray::{Array1, Array2, Axis};
use percept_core::Seed;

/// Standard normal numbers.
pub(crate) fn normal(name: &str, rows: usize, columns: usize) -> Array2<f64> {
    let mut draw = percept_core::seed::Normal::new(Seed::new(11).named(name).stream());
    Array2::from_shape_simple_fn((rows, columns), || draw.draw())
}

/// Targets made of features and noise.
pub(crate) fn targets(name: &str, x: &Array2<f64>, n_targets: usize) -> Array2<f64> {
    let weights = normal(&format!("{name} weights"), x.ncols(), n_targets);
    x.dot(&weights) + normal(&format!("{name} noise"), x.nrows(), n_targets) * 0.7
}

/// Solves a·b = c for symmetric positive definite a by Gaussian elimination with pivoting: slow and obvious.
pub(crate) fn solve(mut a: Array2<f64>, mut c: Array2<f64>) -> Array2<f64> {
    let n = a.nrows();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[(i, k)].abs().total_cmp(&a[(j, k)].abs())).expect("rows left");
        for j in 0..n {
            a.swap((k, j), (pivot, j));
        }
        for j in 0..c.ncols() {
            c.swap((k, j), (pivot, j));
        }
        for i in 0..n {
            if i != k {
                let factor = a[(i, k)] / a[(k, k)];
                for j in k..n {
                    a[(i, j)] -= factor * a[(k, j)];
                }
                for j in 0..c.ncols() {
                    c[(i, j)] -= factor * c[(k, j)];
                }
            }
        }
    }
    for i in 0..n {
        for j in 0..c.ncols() {
            c[(i, j)] /= a[(i, i)];
        }
    }
    c
}

/// Ridge with unpenalised intercept: (coefficients, intercepts). By the normal equations of [1 X], or by the kernel of
/// centred samples where features outnumber samples, whichever is the better conditioned.
pub(crate) fn slow_ridge(x: &Array2<f64>, y: &Array2<f64>, alpha: f64, intercept: bool) -> (Array2<f64>, Array1<f64>) {
    let (n, p) = x.dim();
    if p >= n {
        let mean = |a: &Array2<f64>| {
            if intercept { a.mean_axis(Axis(0)).expect("rows") } else { Array1::zeros(a.ncols()) }
        };
        let (x_mean, y_mean) = (mean(x), mean(y));
        let centred = x - &x_mean;
        let kernel = centred.dot(&centred.t()) + Array2::<f64>::eye(n) * alpha;
        let coefficients = centred.t().dot(&solve(kernel, y - &y_mean));
        let offset = y_mean - x_mean.dot(&coefficients);
        return (coefficients, offset);
    }
    let extra = usize::from(intercept);
    let mut design = Array2::ones((n, p + extra));
    design.slice_mut(ndarray::s![.., extra..]).assign(x);
    let mut gram = design.t().dot(&design);
    for j in extra..p + extra {
        gram[(j, j)] += alpha;
    }
    let solution = solve(gram, design.t().dot(y));
    let offset = if intercept { solution.row(0).to_owned() } else { Array1::zeros(y.ncols()) };
    (solution.slice(ndarray::s![extra.., ..]).to_owned(), offset)
}

/// Largest absolute difference.
pub(crate) fn difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    assert_eq!(a.dim(), b.dim());
    (a - b).iter().fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// A text table: one row per line, numbers parted by blanks.
pub(crate) fn parse(text: &str) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = text
        .lines()
        .map(|line| line.split_whitespace().map(|word| word.parse().expect("a number")).collect())
        .collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}
