//! A triangle mesh: the words that files, projections and drawings of a surface share.
//!
//! Plain data: points and triangles. Nothing here knows a format or computes geometry.

use serde::{Deserialize, Serialize};

/// Points and triangles of a surface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mesh {
    /// Where the vertices are, (x, y, z), usually in millimetres: right, front, up.
    pub vertices: Vec<[f32; 3]>,
    /// Numbers of vertices, from 0 on; counter-clockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
}

/// Which half of the brain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The left hemisphere, x below 0.
    Left,
    /// The right hemisphere.
    Right,
}

impl Side {
    /// Both, left first.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// FreeSurfer's prefix: `lh` or `rh`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Left => "lh",
            Self::Right => "rh",
        }
    }

    /// `left` or `right`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

impl Mesh {
    /// The number of vertices.
    pub fn n_vertices(&self) -> usize {
        self.vertices.len()
    }

    /// The first triangle that names a vertex which does not exist, if there is one.
    pub fn broken_triangle(&self) -> Option<usize> {
        let n = self.vertices.len();
        self.triangles.iter().position(|corners| corners.iter().any(|&corner| corner as usize >= n))
    }

    /// Which vertices some triangle uses. Files of flattened surfaces hold points that no triangle does, with coordinates that
    /// mean nothing.
    pub fn used(&self) -> Vec<bool> {
        let mut used = vec![false; self.vertices.len()];
        for &corner in self.triangles.iter().flatten() {
            if let Some(used) = used.get_mut(corner as usize) {
                *used = true;
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_points_and_broken_triangles_are_told() {
        let mut mesh = Mesh { vertices: vec![[0.0; 3]; 4], triangles: vec![[0, 1, 3]] };
        assert_eq!(mesh.used(), [true, true, false, true]);
        assert_eq!(mesh.broken_triangle(), None);
        mesh.triangles.push([0, 1, 4]);
        assert_eq!(mesh.broken_triangle(), Some(1));
    }
}
