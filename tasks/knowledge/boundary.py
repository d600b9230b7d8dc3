"""Where one document's trouble is kept from becoming the run's."""

from collections.abc import Iterator
from contextlib import contextmanager

from llmops.tasks.errors import DocumentError, LlmopsError, disk_trouble
from llmops.tasks.knowledge.quarantine import Failure


@contextmanager
def one_document(
    failures: list[Failure], *, source: str, uri: str, stage: str, revision: str = ""
) -> Iterator[None]:
    """Turn whatever goes wrong with this document into a Failure; errors of the environment still
    end the run.
    """
    try:
        yield
    except LlmopsError:
        raise
    except DocumentError as error:
        failures.append(
            Failure(
                source=source,
                uri=uri,
                stage=stage,
                error=type(error).__name__,
                reason=error.reason,
                retryable=error.retryable,
                revision=revision,
            )
        )
    except (
        Exception
    ) as error:  # a plugin may raise anything: it costs this document, and is written down
        if (trouble := disk_trouble(error)) is not None:
            raise trouble from error
        failures.append(
            Failure(
                source=source,
                uri=uri,
                stage=stage,
                error=type(error).__name__,
                revision=revision,
                reason=f"{type(error).__name__}: {error}",
            )
        )
