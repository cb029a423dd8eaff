"""Makes `autoencoder_tiny/` (diffusers) and `taesd_original/` (a pair of files named by position, with the wide branch).

    python make_tiny.py
"""

import torch
from make import HERE, f32, loss_of, normal, randomise, save, saved_config, weights, write_case
from torch import nn


def tiny():
    from diffusers import AutoencoderTiny

    model = AutoencoderTiny(
        encoder_block_out_channels=(4, 4, 4),
        decoder_block_out_channels=(6, 6, 6),
        num_encoder_blocks=(1, 1, 2),
        num_decoder_blocks=(2, 1, 1),
        latent_channels=5,
    )
    model = randomise(model, 600)
    image = (normal(601, 2, 3, 16, 24) * 0.5).requires_grad_()
    latent = normal(602, 2, 5, 4, 6).requires_grad_()
    with torch.enable_grad():
        outputs = {"latent": model.encode(image).latents, "image": model.decode(latent).sample}
        loss, parts = loss_of(outputs, 603)
        loss.backward()
    file = "diffusion_pytorch_model.safetensors"
    write_case("autoencoder_tiny", saved_config(model), weights(model), file, {"image": image, "latent": latent}, outputs, parts, model)


class Block(nn.Module):
    """The residual block, where `wide` with the second branch that the FLUX.2 variant has."""

    def __init__(self, n, wide):
        super().__init__()
        conv = lambda: nn.Conv2d(n, n, 3, padding=1)
        self.conv = nn.Sequential(conv(), nn.ReLU(), conv(), nn.ReLU(), conv())
        if wide:
            self.pool = nn.Sequential(
                nn.Conv2d(n, 4 * n, 1, bias=False), nn.GroupNorm(4, 4 * n), nn.ReLU(), nn.Conv2d(4 * n, n, 1, bias=False)
            )

    def forward(self, x):
        if hasattr(self, "pool"):
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


class Squash(nn.Module):
    def forward(self, x):
        return torch.tanh(x / 3) * 3


def original():
    n = 4
    down = lambda: nn.Conv2d(n, n, 3, padding=1, stride=2, bias=False)
    up = lambda: nn.Conv2d(n, n, 3, padding=1, bias=False)
    encoder = nn.Sequential(nn.Conv2d(3, n, 3, padding=1), Block(n, False), down(), Block(n, True), Block(n, True), nn.Conv2d(n, 6, 3, padding=1))
    decoder = nn.Sequential(
        Squash(), nn.Conv2d(6, n, 3, padding=1), nn.ReLU(), Block(n, True), nn.Upsample(scale_factor=2), up(), Block(n, False), nn.Conv2d(n, 3, 3, padding=1)
    )
    folder = HERE / "taesd_original"
    folder.mkdir(exist_ok=True)
    picture, latent = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(613)), normal(612, 1, 6, 4, 6)
    encoder, decoder = randomise(encoder, 610), randomise(decoder, 611)
    torch.save({k: v.half() for k, v in encoder.state_dict().items()}, folder / "encoder.pth")
    torch.save({"epoch": 3, "state_dict": {k: v.float() for k, v in decoder.state_dict().items()}}, folder / "decoder.ckpt")
    outputs = {"latent": encoder(picture.double()), "image": decoder(latent)}
    save(folder / "io.safetensors", f32({"input.image": picture, "input.latent": latent} | {f"output.{k}": v for k, v in outputs.items()}))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tiny()
    original()
