"""Makes the Vision Transformers: of pictures and of films (VideoMAE), without classes and with them, and the preparation of
pictures and frames.

    python make_vit.py

`vit` has the names that transformers 5 gives its tensors, the others those of the released files.
"""

import re
import shutil

import numpy as np
import torch
from make import HERE, f32, loss_of, normal, pattern, randomise, save, weights, write_case, write_json

SMALL = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "image_size": 12,
    "patch_size": 4,
    "num_channels": 3,
}
LABELS = {"id2label": {str(i): f"LABEL_{i}" for i in range(5)}, "label2id": {f"LABEL_{i}": i for i in range(5)}}
TO_RELEASED = [
    (r"(^|\.)layers\.(\d+)\.", r"\1encoder.layer.\2."),
    (r"attention\.q_proj\.", "attention.attention.query."),
    (r"attention\.k_proj\.", "attention.attention.key."),
    (r"attention\.v_proj\.", "attention.attention.value."),
    (r"attention\.o_proj\.", "attention.output.dense."),
    (r"mlp\.fc1\.", "intermediate.dense."),
    (r"mlp\.fc2\.", "output.dense."),
    (r"attention\.attention\.query\.bias", "attention.attention.q_bias"),
    (r"attention\.attention\.value\.bias", "attention.attention.v_bias"),
]


def released(name, rules):
    for pattern, to in rules:
        name = re.sub(pattern, to, name)
    return name


def case(name, model, config, seed, pixels, renamed, outputs):
    """Writes the case, and checks that the reference reads the released names back into the same model."""
    randomise(model, seed)
    pixels = pixels.requires_grad_()
    with torch.enable_grad():
        out = model(pixels, output_hidden_states=True)
        results = {key: out[key] for key in outputs}
        loss, parts = loss_of(results, seed + 7)
        loss.backward()
    state = {renamed(key): value for key, value in weights(model).items()}
    write_case(name, config, state, "model.safetensors", {"pixel_values": pixels}, results, parts, model, renamed)
    states = {f"layer{i:02}": x for i, x in enumerate(out.hidden_states)}
    save(HERE / name / "hidden.safetensors", f32(states))
    folder = HERE / "again.tmp"
    write_json(folder / "config.json", config)
    save(folder / "model.safetensors", state)
    again = type(model).from_pretrained(folder, dtype=torch.float64).eval()
    assert all(torch.equal(again(pixels)[key], out[key]) for key in outputs), name
    shutil.rmtree(folder)
    return model


def vits():
    from transformers import ViTConfig, ViTForImageClassification, ViTModel

    config = SMALL | {
        "architectures": ["ViTModel"], "model_type": "vit", "qkv_bias": False, "encoder_stride": 4,
        "pooler_output_size": 6, "pooler_act": "tanh",
    }
    model = ViTModel(ViTConfig(**config))
    pixels = normal(701, 2, 3, 12, 12)
    case("vit", model, config, 700, pixels, lambda n: n, ["last_hidden_state", "pooler_output"])

    config = SMALL | LABELS | {"architectures": ["ViTForImageClassification"], "model_type": "vit", "qkv_bias": True}
    model = ViTForImageClassification(ViTConfig(**config))
    rename = lambda n: released(n, TO_RELEASED[:7])
    return case("vit_classes", model, config, 710, normal(711, 2, 3, 12, 12), rename, ["logits"])


def video_maes():
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification, VideoMAEModel

    film = {"num_frames": 4, "tubelet_size": 2, "model_type": "videomae", "qkv_bias": True}
    decoder = {"decoder_hidden_size": 6, "decoder_intermediate_size": 8, "decoder_num_attention_heads": 2, "decoder_num_hidden_layers": 1}
    rename = lambda n: released(n, TO_RELEASED[7:])

    config = SMALL | film | decoder | {"architectures": ["VideoMAEModel"], "use_mean_pooling": False, "norm_pix_loss": True}
    model = VideoMAEModel(VideoMAEConfig(**config))
    case("video_mae", model, config, 720, normal(721, 2, 4, 3, 12, 12), rename, ["last_hidden_state"])

    config = SMALL | film | decoder | LABELS | {"architectures": ["VideoMAEForVideoClassification"], "use_mean_pooling": True}
    model = VideoMAEForVideoClassification(VideoMAEConfig(**config))
    return case("video_mae_classes", model, config, 730, normal(731, 2, 4, 3, 12, 12), rename, ["logits"])


def prepared(vit, video_mae):
    """Pictures and films of other sizes through processor and classifier."""
    from transformers.models.videomae.image_processing_pil_videomae import VideoMAEImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    common = {"do_normalize": True, "do_rescale": True, "do_resize": True, "resample": 2, "rescale_factor": 1 / 255}
    config = common | {
        "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "ViTImageProcessor", "image_std": [0.5, 0.5, 0.5],
        "size": {"height": 12, "width": 12},
    }
    write_json(HERE / "vit_classes" / "preprocessor_config.json", config)
    processor = ViTImageProcessorPil(**{k: v for k, v in config.items() if k != "image_processor_type"})
    io = {}
    for name, (h, w) in {"wide": (27, 40), "small": (7, 9)}.items():
        io[f"picture.{name}"] = picture = pattern(h, w)
        pixels = processor(picture.numpy(), return_tensors="pt", input_data_format="channels_last").pixel_values
        io[f"pixels.{name}"] = pixels[0].float()
        io[f"probabilities.{name}"] = vit(pixels.double()).logits.softmax(-1)
    save(HERE / "vit_classes" / "prepared.safetensors", f32(io))

    config = common | {
        "crop_size": {"height": 12, "width": 12}, "do_center_crop": True, "image_mean": [0.485, 0.456, 0.406],
        "image_processor_type": "VideoMAEImageProcessor", "image_std": [0.229, 0.224, 0.225], "size": {"shortest_edge": 12},
    }
    write_json(HERE / "video_mae_classes" / "preprocessor_config.json", config)
    processor = VideoMAEImageProcessorPil(**{k: v for k, v in config.items() if k != "image_processor_type"})
    io = {}
    for name, (frames, h, w) in {"tall": (7, 25, 14), "short": (2, 13, 30)}.items():
        film = torch.stack([pattern(h + i, w)[i:] for i in range(frames)])
        io[f"film.{name}"] = film
        taken = [int(np.floor(i * (frames - 1) / 3 + 0.5)) for i in range(4)]
        pixels = processor([film[i].numpy() for i in taken], return_tensors="pt", input_data_format="channels_last").pixel_values
        io[f"pixels.{name}"] = pixels[0].float()
        io[f"probabilities.{name}"] = video_mae(pixels.double()).logits.softmax(-1)
    save(HERE / "video_mae_classes" / "prepared.safetensors", f32(io))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    prepared(vits(), video_maes())
    for name in ("vit", "vit_classes", "video_mae", "video_mae_classes"):
        print(name, {p.name: p.stat().st_size for p in sorted((HERE / name).iterdir())})
