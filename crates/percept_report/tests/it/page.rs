//! What the page says and how it is built.

use percept_core::Outcome;
use percept_report::{ReportError, render};

use crate::sample;

fn page(outcome: &Outcome) -> String {
    render(outcome, |path| Ok(sample::picture(path))).expect("the sample is sound")
}

/// The page without its embedded pictures, style and script: what is left is words and structure.
fn skeleton(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(start) = rest.find("data:image/png;base64,") {
        out.push_str(&rest[..start]);
        let tail = &rest[start..];
        rest = &tail[tail.find('"').expect("the attribute ends")..];
    }
    out.push_str(rest);
    out
}

#[test]
fn the_same_outcome_gives_the_same_bytes() {
    assert_eq!(page(&sample::outcome()), page(&sample::outcome()));
}

#[test]
fn an_outcome_survives_json() {
    let outcome = sample::outcome();
    let json = serde_json::to_string(&outcome).expect("plain data");
    let again: Outcome = serde_json::from_str(&json).expect("its own form");
    assert!(again == outcome, "a number or a word changed on its way through JSON");
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let html = skeleton(&page(&sample::outcome()));
    for forbidden in ["http://", "https://", "src=\"/", "@import", "url(", "<link", "<iframe"] {
        assert!(!html.contains(forbidden), "the page contains `{forbidden}`");
    }
    assert!(html.contains("default-src 'none'"), "the browser is told not to ask anybody");
}

#[test]
fn sections_stand_in_reading_order() {
    let html = page(&sample::outcome());
    let places: Vec<usize> = [
        "<h1>Phantom demo</h1>",
        "Before you believe the numbers",
        "class=\"cards\"",
        "<h2 id=\"pictures\">",
        "<h2 id=\"scores\">",
        "<h2 id=\"data\">",
        "<h2 id=\"decoders\">",
        "<h2 id=\"settings\">",
        "<h2 id=\"provenance\">",
        "<h2 id=\"reading\">",
    ]
    .iter()
    .map(|heading| html.find(heading).unwrap_or_else(|| panic!("`{heading}` is missing")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_tag_that_opens_closes() {
    let html = page(&sample::outcome());
    for tag in
        ["section", "table", "thead", "tbody", "tr", "details", "figure", "svg", "dl", "ul", "select", "div", "g"]
    {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn every_picture_has_words_and_tables_have_heads() {
    let html = skeleton(&page(&sample::outcome()));
    let n_pictures = 40 * 7 - 1;
    assert_eq!(html.matches("<img alt=\"").count(), n_pictures);
    assert!(html.contains("alt=\"stimulus drawing 02951: a red cup on the left in a field\""));
    assert!(html.contains("alt=\"reconstruction of drawing 02951 by z+c\""));
    assert!(html.contains("<span class=\"none\">none</span>"), "a missing picture is named");
    assert_eq!(html.matches("<table").count(), html.matches("<caption>").count());
    assert!(html.matches("scope=\"col\"").count() > 20 && html.matches("scope=\"row\"").count() > 40);
}

#[test]
fn a_score_stands_beside_its_interval_and_chance() {
    let html = page(&sample::outcome());
    assert!(html.contains(
        "<b>89.3\u{2009}%</b></td><td>86.8\u{2009}% to 91.6\u{2009}%</td><td>50.0\u{2009}%</td><td>100</td>"
    ));
    assert_eq!(html.matches("class=\"chance\"").count(), 3 * 6, "one line per method and metric whose chance is known");
    assert!(html.contains("<div class=\"card above\"><div class=\"metric\">2-way, CLIP</div>"));
}

#[test]
fn hostile_words_are_shown_not_obeyed() {
    let attack = "<script>alert('x')</script>\"&";
    let mut outcome = sample::outcome();
    attack.clone_into(&mut outcome.name);
    attack.clone_into(&mut outcome.lead);
    outcome.warnings = vec![attack.to_owned()];
    attack.clone_into(&mut outcome.experiment);
    attack.clone_into(&mut outcome.data.subject);
    attack.clone_into(&mut outcome.data.regions[0].name);
    attack.clone_into(&mut outcome.decoders[0].feature);
    attack.clone_into(&mut outcome.scores[0].method);
    attack.clone_into(&mut outcome.scores[1].metric);
    attack.clone_into(&mut outcome.scores[2].split);
    attack.clone_into(&mut outcome.metrics[2].label);
    attack.clone_into(&mut outcome.metrics[2].description);
    attack.clone_into(&mut outcome.arms[3].name);
    attack.clone_into(&mut outcome.arms[4].short);
    attack.clone_into(&mut outcome.arms[4].description);
    attack.clone_into(&mut outcome.items[0].caption);
    attack.clone_into(&mut outcome.items[0].id);
    outcome.provenance.inputs.insert(attack.to_owned(), attack.to_owned());
    let html = page(&outcome);
    assert!(!html.contains("<script>alert"));
    assert!(html.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count() >= 15);
}

#[test]
fn a_small_run_makes_a_small_page() {
    let mut outcome = sample::outcome();
    outcome.items.clear();
    outcome.scores.clear();
    outcome.decoders.clear();
    outcome.warnings.clear();
    outcome.experiment.clear();
    let html = page(&outcome);
    for absent in ["id=\"pictures\"", "id=\"decoders\"", "id=\"settings\"", "id=\"warnings\"", "class=\"cards\""] {
        assert!(!html.contains(absent), "{absent}");
    }
    assert!(html.contains("Nothing was scored."));
}

#[test]
fn a_picture_that_cannot_be_had_is_named() {
    let missing = render(&sample::outcome(), |_| Err(std::io::Error::other("no such file"))).expect_err("no pictures");
    assert_eq!(
        missing.to_string(),
        "picture `images/000_stimulus.png` of the report cannot be read: no such file (run the experiment again to write it)"
    );
    let wrong = render(&sample::outcome(), |_| Ok(b"GIF89a".to_vec())).expect_err("no PNG");
    assert!(matches!(wrong, ReportError::NotPng { .. }), "{wrong}");
}

#[test]
fn an_item_that_does_not_fit_is_named() {
    let refused = |outcome: &Outcome| {
        render(outcome, |path| Ok(sample::picture(path))).expect_err("something is missing").to_string()
    };
    let mut outcome = sample::outcome();
    outcome.items[3].arms.pop();
    let error = refused(&outcome);
    assert!(error.starts_with("item `drawing 03062` has 5 arms, expected 6 (give"), "{error}");
    let mut outcome = sample::outcome();
    outcome.items[0].arms[2].scores.pop();
    let error = refused(&outcome);
    assert!(error.starts_with("item `drawing 02951` has 3 scores of z+c, expected 4 (give"), "{error}");
}

#[test]
fn the_reader_sorts_by_the_main_arm_and_errors_the_other_way() {
    let html = page(&sample::outcome());
    for key in ["PixCorr of z+c", "SSIM of z+c", "2-way, pixels of z+c", "2-way, CLIP of z+c"] {
        assert!(html.contains(&format!(">{key}</option>")), "{key}");
    }
    assert!(html.contains("<tr data-scores=\"0.425000 0.500000 0.500000 -0.025000\">"));
    let mut outcome = sample::outcome();
    for row in outcome.scores.iter_mut().filter(|row| row.metric == "ssim") {
        "mse".clone_into(&mut row.metric);
    }
    let html = page(&outcome);
    assert!(html.contains(">Pixel MSE of z+c</option>"));
    assert!(html.contains("<tr data-scores=\"0.425000 -0.500000 0.500000 -0.025000\">"));
}
