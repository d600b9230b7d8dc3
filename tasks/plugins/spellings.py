"""What fingerprints call a plugin.

A fingerprint is the key of everything that was paid for: parsed texts, embeddings, replies,
calibrations. It may follow neither from a module's path nor from a class's name, or a rename in our
code would make everybody pay again. New plugins are called `family.name`. Those of release 0.1 keep
for ever what that release wrote: the path and the class that they had then.
"""

RELEASE_0_1 = {
    "sources": {
        "dify": "Dify",
        "files": "Files",
        "git": "Git",
        "jsonl": "Jsonl",
        "mail": "Mail",
        "reader": "Reader",
        "sql": "Sql",
        "topics": "Topics",
        "web": "Web",
    },
    "parsers": {
        "captions": "Captions",
        "epub": "Epub",
        "html": "Html",
        "mail": "Mail",
        "markdown": "Markdown",
        "markup": "Markup",
        "notebook": "Notebook",
        "office": "Office",
        "pdf": "Pdf",
        "table": "Table",
        "text": "Text",
        "xml": "Xml",
    },
    "cleaners": {
        "boilerplate": "Boilerplate",
        "injection": "Injection",
        "language": "Language",
        "links": "Links",
        "near_duplicates": "NearDuplicates",
        "pii": "Pii",
        "unicode": "Unicode",
        "whitespace": "Whitespace",
    },
    "chunkers": {
        "code": "Code",
        "fixed": "Fixed",
        "markdown": "Markdown",
        "node_parser": "NodeParser",
        "parent_child": "ParentChild",
        "qa": "Qa",
        "semantic": "Semantic",
        "sentence": "Sentence",
    },
    "embedders": {
        "hash": "Hash",
        "llamaindex": "LlamaIndex",
        "minilm": "MiniLM",
        "openai": "OpenAi",
    },
    "stores": {"lancedb": "LanceStore", "weaviate": "WeaviateStore"},
    "llms": {"extractive": "Extractive", "litellm": "LiteLlm", "openai": "OpenAi"},
    "scorers": {
        "citations": "Citations",
        "contains": "Contains",
        "cost": "Cost",
        "exact_match": "ExactMatch",
        "grounded": "Grounded",
        "json_schema": "JsonSchema",
        "judge": "RubricJudge",
        "latency": "Latency",
        "pairwise_judge": "PairwiseJudge",
        "refusal": "Refusal",
        "regex": "Regex",
        "rouge": "Rouge",
        "similarity": "Similarity",
        "token_f1": "TokenF1",
    },
}


def spelling(family: str, name: str, *, built_in: bool) -> str:
    """The plugin's name in fingerprints. A third party's plugin never takes that of a built-in one
    of the same name.
    """
    former = RELEASE_0_1.get(family, {}).get(name) if built_in else None
    return f"tasks.{family}.{name}.{former}" if former else f"{family}.{name}"
