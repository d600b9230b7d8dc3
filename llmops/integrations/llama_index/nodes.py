"""A passage as a node."""

from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

from llmops.integrations._parts import described
from llmops.results import Passage

SHOWN = ("title", "headings", "uri", "page")
"""What of the metadata a language model sees beside the text; an embedding, the first two."""


def node_of(passage: Passage) -> TextNode:
    """Its id is the chunk_id, its source node the document."""
    metadata = described(passage)
    return TextNode(
        id_=passage.chunk_id,
        text=passage.text,
        metadata=metadata,
        start_char_idx=passage.start,
        end_char_idx=passage.end,
        excluded_llm_metadata_keys=[key for key in metadata if key not in SHOWN],
        excluded_embed_metadata_keys=[key for key in metadata if key not in SHOWN[:2]],
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=passage.doc_id)},
    )
