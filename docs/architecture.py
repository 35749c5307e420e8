"""Draw docs/architecture.svg: the floors of hcmlang, from the layers in pyproject.toml. Run it when the layers change."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH, ROW, GAP, MARGIN = 760, 30, 6, 12
#: Groups of floors that belong together: a colour, and the packages in it.
COLOURS = {
    "#4c78a8": ("cli", "annotate", "lsp", "quickstart", "versus", "api", "report"),
    "#54a24b": ("loop", "mitigations", "sources", "criteria", "steps"),
    "#b279a2": ("evaluation", "run"),
    "#e45756": ("teachers", "engines", "classifiers"),
    "#9d755d": ("data", "packs", "prompts", "spec", "lang"),
}


def draw(floors: list[list[str]]) -> str:
    """The floors as an SVG image; each floor is a row of packages."""
    height = len(floors) * (ROW + GAP) - GAP + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        "<title>The floors of hcmlang: each row imports only from the rows below it</title>",
    ]
    for number, packages in enumerate(floors):
        width = (WIDTH - 2 * MARGIN - GAP * (len(packages) - 1)) / len(packages)
        for place, package in enumerate(packages):
            x, y = MARGIN + place * (width + GAP), MARGIN + number * (ROW + GAP)
            colour = next((colour for colour, names in COLOURS.items() if package in names), "#79706e")
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW}" rx="5" fill="{colour}"/>')
            middle = f'x="{x + width / 2:.1f}" y="{y + ROW / 2 + 4.5}"'
            parts.append(f'<text {middle} text-anchor="middle" fill="#ffffff">{package}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def floors() -> list[list[str]]:
    """The packages of each floor, the uppermost first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[package.strip().removeprefix("hcmlang.") for package in layer.split(":")] for layer in layers]


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(draw(floors()), encoding="utf-8")
