"""Addresses at which there is no picture: each is one clear sentence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from facetrail.errors import StreamLost
from ingest.reading.answer import MOST_REDIRECTS
from ingest.reading.packets import Patience
from ingest.reading.stream import Reading, open_stream
from tests.ingest.conftest import CAMERAS, RtspServer

Answer = Callable[[bytes, int], bytes]
PATIENCE = Patience(open_s=3.0, read_s=3.0)
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2997\r\n\r\n" + b"<p>" * 999
SSH = b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"


class Answering:
    """A server that answers all alike; asked: the first lines it was sent."""

    def __init__(self, answer: Answer) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._talk, args=[client], daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        try:
            with client:
                while question := client.recv(65_536):
                    self.asked.append(question.partition(b"\r\n")[0])
                    answer = self._answer(question, self.port)
                    if not answer:
                        return
                    client.sendall(answer)
        except OSError:
            return


@pytest.fixture
def answering() -> Iterator[Callable[[Answer], Answering]]:
    made: list[Answering] = []

    def started(answer: Answer) -> Answering:
        made.append(Answering(answer))
        return made[-1]

    yield started
    for server in made:
        server.close()


def sequence(question: bytes) -> bytes:
    """The line of an RTSP question that its answer has to repeat."""
    lines = [line for line in question.split(b"\r\n") if line.lower().startswith(b"cseq")]
    return lines[0] if lines else b"CSeq: 1"


def elsewhere(question: bytes, port: int) -> bytes:
    """The answer of a server that sends on whatever wants a picture, to itself."""
    if question.startswith(b"OPTIONS"):
        return b"RTSP/1.0 200 OK\r\n" + sequence(question) + b"\r\nPublic: DESCRIBE\r\n\r\n"
    status = b"HTTP/1.1 302 Found\r\n" if question.startswith(b"GET") else b"RTSP/1.0 302 Moved\r\n"
    scheme = b"http" if question.startswith(b"GET") else b"rtsp"
    target = b"Location: %s://127.0.0.1:%d/s\r\nContent-Length: 0\r\n\r\n" % (scheme, port)
    return status + sequence(question) + b"\r\n" + target


def only_udp(question: bytes, _: int) -> bytes:
    """The answer of a camera that does not send within its own connection."""
    head = b"RTSP/1.0 200 OK\r\n" + sequence(question) + b"\r\n"
    if question.startswith(b"OPTIONS"):
        return head + b"Public: DESCRIBE, SETUP, PLAY\r\n\r\n"
    if question.startswith(b"DESCRIBE"):
        text = (
            b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
            b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t0\r\n"
        )
        kind = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(text)
        return head + kind + text
    return b"RTSP/1.0 461 Unsupported Transport\r\n" + sequence(question) + b"\r\n\r\n"


def refusal(address: str) -> str:
    reading = Reading(patience=PATIENCE)
    with pytest.raises(StreamLost) as caught:
        list(open_stream(address, threading.Event(), reading))
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "answer", "cause"),
    [
        ("rtsp", HTTP, "HTTP answers there and not RTSP: check the port of its url, or write http"),
        ("rtsp", SSH, "what answers does not speak RTSP: check the port of its url"),
        ("rtsp", b"", "it closes the connection without an answer: it is starting, or"),
        ("http", b"", "it closes the connection without an answer: it is starting, or"),
        ("http", b"RTSP/1.0 400 Bad Request\r\n\r\n", "RTSP answers there and not HTTP"),
        ("http", b"HTTP/1.1 404 Not Found\r\n\r\n", "the camera has nothing at the path"),
        ("http", PAGE, "what it sends is no video, or a spoilt one"),
    ],
)
def test_whoever_else_answers_is_told(
    scheme: str, answer: bytes, cause: str, answering: Callable[[Answer], Answering]
) -> None:
    server = answering(lambda question, port: answer)
    assert refusal(f"{scheme}://u:hunter2@127.0.0.1:{server.port}/s").startswith(cause)
    assert len(server.asked) <= 3


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_redirect_without_end_is_told(
    scheme: str, answering: Callable[[Answer], Answering]
) -> None:
    server = answering(elsewhere)
    address = f"{scheme}://u:hunter2@127.0.0.1:{server.port}/s"
    assert refusal(address) == "it redirects without end: check the path of its url"
    own = [line for line in server.asked if b"hunter2" not in line]
    assert len(own) >= MOST_REDIRECTS


def test_a_camera_without_the_transport_is_told(answering: Callable[[Answer], Answering]) -> None:
    address = f"rtsp://127.0.0.1:{answering(only_udp).port}/s"
    assert refusal(address) == "the camera does not send over tcp: set its transport"


def test_an_answer_that_trickles_is_given_up() -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            with server.accept()[0] as client:
                while not done.wait(0.05):
                    client.sendall(b"R")

        thread = threading.Thread(target=trickle)
        thread.start()
        cause = refusal(f"rtsp://127.0.0.1:{server.getsockname()[1]}/s")
        done.set()
        thread.join()
    assert cause == "no answer within 3 s"


def test_sound_alone_over_rtsp_is_told(rtsp_server: Callable[..., RtspServer]) -> None:
    server = rtsp_server(clip=Path("sound"), script=CAMERAS)
    assert refusal(server.url()) == "there is no picture in it, only other streams"


def test_a_path_that_is_not_there_is_told(rtsp_server: Callable[..., RtspServer]) -> None:
    url = rtsp_server().url().replace("lobby", "attic")
    assert refusal(url) == "the camera has nothing at the path of its url (404): check it"


def test_a_picture_of_16k_is_told(rtsp_server: Callable[..., RtspServer], large: Path) -> None:
    cause = "its picture of 15360x8640 is larger than 8K: choose a smaller one at the camera"
    assert refusal(str(large)).startswith(cause)
    assert refusal(rtsp_server(clip=large).url()).startswith(cause)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of a picture of 16K."""
    path = tmp_path_factory.mktemp("large") / "clip.mp4"
    with av.open(path, "w") as file:
        options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0", "threads": "1"}
        stream = file.add_stream("libx264", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = 15_360, 8_640, "yuv420p"
        frame = av.VideoFrame(15_360, 8_640, "yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path
