"""Results that no network was trained for: realistic curves with spikes, a diverged and a dead run, and none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradlab.judge.verdict import Verdict
from gradlab.study.claim_text import parse_claim
from gradlab.study.claims import Claim

PUBLISHED = {
    "deep": ([0, 500, 1000, 2000, 10000, 20000], [0.136, 1.86e-3, 1.30e-3, 6.7e-4, 5.0e-4, 4.918e-4]),
    "medium": ([0, 500, 1000, 2000, 10000, 20000], [0.0304, 2.55e-3, 1.0e-3, 5.8e-4, 5.58e-4, 5.544e-4]),
    "shallow": ([0, 500, 1000, 2000, 10000, 20000], [0.206, 0.0128, 0.0107, 6.9e-3, 1.59e-3, 1.118e-3]),
}
LAYERS = {"deep": (5, 10, 10, 10, 10, 10, 5), "medium": (10, 18, 15, 4), "shallow": (190,)}
CONSTANT = 0.0194743


@dataclass
class Series:
    epochs: np.ndarray
    values: np.ndarray
    replicates: np.ndarray


@dataclass
class Sample:
    values: np.ndarray
    replicates: np.ndarray
    flagged: np.ndarray
    states: list[str]


@dataclass
class Spec:
    settings: dict[str, Any]

    def tree(self) -> dict[str, Any]:
        return self.settings


@dataclass
class Condition:
    name: str
    levels: dict[str, str]
    spec: Spec
    epochs: int
    parameters: int = 571


@dataclass
class FakeResult:
    """A result view over arrays: `traces[quantity][condition]` is a `Series`."""

    study: Any
    plan: Any
    verdicts: list[Any] = field(default_factory=list)
    budget: str = "full"
    elapsed: float | None = 72.3
    environment: Mapping[str, Any] = field(default_factory=dict)
    command: str = "gradlab run reports/002/sim-sinc --replicates 20"
    digest: str = "9f31c07d5a2b4e88c1d0"
    notes: Sequence[str] = ()
    settings: Sequence[str] = ("as declared",)
    traces: dict[str, dict[str, Series]] = field(default_factory=dict)
    ends: dict[str, list[str]] = field(default_factory=dict)
    flagged: dict[str, dict[str, int]] = field(default_factory=dict)
    fits: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=dict)

    def series(self, quantity: str, condition: str) -> Series:
        return self.traces[quantity][condition]

    def values(self, quantity: Any, condition: str) -> Sample:
        text = str(quantity)
        name = "gradient_norm" if "gradient_norm" in text else "loss"
        name = text.partition("@")[0] if text.partition("@")[0] in self.traces else name
        series = self.traces[name][condition]
        n = len(series.replicates)
        states = self.ends[condition]
        if text.startswith("flag_"):
            values = np.zeros(n)
            values[: self.flagged[condition][text[5:]]] = 1.0
        elif text == "epochs":
            values = np.full(n, float(series.epochs[-1]))
        elif text.startswith("epochs_to"):
            threshold = float(text.rsplit(",", 1)[1].strip(" )"))
            reached = series.values < threshold
            values = np.where(reached.any(axis=1), series.epochs[reached.argmax(axis=1)], np.inf).astype(
                float
            )
        else:
            values = series.values[:, -1].copy()
            values[np.array(states) == "diverged"] = np.inf
        flagged = np.zeros(n, bool)
        flagged[: sum(self.flagged[condition].values())] = True
        return Sample(values, series.replicates, flagged, states)

    def predictions(self, condition: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.fits[condition]

    def flags(self, condition: str) -> dict[str, int]:
        return self.flagged[condition]

    def states(self, condition: str) -> dict[str, int]:
        ends = self.ends[condition]
        return {state: ends.count(state) for state in dict.fromkeys(ends)}

    def parameters(self, condition: str) -> int:
        return next(each.parameters for each in self.plan.conditions if each.name == condition)


def schedule(last: int) -> np.ndarray:
    """Every epoch to 1,000, then thinning, as the automatic recording schedule does."""
    epochs, here = [0], 0
    while here < last:
        step = max([1, *(m * 10**k for k in range(7) for m in (1, 2, 5) if m * 10**k <= here / 500)])
        here += step
        epochs.append(min(here, last))
    return np.array(sorted(set(epochs)))


def curves(rng: np.random.Generator, name: str, epochs: np.ndarray, n: int) -> np.ndarray:
    at, loss = PUBLISHED[name]
    centre = np.interp(np.log1p(epochs), np.log1p(at), np.log10(loss))
    late = np.clip(np.log10(np.maximum(epochs, 1)) / 4.3, 0, 1)
    own = rng.normal(0, 0.28, (n, 1)) * late + rng.normal(0.05, 0.12, (n, 1))
    slow = np.cumsum(rng.normal(0, 0.012, (n, len(epochs))), axis=1)
    slow -= np.linspace(0, 1, len(epochs)) * slow[:, -1:]
    noise = rng.normal(0, 0.012, (n, len(epochs)))
    spikes = (rng.random((n, len(epochs))) < 0.006) * (epochs > 300) * rng.exponential(0.5, (n, len(epochs)))
    return 10 ** (centre + own + slow + noise + spikes)


def sinc(x: np.ndarray) -> np.ndarray:
    return np.sinc(5 * x)


def make(
    *,
    n: int = 20,
    epochs: int = 20_000,
    names: Sequence[str] = ("deep", "medium", "shallow"),
    title: str = "Does depth help at equal size?",
    verdicts: list[Any] | None = None,
    budget: str = "full",
    seed: int = 7,
    source: str | None = "reports/002/sim-sinc",
    **study: Any,
) -> FakeResult:
    """A result with three networks of one size on sinc; the first deep run is dead, the last medium one diverged."""
    rng = np.random.default_rng(seed)
    at = schedule(epochs)
    replicates = np.arange(n)
    traces: dict[str, dict[str, Series]] = {"loss": {}, "gradient_norm": {}, "predictions": {}}
    ends, flagged, fits = {}, {}, {}
    x = np.linspace(-5, 5, 500)[:, None]
    conditions = []
    for index, name in enumerate(names):
        kind = name if name in PUBLISHED else ("deep", "medium", "shallow")[index % 3]
        loss = curves(rng, kind, at, n)
        norm = 2.2 * loss**0.75 * 10 ** rng.normal(0, 0.25, loss.shape)
        ends[name] = ["done"] * n
        flagged[name] = {"constant": 0, "dead": 0, "diverged": 0}
        outputs = np.repeat(sinc(x)[None], n, axis=0) * rng.normal(0.97, 0.03, (n, 1, 1))
        width = {"deep": 0.015, "medium": 0.02, "shallow": 0.05}[kind]
        outputs += width * np.cumsum(rng.normal(0, 0.25, outputs.shape), axis=1) / 3
        if kind == "deep" and n > 3:
            fall = np.exp(-at / 60.0)
            loss[0] = CONSTANT + 0.1 * fall
            norm[0] = 0.6 * fall + 1e-9
            outputs[0] = 0.0201679
            flagged[name]["constant"] = flagged[name]["dead"] = 1
        if kind == "medium" and n > 3:
            cut = len(at) // 2
            loss[-1, cut:] = norm[-1, cut:] = np.nan
            outputs[-1] = np.nan
            ends[name][-1] = "diverged"
            flagged[name]["diverged"] = 1
        traces["loss"][name] = Series(at, loss, replicates)
        traces["gradient_norm"][name] = Series(at, norm, replicates)
        fits[name] = (x, sinc(x), outputs)
        model = {"kind": "mlp", "hidden": list(LAYERS[kind]), "activation": "relu"}
        tree = {
            "task": {"kind": "function", "expression": "sinc", "low": -5.0, "high": 5.0, "points": 500},
            "model": model,
            "optimizer": {"kind": "adam", "lr": 1e-3},
            "batch_size": "full",
            "loss": "mse",
            "dtype": "float32",
        }
        conditions.append(
            Condition(name, {"model": name}, Spec(tree), epochs, 572 if kind == "medium" else 571)
        )
    runs = [
        SimpleNamespace(id=f"{hash((c, r)) & 0xFFFFFFFFFFFF:020x}", condition=c, replicate=r)
        for c in names
        for r in range(n)
    ]
    settings: dict[str, Any] = {
        "title": title,
        "question": None,
        "notes": "",
        "source": source,
        "report": source.split("/")[1] if source and source.startswith("reports/") else None,
        "epochs": 20_000,
        "replicates": 20,
        "claims": (),
        "record": ("loss", "gradient_norm", "predictions", "epochs_to(loss, 1e-3)"),
        "published": (),
        "stated": {},
        "quirks": (),
        "assumed": {},
        "quick": {"epochs": 500, "replicates": 5},
    }
    settings |= study
    environment = {"python": "3.13.1", "torch": "2.13.0+cpu", "numpy": "2.4.6", "cpu": "2 cores, AVX-512"}
    declared = SimpleNamespace(**settings)
    budgeted = SimpleNamespace(**(settings | {"epochs": epochs, "replicates": n}))
    return FakeResult(
        study=declared,
        plan=SimpleNamespace(
            conditions=tuple(conditions), runs=tuple(runs), declared=declared, study=budgeted
        ),
        verdicts=verdicts or [],
        budget=budget,
        environment=environment,
        traces=traces,
        ends=ends,
        flagged=flagged,
        fits=fits,
    )


def verdicts() -> list[Verdict]:
    """One of each outcome that a study of depth could have."""
    first = Claim(
        id="S002-1",
        says="On both functions nets 1 and 2 (7 and 4 hidden layers) converge faster than net 3 (1 hidden layer).",
        test=parse_claim("fewer(epochs_to(loss, 1e-3), deep, than=shallow)"),
    )
    second = Claim(
        id="S002-2",
        says="On sinc nets 1 and 3 fit better than net 2.",
        test=parse_claim("less(loss, deep, than=medium)"),
        as_reported=parse_claim("less(loss@last, deep, than=medium)"),
        note="'Fit better' is read as a lower training loss at the end.",
    )
    third = Claim(
        id="S002-9",
        says="A dead net predicts a constant.",
        test=parse_claim("share(flag_constant, deep, at_most=0.1)"),
    )
    fourth = Claim(
        id="S000-10",
        says="Gradient norm falls as loss falls.",
        test=parse_claim("correlates(loss, gradient_norm, over=epochs)"),
    )
    fifth = Claim(
        id="S000-12",
        says="A higher ratio means a more convex region.",
        test=parse_claim("untestable('a definition')"),
    )
    return [
        Verdict(
            first,
            "supported",
            "epochs_to(loss, 1e-3) of deep is 9.5 times earlier than shallow [5.2, ∞]",
            test="exact permutation of ranks (Brunner-Munzel)",
            null="P(A < B) + P(A = B)/2 = 1/2",
            effect="median ratio",
            value=0.105,
            interval=(0.0, 0.19),
            superiority=0.93,
            n=(20, 20),
            p=2.1e-7,
            p_against=1.0,
            alpha=0.025,
            paired=False,
        ),
        Verdict(
            second,
            "contradicted",
            "deep ends 1.8 times higher than medium [1.1, 2.9]",
            test="exact permutation of ranks (Brunner-Munzel)",
            null="P(A < B) + P(A = B)/2 = 1/2",
            effect="median ratio",
            value=1.8,
            interval=(1.1, 2.9),
            n=(20, 20),
            p=0.99,
            p_against=0.011,
            alpha=0.025,
            warnings=("Leaving out 1 flagged run of deep would make this inconclusive.",),
            as_reported=Verdict(second, "supported", "deep ends 1.13 times lower than medium", n=(1, 1)),
        ),
        Verdict(
            third,
            "too few replicates",
            "1 of 20 deep runs predicts a constant [0.1 %, 25 %]",
            test="exact binomial (Clopper-Pearson)",
            null="p = 0.1",
            effect="share",
            value=0.05,
            interval=(0.001, 0.249),
            n=(20,),
            p=0.39,
            alpha=0.025,
            needed_n=29,
        ),
        Verdict(
            fourth,
            "depends on optimizer.lr",
            "supported at as declared; inconclusive at optimizer.lr=0.0001",
            test="sign test over runs",
            null="either sign is as likely",
            n=(60,),
            p=0.2,
            alpha=0.025,
            per_setting=(
                Verdict(fourth, "supported", "positive in 59 of 60 runs", setting="as declared"),
                Verdict(fourth, "inconclusive", "positive in 33 of 60 runs", setting="optimizer.lr=0.0001"),
            ),
        ),
        Verdict(fifth, "untestable", "a definition"),
    ]


def full(**changes: Any) -> FakeResult:
    """The whole of report 002's sinc study, with everything that a page can show."""
    given: dict[str, Any] = {
        "verdicts": verdicts(),
        "published": (
            SimpleNamespace(
                condition="deep",
                quantity="loss",
                value=4.9181e-4,
                read_error=0.0,
                note="printed, epoch 19,500",
            ),
            SimpleNamespace(
                condition="medium", quantity="loss", value=5.5438e-4, read_error=0.0, note="printed"
            ),
            SimpleNamespace(
                condition="shallow", quantity="loss", value=1.1184e-3, read_error=0.0, note="printed"
            ),
            SimpleNamespace(condition="deep", quantity="loss@1000", value=1.304e-3, read_error=0.0, note=""),
        ),
        "stated": {"model.hidden": "one 10-10 layer fewer (461 parameters)", "optimizer.lr": "not given"},
        "quirks": ("Predictions are those before the last step.", "Only one run was made."),
        "assumed": {
            "optimizer.lr": SimpleNamespace(
                levels={"0.0001": 1e-4, "0.01": 1e-2}, why="the text names no rate"
            )
        },
        "notes": "Networks of 571 or 572 parameters, with 7, 4 and 1 hidden layers.",
    }
    return make(**(given | changes))


def failed() -> FakeResult:
    """A study in which every run failed before its first record."""
    result = make(n=2, verdicts=[])
    for trace in result.traces.values():
        trace.clear()
    result.fits.clear()
    for name in result.ends:
        result.ends[name] = ["failed"] * 2
        result.flagged[name] = {"constant": 0, "dead": 0, "diverged": 0}
    return result
