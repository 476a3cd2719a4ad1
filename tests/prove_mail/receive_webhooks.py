"""Receives webhooks and verifies their signatures with standardwebhooks: SECRET. Prints its port, and a line a request.

Each good request is also verified after a change of its body, of its id, of its instant, and with another secret: all
must be refused.
"""

import json
import sys
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = sys.argv[1]
OTHER = "whsec_" + "A" * 32


def verifies(body, headers, secret=SECRET):
    try:
        Webhook(secret).verify(body, headers)
        return True
    except WebhookVerificationError:
        return False


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        at = int(headers["webhook-timestamp"])
        late = {**headers, "webhook-timestamp": str(at - int(timedelta(hours=1).total_seconds()))}
        forged = [
            verifies(body.replace(b"JOB", b"ROB"), headers),
            verifies(body, {**headers, "webhook-id": headers["webhook-id"] + "0"}),
            verifies(body, late),
            verifies(body, headers, OTHER),
        ]
        good = verifies(body, headers) and not any(forged)
        line = {"good": good, "id": headers["webhook-id"], "type": json.loads(body)["type"]}
        print(json.dumps(line), flush=True)
        self.send_response(204 if good else 400)
        self.end_headers()

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
