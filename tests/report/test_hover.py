"""What a cursor shows lies where the picture has it."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from wavebind.report.hover import describe_window, find_panels
from wavebind.report.plots import draw_plane, new_figure, to_png


def red_pixels(png):
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    found = (pixels[..., 0] > 200) & (pixels[..., 1] < 60) & (pixels[..., 2] < 60)
    rows, columns = np.nonzero(found)
    return rows.mean() / len(pixels), columns.mean() / pixels.shape[1]


@pytest.mark.parametrize(("x", "y"), [(2.0, 150.0), (5.5, 300.0)])
@pytest.mark.parametrize("log", [False, True])
def test_a_point_lies_where_its_values_say(x, y, log):
    figure = new_figure(6, 4)
    axes, other = figure.subplots(2, 1)
    axes.plot([x], [y], "s", color="red", markersize=6)
    axes.set_xlim(0, 8)
    axes.set_ylim(1000, 1)
    if log:
        axes.set_yscale("log", base=2)
        axes.set_ylim(1000, 1)
    mesh = other.imshow(np.zeros((2, 2)))
    figure.colorbar(mesh, ax=other)
    row, column = red_pixels(to_png(figure))
    panels = find_panels(figure)
    assert len(panels) == 2
    panel = panels[0]
    left, top, right, bottom = panel["box"]
    share = (column - left) / (right - left), (bottom - row) / (bottom - top)
    low, high = np.log2(panel["y"]) if log else panel["y"]
    found = low + share[1] * (high - low)
    assert panel["log"] is log
    assert panel["x"][0] + share[0] * 8 == pytest.approx(x, abs=0.05)
    assert (2**found if log else found) == pytest.approx(y, rel=0.06, abs=4)


def test_lines_with_names_alone_are_told_and_thinned():
    figure = new_figure(4, 4)
    axes = figure.subplots()
    twin = axes.twinx()
    axes.plot(np.linspace(0, 1, 5000), np.linspace(0, 1, 5000) ** 2, label="curve")
    axes.plot([0, 1], [0, 1], label="chance")
    axes.plot(np.arange(9), np.full(9, np.nan), label="nothing")
    twin.plot(np.arange(9), np.arange(9) * 2.0, label="second")
    to_png(figure)
    (panel,) = find_panels(figure)
    assert [line["name"] for line in panel["lines"]] == ["curve", "second"]
    first = panel["lines"][0]
    assert len(first["x"]) == 400
    assert np.allclose(np.square(first["x"]), first["y"], atol=1e-4)
    assert (first["x"][0], first["x"][-1]) == (0, 1)


def test_the_modulus_of_a_window_comes_back():
    rng = np.random.default_rng(0)
    modulus = rng.random((5, 12)) * 3
    found = describe_window(
        np.array([0, 1, 2, 3] * 3, np.uint8),
        {"contribution": np.arange(12) / 7},
        start=100,
        plane=(modulus, np.arange(2.0, 7.0)),
    )
    steps = np.frombuffer(base64.b64decode(found["plane"]["values"]), np.uint8)
    back = steps.reshape(5, 12) * found["plane"]["step"]
    assert np.abs(back - modulus).max() <= found["plane"]["step"] / 2 + 1e-6
    assert found["letters"] == "ACGT" * 3
    assert found["unit"] == "coordinate"
    assert found["rows"][0]["values"][7] == pytest.approx(1.0)


def test_a_plane_that_is_zero_has_values():
    found = describe_window(
        np.zeros(3, np.uint8), {}, plane=(np.zeros((2, 3)), np.array([2.0, 4.0]))
    )
    assert found["unit"] == "position"
    assert set(base64.b64decode(found["plane"]["values"])) == {0}


def test_planes_are_drawn_from_fine_to_coarse():
    figure = new_figure(4, 3)
    axes = figure.subplots()
    draw_plane(axes, np.zeros((3, 10)), np.array([2.0, 4.0, 8.0]), start=50)
    to_png(figure)
    (panel,) = find_panels(figure)
    assert panel["log"]
    assert panel["y"][0] > panel["y"][1]
    assert panel["x"] == [49.5, 59.5]
