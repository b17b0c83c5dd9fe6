"""`facetrail doctor` on Redis: does it answer, can it do it all, does it keep what it is given?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import redis

from facetrail.cli.finding import Finding, bad, bad_by, good, warning
from facetrail.errors import BadSettings
from facetrail.redis_keeping import losses
from facetrail.settings import Settings
from facetrail.store import away, connect, where

#: The first that has BLMOVE, by which workers take messages.
OLDEST = (6, 2)
#: Share of its memory from which on Redis is said to be nearly full.
NEARLY_FULL = 0.9
PINGS = 5


def reached(settings: Settings) -> redis.Redis | Finding:
    """A client of a Redis that has answered, or what is wrong with it."""
    if not settings.redis_url:
        return warning(
            "redis",
            "FACETRAIL_REDIS_URL is not set, and no `facetrail up` runs with the data folder "
            f"{settings.data_dir}",
            "start `facetrail up`, which starts a Redis of its own, or name one in "
            "FACETRAIL_REDIS_URL",
        )
    try:
        client = connect(settings.redis_url)
    except BadSettings as error:
        return bad_by("redis", error, "mend FACETRAIL_REDIS_URL")
    fault = _fault_of(client)
    return client if fault is None else fault


def _fault_of(client: redis.Redis) -> Finding | None:
    try:
        client.ping()
    except redis.AuthenticationError:
        return bad(
            "redis",
            f"Redis at {where(client)} refuses the user or password",
            "mend them in FACETRAIL_REDIS_URL, redis://USER:PASSWORD@HOST:PORT/DB, with %-signs "
            "for what is special in a password",
        )
    except redis.BusyLoadingError:
        return bad(
            "redis", f"Redis at {where(client)} still reads its files", "wait, and look again"
        )
    except (redis.ConnectionError, redis.TimeoutError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return bad(
                "redis",
                f"nobody that this host trusts vouches for Redis at {where(client)}",
                "name the authority of its certificate in SSL_CERT_FILE",
            )
        return bad_by("redis", away(client, error), "start it")
    except redis.RedisError as error:
        return bad(
            "redis",
            f"Redis at {where(client)} refuses to answer ({error})",
            "let its user do what deploy/redis/users.acl lists, or name another in "
            "FACETRAIL_REDIS_URL",
        )
    except (OSError, ValueError):  # a host that no name server can be asked for
        return bad(
            "redis",
            f"Redis at {where(client)} can't be asked: there can be no host of that name",
            "mend FACETRAIL_REDIS_URL",
        )
    return None


def findings(client: redis.Redis) -> Iterator[Finding]:
    """Raises redis.RedisError."""
    try:
        version = str(client.info("server").get("redis_version", ""))
    except redis.ResponseError:
        yield warning(
            "redis",
            f"Redis {_answers(client)}, but does not let this user ask how it is set up",
            "look again as the user `operator` of deploy/redis/users.acl",
        )
        return
    yield _of_version(version, _answers(client))
    for sentence in losses(client):
        yield bad_by("redis", sentence, "set it up as docs/configuration.md says")
    yield from _of_sudden_ends(client)
    yield from _of_memory(client)


def _of_version(version: str, answers: str) -> Finding:
    if is_too_old(version):
        return bad(
            "redis",
            f"Redis {version} {answers}, but workers need BLMOVE, which Redis has since 6.2",
            "install Redis 6.2 or later",
        )
    return good("redis", f"Redis {version} {answers}")


def is_too_old(version: str) -> bool:
    """Whether it lacks BLMOVE. version: such as 6.0.16."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return bool(numbers) and numbers < OLDEST


def _answers(client: redis.Redis) -> str:
    """Where, and how fast at its best."""
    return f"at {where(client)} answers in {min(_round_trip(client) for _ in range(PINGS)):.2f} ms"


def _round_trip(client: redis.Redis) -> float:
    began = time.perf_counter()
    client.ping()
    return (time.perf_counter() - began) * 1000


def _of_sudden_ends(client: redis.Redis) -> Iterator[Finding]:
    """None where there is no append-only file: that is a loss already."""
    try:
        found = client.config_get("append*")
    except redis.ResponseError:  # its user may not, or there is no such command at that provider
        yield good(
            "redis",
            "what a power cut or a kill would cost is not asked: this user may not read "
            "appendfsync",
        )
        return
    options = {_text(name): _text(value) for name, value in found.items()}
    if options.get("appendonly") == "no":
        return
    when = options.get("appendfsync", "everysec")
    if when == "no":
        yield warning(
            "redis",
            "a power cut of Redis's host may cost the last half minute, since the system writes "
            "to disk when it likes (appendfsync no)",
            "set `appendfsync everysec`, or `always`",
        )
    elif when == "always":
        yield good("redis", "no power cut and no kill of Redis costs anything (appendfsync always)")
    else:
        yield good(
            "redis",
            f"a power cut of Redis's host costs up to two seconds (appendfsync {when}), and so may "
            "a kill of Redis while its disk is slow; with `always` nothing",
        )


def _of_memory(client: redis.Redis) -> Iterator[Finding]:
    memory = client.info("memory")
    used, most = int(memory["used_memory"]), int(memory.get("maxmemory", 0))
    if most and used > NEARLY_FULL * most:
        yield warning(
            "redis",
            f"Redis is nearly full: it uses {used / most:.0%} of the memory it may",
            "raise `maxmemory`, or start more workers if `facetrail workers list` shows that "
            "messages wait",
        )


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
