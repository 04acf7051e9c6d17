#!/usr/bin/env python3
"""Draws the figures of the other scripts as SVG, without any library.

Each script writes its figures with --json; this one takes a directory of such files and draws what it finds there:
cpu.json, memory.json, latency.json, hitrate.json; it is an error when there is none of them. The directory of docs/performance.md is the default.

    bench/compare/cpu.py --json docs/plots/cpu.json && bench/compare/plots.py
"""

import argparse
import html
import json
import math
import pathlib

from command_line import end_with
from memory import COLLECTION_SHAPES, SHAPES

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLORS = ["#2563a8", "#c2702b", "#5b8c3e", "#8a4f9e", "#777777", "#b3424a"]
WIDTH, LABEL_WIDTH, VALUE_WIDTH = 820, 220, 70
BAR, GAP, GROUP_GAP, TOP = 13, 2, 11, 64


class Chart:
    """Horizontal bars: a group for each label, in it a bar for each series; optionally a mark (a budget) for a group."""

    def __init__(self, title: str, unit: str, series: list[str], logarithmic: bool = False):
        self.title, self.unit, self.series, self.logarithmic = title, unit, series, logarithmic
        self.groups: list[tuple[str, list[float | None], float | None]] = []

    def add(self, label: str, values: list[float | None], mark: float | None = None) -> None:
        self.groups.append((label, values, mark))

    def _scale(self):
        values = [v for _, bars, mark in self.groups for v in [*bars, mark] if v]
        room = WIDTH - LABEL_WIDTH - VALUE_WIDTH
        if not self.logarithmic:
            return lambda value: value / max(values) * room
        low = 10 ** math.floor(math.log10(min(values)) - 0.2)
        return lambda value: math.log(max(value, low) / low) / math.log(max(values) / low) * room

    def svg(self) -> str:
        scale = self._scale()
        group_height = len(self.series) * (BAR + GAP)
        height = TOP + len(self.groups) * (group_height + GROUP_GAP) + 10
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
               'font-family="sans-serif" font-size="12">',
               f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
               f'<text x="10" y="22" font-size="15" font-weight="bold">{html.escape(self.title)}</text>']
        x = 10
        for i, name in enumerate(self.series):
            out.append(f'<rect x="{x}" y="36" width="12" height="12" fill="{COLORS[i % len(COLORS)]}"/>')
            out.append(f'<text x="{x + 17}" y="46">{html.escape(name)}</text>')
            x += 40 + 7 * len(name)
        scale_text = self.unit + (", logarithmic" if self.logarithmic else "") + (", | budget" if any(m for *_, m in self.groups) else "")
        out.append(f'<text x="{WIDTH - 10}" y="46" text-anchor="end" fill="#555">{html.escape(scale_text)}</text>')
        y = TOP
        for label, values, mark in self.groups:
            out.append(f'<text x="{LABEL_WIDTH - 8}" y="{y + group_height / 2 + 4:.0f}" text-anchor="end">{html.escape(label)}</text>')
            for i, value in enumerate(values):
                if value is not None:
                    self._bar(out, scale(value), y + i * (BAR + GAP), COLORS[i % len(COLORS)], value)
            if mark:
                at = LABEL_WIDTH + scale(mark)
                out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y - 2}" y2="{y + group_height}" stroke="black" stroke-width="1.5"/>')
            y += group_height + GROUP_GAP
        out.append("</svg>")
        return "\n".join(out) + "\n"

    @staticmethod
    def _bar(out: list[str], width: float, y: float, color: str, value: float) -> None:
        text = f"{value:.3g}" if value < 100 else f"{value:,.0f}"
        out.append(f'<rect x="{LABEL_WIDTH}" y="{y}" width="{max(width, 1):.1f}" height="{BAR}" fill="{color}"/>')
        out.append(f'<text x="{LABEL_WIDTH + width + 5:.1f}" y="{y + BAR - 2}" font-size="11">{text}</text>')


def cpu_chart(figures: dict) -> Chart:
    names = list(next(iter(figures.values())))
    chart = Chart("CPU time of the server for each request, relative to redis-server", "ratio", names)
    for workload, servers in figures.items():
        chart.add(workload, [servers[name] / servers["redis-server"] for name in names])
    return chart


# Items of memory.py --counts have none.
BUDGETS = {item: shape[2] for item, shape in SHAPES.items()} | {item: budget for item, (_, budget) in COLLECTION_SHAPES.items()}


def memory_chart(figures: dict) -> Chart:
    names = list(next(iter(figures.values())))
    chart = Chart("Resident bytes for each item", "bytes", names)
    for item, servers in figures.items():
        if item != "idle connection":  # thousands: it would leave the others no room
            chart.add(item, [servers[name] for name in names], BUDGETS.get(item))
    return chart


def latency_chart(figures: dict) -> Chart:
    rate = figures["rates"][0]
    names = list(rate["servers"])
    chart = Chart(f"Latency at {rate['rate']:,} requests a second", "ms", names, logarithmic=True)
    for figure in ["p50_ms", "p99_ms", "p99.9_ms", "p99.99_ms", "max_ms"]:
        chart.add(figure[:-3], [rate["servers"][name][figure] for name in names])
    return chart


def hitrate_chart(figures: list) -> Chart:
    policies = list(dict.fromkeys(row["policy"] for row in figures))
    chart = Chart("Requests that missed at the same maxmemory", "percent", policies)
    for trace in dict.fromkeys(row["trace"] for row in figures):
        hits = {row["policy"]: row["hit_ratio"] for row in figures if row["trace"] == trace}
        chart.add(trace, [100 * (1 - hits[policy]) if policy in hits else None for policy in policies])
    return chart


CHARTS = {"cpu": cpu_chart, "memory": memory_chart, "latency": latency_chart, "hitrate": hitrate_chart}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=ROOT / "docs/plots")
    directory = parser.parse_args().directory
    found = [name for name in CHARTS if (directory / f"{name}.json").exists()]
    if not found:
        raise RuntimeError(f"{directory}: there is none of {', '.join(f'{name}.json' for name in CHARTS)}")
    for name in found:
        source = directory / f"{name}.json"
        try:
            drawing = CHARTS[name](json.loads(source.read_text())).svg()
        except (ValueError, TypeError, AttributeError, LookupError, StopIteration) as error:
            raise RuntimeError(f"{source}: not the figures of a measurement ({error!r})") from error
        (directory / f"{name}.svg").write_text(drawing)
        print(f"{name}.svg")
    return 0


if __name__ == "__main__":
    end_with(main)
