"""Receives mail with aiosmtpd over STARTTLS: CERTIFICATE KEY. Prints its port, and a line a message that it took.

What it says is in the recipient's address: `from-553`, `to-550`, `data-451`, `end-554` and so on say that code at that
stage; `end-close` ends the connection instead of a reply, `end-hold` and `data-hold` say nothing.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

TEXTS = {"550": "550 5.1.1 unknown", "451": "451 4.3.0 later"}


class Handler:
    async def said(self, stage, address, server, otherwise):
        local = address.split("@")[0]
        if not local.startswith(stage + "-"):
            return otherwise
        what = local.split("-")[1]
        if what == "hold":
            await asyncio.sleep(60)
        if what in ("hold", "close"):
            server.transport.abort()
            return "421 gone"
        return TEXTS.get(what, what + " no")

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self.said("to", address, server, "250 OK")
        if answer == "250 OK":
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        address = envelope.rcpt_tos[0]
        answer = await self.said("end", address, server, "250 OK")
        line = {"to": envelope.rcpt_tos, "from": envelope.mail_from, "answer": answer, "tls": bool(session.ssl)}
        print(json.dumps(line), flush=True)
        return answer


class Stages(SMTP):
    """Says a code at DATA, which aiosmtpd asks no handler about."""

    async def smtp_DATA(self, arg):
        address = (self.envelope.rcpt_tos or [""])[0]
        answer = await self.event_handler.said("data", address, self, None)
        if answer is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(answer)


def known(server, session, envelope, mechanism, data):
    # What is not handled, aiosmtpd answers itself: with 535.
    return AuthResult(success=(data.login, data.password) == (b"clinic", b"secret"), handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    how = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": known}
    server = await asyncio.get_running_loop().create_server(lambda: Stages(Handler(), **how), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
