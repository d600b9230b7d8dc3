"""LanceDB, imported without the client of its REST catalogue: a third of what the import costs.

LanceDB needs the data classes of `lance_namespace_urllib3_client`, and the package that holds them
builds a client with several hundred checked methods first. Here the package is built when something
of it beside its submodules is asked for, which neither LanceDB nor we do.
"""

from llmops.tasks.postponed import postponed

CLIENT = "lance_namespace_urllib3_client"


def postpone_client() -> None:
    """To be called before the first import of `lancedb`."""
    postponed(CLIENT)
