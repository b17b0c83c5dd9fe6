"""Faces a second through a whole worker, beside its encoder alone; and through all but an encoder.

    python -m benchmarks.worker_speed --chips CHIPS [--encoder retail0095 --precision f32]

CHIPS is a folder of aligned 112x112 JPEGs. Redis, and a queue that was filled before, are on the
same cores. Decoding, the search among 10 000 encodings, votes and events are real; without
`--encoder` the encoder is a stand-in that takes no time, and messages have 16, 4 and 1 chips.
What is said of every track is compared with what is so.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks import stand_in
from benchmarks.load_site import LoadSite, Tracks, marked_pictures, wrong
from facetrail import log
from facetrail.settings import Settings, read_settings
from index.photo import Photo
from workers.encoders.choice import opened_encoder

PEOPLE = 10_000
BATCH = 32
#: Of a run, this share at its start and its end is left out.
EDGE = 0.15


def rate(site: LoadSite, chips: int, within_s: float, *, first: int = 0) -> float:
    """Faces a second, from the counts while they go up. first: those counted before."""
    seen: list[tuple[float, int]] = []
    deadline = time.monotonic() + within_s
    while not seen or seen[-1][1] < chips:
        seen.append((time.monotonic(), sum(site.outcomes().values())))
        site.look(deadline)
    edge = EDGE * (chips - first)
    middle = [(at, n) for at, n in seen if first + edge <= n <= chips - edge]
    (began, before), (ended, after) = middle[0], middle[-1]
    return (after - before) / (ended - began)


def settle(site: LoadSite) -> None:
    """Until what was sent is on disk: writing it is not the worker's work."""
    while site.client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.2)
    os.sync()


def queue_alone(folder: Path, chips: Path, count: int) -> None:
    print("| chips in a message | faces/s | of tracks, wrong |\n|---|---|---|")
    for per_message in (16, 4, 1):
        site = LoadSite(folder / str(per_message))
        try:
            site.enrol_stand_ins(PEOPLE)
            tracks = marked_pictures(chips, range(0, PEOPLE, 50), range(PEOPLE, PEOPLE + 200))
            tracks.per_message = per_message
            share = count if per_message > 1 else count // 4
            site.send(tracks.messages(share))
            settle(site)
            site.start_worker("benchmarks.stand_in", FACETRAIL_CHIP_TTL_S="3600")
            found = rate(site, tracks.sent, 600)
            report(site, tracks, f"| {per_message} | {found:.0f} |")
        finally:
            site.close()


def report(site: LoadSite, tracks: Tracks, row: str) -> None:
    deadline = time.monotonic() + 20
    while (bad := wrong(site.events(), tracks.truth)) and time.monotonic() < deadline:
        time.sleep(0.5)
    print(f"{row} {len(bad)} of {len(tracks.truth)} |", flush=True)
    for line in bad[:5]:
        print("   ", line)


def alone(settings: Settings, pictures: Sequence[np.ndarray], seconds: float) -> float:
    """Faces a second of the encoder, nothing else running."""
    encoder = opened_encoder(str(settings.encoder), settings)
    batch = np.stack([pictures[i % len(pictures)] for i in range(BATCH)])
    encoder.encode(batch)
    began, faces = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        encoder.encode(batch)
        faces += BATCH
    return faces / (time.monotonic() - began)


def with_encoder(settings: Settings, folder: Path, chips: Path, seconds: float) -> None:
    pictures = chosen_pictures(chips)
    site = LoadSite(folder)
    try:
        tracks = enrolled(site, settings, pictures)
        ratios = []
        print("| alone | whole worker | ratio | of tracks, wrong |\n|---|---|---|---|")
        for _ in range(3):
            before = alone(settings, pictures, seconds / 2)
            site.client.delete(site.keys.counters)
            already = tracks.sent
            site.send(tracks.messages(round(before * seconds)))
            settle(site)
            site.start_worker(
                "workers",
                FACETRAIL_CHIP_TTL_S="3600",
                FACETRAIL_ENCODER=str(settings.encoder),
                FACETRAIL_ENCODER_PRECISION=settings.encoder_precision,
            )
            found = rate(site, tracks.sent - already, 40 * seconds)
            site.end_workers()
            after = alone(settings, pictures, seconds / 2)
            both = (before + after) / 2
            ratios.append(found / both)
            report(site, tracks, f"| {both:.0f} | {found:.0f} | {found / both:.2f} |")
        print(f"\nmedian {statistics.median(ratios):.2f}")
    finally:
        site.close()


def chosen_pictures(chips: Path) -> list[np.ndarray]:
    """Some hundred chips, as workers see them."""
    paths = sorted(chips.rglob("*.jpg"))
    some = [stand_in.read(path) for path in paths[:: max(1, len(paths) // 600)]]
    return [simplejpeg.decode_jpeg(stand_in.jpeg_of(one)) for one in some]


def enrolled(site: LoadSite, settings: Settings, pictures: Sequence[np.ndarray]) -> Tracks:
    """Half of the pictures' faces in a gallery of 10 000; tracks of those of the other half that
    the encoder itself is sure of, each a person of its own, so that the truth is known.
    """
    encoder = opened_encoder(str(settings.encoder), settings)
    starts = range(0, len(pictures), BATCH)
    batches = [np.stack(pictures[at : at + BATCH]) for at in starts]
    encodings = np.concatenate([encoder.encode(batch) for batch in batches])
    middle, spread = encodings.mean(axis=0), encodings.std(axis=0)
    drawn = np.random.default_rng(3).normal(middle, spread, (PEOPLE, 128)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    known = range(0, len(pictures), 8)
    rows = np.concatenate([encodings[::8], drawn[: PEOPLE - len(known)]])
    for number, row in enumerate(rows):
        photo = Photo(digest=f"{number:064x}", source="", encoding=row.tobytes(), chip=b"")
        site.gallery.enrol(f"P{number}", [photo], encoder=encoder.id)
    distances = np.linalg.norm(encodings[:, None] - rows[None], axis=2)
    made: dict[str | None, list[bytes]] = {}
    for number, own in enumerate(distances):
        order = np.argsort(own)[:2]
        near = own[order[0]] <= encoder.threshold
        if near and own[order[1]] - own[order[0]] >= 2 * encoder.margin:
            made.setdefault(f"P{order[0]}", []).append(stand_in.jpeg_of(pictures[number]))
        elif not near and own[order[0]] > 1.1 * encoder.threshold:
            made.setdefault(None, []).append(stand_in.jpeg_of(pictures[number]))
    return Tracks(
        dict(made), stand_in.jpeg_of(np.repeat(np.repeat(pictures[0], 2, 0), 2, 1), 80), 16
    )


def main() -> None:
    made = argparse.ArgumentParser(description="Faces a second through a whole worker.")
    made.add_argument("--chips", type=Path, required=True)
    made.add_argument("--encoder", help="a real one instead of the stand-in")
    made.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    made.add_argument("--seconds", type=float, default=15.0)
    made.add_argument("--count", type=int, default=60_000, help="chips, with the stand-in")
    given = made.parse_args()
    log.configure(level="warning")
    with tempfile.TemporaryDirectory() as folder:
        if given.encoder is None:
            queue_alone(Path(folder), given.chips, given.count)
            return
        chosen = {"encoder": given.encoder, "encoder_precision": given.precision}
        settings = read_settings().model_copy(update=chosen)
        with_encoder(settings, Path(folder), given.chips, given.seconds)


if __name__ == "__main__":
    main()
