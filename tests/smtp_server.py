"""A mail server of the tests' own: it takes mails, asks for a password over TLS, and refuses on
demand.
"""

import base64
import datetime
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


class MailServer:
    """`password`: what it asks for, after TLS has begun. `answers`: by command, such as RCPT, what
    is said instead of yes, once each.
    """

    def __init__(self, tls: ssl.SSLContext | None, password: str) -> None:
        self.tls, self.password = tls, password
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, list[str]] = {}
        self.port = 0


class Session(socketserver.StreamRequestHandler):
    """One client."""

    mail_server: MailServer

    def handle(self) -> None:
        self.secured = self.known = False
        self.to: list[str] = []
        with suppress(OSError):
            self.talk()
        if self.secured:
            self.request.close()  # the server closes the socket that TLS took over

    def talk(self) -> None:
        self.say("220 mail.test ESMTP")
        while line := self.rfile.readline().decode().strip():
            command, _, rest = line.partition(" ")
            if scripted := self.mail_server.answers.get(command.upper()):
                self.say(scripted.pop(0))
            elif not self.answer(command.upper(), rest):
                return

    def answer(self, command: str, rest: str) -> bool:
        """Whether the client is to go on."""
        if command == "EHLO":
            self.hello()
        elif command == "STARTTLS" and self.mail_server.tls:
            self.say("220 go ahead")
            return self.secure(self.mail_server.tls)
        elif command == "AUTH":
            given = base64.b64decode(rest.split(" ")[-1]).decode().split("\0")[-1]
            self.known = self.secured and given == self.mail_server.password
            self.say("235 welcome" if self.known else "535 5.7.8 wrong")
        elif command in ("MAIL", "RCPT") and self.mail_server.password and not self.known:
            self.say("530 5.7.0 who are you?")
        elif command == "DATA":
            self.say("354 go on")
            self.take()
        elif command == "QUIT":
            self.say("221 bye")
            return False
        else:
            if command == "RCPT":
                self.to.append(rest)
            self.say("250 yes")
        return True

    def secure(self, tls: ssl.SSLContext) -> bool:
        """Whether the client trusts us."""
        self.finish()
        try:
            self.request = tls.wrap_socket(self.request, server_side=True)
        except ssl.SSLError:
            self.request.close()
            return False
        self.setup()
        self.secured = True
        return True

    def hello(self) -> None:
        features = ["250-mail.test"]
        features += ["250-STARTTLS"] if self.mail_server.tls and not self.secured else []
        features += ["250-AUTH PLAIN"] if self.secured else []
        self.say("\r\n".join([*features, "250 SIZE 1000000"]))

    def take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = message_from_bytes(b"".join(lines), EmailMessage, policy=policy.default)
        self.mail_server.mails.append(mail)
        self.mail_server.recipients.append(self.to)
        self.to = []
        self.say("250 taken")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(certificate: Path | None = None, password: str = "") -> Iterator[MailServer]:
    """A server on this machine, until the end of the block. `certificate`: a file with key and
    certificate, for STARTTLS.
    """
    tls = None
    if certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    made = MailServer(tls, password)
    handler = type("OwnSession", (Session,), {"mail_server": made})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate(folder: Path) -> Path:
    """A file with a new key and a certificate for `localhost` that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file
