"""Writes models of sound of the released configurations with random weights and reference outputs, for the example `parity`.

    python full_size_sound.py DIR [CASE]...

Without names, all of them: about 5 GB of memory (w2v-BERT). Weights are stored in f16, the reference runs in f32 on one thread.
"""

import gc
import json
import sys
import time
from pathlib import Path

import torch

torch.version.cuda = None  # read by torchaudio's check of its CUDA version alone

from make import normal, saved_config
from make_sound import randomised
from safetensors.torch import save_file

MUSIC_UNET = dict(
    sample_size=128, in_channels=8, out_channels=8, block_out_channels=(128, 256, 384, 640), layers_per_block=2, attention_head_dim=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=(128, 256, 384, 640), class_embed_type="simple_projection", projection_class_embeddings_input_dim=512,
    class_embeddings_concat=True,
)
MEL_VAE = dict(
    in_channels=1, out_channels=1, latent_channels=8, block_out_channels=(128, 256, 512), layers_per_block=2, norm_num_groups=32,
    down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, sample_size=1024, scaling_factor=0.9227914214134216,
)
MUSIC_VOCODER = dict(
    model_in_dim=64, sampling_rate=16000, upsample_initial_channel=1024, upsample_rates=[5, 4, 2, 2, 2], upsample_kernel_sizes=[16, 16, 8, 4, 4],
    resblock_kernel_sizes=[3, 7, 11], resblock_dilation_sizes=[[1, 3, 5]] * 3, normalize_before=False,
)
# Of CLAP trained on music; the unfused one has the defaults.
LARGE_AUDIO = dict(patch_embeds_hidden_size=128, depths=[2, 2, 12, 2], hidden_size=1024)
ENCODEC_48 = dict(
    target_bandwidths=[3.0, 6.0, 12.0, 24.0], sampling_rate=48000, audio_channels=2, normalize=True, chunk_length_s=1.0, overlap=0.01,
    norm_type="time_group_norm", use_causal_conv=False,
)


def write(folder, model, config, weight_file, inputs, run):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = randomised(model, 1)
    with torch.no_grad():
        for name, p in model.named_parameters():
            # So large that a dozen layers of them hide the input.
            if p.ndim == 1 and name.endswith("bias"):
                p.copy_((0.1 * p).half())
    model = model.float()
    state = {k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}
    save_file(state, str(folder / weight_file))
    with torch.no_grad():
        outputs = run(model, **inputs)
        begin = time.perf_counter()
        other = run(model, **{k: v.flip(-1) for k, v in inputs.items()})
    seconds = time.perf_counter() - begin
    # Outputs that hardly depend on the input would agree whatever is wrong.
    least = min(((other[k] - v).abs().max() / v.abs().max()).item() for k, v in outputs.items())
    assert least > 0.03, f"other inputs change an output by {least:.1e} only"
    io = {f"input.{k}": v for k, v in inputs.items()} | {f"output.{k}": v.float() for k, v in outputs.items()}
    io["seconds"] = torch.tensor([seconds])
    save_file({k: v.clone().contiguous() for k, v in io.items()}, str(folder / "io.safetensors"))
    print(f"{folder.name}: reference took {seconds:.2f} s; other inputs change every output by at least {least:.2f}", flush=True)


def plain(config):
    return json.loads(config.to_json_string())


def clap(folder, **audio):
    from transformers import ClapConfig, ClapModel

    config = ClapConfig(text_config={}, audio_config=audio)
    # A spectrum that lasts, as sounds have it: noise alone is much the same everywhere.
    mels = (normal(2, 1, 1, 1, 64) * 15 + normal(4, 1, 1, 1001, 64) * 5 - 40).float()
    ids = torch.randint(4, 50000, (1, 24), generator=torch.Generator().manual_seed(3))

    def run(m, mels, ids):
        audio = m.audio_projection(m.audio_model(mels).pooler_output)
        return {"audio": audio, "text": m.text_projection(m.text_model(ids, attention_mask=torch.ones_like(ids)).pooler_output)}

    write(folder, ClapModel(config), plain(config), "model.safetensors", {"mels": mels, "ids": ids}, run)


def clap_unfused(folder):
    clap(folder)


def clap_music(folder):
    clap(folder, **LARGE_AUDIO)


def encodec(folder, **changes):
    from transformers import EncodecConfig, EncodecModel

    config = EncodecConfig(**changes)
    sound = normal(2, 1, config.audio_channels, config.sampling_rate).float() * 0.1
    latents = normal(3, 1, 128, 75).float()
    run = lambda m, sound, latents: {"latents": m.encoder(sound), "decoded": m.decoder(latents)}
    write(folder, EncodecModel(config), plain(config), "model.safetensors", {"sound": sound, "latents": latents}, run)


def encodec_24khz(folder):
    encodec(folder)


def encodec_48khz(folder):
    encodec(folder, **ENCODEC_48)


def w2v_bert(folder):
    from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

    config = Wav2Vec2BertConfig()
    tokens = normal(2, 1, 250, 160).float()

    def run(m, tokens):
        out = m(tokens, output_hidden_states=True)
        return {"states": out.last_hidden_state} | {f"layer{i:02}": out.hidden_states[i] for i in range(25)}

    write(folder, Wav2Vec2BertModel(config), plain(config), "model.safetensors", {"tokens": tokens}, run)


def music_vocoder(folder):
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    config = SpeechT5HifiGanConfig(**MUSIC_VOCODER)
    mels = normal(2, 1, 200, 64).float()
    run = lambda m, mels: {"sound": m(mels)}
    write(folder, SpeechT5HifiGan(config), plain(config), "model.safetensors", {"mels": mels}, run)


def music_unet(folder):
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel(**MUSIC_UNET)
    config = {k: v for k, v in json.loads(model.to_json_string()).items() if k != "_name_or_path"}
    sample, labels, step = normal(2, 1, 8, 256, 16).float(), normal(3, 1, 512).float(), torch.tensor([481])

    def run(m, sample, class_labels, timestep):
        return {"sample": m(sample, timestep, encoder_hidden_states=None, class_labels=class_labels).sample}

    inputs = {"sample": sample, "class_labels": labels, "timestep": step}
    write(folder, model, config, "diffusion_pytorch_model.safetensors", inputs, run)


def music_vae(folder):
    from diffusers import AutoencoderKL

    model = AutoencoderKL(**MEL_VAE)
    config = {k: v for k, v in json.loads(model.to_json_string()).items() if k != "_name_or_path"}
    image, latent = normal(2, 1, 1, 256, 64).float(), normal(3, 1, 8, 64, 16).float()

    def run(m, image, latent):
        posterior = m.encode(image).latent_dist
        return {"mean": posterior.mean, "logvar": posterior.logvar, "image": m.decode(latent).sample}

    write(folder, model, config, "diffusion_pytorch_model.safetensors", {"image": image, "latent": latent}, run)


def music_pack(folder):
    """The whole pipeline, from given noise: two seconds in three steps, guided."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from diffusers.pipelines.deprecated.musicldm.pipeline_musicldm import MusicLDMPipeline
    from make_sound import tokenizer
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast, SpeechT5HifiGan, SpeechT5HifiGanConfig

    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer(folder / "tokenizer"), pad_token="<pad>", model_max_length=512)
    text, gan = ClapConfig(text_config={}, audio_config={}), SpeechT5HifiGanConfig(**MUSIC_VOCODER)
    parts = {
        "unet": randomised(UNet2DConditionModel(**MUSIC_UNET), 1),
        "vae": randomised(AutoencoderKL(**MEL_VAE), 2),
        "text_encoder": randomised(ClapModel(text), 3),
        "vocoder": randomised(SpeechT5HifiGan(gan), 4),
    }
    scheduler = DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    )
    extractor = ClapFeatureExtractor(truncation="rand_trunc")
    for name, model in parts.items():
        model.float()
        config = plain(text) if name == "text_encoder" else plain(gan) if name == "vocoder" else saved_config(model)
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        file = "model.safetensors" if name in ("text_encoder", "vocoder") else "diffusion_pytorch_model.safetensors"
        save_file({k: (v.half() if v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}, str(folder / name / file))
    for name, file, config in [
        ("scheduler", "scheduler_config.json", scheduler), ("feature_extractor", "preprocessor_config.json", extractor),
    ]:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / file).write_text(config.to_json_string())
    index = {"_class_name": "MusicLDMPipeline"} | {name: ["diffusers", name] for name in ("unet", "vae", "scheduler", "tokenizer")}
    (folder / "model_index.json").write_text(json.dumps(index))
    pipe = MusicLDMPipeline(parts["vae"], parts["text_encoder"], fast, extractor, parts["unet"], scheduler, parts["vocoder"])
    pipe.set_progress_bar_config(disable=True)
    unit = lambda seed: torch.nn.functional.normalize(normal(seed, 1, 512), dim=-1).float()
    # 2.56 s are 256 frames of 160 samples: latents of 64 × 16.
    inputs = {"vectors": unit(5), "negative": unit(6), "noise": normal(7, 1, 8, 64, 16).float()}

    def run(vectors, negative, noise):
        given = dict(audio_length_in_s=2.56, num_inference_steps=3, guidance_scale=2.0, output_type="pt")
        return torch.as_tensor(pipe(prompt_embeds=vectors, negative_prompt_embeds=negative, latents=noise, **given).audios).float()

    with torch.no_grad():
        begin = time.perf_counter()
        sound = run(**inputs)
        seconds = time.perf_counter() - begin
        least = min(((run(**(inputs | {k: v.flip(-1)})) - sound).abs().max() / sound.abs().max()).item() for k, v in inputs.items())
    assert least > 0.01, f"another input changes the sound by {least:.1e} only"
    io = {f"input.{k}": v for k, v in inputs.items()} | {"output.sound": sound, "seconds": torch.tensor([seconds])}
    save_file({k: v.contiguous() for k, v in io.items()}, str(folder / "io.safetensors"))
    print(f"music_pack: reference took {seconds:.2f} s; any other input changes the sound by at least {least:.2f}", flush=True)


CASES = {
    f.__name__: f
    for f in (clap_unfused, clap_music, encodec_24khz, encodec_48khz, w2v_bert, music_vocoder, music_unet, music_vae, music_pack)
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or any(name not in CASES for name in sys.argv[2:]):
        sys.exit(__doc__)
    torch.set_num_threads(1)
    for name in sys.argv[2:] or CASES:
        torch.manual_seed(0)
        CASES[name](Path(sys.argv[1]) / name)
        gc.collect()
