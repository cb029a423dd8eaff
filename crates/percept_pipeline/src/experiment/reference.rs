//! The reference page of the experiment file, made from the declarations of its keys and from the vocabulary.
//!
//! A test compares the page in `docs/` with this text, so a key without a line on the page cannot be merged.

use std::fmt::Write as _;

use super::Head;
use super::baselines::BaselineSettings;
use super::data::Data;
use super::decode::DecodeSettings;
use super::encoding::EncodingExperiment;
use super::evaluate::EvaluateSettings;
use super::generate::GenerateSettings;
use super::groups::Groups;
use super::key::{Key, Section, shown};
use super::model::ModelSettings;
use super::music::MusicExperiment;
use super::split::SplitSettings;
use super::video::VideoExperiment;
use super::vocabulary::{KeyTable, Vocabulary};

const INTRODUCTION: &str = "# The experiment file

One TOML file says what is reconstructed, from what, by which method, and how it is scored. This page lists every section
and key. It is made from the program's own declarations; do not edit it by hand.

```toml
name = \"my first experiment\"
methods = [\"z\", \"c\", \"z+c\"]

[data]
kind = \"phantom\"
sessions = 6
test_images = 100

[generate]
steps = 12
```

- Only `[data]` must be there; everything else has a default.
- A key that nobody reads is an error, with the nearest known key. Every number has limits.
- Relative paths are resolved against the folder of the file.
- `--set section.key=value` on the command line wins over the file. Text needs no quotes there: `--set decode.rescale=global`.
- Beside every result lies `experiment.toml` with all defaults filled in. Running that file gives the same result.
";

/// The page as Markdown: every section and key with type, default, limits and meaning.
pub fn reference(words: &Vocabulary) -> String {
    let mut page = INTRODUCTION.to_owned();
    heading(&mut page, "Top of the file", Head::DOC);
    keys(&mut page, Head::KEYS);
    methods(&mut page, words);
    for table in Data::tables() {
        section(&mut page, &table);
    }
    groups(&mut page, words);
    let stages = [
        KeyTable::of::<SplitSettings>("split"),
        KeyTable::of::<ModelSettings>("model"),
        KeyTable::of::<DecodeSettings>("decode"),
        KeyTable::of::<GenerateSettings>("generate"),
        KeyTable::of::<EvaluateSettings>("evaluate"),
    ];
    for table in stages.iter().flatten() {
        section(&mut page, table);
    }
    metrics(&mut page, words);
    controls(&mut page, words);
    let systems = words.sections.iter().flat_map(|system| (system.tables)());
    for table in KeyTable::of::<BaselineSettings>("baselines").into_iter().chain(systems) {
        section(&mut page, &table);
    }
    for table in
        EncodingExperiment::tables().into_iter().chain(MusicExperiment::tables()).chain(VideoExperiment::tables())
    {
        section(&mut page, &table);
    }
    page
}

fn heading(page: &mut String, heading: &str, doc: &str) {
    let _ = write!(page, "\n## {heading}\n\n{}\n", one_line(doc));
}

fn section(page: &mut String, table: &KeyTable) {
    heading(page, &table.heading, &table.doc);
    // A section of names of one's own has no keys.
    if !table.keys.is_empty() {
        keys(page, &table.keys);
    }
}

fn keys(page: &mut String, keys: &[Key]) {
    rows(
        page,
        ["Key", "Type", "Default", "Limits", "Meaning"],
        keys.iter().map(|key| [format!("`{}`", key.name), type_of(key), default_of(key), limits_of(key), meaning(key)]),
    );
}

fn methods(page: &mut String, words: &Vocabulary) {
    let default: Vec<&str> = words.methods.iter().filter(|word| word.by_default).map(|word| word.name).collect();
    let doc = format!(
        "The words of `methods`, in the order in which their pictures are shown. Without `methods` these are made: {}.",
        ticked(&default)
    );
    heading(page, "Methods", &doc);
    let needs = |captions: bool, groups: bool| match (captions, groups) {
        (true, true) => "captions, groups of units",
        (true, false) => "captions",
        (false, true) => "groups of units",
        (false, false) => "",
    };
    rows(
        page,
        ["Word", "Needs", "Meaning"],
        words.methods.iter().map(|word| {
            [ticked(&[word.name]), needs(word.needs.captions, word.needs.groups).to_owned(), one_line(word.doc)]
        }),
    );
}

fn groups(page: &mut String, words: &Vocabulary) {
    let methods = words.methods.iter().filter(|word| word.needs.groups);
    let sections = words.sections.iter().filter(|word| word.needs.groups);
    let readers: Vec<String> = methods
        .map(|word| format!("the method `{}`", word.name))
        .chain(sections.map(|word| format!("the section `[{}]`", word.name)))
        .collect();
    let by = if readers.is_empty() { "nobody".to_owned() } else { readers.join(" and ") };
    let doc = format!(
        "`[data.groups]` names parts of the units that some decoders treat apart, read by {by}: one key per group, in the \
         order of the file, and no unit may belong to two. In an NSD tree and in a phantom a group is a region, in arrays an \
         array of n_units values, of which those above zero are taken. Where groups are needed and not written, an NSD tree \
         and a phantom have these:"
    );
    heading(page, "Groups of units", &doc);
    let four = Groups::four();
    rows(page, ["Group", "Region"], four.iter().map(|(name, region)| [format!("`{name}`"), format!("`{region}`")]));
}

fn metrics(page: &mut String, words: &Vocabulary) {
    let thorough: Vec<String> = words
        .methods
        .iter()
        .filter(|word| word.thorough)
        .map(|word| format!("the method `{}`", word.name))
        .chain(words.sections.iter().filter(|word| word.thorough).map(|word| format!("a section `[{}]`", word.name)))
        .collect();
    let all = if thorough.is_empty() { String::new() } else { format!(", and all with {}", thorough.join(" or ")) };
    let doc = format!("The words of `evaluate.metrics`. Where it is absent, those marked \"yes\" are measured{all}.");
    heading(page, "Metrics", &doc);
    rows(
        page,
        ["Word", "By default", "Meaning"],
        words.metrics.iter().map(|word| [ticked(&[word.name]), yes(word.by_default), one_line(word.doc)]),
    );
}

fn controls(page: &mut String, words: &Vocabulary) {
    let thorough: Vec<&str> = words.methods.iter().filter(|word| word.thorough).map(|word| word.name).collect();
    heading(page, "`[controls]`", "What a sceptic wants to see beside the methods, each `true` or `false`.");
    rows(
        page,
        ["Key", "Default", "Meaning"],
        words.controls.iter().map(|word| {
            let default = match (word.by_default, thorough.is_empty()) {
                (true, _) => "`true`".to_owned(),
                (false, true) => "`false`".to_owned(),
                (false, false) => format!("`true` with {}, else `false`", ticked(&thorough)),
            };
            let needs = if word.needs.captions { " Only with a method that needs captions." } else { "" };
            [ticked(&[word.name]), default, format!("{}{needs}", one_line(word.doc))]
        }),
    );
}

/// A Markdown table.
fn rows<const N: usize>(page: &mut String, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let _ = write!(page, "\n| {} |\n|{}\n", head.join(" | "), " --- |".repeat(N));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(page, "| {} |", cells.join(" | "));
    }
}

fn type_of(key: &Key) -> String {
    match (key.kind.words, key.kind.entry) {
        ([], Some(_)) => "a section of names".to_owned(),
        ([], None) => key.kind.name.to_owned(),
        _ => "a word".to_owned(),
    }
}

fn default_of(key: &Key) -> String {
    match (key.required(), key.default_words, key.default_value()) {
        (true, ..) => {
            let line = key.line();
            let (_, example) = line.split_once(" = ").unwrap_or(("", &line));
            format!("required, such as `{example}`")
        }
        (false, Some(words), _) => words.to_owned(),
        (false, None, Some(value)) => format!("`{}`", shown(&value)),
        (false, None, None) => "none".to_owned(),
    }
}

fn limits_of(key: &Key) -> String {
    let Some(limits) = key.limits else { return String::new() };
    let each = if key.kind.name.starts_with("a list") { "each " } else { "" };
    format!("{each}{}", limits().words())
}

/// What the key means, and each of its words where it takes few.
fn meaning(key: &Key) -> String {
    let mut text = one_line(key.doc);
    for word in key.kind.words {
        let _ = write!(text, "<br>`{}`: {}", word.name, one_line(word.doc));
    }
    text
}

fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ticked(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn yes(yes: bool) -> String {
    if yes { "yes" } else { "" }.to_owned()
}
