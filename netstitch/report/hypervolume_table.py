"""The hypervolumes of a run: of its networks, its cascades, and what there is without stitches."""

from netstitch.analysis import Front
from netstitch.analysis.front_chart import Floor
from netstitch.analysis.front_point import MeasuredPoint
from netstitch.analysis.hypervolume import hypervolume_of, reference_points


def point_sets(front: Front) -> dict[str, tuple[MeasuredPoint, ...]]:
    """Return the sets of points that have a hypervolume each, by what they are.

    Plain cascades stand between the networks that went in, so that these count with them.
    """
    plain = tuple(one for one in front.plain_cascades if not one.exits)
    found: dict[str, tuple[MeasuredPoint, ...]] = {
        "networks that went in": front.references,
        "and plain cascades": (*front.references, *plain) if plain else (),
        "and plain cascades with exits": front.plain,
        "networks": front.points,
        "cascades": front.cascades,
        "networks and cascades": front.found,
    }
    if plain == front.plain_cascades:
        del found["and plain cascades with exits"]
    if not front.cascades:
        del found["networks and cascades"]
    return {name: points for name, points in found.items() if points}


def hypervolume_table(front: Front, floor: Floor) -> list[list[str]]:
    """Return a header, and a row for each set of points: its hypervolumes by part of the data.

    They count over a floor, as of `write_page`, and over the worst reference.
    """
    overs = list(dict.fromkeys(reference_points([front], floor)))
    places = [(part, over) for over in overs for part in front.parts]
    head = [f"{part}, over accuracy {over.accuracy:.4g}" for part, over in places]
    rows = [["points", *head]]
    for name, points in point_sets(front).items():
        volumes = [hypervolume_of(points, part, over) for part, over in places]
        rows.append([name, *("" if volume is None else f"{volume:.4f}" for volume in volumes)])
    return rows
