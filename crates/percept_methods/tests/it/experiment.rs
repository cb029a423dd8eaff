//! The experiment file: defaults, overrides, errors that name key, line and remedy, and the resolved form.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use percept_methods::Registry;
use percept_methods::b2c::settings::{self, B2cSettings};
use percept_pipeline::experiment::*;

/// The words of the program.
fn words() -> Vocabulary {
    Registry::default().vocabulary()
}

fn names(words: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

const ARRAYS: &str = r#"
methods = ["z"]

[data]
kind = "arrays"
responses = "sub/x.mat:fmriTrn"
stimuli = "../x.mat:stimTrn"
image_shape = [28, 28]
transpose = true
"#;

fn parse(text: &str, overrides: &[&str]) -> Result<Experiment, ExperimentError> {
    let overrides: Vec<String> = overrides.iter().map(|&text| text.to_owned()).collect();
    Experiment::parse(text, Path::new("/lab/study/e.toml"), &overrides, &words())
}

fn refusal(text: &str, overrides: &[&str]) -> String {
    parse(text, overrides).expect_err("must be refused").to_string()
}

#[test]
fn paths_are_resolved_against_the_folder_of_the_file() {
    let experiment = parse(ARRAYS, &[]).expect("valid");
    let Data::Arrays(arrays) = &experiment.data else { panic!("arrays") };
    assert_eq!(arrays.responses.to_string(), "/lab/study/sub/x.mat:fmriTrn");
    assert_eq!(arrays.stimuli.to_string(), "/lab/x.mat:stimTrn");
    assert_eq!(experiment.split.kind, SplitKind::LeaveOneStimulusOut);
    assert_eq!(experiment.name, "e");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_neighbour() {
    let text = ARRAYS.replace("transpose", "tranpose");
    assert_eq!(
        refusal(&text, &[]),
        "/lab/study/e.toml line 9: unknown key `data.tranpose` (did you mean `data.transpose`?)"
    );
    let message = refusal(ARRAYS, &["decode.voxels=3"]);
    assert!(
        message.starts_with("--set decode.voxels: unknown key `decode.voxels` (known here are `alphas`"),
        "{message}"
    );
}

#[test]
fn a_wrong_type_says_what_is_there_and_what_would_be_right() {
    let text = format!("{ARRAYS}[generate]\nsteps = \"many\"\n");
    assert_eq!(
        refusal(&text, &[]),
        "/lab/study/e.toml line 11: `generate.steps` is the text `many`, expected a whole number \
         (write for example `steps = 20`)"
    );
}

#[test]
fn a_value_out_of_range_is_refused() {
    assert!(refusal(ARRAYS, &["generate.strength=1.5"]).contains("expected between 0 and 1"));
    assert!(refusal(ARRAYS, &["generate.steps=0"]).contains("expected at least 1"));
    assert!(refusal(ARRAYS, &["decode.alphas=[10, 1]"]).contains("ascending"));
    assert!(refusal(ARRAYS, &["data.image_shape=[28]"]).contains("height and width"));
    assert!(refusal(ARRAYS, &["decode.rescale=globl"]).contains("perhaps `global`"));
}

#[test]
fn a_missing_key_comes_with_an_example() {
    assert_eq!(
        refusal("[data]\nkind = \"nsd\"", &[]),
        "/lab/study/e.toml: `data.root` is missing (add for example `root = \"/data/nsd\"`)"
    );
    assert!(refusal("", &[]).contains("`data` is missing"));
    assert!(refusal("[data]\nkind = \"nds\"", &[]).contains("perhaps `nsd`"));
}

#[test]
fn broken_toml_is_located() {
    let message = refusal("seed = 1\nname = ", &[]);
    assert!(message.starts_with("/lab/study/e.toml line 2: not valid TOML"), "{message}");
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    assert!(refusal(ARRAYS, &["split.kind=shared"]).contains("needs an NSD tree"));
    assert!(refusal(ARRAYS, &["split.kind=given"]).contains("`data.test_responses` is missing"));
    assert!(refusal(ARRAYS, &["methods=[\"z\", \"c\"]"]).contains("needs captions"));
    assert!(refusal(ARRAYS, &["methods=[]"]).contains("at least one"));
}

#[test]
fn overrides_win_and_text_needs_no_quotes() {
    let experiment = parse(ARRAYS, &["generate.steps=7", "model.pack=packs/sd", "controls.true=false", "data.form=x"]);
    assert!(experiment.expect_err("`form` is no key of arrays").to_string().contains("--set data.form"));
    let experiment = parse(ARRAYS, &["generate.steps=7", "model.pack=packs/sd", "controls.true=false"]).expect("valid");
    assert_eq!(experiment.generate.steps, 7);
    assert_eq!(experiment.model.pack, Pack::Folder(PathBuf::from("/lab/study/packs/sd")));
    assert!(!experiment.controls.is_on("true"));
    assert!(refusal(ARRAYS, &["steps"]).contains("is not an override"));
}

#[test]
fn the_resolved_form_reads_back_as_the_same_experiment() {
    let nsd = "[data]\nkind = \"nsd\"\nroot = \"nsd\"\nsessions = [1, 2]\n[decode]\nalphas = [1, 2.5]";
    let full = format!(
        "{ARRAYS}test_responses = \"x.mat:a\"\ntest_stimuli = \"x.mat:b\"\nearly = \"m.npy\"\n[split]\nallow_leaks = true\n"
    );
    for text in [ARRAYS, nsd, &full, "[data]\nkind = \"phantom\"\nsessions = 7"] {
        let experiment = parse(text, &[]).expect("valid");
        let resolved = experiment.resolved();
        let again = Experiment::parse(&resolved, Path::new("/elsewhere/experiment.toml"), &[], &words())
            .expect("resolved is valid");
        assert_eq!(again, experiment, "{resolved}");
        assert_eq!(again.resolved(), resolved);
    }
}

#[test]
fn the_demo_is_a_valid_experiment_with_all_methods() {
    let demo = Experiment::demo(&[], &words()).expect("valid");
    assert_eq!(demo.methods, ["z", "c", "z+c", "caption"]);
    assert_eq!(demo.split.kind, SplitKind::Shared);
}

#[test]
fn a_trained_encoder_gets_the_usual_groups_and_every_metric() {
    let plain = parse("[data]\nkind = \"phantom\"", &[]).expect("valid");
    assert_eq!(plain.evaluate.metrics, ["pixcorr", "ssim", "twoway_pixel", "twoway_clip"]);
    assert!(!plain.resolved().contains("groups"), "what is not read is not written");
    let groups = |experiment: &Experiment| -> Vec<String> {
        let Data::Phantom(phantom) = &experiment.data else { panic!("phantom") };
        phantom.groups.iter().map(|(name, _)| name.to_owned()).collect()
    };
    for text in
        ["methods = [\"c\", \"b2c\"]\ndecoder = \"d\"\n[data]\nkind = \"phantom\"", "[data]\nkind = \"phantom\"\n[b2c]"]
    {
        let experiment = parse(text, &[]).expect("valid");
        assert_eq!(experiment.evaluate.metrics, names(words().metrics.iter().map(|word| word.name)));
        assert_eq!(groups(&experiment), ["V1", "V2-4", "higher visual", "other"]);
        let again = Experiment::parse(&experiment.resolved(), Path::new("/x/e.toml"), &[], &words())
            .expect("resolved is valid");
        assert_eq!(again, experiment);
    }
}

#[test]
fn groups_keep_their_order_and_are_checked_by_name() {
    let text = "[data]\nkind = \"nsd\"\nroot = \"nsd\"\n[data.groups]\nz = \"streams.early\"\nV1 = \"prf-visualrois.V1\"\na = \"streams.5\"";
    let experiment = parse(text, &[]).expect("valid");
    let Data::Nsd(nsd) = &experiment.data else { panic!("nsd") };
    let found: Vec<(&str, &str)> = nsd.groups.iter().map(|(name, selector)| (name, selector.as_str())).collect();
    assert_eq!(found, [("z", "streams.early"), ("V1", "prf-visualrois.V1"), ("a", "streams.5")]);
    let again =
        Experiment::parse(&experiment.resolved(), Path::new("/x/e.toml"), &[], &words()).expect("resolved is valid");
    assert_eq!(again, experiment);
    let message = refusal(text, &["data.groups.V1=3"]);
    assert!(message.starts_with("--set data.groups.V1: `data.groups.V1` is the whole number 3"), "{message}");
    assert!(refusal("[data]\nkind = \"phantom\"\n[data.groups]", &[]).contains("at least one named group"));
    let arrays = format!("{ARRAYS}[data.groups]\nfront = \"masks.npz:front\"\n");
    let Data::Arrays(arrays) = parse(&arrays, &[]).expect("valid").data else { panic!("arrays") };
    let found: Vec<String> = arrays.groups.iter().map(|(name, mask)| format!("{name} {mask}")).collect();
    assert_eq!(found, ["front /lab/study/masks.npz:front"]);
}

/// What every number of `text` is refused for when it is far too large.
fn too_large(keys: &[Key], path: &str, text: &str) {
    for key in keys.iter().filter(|key| key.kind.number) {
        let limits = key.limits.unwrap_or_else(|| panic!("`{path}{}` has limits", key.name))();
        if limits == Limits::from(0..=u64::MAX) {
            continue;
        }
        let value = if key.kind.name.starts_with("a list") { "[1, 9999999999999]" } else { "9999999999999" };
        let message = refusal(text, &[&format!("{path}{}={value}", key.name)]);
        assert!(
            message.contains("at most") || message.contains("between"),
            "`{path}{}` says what it takes at most: {message}",
            key.name
        );
    }
}

#[test]
fn every_number_has_limits_and_says_them() {
    assert_eq!(
        refusal(ARRAYS, &["evaluate.draws=9999999999999"]),
        "--set evaluate.draws: `evaluate.draws` is 9999999999999, expected at most 1000000"
    );
    assert!(refusal(ARRAYS, &["seed=-1"]).contains("`seed` is -1, expected at least 0"));
    assert!(refusal(ARRAYS, &["data.image_shape=[0, 28]"]).contains("is 0, expected numbers of at least 1"));
    assert!(refusal(ARRAYS, &["decode.alphas=[1e300]"]).contains("expected numbers between 0 and 1000000000000"));
    let phantom = "[data]\nkind = \"phantom\"\n[b2c]";
    let nsd = "[data]\nkind = \"nsd\"\nroot = \"nsd\"";
    too_large(Head::KEYS, "", phantom);
    too_large(PhantomData::KEYS, "data.", phantom);
    too_large(ArraysData::KEYS, "data.", ARRAYS);
    too_large(NsdData::KEYS, "data.", nsd);
    too_large(DecodeSettings::KEYS, "decode.", phantom);
    too_large(GenerateSettings::KEYS, "generate.", phantom);
    too_large(EvaluateSettings::KEYS, "evaluate.", phantom);
    too_large(BaselineSettings::KEYS, "baselines.", phantom);
    too_large(settings::B2cTraining::KEYS, "b2c.", phantom);
    too_large(settings::B2cLosses::KEYS, "b2c.losses.", phantom);
}

#[test]
fn rust_defaults_are_those_of_the_file() {
    let experiment = parse("[data]\nkind = \"phantom\"", &[]).expect("valid");
    assert_eq!(experiment.data, Data::Phantom(PhantomData::default()));
    assert_eq!(experiment.split, SplitSettings::default());
    assert_eq!(experiment.model, ModelSettings::default());
    assert_eq!(experiment.decode, DecodeSettings::default());
    assert_eq!(experiment.generate, GenerateSettings::default());
    assert_eq!(experiment.baselines, BaselineSettings::default());
}

#[test]
fn words_are_checked_against_the_vocabulary_and_put_in_its_order() {
    let phantom = "[data]\nkind = \"phantom\"";
    assert_eq!(
        refusal(phantom, &["methods=[\"z\", \"b2\"]"]),
        "--set methods: `methods` is `b2`, expected words out of `z`, `c`, `z+c`, `caption`, `b2c`, perhaps `b2c`"
    );
    assert!(refusal(phantom, &["evaluate.metrics=[\"sim\"]"]).contains("perhaps `ssim`"));
    assert!(refusal(phantom, &["controls.shufled=true"]).contains("did you mean `controls.shuffled`?"));
    assert!(
        refusal(phantom, &["methods=z"])
            .contains("write for example `methods = [\"z\", \"c\", \"z+c\", \"caption\", \"b2c\"]`")
    );
    assert!(refusal(phantom, &["methods=[1]"]).contains("`methods` is the whole number 1, expected a list of words"));
    let overrides = ["methods=[\"c\", \"z\", \"c\"]", "evaluate.metrics=[\"ssim\", \"mse\", \"ssim\"]"];
    let experiment = parse(phantom, &overrides).expect("valid");
    assert_eq!(experiment.methods, ["z", "c"]);
    assert_eq!(experiment.evaluate.metrics, ["mse", "ssim"]);
    assert!(experiment.asks("z") && !experiment.asks("z+c"));
}

#[test]
fn unknown_keys_at_the_top_and_sections_that_are_none_are_named() {
    let phantom = "[data]\nkind = \"phantom\"";
    assert_eq!(
        refusal(phantom, &["voxels_and_more=1"]),
        "--set voxels_and_more: unknown key `voxels_and_more` (known here are `name`, `seed`, `methods`, `data`, `split`, \
         `model`, `decode`, `generate`, `evaluate`, `controls`, `baselines`, `decoder`, `captions`, `b2c`)"
    );
    for section in ["split", "controls", "b2c", "evaluate"] {
        assert_eq!(
            refusal(phantom, &[&format!("{section}=1")]),
            format!(
                "--set {section}: `{section}` is the whole number 1, expected a section (write for example `[{section}]`)"
            )
        );
    }
    assert!(refusal("data = 3", &[]).contains("expected a section (write for example `[data]`)"));
    assert!(
        refusal(phantom, &["controls.mean=3"]).contains("expected true or false (write for example `mean = true`)")
    );
}

#[test]
fn wrong_types_come_with_an_example_of_the_right_one() {
    let phantom = "[data]\nkind = \"phantom\"";
    for (set, expected) in [
        ("generate.guidance=x", "is the text `x`, expected a number (write for example `guidance = 3`)"),
        ("generate.steps=2.5", "is the number 2.5, expected a whole number (write for example `steps = 20`)"),
        ("decode.average_repeats=1", "expected true or false (write for example `average_repeats = true`)"),
        ("decode.z_region=1", "expected text (write for example `z_region = \"...\"`)"),
        ("decode.alphas=1", "expected a list of numbers (write for example `alphas = [1, 10, 100]`)"),
        ("decode.alphas=[\"a\"]", "is the text `a`, expected a list of numbers"),
        ("data.shape=[1, 2]", "is [1, 2], expected three numbers of voxels, such as [24, 26, 18]"),
        ("model.pack=1", "expected text (write for example `pack = \"...\"`)"),
        ("name=1", "expected text (write for example `name = \"...\"`)"),
        ("b2c.losses=1", "expected a section (write for example `[b2c.losses]`)"),
    ] {
        let message = refusal(phantom, &[set]);
        assert!(message.contains(expected), "{message}");
    }
    assert!(refusal(ARRAYS, &["data.value_range=[1, 1]"]).contains("is [1.0, 1.0], expected two different numbers"));
    assert!(refusal(ARRAYS, &["data.responses=\":x\""]).contains("is `:x`, expected `file` or `file:variable`"));
    assert_eq!(
        refusal("[data]\nkind = \"arrays\"", &[]),
        "/lab/study/e.toml: `data.responses` is missing (add for example `responses = \"data.mat:responses\"`)"
    );
    assert_eq!(
        refusal(&ARRAYS.replace("image_shape = [28, 28]", ""), &[]),
        "/lab/study/e.toml: `data.image_shape` is missing (add for example `image_shape = [28, 28]`)"
    );
    assert!(refusal(ARRAYS, &["data.test_stimuli=\"x.mat\""]).contains("`data.test_responses` is missing"));
}

#[test]
fn the_seed_of_the_experiment_is_that_of_its_sections() {
    let text = "seed = 7\n[data]\nkind = \"phantom\"\n[b2c]";
    let experiment = parse(text, &[]).expect("valid");
    assert_eq!(experiment.generate.seed, 7);
    assert_eq!(experiment.section::<B2cSettings>("b2c").expect("written").base.seed, 7);
    assert_eq!(parse(text, &["generate.seed=3"]).expect("valid").generate.seed, 3);
}

#[test]
fn a_control_that_reads_captions_needs_a_method_that_does() {
    let phantom = "[data]\nkind = \"phantom\"";
    assert!(!parse(phantom, &[]).expect("valid").controls.is_on("true_c"));
    assert!(parse(phantom, &["controls.true_c=true"]).expect("valid").controls.is_on("true_c"));
    assert!(parse(phantom, &["methods=[\"b2c\"]"]).expect("valid").controls.is_on("true_c"));
    assert!(!parse(phantom, &["methods=[\"z\"]", "b2c.blocks=1"]).expect("valid").controls.is_on("true_c"));
    assert_eq!(
        refusal(phantom, &["methods=[\"z\"]", "controls.true_c=true"]),
        "--set controls.true_c: `controls.true_c` is true, expected false unless `methods` has `c`, `z+c` or `b2c`"
    );
}

#[test]
fn needs_are_those_of_methods_and_sections() {
    let phantom = "[data]\nkind = \"phantom\"\n";
    let needs = |set: &[&str]| parse(phantom, set).expect("valid").needs();
    assert_eq!(needs(&["methods=[\"z\"]"]), Needs::default());
    assert_eq!(needs(&[]), Needs { captions: true, groups: false });
    assert_eq!(needs(&["methods=[\"z\"]", "b2c.blocks=1"]), Needs { captions: true, groups: true });
}

const VARIANTS: &str = r#"
seed = 5
[data]
kind = "phantom"
[b2c]
steps = 4
[[b2c.variants]]
patched = false
losses = { clip_mse = 0, clip_cosine = 0 }
[[b2c.variants]]
train_images = 40
name = "few"
"#;

#[test]
fn variants_are_laid_over_their_section() {
    let experiment = parse(VARIANTS, &[]).expect("valid");
    let b2c: B2cSettings = experiment.section("b2c").expect("written");
    let found: Vec<&str> = b2c.variants.iter().map(|variant| variant.name.as_str()).collect();
    assert_eq!(found, ["b2c", "few"]);
    assert!(!b2c.variants[0].training.patched && b2c.variants[0].training.losses.velocity == 1.0);
    assert_eq!((b2c.variants[1].training.steps, b2c.variants[1].training.seed), (4, 5));
    assert_eq!((b2c.variants[1].training.train_images, b2c.base.train_images), (40, 0));
    let resolved = experiment.resolved();
    let again = Experiment::parse(&resolved, Path::new("/x/e.toml"), &[], &words()).expect("resolved is valid");
    assert_eq!(again, experiment, "{resolved}");
    assert_eq!(again.resolved(), resolved);
    assert!(experiment.section::<B2cSettings>("captions").is_none());
    assert!(refusal(VARIANTS, &["b2c.lossses.epsilon=1"]).contains("did you mean `b2c.losses`?"));
    assert!(refusal(VARIANTS, &["b2c.variants=[1]"]).contains("is 1, expected tables, each `[[b2c.variants]]`"));
    let none = "b2c.losses={epsilon=0, velocity=0, x0_mse=0, x0_cosine=0, x0_ssim=0, clip_mse=0, clip_cosine=0}";
    assert!(refusal(VARIANTS, &[none]).contains("`b2c.losses` is none, expected at least one weight above 0"));
    assert!(
        refusal(&VARIANTS.replace("few", "b2c"), &[]).contains("is `b2c` twice, expected a different `name` for each")
    );
}

#[test]
fn arms_of_systems_have_names_of_their_own() {
    let refused = |name: &str| refusal(&VARIANTS.replace("few", name), &[]);
    for (name, reason) in [
        ("z+c", "a method"),
        ("Z", "a method"),
        ("true_c", "a control"),
        ("stimulus", "the pictures that were seen"),
        ("pixel_ridge", "a baseline"),
        ("stages", "a folder of the run"),
        ("report.html", "a file of the run"),
    ] {
        let message = refused(name);
        let expected = format!("`b2c.variants.name` is `{name}`, expected another name, since this one is {reason}");
        assert!(message.ends_with(&expected), "{message}");
    }
    assert!(refused("ridge@800").contains("ridge regression beside trained encoders"));
    assert!(refused("a.JSON").contains("ends in `.json` is taken for a file"));
    assert!(refused("a b").contains("is `a b`, expected letters, digits and `+-_.@`"));
    assert!(refused(".few").contains("does not start with `.`"));
    assert!(parse(&VARIANTS.replace("few", "ridge+b2c@40"), &[]).is_ok());
}

#[test]
fn colons_in_paths_are_kept_when_resolved() {
    let text = ARRAYS.replace("sub/x.mat:fmriTrn", "10:30/x.npy");
    let experiment = parse(&text, &[]).expect("valid");
    let Data::Arrays(arrays) = &experiment.data else { panic!("arrays") };
    assert_eq!((arrays.responses.to_string().as_str(), &arrays.responses.variable), ("/lab/study/10:30/x.npy", &None));
    let again = Experiment::parse(&experiment.resolved(), Path::new("/x/e.toml"), &[], &words()).expect("valid");
    assert_eq!(again, experiment);
}

#[test]
fn the_reference_page_is_that_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/experiment.md");
    let page = reference(&words());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/experiment.md is there");
    assert!(written == page, "docs/experiment.md is not what the keys say (run the tests once with UPDATE_DOCS=1)");
}

#[test]
fn every_key_and_word_is_on_the_reference_page() {
    let words = words();
    let page = reference(&words);
    let named = |name: &str| assert!(page.contains(&format!("| `{name}` |")), "`{name}` is on the page");
    for word in &words.methods {
        named(word.name);
    }
    for name in words.metrics.iter().map(|word| word.name).chain(words.controls.iter().map(|word| word.name)) {
        named(name);
    }
    let experiment = parse("decoder = \"d\"\n[data]\nkind = \"phantom\"\n[b2c]", &[]).expect("valid");
    fn keys(table: &Table, into: &mut Vec<String>) {
        for (key, value) in table {
            match value {
                Value::Table(inner) if key != "groups" => keys(inner, into),
                Value::Array(items) if items.first().is_some_and(Value::is_table) => {}
                _ => into.push(key.clone()),
            }
        }
    }
    let mut written = Vec::new();
    keys(&experiment.resolved().parse().expect("TOML"), &mut written);
    assert!(written.len() > 60, "{written:?}");
    for key in &written {
        named(key);
    }
}

#[test]
fn the_example_of_the_reference_is_valid() {
    let page = reference(&words());
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    parse(example, &[]).expect("valid");
}

#[test]
fn the_examples_are_valid_and_read_back_as_resolved() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("examples") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        // A folder of its own, so that no path depends on where the clone lies; the pack is that of the program.
        let text = std::fs::read_to_string(&path).expect("text");
        // Experiments of encoding, of music and of films have a grammar of their own, and a test.
        if text.contains("[spaces") || text.contains("[targets") || text.contains("[film]") {
            continue;
        }
        let experiment = parse(&text, &["model.pack=pocket"]).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let again = parse(&experiment.resolved(), &[]).expect("resolved is valid");
        assert_eq!(again, experiment);
        assert_eq!(again.resolved(), experiment.resolved());
        seen += 1;
    }
    assert!(seen >= 9, "{seen} examples");
}
