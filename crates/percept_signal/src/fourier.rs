//! The discrete Fourier transform of any length, for spectra and surrogates.
//!
//! Lengths with small prime factors are split into them (Cooley & Tukey 1965); a factor that is larger goes by a convolution of
//! a power of two (Bluestein 1970). In f64; agrees with NumPy's `fft` to rounding.

use std::f64::consts::{PI, TAU};

/// A complex number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// The real part.
    pub re: f64,
    /// The imaginary part.
    pub im: f64,
}

impl Complex {
    /// A number from its parts.
    pub fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// The number of length 1 at an angle.
    pub fn turn(angle: f64) -> Self {
        Self { re: angle.cos(), im: angle.sin() }
    }

    /// The number with its imaginary part turned around.
    pub fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// The square of its length.
    pub fn square(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    /// Its length.
    pub fn length(self) -> f64 {
        self.re.hypot(self.im)
    }

    /// Its angle.
    pub fn angle(self) -> f64 {
        self.im.atan2(self.re)
    }

    /// A root whose real part is not negative.
    pub fn root(self) -> Self {
        let length = self.length();
        let re = f64::midpoint(length, self.re).max(0.0).sqrt();
        let im = ((length - self.re) / 2.0).max(0.0).sqrt();
        Self { re, im: if self.im < 0.0 { -im } else { im } }
    }

    /// The number times a real one.
    pub fn times(self, factor: f64) -> Self {
        Self { re: self.re * factor, im: self.im * factor }
    }
}

impl std::ops::Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl std::ops::Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl std::ops::Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

impl std::ops::Div for Complex {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        (self * other.conj()).times(1.0 / other.square())
    }
}

/// Prime factors up to this are transformed as sums.
const SMALL: usize = 31;

/// A transform of one length, with its table of angles.
pub struct Fourier {
    n: usize,
    factors: Vec<usize>,
    roots: Vec<Complex>,
    large: Option<Box<Large>>,
}

/// What a length with a large prime factor needs.
struct Large {
    inner: Fourier,
    chirp: Vec<Complex>,
    kernel: Vec<Complex>,
}

impl Fourier {
    /// A transform of `n` numbers.
    pub fn new(n: usize) -> Self {
        let (factors, rest) = factors(n.max(1));
        let roots = (0..n).map(|k| Complex::turn(-TAU * k as f64 / n as f64)).collect();
        let large = (rest > 1).then(|| Box::new(Large::new(n)));
        Self { n, factors, roots, large }
    }

    /// `X[k] = Σ x[j] exp(−2πi jk / n)`.
    ///
    /// # Shapes
    /// Exactly as many numbers as the transform was made for; others are left as they are.
    pub fn forward(&self, values: &mut [Complex]) {
        if values.len() != self.n || self.n < 2 {
            return;
        }
        if let Some(large) = &self.large {
            return large.forward(values);
        }
        let input = values.to_vec();
        self.split(&input, 0, 1, values, &self.factors);
    }

    /// The inverse, without the division by n.
    pub fn backward(&self, values: &mut [Complex]) {
        for value in values.iter_mut() {
            *value = value.conj();
        }
        self.forward(values);
        for value in values.iter_mut() {
            *value = value.conj();
        }
    }

    /// Transforms every `stride`-th number from `start` on into `out`.
    fn split(&self, input: &[Complex], start: usize, stride: usize, out: &mut [Complex], factors: &[usize]) {
        let Some((&radix, rest)) = factors.split_first() else {
            out[0] = input[start];
            return;
        };
        let m = out.len() / radix;
        for (r, part) in out.chunks_exact_mut(m).enumerate() {
            self.split(input, start + r * stride, stride * radix, part, rest);
        }
        let mut column = [Complex::default(); SMALL];
        for k in 0..m {
            for (r, value) in column[..radix].iter_mut().enumerate() {
                *value = out[r * m + k] * self.roots[r * k * stride];
            }
            for q in 0..radix {
                let step = q * (self.n / radix);
                let mut sum = column[0];
                let mut at = 0;
                for value in &column[1..radix] {
                    at += step;
                    if at >= self.n {
                        at -= self.n;
                    }
                    sum = sum + *value * self.roots[at];
                }
                out[q * m + k] = sum;
            }
        }
    }
}

impl Large {
    fn new(n: usize) -> Self {
        let length = (2 * n - 1).next_power_of_two();
        // k² counted around 2n, so that the angle is exact for any n.
        let chirp: Vec<Complex> =
            (0..n as u64).map(|k| Complex::turn(-PI * (k * k % (2 * n as u64)) as f64 / n as f64)).collect();
        let inner = Fourier::new(length);
        let mut kernel = vec![Complex::default(); length];
        for (k, value) in chirp.iter().enumerate() {
            kernel[k] = value.conj();
            kernel[(length - k) % length] = value.conj();
        }
        inner.forward(&mut kernel);
        Self { inner, chirp, kernel }
    }

    fn forward(&self, values: &mut [Complex]) {
        let length = self.kernel.len();
        let mut work = vec![Complex::default(); length];
        for ((to, from), chirp) in work.iter_mut().zip(values.iter()).zip(&self.chirp) {
            *to = *from * *chirp;
        }
        self.inner.forward(&mut work);
        work.iter_mut().zip(&self.kernel).for_each(|(value, kernel)| *value = *value * *kernel);
        self.inner.backward(&mut work);
        for ((to, from), chirp) in values.iter_mut().zip(&work).zip(&self.chirp) {
            *to = (*from * *chirp).times(1.0 / length as f64);
        }
    }
}

/// The small prime factors of a number, and what is left.
fn factors(mut n: usize) -> (Vec<usize>, usize) {
    let mut found = Vec::new();
    for factor in std::iter::once(4).chain(2..=SMALL) {
        while n.is_multiple_of(factor) {
            found.push(factor);
            n /= factor;
        }
    }
    (found, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_the_sum_that_it_stands_for_and_goes_back() {
        for n in [1, 2, 3, 4, 5, 8, 12, 30, 31, 37, 60, 74, 97, 125, 128, 250] {
            let signal: Vec<Complex> =
                (0..n).map(|i| Complex::new(((i * 7919) % 101) as f64 - 50.0, ((i * 31) % 17) as f64)).collect();
            let fourier = Fourier::new(n);
            let mut found = signal.clone();
            fourier.forward(&mut found);
            for (k, found) in found.iter().enumerate() {
                let mut sum = Complex::default();
                for (j, value) in signal.iter().enumerate() {
                    sum = sum + *value * Complex::turn(-TAU * ((j * k) % n) as f64 / n as f64);
                }
                assert!((*found - sum).length() < 1e-9 * n as f64, "{n} {k}");
            }
            fourier.backward(&mut found);
            for (found, value) in found.iter().zip(&signal) {
                assert!((found.times(1.0 / n as f64) - *value).length() < 1e-10, "{n}");
            }
        }
    }
}
