"""Words of which names of numbers are made, by what they say of the number."""

from __future__ import annotations

__all__ = [
    "CHINESE",
    "COUNTERS",
    "KINDS",
    "NOT_A_COUNT",
    "OF_COUNTERS",
    "PLAYERS",
    "SETTINGS_WORDS",
    "SIDES",
    "SPLITS",
    "STATISTICS",
    "TERMS",
    "TWO_WAYS",
]


def _table(text: str) -> dict[str, str]:
    rows = (line.split(":") for line in text.strip().splitlines())
    return {word: meaning.strip() for meaning, words in rows for word in words.split()}


PLAYERS = _table("""
d: d dis disc discr discrim discriminator discriminators discriminative critic crit netd dnet modeld lossd errd dloss derr
d: ld gradd lrd accd dacc
g: g gen generator generators generative netg gnet modelg lossg errg gloss gerr lg gradg lrg
""")
KINDS = _table("""
loss: perdida verlust perte perdita
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
time: time sec secs seconds eta elapsed ptime timestamp runtime walltime wall duration hours minutes
time: speed fps throughput ips sps
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
epoch: epoch epochs ep epo epoche epoca epoque
step: step steps iter iters iteration iterations it its itr itrs niter update updates gs globalstep curiter
step: iteracion paso schritt passo etape iterazione iteracao
batch: batch batches minibatch batchidx mb i idx
images: nimg images imgs img samples seen
kimg: kimg nkimg
tick: tick
""")
OF_COUNTERS = _table("""
any: global total current cur curr n num number no nr index idx id in of count train training trainer the now done gen g
any: generator batch epoch at after inner main seen progress counter start starting finished end saved saving model for
""").keys()
"""Words that a counter's name may have besides."""
SETTINGS_WORDS = {"params", "param", "config", "cfg", "args", "hparams", "settings", "options", "opt"}
NOT_A_COUNT = {
    "per",
    "every",
    "max",
    "each",
    "last",
    "best",
    "remaining",
    "warmup",
    "decay",
    "total",
    "num",
    "n",
    "save",
    "log",
}
"""Words before `epoch` or `step` that make it no counter of what was done."""
TWO_WAYS = {"a": "a", "b": "b", "ab": "a", "ba": "b", "a2b": "a", "b2a": "b", "x": "a", "y": "b", "xy": "a", "yx": "b",
            "xtoy": "a", "ytox": "b", "atob": "a", "btoa": "b"}  # fmt: skip
"""Two pairs of networks, by letter or by direction."""
CHINESE = {
    "判别器": "discriminator", "鉴别器": "discriminator", "生成器": "generator", "损失": "loss", "准确率": "accuracy",
    "迭代": "iteration", "批次": "batch", "轮次": "epoch", "轮": "epoch", "真实": "real", "生成": "fake", "步": "step",
}  # fmt: skip
