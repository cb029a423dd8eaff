//! Scores of captions agree with pycocoevalcap, sacrebleu and METEOR, on drawn captions and on those of music.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use percept_core::Seed;
use percept_io::table;
use percept_stats::text::{self, Captions, ScoreSettings, cider, tokenize};
use percept_testing::shared_data;
use serde_json::Value;

/// What the scores must agree to; golden values of items have nine digits.
const SAME: f64 = 1e-6;
/// Sums in another order.
const ROUNDING: f64 = 1e-12;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/captions").join(name)
}

fn golden(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(data(name)).expect("a fixture")).expect("valid JSON")
}

fn drawn() -> Captions {
    let predicted = table::open(data("predicted.csv")).expect("a table");
    let reference = table::open(data("reference.csv")).expect("a table");
    let mut references: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    let captions = reference.texts("caption").expect("captions");
    for (id, caption) in reference.integers("id").expect("ids").into_iter().zip(captions) {
        references.entry(id).or_default().push(caption);
    }
    let references: Vec<Vec<&str>> = references.into_values().collect();
    Captions::new(&predicted.texts("caption").expect("captions"), &references).expect("pairs")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect()
}

/// The largest difference of two lists.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn agree(captions: &Captions, golden: &Value) {
    let bleu = text::bleu::corpus(captions);
    assert!(difference(&bleu, &numbers(&golden["bleu_sacrebleu"])) < ROUNDING, "{bleu:?}");
    assert!(difference(&bleu, &numbers(&golden["bleu_pycocoevalcap"])) < SAME, "{bleu:?}");
    let items = &golden["items"];
    let sentences = text::bleu::sentences(captions);
    assert!(difference(&sentences, &numbers(&items["bleu4_sentence"])) < SAME);
    let rouge = text::rouge::items(captions);
    assert!(difference(&rouge, &numbers(&items["rouge_l"])) < SAME);
    let found = cider::items(captions, cider::Dialect::Clipped);
    assert!(difference(&found, &numbers(&items["cider"])) < SAME);
    let mean = found.iter().sum::<f64>() / found.len() as f64;
    assert!((mean - golden["cider"].as_f64().expect("a number")).abs() < SAME);
}

/// Items and corpus of METEOR: the number of items that differ, the largest difference, and that of the corpus, against METEOR
/// with the same modules; the mean difference of items and that of the corpus against all its modules.
fn meteor(captions: &Captions, golden: &Value) -> (usize, f64, f64, f64, f64) {
    let found = text::meteor::items(captions);
    let same = numbers(&golden["items"]["meteor_exact_stem"]);
    let differ = found.iter().zip(&same).filter(|(a, b)| (*a - *b).abs() > SAME).count();
    let full = numbers(&golden["items"]["meteor_full"]);
    let lower = full.iter().zip(&found).map(|(a, b)| a - b).sum::<f64>() / full.len() as f64;
    let settings = ScoreSettings { n_shuffles: 0, n_draws: 1, ..ScoreSettings::new(Seed::new(1)) };
    let scores = text::score(captions, settings).expect("scores");
    let corpus = scores.iter().find(|score| score.metric == "meteor").expect("meteor").value;
    let of = |name: &str| golden[name].as_f64().expect("a number");
    let summary = (
        differ,
        difference(&found, &same),
        (corpus - of("meteor_exact_stem")).abs(),
        lower,
        of("meteor_full") - corpus,
    );
    eprintln!("METEOR: {summary:?}");
    summary
}

#[test]
fn words_are_those_of_pycocoevalcap() {
    let lines = std::fs::read_to_string(data("lines.txt")).expect("a fixture");
    let expected = golden("lines.json");
    let expected = expected.as_array().expect("a list");
    assert_eq!(lines.lines().count(), expected.len());
    for (line, expected) in lines.lines().zip(expected) {
        assert_eq!(&Value::from(tokenize(line)), expected, "{line}");
    }
}

#[test]
fn scores_of_drawn_captions_are_those_of_the_reference_packages() {
    agree(&drawn(), &golden("drawn.json"));
}

#[test]
fn meteor_is_that_of_its_authors_without_synonyms_and_paraphrases() {
    let (differ, largest, corpus, lower, lower_corpus) = meteor(&drawn(), &golden("drawn.json"));
    assert!(differ == 0 && largest < SAME && corpus < SAME);
    // What the two modules add on these captions.
    assert!((0.0..0.03).contains(&lower) && (0.0..0.03).contains(&lower_corpus), "{lower} {lower_corpus}");
}

#[test]
fn scores_of_captions_of_music_are_those_of_the_reference_packages() {
    let Some(folder) = shared_data("music_ds003720") else { return };
    let table = table::open(folder.join("brain2music-captions.csv")).expect("a table");
    let captions: Vec<String> = table
        .texts("DescEN")
        .expect("captions")
        .iter()
        .map(|caption| caption.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let n = captions.len();
    let predicted: Vec<String> = (0..n).map(|i| captions[(i + 1) % n].clone()).collect();
    let references: Vec<Vec<String>> = (0..n)
        .map(|i| {
            let second = (i % 3 == 0).then(|| captions[(i + 2) % n].clone());
            std::iter::once(captions[i].clone()).chain(second).collect()
        })
        .collect();
    let captions = Captions::new(&predicted, &references).expect("pairs");
    let golden = golden("music.json");
    agree(&captions, &golden);
    let (differ, largest, corpus, ..) = meteor(&captions, &golden);
    // Alignments of equal rank are cut otherwise in long captions: few items differ, and little (docs/captions.md).
    assert!(differ <= 80 && largest < 0.01 && corpus < 3e-4, "{differ} {largest} {corpus}");
}

#[test]
fn true_captions_beat_shuffled_ones_and_intervals_hold_the_value() {
    let captions = drawn();
    let settings = ScoreSettings { n_shuffles: 100, n_draws: 200, ..ScoreSettings::new(Seed::new(1)) };
    let scores = text::score(&captions, settings).expect("scores");
    let names: Vec<&str> = scores.iter().map(|score| score.metric).collect();
    assert_eq!(names, ["bleu1", "bleu2", "bleu3", "bleu4", "bleu4_sentence", "rouge_l", "meteor", "cider"]);
    for score in &scores {
        let chance = score.chance.expect("several items");
        assert!(score.interval.contains(score.value), "{score:?}");
        assert!(score.value > chance.p99_9 && chance.p99_9 >= chance.p97_5 && chance.p97_5 >= chance.mean);
        assert_eq!((score.items.len(), chance.p), (500, 1.0 / 101.0));
    }
    assert_eq!(scores, text::score(&captions, settings).expect("scores"));
}
