"""The XML parts of Office and OpenDocument files."""

import posixpath
import zipfile
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.parsers._containers import DAMAGED, members

if TYPE_CHECKING:
    from lxml import etree


RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
DC_TITLE = "{http://purl.org/dc/elements/1.1/}title"


class Package:
    """An open container. Nothing outside of it is ever read."""

    def __init__(self, data: bytes) -> None:
        self._archive = members(data)
        self.names = frozenset(self._archive.namelist())

    def xml(self, name: str) -> "etree._Element":
        """The root element of a part. Raises DocumentError when it is missing or damaged."""
        from lxml import etree

        try:
            return etree.fromstring(self._archive.read(name), xml_parser())
        except KeyError as error:
            raise DocumentError(DAMAGED.format(f"its part {name} is missing")) from error
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            etree.XMLSyntaxError,
        ) as error:
            raise DocumentError(DAMAGED.format(f"its part {name} cannot be read")) from error

    def related(self, name: str) -> Mapping[str, tuple[str, str]]:
        """The parts that a part refers to: id -> (kind, name)."""
        folder, file = posixpath.split(name)
        relations = f"{folder}/_rels/{file}.rels"
        if relations not in self.names:
            return {}
        return {
            each.get("Id"): (
                each.get("Type", "").rsplit("/", 1)[-1],
                _target(folder, each.get("Target", "")),
            )
            for each in self.xml(relations).iter(RELATIONS)
            if each.get("TargetMode") != "External"
        }

    def title(self, name: str) -> str:
        """The title among the properties in a part, "" where there is none."""
        found = self.xml(name).find(f".//{DC_TITLE}") if name in self.names else None
        return (found.text or "") if found is not None else ""


def xml_parser(*, recover: bool = True) -> "etree.XMLParser":
    """A parser that expands only entities of the document itself, within limits, and fetches
    nothing.
    """
    from lxml import etree

    return etree.XMLParser(
        resolve_entities="internal",
        no_network=True,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _target(folder: str, target: str) -> str:
    return (
        target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
    )
