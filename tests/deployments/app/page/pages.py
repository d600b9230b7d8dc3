"""The page as a browser asks for it, without one: with cookies, and the headers that it sends."""

import re
from typing import Any

from httpx2 import Response

from tests.deployments.app.apps import LOCAL, App

OWN = {"origin": LOCAL, "sec-fetch-site": "same-origin"}


class Visitor:
    """Somebody with a browser of their own."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def get(self, path: str, **headers: str) -> Response:
        return self._sent("GET", path, None, headers)

    def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> Response:
        return self._sent("POST", path, fields or {}, {**OWN, **headers})

    def sign_in(self, name: str = "Anna", key: str = "") -> Response:
        return self.post("/sign-in", {"key": key} if key else {"name": name})

    def _sent(self, method: str, path: str, fields: Any, headers: dict[str, str]) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        jar = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if jar:
            named["cookie"] = jar
        client = self.app.client
        client.cookies.clear()
        response = client.request(method, path, data=fields, headers=named, follow_redirects=False)
        for line in response.headers.get_list("set-cookie"):
            name, value = re.fullmatch(r"([^=]+)=([^;]*);.*", line).groups()  # type: ignore[union-attr]
            self.cookies[name] = value.strip('"')
            if "max-age=0" in line.lower():
                del self.cookies[name]
        client.cookies.clear()
        return response
