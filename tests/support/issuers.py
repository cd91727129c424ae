"""Deployments that sign with a key pair, each a server in a process of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keyhouse.testing import KeyhouseServer
from keyhouse.testing.server import running
from keyhouse.tokens import Claims, Codec, Key, KeyRing
from support.commands import PROGRAM


@dataclass(frozen=True)
class Issuer:
    """A live server, what signs its tokens, and an access token of its admin."""

    server: KeyhouseServer
    codec: Codec
    key_file: Path
    token: str

    @property
    def key(self) -> Key:
        return self.codec.keys.signing

    @property
    def claims(self) -> Claims:
        return self.codec.decode(self.token)


@contextmanager
def issuing(folder: Path, algorithm: str, **settings: str) -> Iterator[Issuer]:
    """With a key that is made as an operator makes it."""
    file = folder / "signing-key.pem"
    with file.open("w") as pem:
        subprocess.run([PROGRAM, "signing-key", "generate", "--algorithm", algorithm], stdout=pem, check=True)
    with running(folder, settings={"KEYHOUSE_SIGNING_KEY_FILE": str(file), **settings}) as server:
        known = server.settings()
        codec = Codec(KeyRing.from_settings(known), known.issuer, known.audience)
        yield Issuer(server, codec, file, server.token("access"))
