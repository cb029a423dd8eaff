"""Makes the films: cross-frame attention, diffusers' AnimateDiff pipelines and windows over long films, all on
`unet_2d_condition` with `motion_adapter` and the other parts of `pipeline`.

    python make_film.py

Cross-frame attention and windows have no implementation in diffusers: the ones here are written for this check, as
plainly as can be. A film in windows is predicted anew at every step, window by window; each frame's prediction is the
weighted mean of those of all windows that it is in.
"""

import json
import math

import torch
from make import HERE, SCHEDULERS, SPATIAL, f32, normal, save
from safetensors.torch import load_file

FILE = "diffusion_pytorch_model.safetensors"


class CrossFrame:
    """Attention of each frame to the first one and the one before, as a processor of diffusers' `Attention`.

    `frames` of each film are in the batch. `kept` holds keys and values of two frames between windows of one film: of the
    first of all, and of the one before the next window (number `keep` of this one).
    """

    def __init__(self):
        self.frames, self.keep, self.kept = 1, 0, None

    def window(self, frames, keep):
        self.frames, self.keep = frames, keep

    def spread(self, x):
        films = x.reshape(-1, self.frames, *x.shape[1:])
        first, before = self.kept.pop(0) if self.kept else (films[:, 0], films[:, 0])
        self.new.append((first, films[:, self.keep]))
        rows = []
        for film in range(films.shape[0]):
            for frame in range(self.frames):
                previous = before[film] if frame == 0 else films[film, frame - 1]
                rows.append(torch.cat([first[film], previous]))
        return torch.stack(rows)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        assert encoder_hidden_states is None
        heads = attn.heads
        split = lambda x: x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)
        q = split(attn.to_q(hidden_states))
        k, v = split(self.spread(attn.to_k(hidden_states))), split(self.spread(attn.to_v(hidden_states)))
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        out = (weights @ v).transpose(1, 2).reshape(hidden_states.shape)
        return attn.to_out[0](out)

    def run(self, model, *args):
        """One pass; what earlier windows kept is used up, in order, and kept anew."""
        self.new = []
        out = model(*args).sample
        assert not self.kept
        self.kept = self.new
        return out


def look_back(model):
    """Puts cross-frame attention into every self-attention over pictures; those along time stay."""
    processor, plain = CrossFrame(), model.attn_processors
    is_spatial = lambda name: ".attentions." in name and name.endswith("attn1.processor")
    assert any(is_spatial(name) for name in plain)
    model.set_attn_processor({name: processor if is_spatial(name) else kind for name, kind in plain.items()})
    return processor


def pictures():
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(HERE / "unet_2d_condition", torch_dtype=torch.float64).eval()


def moving():
    from diffusers import MotionAdapter, UNetMotionModel

    config = json.loads((HERE / "motion_adapter" / "config.json").read_text())
    adapter = MotionAdapter.from_config(config)
    adapter.load_state_dict(load_file(HERE / "motion_adapter" / FILE))
    return UNetMotionModel.from_unet2d(pictures(), adapter).double().eval()


def cross_frame():
    """One pass over two films of three frames, with motion modules and without."""
    sample, context = normal(601, 2, 4, 3, *SPATIAL), normal(602, 6, 5, 12)
    io = {"input.sample": sample, "input.encoder_hidden_states": context, "input.timestep": torch.tensor([981.0, 3.0])}
    steps = io["input.timestep"]

    model = pictures()
    processor = look_back(model)
    processor.window(3, 2)
    images = sample.transpose(1, 2).flatten(0, 1)
    out = processor.run(model, images, steps.repeat_interleave(3), context)
    io["output.pictures"] = out.reshape(2, 3, 4, *SPATIAL).transpose(1, 2)
    alone = pictures()(images, steps.repeat_interleave(3), context).sample
    assert (out - alone).abs().max() > 0.05 * alone.abs().max(), "it changes the prediction"

    model = moving()
    processor = look_back(model)
    processor.window(3, 2)
    io["output.moving"] = processor.run(model, sample, steps, context)
    save(HERE / "cross_frame" / "io.safetensors", f32(io))


def parts():
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    return {
        "vae": AutoencoderKL.from_pretrained(HERE / "autoencoder_kl", torch_dtype=torch.float64),
        "text_encoder": CLIPTextModel.from_pretrained(HERE / "clip_text", dtype=torch.float64),
        "tokenizer": CLIPTokenizer.from_pretrained(HERE / "tokenizer"),
        "scheduler": DDIMScheduler.from_config(SCHEDULERS["sd1"]),
    }


def animatediff():
    """diffusers' own pipelines on four frames: from noise, and from a film that is noised to strength 0.6."""
    from diffusers import AnimateDiffPipeline, AnimateDiffVideoToVideoPipeline
    from diffusers.pipelines.animatediff import pipeline_animatediff_video2video as module

    all_parts = parts() | {"unet": moving(), "motion_adapter": None}
    context, noise = normal(621, 1, 77, 12), normal(622, 1, 4, 4, 8, 8)
    empty = load_file(HERE / "pipeline" / "io.safetensors")["context.empty"].double()
    given = dict(prompt_embeds=context, negative_prompt_embeds=empty, guidance_scale=3.0, num_inference_steps=5)
    pipe = AnimateDiffPipeline(**all_parts)
    pipe.set_progress_bar_config(disable=True)
    kwargs = given | dict(latents=noise.clone(), num_frames=4, height=16, width=16)
    io = {"context": context, "noise": noise, "latents": pipe(**kwargs, output_type="latent").frames}
    io["frames"] = pipe(**kwargs, output_type="pt").frames

    # The pipeline draws its noise and the latents of the film: here the noise is given and the latents are the mean.
    film = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(623)).double()
    again = normal(624, 1, 4, 4, 8, 8)
    module.randn_tensor = lambda shape, **_: again.reshape(shape)
    module.retrieve_latents = lambda output, **_: output.latent_dist.mean
    pipe = AnimateDiffVideoToVideoPipeline(**all_parts)
    pipe.set_progress_bar_config(disable=True)
    frames = [frame for frame in film.permute(0, 2, 3, 1).numpy()]
    out = pipe(video=frames, strength=0.6, height=16, width=16, **given, output_type="latent").frames
    io |= {"film": film, "film.noise": again, "film.latents": out}
    save(HERE / "animatediff" / "io.safetensors", f32(io))


def windows(n, length, overlap):
    """First frames of as few windows as overlap so much, evenly spread, and each one's weights of its frames."""
    count = 1 if n <= length else math.ceil((n - overlap) / (length - overlap))
    starts = [0] if count == 1 else [math.floor(i * (n - length) / (count - 1) + 0.5) for i in range(count)]
    weights = []
    for i, start in enumerate(starts):
        before = starts[i - 1] + length - start if i > 0 else 0
        behind = start + length - starts[i + 1] if i + 1 < count else 0
        row = [min(1.0, (at + 1) / (before + 1), (length - at) / (behind + 1)) for at in range(length)]
        weights.append(torch.tensor(row, dtype=torch.float64))
    return starts, weights


def long_film():
    """Nine frames by motion modules made for four, in windows of four that overlap by two; guidance, a context a frame."""
    from diffusers import DDIMScheduler

    n, length, overlap, guidance = 9, 4, 2, 2.5
    contexts, noise = normal(641, n, 77, 12), normal(642, n, 4, 8, 8)
    empty = load_file(HERE / "pipeline" / "io.safetensors")["context.empty"].double().expand_as(contexts)
    starts, weights = windows(n, length, overlap)
    io = {"contexts": contexts, "noise": noise}
    for name, looks in [("motion", False), ("both", True)]:
        model = moving()
        scheduler = DDIMScheduler.from_config(SCHEDULERS["sd1"])
        scheduler.set_timesteps(4)
        film = noise
        for step in scheduler.timesteps:
            halves = []
            for rows in (empty, contexts):
                processor = look_back(model) if looks else None
                total, sums = torch.zeros_like(film), torch.zeros(n, dtype=torch.float64)
                for i, start in enumerate(starts):
                    own = slice(start, start + length)
                    given = (film[own].transpose(0, 1)[None], step, rows[own])
                    if looks:
                        processor.window(length, starts[i + 1] - start - 1 if i + 1 < len(starts) else length - 1)
                        out = processor.run(model, *given)
                    else:
                        out = model(*given).sample
                    total[own] += weights[i][:, None, None, None] * out[0].transpose(0, 1)
                    sums[own] += weights[i]
                halves.append(total / sums[:, None, None, None])
            output = halves[0] + guidance * (halves[1] - halves[0])
            film = scheduler.step(output, step, film, eta=0.0).prev_sample
        io[f"latents.{name}"] = film
    save(HERE / "long_film" / "io.safetensors", f32(io))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    cross_frame()
    animatediff()
    long_film()
    for case in ("cross_frame", "animatediff", "long_film"):
        print(case, (HERE / case / "io.safetensors").stat().st_size)
