//! `percept doctor nsd DIR --recipe NAME`: what a recipe needs, what of it is here and whole, and how large the rest is; `percept
//! doctor ds005531 DIR`: the runs of films, their images, sidecars and texts; `percept doctor cc2017 DIR`: films, images, and whether their
//! lengths fit.

use anyhow::bail;
use percept::io::nsd::NsdTree;
use percept::io::nsd::doctor::{Depth, MissingFile, Outcome, Recipe, Report, SubjectReport, examine};

use percept::pipeline::data::listening::doctor::examine as examine_music;
use percept::pipeline::data::recording::doctor::examine as examine_films;
use percept::pipeline::data::watching::doctor::{
    FilmFinding, Finding as WatchingFinding, FormFinding, SegmentFinding, examine as examine_watching,
};

use crate::arguments::{DoctorFilms, DoctorMusic, DoctorNsd, DoctorWatching};
use crate::output::{bytes, json, say};
use crate::progress::Bars;

/// Checks a folder of the Natural Scenes Dataset.
pub(crate) fn nsd(arguments: &DoctorNsd) -> anyhow::Result<()> {
    let mut recipe = Recipe::named(&arguments.recipe)?;
    if !arguments.subjects.is_empty() {
        let subjects: Vec<usize> = arguments.subjects.iter().map(|&number| number.into()).collect();
        recipe = recipe.for_subjects(&subjects);
    }
    let tree = NsdTree::to_be(&arguments.dir)?;
    let depth = if arguments.values { Depth::Values } else { Depth::Headers };
    let report = examine(&tree, &recipe, depth, &Bars::new());
    if arguments.json {
        json(&report)?;
    } else {
        print(&report, &recipe, arguments.all);
    }
    if !report.is_usable {
        let n_failed = report.checks.iter().filter(|check| check.outcome == Outcome::Failed).count();
        bail!(
            "the data cannot be used for `{}`: {} missing, {} failed (the list says what to do about each)",
            report.recipe,
            counted(report.missing.len(), "file"),
            counted(n_failed, "check")
        );
    }
    Ok(())
}

/// Checks a folder of films in BIDS.
pub(crate) fn films(arguments: &DoctorFilms) -> anyhow::Result<()> {
    let findings = examine_films(&arguments.dir, &arguments.subjects)?;
    if arguments.json {
        json(&findings)?;
    } else {
        for finding in findings.iter().filter(|finding| arguments.all || !finding.problems.is_empty()) {
            let scans = finding.n_scans.map_or_else(|| "no images".to_owned(), |n| counted(n, "scan"));
            let tr = finding.tr_secs.map(|tr| format!(", {tr} s apart")).unwrap_or_default();
            let levels =
                if finding.levels.is_empty() { String::new() } else { format!("; {}", finding.levels.join(", ")) };
            say(format!("sub-{} {}: {scans}{tr}{levels}", finding.subject, finding.run));
            for problem in &finding.problems {
                say(format!("    {problem}"));
            }
        }
        let n_whole = findings.iter().filter(|finding| finding.problems.is_empty()).count();
        say(format!("{} of {} whole", n_whole, counted(findings.len(), "run")));
    }
    let n_wrong = findings.iter().filter(|finding| !finding.problems.is_empty()).count();
    if n_wrong > 0 {
        bail!("{} cannot be used as they are (the list says why)", counted(n_wrong, "run"));
    }
    Ok(())
}

/// Checks a folder of music heard in a scanner.
pub(crate) fn music(arguments: &DoctorMusic) -> anyhow::Result<()> {
    let (audio, captions) = (arguments.audio.as_deref(), arguments.captions.as_deref());
    let finding = examine_music(&arguments.dir, &arguments.subjects, audio, captions)?;
    let n_wrong = finding.subjects.iter().filter(|subject| !subject.problems.is_empty()).count();
    if arguments.json {
        json(&finding)?;
    } else {
        for subject in &finding.subjects {
            let [training, test] = subject.n_runs;
            let [training_clips, test_clips] = subject.n_clips;
            say(format!(
                "sub-{}: {} runs read ({training} training, {test} test); {training_clips} and {test_clips} different excerpts",
                subject.subject,
                training + test
            ));
            subject.problems.iter().for_each(|problem| say(format!("    {problem}")));
        }
        let same = if finding.is_one_schedule { "the same for all subjects" } else { "not the same for all subjects" };
        say(format!("{} tracks of {} genres in all; the schedule is {same}", finding.n_clips, finding.genres.len()));
        for (n, missing, what) in [
            (finding.n_sounds, &finding.without_sound, "have a file of sound"),
            (finding.n_captions, &finding.without_caption, "have a caption"),
        ] {
            let Some(n) = n else { continue };
            say(format!("{n} of {} tracks {what}", finding.n_clips));
            if !missing.is_empty() {
                say(format!("    not: {}", listed(missing)));
            }
        }
        if !finding.captions_of_nothing.is_empty() {
            say(format!("    captions of tracks that nobody heard: {}", listed(&finding.captions_of_nothing)));
        }
    }
    if n_wrong > 0 || !finding.without_sound.is_empty() {
        bail!(
            "not whole: {} with something wrong, {} without sound (the list says what)",
            counted(n_wrong, "subject"),
            counted(finding.without_sound.len(), "track")
        );
    }
    Ok(())
}

/// Checks a folder of films watched in a scanner.
pub(crate) fn watching(arguments: &DoctorWatching) -> anyhow::Result<()> {
    let films = arguments.films.as_deref();
    let finding = examine_watching(&arguments.dir, &arguments.subjects, films, arguments.frames_per_sec)?;
    if arguments.json {
        json(&finding)?;
    } else {
        print_watching(&finding, arguments.all);
    }
    let n_wrong = finding.n_problems();
    if n_wrong > 0 {
        bail!("not whole: {} (the list says what)", counted(n_wrong, "problem"));
    }
    Ok(())
}

fn print_watching(finding: &WatchingFinding, all: bool) {
    for subject in &finding.subjects {
        say(format!("{}:", subject.subject));
        subject.problems.iter().for_each(|problem| say(format!("    {problem}")));
        subject.forms.iter().for_each(|form| print_form(form, all));
    }
    for film in finding.films.iter().filter(|film| all || !film.problems.is_empty()) {
        print_film(film);
    }
    let n_read = finding.films.iter().filter(|film| film.how.is_some()).count();
    say(format!("{n_read} of {} can be read", counted(finding.films.len(), "film")));
    if !finding.without_film.is_empty() {
        say(format!("    no film of: {}", listed(&finding.without_film)));
    }
    for program in &finding.needs {
        say(format!("films need the program `{program}`; AVI of JPEG files or folders of frames would not"));
    }
    say(format!("{} in all", bytes(finding.n_bytes)));
}

fn print_form(form: &FormFinding, all: bool) {
    let n_bytes: u64 = form.segments.iter().map(|own| own.n_bytes).sum();
    let tr = form.tr_secs.map_or_else(|| "at unknown times".to_owned(), |secs| format!("every {secs} s"));
    say(format!("  {}: {}, volumes {tr}, {}", form.form, counted(form.segments.len(), "segment"), bytes(n_bytes)));
    if !form.missing.is_empty() {
        say(format!("    not here: {}", listed(&form.missing)));
    }
    for own in form.segments.iter().filter(|own| all || !own.problems.is_empty()) {
        print_segment(own);
    }
    let few = form.segments.iter().filter(|own| own.n_showings < own.n_expected);
    let few: Vec<String> =
        few.map(|own| format!("{} ({} of {})", own.segment, own.n_showings, own.n_expected)).collect();
    if !few.is_empty() {
        say(format!("    showings fewer than published: {}", listed(&few)));
    }
}

fn print_segment(own: &SegmentFinding) {
    let mut volumes = own.n_volumes.clone();
    volumes.sort_unstable();
    volumes.dedup();
    let volumes: Vec<String> = volumes.iter().map(ToString::to_string).collect();
    let begins = own.begins_secs.map(|secs| format!(", from second {secs} of the film on")).unwrap_or_default();
    let showings = counted(own.n_showings, "showing");
    say(format!("    {}: {showings} of {} volumes{begins}, {}", own.segment, volumes.join(" or "), bytes(own.n_bytes)));
    own.problems.iter().for_each(|problem| say(format!("        {problem}")));
}

fn print_film(film: &FilmFinding) {
    let size = film.size.map(|[w, h]| format!(", {w} × {h} pixels")).unwrap_or_default();
    let secs = film.secs.map(|secs| format!(", {secs:.2} s")).unwrap_or_default();
    let how = film.how.as_ref().map(|how| format!(", read by {how}")).unwrap_or_default();
    say(format!("  film {}: {}{size}{secs}{how}", film.segment, bytes(film.n_bytes)));
    film.problems.iter().for_each(|problem| say(format!("      {problem}")));
}

/// A few names, and how many more.
fn listed(names: &[String]) -> String {
    const MOST: usize = 8;
    let few = names.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{few} and {} more", names.len() - MOST) } else { few }
}

/// Says what was found: everything, or what is wrong and counts of the rest.
fn print(report: &Report, recipe: &Recipe, all: bool) {
    say(format!("{}: {}", recipe.name, recipe.about));
    for subject in &report.subjects {
        print_subject(subject, all);
    }
    say("");
    for check in report.checks.iter().filter(|check| all || check.outcome != Outcome::Passed) {
        let mark = match check.outcome {
            Outcome::Passed => "passed ",
            Outcome::Warning => "warning",
            Outcome::Failed => "FAILED ",
            Outcome::Skipped => "skipped",
        };
        let detail = if check.detail.is_empty() { String::new() } else { format!(": {}", check.detail) };
        say(format!("{mark}  {}{detail}", check.name));
    }
    let n_passed = report.checks.iter().filter(|check| check.outcome == Outcome::Passed).count();
    if !all && n_passed > 0 {
        say(format!("passed   {} (`--all` lists them)", counted(n_passed, "check")));
    }
    if report.missing.is_empty() {
        say("\nno file is missing");
        return;
    }
    say(format!("\nmissing: {}, {}", counted(report.missing.len(), "file"), total(report)));
    if all {
        report.missing.iter().for_each(|file| print_missing(file, &file.path, file.bytes, &file.source));
        return;
    }
    for together in report.missing.chunk_by(|a, b| kind(&a.path) == kind(&b.path)) {
        let [first, .., last] = together else {
            print_missing(&together[0], &together[0].path, together[0].bytes, &together[0].source);
            continue;
        };
        let (name, end) = (first.path.as_str(), last.path.rsplit('/').next().unwrap_or_default());
        let path = format!("{name} to {end}, {}", counted(together.len(), "file"));
        let folder = first.source.rsplit_once('/').map_or(first.source.as_str(), |(folder, _)| folder);
        print_missing(first, &path, together.iter().map(|file| file.bytes).sum(), &format!("{folder}/"));
    }
}

fn print_subject(subject: &SubjectReport, all: bool) {
    let shape = subject.shape.map_or_else(String::new, |[x, y, z]| format!(", {x} × {y} × {z} voxels"));
    let (n_present, n_needed) = (subject.sessions_present.len(), subject.sessions_needed.len());
    say(format!("\n{}: {n_present} of {n_needed} sessions{shape}", subject.name));
    for region in &subject.regions {
        say(format!("  {} has {} voxels", region.atlas, region.n_voxels));
        for (label, n_voxels) in region.labels.iter().filter(|_| all) {
            say(format!("    {label} {n_voxels}"));
        }
    }
    for session in &subject.sessions {
        let is_plain = session.n_saturated_values == 0 && session.n_nan_values == 0;
        if is_plain && !all {
            continue;
        }
        say(format!(
            "  session {}: {} of {} voxels not measured, {} saturated values in {} voxels, {} not a number",
            session.session,
            session.n_unmeasured_voxels,
            session.n_voxels,
            session.n_saturated_values,
            session.n_saturated_voxels,
            session.n_nan_values
        ));
    }
}

fn print_missing(file: &MissingFile, path: &str, size: Option<u64>, source: &str) {
    let size = match size {
        Some(n) if file.is_estimate => format!("about {}", bytes(n)),
        Some(n) => bytes(n),
        None => "size not known".to_owned(),
    };
    say(format!("  {path} ({size}; {})\n    from {source}", file.purpose));
}

/// What is alike in the paths of many files: all but their digits.
fn kind(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn total(report: &Report) -> String {
    match report.n_unknown_sizes {
        0 => format!("{} in all", bytes(report.missing_bytes)),
        n => format!("{} and {n} of unknown size", bytes(report.missing_bytes)),
    }
}
