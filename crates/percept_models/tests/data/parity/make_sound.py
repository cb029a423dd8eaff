"""Makes the cases of the models of sound: CLAP, EnCodec, w2v-BERT 2.0, HiFi-GAN and a MusicLDM pack of them.

    python make_sound.py      # the versions it was last run with are in README.md

Small random models in the layout of transformers and diffusers, weights rounded to f16, outputs by the reference in f64.
"""

import json
import warnings

import numpy as np
import torch

torch.version.cuda = None  # read by torchaudio's check of its CUDA version alone

from make import HERE, f32, loss_of, normal, packed_gradients, randomise, save, saved_config, weights, write_json

warnings.filterwarnings("ignore")


def randomised(model, seed):
    """As `randomise`, with statistics of batch norms and quantisers too."""
    model = randomise(model, seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            # Gains near 0 would leave nothing of the input behind a few layers.
            if name.endswith("LayerNorm.weight"):
                p.copy_((1 + p).half().double())
    gen = torch.Generator().manual_seed(seed + 1)
    for name, buffer in sorted(model.named_buffers()):
        if name.endswith(("running_mean", "embed", "mean")):
            buffer.copy_(torch.randn(buffer.shape, generator=gen).half().double())
        if name.endswith(("running_var", "scale")):
            buffer.copy_((torch.rand(buffer.shape, generator=gen) + 0.5).half().double())
    return model


def case(name, model, config, io):
    folder = HERE / name
    write_json(folder / "config.json", config)
    save(folder / "model.safetensors", weights(model))
    save(folder / "io.safetensors", f32(io))


def gradients(name, model, outputs, seed):
    """What the loss of `make.py` over all outputs gives to each parameter that they depend on."""
    loss, stored = loss_of(outputs, seed)
    loss.backward()
    named = [(k, p) for k, p in model.named_parameters() if p.grad is not None]
    save(HERE / name / "grads.safetensors", packed_gradients(named) | f32(stored))


# ------------------------------------------------------------------------------------------------------------ CLAP

TEXT = dict(vocab_size=60, hidden_size=12, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, max_position_embeddings=30)
AUDIO = dict(
    window_size=4, num_mel_bins=16, spec_size=64, hidden_size=32, depths=[2, 2, 1], num_attention_heads=[2, 2, 4],
    patch_embeds_hidden_size=8, mlp_ratio=2.0, aff_block_r=2,
)


def clap(name, seed, **audio):
    from transformers import ClapConfig, ClapModel

    config = ClapConfig(text_config=TEXT | dict(pad_token_id=1), audio_config=AUDIO | audio, projection_dim=10)
    model = randomised(ClapModel(config), seed)
    fusion = config.audio_config.enable_fusion
    mels = normal(seed + 2, 2, 4 if fusion else 1, 120 if fusion else 250, 16) * 10 - 30
    longer = torch.tensor([[True], [False]])
    ids = torch.tensor([[0, 7, 30, 59, 4, 2], [0, 9, 9, 12, 41, 2]])
    with torch.no_grad():
        audio = model.audio_model(mels, is_longer=longer, output_hidden_states=True)
        text = model.text_model(ids, attention_mask=torch.ones_like(ids))
        io = {
            "input.mels": mels,
            "input.longer": longer.double(),
            "input.ids": ids,
            "output.pooled": audio.pooler_output,
            "output.audio": model.audio_projection(audio.pooler_output),
            "output.text_states": text.last_hidden_state,
            "output.text": model.text_projection(text.pooler_output),
        }
        for i, state in enumerate(audio.hidden_states):
            io[f"output.stage{i}"] = state.flatten(2).transpose(1, 2)
    case(name, model, json.loads(config.to_json_string()), io)
    audio = model.audio_projection(model.audio_model(mels, is_longer=longer).pooler_output)
    words = model.text_model(ids, attention_mask=torch.ones_like(ids)).pooler_output
    gradients(name, model, {"audio": audio, "text": model.text_projection(words)}, seed + 10)


def clap_hearing():
    """What transformers' extractor makes of sounds that are not longer than its window, and of those that are, at chosen places."""
    from transformers import ClapFeatureExtractor

    out = {}
    # The reference squeezes to 64 mels whatever the extractor has.
    small = dict(feature_size=64, sampling_rate=2000, hop_length=100, max_length_s=1, fft_window_size=512, frequency_max=900)
    short = (normal(900, 700) * 0.1).numpy()
    long = (normal(901, 2550) * 0.1).numpy()
    out["short"], out["long"] = torch.tensor(short), torch.tensor(long)
    for truncation in ["fusion", "rand_trunc"]:
        for padding in ["repeatpad", "repeat", "pad"]:
            extractor = ClapFeatureExtractor(truncation=truncation, padding=padding, **small)
            mels = extractor._get_input_mel(short, 2000, truncation, padding)[0]
            assert (mels == mels[:1]).all()  # with fusion, four copies
            out[f"{truncation}.{padding}"] = torch.tensor(mels[:1])
            write_json(HERE / "clap_hearing" / f"{truncation}.{padding}.json", json.loads(extractor.to_json_string()))
        extractor = ClapFeatureExtractor(truncation=truncation, padding="repeatpad", **small)
        # Where the reference draws, the middle is taken.
        choice, randint = np.random.choice, np.random.randint
        np.random.choice = lambda places: places[(len(places) - 1) // 2]
        np.random.randint = lambda low, high: (high - 1) // 2
        out[f"{truncation}.long"] = torch.tensor(extractor._get_input_mel(long, 2000, truncation, "repeatpad")[0])
        np.random.choice, np.random.randint = choice, randint
    save(HERE / "clap_hearing" / "io.safetensors", f32(out))


# --------------------------------------------------------------------------------------------------------- EnCodec


def encodec(name, seed, **changes):
    from transformers import EncodecConfig, EncodecModel

    small = dict(num_filters=4, hidden_size=8, upsampling_ratios=[4, 3], codebook_size=16, sampling_rate=2400, num_residual_layers=2)
    config = EncodecConfig(**(small | changes))
    model = randomised(EncodecModel(config), seed)
    sound = normal(seed + 3, 1, config.audio_channels, 1007) * 0.3
    with torch.no_grad():
        io = {"input.sound": sound, "output.latents": model.encoder(sound)}
        latents = normal(seed + 4, 1, 8, 13)
        io |= {"input.latents": latents, "output.decoded": model.decoder(latents)}
        bandwidth = config.target_bandwidths[-1]
        encoded = model.encode(sound, bandwidth=bandwidth)
        io["output.codes"] = encoded.audio_codes[:, 0].int().long()
        back = model.decode(encoded.audio_codes, encoded.audio_scales, last_frame_pad_length=encoded.last_frame_pad_length)[0]
        io["output.sound"] = back
        few = model.encode(sound, bandwidth=config.target_bandwidths[0])
        io["output.few_codes"] = few.audio_codes[:, 0].int().long()
        if encoded.audio_scales[0] is not None:
            io["output.scales"] = torch.cat(encoded.audio_scales).flatten()
    case(name, model, json.loads(config.to_json_string()), io)
    gradients(name, model, {"latents": model.encoder(sound), "decoded": model.decoder(latents)}, seed + 10)


# ------------------------------------------------------------------------------------------------ w2v-BERT, vocoder


def w2v_bert():
    from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

    config = Wav2Vec2BertConfig(
        hidden_size=12, num_hidden_layers=3, num_attention_heads=2, intermediate_size=20, feature_projection_input_dim=10,
        left_max_position_embeddings=6, right_max_position_embeddings=3, conv_depthwise_kernel_size=5, mask_time_prob=0.05,
        attn_implementation="eager",
    )
    model = randomised(Wav2Vec2BertModel(config), 1000)
    tokens = normal(1001, 2, 17, 10)
    with torch.no_grad():
        out = model(tokens, output_hidden_states=True)
    io = {"input.tokens": tokens, "output.states": out.last_hidden_state}
    io |= {f"output.layer{i:02}": state for i, state in enumerate(out.hidden_states)}
    case("w2v_bert", model, json.loads(config.to_json_string()), io)


def vocoder(mels, **changes):
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    small = dict(
        model_in_dim=mels, sampling_rate=4000, upsample_initial_channel=16, upsample_rates=[5, 4, 2], upsample_kernel_sizes=[16, 8, 4],
        resblock_kernel_sizes=[3, 5], resblock_dilation_sizes=[[1, 3], [1, 2]],
    )
    config = SpeechT5HifiGanConfig(**(small | changes))
    return randomised(SpeechT5HifiGan(config), 1100), config


def hifigan():
    model, config = vocoder(6)
    mels = normal(1103, 2, 9, 6)
    with torch.no_grad():
        io = {"input.mels": mels, "output.sound": model(mels)}
    case("hifigan", model, json.loads(config.to_json_string()), io)
    gradients("hifigan", model, {"sound": model(mels)}, 1110)


# --------------------------------------------------------------------------------------------------------- MusicLDM


def tokenizer(folder):
    """A byte-level tokenizer of 60 tokens in one file, with RoBERTa's special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = sorted(set("abcdefghijklmnopqrstuvwxyz Ġ0123456789.,!?-") - {" "})
    vocab = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    vocab |= {letter: i + 5 for i, letter in enumerate(letters)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    folder.mkdir(parents=True, exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    return made


def music():
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from diffusers.pipelines.deprecated.musicldm.pipeline_musicldm import MusicLDMPipeline
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

    folder = HERE / "music_pack"
    made = tokenizer(folder / "tokenizer")
    fast = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", model_max_length=20)
    unet = randomise(
        UNet2DConditionModel(
            block_out_channels=(4, 8), norm_num_groups=2, layers_per_block=1, attention_head_dim=2, cross_attention_dim=(4, 8),
            in_channels=4, out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), sample_size=32,
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), class_embed_type="simple_projection",
            projection_class_embeddings_input_dim=10, class_embeddings_concat=True,
        ),
        1200,
    )
    vae = randomise(
        AutoencoderKL(
            block_out_channels=(4, 8), in_channels=1, out_channels=1, down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, norm_num_groups=2, scaling_factor=0.9,
        ),
        1210,
    )
    text = ClapConfig(text_config=TEXT | dict(pad_token_id=1), audio_config=AUDIO, projection_dim=10)
    clap_model = randomised(ClapModel(text), 1220)
    gan, gan_config = vocoder(16)
    scheduler = DDIMScheduler(
        beta_start=0.0015, beta_end=0.0195, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1,
    )
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=8000, hop_length=80, max_length_s=1, fft_window_size=256, frequency_max=3500, truncation="rand_trunc",
    )
    pipe = MusicLDMPipeline(vae, clap_model, fast, extractor, unet, scheduler, gan)
    pipe.set_progress_bar_config(disable=True)
    vectors = torch.nn.functional.normalize(normal(1230, 1, 10), dim=-1)
    negative = torch.nn.functional.normalize(normal(1231, 1, 10), dim=-1)
    # 0.16 s at 4000 Hz is 16 frames of 40 samples: latents of 8 × 8.
    noise = normal(1232, 1, 4, 8, 8)
    given = dict(audio_length_in_s=0.16, num_inference_steps=4, latents=noise, output_type="pt")
    io = {"input.vectors": vectors, "input.negative": negative, "input.noise": noise}
    with torch.no_grad():
        run = lambda **more: pipe(**(given | more)).audios
        io["output.guided"] = torch.as_tensor(run(prompt_embeds=vectors, negative_prompt_embeds=negative, guidance_scale=2.5))
        io["output.plain"] = torch.as_tensor(run(prompt_embeds=vectors, guidance_scale=1.0))
        # The pipeline cannot read what this version of transformers returns for a text, so vectors are handed to it.
        def vector(text):
            words = fast([text], return_tensors="pt")
            return clap_model.get_text_features(words.input_ids, attention_mask=words.attention_mask).pooler_output

        io["output.words"] = vector("a slow waltz, 3 pianos")
        worded = dict(prompt_embeds=io["output.words"], negative_prompt_embeds=vector("noise"), guidance_scale=2.0)
        io["output.worded"] = torch.as_tensor(run(**worded))
        sounds = [(normal(1240 + i, 6000 + 4000 * i) * 0.1).numpy() for i in range(1)]
        heard = extractor(sounds, sampling_rate=8000, return_tensors="pt")
        features = clap_model.get_audio_features(heard.input_features.double())
        io["input.heard"] = torch.tensor(sounds[0])
        io["output.heard"] = features.pooler_output
    for name, model, config, file in [
        ("unet", unet, saved_config(unet), "diffusion_pytorch_model.safetensors"),
        ("vae", vae, saved_config(vae), "diffusion_pytorch_model.safetensors"),
        ("text_encoder", clap_model, json.loads(text.to_json_string()), "model.safetensors"),
        ("vocoder", gan, json.loads(gan_config.to_json_string()), "model.safetensors"),
    ]:
        write_json(folder / name / "config.json", config)
        save(folder / name / file, weights(model))
    write_json(folder / "scheduler" / "scheduler_config.json", json.loads(scheduler.to_json_string()))
    write_json(folder / "feature_extractor" / "preprocessor_config.json", json.loads(extractor.to_json_string()))
    write_json(folder / "model_index.json", {"_class_name": "MusicLDMPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "DDIMScheduler"], "tokenizer": ["transformers", "RobertaTokenizerFast"]})
    save(folder / "io.safetensors", f32(io))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    clap("clap", 800)
    clap("clap_fused", 850, enable_fusion=True, fusion_type="aff_2d")
    clap_hearing()
    encodec("encodec_causal", 950, target_bandwidths=[0.8, 3.2])
    encodec(
        "encodec_pieces", 960, target_bandwidths=[0.8, 3.2], audio_channels=2, norm_type="time_group_norm", use_causal_conv=False,
        normalize=True, chunk_length_s=0.2, overlap=0.05, use_conv_shortcut=False, num_residual_layers=1,
    )
    w2v_bert()
    hifigan()
    music()
