"""uvicorn's HTTP/1.1, with the `Upgrade` header ignored.

Input: the bytes of a connection. Output: requests for the gateway, which serves only HTTP/1.1. A client that prefers
HTTP/2 (curl --http2, Java's HttpClient) or WebSocket says so in `Upgrade`. A server may ignore that (RFC 9110, 7.8),
and the client continues in HTTP/1.1. Only importer of httptools, uvicorn's protocol.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    llhttp, the parser below httptools, ends a request with `Upgrade` after its headers. Its body would be lost and read
    as the next request. There is no option against that, so a new parser reads such a head again without the header,
    and continues with the body.
    """

    def data_received(self, data: bytes) -> None:
        """Take the next bytes: a part of a request, or several requests."""
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
        if method == "CONNECT":  # also an upgrade to the parser, even without the header
            raise httptools.HttpParserError
        head = [f"{method} ".encode(), self.url, f" HTTP/{self.scope['http_version']}\r\n".encode()]
        for name, value in self.headers:
            if name != b"upgrade":
                head += [name, b": ", value, b"\r\n"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # like uvicorn's own parser
        self.parser.feed_data(b"".join([*head, b"\r\n"]))

    def _should_upgrade(self) -> bool:
        # Delays uvicorn's callbacks for such a request until its head is read again.
        return True
