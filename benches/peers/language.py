"""`percept features` side by side with transformers: hidden states of language models for annotated seconds of a film.

    cargo build --release
    python benches/peers/language.py target/release/percept DIR [--seconds 2000] [--every 40] [--threads 2] [bert gpt2 llama]

DIR gets the texts and models of a released configuration (BERT-base, GPT-2, Llama 3.2 1B) with random weights in f16 and a
tokenizer of their family trained on the texts. The texts are five levels of annotations in the rhythm of published ones: speech every
two seconds, the objects of every second, a story every five, a summary every 90, time and place every 60; no two are alike. Every
hidden state is averaged over the tokens of a text. The other side takes batches of 32 sorted by length, padded and masked; both sides
compute in f32, in processes of their own with loading included. With --every K both sides take every Kth text only. With --kill percept
takes all the texts besides, is killed once on the way and started again, and its rows must be those of the run that was not, byte for byte.

Prints tokens a second with and without loading on the other side, ratios of times over both, time of all processors (which a busy machine
changes little), and the largest difference relative to the largest value.
Needs torch, transformers, tokenizers, safetensors.
"""

import argparse
import json
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
BATCH = 32
FAMILY = {"bert": "bert", "gpt2": "gpt2", "llama": "llama"}
WORDS = (
    "a the man woman child dog car house street light door table window room night day hand face old young red blue green small large runs "
    "walks looks says takes gives opens closes turns stands sits falls holds laughs cries asks tells knows thinks wants goes comes sees in on "
    "under behind with without after before from to of and but while because again never always suddenly slowly quietly kitchen garden office "
    "hospital train river city morning evening winter summer friend mother father brother sister doctor police letter phone money secret"
).split()


def annotations(seconds):
    rng = np.random.default_rng(19)
    texts = []

    def add(every, low, high):
        for _ in range(0, seconds, every):
            words = rng.choice(WORDS, rng.integers(low, high + 1))
            texts.append(" ".join(words).capitalize() + ".")

    for every, low, high in [(2, 3, 12), (1, 5, 11), (5, 18, 34), (90, 60, 120), (60, 4, 9)]:
        add(every, low, high)
    return texts


def model(folder, name, texts):
    sys.path.insert(0, str(HERE.parent.parent / "crates/percept_models/tests/data/parity"))
    import full_size
    import torch
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import AutoConfig, AutoModel

    config = {"bert": full_size.BERT, "gpt2": full_size.GPT2, "llama": full_size.LLAMA_1B}[name]
    torch.manual_seed(1)
    net = AutoModel.from_config(AutoConfig.for_model(**dict(config)), dtype=torch.float32)
    folder.mkdir(parents=True)
    net.half().save_pretrained(folder)
    if name == "bert":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=2000, special_tokens=special))
        tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, initial_alphabet=alphabet))
    tokenizer.save(str(folder / "tokenizer.json"))


def peer(folder, texts, out, threads):
    """Rows of every hidden state, and the seconds that they took, loading aside."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    torch.set_num_threads(threads)
    texts = texts.read_text().splitlines()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    net = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    begin = time.perf_counter()
    ids = [tokenizer.encode(text).ids for text in texts]
    order = sorted(range(len(ids)), key=lambda text: len(ids[text]))
    rows = None
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            own = order[start : start + BATCH]
            longest = max(len(ids[text]) for text in own)
            padded = torch.tensor([ids[text] + [0] * (longest - len(ids[text])) for text in own])
            mask = torch.tensor([[1] * len(ids[text]) + [0] * (longest - len(ids[text])) for text in own])
            states = net(padded, attention_mask=mask, output_hidden_states=True).hidden_states
            if rows is None:
                rows = np.zeros((len(states), len(ids), states[0].shape[-1]), np.float32)
            for layer, state in enumerate(states):
                rows[layer, own] = ((state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)).numpy()
    seconds = time.perf_counter() - begin
    np.save(out, rows)
    print(json.dumps({"seconds": seconds, "tokens": sum(map(len, ids))}))


def command(program, folder, name, texts, out, threads):
    layers = json.loads((folder / "config.json").read_text())
    layers = layers.get("num_hidden_layers", layers.get("n_layer"))
    words = [program, "features", folder, "--texts", texts, "--out", out, "--threads", threads]
    for layer in range(layers + 1):
        words += ["--space", f"{FAMILY[name]}.layer{layer:02}"]
    return list(map(str, words))


def timed(words, **more):
    """Seconds, seconds of processors, and what was printed."""
    processors = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    start, before = time.perf_counter(), processors()
    found = subprocess.run(list(map(str, words)), check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start, processors() - before, found.stdout


def stored(folder):
    return np.stack([np.load(file) for file in sorted(folder.glob("*.npy"))])


def compare(arguments, name):
    """One line of the table: both sides on the same texts."""
    pack, out, theirs = arguments.folder / name, arguments.folder / f"{name}-ours", arguments.folder / f"{name}-peer.npy"
    words = command(arguments.program, pack, name, texts_of(arguments, arguments.every), out, arguments.threads)
    shutil.rmtree(out, ignore_errors=True)
    ours_s, ours_p, _ = timed(words)
    other = [sys.executable, __file__, "--peer", pack, texts_of(arguments, arguments.every), theirs, arguments.threads]
    peer_s, peer_p, found = timed(other)
    found = json.loads(found)
    a, b = stored(out), np.load(theirs)
    difference = np.abs(a - b).max() / np.abs(b).max()
    tokens = found["tokens"]
    print(
        f"| {name} | {len(a[0])} | {tokens} | {tokens / ours_s:.0f} | {tokens / peer_s:.0f} | {tokens / found['seconds']:.0f} "
        f"| {ours_s / peer_s:.2f} | {ours_s / found['seconds']:.2f} | {ours_p:.0f} s, {peer_p:.0f} s | {difference:.1e} |",
        flush=True,
    )


def killed(arguments, name):
    """All the texts by percept alone, killed once and resumed, beside the rows of the run on every Kth."""
    out = arguments.folder / f"{name}-killed"
    shutil.rmtree(out, ignore_errors=True)
    words = command(arguments.program, arguments.folder / name, name, texts_of(arguments, 1), out, arguments.threads)
    start = time.perf_counter()
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    while not list(out.glob("parts/*")) and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    ended = process.wait() == 0
    kept = len(list(out.glob("parts/*")))
    before = time.perf_counter() - start
    seconds, processors, _ = timed(words)
    same = True
    for file in sorted((arguments.folder / f"{name}-ours").glob("*.npy")):
        rows, whole = np.load(file), np.load(out / file.name)[:: arguments.every]
        same &= rows.tobytes() == whole.tobytes()
        count = len(np.load(out / file.name, mmap_mode="r"))
    print(
        f"{name}, {count} texts: killed after {before:.0f} s with {kept} files{' (too late)' if ended else ''}, resumed for {seconds:.0f} s "
        f"({processors:.0f} s of processors); {'the same bytes' if same else 'OTHER BYTES'} as the run above",
        flush=True,
    )


def texts_of(arguments, every):
    return arguments.folder / f"texts{arguments.seconds}{'' if every == 1 else f'-every{every}'}.txt"


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=list(FAMILY))
    parser.add_argument("--seconds", type=int, default=2000)
    parser.add_argument("--every", type=int, default=1, help="both sides take every Kth text")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--make", action="store_true", help="only make the texts and models")
    arguments = parser.parse_intermixed_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    texts = annotations(arguments.seconds)
    for every in {1, arguments.every}:
        texts_of(arguments, every).write_text("\n".join(texts[::every]) + "\n")
    for name in arguments.models:
        if not (arguments.folder / name).exists():
            # The tokenizer is the same however long the film is.
            model(arguments.folder / name, name, annotations(2000))
    if arguments.make:
        sys.exit()
    print("| model | texts | tokens | percept, tokens a second | transformers | loaded | ratio of times | over loaded | processors | largest difference |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.models:
        compare(arguments, name)
    for name in arguments.models if arguments.kill else []:
        killed(arguments, name)
