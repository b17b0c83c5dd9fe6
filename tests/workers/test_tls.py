"""An encrypted way to Redis: a worker and a sender take it, and none tells a stranger anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import trustme

from benchmarks.load_site import LoadSite
from benchmarks.stand_in import jpeg_of
from facetrail.broker import celery_app
from facetrail.children import end, end_with_parent
from facetrail.cli import doctor_redis
from facetrail.cli.finding import Finding
from facetrail.settings import Settings
from facetrail.wire import TASK, Message
from tests.workers.conftest import seen


@pytest.fixture
def site(tmp_path: Path) -> Iterator[LoadSite]:
    made = LoadSite(tmp_path / "site")
    made.enrol_stand_ins(1)
    yield made
    made.close()


@pytest.fixture
def encrypted(site: LoadSite, tmp_path: Path) -> Iterator[str]:
    """The address of the site's Redis over TLS; `authority.pem` vouches for it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "certificate.pem"
    )
    words = [str(tmp_path / "certificate.pem"), site.url.removeprefix("unix://")]
    command = [sys.executable, "-m", "tests.workers.encrypted", *words]
    with (tmp_path / "encrypted.log").open("wb") as log:
        running = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, preexec_fn=end_with_parent
        )
    assert running.stdout is not None
    with running.stdout as said:
        yield f"rediss://worker:s3cret@127.0.0.1:{int(said.readline())}/0"
    end(running, wait_s=10)


def test_who_trusts_its_certificate_works_over_it_and_nobody_else(
    encrypted: str, site: LoadSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker and a sender that trust who vouches for Redis, and a worker that does not
    command = [sys.executable, "-m", "workers"]
    environment = os.environ | {"FACETRAIL_REDIS_URL": encrypted}
    wary = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=end_with_parent
    )
    site.client.execute_command("ACL SETUSER worker on >s3cret ~* &* +@all")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    worker = site.start_worker("benchmarks.stand_in", FACETRAIL_REDIS_URL=encrypted)
    site.wait_until_ready(1)
    sender = celery_app(encrypted, key_prefix=site.keys.prefix)

    # If chips are sent, I expect them to be recognised, and the worker to end in peace
    picture = jpeg_of(np.full((112, 112, 3), 100, np.uint8))
    body = bytes(Message(items=tuple(seen(picture, number) for number in range(1, 4))))
    sender.send_task(TASK, args=[body], retry=False, ignore_result=True)
    sender.close()
    site.wait_until_counted(3, within_s=20)
    worker.terminate()
    assert worker.wait(15) == 0
    site.workers.clear()

    # and the other one to say why it does nothing
    _, said = wary.communicate(timeout=30)
    assert wary.returncode == 1
    assert "CERTIFICATE_VERIFY_FAILED" in said and said.count("\n") == 1
    assert "s3cret" not in said


def test_the_doctor_names_what_is_missing(encrypted: str) -> None:
    found = doctor_redis.reached(Settings(redis_url=encrypted))
    assert isinstance(found, Finding) and found.level == "bad"
    assert "vouches" in found.says and "SSL_CERT_FILE" in (found.mend or "")
