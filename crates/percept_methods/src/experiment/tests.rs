//! The experiment file: defaults, overrides, errors that name key, line and remedy, and the resolved form.

use super::*;

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
    Experiment::parse(text, Path::new("/lab/study/e.toml"), &overrides)
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
    assert!(!experiment.controls.true_features);
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
        let again =
            Experiment::parse(&resolved, Path::new("/elsewhere/experiment.toml"), &[]).expect("resolved is valid");
        assert_eq!(again, experiment, "{resolved}");
        assert_eq!(again.resolved(), resolved);
    }
}

#[test]
fn the_demo_is_a_valid_experiment_with_all_methods() {
    let demo = Experiment::demo(&[]).expect("valid");
    assert_eq!(demo.methods, [Method::Z, Method::C, Method::ZC]);
    assert_eq!(demo.split.kind, SplitKind::Shared);
}

#[test]
fn a_trained_encoder_gets_the_usual_groups_and_every_metric() {
    let plain = parse("[data]\nkind = \"phantom\"", &[]).expect("valid");
    assert_eq!(plain.evaluate.metrics, Metric::BASE);
    assert!(!plain.resolved().contains("groups"), "what is not read is not written");
    let names = |experiment: &Experiment| -> Vec<String> {
        let Data::Phantom(phantom) = &experiment.data else { panic!("phantom") };
        phantom.groups.iter().map(|(name, _)| name.to_owned()).collect()
    };
    for text in
        ["methods = [\"c\", \"b2c\"]\ndecoder = \"d\"\n[data]\nkind = \"phantom\"", "[data]\nkind = \"phantom\"\n[b2c]"]
    {
        let experiment = parse(text, &[]).expect("valid");
        assert_eq!(experiment.evaluate.metrics, Metric::ALL);
        assert_eq!(names(&experiment), ["V1", "V2-4", "higher visual", "other"]);
        let again = Experiment::parse(&experiment.resolved(), Path::new("/x/e.toml"), &[]).expect("resolved is valid");
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
    let again = Experiment::parse(&experiment.resolved(), Path::new("/x/e.toml"), &[]).expect("resolved is valid");
    assert_eq!(again, experiment);
    let message = refusal(text, &["data.groups.V1=3"]);
    assert!(message.starts_with("--set data.groups.V1: `data.groups.V1` is the whole number 3"), "{message}");
    assert!(refusal("[data]\nkind = \"phantom\"\n[data.groups]", &[]).contains("at least one named group"));
    let arrays = format!("{ARRAYS}[data.groups]\nfront = \"masks.npz:front\"\n");
    let Data::Arrays(arrays) = parse(&arrays, &[]).expect("valid").data else { panic!("arrays") };
    let found: Vec<String> = arrays.groups.iter().map(|(name, mask)| format!("{name} {mask}")).collect();
    assert_eq!(found, ["front /lab/study/masks.npz:front"]);
}
