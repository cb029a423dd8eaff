//! A simulated rat's local field potential: what `percept stream` shows when nobody has a recording at hand.
//!
//! Three states follow each other at random: awake and moving (theta of 7–8 Hz with its harmonic, gamma that rides on it), slow-wave
//! sleep (slow waves below 2 Hz, sharp waves with ripples of 160 Hz), and REM sleep (a purer, faster theta). Below all of
//! them lies noise with a spectrum of 1/f. Channels are depths along a shank: theta turns its phase from one end to the other,
//! sharp waves turn their sign, noise is shared by neighbours. Amplitudes are those of rat cortex and hippocampus in round
//! numbers, not a model of any one recording.
//!
//! Sample by sample from named random streams: any cut into blocks gives the same bits.

use ndarray::Array2;
use percept_core::Seed;
use percept_core::seed::{Normal, Stream};
use rand::Rng;

const TAU: f64 = std::f64::consts::TAU;
/// Time constants of the noise, in seconds: a sum of such leaky integrators has a spectrum of about 1/f from 0.1 to 60 Hz.
const LEAKS: [f64; 5] = [1.6, 0.4, 0.1, 0.025, 0.006];

/// What the rat is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatState {
    /// Awake and moving.
    Wake,
    /// Slow-wave sleep.
    SlowWave,
    /// Sleep with rapid eye movements.
    Rem,
}

impl RatState {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wake => "wake",
            Self::SlowWave => "slow-wave sleep",
            Self::Rem => "REM sleep",
        }
    }

    /// Amplitudes in volts: theta, slow waves, gamma; theta's frequency in Hz; sharp waves per second.
    fn rhythm(self) -> [f64; 5] {
        match self {
            Self::Wake => [180e-6, 30e-6, 30e-6, 7.6, 0.0],
            Self::SlowWave => [15e-6, 320e-6, 10e-6, 6.0, 0.8],
            Self::Rem => [220e-6, 20e-6, 18e-6, 8.2, 0.0],
        }
    }

    /// Shortest and longest stay, in seconds.
    fn stay(self) -> [f64; 2] {
        match self {
            Self::Wake => [12.0, 30.0],
            Self::SlowWave => [15.0, 40.0],
            Self::Rem => [8.0, 20.0],
        }
    }
}

/// The rat.
pub struct Rat {
    rate_hz: f64,
    state: RatState,
    seconds_left: f64,
    /// Theta, slow waves, gamma, their frequencies and rates, on their way to those of the state.
    rhythm: [f64; 5],
    theta: f64,
    slow: f64,
    gamma: f64,
    /// Seconds since the last sharp wave, and its size.
    sharp: (f64, f64),
    /// Per leak, per source of noise.
    leaks: Vec<[f64; LEAKS.len()]>,
    choices: Stream,
    jitter: Normal,
    noise: Normal,
}

impl Rat {
    /// A rat with `n_channels` electrodes, at `rate_hz` samples per second.
    pub fn new(n_channels: usize, rate_hz: f64, seed: Seed) -> Self {
        let seed = seed.named("rat");
        Self {
            rate_hz,
            state: RatState::Wake,
            seconds_left: 15.0,
            rhythm: RatState::Wake.rhythm(),
            theta: 0.0,
            slow: 0.0,
            gamma: 0.0,
            sharp: (f64::INFINITY, 0.0),
            leaks: vec![[0.0; LEAKS.len()]; n_channels],
            choices: seed.named("states").stream(),
            jitter: Normal::new(seed.named("jitter").stream()),
            noise: Normal::new(seed.named("noise").stream()),
        }
    }

    /// What it is doing at the moment.
    pub fn state(&self) -> RatState {
        self.state
    }

    /// The next samples, in volts.
    ///
    /// # Shapes
    /// n × n_channels.
    pub fn next_block(&mut self, n: usize) -> Array2<f64> {
        let mut out = Array2::zeros((n, self.leaks.len()));
        for mut row in out.rows_mut() {
            self.turn();
            let depth_step = 1.0 / (self.leaks.len().max(2) - 1) as f64;
            let (sharp, ripple) = self.sharp_wave();
            let [theta, slow, gamma, ..] = self.rhythm;
            let mut above = 0.0;
            for (channel, value) in row.iter_mut().enumerate() {
                let depth = channel as f64 * depth_step;
                let phase = self.theta - 0.5 * TAU * depth;
                // Sharper at its crest than in its trough, as theta is.
                let theta_wave = theta * (phase.sin() + 0.25 * (2.0 * phase + 0.6).sin()) * (0.5 + 0.5 * depth);
                let slow_wave = slow * (self.slow - 0.3 * depth).sin() * (1.0 - 0.4 * depth);
                let gamma_wave = gamma * (0.5 + 0.5 * phase.cos()) * (self.gamma + 2.0 * depth).sin();
                let own = self.background(channel);
                let shared = 0.6 * above + 0.8 * own;
                above = shared;
                *value =
                    theta_wave + slow_wave + gamma_wave + sharp * (1.0 - 2.0 * depth) + ripple * (1.0 - depth) + shared;
            }
        }
        out
    }

    /// One sample further in time.
    fn turn(&mut self) {
        let step = 1.0 / self.rate_hz;
        self.seconds_left -= step;
        if self.seconds_left <= 0.0 {
            self.state = match (self.state, self.choices.random_bool(0.6)) {
                (RatState::Wake, _) | (RatState::Rem, false) => RatState::SlowWave,
                (RatState::SlowWave, true) => RatState::Rem,
                _ => RatState::Wake,
            };
            let [short, long] = self.state.stay();
            self.seconds_left = short + (long - short) * self.choices.random::<f64>();
        }
        // The rhythm follows the state within a second.
        for (now, goal) in self.rhythm.iter_mut().zip(self.state.rhythm()) {
            *now += (goal - *now) * step;
        }
        let wobble = |normal: &mut Normal, width: f64| normal.draw() * width * step.sqrt();
        self.theta = (self.theta + TAU * self.rhythm[3] * step + wobble(&mut self.jitter, 0.9)) % TAU;
        self.slow = (self.slow + TAU * 1.1 * step + wobble(&mut self.jitter, 1.2)) % TAU;
        self.gamma = (self.gamma + TAU * 55.0 * step + wobble(&mut self.jitter, 9.0)) % TAU;
        self.sharp.0 += step;
        if self.choices.random::<f64>() < self.rhythm[4] * step {
            self.sharp = (0.0, 0.6 + 0.8 * self.choices.random::<f64>());
        }
    }

    /// The sharp wave of this moment, and the ripple on it.
    fn sharp_wave(&self) -> (f64, f64) {
        let (since, size) = self.sharp;
        let after = since - 0.06;
        if after > 0.2 {
            return (0.0, 0.0);
        }
        let wave = size * (-(after * after) / (2.0 * 0.018f64.powi(2))).exp();
        // Where the rate is too low for ripples there are none, rather than false ones.
        let ripple = if self.rate_hz > 400.0 { 90e-6 * wave * (TAU * 160.0 * since).sin() } else { 0.0 };
        (350e-6 * wave, ripple)
    }

    /// The 1/f noise of one channel.
    fn background(&mut self, channel: usize) -> f64 {
        const SCALE: f64 = 28e-6;
        let mut sum = 0.0;
        for (leak, seconds) in self.leaks[channel].iter_mut().zip(LEAKS) {
            let keep = (-1.0 / (seconds * self.rate_hz)).exp();
            *leak = keep * *leak + (1.0 - keep * keep).sqrt() * self.noise.draw();
            sum += *leak;
        }
        SCALE * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, concatenate, s};

    #[test]
    fn blocks_of_any_size_are_the_same_rat() {
        let whole = Rat::new(4, 250.0, Seed::new(3)).next_block(2000);
        let mut rat = Rat::new(4, 250.0, Seed::new(3));
        let parts: Vec<_> = [1, 999, 0, 700, 300].map(|n| rat.next_block(n)).into_iter().collect();
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        assert_eq!(concatenate(Axis(0), &views).expect("same channels"), whole);
        assert_ne!(whole.slice(s![..500, ..]), Rat::new(4, 250.0, Seed::new(4)).next_block(500));
    }

    #[test]
    fn every_state_comes_and_slow_waves_are_the_largest() {
        let mut rat = Rat::new(2, 100.0, Seed::new(1));
        let mut power = [(0.0, 0.0); 3];
        for _ in 0..600 {
            let state = rat.state() as usize;
            let block = rat.next_block(100);
            power[state].0 += block.iter().map(|v| v * v).sum::<f64>() / block.len() as f64;
            power[state].1 += 1.0;
        }
        let [wake, slow, rem] = power.map(|(sum, n)| (sum / n, n));
        assert!(wake.1 > 30.0 && slow.1 > 60.0 && rem.1 > 20.0, "{power:?}");
        assert!(slow.0 > wake.0 && (1e-9..1e-6).contains(&wake.0), "{power:?}");
    }
}
