"""Where one document's trouble is kept from becoming the run's."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.errors import DocumentError, LlmopsError, Unavailable
from tasks.knowledge.quarantine import Failure

OUR_OWN = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@contextmanager
def one_document(failures: list[Failure], *, source: str, uri: str, stage: str, revision: str = "") -> Iterator[None]:
    """Turn whatever goes wrong with this document into a Failure; errors of the environment still end the run."""
    try:
        yield
    except LlmopsError:
        raise
    except DocumentError as error:
        failures.append(Failure(source=source, uri=uri, stage=stage, error=type(error).__name__, reason=error.reason,
                                retryable=error.retryable, revision=revision))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in OUR_OWN:
            raise disk_trouble(error) from error
        failures.append(Failure(source=source, uri=uri, stage=stage, error=type(error).__name__, revision=revision,
                                reason=f"{type(error).__name__}: {error}"))


def disk_trouble(error: OSError) -> Unavailable:
    """What to tell a user whose disk is full or read-only."""
    return Unavailable(f"the disk cannot be written: {error.strerror} ({error.filename or 'LLMOPS_HOME'})",
                       hint="free some space, or set LLMOPS_HOME elsewhere; run again: finished work is kept, nothing live has changed")
