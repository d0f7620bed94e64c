"""Names of numbers as people choose them, word by word: whose number it is, of what kind, on which side, of which term."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Name", "named", "tells", "words_of"]


class Name(NamedTuple):
    """What the words of a name say. Empty where they say nothing."""

    player: str = ""
    """`d` or `g`."""
    kind: str = ""
    """loss, probability, score, logit, accuracy, sign, grad, lr, weight; a metric (fid, kid, ...); or a counter."""
    side: str = ""
    """`real` or `fake`: on which images."""
    term: str = ""
    """Of a loss: adversarial, total, r1, gp, l1, cycle, ..."""
    pair: str = ""
    """`a` or `b` where two pairs of networks are trained."""
    split: str = ""
    """`val` for numbers of other images than those of the training."""
    statistic: str = ""
    """mean, epoch, std, min, max, best: of values, instead of the value."""


def _table(text: str) -> dict[str, str]:
    rows = (line.split(":") for line in text.strip().splitlines())
    return {word: meaning.strip() for meaning, words in rows for word in words.split()}


PLAYERS = _table("""
d: d dis disc discr discrim discriminator discriminators discriminative critic crit netd dnet modeld lossd errd dloss derr ld gradd lrd accd dacc
g: g gen generator generators generative netg gnet modelg lossg errg gloss gerr lg gradg lrg
""")
KINDS = _table("""
loss: loss losses err error errd errg lossd lossg dloss gloss derr gerr cost l ld lg objective obj penalty penalties closs
probability: prob probs probability p sigmoid confidence
score: score scores out output outputs pred preds prediction predictions decision validity opinion
logit: logit logits critic_output
accuracy: acc accuracy accd dacc accs accuracies correct
sign: sign signs
grad: grad grads gradient gradients gnorm gradnorm gradd gradg gradientnorm
lr: lr lrs lrd lrg rate learningrate
fid: fid fid50k fid10k fid5k fid_score tfid pfid cfid sfid frechet
kid: kid kid50k
inception: inceptionscore isc
precision: precision pr50k3_precision
recall: recall
ppl: ppl ppl2
psnr: psnr
ssim: ssim msssim
distance: wasserstein wd emd earth
time: time sec secs seconds eta elapsed ptime timestamp runtime walltime wall duration hours minutes speed fps throughput ips sps
memory: mem memory gpumem cpumem vram gpu cpu ram
""")
SIDES = _table("""
real: real reals true realtarget truth authentic dreal
fake: fake fakes false generated synthetic synth syn gz dfake dgz
""")
TERMS = _table("""
adversarial: adv gan adversarial ganloss advg gadv hinge bce lsgan wgan nsgan
total: total sum full all overall combined tot
gp: gp gradpen
r1: r1
r2: r2
pl: pl
reg: reg regularization regularizer
fm: fm feat feature features featmatch matching fmaps fmap
l1: l1 mae smoothl1
l2: l2 mse
pixel: pix pixel pixels pixelwise photometric
reconstruction: rec recon recons reconstruction reconst
cycle: cyc cycle cycles cyclic consistency
identity: idt identity ident id
perceptual: perc percep perceptual vgg lpips content fea
style: style gram
tv: tv smoothness
kl: kl kld kldiv
mel: mel spec spectral stft spectrogram
duration: dur
class: cls class classification classifier aux auxiliary ce xent label category categorical
info: info mi mutual continuous cont disentangle
diversity: div diversity ds diversification
edge: edge sobel
mask: mask
drift: drift
weight: wd decay
""")
STATISTICS = _table("""
mean: avg mean average running smooth smoothed ema epoch moving smth parentheses med median
std: std stddev sd var variance stdev
min: min minimum lowest
max: max maximum highest
best: best
target: target threshold
weight: lambda weight coef coeff
count: num count n
size: size
""")
SPLITS = _table("val: val valid validation test eval evaluation dev testing")
COUNTERS = _table("""
epoch: epoch epochs ep epo epoche epoca
step: step steps iter iters iteration iterations it its itr itrs niter update updates gs globalstep curiter
batch: batch batches minibatch batchidx mb i idx
images: nimg images imgs img samples seen
kimg: kimg nkimg
tick: tick
""")
OF_COUNTERS = {"global", "total", "current", "cur", "curr", "n", "num", "number", "no", "nr", "index", "idx", "id", "in", "of", "count",
               "train", "training", "trainer", "the", "now", "done", "gen", "g", "generator", "batch", "epoch", "at", "after", "inner",
               "main", "seen", "progress", "counter", "start", "starting", "finished", "end", "saved", "saving", "model", "for"}  # fmt: skip
OPINIONS = re.compile(
    r"\b(?:net)?d(?:is|isc)?_?\(\s*(?:g\w*\s*\(\s*\w*(?:,\s*\w+)*\s*\)|g_?z\d?|fake\w*|\w*fake|x_?hat|x_?tilde|gen\w*)(?:,\s*\w+)*\s*\)"
    r"|(\b(?:net)?d(?:is|isc)?_?\(\s*(?:x|y|real\w*|\w*real|img|true\w*|data)(?:,\s*\w+)*\s*\))",
    re.I,
)
"""`D(x)` and `D(G(z))`, of which the first has a group."""
SHORT = re.compile(r"([dcD])_?(?:([12rfx])|([gG]_?[zZ])_?\d?)")
"""`d1` and `d2` of a loop that trains D on reals, then on fakes; `dr`, `df`; `d_x` and `d_g_z1`."""
TWO_WAYS = {"a": "a", "b": "b", "ab": "a", "ba": "b", "a2b": "a", "b2a": "b", "x": "a", "y": "b", "xy": "a", "yx": "b",
            "xtoy": "a", "ytox": "b", "atob": "a", "btoa": "b"}  # fmt: skip
TOGETHER = {("real", "prob"), ("fid", "score"), ("inception", "score"), ("learning", "rate"), ("spectral", "norm")}


CHINESE = {"判别器": "discriminator", "鉴别器": "discriminator", "生成器": "generator", "损失": "loss", "准确率": "accuracy",
           "迭代": "iteration", "批次": "batch", "轮次": "epoch", "轮": "epoch", "真实": "real", "生成": "fake", "步": "step"}  # fmt: skip


def words_of(name: str) -> list[str]:
    """Lower-case words of a name: `netD_lossReal` is net, d, loss, real."""
    if not name.isascii():
        for word, english in CHINESE.items():
            name = name.replace(word, f" {english} ")
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    text = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", text)
    return re.findall(r"[^\W_]+", text.lower())


@lru_cache(maxsize=20_000)
def named(name: str, heading: str = "") -> Name:
    """What a name says; what it leaves open is taken from its heading."""
    own = _read(name)
    if not heading or own.kind in COUNTER_KINDS:
        return own
    over = _read(heading)
    kind = own.kind or over.kind
    if own.kind in ("", "loss") and over.kind in ("accuracy", "logit", "probability", "score") and own.term == "":
        kind = over.kind if own.kind == "" else own.kind
    return Name(
        own.player or over.player, kind, own.side or over.side, own.term or over.term, own.pair or over.pair,
        own.split or over.split, own.statistic or over.statistic,
    )  # fmt: skip


COUNTER_KINDS = frozenset(COUNTERS.values()) | {"step"}


def _read(name: str) -> Name:
    name = re.sub(r"__(MIN|MAX)$", r" \1", name.split(" - ")[-1] if re.search(r" - \S+$", name) else name)
    if match := SHORT.fullmatch(name.strip()):
        side = "real" if match[2] in ("1", "r", "x") else "fake"
        return Name("d", "opinion" if match[3] or match[2] == "x" else "loss", side)
    if match := OPINIONS.search(name):
        rest = _read(name[: match.start()] + " " + name[match.end() :])
        return rest._replace(player="d", kind=rest.kind or "opinion", side="real" if match[1] else "fake")
    words = words_of(name)
    if counter := _counter(words) or _counter_at_end(name, words):
        return Name(kind=counter)
    words = [part for word in words for part in _unglued(word)]
    player = next((PLAYERS[word] for word in words if word in PLAYERS), "")
    if not player and words[:1] == ["c"] and (len(words) == 1 or words[1] in KINDS or words[1] in SIDES):
        player = "d"  # c_loss: of a critic
    side = next((SIDES[word] for word in words if word in SIDES), "")
    term = _term(words)
    kind = _kind(words, player, term, side)
    pair = next((TWO_WAYS[word] for word in words if word in TWO_WAYS and len(words) > 1), "")
    if player == "d" and side == "fake" and words[-1] in ("g", "gen"):
        player, side, term = "g", "", "adversarial"  # loss_disc_fake_g of MMGeneration: D's output on fakes, in G's update
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    statistic = next((STATISTICS[word] for word in words if word in STATISTICS), "")
    return Name(player, kind, side, term, pair, split, statistic)


UNGLUE = re.compile(r"^(loss|err|acc|grad|lr|net|real|fake|adv|gan|out|prob|logit|score)(d|g|a|b|real|fake|adv|gan|loss)$")
FIRST_PLAYER = re.compile(
    r"^(d|g|disc|dis|gen|discriminator|generator|critic)(loss|losses|real|fake|err|acc|gan|adv|cost|logits?|score|grad|lr|[ab])$"
)


def _unglued(word: str) -> list[str]:
    """`dloss` as d, loss; `da` as d, a."""
    match = UNGLUE.match(word) or FIRST_PLAYER.match(word)
    if match and word not in ("data",):
        return [match[1], match[2]]
    match = re.match(r"^(d|g|r1|l1|l2|fid|loss|real|fake|gz|z)\d?$", word)
    return [match[1]] if match else [word]


def _counter(words: list[str]) -> str:
    """The kind of counter that a name is, if every word of it is one of a counter's."""
    kinds = [COUNTERS[word] for word in words if word in COUNTERS]
    if not kinds or not all(word in COUNTERS or word in OF_COUNTERS for word in words):
        return ""
    if words[-1] in ("g", "gen", "generator", "size") or words == ["it", "s"]:
        return ""
    if kinds[-1] == "epoch" and len(kinds) > 1:
        return "step" if words[-1] not in ("epoch", "epochs") else "epoch"
    if kinds[0] == "batch" and "done" in words:
        return "step"
    return kinds[-1] if kinds[-1] != "images" or len(words) < 4 else ""


NOT_A_COUNT = {"per", "every", "max", "each", "last", "best", "remaining", "warmup", "decay", "total", "num", "n", "save", "log"}


def _counter_at_end(name: str, words: list[str]) -> str:
    """The kind of counter at the end of a phrase that otherwise measures nothing: `finished the epoch`."""
    phrase = name.split()
    if len(phrase) < 2 or not words or (kind := COUNTERS.get(words[-1], "")) not in ("epoch", "step") or words[-1] in ("i", "it", "its"):
        return ""
    others = set(words[:-1])
    known = KINDS.keys() | TERMS.keys() | PLAYERS.keys() | SIDES.keys() | STATISTICS.keys() | NOT_A_COUNT
    return kind if len(words_of(phrase[-1])) == 1 and not others & known else ""


def _term(words: list[str]) -> str:
    found = [TERMS[word] for word in words if word in TERMS]
    text = " ".join(words)
    if "gradient penalty" in text or "grad penalty" in text or "gradient pen" in text:
        return "gp"
    if "path length" in text:
        return "pl"
    if "penalty" in words and "r1" not in words and not found:
        return "gp" if "grad" in text else "penalty"
    if "adversarial" in found and set(found) <= {"adversarial", "l1", "l2"}:
        return "adversarial"  # mse_gan: of least squares
    specific = [term for term in found if term not in ("adversarial", "total")]
    if specific:
        return "reconstruction" if specific[0] == "l2" and "reconstruction" in specific else specific[0]
    return found[0] if found else ""


def _kind(words: list[str], player: str, term: str, side: str) -> str:
    text = " ".join(words)
    if "learning rate" in text or "lr" in words:
        return "lr"
    if "inception score" in text or words in (["is"], ["is", "mean"]):
        return "inception"
    if term == "gp" or ("penalty" in words):
        return "loss"
    found = [KINDS[word] for word in words if word in KINDS and not (word in ("l", "p", "rate") and len(words) == 1)]
    for metric in ("fid", "kid", "precision", "recall", "ppl", "psnr", "ssim", "time", "memory", "sign", "accuracy", "grad", "lr"):
        if metric in found:
            return metric if metric != "recall" or not player else metric
    if "distance" in found or "w dist" in text or "wdist" in words or "em distance" in text:
        return "distance"
    scored = [kind for kind in found if kind in ("logit", "score", "probability")]
    if scored and (words[0] in ("loss", "losses") or "loss" not in found or found[0] != "loss"):
        return "logit" if "logit" in scored else scored[0]
    if "loss" in found:
        return "loss"
    return scored[0] if scored else ""


@lru_cache(maxsize=5_000)
def tells(heading: str) -> bool:
    """Whether a heading adds to what the names under it mean."""
    own = _read(heading)
    return bool(own.player or own.side or own.split or own.kind in ("loss", "accuracy", "logit", "score", "probability", "grad", "lr"))
