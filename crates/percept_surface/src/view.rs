//! From which side a hemisphere is seen, and how its points come onto the plane of the picture.
//!
//! Surfaces have x to the right, y to the front and z up. All views are parallel projections.

use std::fmt;
use std::str::FromStr;

use percept_core::{Mesh, Side};

use crate::{Error, Result};

/// A direction to look from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// Flat, from above.
    Flat,
    /// From outside.
    Lateral,
    /// From between the hemispheres.
    Medial,
    /// From above.
    Dorsal,
    /// From below.
    Ventral,
    /// From the front.
    Anterior,
    /// From behind.
    Posterior,
}

impl View {
    const NAMES: [(&'static str, Self); 7] = [
        ("flat", Self::Flat),
        ("lateral", Self::Lateral),
        ("medial", Self::Medial),
        ("dorsal", Self::Dorsal),
        ("ventral", Self::Ventral),
        ("anterior", Self::Anterior),
        ("posterior", Self::Posterior),
    ];
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, view)| view == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for View {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|&(_, view)| view).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            Error::missing(format!("view `{text}`"), format!("use one of {}", names.join(", ")))
        })
    }
}

/// A parallel projection: three unit vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// What is to the right in the picture.
    pub right: [f32; 3],
    /// What is up.
    pub up: [f32; 3],
    /// What points at the reader.
    pub towards: [f32; 3],
}

impl Camera {
    /// The camera of `view` on the hemisphere `side`.
    pub fn new(view: View, side: Side) -> Self {
        let outward = if side == Side::Left { -1.0 } else { 1.0 };
        let sideways = |towards_x: f32| Self {
            // Up × towards.
            right: [0.0, towards_x, 0.0],
            up: [0.0, 0.0, 1.0],
            towards: [towards_x, 0.0, 0.0],
        };
        match view {
            View::Flat | View::Dorsal => Self { right: [1.0, 0.0, 0.0], up: [0.0, 1.0, 0.0], towards: [0.0, 0.0, 1.0] },
            View::Lateral => sideways(outward),
            View::Medial => sideways(-outward),
            View::Ventral => Self { right: [-1.0, 0.0, 0.0], up: [0.0, 1.0, 0.0], towards: [0.0, 0.0, -1.0] },
            View::Anterior => Self { right: [-1.0, 0.0, 0.0], up: [0.0, 0.0, 1.0], towards: [0.0, 1.0, 0.0] },
            View::Posterior => Self { right: [1.0, 0.0, 0.0], up: [0.0, 0.0, 1.0], towards: [0.0, -1.0, 0.0] },
        }
    }

    /// `place` as right, up and towards.
    pub fn project(&self, place: [f32; 3]) -> [f32; 3] {
        [self.right, self.up, self.towards].map(|axis| crate::geometry::point::dot(axis, place))
    }
}

/// The part of the picture's plane that a mesh takes: least and greatest (right, up) over the vertices that some triangle uses.
pub fn extent(mesh: &Mesh, camera: &Camera) -> [[f32; 2]; 2] {
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for (&place, _) in mesh.vertices.iter().zip(mesh.used()).filter(|(_, used)| *used) {
        let [x, y, _] = camera.project(place);
        low = [low[0].min(x), low[1].min(y)];
        high = [high[0].max(x), high[1].max(y)];
    }
    if low[0] <= high[0] { [low, high] } else { [[0.0; 2]; 2] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::point::cross;

    #[test]
    fn every_camera_is_right_handed_and_lateral_looks_from_outside() {
        for side in Side::BOTH {
            for (name, view) in View::NAMES {
                let camera = Camera::new(view, side);
                assert_eq!(cross(camera.right, camera.up), camera.towards, "{name}");
                assert_eq!(name.parse::<View>().expect("a view"), view);
            }
        }
        assert_eq!(Camera::new(View::Lateral, Side::Left).towards, [-1.0, 0.0, 0.0]);
        // The front of the brain is to the left in a lateral view of the left hemisphere.
        assert!(Camera::new(View::Lateral, Side::Left).project([0.0, 1.0, 0.0])[0] < 0.0);
        assert!("side".parse::<View>().is_err());
    }
}
