"""Makes the safetensors fixture of this folder with safetensors 0.8.0, PyTorch 2.15.0 and NumPy 2.4.6.

    python make.py
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent


def main():
    generator = torch.Generator().manual_seed(5)
    tensors = {}
    for name, dtype in [
        ("f64", torch.float64), ("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16),
        ("i64", torch.int64), ("i32", torch.int32), ("i16", torch.int16), ("i8", torch.int8), ("u8", torch.uint8),
        ("bool", torch.bool),
    ]:
        data = torch.randn(2, 3, 4, generator=generator) * 50
        if dtype in (torch.uint8, torch.bool):
            data = data.abs() - 20 * (dtype == torch.bool)
            data = data > 0 if dtype == torch.bool else data
        tensors[f"layer.0.{name}"] = data.to(dtype)
    tensors["scalar"] = torch.tensor(1.5)
    tensors["empty"] = torch.zeros(0, 3)
    expected = {
        name: {"shape": list(t.shape), "values": t.to(torch.float64).flatten().tolist()} for name, t in tensors.items()
    }
    tensors["fp8"] = torch.tensor([1.0, 2.0]).to(torch.float8_e4m3fn)
    save_file(tensors, HERE / "all.safetensors", metadata={"format": "pt", "made": "by PyTorch"})
    (HERE / "all.json").write_text(json.dumps(expected) + "\n")
    print(torch.__version__)


main()
