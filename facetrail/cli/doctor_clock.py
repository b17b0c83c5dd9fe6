"""`facetrail doctor` on the clock: does this host know what time it is?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import redis

from facetrail.cli.finding import Finding, bad, good, warning
from workers.tasks import FUTURE_NS

#: Seconds that nobody notices.
HARMLESS_S = 1.0
FUTURE_S = FUTURE_NS / 1e9
#: Of so many answers the fastest counts, whose moment is known best.
ASKED = 3
MEND = "have NTP set the clocks of both hosts, such as chrony: `chronyc tracking` says how it is"


def findings(
    client: redis.Redis | None, chip_ttl_s: float, now: Callable[[], float] = time.time
) -> Iterator[Finding]:
    """Raises redis.RedisError. chip_ttl_s: older chips are skipped. now: this host's clock, which
    only tests set.
    """
    if client is None:
        yield warning(
            "clock",
            "this host's clock is compared with none, since there is no Redis to ask",
            "see to Redis, and look again",
        )
        return
    try:
        ahead = min((_asked(client, now) for _ in range(ASKED)), key=lambda answer: answer[0])[1]
    except redis.ResponseError:
        yield warning(
            "clock",
            "this host's clock is compared with none: this user may not ask Redis what time it is",
            "let it do TIME, as deploy/redis/users.acl does",
        )
        return
    yield judged(ahead, chip_ttl_s)


def _asked(client: redis.Redis, now: Callable[[], float]) -> tuple[float, float]:
    """How long the answer took, and by how much this host is ahead of Redis's, in seconds."""
    began, clock = time.monotonic(), now()
    seconds, microseconds = client.time()
    took = time.monotonic() - began
    return took, clock + took / 2 - (seconds + microseconds / 1e6)


def judged(ahead: float, chip_ttl_s: float) -> Finding:
    """ahead: of Redis's clock, in seconds; below 0 it is behind."""
    differs = f"this host's clock is {abs(ahead):.3g} s {'ahead of' if ahead > 0 else 'behind'}"
    if abs(ahead) <= HARMLESS_S:
        return good("clock", f"this host's clock and Redis's differ by {abs(ahead) * 1000:.0f} ms")
    if abs(ahead) <= min(chip_ttl_s, FUTURE_S):
        return warning("clock", f"{differs} Redis's, and events say so much the wrong time", MEND)
    return bad("clock", f"{differs} Redis's: {_harm(ahead)}", MEND)


def _harm(ahead: float) -> str:
    """What comes of more than a chip may be old, or early."""
    if ahead < 0:
        harm = "chips of its cameras are skipped as too old by workers elsewhere"
        future = ", and workers here set those of other hosts aside as from the future"
    else:
        harm = "workers here skip chips of other hosts as too old"
        future = ", and chips of its cameras are set aside elsewhere as from the future"
    return harm + future if abs(ahead) > FUTURE_S else harm
