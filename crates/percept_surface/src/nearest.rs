//! The nearest of many points: a tree that halves space, built once and asked often.
//!
//! Equal distances are decided by the smaller number, so that the answer does not depend on how the tree was cut.

use crate::geometry::point::{dot, minus};

/// Points in a tree.
#[derive(Clone, Debug)]
pub struct Tree {
    points: Vec<[f32; 3]>,
    /// Numbers of points so that the middle of each stretch divides it.
    order: Vec<u32>,
    /// For each place in `order` that divides a stretch, the axis along which it does.
    axes: Vec<u8>,
}

/// Stretches of this many points are searched one by one.
const LEAF: usize = 12;

impl Tree {
    /// A tree of all `points` that are finite.
    pub fn new(points: &[[f32; 3]]) -> Self {
        let is_finite = |&number: &u32| points[number as usize].iter().all(|value| value.is_finite());
        let mut order: Vec<u32> = (0..points.len() as u32).filter(is_finite).collect();
        let mut axes = vec![0; order.len()];
        divide(points, &mut order, &mut axes);
        Self { points: points.to_vec(), order, axes }
    }

    /// The number of the point that is nearest to `place`; `None` if there are no points.
    pub fn nearest(&self, place: [f32; 3]) -> Option<u32> {
        let mut best = (f32::INFINITY, u32::MAX);
        self.search(0, self.order.len(), place, &mut best);
        (best.1 != u32::MAX).then_some(best.1)
    }

    fn search(&self, from: usize, to: usize, place: [f32; 3], best: &mut (f32, u32)) {
        if to - from <= LEAF {
            self.order[from..to].iter().for_each(|&number| self.consider(number, place, best));
            return;
        }
        let middle = from + (to - from) / 2;
        let axis = self.axes[middle] as usize;
        let pivot = self.order[middle];
        self.consider(pivot, place, best);
        let offset = place[axis] - self.points[pivot as usize][axis];
        let (near, far) =
            if offset < 0.0 { ((from, middle), (middle + 1, to)) } else { ((middle + 1, to), (from, middle)) };
        self.search(near.0, near.1, place, best);
        if offset * offset <= best.0 {
            self.search(far.0, far.1, place, best);
        }
    }

    fn consider(&self, number: u32, place: [f32; 3], best: &mut (f32, u32)) {
        let way = minus(self.points[number as usize], place);
        let distance = dot(way, way);
        if distance < best.0 || (distance == best.0 && number < best.1) {
            *best = (distance, number);
        }
    }
}

/// Sorts `stretch` so that its middle divides it along its widest axis, and so on.
fn divide(points: &[[f32; 3]], stretch: &mut [u32], axes: &mut [u8]) {
    if stretch.len() <= LEAF {
        return;
    }
    let axis = widest(points, stretch);
    let middle = stretch.len() / 2;
    let by = |&a: &u32, &b: &u32| points[a as usize][axis].total_cmp(&points[b as usize][axis]).then(a.cmp(&b));
    stretch.select_nth_unstable_by(middle, by);
    axes[middle] = axis as u8;
    let (left, right) = stretch.split_at_mut(middle);
    let (left_axes, right_axes) = axes.split_at_mut(middle);
    divide(points, left, left_axes);
    divide(points, &mut right[1..], &mut right_axes[1..]);
}

/// The axis along which the points reach furthest.
fn widest(points: &[[f32; 3]], stretch: &[u32]) -> usize {
    let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
    for &number in stretch {
        for axis in 0..3 {
            let value = points[number as usize][axis];
            low[axis] = low[axis].min(value);
            high[axis] = high[axis].max(value);
        }
    }
    let reach = |axis: &usize| high[*axis] - low[*axis];
    (0..3).max_by(|a, b| reach(a).total_cmp(&reach(b)).then(b.cmp(a))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_finds_what_a_search_of_all_finds() {
        let values = percept_core::Seed::new(3).normal(3 * 700);
        let mut points: Vec<[f32; 3]> = values.as_chunks::<3>().0.to_vec();
        points[5] = [f32::NAN; 3];
        points[600] = points[20];
        let tree = Tree::new(&points[..500]);
        for (number, &place) in points.iter().enumerate().filter(|(_, place)| place[0].is_finite()) {
            let distance = |other: u32| {
                let way = minus(points[other as usize], place);
                dot(way, way)
            };
            let best = (0..500u32).filter(|&other| other != 5).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            assert_eq!(tree.nearest(place), best, "point {number}");
        }
        assert_eq!(Tree::new(&[]).nearest([0.0; 3]), None);
    }
}
