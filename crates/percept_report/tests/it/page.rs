//! What the page says and how it is built.

use percept_report::{ReportError, ReportModel, render};

use crate::sample;

fn page(model: &ReportModel) -> String {
    render(model, |path| Ok(sample::picture(path))).expect("the sample is sound")
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
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(page(&sample::model()), page(&sample::model()));
}

#[test]
fn a_model_survives_json() {
    let model = sample::model();
    let json = serde_json::to_string(&model).expect("plain data");
    let again: ReportModel = serde_json::from_str(&json).expect("its own form");
    assert!(again == model, "a number or a word changed on its way through JSON");
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let html = skeleton(&page(&sample::model()));
    for forbidden in ["http://", "https://", "src=\"/", "@import", "url(", "<link", "<iframe"] {
        assert!(!html.contains(forbidden), "the page contains `{forbidden}`");
    }
    assert!(html.contains("default-src 'none'"), "the browser is told not to ask anybody");
}

#[test]
fn sections_stand_in_reading_order() {
    let html = page(&sample::model());
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
    let html = page(&sample::model());
    for tag in
        ["section", "table", "thead", "tbody", "tr", "details", "figure", "svg", "dl", "ul", "select", "div", "g"]
    {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
}

#[test]
fn every_picture_has_words_and_tables_have_heads() {
    let html = skeleton(&page(&sample::model()));
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
    let html = page(&sample::model());
    assert!(html.contains(
        "<b>89.3\u{2009}%</b></td><td>86.8\u{2009}% to 91.6\u{2009}%</td><td>50.0\u{2009}%</td><td>100</td>"
    ));
    assert_eq!(html.matches("class=\"chance\"").count(), 3, "one line per metric whose chance is known");
    assert!(html.contains("<div class=\"card above\"><div class=\"metric\">2-way, CLIP</div>"));
}

#[test]
fn hostile_words_are_shown_not_obeyed() {
    let attack = "<script>alert('x')</script>\"&";
    let mut model = sample::model();
    attack.clone_into(&mut model.title);
    attack.clone_into(&mut model.lead);
    model.warnings = vec![attack.to_owned()];
    attack.clone_into(&mut model.experiment);
    attack.clone_into(&mut model.data.subject);
    attack.clone_into(&mut model.data.rois[0].name);
    attack.clone_into(&mut model.decoders[0].feature);
    attack.clone_into(&mut model.scores[0].method);
    attack.clone_into(&mut model.scores[1].metric);
    attack.clone_into(&mut model.scores[2].split);
    attack.clone_into(&mut model.galleries[0].title);
    attack.clone_into(&mut model.galleries[0].columns[3]);
    attack.clone_into(&mut model.galleries[0].sort_keys[0]);
    attack.clone_into(&mut model.galleries[0].rows[0].caption);
    attack.clone_into(&mut model.galleries[0].rows[0].id);
    model.provenance.inputs.insert(attack.to_owned(), attack.to_owned());
    let html = page(&model);
    assert!(!html.contains("<script>alert"));
    assert!(html.matches("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;").count() >= 15);
}

#[test]
fn a_small_run_makes_a_small_page() {
    let mut model = sample::model();
    model.galleries.clear();
    model.scores.clear();
    model.decoders.clear();
    model.warnings.clear();
    model.experiment.clear();
    let html = page(&model);
    for absent in ["id=\"pictures\"", "id=\"decoders\"", "id=\"settings\"", "id=\"warnings\"", "class=\"cards\""] {
        assert!(!html.contains(absent), "{absent}");
    }
    assert!(html.contains("Nothing was scored."));
}

#[test]
fn a_picture_that_cannot_be_had_is_named() {
    let missing = render(&sample::model(), |_| Err(std::io::Error::other("no such file"))).expect_err("no pictures");
    assert_eq!(
        missing.to_string(),
        "picture `images/000_stimulus.png` of the report cannot be read: no such file (run the experiment again to write it)"
    );
    let wrong = render(&sample::model(), |_| Ok(b"GIF89a".to_vec())).expect_err("no PNG");
    assert!(matches!(wrong, ReportError::NotPng { .. }), "{wrong}");
}

#[test]
fn a_row_that_does_not_fit_is_named() {
    let mut model = sample::model();
    model.galleries[0].rows[3].pictures.pop();
    let error = render(&model, |path| Ok(sample::picture(path))).expect_err("one picture is missing");
    assert!(error.to_string().starts_with("gallery row `drawing 03062` has 6 pictures and 2 scores, expected 7 and 2"));
}
