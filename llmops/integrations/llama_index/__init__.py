"""A knowledge base in LlamaIndex: as a retriever and as a vector store that is read; our chunkers
as node parsers, our embedders as embeddings.
"""

from llmops.integrations import needing

with needing("LlamaIndex", "llama_index", "llamaindex"):
    from llmops.integrations.llama_index.building import Chunker, Embedding
    from llmops.integrations.llama_index.retriever import KnowledgeBaseRetriever
    from llmops.integrations.llama_index.vector_store import KnowledgeBaseVectorStore

__all__ = ["Chunker", "Embedding", "KnowledgeBaseRetriever", "KnowledgeBaseVectorStore"]
