//! Whether a classifier gives what was made the class of what was seen: the right one of a few classes.
//!
//! In the dialect of MinD-Vis (Chen et al. 2023, arXiv 2211.06956) a classifier names the stimulus; its class must then win among a few
//! that are drawn at random, by what the same classifier says of the reconstruction. MinD-Video (arXiv 2305.11675) counts it right when
//! any of the stimulus' three best classes wins. Their trials are drawn; here is what endless draws would give.

use ndarray::ArrayView1;

/// How often one of the `top` best classes of `truth` is the most probable in `own` among `ways` classes: itself and `ways` − 1 others that are
/// drawn without replacement from those that are not among the `top`. With fewer classes than that, among all of them. `None` where
/// the two have different lengths, there are no other classes, or a number is not finite.
pub fn n_way_top(own: ArrayView1<'_, f32>, truth: ArrayView1<'_, f32>, ways: usize, top: usize) -> Option<f64> {
    let n = truth.len();
    let is_finite = |values: &ArrayView1<'_, f32>| values.iter().all(|value| value.is_finite());
    if own.len() != n || top == 0 || n <= top || !is_finite(&own) || !is_finite(&truth) {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| truth[b].total_cmp(&truth[a]));
    let (right, others) = order.split_at(top);
    let best = right.iter().map(|&class| own[class]).fold(f32::NEG_INFINITY, f32::max);
    let beaten = others.iter().filter(|&&class| own[class] < best).count();
    // C(beaten, k) / C(others, k), factor by factor.
    let drawn = ways.saturating_sub(1).min(others.len());
    let factor = |k: usize| (beaten as f64 - k as f64).max(0.0) / (others.len() - k) as f64;
    Some((0..drawn).map(factor).product())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn it_is_what_endless_draws_give() {
        let truth = array![0.05f32, 0.6, 0.2, 0.1, 0.05];
        let own = array![0.1f32, 0.3, 0.05, 0.35, 0.2];
        // The class 1 beats 0, 2 and 4 of four others.
        assert_eq!(n_way_top(own.view(), truth.view(), 2, 1), Some(0.75));
        // Two of the three it beats must be drawn: 3·2 of 4·3.
        assert_eq!(n_way_top(own.view(), truth.view(), 3, 1), Some(0.5));
        // With 1, 2 and 3 right, 3 beats both others.
        assert_eq!(n_way_top(own.view(), truth.view(), 2, 3), Some(1.0));
        assert_eq!(n_way_top(own.view(), truth.view(), 50, 1), Some(0.0), "among all");
    }

    #[test]
    fn by_drawing_it_comes_out_the_same() {
        use percept_core::Seed;
        use rand::Rng;
        let mut stream = Seed::new(3).stream();
        let draw =
            |stream: &mut percept_core::seed::Stream| (0..20).map(|_| stream.random::<f32>()).collect::<Vec<_>>();
        let (own, truth) = (draw(&mut stream), draw(&mut stream));
        let exact = n_way_top(ArrayView1::from(&own), ArrayView1::from(&truth), 4, 3).expect("defined");
        let mut order: Vec<usize> = (0..20).collect();
        order.sort_by(|&a, &b| truth[b].total_cmp(&truth[a]));
        let mut right = 0;
        const TRIALS: usize = 20_000;
        for trial in 0..TRIALS {
            let picked = percept_core::seed::permutation(Seed::new(9).at(trial as u64), 17);
            let most = picked[..3].iter().map(|&place| own[order[3 + place]]).fold(0.0, f32::max);
            right += usize::from(order[..3].iter().any(|&class| own[class] > most));
        }
        assert!((exact - right as f64 / TRIALS as f64).abs() < 0.015, "{exact}");
    }

    #[test]
    fn what_cannot_be_said_is_none() {
        let (two, three) = (array![0.5f32, 0.5], array![0.2f32, 0.3, 0.5]);
        assert_eq!(n_way_top(two.view(), three.view(), 2, 1), None);
        assert_eq!(n_way_top(three.view(), three.view(), 2, 3), None);
        assert_eq!(n_way_top(array![f32::NAN, 0.0, 1.0].view(), three.view(), 2, 1), None);
    }
}
