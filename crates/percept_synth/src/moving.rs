//! Moving drawings: films of scenes in which things move, turn, grow, come and go, with cuts between them.
//!
//! A [`Movie`] is a list of [`Shot`]s; any moment of it can be drawn, so films of any rate come from one description. Positions change
//! evenly within a shot and everything else of the picture stands still, so that the true motion of every moment is known
//! ([`Movie::motion_at`]). Nothing here reads or writes files, and there is no sound.

mod motion;
#[cfg(test)]
mod tests;

use ndarray::Array3;
use percept_core::Seed;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::drawing::{Drawing, Pose, Scene};
pub use motion::{Change, Motion};

/// How films are made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MovieParams {
    /// The shortest and the longest shot in seconds.
    pub shot_secs: [f64; 2],
    /// Cuts fall on multiples of this; 0 lets them fall anywhere.
    pub grid_secs: f64,
    /// Share of shots in which nothing moves.
    pub still: f64,
}

impl Default for MovieParams {
    fn default() -> Self {
        Self { shot_secs: [4.0, 8.0], grid_secs: 2.0, still: 0.1 }
    }
}

/// What is seen between two cuts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shot {
    /// What stands there.
    pub scene: Scene,
    /// What it does.
    pub motion: Motion,
    /// How fast, relative to the usual speed of this motion.
    pub speed: f32,
    /// When the shot begins in the film.
    pub start_secs: f64,
    /// When it ends.
    pub end_secs: f64,
    #[serde(skip)]
    seed: Seed,
}

impl Shot {
    fn random(seed: Seed, params: &MovieParams, [start_secs, end_secs]: [f64; 2]) -> Self {
        let stream = &mut seed.named("motion").stream();
        let still = stream.random_bool(params.still);
        let motion = if still { Motion::Still } else { Motion::random_moving(stream) };
        let speed = stream.random_range(0.7f32..1.4);
        Self { scene: Scene::random(seed), motion, speed, start_secs, end_secs, seed }
    }

    /// Captions of what stands there, as [`Drawing::captions`] has them; none speaks of motion.
    pub fn captions(&self) -> Vec<String> {
        Drawing::Scene(self.scene).captions(self.seed)
    }

    /// What stands there and what it does, in words.
    pub fn description(&self) -> String {
        let scene = self.captions().swap_remove(0);
        format!("{scene}, {}", self.motion.name())
    }

    /// How the object stands at a moment of the film.
    pub fn pose(&self, secs: f64) -> Pose {
        let length = (self.end_secs - self.start_secs) as f32;
        let since = (secs - self.start_secs) as f32;
        self.motion.pose(self.scene.place, since, length, self.speed)
    }

    fn frame(&self, secs: f64) -> Array3<u8> {
        self.scene.render_posed(self.pose(secs), self.seed)
    }
}

/// A film.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Movie {
    shots: Vec<Shot>,
}

impl Movie {
    /// A film of `n_secs` seconds of random shots. Lengths of shots that cannot be (not above 0, or the shorter above the longer) are
    /// brought into order.
    pub fn random(seed: Seed, n_secs: f64, params: &MovieParams) -> Self {
        let [a, b] = params.shot_secs.map(|secs| if secs > 0.0 { secs } else { 1.0 });
        let (shortest, longest) = (a.min(b), a.max(b));
        let mut lengths = seed.named("lengths").stream();
        let mut shots: Vec<Shot> = Vec::new();
        let mut start = 0.0;
        while start < n_secs {
            let mut length = shortest + (longest - shortest) * lengths.random::<f64>();
            if params.grid_secs > 0.0 {
                length = (length / params.grid_secs).round().max(1.0) * params.grid_secs;
            }
            // No rest that is shorter than a shot.
            let end = if n_secs - (start + length) < shortest { n_secs } else { start + length };
            shots.push(Shot::random(seed.named("shot").at(shots.len() as u64), params, [start, end]));
            start = end;
        }
        Self { shots }
    }

    /// One shot of `n_secs` seconds.
    pub fn single(seed: Seed, n_secs: f64, params: &MovieParams) -> Self {
        Self { shots: vec![Shot::random(seed, params, [0.0, n_secs])] }
    }

    /// The shots in order.
    pub fn shots(&self) -> &[Shot] {
        &self.shots
    }

    /// How long it is.
    pub fn n_secs(&self) -> f64 {
        self.shots.last().map_or(0.0, |shot| shot.end_secs)
    }

    /// The shot at a moment; before the first and behind the last, those.
    pub fn shot_at(&self, secs: f64) -> &Shot {
        let next = self.shots.partition_point(|shot| shot.start_secs <= secs);
        &self.shots[next.saturating_sub(1)]
    }

    /// The picture at a moment, RGB in 0..=255.
    ///
    /// # Shapes
    /// ([`SIDE`](crate::drawing::SIDE), [`SIDE`](crate::drawing::SIDE), 3): row, column, channel.
    pub fn frame(&self, secs: f64) -> Array3<u8> {
        self.shot_at(secs).frame(secs)
    }

    /// How what is seen changes at a moment.
    pub fn motion_at(&self, secs: f64) -> Change {
        let shot = self.shot_at(secs);
        let length = (shot.end_secs - shot.start_secs) as f32;
        shot.motion.change((secs - shot.start_secs) as f32, length, shot.speed)
    }
}
