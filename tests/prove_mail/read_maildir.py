"""Prints the mails of a Maildir as JSON, as Python's email package reads them: PATH."""

import json
import mailbox
import sys
from email import policy
from email.parser import BytesParser


def shown(mail):
    headers = ["From", "To", "Subject", "Message-ID", "Auto-Submitted", "Delivered-To", "Bcc"]
    parts = [part for part in mail.walk() if not part.is_multipart()]
    return {
        "headers": {name: [str(value) for value in mail.get_all(name, [])] for name in headers},
        "date": mail["Date"].datetime.timestamp(),
        "parts": [{"type": part.get_content_type(), "text": part.get_content()} for part in parts],
        "defects": [str(defect) for part in mail.walk() for defect in part.defects],
    }


read = BytesParser(policy=policy.default).parse
print(json.dumps([shown(mail) for mail in mailbox.Maildir(sys.argv[1], factory=read, create=False)]))
