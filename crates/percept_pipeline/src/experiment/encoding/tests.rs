//! What an experiment of `percept encode` says, and what it refuses.

use super::*;

fn parse(text: &str) -> Result<EncodingExperiment, ExperimentError> {
    EncodingExperiment::parse(text, Path::new("/lab/example.toml"), &[])
}

const SMALL: &str =
    "[data]\nkind = \"titles\"\nroot = \"stories\"\n[spaces.b]\nkind = \"bag\"\n[spaces.a]\nkind = \"rate\"\n";

#[test]
fn spaces_keep_the_order_of_the_file_and_the_resolved_form_reads_itself() {
    let experiment = parse(SMALL).expect("valid");
    assert_eq!(experiment.spaces.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(experiment.name, "example");
    assert_eq!(parse(&experiment.resolved()).expect("its own form"), experiment);
}

#[test]
fn unknown_words_are_refused_with_the_nearest_one() {
    let error = parse(&SMALL.replace("\"rate\"", "\"rates\"")).expect_err("misspelt").to_string();
    assert!(error.contains("spaces.a.kind") && error.contains("perhaps `rate`"), "{error}");
    let error = parse(&format!("{SMALL}[encode]\ntogether = [\"a\", \"c\"]\n")).expect_err("no c").to_string();
    assert!(error.contains("encode.together") && error.contains("`c`"), "{error}");
    let error = parse(&format!("{SMALL}[encode]\ndelay = [1]\n")).expect_err("misspelt").to_string();
    assert!(error.contains("encode.delays"), "{error}");
    assert!(parse("[data]\nkind = \"titles\"\nroot = \"x\"\n").expect_err("no spaces").to_string().contains("spaces"));
}

#[test]
fn braces_are_lists_and_ranges() {
    let names = |pattern| expand(pattern).map(|all| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert_eq!(names("a.layer{08..10}").expect("range"), ["a.layer08", "a.layer09", "a.layer10"]);
    assert_eq!(names("u.{mid,up.1}@t{5,9}").expect("lists"), ["u.mid@t5", "u.mid@t9", "u.up.1@t5", "u.up.1@t9"]);
    assert_eq!(names("plain").expect("plain"), ["plain"]);
    for wrong in ["a{", "a}", "a{}", "a{1..0}", "a{b,}", "a{0..99999}"] {
        assert!(expand(wrong).is_err(), "{wrong}");
    }
}
