//! Which picture is shown when: sessions, runs, and three repeats of every picture, near and far.

use percept_core::Seed;
use percept_core::seed::permutation;
use rand::Rng;

use super::params::{N_REPEATS, N_RUNS, N_SUBJECTS, PhantomParams};

/// Share of repeats that follow soon after the presentation before, mostly in the same session.
const SOON_SHARE: f64 = 0.35;

/// The plan of the experiment. Pictures have two numbers, both from 1 on in the files and from 0 on here: the image number
/// (`10k` in NSD: the order of a subject's pictures, shared ones first) and the stimulus number (`73k`: the row of the
/// picture in the stimulus file).
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Image number of each trial, over all sessions; the same for all subjects.
    pub image_of_trial: Vec<usize>,
    /// For each subject, the stimulus number of each image number.
    pub stimulus_of_image: Vec<Vec<usize>>,
    /// Pictures that every subject sees: the first image numbers.
    pub n_shared: usize,
    /// Trials in each session.
    pub trials_per_session: usize,
}

impl Schedule {
    pub(super) fn new(params: &PhantomParams, seed: Seed) -> Self {
        let n_images = params.n_images();
        let order = permutation(seed.named("stimuli"), params.n_stimuli());
        let mut shared = order[..params.n_shared].to_vec();
        shared.sort_unstable();
        let n_own = n_images - params.n_shared;
        let stimulus_of_image = (0..N_SUBJECTS)
            .map(|subject| {
                let set = if params.own_images { subject } else { 0 };
                let own = &order[params.n_shared + set * n_own..params.n_shared + (set + 1) * n_own];
                let mix = permutation(seed.named("subject").at(subject as u64), own.len());
                shared.iter().copied().chain(mix.into_iter().map(|place| own[place])).collect()
            })
            .collect();
        Self {
            image_of_trial: trials(params, seed.named("trials")),
            stimulus_of_image,
            n_shared: params.n_shared,
            trials_per_session: params.trials_per_session,
        }
    }

    /// Sessions in all.
    pub fn n_sessions(&self) -> usize {
        self.image_of_trial.len() / self.trials_per_session
    }

    /// Stimulus numbers of the trials of a session for a subject, both from 0 on.
    pub fn stimuli(&self, subject: usize, session: usize) -> impl Iterator<Item = usize> {
        let first = session * self.trials_per_session;
        let images = &self.image_of_trial[first..first + self.trials_per_session];
        images.iter().map(move |&image| self.stimulus_of_image[subject][image])
    }

    /// Trials of each run of a session: as even as can be, the first of each pair longer (63 and 62 of 750).
    pub fn trials_of_runs(&self) -> [usize; N_RUNS] {
        let (all, pairs) = (self.trials_per_session, N_RUNS / 2);
        std::array::from_fn(|run| {
            let pair = run / 2;
            let of_pair = all * (pair + 1) / pairs - all * pair / pairs;
            if run % 2 == 0 { of_pair.div_ceil(2) } else { of_pair / 2 }
        })
    }
}

/// Every image gets three moments on a circle of time: one anywhere, the next after a short or a long while. Sorting all
/// moments gives the order of trials.
fn trials(params: &PhantomParams, seed: Seed) -> Vec<usize> {
    let n_trials = params.n_sessions * params.trials_per_session;
    let (session, all) = (params.trials_per_session as f64, n_trials as f64);
    let mut stream = seed.stream();
    let mut moments = Vec::with_capacity(n_trials);
    for image in 0..params.n_images() {
        let mut moment = stream.random_range(0.0..all);
        moments.push((moment, image));
        for _ in 1..N_REPEATS {
            let lag = if stream.random_bool(SOON_SHARE) {
                stream.random_range(3.0..session.max(6.0) * 0.6)
            } else {
                stream.random_range(session * 0.5..(all * 0.45).max(session))
            };
            moment = (moment + lag) % all;
            moments.push((moment, image));
        }
    }
    moments.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    moments.into_iter().map(|(_, image)| image).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_shown_three_times_within_and_across_sessions() {
        let params = PhantomParams::default();
        let schedule = Schedule::new(&params, Seed::new(1));
        let mut sessions = vec![Vec::new(); params.n_images()];
        for (trial, &image) in schedule.image_of_trial.iter().enumerate() {
            sessions[image].push(trial / params.trials_per_session);
        }
        assert!(sessions.iter().all(|sessions| sessions.len() == N_REPEATS));
        let share = |test: fn(&Vec<usize>) -> bool| {
            sessions.iter().filter(|&sessions| test(sessions)).count() as f64 / sessions.len() as f64
        };
        assert!(share(|sessions| sessions[0] != sessions[2]) > 0.6, "most images return in another session");
        assert!(
            share(|sessions| sessions[0] == sessions[1] || sessions[1] == sessions[2]) > 0.2,
            "many return in the same"
        );
        assert_eq!(schedule.trials_of_runs(), [63, 62, 63, 62, 63, 62, 63, 62, 63, 62, 63, 62]);
    }

    #[test]
    fn subjects_have_images_of_their_own_when_asked() {
        let params = PhantomParams {
            own_images: true,
            n_sessions: 1,
            trials_per_session: 60,
            n_shared: 8,
            ..PhantomParams::default()
        };
        let schedule = Schedule::new(&params, Seed::new(1));
        let mut all: Vec<usize> = schedule.stimulus_of_image.iter().flat_map(|own| own[8..].iter().copied()).collect();
        all.extend(&schedule.stimulus_of_image[0][..8]);
        let n = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), n), (8 + 8 * 12, 8 + 8 * 12), "no picture is seen by two subjects but the shared ones");
        assert_eq!(params.n_stimuli(), n + params.n_unseen);
    }

    #[test]
    fn shared_images_are_sorted_and_the_same_for_all_subjects() {
        let params = PhantomParams::default();
        let schedule = Schedule::new(&params, Seed::new(1));
        let shared = &schedule.stimulus_of_image[0][..params.n_shared];
        assert!(shared.is_sorted());
        for stimuli in &schedule.stimulus_of_image {
            assert_eq!(&stimuli[..params.n_shared], shared);
            let mut all = stimuli.clone();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), params.n_images());
        }
        assert_ne!(schedule.stimulus_of_image[0], schedule.stimulus_of_image[1]);
    }
}
