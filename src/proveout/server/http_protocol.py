"""uvicorn's HTTP/1.1, with the `Upgrade` header ignored.

Input: the bytes of a connection. Output: requests for the gateway, which serves HTTP/1.1 and nothing else. A
client that would rather speak HTTP/2 (curl --http2, Java's HttpClient) or WebSocket says so in `Upgrade`; RFC 9110,
7.8, lets a server ignore it, and the client goes on in HTTP/1.1. Only importer of httptools, uvicorn's protocol.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    llhttp, the parser below httptools, ends a request with an `Upgrade` after its headers: the body would be lost, and
    read as the next request. It has no switch for that, so such a head is read again without the header, by a new
    parser that goes on with the body.
    """

    def data_received(self, data: bytes) -> None:
        """The next bytes: part of a request, or several."""
        self._unset_keepalive_if_required()
        rest = memoryview(data)
        try:
            while True:
                try:
                    self.parser.feed_data(rest)
                    return
                except httptools.HttpParserUpgrade as upgrade:
                    rest = rest[upgrade.args[0] :]
                    self._read_head_again()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def _read_head_again(self) -> None:
        method = self.scope["method"]
        if method == "CONNECT":  # to the parser an upgrade as well, without the header
            raise httptools.HttpParserError
        head = [f"{method} ".encode(), self.url, f" HTTP/{self.scope['http_version']}\r\n".encode()]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own parser
        self.parser.feed_data(b"".join([*head, b"\r\n"]))

    def _should_upgrade(self) -> bool:
        # So that uvicorn's callbacks wait with every such request until its head is read again.
        return True
