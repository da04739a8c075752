"""The way from claims and runs to verdicts: every rule of when a verdict may be given, and at which level."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gradlab.judge import association, compare, peaks, shares, static
from gradlab.judge.combine import all_of, holm, not_
from gradlab.judge.data import Data, NoRuns, Results
from gradlab.judge.evidence import outcomes
from gradlab.judge.finding import Finding
from gradlab.judge.sequential import alpha_of_look, extensions
from gradlab.judge.verdict import PENDING, Verdict, combine_settings
from gradlab.study import kinds
from gradlab.study.claims import Claim

__all__ = ["adjust", "evaluate", "judge"]

Looks = Mapping[str, Sequence[int]] | Sequence[int]


@dataclass(frozen=True)
class _Rules:
    """What a verdict may spend and what it must say."""

    declared_n: int
    looks: Looks
    preliminary: bool

    def extension(self, claim: Claim, n: int) -> int:
        taken = self.looks.get(claim.key, ()) if isinstance(self.looks, Mapping) else self.looks
        return extensions(n, taken)


def judge(
    claims: Sequence[Claim],
    results: Results,
    *,
    looks: Looks = (),
    declared_n: int | None = None,
    budget: str = "full",
    family: Literal["study", "report"] = "study",
) -> list[Verdict]:
    """Judge the claims of one study.

    Args:
        claims: The claims, in the order of the study.
        results: The runs: `plan`, `series`, `values` and `predictions`.
        looks: Numbers of replicates at which verdicts were taken before, for all claims or by `Claim.key`.
        declared_n: Replicates that the study declares; the plan's own where it is not given.
        budget: `quick` or `full`; a plan that cuts epochs or data makes every verdict preliminary.
        family: `report` applies Holm's correction over these claims; a study's own page is unadjusted.

    Returns:
        One verdict per claim, the reading as reported beside it.
    """
    declared = declared_n if declared_n is not None else int(results.plan.study.replicates)
    cut = bool(getattr(results.plan, "preliminary", budget == "quick"))
    rules = _Rules(declared, looks, cut)
    verdicts = [_judge_claim(claim, results, rules) for claim in claims]
    return adjust(verdicts) if family == "report" else verdicts


def adjust(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Holm's correction over all testable claims of one report, each direction by itself.

    A claim without a p-value (not judged yet) counts as p = 1; facts, published values and untestable
    sentences are not in the family.

    Args:
        verdicts: The unadjusted verdicts of the whole family, fixed beforehand.

    Returns:
        The same verdicts with adjusted p-values and the decisions that follow from them.
    """
    members = [index for index, verdict in enumerate(verdicts) if _testable(verdict)]
    # Looks spend different levels: each p-value is weighed as a share of what it may spend.
    spent = [verdicts[i].alpha or alpha_of_look(0) for i in members]
    first = max(spent, default=alpha_of_look(0))
    scale = [first / alpha for alpha in spent]
    p_for = holm([min(1.0, _or_one(verdicts[i].p) * s) for i, s in zip(members, scale, strict=True)])
    p_against = holm([
        min(1.0, _or_one(verdicts[i].p_against) * s) for i, s in zip(members, scale, strict=True)
    ])
    adjusted = list(verdicts)
    for index, p, against in zip(members, p_for.tolist(), p_against.tolist(), strict=True):
        adjusted[index] = _redecide(verdicts[index], p, against, first)
    return adjusted


def evaluate(test: kinds.Test, data: Data, alpha: float) -> list[Finding]:
    """What a test finds, one finding per setting of the factors that it does not compare.

    Args:
        test: Any claim kind.
        data: The runs at one setting of what was assumed.
        alpha: Error rate of each side of the intervals.

    Returns:
        Findings; `all_of` and `not_` hold those on their parts.

    Raises:
        TypeError: The kind is unknown.
    """
    if isinstance(test, kinds.Not):
        return [_negated(finding) for finding in evaluate(test.claim, data, alpha)]
    if isinstance(test, kinds.AllOf):
        return [_all_of([part for claim in test.claims for part in evaluate(claim, data, alpha)])]
    view = data.seen_by(test.quantities())
    counted = {"unit_size": view.unit_size, "counted": view.counted}
    return [
        replace(finding, at_hand=_at_hand(view, finding.shares or view.conditions), **counted)
        for finding in _found(test, view, alpha)
    ]


def _found(test: kinds.Test, data: Data, alpha: float) -> list[Finding]:
    """What a claim that holds no others finds."""
    match test:
        case kinds.Compare():
            return compare.compare(test, data, alpha)
        case kinds.Equal():
            return compare.equal(test, data, alpha)
        case kinds.Share():
            return shares.share(test, data, alpha)
        case kinds.Matches():
            return shares.matches(test, data, alpha)
        case kinds.Correlates():
            return association.correlates(test, data, alpha)
        case kinds.Trend():
            return association.trend(test, data, alpha)
        case kinds.Peaks():
            return peaks.peaks(test, data, alpha)
        case kinds.Fact():
            return static.fact(test, data)
        case kinds.Untestable():
            return [Finding(None, "", "", test.reason, fixed="untestable")]
        case _:
            raise TypeError(f"no way to judge a {type(test).__name__}")


def _judge_claim(claim: Claim, results: Results, rules: _Rules) -> Verdict:
    verdict = _judge_test(claim, claim.test, results, rules)
    if claim.as_reported is None:
        return verdict
    return replace(verdict, as_reported=_judge_test(claim, claim.as_reported, results, rules))


def _judge_test(claim: Claim, test: kinds.Test, results: Results, rules: _Rules) -> Verdict:
    settings: Sequence[str | None] = getattr(results.plan, "settings", None) or (None,)
    if all(isinstance(leaf, kinds.Untestable) for leaf in test.leaves()):
        settings = settings[:1]
    found: dict[str, Verdict] = {}
    for setting in settings:
        data = Data(results, setting)
        views = [data.seen_by(leaf.quantities()) for leaf in test.leaves()]
        least = min(views, key=lambda view: _at_hand(view, view.conditions) * view.unit_size)
        extension = rules.extension(claim, _at_hand(least, least.conditions))
        alpha = alpha_of_look(extension)
        try:
            findings = evaluate(test, data, alpha)
        except NoRuns as error:
            # The conditions of a claim are trained together, so this is a study that has only begun.
            declared, counted = rules.declared_n // least.unit_size, least.counted
            waiting = Verdict(claim, PENDING, f"{error}; 0 of {declared} {_word(counted)}", counted=counted)
            return replace(waiting, declared_n=declared)
        again = _outcomes_without_flagged(test, results, setting, alpha, findings)
        for finding, other in zip(findings, again, strict=True):
            verdict = _verdict(claim, finding, alpha, extension, rules)
            decided = {"supported", "contradicted"} & {other, verdict.decision}
            if other and other != verdict.decision and decided and verdict.outcome != PENDING:
                warning = f"{_without(finding)} it would be {other}"
                verdict = replace(verdict, warnings=(*verdict.warnings, warning))
            name = ", ".join(part for part in (_assumed(setting, settings), finding.setting) if part)
            found[name] = verdict.made_preliminary() if rules.preliminary else verdict
    verdict = combine_settings(found, claim)
    return verdict.made_preliminary() if rules.preliminary else verdict


def _without(finding: Finding) -> str:
    """What was left out to see whether the verdict changes."""
    if any(counts.get("not measured") for counts in finding.shares.values()):
        return f"without the {finding.counted} that could not be measured or are flagged"
    if finding.counted != "runs":
        return f"without the {finding.counted} with constant, dead or diverged runs"
    return "without the constant, dead and diverged runs"


def _assumed(setting: str | None, settings: Sequence[str | None]) -> str:
    return "" if setting is None or len(settings) == 1 else setting


def _at_hand(data: Data, labels: Collection[str]) -> int:
    """Runs at hand, whatever a `where` leaves of them: the least over the conditions."""
    return min((data.count(label) for label in labels), default=0)


def _word(counted: str) -> str:
    return "replicates" if counted == "runs" else counted


def _verdict(claim: Claim, finding: Finding, alpha: float, extension: int, rules: _Rules) -> Verdict:
    evidence, n, declared = finding.evidence, finding.at_hand, rules.declared_n // finding.unit_size
    common = Verdict(
        claim=claim,
        outcome=finding.fixed or PENDING,
        sentence=finding.sentence,
        test=finding.test,
        null=finding.null,
        effect=finding.effect,
        value=finding.value,
        interval=finding.interval,
        confidence=None if finding.interval is None else 0.95 if evidence is None else 1 - 2 * alpha,
        superiority=finding.superiority,
        n=finding.n,
        replicates=n,
        declared_n=declared,
        counted=finding.counted,
        paired=finding.paired,
        pair_correlation=finding.pair_correlation,
        interest=finding.interest,
        power_n=finding.power_n,
        shares=finding.shares,
        warnings=finding.warnings,
        parts=tuple(_verdict(claim, part, alpha, extension, rules) for part in finding.parts),
    )
    if finding.fixed in {"untestable"} or (evidence is None and not finding.n):
        return common
    if n < declared:
        waiting = f"{finding.sentence}; {n} of {declared} {_word(finding.counted)}"
        return replace(common, outcome=PENDING, sentence=waiting)
    if evidence is None:
        return common
    outcome = str(outcomes(evidence, alpha)[0])
    few = outcome == "too few replicates"
    open_ = outcome in {"inconclusive", "too few replicates"}
    # this look is spent too: what comes next is an extension, at half the level, and has to be enough for that
    after = alpha_of_look(extension + 1)
    needed = finding.needed_for(after) if few and finding.needed_for is not None else None
    return replace(
        common,
        outcome=outcome,
        p=float(evidence.p_for[0]),
        p_against=float(evidence.p_against[0]),
        alpha=alpha,
        extension=extension,
        needed_n=needed,
        deciding_n=finding.deciding_n if open_ else None,
    )


def _negated(finding: Finding) -> Finding:
    opposite = {
        "supported": "contradicted",
        "contradicted": "supported",
        "consistent": "inconsistent",
        "inconsistent": "consistent",
    }
    return replace(
        finding,
        evidence=None if finding.evidence is None else not_(finding.evidence),
        needed_for=finding.needed_against,
        needed_against=finding.needed_for,
        fixed=opposite.get(finding.fixed, finding.fixed),
    )


def _all_of(parts: list[Finding]) -> Finding:
    """One finding on a conjunction; facts inside decide by themselves where they fail."""
    tested = [part for part in parts if part.evidence is not None]
    failed = [part for part in parts if part.fixed in {"contradicted", "inconsistent"}]
    unsure = [part for part in parts if part.evidence is None and part.fixed in {"", "untestable"}]
    evidence = all_of([part.evidence for part in tested if part.evidence is not None]) if tested else None
    fixed = ""
    if failed:
        fixed = "contradicted"
    elif unsure:
        fixed = "untestable"
    elif not tested:
        fixed = "supported"
    count = max(len(tested), 1)
    least = min(parts, key=lambda part: part.at_hand * part.unit_size)
    shares_: dict[str, Mapping[str, int]] = {}
    for part in parts:
        shares_ |= part.shares
    return Finding(
        evidence=None if fixed else evidence,
        test="intersection-union: " + "; ".join(dict.fromkeys(part.test for part in parts if part.test)),
        null="at least one part is at its own null: " + "; ".join(part.null for part in parts if part.null),
        sentence="; ".join(part.sentence for part in parts),
        n=(min(min(part.n) for part in tested),) if tested else (),
        needed_for=lambda rate: max(part.needed_for(rate) for part in tested if part.needed_for is not None),
        needed_against=lambda rate: min(
            part.needed_against(rate / count) for part in tested if part.needed_against is not None
        ),
        deciding_n=_largest([part.deciding_n for part in tested]),
        power_n=_largest([part.power_n for part in tested]),
        shares=shares_,
        warnings=tuple(dict.fromkeys(warning for part in parts for warning in part.warnings)),
        parts=tuple(parts),
        fixed=fixed,
        at_hand=least.at_hand,
        unit_size=least.unit_size,
        counted=least.counted,
    )


def _largest(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None


def _outcomes_without_flagged(
    test: kinds.Test, results: Results, setting: str | None, alpha: float, findings: Sequence[Finding]
) -> list[str]:
    """The outcomes if constant, dead and diverged runs were left out; empty where there are none."""
    bad = any(
        counts.get("constant or dead", 0) + counts.get("diverged", 0) + counts.get("not measured", 0)
        for finding in findings
        for counts in finding.shares.values()
    )
    if not bad or any(isinstance(leaf, kinds.Share | kinds.Matches) for leaf in test.leaves()):
        return [""] * len(findings)
    data = Data(results, setting, without_flagged=True)
    try:
        again = evaluate(test, data, alpha)
    except NoRuns:
        return [""] * len(findings)
    return [
        str(outcomes(finding.evidence, alpha)[0])
        if finding.evidence is not None and min(finding.n, default=0)
        else ""
        for finding in again
    ]


def _testable(verdict: Verdict) -> bool:
    return verdict.p is not None or verdict.outcome == PENDING or verdict.decision.startswith("depends on")


def _or_one(p: float | None) -> float:
    return 1.0 if p is None else p


def _redecide(verdict: Verdict, p: float, against: float, alpha: float) -> Verdict:
    """The decision after Holm: it can only become less certain."""
    if verdict.p is None:
        return replace(verdict, adjusted=True)
    decision = verdict.decision
    lost = {"supported": p > alpha, "contradicted": against > alpha}.get(decision, False)
    decision = "inconclusive" if lost else decision
    outcome = f"preliminary-{decision}" if verdict.preliminary else decision
    return replace(verdict, outcome=outcome, p=p, p_against=against, adjusted=True)
