"""A knowledge base in Haystack: as a component that finds its passages; our chunkers as a splitter,
our embedders as the two embedders that Haystack knows.
"""

from llmops.integrations import needing

with needing("Haystack", "haystack", "haystack"):
    from llmops.integrations.haystack.building import Chunker, DocumentEmbedder, TextEmbedder
    from llmops.integrations.haystack.retriever import KnowledgeBaseRetriever

__all__ = ["Chunker", "DocumentEmbedder", "KnowledgeBaseRetriever", "TextEmbedder"]
