//! Language models against transformers: every hidden state, gradients, tokenizers of one file.

use std::collections::BTreeMap;

use percept_models::{language::LanguageModel, tap::Taps, tokenizer::TextTokenizer};
use serde::Deserialize;

use crate::fixture::{Case, OUTPUT, relative_error, tensors, text, values};

pub(crate) fn check(name: &'static str) {
    let case = Case::open(name, "model.safetensors");
    let model = LanguageModel::from_params(&case.params, &case.config()).expect("the config is supported");
    let hidden = tensors(&format!("{name}/hidden.safetensors"));
    assert_eq!(hidden.len(), model.n_layers() + 1, "{name}");
    let mut taps = Taps::wanting(hidden.keys().cloned());
    let states = model.forward(&case.ids("input_ids"), &mut taps).expect("the model runs");
    for (place, ours) in taps.finish().expect("all places exist") {
        let error = relative_error(&values(&ours), &values(&hidden[&place]));
        assert!(error <= OUTPUT, "{name}: {place} is off by {error:.1e}");
    }
    let mut outputs = vec![("last_hidden_state", &states.last_hidden)];
    outputs.extend(states.pooled.as_ref().map(|pooled| ("pooled", pooled)));
    case.check(&outputs, &[]);
}

#[test]
fn bert() {
    check("bert");
}

#[test]
fn gpt2() {
    check("gpt2");
}

#[test]
fn opt() {
    check("opt");
}

#[test]
fn opt_with_narrow_embeddings_and_norms_behind() {
    check("opt_narrow");
}

#[test]
fn llama_with_grouped_keys_and_scaled_rotations() {
    check("llama");
}

#[test]
fn llama_with_biases_and_its_own_head_size() {
    check("llama_biased");
}

#[test]
fn heads_and_buffers_of_released_files_are_left_out_and_old_names_read() {
    let mut file = tensors("bert/model.safetensors");
    let weight = file["bert.embeddings.LayerNorm.weight"].clone();
    let old: BTreeMap<_, _> = file
        .iter()
        .map(|(name, tensor)| {
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
            (name, tensor.clone())
        })
        .chain([("cls.predictions.bias".to_owned(), weight.clone())])
        .chain([("bert.embeddings.position_ids".to_owned(), weight.clone())])
        .collect();
    LanguageModel::new(old, &text("bert/config.json"), "test").expect("old names are read");
    file.insert("bert.surplus".into(), weight);
    let words = LanguageModel::new(file, &text("bert/config.json"), "test").err().expect("one is surplus").to_string();
    assert!(words.contains("bert.surplus"), "{words}");
}

#[test]
fn configs_that_are_not_supported_are_named() {
    for (name, from, to, key) in [
        ("bert", "\"absolute\"", "\"relative_key\"", "position_embedding_type"),
        ("bert", "\"model_type\": \"bert\"", "\"model_type\": \"t5\"", "model_type"),
        ("llama", "\"rope_type\": \"llama3\"", "\"rope_type\": \"yarn\"", "rope_scaling"),
        ("llama", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "num_key_value_heads"),
        ("opt", "\"relu\"", "\"softsign\"", "activation_function"),
    ] {
        let config = text(&format!("{name}/config.json"));
        assert!(config.contains(from), "{from}");
        let file = tensors(&format!("{name}/model.safetensors"));
        let words = LanguageModel::new(file, &config.replace(from, to), "test").err().expect(key).to_string();
        assert!(words.contains(&format!("`{key}`")), "{words}");
    }
}

#[derive(Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
}

#[test]
fn tokenizers_of_one_file_give_the_ids_of_the_reference() {
    for name in ["wordpiece", "bytes"] {
        let tokenizer = TextTokenizer::new(&text(&format!("tokenizer_json/{name}.json")), 40).expect("a tokenizer");
        let golden: Vec<Golden> =
            serde_json::from_str(&text(&format!("tokenizer_json/{name}_ids.json"))).expect("golden ids");
        assert!(golden.len() > 25);
        for case in golden {
            let ids = tokenizer.encode(&case.text).expect("every text can be expressed");
            if case.ids.len() <= 40 {
                assert_eq!(ids, case.ids, "{name}: {:?}", case.text);
            } else {
                assert_eq!(ids.len(), 40, "{name}: {:?}", case.text);
                assert!(name == "bytes" || ids.last() == case.ids.last(), "the end token stays: {:?}", case.text);
            }
        }
    }
    let words = TextTokenizer::new("{}", 40).err().expect("no tokenizer").to_string();
    assert!(words.contains("tokenizer.json"), "{words}");
}
