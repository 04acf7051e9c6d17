"""Several clients of the differential tester: they block, wake each other, watch, publish and listen, on Larder and on redis-server alike.

One request is sent at a time, by a client drawn at random; then whatever came to any client on each server is compared: replies,
those of clients that were woken, messages, notifications, who was closed, and how many clients are blocked. Two requests of an
observer, one after the other, show that a server has done everything: what it answers in a turn of its loop is sent before the
next turn begins. Nothing but the rare test of a timeout waits for a clock.

What may differ, and why, is in explained().
"""

import select
import socket
import time

from generator import Generator

STEPS = 400
CLIENTS = 4
SENT_BEHIND_MAX = 3  # requests that a blocked client has sent meanwhile
SHOWN_STEPS = 40
# A difference counts when it is still there after so long: on a machine with other work, what a woken client is told may
# come after the observer's answer.
SETTLINGS_MAX = 10
SETTLING_SECONDS = 0.05

BLOCKING = """
    BLPOP {k} 0
    BLPOP {k} {k} 0
    BRPOP {k} {k} 0
    BLMOVE {k} {k} {side} {side} 0
    BRPOPLPUSH {k} {k} 0
    BLMPOP 0 {numkeys2} {k} {k} {side} [COUNT {n}]
    BZPOPMIN {k} {k} 0
    BZPOPMAX {k} 0
    BZMPOP 0 {numkeys2} {k} {k} {minmax} [COUNT {n}]
    XREAD BLOCK 0 STREAMS {k} $
    XREAD COUNT {n} BLOCK 0 STREAMS {k} {k} $ {id}
    XREADGROUP GROUP g {consumer} BLOCK 0 [NOACK] STREAMS {k} >
    XREADGROUP GROUP g {consumer} COUNT 1 BLOCK 0 STREAMS {k} {k} > >
    BLPOP {k} {badwait}
    BZMPOP {badwait} 1 {k} MIN
"""

KEYS = """
    RPUSH {k} {m}...
    LPUSH {k} {m}...
    RPUSH {k} {m} {m} {m}
    RPUSHX {k} {m}
    LPOP {k}
    RPOP {k} {n}
    LMOVE {k} {k} {side} {side}
    LTRIM {k} {idx} {idx}
    LREM {k} {idx} {m}
    LRANGE {k} 0 -1
    ZADD {k} {f} {m}
    ZADD {k} 1 {m} 2 {m}
    ZADD {k} XX INCR 1 {m}
    ZINCRBY {k} 1 {m}
    ZREM {k} {m}
    ZPOPMIN {k}
    ZUNIONSTORE {k} 2 {k} {k}
    ZRANGESTORE {k} {k} 0 -1
    XADD {k} {id} {m} {m}
    XADD {k} NOMKSTREAM {id} {m} {m}
    XDEL {k} {id}
    XTRIM {k} MAXLEN {n}
    XGROUP CREATE {k} g {gid} [MKSTREAM]
    XGROUP DESTROY {k} g
    XREADGROUP GROUP g {consumer} STREAMS {k} >
    SADD {k} {m}
    HSET {k} {m} {m}
    SORT {k} ALPHA STORE {k}
    SET {k} {m}
    GET {k}
    APPEND {k} {m}
    INCR {k}
    DEL {k}...
    UNLINK {k}
    EXISTS {k}
    TYPE {k}
    RENAME {k} {k}
    RENAMENX {k} {k}
    COPY {k} {k} [DB 1] [REPLACE]
    MOVE {k} {db}
    EXPIRE {k} 1000
    PERSIST {k}
    PEXPIRE {k} -1
    SWAPDB 0 1
    FLUSHDB
    EVAL {pushscript} 1 {k}
    RESTORE {k} 0 {dump} [REPLACE]
"""

TRANSACTIONS = """
    MULTI
    MULTI
    EXEC
    EXEC
    EXEC
    DISCARD
    WATCH {k}...
    WATCH {k}
    UNWATCH
    SELECT {db}
    NOSUCH {k}
"""

MESSAGES = """
    SUBSCRIBE {channel}...
    PSUBSCRIBE {cpattern}...
    SSUBSCRIBE {channel}
    UNSUBSCRIBE {channel}
    UNSUBSCRIBE
    PUNSUBSCRIBE {cpattern}
    PUNSUBSCRIBE
    SUNSUBSCRIBE
    PUBLISH {channel} {m}
    PUBLISH {channel} {m}
    PUBLISH {channel} {m}
    SPUBLISH {channel} {m}
    PUBSUB NUMSUB {channel} {channel}
    PUBSUB NUMPAT
    PUBSUB CHANNELS [{cpattern}]
    PUBSUB SHARDNUMSUB {channel}
"""

OTHERS = """
    CLIENT UNBLOCK {client}
    CLIENT UNBLOCK {client} TIMEOUT
    CLIENT UNBLOCK {client} ERROR
    CLIENT UNBLOCK 123456789
    CLIENT KILL ID {client}
    CLIENT REPLY SKIP
    CLIENT GETNAME
    HELLO {version}
    HELLO {version}
    RESET
    PING
    PING {m}
"""

# A group of templates and how often it is drawn; a client inside MULTI, or blocked, draws otherwise.
GROUPS = {"blocking": (BLOCKING, 20), "keys": (KEYS, 45), "transactions": (TRANSACTIONS, 15), "messages": (MESSAGES, 12), "others": (OTHERS, 8)}

NOTIFY = ["", "KEA", "KEA", "KEAn", "Elzt", "Kg$", "KEm"]


class Words(Generator):
    """Requests of one client. {client} becomes a number of a client, which each server knows by another id."""

    def __init__(self, rng, dump):
        super().__init__(rng, [])
        self.templates = {name: [line.split() for line in text.strip().splitlines()] for name, (text, _) in GROUPS.items()}
        self.makers |= {
            "badwait": lambda: rng.choice(["-1", "abc", "", "nan", "1e400", "99999999999999999"]), "db": lambda: rng.choice(["0", "0", "1"]),
            "channel": lambda: rng.choice(["c0", "c1", "c2", "c3"]),
            "cpattern": lambda: rng.choice(["c*", "c[01]", "*", "__key*__:*", "__keyevent@0__:*"]),
            "version": lambda: self.mostly(["2", "3"], ["4", "x"]),
            "pushscript": lambda: rng.choice(["return redis.call('RPUSH',KEYS[1],'s')", "return redis.call('ZADD',KEYS[1],1,'s')"]),
            "dump": lambda: dump,
            "client": lambda: f"client {rng.randrange(CLIENTS)}",
            "consumer": lambda: f"c{rng.randrange(2)}",
        }

    def key(self, _family):
        return self.rng.choice("abcde")

    def request(self, in_transaction):
        weights = [weight for _, weight in GROUPS.values()]
        if in_transaction:
            weights = [10, 45, 40, 5, 5]
        while True:
            group = self.rng.choices(list(GROUPS), weights)[0]
            words = self.fill(self.rng.choice(self.templates[group]), group)
            # Replies without order are not looked for inside that of EXEC, and later versions do not queue CLIENT REPLY.
            if not in_transaction or not (unordered(words) or words[:2] == ["CLIENT", "REPLY"]):
                return words


class Link:
    """One connection to one server: what came is read without waiting."""

    def __init__(self, port, of):
        self.of = of
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.raw = b""
        self.closed = False
        self.replies = []  # since the last step
        self.send([["CLIENT", "ID"]])
        self.id = str(self.wait_for(1)[0])

    def send(self, commands):
        try:
            self.socket.sendall(self.of.encoded(commands))
        except ConnectionError:
            self.closed = True

    def arrived(self):
        """Whole replies and messages that are here."""
        while not self.closed and select.select([self.socket], [], [], 0)[0]:
            try:
                piece = self.socket.recv(1 << 16)
            except ConnectionError:
                piece = b""
            self.closed = not piece
            self.raw += piece
        replies = self.of.Replies(self.raw)
        found = []
        while replies.at < len(self.raw):
            start = replies.at
            try:
                found.append(replies.read())
            except (ValueError, IndexError):  # the end is not here yet
                replies.at = start
                break
            if replies.at > len(self.raw):
                found.pop()
                replies.at = start
                break
        self.raw = self.raw[replies.at:]
        return found

    def wait_for(self, count):
        found = []
        while len(found) < count:
            if not select.select([self.socket], [], [], 60)[0] or self.closed:
                raise ConnectionError("the observer got no answer")
            found += self.arrived()
        return found


class Member:
    """One client on both servers."""

    def __init__(self, ports, of):
        self.links = [Link(port, of) for port in ports]
        self.in_transaction = False
        self.unanswered = 0  # requests since the last answer: it is blocked, as far as can be told

    def has_answer(self):
        return not all(map(is_message, self.links[1].replies))

    def close(self):
        for link in self.links:
            link.socket.close()


def is_message(reply):
    """Whether it is pushed (in RESP3) or may be (in RESP2)."""
    return isinstance(reply, tuple) and reply[0] == "push"


def plain(reply):
    """A reply without what differs from server to server."""
    if isinstance(reply, list):
        reply = [plain(item) for item in reply]
    items = reply[1] if isinstance(reply, tuple) else reply
    if isinstance(items, list) and items and items[0] in (b"server", (b"server", b"redis")):  # HELLO: version and id of the client
        return "hello"
    if isinstance(reply, str) and reply.startswith("ERR timeout is "):
        return "ERR timeout"  # 7.0 calls one that is too long negative
    if isinstance(reply, str) and reply.startswith(("ERR Unbalanced", "ERR unknown subcommand")):
        return reply.split("'")[0][:14]  # 7.2 names the command; an id where a subcommand should be
    return reply


def in_any_order(messages):
    """Messages with those of one client's several patterns, which have no order, in one order."""
    sorted_ones = []
    group = []
    for message in [*messages, None]:
        items = message[1] if isinstance(message, tuple) else message
        if group and not (is_pattern_message(items) and items[2:] == group[0][0][2:]):
            sorted_ones += [each for _, each in sorted(group, key=lambda pair: pair[0])]
            group = []
        if is_pattern_message(items):
            group.append((items, message))
        elif message is not None:
            sorted_ones.append(message)
    return sorted_ones


def is_pattern_message(items):
    return isinstance(items, list) and len(items) == 4 and items[0] == b"pmessage"


def is_pushed(reply):
    """Whether it is a message of a channel or pattern, in either protocol."""
    return is_message(reply) or is_pattern_message(reply) or (isinstance(reply, list) and len(reply) == 3 and reply[0] == b"message")


def unordered(command):
    return command[0] in ("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "RESET") or command[:2] == ["PUBSUB", "CHANNELS"]


def without_order(replies):
    """Messages of the end of all subscriptions come in any order, each with how many are left; so do lists of channels."""
    plain = []
    for reply in replies:
        items = reply[1] if isinstance(reply, tuple) else reply
        if isinstance(items, list) and len(items) == 3 and items[0] in (b"unsubscribe", b"punsubscribe", b"sunsubscribe"):
            plain.append(repr(items[:2]))
        elif isinstance(items, list):
            plain.append(repr(sorted(items, key=repr)))
        else:
            plain.append(repr(reply))
    return sorted(plain)


WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def explained(history, ours, theirs):
    """Why two clients' answers are both right though they differ, or None. The round ends there: the data may differ from now on."""
    last = history[-1][1]
    stores = [words for _, words in (history if last == ["EXEC"] else history[-1:]) if any("STORE" in str(word) for word in words)]
    if stores and (ours < theirs if isinstance(ours, str) else len(ours) > len(theirs)):
        return "the reference does not see a key that got another type when it is overwritten by a result"
    if isinstance(ours, str):  # how many are blocked
        return None
    if ours[-1:] == theirs[-1:] == ["(closed)"]:
        return "what a client is owed when another kills it may be lost"
    if ours[:1] == [WRONG_TYPE] and theirs == [""]:
        return "7.2 runs a waiting client's request again when one of its keys has come, and meets another of another type"
    pairs = list(zip(ours, theirs)) if len(ours) == len(theirs) else []
    different = [pair for pair in pairs if pair[0] != pair[1]]
    # What the client had sent behind that request goes another way then, too.
    if different and str(different[0][0]).startswith("WRONGTYPE") and not is_error(different[0][1]):
        return "7.2 runs a woken client's request again, from its first key on, and meets another that is of another type by now"
    if any(has_push_inside(reply) for reply in theirs):
        return "7.0 writes a notification into the middle of a reply"
    if sorted(map(repr, ours)) == sorted(map(repr, theirs)) and any(map(is_pushed, ours)):
        return "7.2 tells a client what its own request published after the reply"
    if last[:2] == ["XGROUP", "DESTROY"] and different and all(str(a).startswith("NOGROUP") and str(b).startswith("NOGROUP")
                                                               for a, b in different):
        return "7.2 runs the XREADGROUP that waited for the group again, which says what is missing"
    if different and is_popped(different[0][0]) and is_popped(different[0][1]):
        return "7.2 looks at a woken client's keys in their order, 7.0 at the key that was written first"
    if different and all(streams_of(b) and all(stream in streams_of(a) for stream in streams_of(b)) for a, b in different):
        return "7.2 reads all streams of a woken client, 7.0 the one that was written"
    if different and str(different[0][1]).startswith("UNBLOCKED") and is_error(different[0][0]):
        return "7.2 runs a woken XREADGROUP again, which says what is missing"
    inner = [pair for a, b in different for pair in (zip(a, b) if last == ["EXEC"] and isinstance(a, list) and isinstance(b, list)
                                                     and len(a) == len(b) else [(a, b)]) if pair[0] != pair[1]]
    if inner and all(b == "ERR syntax error" and ("client-id" in str(a) or last[:2] == ["CLIENT", "KILL"]) for a, b in inner):
        return "later versions take several ids after ID"
    if different and all("not allowed inside a transaction" in str(a) and b == "QUEUED" for a, b in different):
        return "later versions do not queue CLIENT REPLY"
    if without_event("keymiss", ours) == without_event("keymiss", theirs):
        return "7.2 looks for all keys again when it runs a woken client's request again"
    if without_event("xgroup-createconsumer", ours) == without_event("xgroup-createconsumer", theirs):
        return "7.2 makes a consumer of whoever asks, also if it gets nothing"
    return None


def is_popped(reply):
    """Whether it may be what a client got that waited for several keys: a key and an element."""
    return isinstance(reply, list) and len(reply) in (2, 3) and isinstance(reply[0], bytes)


def streams_of(reply):
    """The streams in a reply to XREAD, each with its entries."""
    items = reply[1] if isinstance(reply, tuple) and reply[0] == "map" else reply
    return items if isinstance(items, list) and all(isinstance(item, (list, tuple)) and len(item) == 2 for item in items) else []


def has_push_inside(reply):
    return isinstance(reply, list) and any(is_pushed(item) or has_push_inside(item) for item in reply)


def without_event(name, replies):
    return [reply for reply in replies if name not in repr(reply)]


def is_error(reply):
    return isinstance(reply, str) and reply[:1].isupper() and reply not in ("OK", "QUEUED", "PONG", "RESET")


class Clients:
    """Rounds of several clients. `of` is the differential tester's module: its connections and comparisons."""

    def __init__(self, tester, rng, of):
        self.tester = tester
        self.rng = rng
        self.of = of
        self.ports = [server.port for server in tester.servers]
        self.steps = 0

    def round(self):
        for connection in self.tester.connections:
            connection.call_all([["HELLO", "2"], ["FLUSHALL"], ["CONFIG", "SET", "notify-keyspace-events", self.rng.choice(NOTIFY)]]
                                if connection is self.tester.connections[0] else [["HELLO", "2"], ["FLUSHALL"]])
        notify = self.tester.connections[0].call("CONFIG", "GET", "notify-keyspace-events")[1]
        reference = self.tester.connections[1]
        reference.call_all([["CONFIG", "SET", "notify-keyspace-events", notify], ["RPUSH", "dumped", "x", "y"]])
        dump = reference.call("DUMP", "dumped")
        reference.call("DEL", "dumped")
        self.words = Words(self.rng, dump)
        self.history = []
        self.observer = Member(self.ports, self.of)
        self.members = [Member(self.ports, self.of) for _ in range(CLIENTS)]
        try:
            for _ in range(STEPS):
                if not self.step():
                    return
                self.steps += 1
        finally:
            for member in [self.observer, *self.members]:
                member.close()
            for connection in self.tester.connections:
                connection.call("CONFIG", "SET", "notify-keyspace-events", "")
        self.tester.compared += STEPS
        self.tester.compare_keyspaces([])

    # One act of one client, and what it makes of everybody. False: the round is over.
    def step(self):
        rng = self.rng
        number = rng.randrange(CLIENTS)
        member = self.members[number]
        if member.unanswered >= SENT_BEHIND_MAX or (member.unanswered and rng.random() < 0.7):
            free = [i for i, other in enumerate(self.members) if not other.unanswered]
            if not free or rng.random() < 0.1:
                return self.leave(number)
            number = rng.choice(free)
            member = self.members[number]
        if rng.random() < 0.003 and not member.unanswered and not member.in_transaction:
            return self.time_out(number)
        command = self.words.request(member.in_transaction)
        self.send(number, command)
        return self.compare(number, command)

    def send(self, number, command):
        member = self.members[number]
        self.history.append((number, command))
        for side, link in enumerate(member.links):
            link.send([[self.for_side(word, side) for word in command]])
        if "SUBSCRIBE" not in command[0] and command[:2] != ["CLIENT", "REPLY"]:
            member.unanswered += 1
        if command[0] == "MULTI":
            member.in_transaction = True
        elif command[0] in ("EXEC", "DISCARD", "RESET"):
            member.in_transaction = False

    def for_side(self, word, side):
        if isinstance(word, str) and word.startswith("client "):
            return self.members[int(word[7:])].links[side].id
        return word

    def leave(self, number):
        """A client goes, whatever it was doing, and another comes."""
        self.history.append((number, ["(disconnects)"]))
        self.members[number].close()
        self.members[number] = Member(self.ports, self.of)
        return self.compare(number, ["(disconnects)"])

    def time_out(self, number):
        """A client waits for what does not come."""
        command = self.rng.choice([["BLPOP", "never", "0.02"], ["BZPOPMIN", "never", "0.001"], ["XREAD", "BLOCK", "15", "STREAMS", "never", "$"],
                                   ["BLMOVE", "never", "a", "LEFT", "LEFT", "0.01"]])
        self.send(number, command)
        time.sleep(0.25)
        return self.compare(number, command)

    def blocked_counts(self):
        counts = []
        for link in self.observer.links:
            link.send([["PING"]])
            link.wait_for(1)
        for link in self.observer.links:
            link.send([["INFO", "clients"]])
            text = link.wait_for(1)[0]
            counts.append(next(line for line in text.decode().splitlines() if line.startswith("blocked_clients")))
        return counts

    def compare(self, number, command):
        """Whether the round goes on: it does not after a difference. One that is explained explains what others saw of it."""
        different = self.differences(number, command)
        for _ in range(SETTLINGS_MAX):
            if not different or any(explained(self.history, *pair) for _, *pair in different):
                break
            time.sleep(SETTLING_SECONDS)  # what the observer's answers do not promise to be there may be on its way
            different = self.differences(number, command)
        else:
            self.fail(command, *different[-1])
        for i, member in enumerate(self.members):
            if member.has_answer():
                member.unanswered = 0
            if member.links[0].closed:
                member.close()
                self.members[i] = Member(self.ports, self.of)
            for link in member.links:
                link.replies.clear()
        return not different

    def differences(self, number, command):
        """Whom the servers gave different answers since the last step, with both."""
        ours, theirs = self.blocked_counts()
        counts = [(number, ours, theirs)] if ours != theirs else []
        pairs = [(i, self.compare_member(member, command)) for i, member in enumerate(self.members)]
        return counts + [(i, *pair) for i, pair in pairs if pair]

    def compare_member(self, member, command):
        """What came to the client from both servers if it differs, else None."""
        for link in member.links:
            link.replies += link.arrived()
        ours, theirs = (in_any_order([plain(reply) for reply in link.replies]) for link in member.links)
        if ours == theirs and member.links[0].closed == member.links[1].closed:
            return None
        told = [[list(filter(is_message, side)), [reply for reply in side if not is_message(reply)]] for side in (ours, theirs)]
        same = told[0] == told[1] or (unordered(command) and without_order(ours) == without_order(theirs))
        same = same or self.of.same_but_for_digits(*told)
        if same and member.links[0].closed == member.links[1].closed:
            return None
        return tuple(side + ["(closed)" if link.closed else ""] for side, link in zip((ours, theirs), member.links))

    def fail(self, command, number, ours, theirs):
        self.tester.failures += 1
        print(f"DIFFERENT (seed {self.tester.seed}) client {number} after {self.of.shown(command)}\n  larder        {ours!r:.400}\n  redis-server  {theirs!r:.400}")
        for who, words in self.history[-SHOWN_STEPS:]:
            print(f"    client {who}: {self.of.shown(words)}")
