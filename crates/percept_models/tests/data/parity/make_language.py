"""Makes the language models, their tokenizers' ids, and `taps/`, values inside models read by hooks.

    python make_language.py
"""

import copy
import json

import torch
from make import HERE, TEXTS, SENTENCES, f32, loss_of, normal, randomise, save, weights, write_case, write_json

CASES = {
    "bert": {
        "architectures": ["BertForMaskedLM"], "attention_probs_dropout_prob": 0.1, "gradient_checkpointing": False,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 12, "initializer_range": 0.02,
        "intermediate_size": 20, "layer_norm_eps": 1e-12, "max_position_embeddings": 10, "model_type": "bert",
        "num_attention_heads": 3, "num_hidden_layers": 2, "pad_token_id": 0, "position_embedding_type": "absolute",
        "transformers_version": "4.6.0.dev0", "type_vocab_size": 2, "use_cache": True, "vocab_size": 30,
    },
    "gpt2": {
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 29,
        "embd_pdrop": 0.1, "eos_token_id": 29, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05,
        "model_type": "gpt2", "n_ctx": 10, "n_embd": 12, "n_head": 2, "n_layer": 2, "n_positions": 10,
        "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_type": "cls_index",
        "summary_use_proj": True, "task_specific_params": {"text-generation": {"do_sample": True}}, "vocab_size": 30,
    },
    "opt": {
        "_remove_final_layer_norm": False, "activation_dropout": 0.0, "activation_function": "relu",
        "attention_dropout": 0.0, "bos_token_id": 2, "do_layer_norm_before": True, "dropout": 0.1, "eos_token_id": 2,
        "ffn_dim": 20, "hidden_size": 12, "init_std": 0.02, "layerdrop": 0.0, "max_position_embeddings": 10,
        "model_type": "opt", "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 1, "prefix": "</s>",
        "torch_dtype": "float16", "use_cache": True, "vocab_size": 30, "word_embed_proj_dim": 12,
    },
    "opt_narrow": {  # as the size of 350 million parameters
        "activation_function": "relu", "do_layer_norm_before": False, "ffn_dim": 20, "hidden_size": 12,
        "max_position_embeddings": 10, "model_type": "opt", "num_attention_heads": 3, "num_hidden_layers": 2,
        "pad_token_id": 1, "vocab_size": 30, "word_embed_proj_dim": 6,
    },
    "llama": {
        "architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 1,
        "eos_token_id": [2, 3], "hidden_act": "silu", "hidden_size": 16, "initializer_range": 0.02,
        "intermediate_size": 20, "max_position_embeddings": 64, "mlp_bias": False, "model_type": "llama",
        "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
        "original_max_position_embeddings": 16, "rope_type": "llama3"}, "rope_theta": 500.0,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True, "vocab_size": 30,
    },
    "llama_biased": {
        "attention_bias": True, "head_dim": 6, "hidden_act": "silu", "hidden_size": 12, "intermediate_size": 20,
        "max_position_embeddings": 64, "mlp_bias": True, "model_type": "llama", "num_attention_heads": 3,
        "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-06,
        "rope_scaling": {"factor": 2.0, "type": "linear"}, "vocab_size": 30,
    },
}


def models():
    from transformers import AutoConfig, AutoModel

    prefixes = {"bert": "bert.", "gpt2": "", "opt": "model.", "llama": "model."}
    for i, (name, config) in enumerate(CASES.items()):
        seed = 800 + 20 * i
        kind = config["model_type"]
        settings = AutoConfig.for_model(**copy.deepcopy(config))
        settings._attn_implementation = "eager"
        model = randomise(AutoModel.from_config(settings), seed)
        ids = torch.randint(3, 30, (2, 9), generator=torch.Generator().manual_seed(seed + 1))
        with torch.enable_grad():
            out = model(ids, attention_mask=torch.ones_like(ids), output_hidden_states=True)
            outputs = {"last_hidden_state": out.last_hidden_state}
            if kind == "bert":
                outputs["pooled"] = out.pooler_output
            loss, parts = loss_of(outputs, seed + 2)
            loss.backward()
        prefix = prefixes[kind] if name != "llama_biased" else ""
        state = {prefix + k: v for k, v in weights(model).items()}
        write_case(name, config, state, "model.safetensors", {"input_ids": ids}, outputs, parts, model, lambda n: prefix + n)
        hidden = {f"layer{i:02}": state for i, state in enumerate(out.hidden_states)}
        save(HERE / name / "hidden.safetensors", f32(hidden))


def tokenizer_files():
    """Two tokenizers as one file each, trained on the script's sentences, with their ids for the awkward texts."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    wordpiece = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    wordpiece.normalizer = normalizers.BertNormalizer(lowercase=True)
    wordpiece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    wordpiece.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special, show_progress=False))
    wordpiece.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bytes_.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False))
    for name, tokenizer in {"wordpiece": wordpiece, "bytes": bytes_}.items():
        folder = HERE / "tokenizer_json"
        folder.mkdir(exist_ok=True)
        tokenizer.save(str(folder / f"{name}.json"), pretty=False)
        ids = [tokenizer.encode(text).ids for text in TEXTS]
        (folder / f"{name}_ids.json").write_text(json.dumps([{"text": t, "ids": i} for t, i in zip(TEXTS, ids)], ensure_ascii=False) + "\n")


def taps():
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPVisionModelWithProjection

    seen = {}

    def hook(model, places):
        modules = dict(model.named_modules())
        for name, module in places.items():
            def keep(_, __, out, name=name):
                seen[name] = out[0] if isinstance(out, tuple) else getattr(out, "sample", out)
            modules[module].register_forward_hook(keep)

    model = UNet2DConditionModel.from_pretrained(HERE / "unet_2d_condition", torch_dtype=torch.float64)
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    hook(model, {
        "unet.step": "time_embedding", "unet.conv_in": "conv_in", "unet.down.0.resnet.1": "down_blocks.0.resnets.1",
        "unet.down.0.attn.0": "down_blocks.0.attentions.0", "unet.down.0.attn.0.self": f"{block}.attn1",
        "unet.down.0.attn.0.cross": f"{block}.attn2", "unet.down.0.attn.0.ff": f"{block}.ff",
        "unet.down.0.sample": "down_blocks.0.downsamplers.0", "unet.mid.attn.0.cross": "mid_block.attentions.0.transformer_blocks.0.attn2",
        "unet.mid": "mid_block", "unet.up.0": "up_blocks.0", "unet.up.1.attn.2": "up_blocks.1.attentions.2", "unet.out": "conv_out",
    })
    sample, context = normal(900, 1, 4, 4, 6), normal(901, 1, 3, 12)
    model(sample, torch.tensor([600]), context)
    model = AutoencoderKL.from_pretrained(HERE / "autoencoder_kl", torch_dtype=torch.float64)
    hook(model, {"vae.encode.mid": "encoder.mid_block", "vae.encode.down.0": "encoder.down_blocks.0",
                 "vae.decode.mid": "decoder.mid_block", "vae.decode.up.1": "decoder.up_blocks.1"})
    image = normal(902, 1, 3, 8, 12)
    model.decode(model.encode(image).latent_dist.mean)
    model = CLIPTextModel.from_pretrained(HERE / "clip_text", dtype=torch.float64)
    ids = torch.tensor([[703, 5, 9, 704]])
    for i, state in enumerate(model(ids, output_hidden_states=True).hidden_states):
        seen[f"clip.text.layer{i:02}"] = state
    model = CLIPVisionModelWithProjection.from_pretrained(HERE / "clip_vision", dtype=torch.float64)
    pixels = normal(903, 1, 3, 12, 12)
    for i, state in enumerate(model(pixels, output_hidden_states=True).hidden_states):
        seen[f"clip.image.layer{i:02}"] = state
    inputs = {"input.sample": sample, "input.context": context, "input.image": image, "input.ids": ids, "input.pixels": pixels}
    save(HERE / "taps" / "io.safetensors", f32(inputs | seen))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    models()
    tokenizer_files()
    taps()
