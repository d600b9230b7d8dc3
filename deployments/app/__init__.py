"""The served application over HTTP: what `llmops serve` runs. Doors and limits stand before the
routes; what answers lies in `tasks/chat/`, and knows nothing of HTTP.
"""
