# SPDX-License-Identifier: Apache-2.0
#
# An event hub as far as a sender sees it: AMQP 1.0 over TLS with the node $cbs, which checks the token
# that it is given, on Apache Qpid's implementation. It prints each event as a line of JSON.
#
#     amqphub.py PORT CERT KEYFILE HUB KEYNAME KEY     for those who sign with the key
#     amqphub.py PORT CERT KEYFILE HUB bearer TOKEN    for those who have this token
import base64, hashlib, hmac, json, sys, urllib.parse

from proton import Condition, Delivery, Message, int32
from proton.handlers import Handshaker
from proton.reactor import Container

port, cert, keyfile, hub, keyname, key = sys.argv[1:]
BATCH = 0x80013700  # the message format of several events in one transfer


def say(**what):
    print(json.dumps(what, sort_keys=True), flush=True)


def value_end(b, i):
    """Where the AMQP value at b[i] ends."""
    kind = b[i] >> 4
    if kind in (4, 5, 6, 7, 8, 9):
        return i + 1 + {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}[kind]
    if kind in (0xA, 0xC, 0xE):
        return i + 2 + b[i + 1]
    return i + 5 + int.from_bytes(b[i + 1:i + 5], "big")


def data_sections(b):
    """The bodies of a message: its sections of the type data."""
    i, out = 0, []
    while i < len(b):
        if b[i] != 0 or b[i + 1] != 0x53:
            raise ValueError("section %r" % b[i:i + 3])
        code, end = b[i + 2], value_end(b, i + 3)
        if code == 0x75:
            out.append(b[i + 5:end] if b[i + 3] == 0xA0 else b[i + 8:end])
        i = end
    return out


def token_error(message):
    p = message.properties or {}
    if keyname == "bearer":
        if p.get("operation") != "put-token" or p.get("type") != "jwt" or not p.get("name", "").endswith("/" + hub):
            return "operation %r" % p
        return "" if message.body == key else "the token is wrong"
    if p.get("operation") != "put-token" or p.get("type") != "servicebus.windows.net:sastoken":
        return "operation %r" % p
    body = message.body
    if not isinstance(body, str) or not body.startswith("SharedAccessSignature "):
        return "no signature"
    q = dict(urllib.parse.parse_qsl(body[len("SharedAccessSignature "):]))
    signed = urllib.parse.quote_plus(q.get("sr", "")) + "\n" + q.get("se", "")
    signs = {base64.b64encode(hmac.new(key.encode(), s.encode(), hashlib.sha256).digest()).decode()
             for s in (signed, urllib.parse.quote_plus(q.get("sr", "")).lower() + "\n" + q.get("se", ""))}
    if q.get("skn") != keyname or q.get("sig") not in signs:
        return "the signature is wrong"
    return ""


class Hub(Handshaker):
    def __init__(self):
        super().__init__()
        self.known = set()  # connections that have shown a token
        self.busy = True

    def on_reactor_init(self, event):
        event.container.ssl.server.set_credentials(cert, keyfile, None)
        event.container.allowed_mechs = "ANONYMOUS"
        event.container.listen("amqps://127.0.0.1:%s" % port)
        say(ready=True)

    def on_link_remote_open(self, event):
        link = event.link
        address = link.remote_target.address if link.is_receiver else link.remote_source.address
        if address not in ("$cbs", hub) or address == hub and event.connection not in self.known:
            link.condition = Condition("amqp:unauthorized-access" if address == hub else "amqp:not-found", "no")
            link.open()
            link.close()
            return
        link.source.copy(link.remote_source)
        link.target.copy(link.remote_target)
        link.snd_settle_mode, link.rcv_settle_mode = link.remote_snd_settle_mode, link.remote_rcv_settle_mode
        link.max_message_size = 1 << 20
        link.open()
        if link.is_receiver:
            link.flow(100)
        elif address == "$cbs":
            event.connection.answers = link

    def on_delivery(self, event):
        d, link = event.delivery, event.link
        if not link.is_receiver or not d.readable or d.partial:
            return
        raw = link.recv(d.pending)
        link.advance()
        link.flow(1)
        if link.target.address == "$cbs":
            m = Message()
            m.decode(raw)
            why = token_error(m)
            d.update(Delivery.ACCEPTED)
            d.settle()
            if not why:
                self.known.add(event.connection)
            else:
                say(refused=why)
            answer = Message(correlation_id=m.id, address=m.reply_to,
                             properties={"status-code": int32(401 if why else 202), "status-description": why or "Accepted"})
            event.connection.answers.send(answer)
            return
        bodies = data_sections(raw)
        if self.busy:  # the first time: come back later
            self.busy = False
            d.local.condition = Condition("com.microsoft:server-busy", "later")
            d.update(Delivery.REJECTED)
            d.settle()
            say(busy=len(bodies))
            return
        for b in bodies:
            m = Message()
            m.decode(bytes(b))
            body = m.body.tobytes() if isinstance(m.body, memoryview) else bytes(m.body)
            say(id=str(m.id), type=str(m.content_type), properties={str(k): str(v) for k, v in (m.properties or {}).items()},
                body=body.decode(), key=str((m.annotations or {}).get("x-opt-partition-key", "")))
        d.update(Delivery.ACCEPTED)
        d.settle()


Container(Hub()).run()
