"""Faces a second with more and more workers, whose encoder sleeps: two cores can carry eight.

    python -m benchmarks.scaling --chips CHIPS --chart docs/scaling.png

Everything but the encoder is real; it takes 200 ms for a batch of 32. The queue is filled before.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.load_site import LoadSite, marked_pictures, wrong
from benchmarks.worker_speed import rate, settle
from facetrail import log

SLEEP_MS = 200.0
BATCH = 32
PEOPLE = 1_000
SECONDS = 20.0


def measured(chips: Path, workers: int) -> tuple[float, int]:
    """Faces a second of so many workers, and of how many tracks what was said is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        site = LoadSite(Path(folder))
        try:
            site.enrol_stand_ins(PEOPLE)
            tracks = marked_pictures(chips, range(0, PEOPLE, 5), range(PEOPLE, PEOPLE + 200))
            alone = BATCH / (SLEEP_MS / 1000)
            # They start one after the other; then all of them work.
            most = round(alone * workers * (SECONDS + 4 * workers))
            site.send(tracks.messages(most))
            settle(site)
            for _ in range(workers):
                sleep = ("--sleep-ms", str(SLEEP_MS))
                site.start_worker(
                    "benchmarks.stand_in",
                    *sleep,
                    FACETRAIL_CHIP_TTL_S="3600",
                    FACETRAIL_THREADS="1",
                )
            site.wait_until_ready(workers)
            left = tracks.sent - sum(site.outcomes().values())
            found = rate(site, tracks.sent, 10 * SECONDS, first=tracks.sent - left)
            site.wait_until_quiet()
            return found, len(wrong(site.events(), tracks.truth))
        finally:
            site.close()


def chart(rates: dict[int, float], path: Path) -> None:
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    first = rates[1]
    counts = list(rates)
    axes.plot(counts, [first * count for count in counts], "--", color="grey", label="linear")
    axes.plot(counts, list(rates.values()), "o-", label="measured")
    axes.set(xlabel="workers", ylabel="faces a second", xticks=counts, ylim=0)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    made = argparse.ArgumentParser(description="Faces a second with more and more workers.")
    made.add_argument("--chips", type=Path, required=True)
    made.add_argument("--chart", type=Path)
    given = made.parse_args()
    log.configure(level="warning")
    rates: dict[int, float] = {}
    print("| workers | faces/s | of linear | of tracks, wrong |\n|---|---|---|---|")
    for workers in (1, 2, 4, 8):
        rates[workers], bad = measured(given.chips, workers)
        share = rates[workers] / (rates[1] * workers)
        print(f"| {workers} | {rates[workers]:.0f} | {share:.2f} | {bad} |", flush=True)
    if given.chart is not None:
        chart(rates, given.chart)


if __name__ == "__main__":
    main()
