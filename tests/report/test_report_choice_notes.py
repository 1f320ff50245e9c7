"""Sentences on how a front was chosen."""

from dataclasses import replace

from example_fronts import front_of_both, network

from netstitch.analysis import Front, FrontPoint, Interval
from netstitch.analysis.front_point import AnyMeasured, MeasuredPoint
from netstitch.report.choice_notes import choice_notes


def beside(point: AnyMeasured, seen: float, unseen: float, half: float = 0.003) -> AnyMeasured:
    """The point with differences to the ensemble on validation and on the other samples."""
    first, second = (Interval(value, value - half, value + half) for value in (seen, unseen))
    other = {"test_difference": second, "confirmation_difference": second, "confirmation": 0.9}
    return replace(point, validation_difference=first, **other)


def flattered(seen: float, unseen: float) -> Front:
    front = front_of_both()
    points = tuple(beside(point, seen, unseen) for point in front.points)
    return replace(front, points=points, cascades=(), plain_cascades=())


def test_by_how_much_validation_flatters_is_one_sentence_for_each_kind() -> None:
    front = flattered(0.01, -0.01)
    cascades = tuple(beside(one, 0.0, 0.001) for one in front_of_both().cascades)
    *_, networks, told = choice_notes(replace(front, cascades=cascades))
    assert networks == (
        "Beside the ensemble, which was not chosen, 2 networks chosen by validation samples stand "
        "+2.00 [+1.58, +2.42] points better on these than on test samples, in the mean: validation "
        "flatters by that much."
    )
    assert told.startswith("Beside the ensemble, which was not chosen, 2 cascades chosen")
    assert told.endswith(
        "-0.10 [-0.52, +0.32] points better on these than on test samples, in the mean: this may "
        "be chance."
    )


def test_what_is_worse_on_validation_samples_is_not_flattered_by_them() -> None:
    assert choice_notes(flattered(-0.01, 0.01))[-1].endswith(
        "-2.00 [-2.42, -1.58] points better on these than on test samples, in the mean: validation "
        "does not flatter."
    )


def test_networks_that_went_in_were_not_chosen() -> None:
    """A search may find them: they are points of its front, and prove nothing about its choice."""
    front = flattered(0.01, -0.01)
    given = beside(network("P3", front.references[1].genotype, 4_800_000, 0.92, "resnet"), 0.0, 0.0)
    more = replace(front, points=(*front.points, given))
    assert choice_notes(more) == choice_notes(front)


def test_what_did_not_hold_is_counted_and_counts_where_confirmation_tells() -> None:
    front = flattered(0.01, 0.01)
    gone: FrontPoint = replace(front.points[1], label="unconfirmed-1", genotype=(0, 1, 1))
    dropped, confirmation, test = choice_notes(
        replace(front, unconfirmed=(beside(gone, 0.04, 0.01),))
    )
    assert dropped == (
        "1 of 3 networks did not hold on confirmation samples: with these counted too, others "
        "are as good and need no more multiply-adds. In front.csv their kind is unconfirmed "
        "network."
    )
    assert "3 networks chosen" in confirmation
    assert "+1.00 [" in confirmation
    assert "on these than on confirmation samples" in confirmation
    assert "2 networks chosen" in test
    assert "+0.00 [" in test


def test_where_only_validation_was_measured_nothing_can_tell() -> None:
    front = flattered(0.01, 0.01)

    def alone(point: AnyMeasured) -> AnyMeasured:
        return replace(point, test=None, confirmation=None)

    everything: list[tuple[MeasuredPoint, ...]] = [front.points, front.references]
    points, references = (tuple(alone(one) for one in each) for each in everything)
    [told] = choice_notes(replace(front, points=points, references=references))
    assert "measured on validation samples alone" in told
    assert "[task] confirmation" in told
    assert choice_notes(Front(())) == []
