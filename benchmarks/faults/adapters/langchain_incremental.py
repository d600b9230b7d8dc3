"""LangChain's indexing API in its other mode: what is gone from the source stays."""

from benchmarks.faults.adapters.langchain import LangChainIndex


class LangChainIncrementalIndex(LangChainIndex):
    """`cleanup="incremental"`, which cleans up as it goes."""

    title = 'LangChain index(cleanup="incremental")'
    cleanup = "incremental"


ADAPTER = LangChainIncrementalIndex()
