"""A run in sentences: what was found, and what is missing."""

from collections.abc import Sequence

from netstitch.analysis import CascadePoint, Front, FrontPoint
from netstitch.analysis.front_point import Split
from netstitch.analysis.front_rows import difference_text
from netstitch.records.run_record import RunRecord
from netstitch.report.choice_notes import choice_notes
from netstitch.text import command, listed


def answer(run: RunRecord) -> str:
    """Return the first sentences: what the front gives against the networks that went in."""
    front = run.front
    if not front.points and not front.unconfirmed:
        return "No network was evaluated yet."
    part = front.parts[-1]
    text = (
        f"{len(front.points)} networks are on the front, "
        f"{sum(point.stitches > 0 for point in front.points)} of them stitched."
    )
    if front.objective == "cross-entropy":
        text += (
            f" They have the least cross-entropy on validation samples for their {front.cost_name}."
        )
    better = _dominating(front, part)
    for label in dict.fromkeys(point.label for _, point in better):
        beaten = [(reference, point) for reference, point in better if point.label == label]
        gains = sorted(
            100 * ((point.accuracy(part) or 0.0) - (reference.accuracy(part) or 0.0))
            for reference, point in beaten
        )
        saved = sorted(100 * (1 - point.cost / reference.cost) for reference, point in beaten)
        text += (
            f" {label} is as accurate as {listed([one.label for one, _ in beaten])} on {part} "
            f"samples or better ({_range(gains, '+.2f')} points) and costs "
            f"{_range(saved, '.0f')}% less."
        )
    if not better and front.references and any(one.stitches for one in front.leading(part)):
        text += f" None dominates a network that went in, on {part} samples."
    return text + _of_cascades(front, part)


def _range(numbers: Sequence[float], form: str) -> str:
    """Return the first and the last of sorted numbers, once where they read the same."""
    return " to ".join(dict.fromkeys(format(numbers[index], form) for index in (0, -1)))


def named_cascade(front: Front) -> CascadePoint:
    """Return the cascade to look at first, by validation samples, of a front that has some.

    The cheapest in the mean that is as good as the ensemble, or, without one, the most accurate.
    """
    return front.as_good or max(front.cascades, key=lambda one: one.validation)


def _of_cascades(front: Front, part: Split) -> str:
    """Say what the cascades give, by one of them."""
    if not front.cascades:
        return ""
    text = f" {len(front.cascades)} cascades are on a front by their mean cost"
    named, ensemble = named_cascade(front), front.ensemble
    accuracy = named.accuracy(part)
    if accuracy is None or ensemble is None:
        return f"{text}."
    beside = difference_text(named.difference(part))
    minus = f", {beside} points beside the ensemble" if beside else ""
    share = named.cost_on(part) / ensemble.cost
    return (
        f"{text}: {named.label}, chosen on validation samples, is right on {100 * accuracy:.2f} % "
        f"of {part} samples{minus}, at {share:.0%} of its {front.cost_name} in the mean."
    )


def notes(run: RunRecord) -> list[str]:
    """Return the notes on a run: its warnings, its gaps, and the uncertainty of its figures."""
    found = [line[:1].upper() + line[1:] for line in run.document.warnings]
    if run.running:
        found.append(
            "This run is still going on: what is here is what it had when this page was written. "
            f"{command('status', run.folder)} tells how far it is."
        )
    elif run.state == "stopped":
        found.append(
            "This run was stopped before it was done. "
            f"{command('resume', run.folder)} goes on where it was."
        )
    if not len(run.evaluations):
        found.append("Nothing was evaluated yet: there is no front, only stitches and times.")
    elif not run.measured:
        found.append(
            "The front was not measured yet: it is that of the networks evaluated so far, with the "
            "accuracies that the search saw."
        )
    found += choice_notes(run.front)
    if failures := run.evaluations.failures:
        reason = next(iter(failures.values()))
        found.append(f"{len(failures):,} evaluations failed, the first of them: {reason}")
    return found


def table_text(run: RunRecord) -> str:
    """Return the note on the table of networks."""
    part = run.front.parts[-1]
    text = (
        "Differences are in points, with the 95 % interval of a bootstrap over samples; those to "
        "the ensemble are paired. The cross-entropy, in nats, and the calibration errors, over 15 "
        f"bins and over ten of width 0.1, are those on {part} samples."
    )
    if not run.front.has_cascades:
        return text
    return (
        f"{text} The mean cost of cascades is that on validation samples; the share that stops at "
        f"the first stage, and the difference to the plain cascade of the nearest mean cost, "
        f"paired, are those on {part} samples."
    )


def versions(run: RunRecord) -> str:
    """Return when and with which versions the run was made."""
    document = run.document
    made = ", ".join(f"{name} {value}" for name, value in document.versions.items())
    day = document.written or "a day that is not known"
    return f"Run on {day} with {made}. {len(run.evaluations):,} networks were evaluated."


def _dominating(front: Front, part: Split) -> list[tuple[FrontPoint, FrontPoint]]:
    """Return each reference that a cheaper network is as accurate as, with the cheapest such."""
    found = []
    given = {each.genotype for each in front.references}
    # By rising cost; an exit has the genotype of the network that it is the beginning of.
    others = [one for one in front.points if one.exit or one.genotype not in given]
    for reference in front.references:
        least = reference.accuracy(part)
        if least is None:
            continue
        for point in others:
            if point.cost < reference.cost and (point.accuracy(part) or -1.0) >= least:
                found.append((reference, point))
                break
    return found
