"""An S3 server on this machine (moto), in a process of its own."""

import socket
import subprocess
import sys
import time
from types import TracebackType

import pytest


class Bucket:
    """One bucket of a fresh server. `name` is its name."""

    name = "bucket"

    def __enter__(self) -> "Bucket":
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        words = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)]
        quiet = subprocess.DEVNULL
        self._server = subprocess.Popen([sys.executable, *words], stdout=quiet, stderr=quiet)
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                return self
            except OSError:
                assert time.monotonic() < deadline, "moto does not start"
                time.sleep(0.1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.kill()
        self._server.wait()

    def use(self, patched: pytest.MonkeyPatch, prefix: str) -> str:
        """Point everything that speaks S3 at the server, and LLMOPS_LAKE at a prefix of the bucket.
        Returns that URL.
        """
        import fsspec

        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{self._port}")
        patched.setenv("AWS_ACCESS_KEY_ID", "key")
        patched.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3 = fsspec.get_filesystem_class("s3")
        s3.clear_instance_cache()
        if not s3().exists(self.name):
            s3().mkdir(self.name)
        url = f"s3://{self.name}/{prefix}"
        patched.setenv("LLMOPS_LAKE", url)
        return url
