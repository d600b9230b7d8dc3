"""LLMOps as scheduled, observable pipelines. Importing this imports nothing else: what lies below
is imported when it is used.

`llmops.flows`, `llmops.tasks`, `llmops.configs` and `llmops.deployments` are the folders of the
same names beside this one.
"""
