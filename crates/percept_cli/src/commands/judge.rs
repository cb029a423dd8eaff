//! `percept judge RUNDIR`: people compare two methods on a local page, and what their answers say.

use percept::core::Seed;
use percept::judge::candidates::{self, Kind};
use percept::judge::page::serve;
use percept::judge::score::{Tally, Verdict, score};
use percept::judge::session::{Session, SessionSettings};

use crate::arguments::{Compared, Judge};
use crate::output::{json, say};

/// The port unless another is asked for.
const PORT: u16 = 8078;

/// Asks, or says what was answered.
pub(crate) fn run(arguments: &Judge) -> anyhow::Result<()> {
    let kind = arguments.what.map(|what| match what {
        Compared::Captions => Kind::Captions,
        Compared::Pictures => Kind::Pictures,
    });
    let (a, b) = (arguments.a.as_deref(), arguments.b.as_deref());
    if arguments.score {
        let verdicts = score(&arguments.run, kind, a, b)?;
        if arguments.json {
            return json(&verdicts);
        }
        verdicts.iter().for_each(said);
        return Ok(());
    }
    let pair = candidates::pair(&arguments.run, kind, a, b)?;
    let settings =
        SessionSettings { n: arguments.n, seed: Seed::new(arguments.seed.unwrap_or(1)), ties: arguments.ties };
    let words = format!("{} of `{}` and `{}`, {} items", pair.kind.word(), pair.a, pair.b, pair.items.len());
    let session = Session::open(&arguments.run, pair, settings)?;
    let path = session.path().display().to_string();
    let server = serve(session, arguments.port.unwrap_or(PORT))?;
    say(format!("{words}: open {}", server.url()));
    say(format!("answers: {path}; stop with Ctrl-C, nothing is lost"));
    // Every answer is on the disk when it is given, so there is nothing to do at the end.
    loop {
        std::thread::park();
    }
}

fn said(verdict: &Verdict) {
    let Verdict { kind, a, b, all, raters, agreement } = verdict;
    say(format!("{} of `{a}` against `{b}`", kind.word()));
    say(format!("  {:24}{}", "all", tally(all, a)));
    for rater in raters {
        let pace = rater.median_reaction_ms.map_or_else(String::new, |ms| format!(", median {:.1} s", ms as f64 / 1e3));
        say(format!("  {:24}{}{pace}", rater.rater, tally(&rater.tally, a)));
    }
    if let Some(found) = agreement {
        let kappa = found.agreement.kappa.map_or_else(|| "not defined".to_owned(), |kappa| format!("{kappa:.3}"));
        let name = if found.kappa_of == "cohen" { "Cohen" } else { "Fleiss" };
        say(format!(
            "  raters agree in {:.1} % of pairs; {name}'s kappa {kappa} on {} items",
            100.0 * found.agreement.observed,
            found.agreement.n_items
        ));
    }
}

fn tally(tally: &Tally, a: &str) -> String {
    let Tally { wins, losses, ties, share, interval, interval_of, .. } = tally;
    let ties = if *ties > 0 { format!(", {ties} ties") } else { String::new() };
    match share.zip(*interval) {
        Some((share, interval)) => format!(
            "`{a}` wins {:.1} % ({:.1} to {:.1}, {interval_of}) of {}{ties}",
            100.0 * share,
            100.0 * interval.low,
            100.0 * interval.high,
            wins + losses
        ),
        None => format!("no winner yet{ties}"),
    }
}
