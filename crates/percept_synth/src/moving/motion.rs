//! What things do in a moving drawing, and how fast.

use percept_core::seed::Stream;
use rand::Rng;

use crate::drawing::{Place, Pose, words};

words! {
    /// What the object of a shot does.
    Motion {
        /// It stays as it is.
        Still = "standing still",
        /// It moves to the left.
        Left = "moving left",
        /// It moves to the right.
        Right = "moving right",
        /// It rises.
        Up = "moving up",
        /// It sinks.
        Down = "moving down",
        /// It turns clockwise.
        Clockwise = "turning clockwise",
        /// It turns the other way.
        Back = "turning back",
        /// It comes nearer.
        Grow = "growing",
        /// It goes away.
        Shrink = "shrinking",
        /// It is not there yet, and appears.
        Come = "appearing",
        /// It fades away.
        Go = "vanishing",
    }
}

/// How what is seen changes, each in its own unit per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Pixels to the right.
    pub right: f32,
    /// Pixels downwards.
    pub down: f32,
    /// Radians, clockwise.
    pub turn: f32,
    /// Logarithm of the size.
    pub grow: f32,
    /// Share of it that appears.
    pub appear: f32,
}

/// Pixels per second at the usual speed.
const PIXELS: f32 = 6.0;
/// The longest way either side of the middle, sideways and up or down; what moves longer turns round and comes back.
const REACH: [f32; 2] = [15.0, 9.0];
/// Radians per second.
const TURN: f32 = 0.5;
/// Change of the size's logarithm per second.
const GROW: f32 = 0.16;
/// The most that a size changes either way.
const LARGEST: f32 = 0.42;
/// Where the middle of a film's scene lies for objects that move sideways: this share of the way to their own place.
const PLACE_SHARE: f32 = 0.35;

impl Motion {
    /// A motion that is not [`Motion::Still`], chosen evenly.
    pub(super) fn random_moving(stream: &mut Stream) -> Self {
        let moving = &Self::ALL[1..];
        moving[stream.random_range(0..moving.len() as u32) as usize]
    }

    /// The opposite motion, which is what a film shows backwards.
    pub fn reversed(self) -> Self {
        match self {
            Self::Still => Self::Still,
            Self::Left => Self::Right,
            Self::Right => Self::Left,
            Self::Up => Self::Down,
            Self::Down => Self::Up,
            Self::Clockwise => Self::Back,
            Self::Back => Self::Clockwise,
            Self::Grow => Self::Shrink,
            Self::Shrink => Self::Grow,
            Self::Come => Self::Go,
            Self::Go => Self::Come,
        }
    }

    /// Even progress along the shot, from −1 to 1 around its middle, at most `reach` either way.
    fn way(per_sec: f32, since: f32, length: f32, reach: f32) -> f32 {
        let rate = per_sec.min(2.0 * reach / length.max(1e-3));
        rate * (since - 0.5 * length)
    }

    pub(super) fn pose(self, place: Place, since: f32, length: f32, speed: f32) -> Pose {
        let way = |per_sec: f32, reach: f32| Self::way(per_sec * speed, since, length, reach);
        let towards_middle = -(1.0 - PLACE_SHARE) * [-17.0, 0.0, 17.0][place as usize];
        let none = Pose::default();
        match self {
            Self::Still => none,
            Self::Left => Pose { right: towards_middle - way(PIXELS, REACH[0]), ..none },
            Self::Right => Pose { right: towards_middle + way(PIXELS, REACH[0]), ..none },
            Self::Up => Pose { down: -REACH[1] - way(PIXELS, REACH[1]), ..none },
            Self::Down => Pose { down: -REACH[1] + way(PIXELS, REACH[1]), ..none },
            Self::Clockwise => Pose { turn: way(TURN, 1.2), ..none },
            Self::Back => Pose { turn: -way(TURN, 1.2), ..none },
            Self::Grow => Pose { scale: way(GROW, LARGEST).exp(), ..none },
            Self::Shrink => Pose { scale: (-way(GROW, LARGEST)).exp(), ..none },
            Self::Come => Pose { presence: (since / length.max(1e-3)).clamp(0.0, 1.0), ..none },
            Self::Go => Pose { presence: (1.0 - since / length.max(1e-3)).clamp(0.0, 1.0), ..none },
        }
    }

    pub(super) fn change(self, since: f32, length: f32, speed: f32) -> Change {
        // The way is even, so any two moments give the rate.
        const STEP: f32 = 0.1;
        let (now, then) =
            (self.pose(Place::Middle, since, length, speed), self.pose(Place::Middle, since + STEP, length, speed));
        let rate = |a: f32, b: f32| (b - a) / STEP;
        Change {
            right: rate(now.right, then.right),
            down: rate(now.down, then.down),
            turn: rate(now.turn, then.turn),
            grow: rate(now.scale.ln(), then.scale.ln()),
            appear: rate(now.presence, then.presence),
        }
    }
}
