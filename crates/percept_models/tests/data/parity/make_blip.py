"""Makes `blip/`: a small BLIP for captions, its states, gradients, captions by every kind of search, and the original naming.

    python make_blip.py
"""

import copy
import json

import torch
from make import HERE, f32, loss_of, normal, packed_gradients, randomise, save, write_json

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a picture of the red blue green house tree ball dog cat ##s ##ing run sit on left "
    "right in night day snow sea field , . ' small large ##er with and [DEC] [ENC]"
).split()
CONFIG = {
    "architectures": ["BlipForConditionalGeneration"],
    "image_text_hidden_size": 256,
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "blip",
    "projection_dim": 512,
    "text_config": {  # as old releases spell it out
        "add_cross_attention": False, "attention_probs_dropout_prob": 0.0, "bos_token_id": WORDS.index("[DEC]"),
        "encoder_hidden_size": 12, "eos_token_id": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "hidden_size": 8,
        "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 16, "is_decoder": True,
        "label_smoothing": 0.0, "layer_norm_eps": 1e-12, "max_length": 20, "max_position_embeddings": 24,
        "model_type": "blip_text_model", "num_attention_heads": 2, "num_beams": 1, "num_hidden_layers": 2,
        "pad_token_id": 0, "projection_dim": 768, "sep_token_id": 3, "tie_word_embeddings": True, "use_cache": True,
        "vocab_size": len(WORDS),
    },
    "torch_dtype": "float32",
    "transformers_version": None,
    "vision_config": {
        "attention_dropout": 0.0, "dropout": 0.0, "hidden_act": "gelu", "hidden_size": 12, "image_size": 12,
        "initializer_range": 0.02, "intermediate_size": 20, "is_decoder": False, "layer_norm_eps": 1e-06,
        "model_type": "blip_vision_model", "num_attention_heads": 3, "num_channels": 3, "num_hidden_layers": 2,
        "patch_size": 4, "projection_dim": 512, "tie_word_embeddings": True,
    },
}
PAPER = {"num_beams": 3, "min_length": 5, "max_length": 20, "repetition_penalty": 1.5}
SEARCHES = {
    "paper": PAPER,
    "greedy": {"min_length": 5, "max_length": 20, "repetition_penalty": 1.5},
    "long": {"num_beams": 4, "min_length": 9, "max_length": 20, "length_penalty": 2.0, "early_stopping": True,
             "repetition_penalty": 1.5},
    "short": {"num_beams": 2, "min_length": 0, "max_length": 12, "length_penalty": -0.5, "early_stopping": "never",
              "repetition_penalty": 2.0},
    "never": {"num_beams": 5, "min_length": 6, "max_length": 24, "early_stopping": "never", "repetition_penalty": 1.4},
}
VISION = {  # the original names of the Vision Transformer's parts
    "embeddings.class_embedding": "cls_token", "embeddings.position_embedding": "pos_embed",
    "embeddings.patch_embedding": "patch_embed.proj", "encoder.layers": "blocks", "layer_norm1": "norm1",
    "layer_norm2": "norm2", "self_attn.qkv": "attn.qkv", "self_attn.projection": "attn.proj", "post_layernorm": "norm",
}


def blip(config, seed, dtype=torch.float64):
    from transformers import BlipConfig, BlipForConditionalGeneration

    settings = BlipConfig(**copy.deepcopy(config))
    settings._attn_implementation = "eager"
    model = randomise(BlipForConditionalGeneration(settings), seed, dtype)
    with torch.no_grad():  # captions look at their picture; they end, and never by padding
        for layer in model.text_decoder.bert.encoder.layer:
            layer.crossattention.self.query.weight *= 4.0
            layer.crossattention.output.dense.weight *= 4.0
        bias = model.text_decoder.cls.predictions.bias
        bias[config["text_config"]["sep_token_id"]] = 0.25
        bias[config["text_config"]["pad_token_id"]] = -20.0
    return model


def released(model):
    """The state as old releases hold it: the output layer once more under its own names, stored positions."""
    state = {k: v.half() for k, v in model.state_dict().items()}
    n = model.config.text_config.max_position_embeddings
    state["text_decoder.bert.embeddings.position_ids"] = torch.arange(n)[None]
    return {k: v.clone() for k, v in state.items()}


def original(state):
    out = {}
    for name, value in state.items():
        if name.startswith("vision_model."):
            name = name.removeprefix("vision_model.")
            for new, old in VISION.items():
                name = name.replace(new, old)
            name = f"visual_encoder.{name}"
        out[name] = value
    extra = {"text_encoder.embeddings.word_embeddings.weight": torch.zeros(2, 2), "vision_proj.weight": torch.zeros(2, 2)}
    return out | extra


def searched(model, features, prompt, settings, **more):
    """What `generate` of the decoder gives, as `BlipForConditionalGeneration.generate` calls it."""
    text = model.config.text_config
    ids = torch.tensor([[text.bos_token_id, *prompt]]).repeat(len(features), 1)
    return model.text_decoder.generate(
        input_ids=ids, eos_token_id=text.sep_token_id, pad_token_id=text.pad_token_id, encoder_hidden_states=features,
        encoder_attention_mask=torch.ones(features.shape[:-1], dtype=torch.long), do_sample=False,
        return_dict_in_generate=True, output_scores=True, **settings, **more,
    )


def rows(out, model, beams):
    """Tokens up to the end (behind it `generate` fills up with more ends) and, of beam searches, scores."""
    end = model.config.text_config.sep_token_id
    found = []
    for i, row in enumerate(out.sequences.tolist()):
        if end in row:
            row = row[: row.index(end) + 1]
        score = round(out.sequences_scores[i].item(), 7) if beams > 1 else None
        found.append({"tokens": row, "score": score})
    return [found[i : i + beams] for i in range(0, len(found), beams)]


def model_case():
    folder = HERE / "blip"
    model = blip(CONFIG, 950)
    pixels = normal(951, 2, 3, 12, 12).requires_grad_()
    ids = torch.tensor([[38, 5, 6, 7, 9, 12, 30], [38, 8, 11, 17, 3, 0, 21]])
    with torch.enable_grad():
        vision = model.vision_model(pixels, output_hidden_states=True)
        text = model.text_decoder(ids, encoder_hidden_states=vision.last_hidden_state, output_hidden_states=True)
        outputs = {"image_embeds": vision.last_hidden_state, "logits": text.logits}
        loss, parts = loss_of(outputs, 952)
        loss.backward()
    write_json(folder / "config.json", CONFIG)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    state = released(model)
    save(folder / "model.safetensors", state)
    save(folder / "grads.safetensors", packed_gradients(list(model.named_parameters())))
    io = {"input.pixel_values": pixels, "input.input_ids": ids, "gradient.pixel_values": pixels.grad}
    io |= {f"output.{k}": v for k, v in outputs.items()}
    save(folder / "io.safetensors", f32(io | parts))
    hidden = {f"vision.layer{i:02}": s for i, s in enumerate(vision.hidden_states)}
    hidden |= {f"text.layer{i:02}": s for i, s in enumerate(text.hidden_states)}
    with torch.no_grad():
        for side in (8, 22):  # a smaller and a larger grid; 22 is no multiple of the patch
            large = normal(953, 1, 3, side, side)
            hidden[f"pixels{side}"] = large
            hidden[f"embeds{side}"] = model.vision_model(large, interpolate_pos_encoding=True).last_hidden_state
    save(folder / "hidden.safetensors", f32(hidden))
    torch.save({"model": original(state), "epoch": 7}, folder / "original.pth")
    return model


def searches(model):
    features = normal(960, 8, 10, 12)
    features[4:] *= 3.0
    save(HERE / "blip" / "features.safetensors", f32({"features": features}))
    prompts = {"a picture of ": [5, 6, 7], "": []}
    cases = []
    for name, settings in SEARCHES.items():
        for prompt, tokens in prompts.items():
            beams = settings.get("num_beams", 1)
            out = searched(model, features, tokens, settings, num_return_sequences=beams)
            cases.append({"name": name, "prompt": prompt, "settings": settings, "found": rows(out, model, beams)})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (HERE / "blip" / "searches.json").write_text(f"[\n{lines}\n]\n")


def nucleus(model):
    """Scores of one step by transformers' own processors, for given texts."""
    from transformers.generation.logits_process import (
        LogitsProcessorList, MinLengthLogitsProcessor, RepetitionPenaltyLogitsProcessor, TopPLogitsWarper,
    )

    features = normal(960, 8, 10, 12)[:3]
    ids = torch.tensor([[38, 5, 6, 7], [38, 9, 9, 20], [38, 3, 12, 14]])
    out = {"ids": ids}
    with torch.no_grad():
        logits = model.text_decoder(ids, encoder_hidden_states=features).logits[:, -1].float()
    out["logits"] = logits
    for p in (0.3, 0.9):
        for least in (0, 5):
            chain = [RepetitionPenaltyLogitsProcessor(1.1)]
            chain += [MinLengthLogitsProcessor(least, 3)] if least else []
            scores = LogitsProcessorList([*chain, TopPLogitsWarper(p)])(ids, logits)
            out[f"p{p}.least{least}"] = scores.clamp(min=-1e30)
    save(HERE / "blip" / "nucleus.safetensors", out)
    for path in (HERE / "blip").iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    made = model_case()
    searches(made)
    nucleus(made)
