//! The subject's button presses: the rows of NSD's `responses.tsv`.
//!
//! On every trial the subject says whether the picture was seen before. Recognition fades with the number of trials since;
//! now and then no button is pressed. The columns are NSD's, in NSD's order, with `NaN` where nothing was measured.

use std::fmt::Write;

use percept_core::Seed;
use rand::Rng;

use super::params::N_RUNS;
use super::schedule::Schedule;

/// The columns of the table.
pub(super) const COLUMNS: [&str; 19] = [
    "SUBJECT",
    "SESSION",
    "RUN",
    "TRIAL",
    "73KID",
    "10KID",
    "TIME",
    "ISOLD",
    "ISCORRECT",
    "RT",
    "CHANGEMIND",
    "MEMORYRECENT",
    "MEMORYFIRST",
    "ISOLDCURRENT",
    "ISCORRECTCURRENT",
    "TOTAL1",
    "TOTAL2",
    "BUTTON",
    "MISSINGDATA",
];

/// Share of trials without a button press.
const MISSED_SHARE: f64 = 0.01;
/// Share of new pictures that are taken for old ones.
const FALSE_ALARMS: f64 = 0.12;
/// Days between sessions.
const DAYS_BETWEEN: f64 = 7.0;
/// The first day, counted as MATLAB does.
const FIRST_DAY: f64 = 737_000.4;
/// Seconds from trial to trial, and from run to run beyond its trials.
const TRIAL_SECS: f64 = 4.0;
const BETWEEN_RUNS_SECS: f64 = 60.0;

/// The whole table, header first, one line per trial in the order of presentation. `subject` counts from 1.
pub(super) fn table(schedule: &Schedule, subject: usize, seed: Seed) -> String {
    let mut text = COLUMNS.join("\t");
    text.push('\n');
    let mut stream = seed.stream();
    let n_images = schedule.stimulus_of_image[subject - 1].len();
    let (mut first, mut recent) = (vec![None; n_images], vec![None; n_images]);
    for session in 0..schedule.n_sessions() {
        let start = session * schedule.trials_per_session;
        let mut trial = start;
        for (run, n_trials) in schedule.trials_of_runs().into_iter().enumerate() {
            debug_assert!(run < N_RUNS);
            for within in 0..n_trials {
                let image = schedule.image_of_trial[trial];
                let stimulus = schedule.stimulus_of_image[subject - 1][image];
                let since = |earlier: Option<usize>| earlier.map(|earlier| (trial - earlier) as f64);
                let (memory_recent, memory_first) = (since(recent[image]), since(first[image]));
                let old = memory_first.is_some();
                let old_current = recent[image].is_some_and(|earlier| earlier >= start);
                let chance = memory_recent.map_or(FALSE_ALARMS, |lag| 0.3 + 0.65 * (-lag / 1500.0).exp());
                let says_old = stream.random_bool(chance);
                let missed = stream.random_bool(MISSED_SHARE);
                let change = stream.random_bool(0.02);
                let reaction_ms: f64 = stream.random_range(520.0f64..1650.0).round();
                let answered = |value: f64| if missed { f64::NAN } else { value };
                let flag = |value: bool| if value { 1.0 } else { 0.0 };
                let seconds = trial.abs_diff(start) as f64 * TRIAL_SECS + run as f64 * BETWEEN_RUNS_SECS;
                let row = [
                    subject as f64,
                    session as f64 + 1.0,
                    run as f64 + 1.0,
                    within as f64 + 1.0,
                    stimulus as f64 + 1.0,
                    image as f64 + 1.0,
                    FIRST_DAY + session as f64 * DAYS_BETWEEN + seconds / 86_400.0,
                    flag(old),
                    answered(flag(old == says_old)),
                    answered(reaction_ms),
                    answered(flag(change)),
                    memory_recent.unwrap_or(f64::NAN),
                    memory_first.unwrap_or(f64::NAN),
                    flag(old_current),
                    answered(flag(old_current == says_old)),
                    flag(!missed && !says_old),
                    flag(!missed && says_old),
                    answered(1.0 + flag(says_old)),
                    0.0,
                ];
                for (column, value) in row.into_iter().enumerate() {
                    // Writing to a string cannot fail; `NaN` and whole numbers print as NSD has them.
                    let _ = write!(text, "{}{value}", if column == 0 { "" } else { "\t" });
                }
                text.push('\n');
                first[image].get_or_insert(trial);
                recent[image] = Some(trial);
                trial += 1;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phantom::PhantomParams;

    #[test]
    fn rows_follow_the_schedule_and_missing_answers_are_nan() {
        let params = PhantomParams { n_sessions: 3, n_shared: 20, ..PhantomParams::default() };
        let schedule = Schedule::new(&params, Seed::new(4));
        let text = table(&schedule, 2, Seed::new(5));
        let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
        assert_eq!(rows.len(), 2250);
        let mut n_missed = 0;
        for (trial, row) in rows.iter().enumerate() {
            assert_eq!(row.len(), COLUMNS.len());
            let image = schedule.image_of_trial[trial];
            assert_eq!(row[0], "2");
            assert_eq!(row[1], (trial / 750 + 1).to_string());
            assert_eq!(row[4], (schedule.stimulus_of_image[1][image] + 1).to_string());
            assert_eq!(row[5], (image + 1).to_string());
            assert_eq!(row[7] == "0", row[12] == "NaN");
            n_missed += usize::from(row[17] == "NaN");
        }
        assert!((5..60).contains(&n_missed), "{n_missed}");
    }
}
