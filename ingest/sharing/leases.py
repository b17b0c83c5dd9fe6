"""Which host reads which camera: one lease per camera, in Redis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import redis

from facetrail.store import Keys

#: A lease not renewed for so long is free: its host is gone. With the time until another asks,
#: and that of a process to start, a dead host's cameras are read again within ten seconds.
LEASE_S = 5.0
RENEW_S = 1.0

_TAKE = """
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_FREE = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


class Leases:
    """The leases of one ingest process. owner: a name no other process has."""

    def __init__(
        self, client: redis.Redis, keys: Keys, owner: str, *, lease_s: float = LEASE_S
    ) -> None:
        self.lease_s = lease_s
        self._client = client
        self._keys = keys
        self._owner = owner
        self._take = client.register_script(_TAKE)
        self._free = client.register_script(_FREE)

    def take(self, *cameras: str) -> list[str]:
        """Takes or renews these leases; the cameras that are ours now, others' left out."""
        pipe = self._client.pipeline(transaction=False)
        args = [self._owner, round(self.lease_s * 1000)]
        for camera in cameras:
            self._take(keys=[self._keys.lease(camera)], args=args, client=pipe)
        return [camera for camera, ours in zip(cameras, pipe.execute(), strict=True) if ours]

    def free(self, *cameras: str) -> None:
        """Gives these leases back, as far as they are ours."""
        pipe = self._client.pipeline(transaction=False)
        for camera in cameras:
            self._free(keys=[self._keys.lease(camera)], args=[self._owner], client=pipe)
        pipe.execute()

    def free_ones(self, cameras: Sequence[str]) -> list[str]:
        """Those of the cameras that nobody reads."""
        return [camera for camera, owner in owners(self._client, self._keys, cameras) if not owner]


def owners(
    client: redis.Redis, keys: Keys, cameras: Sequence[str]
) -> Iterable[tuple[str, str | None]]:
    """Each camera with the host that holds its lease."""
    pipe = client.pipeline(transaction=False)
    for camera in cameras:
        pipe.get(keys.lease(camera))
    found = pipe.execute()
    return [(c, owner.decode() if owner else None) for c, owner in zip(cameras, found, strict=True)]
