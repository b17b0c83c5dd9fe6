"""A worker that is killed the moment it has been given a message.

python -m tests.workers.delivery.dying kombu|ours URL
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, cast

from kombu.transport import redis as stock

from benchmarks.kills import Transport, work


def main() -> None:
    def parse(client: Any, *arguments: Any, **options: Any) -> Any:
        answer = type(client).parse_response(client, *arguments, **options)
        if answer:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    transport, url = cast(Transport, sys.argv[1]), sys.argv[2]

    def start(channel: Any, *arguments: Any, **options: Any) -> Any:
        client = channel.client
        client.parse_response = lambda *a, **o: parse(client, *a, **o)
        return begin(channel, *arguments, **options)

    if transport == "kombu":
        owner: Any = stock.Channel
    else:
        from workers.delivery import transport as ours

        owner = ours.Channel
    begin = owner._brpop_start
    owner._brpop_start = start
    work(transport, url)


if __name__ == "__main__":
    main()
