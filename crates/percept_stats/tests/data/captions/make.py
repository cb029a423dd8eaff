"""Golden values of caption scores. Usage: make.py [brain2music-captions.csv]

Needs java. `predicted.csv` and `reference.csv` are written by
`cargo run --release -p percept_synth --example drawn_captions crates/percept_stats/tests/data/captions 500`.
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pycocoevalcap.tokenizer.ptbtokenizer as ptb
import sacrebleu
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import METEOR_JAR, Meteor
from pycocoevalcap.rouge.rouge import Rouge

HERE = Path(__file__).parent


def tokens(captions):
    """Lists of captions to lists of token strings."""
    numbered = {i: [{"caption": caption} for caption in item] for i, item in enumerate(captions)}
    found = ptb.PTBTokenizer().tokenize(numbered)
    return [found[i] for i in range(len(captions))]


class ExactAndStem(Meteor):
    """METEOR without the modules whose data percept does not ship."""

    def __init__(self):
        import pycocoevalcap.meteor.meteor as module
        import threading

        command = ["java", "-jar", "-Xmx2G", METEOR_JAR, "-", "-", "-stdio", "-l", "en", "-norm", "-m", "exact stem"]
        self.meteor_p = subprocess.Popen(
            command, cwd=Path(module.__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lock = threading.Lock()


def rounded(values):
    return [round(float(value), 9) for value in values]


def scores(predicted, references):
    """predicted: captions; references: lists of captions."""
    predicted = tokens([[caption] for caption in predicted])
    references = tokens(references)
    gts, res = dict(enumerate(references)), dict(enumerate(predicted))
    bleu, _ = Bleu(4).compute_score(gts, res, verbose=0)
    rouge, rouge_items = Rouge().compute_score(gts, res)
    cider, cider_items = Cider().compute_score(gts, res)
    meteor, meteor_items = ExactAndStem().compute_score(gts, res)
    full, full_items = Meteor().compute_score(gts, res)
    hypotheses = [item[0] for item in predicted]
    widest = max(map(len, references))
    streams = [[item[k] if k < len(item) else None for item in references] for k in range(widest)]

    def corpus(n):
        metric = sacrebleu.BLEU(tokenize="none", smooth_method="none", max_ngram_order=n)
        return metric.corpus_score(hypotheses, streams).score / 100

    sentences = [
        sacrebleu.sentence_bleu(hypothesis, item, tokenize="none").score / 100
        for hypothesis, item in zip(hypotheses, references)
    ]
    return {
        "bleu_pycocoevalcap": bleu,
        "bleu_sacrebleu": [corpus(n) for n in range(1, 5)],
        "rouge_l": rouge,
        "cider": cider,
        "meteor_exact_stem": meteor,
        "meteor_full": full,
        "items": {
            "bleu4_sentence": rounded(sentences),
            "rouge_l": rounded(rouge_items),
            "cider": rounded(cider_items),
            "meteor_exact_stem": rounded(meteor_items),
            "meteor_full": rounded(full_items),
        },
    }


def drawn():
    with open(HERE / "predicted.csv") as file:
        predicted = {row["id"]: row["caption"] for row in csv.DictReader(file)}
    references = {}
    with open(HERE / "reference.csv") as file:
        for row in csv.DictReader(file):
            references.setdefault(row["id"], []).append(row["caption"])
    return [predicted[key] for key in references], list(references.values())


def music(path):
    """The caption of the next piece as prediction; every third item has a second reference."""
    with open(path, encoding="utf-8-sig") as file:
        captions = [" ".join(row["DescEN"].split()) for row in csv.DictReader(file)]
    n = len(captions)
    predicted = [captions[(i + 1) % n] for i in range(n)]
    references = [[captions[i]] + ([captions[(i + 2) % n]] if i % 3 == 0 else []) for i in range(n)]
    return predicted, references


def write(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


lines = (HERE / "lines.txt").read_text().splitlines()
write("lines.json", [item[0].split() for item in tokens([[line] for line in lines])])
write("drawn.json", scores(*drawn()))
if len(sys.argv) > 1:
    write("music.json", scores(*music(sys.argv[1])))
