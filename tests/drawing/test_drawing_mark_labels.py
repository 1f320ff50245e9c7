"""Labels stand beside their marks and cover nothing."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from netstitch.drawing.mark_labels import place_labels


def test_labels_keep_clear_of_one_another_and_of_marks():
    figure = Figure(dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.draw()
    marks = [(0.5, 0.5), (0.55, 0.5), (0.98, 0.5)]
    names = ("first network", "second network", "at the edge")
    labels = [(name, *at) for name, at in zip(names, marks, strict=True)]
    place_labels(axes, canvas.get_renderer(), labels, avoid=marks, colour="black")
    canvas.draw()
    # Of the texts alone: an annotation's own extent reaches to its mark.
    boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in axes.texts]
    assert [text.get_text() for text in axes.texts] == list(names)
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
        assert not any(box.contains(*axes.transData.transform(mark)) for mark in marks)
        assert axes.bbox.x0 <= box.x0
        assert box.x1 <= axes.bbox.x1


def test_a_label_rather_covers_marks_than_another_label():
    figure = Figure(dpi=100, figsize=(4, 4))
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.draw()
    # All is marks but for one hole, below the first label's mark and above the other's.
    places = [(x / 80, y / 80) for x in range(81) for y in range(81)]
    marks = [(x, y) for x, y in places if not (0.45 < x < 0.85 and 0.42 < y < 0.5)]
    labels = [("the one", 0.5, 0.5), ("the other", 0.5, 0.42)]
    place_labels(axes, canvas.get_renderer(), labels, avoid=marks, colour="black")
    canvas.draw()
    first, second = (Text.get_window_extent(text, canvas.get_renderer()) for text in axes.texts)
    assert not first.overlaps(second)
