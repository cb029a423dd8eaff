//! Figures and comparisons of many methods on the page.

use percept_core::Outcome;
use percept_core::figure::{Figure, Matrix};
use percept_report::{ReportError, render};

use crate::{many, sample};

fn page(outcome: &Outcome) -> String {
    render(outcome, |path| Ok(sample::picture(path))).expect("the sample is sound")
}

/// The part of the page between two markers.
fn between<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
    let start = html.find(from).unwrap_or_else(|| panic!("`{from}` is missing"));
    let rest = &html[start..];
    &rest[..rest.find(to).unwrap_or_else(|| panic!("`{to}` is missing after `{from}`"))]
}

#[test]
fn sections_stand_between_scores_and_data_with_their_own_links() {
    let html = page(&many::outcome());
    let places: Vec<usize> =
        ["id=\"scores\"", "id=\"differences\"", "id=\"section-1\"", "id=\"section-3\"", "id=\"data\""]
            .iter()
            .map(|id| html.find(id).unwrap_or_else(|| panic!("`{id}` is missing")))
            .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.contains("<a href=\"#section-3\">Looking inside</a>"));
    assert!(html.contains("<code>b2c+patch+clip</code> over the steps"), "back-ticks are code");
    assert_eq!(page(&many::outcome()), html, "the same bytes again");
}

#[test]
fn every_tag_that_opens_closes_with_all_figures() {
    let html = page(&many::outcome());
    for tag in
        ["section", "table", "tbody", "tr", "td", "figure", "svg", "div", "g", "ul", "li", "path", "text", "title"]
    {
        let closed = html.matches(&format!("</{tag}>")).count();
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        // A path without a title of its own closes itself.
        let empty = if tag == "path" { opened - closed } else { 0 };
        assert_eq!(opened - empty, closed, "<{tag}>");
    }
}

#[test]
fn one_table_holds_every_score_and_names_what_an_arm_lacks() {
    let outcome = many::outcome();
    let html = page(&outcome);
    let table = between(&html, "<table class=\"numbers comparison\"><caption>Scores", "</table>");
    assert_eq!(table.matches("<th scope=\"row\">").count(), many::ARMS.len() + 1, "arms and chance");
    let n_scores = outcome.scores.len();
    assert_eq!(table.matches("<td><b>").count(), n_scores);
    // Two arms lack the two metrics of contexts.
    assert_eq!(table.matches("aria-label=\"does not apply\"").count(), 4);
    let heads: Vec<usize> =
        ["Pixel MSE", "PixCorr", "Context cosine", "Context pairwise", "2-way, pixels", "2-way, CLIP"]
            .iter()
            .map(|head| table.find(head).unwrap_or_else(|| panic!("`{head}` is missing")))
            .collect();
    assert!(heads.is_sorted(), "the first arm, which lacks contexts, does not push them to the end");
    let row = between(table, "<th scope=\"row\">b2c<wbr>+patch<wbr>+clip</th>", "</tr>");
    assert!(row.contains("<td><b>0.199</b><span>0.169 to 0.227</span></td>"), "{row}");
}

#[test]
fn only_differences_whose_interval_excludes_zero_are_marked() {
    let outcome = many::outcome();
    let html = page(&outcome);
    let marked = |html: &str| html.matches("<em>").count();
    let to_c = between(&html, "<h3 id=\"differences\">", "</table>");
    let sure = |reference: bool| {
        let rows = outcome.differences.iter().filter(|row| (row.reference == "c") == reference);
        rows.filter(|row| row.excludes_zero()).count()
    };
    assert!(sure(true) > 10 && sure(true) < 52);
    assert_eq!(marked(to_c), sure(true));
    let others = between(&html, "Differences among the other methods", "</table>");
    assert_eq!(marked(others), sure(false));
    assert!(others.contains("<span class=\"minus\">− b2c</span>"));
    // The squared error of `b2c` is larger: a difference above 0 that is worse.
    let b2c = between(to_c, "<th scope=\"row\">b2c</th>", "</tr>");
    assert!(b2c.starts_with("<th scope=\"row\">b2c</th><td class=\"worse\"><b>+0."), "{b2c}");
}

#[test]
fn drawings_say_in_words_what_they_show() {
    let html = page(&many::outcome());
    let images = html.matches("<svg ").count()
        - html.matches("class=\"swatch\"").count()
        - html.matches("class=\"bars\"").count();
    let described = html.matches("role=\"img\" aria-label=\"").count() - html.matches("class=\"bars\"").count();
    assert_eq!(images, described);
    assert!(html.contains("loss terms: loss over step: epsilon from 0.912 to "));
    assert!(html.contains("Context pairwise (%). b2c+patch+clip at all terms: 86.0 (83.0 to 88.8)"));
    assert!(html.contains("c (ridge): 83.0 (80.0 to 86.0)"));
    assert!(html.contains("largest at other, token 68: 1.000"));
}

#[test]
fn points_lie_where_their_values_say() {
    let html = page(&many::outcome());
    let chart = between(&html, "b2c+patch+clip at 100 training images", "</svg>");
    // Log axis: the three steps from 100 to 300, 1000, 3000 have lengths in the ratio of their logarithms.
    let path = between(chart, "<path class=\"curve thin\" d=\"M", "\"/>");
    let points: Vec<(f64, f64)> = path["<path class=\"curve thin\" d=\"M".len()..]
        .split('L')
        .map(|point| point.split_once(' ').expect("x and y"))
        .map(|(x, y)| (x.parse().expect("a number"), y.parse().expect("a number")))
        .collect();
    let step = |i: usize| points[i + 1].0 - points[i].0;
    assert!((step(0) / step(1) - 3f64.ln() / (10f64 / 3.0).ln()).abs() < 0.01, "{points:?}");
    assert!((step(0) - step(2)).abs() < 0.2, "{points:?}");
    // Percentages upwards: equal differences are equal heights, larger values lie higher.
    let rise = |i: usize| points[i].1 - points[i + 1].1;
    assert!((rise(1) / rise(0) - 0.12 / 0.1).abs() < 0.01 && rise(0) > 0.0, "{points:?}");
}

#[test]
fn values_that_are_none_leave_gaps_and_holes() {
    let mut outcome = many::outcome();
    let Figure::Lines(lines) = &mut outcome.sections[0].figures[0] else { panic!("lines") };
    lines.panels[0].series[0].points[5][1] = f64::NAN;
    lines.panels[1].series[0].points.truncate(1);
    let Figure::Matrix(matrix) = &mut outcome.sections[2].figures[0] else { panic!("matrix") };
    matrix.values[1][3] = f64::NAN;
    // What stands for the bytes of a sound may spell anything.
    outcome.sections[2].figures.retain(|figure| !matches!(figure, Figure::Sounds(_)));
    let html = page(&outcome);
    assert!(!html.contains("NaN") && html.contains("class=\"hole\""));
    let panel = |title: &str| &html[html.find(title).unwrap_or_else(|| panic!("`{title}` is missing"))..];
    let gapped = between(panel("loss terms: "), "<g class=\"s0\"><path", "</path>");
    assert_eq!(gapped.matches('M').count(), 2, "{gapped}");
    let single = between(panel("validation: "), "<g class=\"s4\">", "</g>");
    assert!(single.starts_with("<g class=\"s4\"><circle "), "a single value is seen: {single}");
}

#[test]
fn a_matrix_or_strip_that_does_not_fit_its_names_is_named() {
    let mut outcome = many::outcome();
    let Figure::Matrix(Matrix { values, .. }) = &mut outcome.sections[2].figures[1] else { panic!("matrix") };
    values[2].pop();
    let error = render(&outcome, |path| Ok(sample::picture(path))).expect_err("one value is missing");
    assert_eq!(
        error.to_string(),
        "the figure `What each group is good for` has 4 rows of [5, 5, 4, 5], expected 4 rows of 5 values (give one entry per row and column)"
    );
    let mut outcome = many::outcome();
    let Figure::Strip(strip) = &mut outcome.sections[2].figures[2] else { panic!("strip") };
    strip.rows[1].cells.pop();
    let error = render(&outcome, |path| Ok(sample::picture(path))).expect_err("one picture is missing");
    assert!(error.to_string().contains("4 in row `drawing 02988`, expected 5 pictures per row"), "{error}");
    let mut outcome = many::outcome();
    outcome.items.clear();
    let error =
        render(&outcome, |path| if path.starts_with("maps/") { Ok(Vec::new()) } else { Ok(sample::picture(path)) });
    assert!(matches!(error, Err(ReportError::NotPng { path }) if path.starts_with("maps/")));
}

#[test]
fn hostile_names_of_figures_are_shown_not_obeyed() {
    let attack = "<script>alert('x')</script>\"&";
    let mut outcome = many::outcome();
    for section in &mut outcome.sections {
        attack.clone_into(&mut section.title);
        attack.clone_into(&mut section.text);
        for figure in &mut section.figures {
            match figure {
                Figure::Lines(lines) => {
                    attack.clone_into(&mut lines.title);
                    attack.clone_into(&mut lines.x.label);
                    attack.clone_into(&mut lines.panels[0].title);
                    attack.clone_into(&mut lines.panels[0].y.unit);
                    attack.clone_into(&mut lines.panels[0].series[0].name);
                }
                Figure::Estimates(estimates) => {
                    attack.clone_into(&mut estimates.caption);
                    attack.clone_into(&mut estimates.y.label);
                    attack.clone_into(&mut estimates.series[0].name);
                    attack.clone_into(&mut estimates.levels[0].name);
                }
                Figure::Matrix(matrix) => {
                    attack.clone_into(&mut matrix.rows[0]);
                    attack.clone_into(&mut matrix.columns[0]);
                    attack.clone_into(&mut matrix.quantity.label);
                    attack.clone_into(&mut matrix.column_label);
                }
                Figure::Strip(strip) => {
                    attack.clone_into(&mut strip.columns[0]);
                    attack.clone_into(&mut strip.rows[0].label);
                    if let Some(cell) = &mut strip.rows[0].cells[0] {
                        attack.clone_into(&mut cell.note);
                    }
                }
                Figure::Cortex(cortex) => attack.clone_into(&mut cortex.alt),
                Figure::Films(films) => {
                    attack.clone_into(&mut films.films[0].name);
                    attack.clone_into(&mut films.words[0].1);
                    attack.clone_into(&mut films.tracks[0].name);
                }
                Figure::Sounds(sounds) => {
                    attack.clone_into(&mut sounds.columns[0]);
                    attack.clone_into(&mut sounds.rows[0].label);
                    if let Some(clip) = &mut sounds.rows[0].cells[1] {
                        attack.clone_into(&mut clip.note);
                    }
                }
            }
        }
    }
    attack.clone_into(&mut outcome.differences[0].method);
    attack.clone_into(&mut outcome.differences[1].metric);
    assert!(!page(&outcome).contains("<script>alert"));
}

#[test]
fn films_are_within_the_page_with_one_slider_and_scores_over_time() {
    let html = page(&many::outcome());
    let films = between(&html, "<div class=\"films\"", "</ol></div>");
    assert_eq!(films.matches("<div class=\"reel\">").count(), 3);
    assert_eq!(films.matches("src=\"data:image/png;base64,").count(), 3);
    assert!(films.contains("data-rate=\"4\" data-frames=\"12\" data-size=\"24 24\""));
    assert!(films.contains("type=\"range\" min=\"0\" max=\"11\""));
    assert!(films.contains("<li data-at=\"1.5\">a square on the right</li>"));
    // A value that is missing interrupts its line.
    let track = between(films, "<div class=\"track\">", "</div>");
    assert_eq!((track.matches("<path").count(), track.matches('L').count()), (2, 2));
    assert!(track.contains("0.400 to 0.900"));
    assert!(html.contains(".reels") && html.contains("IntersectionObserver"));

    let mut outcome = many::outcome();
    let Some(Figure::Films(films)) = outcome.sections[2].figures.last_mut() else { panic!("films") };
    films.tracks[0].values.pop();
    let error = render(&outcome, |path| Ok(sample::picture(path))).expect_err("a film has no values").to_string();
    assert!(error.contains("2 in the track `ssim`, expected values of 3 films"), "{error}");
    let text =
        |path: &str| Ok(if path.starts_with("sheets/") { b"no picture".to_vec() } else { sample::picture(path) });
    let error = render(&many::outcome(), text).expect_err("text").to_string();
    assert!(error.contains("frames `sheets/0.png` of the report are no JPEG or PNG"), "{error}");
}

#[test]
fn sounds_are_within_the_page_with_players_that_have_names() {
    let html = page(&many::outcome());
    let table = between(&html, "<table class=\"sounds\">", "</table>");
    assert_eq!(table.matches("<audio controls").count(), 5);
    assert_eq!(table.matches("src=\"data:audio/wav;base64,UklGR").count(), 5);
    assert_eq!(table.matches("src=\"data:image/png;base64,").count(), 5);
    assert_eq!(table.matches("<span class=\"none\">none</span>").count(), 1);
    assert!(table.contains("aria-label=\"clip 0, retrieval\"") && table.contains("likeness .8"));
    assert!(html.contains("media-src data:") && html.contains(".clip audio"));
    let mut outcome = many::outcome();
    outcome.sections.pop();
    assert!(!page(&outcome).contains(".clip audio"), "no style where there is no sound");

    let mut outcome = many::outcome();
    let found = outcome.sections[2].figures.iter_mut().find_map(|figure| match figure {
        Figure::Sounds(sounds) => Some(sounds),
        _ => None,
    });
    let sounds = found.expect("sounds");
    sounds.rows[0].cells.pop();
    let error = render(&outcome, |path| Ok(sample::picture(path))).expect_err("one sound is missing").to_string();
    assert!(error.contains("2 in row `clip 0`, expected 3 sounds per row"), "{error}");
    let float = |path: &str| {
        let mut bytes = sample::picture(path);
        if path.starts_with("sounds/") {
            bytes[20] = 3;
        }
        Ok(bytes)
    };
    let error = render(&many::outcome(), float).expect_err("floats").to_string();
    assert!(error.contains("sound `sounds/00.wav` of the report is no WAV file of 16-bit"), "{error}");
}
