"""Twilio's own Python library, as it comes, against the simulator of `loadtest provider`.

What belongs here: what a user of that library does, sending, reading, listing, redacting and
deleting texts, what a wrong request raises, and whether the library's own check of signatures takes
our callbacks. Never here: a patched client, or anything that is sent to Twilio: the one thing that differs from a program
in production is the address.

By hand, as it needs a package that the tests do without:

    python3 -m venv /tmp/twilio && /tmp/twilio/bin/pip install twilio
    cargo build --workspace --bins
    /tmp/twilio/bin/python tests/examples/twilio_client.py target/debug/loadtest
"""

import http.server
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import twilio
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

ACCOUNT = "AC00000000000000000000000000000999"
TOKEN = "simulated-auth-token"
# Nobody's: +999 is no country's code.
SENDER, RECIPIENT = "+99900000001", "+99912345678"
WITHIN_SECONDS = 30


class Callbacks(http.server.BaseHTTPRequestHandler):
    """Takes status callbacks and has the library check their signatures."""

    statuses: list[str] = []

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        url = f"http://{self.headers['Host']}{self.path}"
        signature = self.headers["X-Twilio-Signature"]
        signed = RequestValidator(TOKEN).validate(url, form, signature)
        forged = RequestValidator("another token").validate(url, form, signature)
        fine = signed and not forged
        self.statuses.append(form["MessageStatus"] if fine else "not signed as it should be")
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def until(what, look):
    """Waits for something to be there, and returns it."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise SystemExit(f"{what}: not within {WITHIN_SECONDS} s")


def refused(send):
    """What the library raises for a request that the simulator refuses."""
    try:
        send()
    except TwilioRestException as error:
        return error
    raise SystemExit("a wrong request was taken")


def exercise(base_url, callback_url):
    """What a program that texts does, by the library alone."""
    client = Client(ACCOUNT, TOKEN)
    # The library's own switch for another address.
    client.api.base_url = base_url

    sent = client.messages.create(
        to=RECIPIENT, from_=SENDER, body="See you tomorrow.", status_callback=callback_url
    )
    assert sent.sid.startswith("SM") and sent.status in ("queued", "accepted"), sent.status
    assert (sent.to, sent.from_, sent.num_segments) == (RECIPIENT, SENDER, "1"), vars(sent)
    print(f"sent      {sent.status}, {sent.num_segments} segment, error {sent.error_code}")

    def final():
        found = client.messages(sent.sid).fetch()
        return found if found.status == "delivered" else None

    found = until("delivered", final)
    # The library reads the API's dates, which are RFC 2822.
    assert found.body == "See you tomorrow." and found.date_created.tzinfo is not None
    print(f"fetched   {found.status}")

    until("called back", lambda: Callbacks.statuses[-1:] == ["delivered"])
    assert Callbacks.statuses == ["sent", "delivered"], Callbacks.statuses
    print(f"callbacks {', '.join(Callbacks.statuses)}, signed as the library checks it")

    for n in range(5):
        client.messages.create(to=RECIPIENT, from_=SENDER, body=f"Number {n}.")
    # Two a page: the library follows the links to the following ones.
    listed = client.messages.list(to=RECIPIENT, page_size=2)
    assert len(listed) == 6 and len({message.sid for message in listed}) == 6, listed
    limited = client.messages.list(to=RECIPIENT, limit=3, page_size=2)
    assert len(limited) == 3
    print(f"listed    {len(listed)} in pages of 2, newest first: {listed[0].body!r}")

    assert client.messages(sent.sid).media.list() == []
    redacted = client.messages(sent.sid).update(body="")
    assert (redacted.body, redacted.status) == ("", "delivered"), vars(redacted)
    too_late = refused(lambda: client.messages(sent.sid).update(status="canceled"))
    assert (too_late.status, too_late.code) == (409, 30409), too_late
    assert client.messages(sent.sid).delete()
    assert sent.sid not in {message.sid for message in client.messages.list(to=RECIPIENT)}
    print("changed   its words taken out, then deleted")

    wrong_to = refused(lambda: client.messages.create(to="0123", from_=SENDER, body="x"))
    assert (wrong_to.status, wrong_to.code) == (400, 21211), wrong_to
    no_body = refused(lambda: client.messages.create(to=RECIPIENT, from_=SENDER))
    assert (no_body.status, no_body.code) == (400, 21602), no_body
    unknown = refused(lambda: client.messages("SM" + "0" * 32).fetch())
    assert (unknown.status, unknown.code) == (404, 20404), unknown
    stranger = Client(ACCOUNT, "wrong")
    stranger.api.base_url = base_url
    who = refused(lambda: stranger.messages.create(to=RECIPIENT, from_=SENDER, body="x"))
    assert (who.status, who.code) == (401, 20003), who
    refusals = (wrong_to, no_body, unknown, who)
    print("refused   " + ", ".join(f"{error.status} {error.code}" for error in refusals))


def main():
    if len(sys.argv) != 2:
        raise SystemExit("give the path of loadtest, such as target/debug/loadtest")
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callbacks)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        address = pathlib.Path(folder, "address.json")
        command = [sys.argv[1], "provider", "--log", folder, "--address-file", str(address)]
        simulator = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until("it listens", address.exists)
            base_url = json.loads(address.read_text())["base_url"]
            print(f"twilio    {twilio.__version__} on Python {sys.version.split()[0]}")
            exercise(base_url, f"http://127.0.0.1:{receiver.server_port}/status?practice=1")
        finally:
            simulator.terminate()
            simulator.wait(WITHIN_SECONDS)
    receiver.shutdown()
    print("all as with Twilio")


if __name__ == "__main__":
    main()
