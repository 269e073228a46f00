"""Plots: what is drawn is what the table says, in the same bytes every time."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from harness import plots, results
from harness.plots.labels import around
from harness.plots.ticks import decade_ticks, octave_ticks

CLOCK_HZ = 16_000_000
MODELS = ("lstm", "fastgrnn", "gru", "ornn", "fastgrnn-q")


def summary_rows():
    """Five models: only three may be drawn.

    lstm does not fit, though its numbers are known; fastgrnn-q runs on the host only; ornn
    disagrees with the reference; gru lies on fastgrnn.
    """
    common = {"board": "uno", "board_kind": "virtual", "clock_hz": CLOCK_HZ, "status": "ok"}
    numbers = {
        "timing_source": "emulated-cycles", "windows": 100, "mismatches": 0, "accuracy_board": 0.9,
        "model_flash_bytes": 1024, "table_flash_bytes": 512, "flash_bytes": 8192,
        "ram_static_bytes": 600, "stack_peak_bytes": 200, "cycles_median": 160_000.0,
        "cycles_p95": 176_000, "cycles_max": 240_000, "latency_ms": 10.0,
    }  # fmt: skip
    return [
        common | numbers | {"model": "lstm", "status": "does-not-fit", "flash_bytes": 40_000},
        common | numbers | {"model": "fastgrnn"},
        common | numbers | {"model": "gru"},
        common | numbers | {"model": "ornn", "status": "mismatch", "accuracy_board": 0.5,
                            "model_flash_bytes": 3000, "stack_peak_bytes": None,
                            "latency_ms": 40.0, "cycles_p95": None, "cycles_max": None},
        common | {"model": "fastgrnn-q", "status": "host-only", "timing_source": "none"},
    ]  # fmt: skip


def make_summary(**changes):
    return results.summary_frame([row | changes for row in summary_rows()])


def make_windows():
    """fastgrnn on 6 windows of 3 classes: one window of class 1 is called 2; one not measured."""
    pairs = [(0, 0), (0, 0), (1, 1), (1, 2), (2, 2), (2, -1)]
    rows = [
        results.WindowRow(model, k, true, 0, board, [0], [0], 1, [0, 0, 0], [0, 0, 0], 0)
        for model in ("fastgrnn", "ornn")
        for k, (true, board) in enumerate(pairs)
    ]
    return results.windows_frame(rows)


@pytest.fixture(scope="module")
def drawn():
    """All five figures, by name."""
    every = plots.all_plots(
        make_summary(), make_windows(), flash_available=10_240, ram_available=1 << 20
    )
    return {plot.name: plot for plot in every}


def words(figure):
    return " ".join(text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text")))


def error_bars(axes):
    """label -> (x, y, low, high) of every point."""
    points = {}
    for container in axes.containers:
        line, _, (bars,) = container.lines
        ((_, low), (_, high)) = bars.get_segments()[0]
        points[container.get_label()] = (*line.get_xydata()[0], low, high)
    return points


# --- positions equal the table -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "xs"),
    [
        ("accuracy_vs_bytes", {"fastgrnn": 1024, "gru": 1024, "ornn": 3000}),
        ("accuracy_vs_latency", {"fastgrnn": 10, "gru": 10, "ornn": 40}),
    ],
)
def test_scatter_shows_the_table_and_leaves_out_what_has_no_value(drawn, name, xs):
    (axes,) = drawn[name].figure.axes
    points = error_bars(axes)
    assert {model: point[0] for model, point in points.items()} == xs
    assert points["fastgrnn"][1] == pytest.approx(90)
    assert points["ornn"][1] == pytest.approx(50)
    low, high = plots.wilson(0.9, 100)
    assert points["fastgrnn"][2:] == pytest.approx((100 * low, 100 * high))
    assert axes.get_xscale() == "log"


def test_latency_bars_are_medians_with_p95_and_max(drawn):
    (axes,) = drawn["latency"].figure.axes
    assert [c.get_label() for c in axes.containers] == ["fastgrnn", "gru", "ornn"]
    assert [c.patches[0].get_width() for c in axes.containers] == [10, 10, 40]
    by_id = {
        kind: [line.get_xdata()[-1] for line in axes.lines if line.get_gid() == kind]
        for kind in ("p95", "max")
    }
    assert by_id["p95"] == pytest.approx([11, 11])  # ornn: not measured, hence not drawn
    assert by_id["max"] == pytest.approx([15, 15])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["fastgrnn", "gru", "ornn"]


def bracket_rows(**changes):
    """Rows of a board whose emulator counts a bracket."""
    exact = ("cycles_median", "cycles_p95", "cycles_max", "latency_ms")
    bracket = {"timing_source": "estimated-bracket", "cycles_lo": 120e3, "cycles_hi": 200e3}
    return [row | dict.fromkeys(exact) | bracket | changes for row in summary_rows()[1:4]]


def test_brackets_reach_from_end_to_end_in_the_order_of_the_table():
    rows = bracket_rows()
    rows[1]["cycles_lo"], rows[1]["cycles_hi"] = 50_400.0, 61_200.0  # faster, yet not on top
    figure = plots.cycle_brackets(results.summary_frame(rows))
    (axes,) = figure.axes
    assert [c.patches[0].get_x() for c in axes.containers] == pytest.approx([120, 50.4, 120])
    assert [c.patches[0].get_width() for c in axes.containers] == pytest.approx([80, 10.8, 80])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["fastgrnn", "gru", "ornn"]
    assert "50 to 62 k" in words(figure)  # rounded outwards
    assert "cycles estimated as a bracket, not silicon" in " ".join(words(figure).split())


def test_a_bracket_takes_the_place_of_latencies():
    bracket = results.summary_frame(bracket_rows())
    names = [plot.name for plot in plots.all_plots(bracket, make_windows())]
    assert names == ["accuracy_vs_bytes", "cycle_brackets", "memory", "confusion"]


def test_brackets_and_exact_figures_are_never_in_one_figure():
    exact = [row | {"model": f"{row['model']}-q"} for row in summary_rows()[1:3]]
    mixed = results.summary_frame(bracket_rows() + exact)
    figures = {p.name: p.figure for p in plots.all_plots(mixed, make_windows())}
    (latency,) = figures["latency"].axes
    (brackets,) = figures["cycle_brackets"].axes
    assert [t.get_text() for t in latency.get_yticklabels()] == ["fastgrnn-q", "gru-q"]
    assert [t.get_text() for t in brackets.get_yticklabels()] == ["fastgrnn", "gru", "ornn"]


def test_an_estimate_never_passes_for_silicon():
    frame = results.summary_frame(bracket_rows(board_kind="silicon"))
    assert plots.origin(frame) == "mixed"


def test_memory_bars_stack_up_to_the_totals(drawn):
    flash, ram = drawn["memory"].figure.axes
    parts = {c.get_label(): [p.get_width() * 1024 for p in c.patches] for c in flash.containers}
    assert parts == {
        "model": [1024, 1024, 3000],
        "tables": [512, 512, 512],
        "code and rest": [6656, 6656, 4680],
    }
    last = flash.containers[-1].patches
    assert [(p.get_x() + p.get_width()) * 1024 for p in last] == [8192, 8192, 8192]
    parts = {c.get_label(): [p.get_width() * 1024 for p in c.patches] for c in ram.containers}
    assert parts == {"static": pytest.approx([600] * 3), "stack peak": pytest.approx([200, 200, 0])}
    assert "≥ 600 B" in words(drawn["memory"].figure)  # a stack not measured is said to be so
    assert "Stack peak not measured: ornn." in words(drawn["memory"].figure)


def test_memory_shows_what_the_board_has_as_a_line_only_where_it_does_not_squeeze(drawn):
    flash, ram = drawn["memory"].figure.axes
    lines = [line.get_xdata()[0] for line in flash.lines if line.get_gid() == "available"]
    assert lines == [10]
    assert not [line for line in ram.lines if line.get_gid() == "available"]
    assert "1024 KiB" in ram.get_xlabel()


def test_confusion_matrix_counts_the_windows_of_the_best_sound_model(drawn):
    labels, counts = plots.confusion_counts(make_windows(), "fastgrnn")
    assert labels == [0, 1, 2]
    assert counts.tolist() == [[2, 0, 0], [0, 1, 1], [0, 0, 1]]
    (axes,) = drawn["confusion"].figure.axes
    share = np.asarray(axes.images[0].get_array())
    assert share.tolist() == [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]]
    shown = {t.get_position(): t.get_text() for t in axes.texts}
    assert shown == {(0, 0): "2", (1, 1): "1", (2, 1): "1", (2, 2): "1"}  # (predicted, true)
    assert "Confusion of fastgrnn" in words(drawn["confusion"].figure)


def test_best_model_takes_the_smaller_of_equals_and_a_mismatch_only_alone():
    summary, windows = make_summary(), make_windows()
    summary.loc[3, "accuracy_board"] = 1.0
    assert plots.best_model(summary, windows) == "fastgrnn"
    assert plots.best_model(summary.iloc[[3]], windows) == "ornn"
    assert plots.best_model(summary.iloc[[0]], windows) is None
    gru = windows[windows["model"] == "fastgrnn"].assign(model="gru")
    summary.loc[2, "model_flash_bytes"] = 1000
    assert plots.best_model(summary, results.pd.concat([windows, gru])) == "gru"


def test_a_class_that_never_occurs_keeps_its_row_and_a_vocabulary_only_its_words():
    labels, counts = plots.confusion_counts(make_windows(), "fastgrnn", classes=5)
    assert labels == [0, 1, 2, 3, 4]
    assert counts.sum() == 5
    windows = make_windows().replace({"label_true": {2: 9000}})
    assert plots.confusion_counts(windows, "fastgrnn")[0] == [0, 1, 2, 9000]


# --- what the figures say ----------------------------------------------------------------------


def test_every_figure_and_caption_says_virtual(drawn):
    for plot in drawn.values():
        assert "VIRTUAL BOARD uno: emulated cycles, not silicon" in words(plot.figure)
        assert "VIRTUAL BOARD uno" in plot.caption


@pytest.mark.parametrize(
    ("changes", "origin", "start"),
    [
        (
            {"board_kind": "silicon", "timing_source": "timer1"},
            "silicon",
            "SILICON uno: cycles cou",
        ),
        ({"board_kind": "silicon", "timing_source": "none"}, "silicon", "SILICON uno: cycles not"),
        ({"board_kind": "silicon", "timing_source": "emulated-cycles"}, "mixed", "MIXED"),
        (
            {"board_kind": "silicon", "timing_source": "board-clock"},
            "silicon",
            "SILICON uno: timed by the board's clock",
        ),
        ({"board_kind": "virtual"}, "virtual", "VIRTUAL"),
        (
            {"board_kind": "virtual", "timing_source": "none"},
            "virtual",
            "VIRTUAL BOARD uno: not timed, not silicon",
        ),
        ({"board_kind": None}, "unknown", "uno: silicon or virtual not recorded"),
    ],
)
def test_origin_is_silicon_only_when_every_row_says_so(changes, origin, start):
    summary = make_summary(**changes)
    assert plots.origin(summary) == origin
    assert plots.subtitle(summary).startswith(start)


def test_one_virtual_row_among_silicon_is_not_silicon():
    summary = make_summary(board_kind="silicon", timing_source="timer1")
    summary.loc[2, "board_kind"] = "virtual"
    assert plots.origin(summary) == "mixed"


def test_models_without_values_are_named_in_figure_and_caption(drawn):
    for name in ("accuracy_vs_bytes", "accuracy_vs_latency", "latency", "memory"):
        note = "Not plotted: lstm (does not fit), fastgrnn-q (host only)."
        assert note in words(drawn[name].figure)
        assert note in drawn[name].caption


def test_nothing_to_draw_gives_a_figure_that_says_so():
    summary, none = make_summary().iloc[[0, 4]], make_windows().iloc[:0]
    for plot in plots.all_plots(summary, none):
        said = words(plot.figure)
        assert "no model has" in said or "no window was labelled" in said
        assert "nan" not in said.lower()
    empty = results.summary_frame([])
    assert len(plots.all_plots(empty, none)) == 5


def test_fastgrnn_has_its_colour_and_weight_everywhere(drawn):
    assert plots.is_highlighted("fastgrnn-lsq")
    assert not plots.is_highlighted("fastrnn")
    colours = {
        c.get_label(): to_hex(c.patches[0].get_facecolor()).upper()
        for c in drawn["latency"].figure.axes[0].containers
    }
    assert colours == {"fastgrnn": plots.HIGHLIGHT, "gru": plots.OTHER, "ornn": plots.OTHER}
    for axes in drawn["memory"].figure.axes:
        weights = {t.get_text(): t.get_fontweight() for t in axes.get_yticklabels()}
        assert weights == {"fastgrnn": "bold", "gru": "normal", "ornn": "normal"}


def luminance(colour):
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_colours_differ_in_greyscale():
    assert luminance(plots.OTHER) - luminance(plots.HIGHLIGHT) > 0.2
    shades = [luminance(c) for c in (plots.DARK, plots.MIDDLE, plots.LIGHT)]
    assert min(np.diff(shades)) > 0.2


# --- labels ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 11])
def test_labels_of_coinciding_points_do_not_overlap(count):
    points = [(400.0, 300.0)] * count
    sizes = [(150.0 + 10 * k, 28.0) for k in range(count)]
    frame = plots.Box(0, 0, 1000, 800)
    offsets = plots.place_labels(points, sizes, [], frame, 4)
    boxes = [
        around((400 + 4 * dx, 300 + 4 * dy), size)
        for (dx, dy, _), size in zip(offsets, sizes, strict=True)
    ]
    for k, box in enumerate(boxes):
        assert box.overlap(frame) == pytest.approx(box.area)
        assert all(box.overlap(other) < 0.01 * box.area for other in boxes[k + 1 :])


def test_labels_in_a_figure_do_not_overlap_each_other_or_leave_it(drawn):
    for name in ("accuracy_vs_bytes", "accuracy_vs_latency"):
        figure = drawn[name].figure
        boxes = [t.get_window_extent() for t in figure.axes[0].texts]
        assert len(boxes) == 3
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[k + 1 :])
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1


# --- numbers -----------------------------------------------------------------------------------


def test_wilson_interval():
    # E. B. Wilson 1927, as tabulated e.g. for 81 of 263 (Newcombe 1998, table I): 0.2553, 0.3662
    low, high = plots.wilson(81 / 263, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert plots.wilson(1.0, 10)[1] == 1.0
    assert plots.wilson(0.0, 10)[0] == 0.0
    assert 0.27 < plots.wilson(0.0, 10)[1] < 0.28  # z2 / (n + z2) = 3.84 / 13.84


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (812, "812 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (253952, "248 KiB")],
)
def test_bytes_in_words(count, said):
    assert plots.format_bytes(count) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.01234, "0.0123"), (5.625, "5.62"), (37.5, "37.5"), (1234.4, "1234")]
)
def test_milliseconds_in_words(value, said):
    assert plots.format_ms(value) == said


@pytest.mark.parametrize("values", [[10.0], [0.9, 1.1], [100.0, 90_000.0], [0.001, 5000.0]])
@pytest.mark.parametrize("ticks_of", [octave_ticks, decade_ticks])
def test_log_axes_have_ticks_and_hold_all_values(values, ticks_of):
    ticks, (low, high) = ticks_of(results.pd.Series(values))
    assert low < min(values)
    assert max(values) < high
    assert 2 <= len(ticks) <= 10
    assert all(low <= tick <= high for tick in ticks)
    assert all(math.isfinite(tick) for tick in ticks)


# --- files -------------------------------------------------------------------------------------


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        for draw in (plots.accuracy_vs_bytes, plots.memory_bars):
            plots.save(draw(make_summary()), tmp_path / folder, draw.__name__)
    for draw in (plots.accuracy_vs_bytes, plots.memory_bars):
        for kind in ("svg", "png"):
            one, two = (tmp_path / f / f"{draw.__name__}.{kind}" for f in "ab")
            assert one.read_bytes() == two.read_bytes()
    svg = (tmp_path / "a" / "accuracy_vs_bytes.svg").read_text()
    assert "<dc:date>" not in svg
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [
        "accuracy_vs_bytes.png", "accuracy_vs_bytes.svg", "memory_bars.png", "memory_bars.svg",
    ]  # fmt: skip


def test_a_png_is_one_column_wide_at_300_dpi(tmp_path):
    png, _ = plots.save(plots.latency_bars(make_summary()), tmp_path, "latency")
    header = png.read_bytes()
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20], "big") == round(plots.WIDTH_IN * plots.PNG_DPI)


def test_a_users_matplotlib_settings_change_nothing(tmp_path):
    import matplotlib

    one, _ = plots.save(plots.latency_bars(make_summary()), tmp_path, "one")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red"}):
        two, _ = plots.save(plots.latency_bars(make_summary()), tmp_path, "two")
        assert matplotlib.rcParams["font.size"] == 20
    assert one.read_bytes() == two.read_bytes()


def test_hostile_names_are_drawn_as_they_are(tmp_path):
    summary = make_summary()
    summary.loc[2, "model"] = "$\\frac{x$ <script>"
    summary.loc[3, "model"] = "two\nlines " + "x" * 60
    figure = plots.accuracy_vs_bytes(summary)
    assert "$\\frac{x$ <script>" in words(figure)
    assert "two lines xxxxxxxxxxx…" in words(figure)
    plots.save(figure, tmp_path, "hostile")
