//! Films are what their description says.

use percept_core::Seed;

use super::{Motion, Movie, MovieParams};
use crate::drawing::{Drawing, SIDE};

fn movie() -> Movie {
    Movie::random(Seed::new(7), 120.0, &MovieParams::default())
}

#[test]
fn shots_cover_the_film_without_gaps_and_cuts_fall_on_the_grid() {
    let movie = movie();
    assert!((movie.n_secs() - 120.0).abs() < 1e-9);
    let mut end = 0.0;
    for shot in movie.shots() {
        assert!((shot.start_secs - end).abs() < 1e-9 && shot.end_secs > shot.start_secs);
        assert!((shot.start_secs / 2.0).fract().abs() < 1e-9, "{}", shot.start_secs);
        end = shot.end_secs;
    }
    assert_eq!(movie.shot_at(-1.0), &movie.shots()[0]);
    assert_eq!(movie.shot_at(1e9), movie.shots().last().expect("a shot"));
    let motions: std::collections::BTreeSet<_> = movie.shots().iter().map(|shot| shot.motion).collect();
    assert!(motions.len() > 6, "{motions:?}");
}

#[test]
fn the_same_seed_draws_the_same_film_and_a_still_shot_is_the_drawing() {
    assert_eq!(movie().frame(33.3), movie().frame(33.3));
    let params = MovieParams { still: 1.0, ..MovieParams::default() };
    let movie = Movie::random(Seed::new(3), 8.0, &params);
    let shot = &movie.shots()[0];
    assert_eq!(shot.motion, Motion::Still);
    assert_eq!(movie.frame(0.0), movie.frame(3.9));
    assert_eq!(movie.frame(1.0), Drawing::Scene(shot.scene).render(shot.seed));
}

/// The centre of what differs from the surroundings, in pixels.
fn centre(movie: &Movie, secs: f64) -> [f64; 2] {
    let shot = movie.shot_at(secs);
    let gone = crate::drawing::Pose { presence: 0.0, ..Default::default() };
    let (frame, empty) = (movie.frame(secs), shot.scene.render_posed(gone, shot.seed));
    let mut sums = [0.0; 3];
    for row in 0..SIDE {
        for column in 0..SIDE {
            let differs =
                (0..3).map(|c| f64::from(frame[[row, column, c]].abs_diff(empty[[row, column, c]]))).sum::<f64>();
            sums[0] += differs * column as f64;
            sums[1] += differs * row as f64;
            sums[2] += differs;
        }
    }
    [sums[0] / sums[2], sums[1] / sums[2]]
}

#[test]
fn what_moves_in_the_pictures_is_what_is_said() {
    let mut n = 0;
    for number in 0..120 {
        let movie = Movie::single(Seed::new(40).at(number), 4.0, &MovieParams::default());
        let said = movie.motion_at(2.0);
        if said.right == 0.0 && said.down == 0.0 {
            continue;
        }
        let (a, b) = (centre(&movie, 1.75), centre(&movie, 2.25));
        let seen = [(b[0] - a[0]) / 0.5, (b[1] - a[1]) / 0.5];
        // Shadows stay on the ground and parts may leave the picture, so the centre lags a little.
        let along = seen[0] * f64::from(said.right) + seen[1] * f64::from(said.down);
        let truth = f64::from(said.right.powi(2) + said.down.powi(2));
        assert!((0.55..1.3).contains(&(along / truth)), "{:?}: {seen:?} for {said:?}", movie.shots()[0]);
        n += 1;
    }
    assert!(n > 20, "{n} films move sideways or up and down");
}

#[test]
fn backwards_is_the_opposite_motion() {
    for &motion in Motion::ALL {
        assert_eq!(motion.reversed().reversed(), motion);
        let (there, back) = (motion.change(1.0, 4.0, 1.0), motion.reversed().change(1.0, 4.0, 1.0));
        for (a, b) in [(there.right, back.right), (there.down, back.down), (there.turn, back.turn)] {
            assert!((a + b).abs() < 1e-4, "{motion:?}");
        }
    }
}
