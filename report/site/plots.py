"""Curves, histograms and the plane as SVG that needs no network and no script, and follows the colours of the page.

Vega-Lite specifications are plain values, so they are written here as such; vl-convert draws them. Altair would write the same
values, and bring a second and a dozen packages for it.
"""

from __future__ import annotations

import base64
import html
import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

from report.document import printable

Numbers = Sequence[float | None]
# Okabe and Ito's colours, which the colour-blind tell apart, but for black, which is the colour of the text, and yellow, which
# is pale on white. A dash says the same as a colour.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7570b3", "#a6761d")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3], [10, 4], [6, 2, 2, 2])
# Stands in a specification for the colour of the text, which the page says.
TEXT = "#010203"
CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": TEXT, "tickColor": TEXT, "labelColor": TEXT, "titleColor": TEXT, "gridColor": TEXT, "gridOpacity": 0.15,
        "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal",
    },
    "legend": {"labelColor": TEXT, "titleColor": TEXT, "labelLimit": 300, "symbolSize": 300, "orient": "bottom", "columns": 1},
}  # fmt: skip
SIZE = {"width": 380, "height": 200}


def lines(
    title: str,
    x: str,
    y: str,
    steps: Sequence[int],
    curves: Mapping[str, Numbers],
    *,
    logarithmic: bool = False,
    marked: bool = False,
) -> str:
    """Draw curves over the same steps, the first of them in the colour of the text and wide, as what the others go by."""
    names = [printable(name) for name in curves]
    values = [
        {"x": step, "y": value, "who": name}
        for name, numbers in zip(names, curves.values(), strict=True)
        for step, value in zip(steps, numbers, strict=True)
        if value is not None and not (logarithmic and value <= 0)
    ]
    tints = [TEXT, *(COLOURS[k % len(COLOURS)] for k in range(len(names) - 1))]
    dashes = [[1, 0], *(DASHES[(k + 1) % len(DASHES)] for k in range(len(names) - 1))]
    order = {"scale": {"domain": names, "range": tints}, "type": "nominal", "field": "who", "title": None}
    return _drawn(
        {
            **SIZE,
            "data": {"values": values},
            "mark": {"type": "line", "point": {"size": 12} if marked else False, "strokeWidth": 1.8},
            "encoding": {
                "x": {"field": "x", "type": "quantitative", "title": x, "axis": {"tickMinStep": 1, "format": "d"}},
                "y": {
                    "field": "y", "type": "quantitative", "title": y,
                    "scale": {"type": "log"} if logarithmic else {"zero": False}, "axis": {"format": "~g"},
                },
                "color": order,
                "strokeDash": {**order, "scale": {"domain": names, "range": dashes}},
            },
        },
        title,
    )  # fmt: skip


def _drawn(spec: dict[str, Any], title: str) -> str:
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return _placed(vl_convert.vegalite_to_svg({"$schema": schema, "config": CONFIG, **spec}), title)


def _placed(svg: str, title: str) -> str:
    """Give a drawing its title and the colours of the page, and take from it what only a reader of Vega would miss."""
    width, height = re.findall(r'viewBox="0 0 (\d+) (\d+)"', svg)[0]
    body = svg[svg.index(">") + 1 :].replace(f'"{TEXT}"', '"currentColor"')
    body = re.sub(r' (?:aria-[a-z]+|role|pointer-events|font-family)="[^"]*"', "", body)
    body = re.sub(r' (?:class="[^"]*"|opacity="1"|stroke-width="1"|stroke-miterlimit="10")', "", body)
    body = re.sub(r'<path[^>]*(?:display="none"|d="M0,0h0v0h0Z")[^>]*/>', "", body)
    body = re.sub(r"(\d)\.0(?!\d)", r"\1", body)
    body = re.sub(r"<g>(<g[^>]*>)?</g>(?(1)</g>)", "", body)
    body = re.sub(r"\d+\.\d{2,}", lambda found: f"{float(found[0]):.1f}", body)
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}"><title>{html.escape(printable(title))}</title>{body}'
    )


def contours(width: int, height: int, values: Numbers, levels: Sequence[float]) -> list[tuple[float, str]]:
    """Return each level with the path of the places of a grid that have it, in units of the grid, from its upper left corner.

    ``values`` stand row by row, the lowest row first.
    """
    rows = [list(values[k * width : (k + 1) * width]) for k in range(height)]
    grid = [value if value is not None else math.nan for row in reversed(rows) for value in row]
    spec = {
        "$schema": "https://vega.github.io/schema/vega/v5.json",
        "width": width,
        "height": height,
        "data": [
            {"name": "grid", "values": [{"grid": {"width": width, "height": height, "values": grid}}]},
            {
                "name": "lines",
                "source": "grid",
                "transform": [
                    {
                        "type": "isocontour", "field": "grid", "thresholds": list(levels), "smooth": True, "as": "contour",
                    }
                ],
            },
        ],
        "marks": [
            {
                "type": "path",
                "from": {"data": "lines"},
                "transform": [{"type": "geopath", "field": "datum.contour"}],
                "encode": {"enter": {"stroke": {"value": "black"}, "fill": {"value": "transparent"}}},
            }
        ],
    }  # fmt: skip
    drawn = re.findall(r'<path[^>]* d="(M[^"]*)"', vl_convert.vega_to_svg(spec))
    return list(zip(levels, drawn[-len(levels) :], strict=False))


def plane(
    title: str, record: Mapping[str, Any], values: Numbers, *, low: float, high: float, lines_at: Sequence[float] = ()
) -> str:
    """Draw numbers all over the plane as a heat map from ``low`` (blue) to ``high`` (orange), with contours and the data."""
    x, y = record["x"], record["y"]
    across, up = len(x), len(y)
    size, margin = 210, 34
    cell = size / across

    def at(point: Sequence[float]) -> tuple[float, float]:
        left = (point[0] - x[0]) / (x[-1] - x[0]) * (across - 1) + 0.5
        top = (y[-1] - point[1]) / (y[-1] - y[0]) * (up - 1) + 0.5
        return margin + left * cell, 6 + top * size / up

    picture = pixels(across, up, [_tint(value, low, high) for value in _from_the_top(values, across)])
    parts = [
        f'<image x="{margin}" y="6" width="{size}" height="{size}" preserveAspectRatio="none" href="{picture}"/>',
        *(
            f'<path d="{path}" transform="translate({margin} 6) scale({cell:.4f} {size / up:.4f})" fill="none" stroke="#111" '
            f'stroke-width="{(2.2 if level == 0.5 else 0.8) / cell:.4f}"/>'
            for level, path in (contours(across, up, values, lines_at) if lines_at else ())
        ),
    ]
    for point, label in zip(record["points"], record["labels"], strict=True):
        left, top = at(point)
        shape = f'<circle cx="{left:.1f}" cy="{top:.1f}" r="4"' if label else f'<path d="M{left - 4:.1f} {top - 4:.1f}h8v8h-8z"'
        parts.append(f'{shape} fill="{"#fff" if label else "#111"}" stroke="{"#111" if label else "#fff"}"/>')
    corners = ((margin, size + 20, x[0], "start"), (margin + size, size + 20, x[-1], "end"))
    parts += [f'<text x="{a}" y="{b}" text-anchor="{anchor}">{number:g}</text>' for a, b, number, anchor in corners]
    sides = ((14, y[-1]), (6 + size, y[0]))
    parts += [f'<text x="{margin - 4}" y="{b}" text-anchor="end">{number:g}</text>' for b, number in sides]
    words = html.escape(printable(title))
    return (
        f'<svg class="plane" role="img" viewBox="0 0 {size + margin + 8} {size + 26}" width="{size + margin + 8}">'
        f"<title>{words}</title>{''.join(parts)}</svg>"
    )


def _from_the_top(values: Numbers, across: int) -> list[float | None]:
    rows = [list(values[k : k + across]) for k in range(0, len(values), across)]
    return [value for row in reversed(rows) for value in row]


def _tint(value: float | None, low: float, high: float) -> tuple[int, int, int]:
    """Blue, white, orange: a scale that says to the colour-blind what it says to others; grey where there is no number."""
    if value is None:
        return 128, 128, 128
    part = min(1.0, max(0.0, (value - low) / (high - low) if high > low else 0.5))
    ends = ((0x2B, 0x6C, 0xB0), (0xF7, 0xF7, 0xF7), (0xE6, 0x7E, 0x22))
    first, second = ends[:2] if part < 0.5 else ends[1:]
    along = 2 * part if part < 0.5 else 2 * part - 1
    red, green, blue = (round(a + (b - a) * along) for a, b in zip(first, second, strict=True))
    return red, green, blue


def pixels(width: int, height: int, colours: Sequence[tuple[int, int, int]]) -> str:
    """Return a picture as a data URL: the PNG of an array of pixels, row by row from the top."""
    rows = b"".join(b"\0" + bytes(part for rgb in colours[k * width : (k + 1) * width] for part in rgb) for k in range(height))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(png).decode()
