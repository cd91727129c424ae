"""A server that answers as a test tells it to, in the place of Keyhouse or of a service."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Scripted:
    """Answers one request after another with the given bytes, the last of them again and again."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection, contextlib.suppress(ConnectionError):
                head = b""
                while b"\r\n\r\n" not in head and (more := connection.recv(65536)):
                    head += more
                if not head:
                    return
                self.asked.append(head)
                connection.sendall(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])

    def close(self) -> None:
        """A connection without a request ends it."""
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [
        f"HTTP/1.1 {status} -",
        *headers,
        "Connection: close",
        *([] if status == 204 else [f"Content-Length: {len(body)}"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def running_scripted(*answers: bytes) -> Iterator[Scripted]:
    with contextlib.closing(Scripted(answers)) as server:
        yield server
