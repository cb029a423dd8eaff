//! Sessions without a browser: resuming, undoing, several raters, and scores.

use percept_core::Seed;
use percept_judge::answers::{Answers, Choice, FILE};
use percept_judge::score::score;
use percept_judge::session::{Session, SessionSettings, Side};
use percept_judge::{JudgeError, candidates};

use crate::{folder, open, pair};

#[test]
fn every_answer_is_there_after_a_restart_in_the_middle() {
    let folder = folder(20);
    let mut n = 0;
    // Each round is a process of its own, ended without notice.
    for round in 0..4 {
        let mut session = open(folder.path(), None);
        for _ in 0..5 {
            let state = session.state("Ann").expect("a name");
            assert_eq!((state.done, state.n), (n, 20), "round {round}");
            let question = state.next.expect("a question");
            session.answer("Ann", question.trial, Choice::Left, 700).expect("saved");
            n += 1;
            assert_eq!(Answers::open(folder.path()).expect("a table").rows().len(), n);
        }
    }
    let session = open(folder.path(), None);
    assert_eq!(session.state("Ann").expect("a name").next, None);
    assert_eq!(session.state("Bob").expect("a name").done, 0);
    let answers = Answers::open(folder.path()).expect("a table");
    let mut ids: Vec<&str> = answers.rows().iter().map(|row| row.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
    assert_eq!(answers.rows().iter().filter(|row| row.left == "c").count(), 10);
}

#[test]
fn a_second_click_changes_nothing_and_undo_asks_again() {
    let folder = folder(3);
    let mut session = open(folder.path(), None);
    session.answer("Ann", 0, Choice::Left, 1).expect("saved");
    let state = session.answer("Ann", 0, Choice::Right, 2).expect("ignored");
    assert_eq!((state.done, state.next.map(|question| question.trial)), (1, Some(1)));
    session.answer("Ann", 1, Choice::Tie, 3).expect("saved");
    assert_eq!(session.undo("Ann").expect("undone").next.map(|question| question.trial), Some(1));
    assert_eq!(session.undo("Ann").expect("undone").next.map(|question| question.trial), Some(0));
    assert_eq!(session.undo("Ann").expect("nothing to undo").done, 0);
    let text = std::fs::read_to_string(folder.path().join(FILE)).expect("a table");
    assert_eq!(text.lines().filter(|line| line.contains(",undo,")).count(), 2);
    assert!(Answers::open(folder.path()).expect("a table").valid().is_empty());
}

#[test]
fn a_line_that_was_cut_off_is_dropped_and_the_question_asked_again() {
    let folder = folder(3);
    let mut session = open(folder.path(), None);
    session.answer("Ann, the first", 0, Choice::Left, 1).expect("saved");
    session.answer("Ann, the first", 1, Choice::Left, 1).expect("saved");
    drop(session);
    let path = folder.path().join(FILE);
    let text = std::fs::read(&path).expect("a table");
    for cut in 0..text.len() {
        std::fs::write(&path, &text[..cut]).expect("written");
        let mut session = open(folder.path(), None);
        let done = session.state("Ann, the first").expect("a name").done;
        assert!(done <= 1, "{cut}");
        session.answer("Bob", 0, Choice::Right, 1).expect("saved");
        drop(session);
        let kept = Answers::open(folder.path()).expect("a table");
        assert_eq!(kept.rows().len(), done + 1);
        assert_eq!(kept.rows()[done].rater, "Bob");
    }
}

#[test]
fn names_and_numbers_that_make_no_sense_are_refused() {
    let folder = folder(2);
    let mut session = open(folder.path(), None);
    for name in ["", "  ", "a\nb", &"x".repeat(41)] {
        assert!(matches!(session.state(name), Err(JudgeError::Setting { .. })), "{name:?}");
    }
    assert!(session.answer("Ann", 2, Choice::Left, 1).is_err());
    assert!(session.answer("Ann", 0, Choice::Undo, 1).is_err());
    drop(session);
    let settings = SessionSettings { n: Some(1), seed: Seed::new(1), ties: false };
    let mut session = Session::open(folder.path(), pair(folder.path()), settings).expect("a session");
    assert!(session.answer("Ann", 0, Choice::Tie, 1).is_err());
    assert_eq!(session.state("Ann").expect("a name").n, 1);
    let second = Session::open(folder.path(), pair(folder.path()), settings);
    assert!(second.is_err(), "two processes would write the same file");
    let settings = SessionSettings { n: Some(0), ..settings };
    drop(session);
    assert!(Session::open(folder.path(), pair(folder.path()), settings).is_err());
}

#[test]
fn a_table_cannot_lead_out_of_its_folder() {
    let folder = folder(1);
    let text = std::fs::read_to_string(folder.path().join("captions.csv")).expect("a table");
    std::fs::write(folder.path().join("captions.csv"), text.replace("shown.png", "/etc/passwd")).expect("written");
    let session = open(folder.path(), None);
    assert_eq!(session.picture("Ann", 0, Side::Stimulus), None);
    let error = candidates::pair(folder.path(), None, Some("c"), Some("x")).expect_err("no such method");
    assert!(error.to_string().contains("there is no method `x`; there are `c`, `caption`"), "{error}");
}

#[test]
fn shares_intervals_and_agreement_follow_the_answers() {
    let folder = folder(10);
    // Ann always prefers `c`, Bob in all but two, Eve says that nothing is closer.
    let mut session = open(folder.path(), None);
    for (rater, wins) in [("Ann", 10), ("Bob", 8)] {
        while let Some(question) = session.state(rater).expect("a name").next {
            let is_c_left = question.left.as_deref().is_some_and(|caption| caption.ends_with("by 1"));
            let prefers_c = session.state(rater).expect("a name").done < wins;
            let choice = if is_c_left == prefers_c { Choice::Left } else { Choice::Right };
            session.answer(rater, question.trial, choice, 500).expect("saved");
        }
    }
    let verdict = score(folder.path(), None, None, None).expect("answers").remove(0);
    assert_eq!((verdict.a.as_str(), verdict.b.as_str()), ("c", "caption"));
    assert_eq!((verdict.all.wins, verdict.all.losses, verdict.all.interval_of), (18, 2, "bootstrap over items"));
    assert!(verdict.all.interval.expect("decided").contains(0.9));
    assert_eq!(verdict.raters[0].tally.share, Some(1.0));
    assert_eq!(verdict.raters[1].tally.share, Some(0.8));
    assert_eq!(verdict.raters[1].tally.interval_of, "Clopper-Pearson");
    let agreement = verdict.agreement.expect("two raters");
    assert_eq!((agreement.kappa_of, agreement.agreement.observed), ("cohen", 0.8));
    let first = session.state("Eve").expect("a name").next.expect("a question");
    session.answer("Eve", first.trial, Choice::Tie, 900).expect("saved");
    let verdict = score(folder.path(), None, Some("caption"), None).expect("answers").remove(0);
    assert_eq!((verdict.a.as_str(), verdict.all.wins, verdict.all.ties), ("caption", 2, 1));
    let agreement = verdict.agreement.expect("one item of all");
    assert_eq!((agreement.kappa_of, agreement.agreement.n_items), ("fleiss", 1));
    assert!(score(folder.path(), None, Some("z"), None).is_err());
}
