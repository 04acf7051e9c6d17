"""Random commands for the differential tester.

A template is a command line whose words in braces are made up anew each time: {k} a key, {v} a value, and so on (see WORDS).
Words in brackets are an option that is present half the time; `...` behind a word repeats it up to four times. Keys come
from a small pool per family, so that commands meet each other's data, and now and then from another family's.
"""

import random

FAMILIES = {
    "string": """
        SET {k} {v}
        SET {k} {v} NX
        SET {k} {v} XX
        SET {k} {v} GET
        SET {k} {v} KEEPTTL
        SET {k} {v} EX {ttl}
        SET {k} {v} {junk}
        SETNX {k} {v}
        SETEX {k} {ttl} {v}
        PSETEX {k} {ttlms} {v}
        GET {k}
        GETSET {k} {v}
        GETDEL {k}
        GETEX {k} [PERSIST]
        GETEX {k} EX {ttl}
        APPEND {k} {v}
        STRLEN {k}
        INCR {k}
        DECR {k}
        INCRBY {k} {i}
        DECRBY {k} {i}
        INCRBYFLOAT {k} {f}
        GETRANGE {k} {idx} {idx}
        SUBSTR {k} {idx} {idx}
        SETRANGE {k} {off} {v}
        MSET {k} {v} {k} {v}
        MSETNX {k} {v} {k} {v}
        MGET {k}...
        LCS {k} {k} [LEN]
        LCS {k} {k} IDX [WITHMATCHLEN]
        LCS {k} {k} IDX MINMATCHLEN {n} [WITHMATCHLEN]
        SET {k} {v} EXAT 99999999999 [GET] [NX]
        GETEX {k} PXAT 99999999999999
        OBJECT ENCODING {k}
    """,
    "bitmap": """
        SETBIT {k} {off} {bit}
        GETBIT {k} {off}
        BITCOUNT {k}
        BITCOUNT {k} {idx} {idx}
        BITCOUNT {k} {idx} {idx} BIT
        BITCOUNT {k} {idx} {idx} BYTE
        BITPOS {k} {bit}
        BITPOS {k} {bit} {idx}
        BITPOS {k} {bit} {idx} {idx}
        BITPOS {k} {bit} {idx} {idx} BIT
        BITOP {bitop} {k} {k}...
        BITOP NOT {k} {k}
        BITFIELD {k} GET {bftype} {off} SET {bftype} {off} {i} INCRBY {bftype} {off} {i}
        BITFIELD {k} OVERFLOW {overflow} INCRBY {bftype} {off} {i} GET {bftype} #{smalloff}
        BITFIELD_RO {k} GET {bftype} {off}
        BITFIELD {k} SET {bftype} #{smalloff} {i} OVERFLOW {overflow} INCRBY {bftype} #{smalloff} {i}
        APPEND {k} {v}
        SETRANGE {k} {off} {v}
        SET {k} {v}
        GET {k}
    """,
    "hyperloglog": """
        PFADD {k} {m}...
        PFADD {k}
        PFCOUNT {k}...
        PFMERGE {k} {k}...
        GET {k}
    """,
    "list": """
        LPUSH {k} {v}...
        RPUSH {k} {v}...
        LPUSHX {k} {v}...
        RPUSHX {k} {v}
        LPOP {k}
        RPOP {k}
        LPOP {k} {n}
        RPOP {k} {n}
        LLEN {k}
        LINDEX {k} {idx}
        LSET {k} {idx} {v}
        LINSERT {k} BEFORE {m} {v}
        LINSERT {k} AFTER {m} {v}
        LRANGE {k} {idx} {idx}
        LTRIM {k} {idx} {idx}
        LREM {k} {idx} {m}
        LPOS {k} {m}
        LPOS {k} {m} RANK {idx} COUNT {n} [MAXLEN {n}]
        LMOVE {k} {k} {side} {side}
        RPOPLPUSH {k} {k}
        LMPOP {numkeys2} {k} {k} {side} [COUNT {n}]
        RPUSH {k} {m} {m} {m} {m}
        SORT {k}
        SORT {k} ALPHA [DESC] [LIMIT {idx} {n}]
        SORT {k} BY nosort GET # GET w_*
        SORT_RO {k} ALPHA
        SORT {k} ALPHA STORE {k}
        SORT {k} BY w_* LIMIT {idx} {n} STORE {k}
    """,
    "set": """
        SADD {k} {m}...
        SADD {k} {i}...
        SREM {k} {m}...
        SISMEMBER {k} {m}
        SMISMEMBER {k} {m}...
        SCARD {k}
        SMEMBERS {k}
        SMOVE {k} {k} {m}
        SINTER {k}...
        SUNION {k}...
        SDIFF {k}...
        SINTERCARD {numkeys2} {k} {k} [LIMIT {n}]
        SINTERSTORE {k} {k}...
        SUNIONSTORE {k} {k}...
        SDIFFSTORE {k} {k}...
        SPOP {k} 100000
        SRANDMEMBER {k} 0
        SSCAN {k} 0 COUNT 100000 [MATCH {pattern}]
        SORT {k} ALPHA
    """,
    "hash": """
        HSET {k} {m} {v}
        HSET {k} {m} {v} {m} {v}
        HSET {k} {m} {i}
        HMSET {k} {m} {v} {m} {v}
        HSETNX {k} {m} {v}
        HGET {k} {m}
        HMGET {k} {m}...
        HGETALL {k}
        HKEYS {k}
        HVALS {k}
        HLEN {k}
        HSTRLEN {k} {m}
        HEXISTS {k} {m}
        HDEL {k} {m}...
        HINCRBY {k} {m} {i}
        HINCRBYFLOAT {k} {m} {f}
        HRANDFIELD {k} 0
        HSCAN {k} 0 COUNT 100000 [MATCH {pattern}]
    """,
    "zset": """
        ZADD {k} {f} {m}
        ZADD {k} {f} {m} {f} {m} {f} {m}
        ZADD {k} [{zflag}] [{zflag2}] [CH] {f} {m}
        ZADD {k} [{zflag}] INCR {f} {m}
        ZINCRBY {k} {f} {m}
        ZSCORE {k} {m}
        ZMSCORE {k} {m}...
        ZCARD {k}
        ZCOUNT {k} {score} {score}
        ZLEXCOUNT {lk} {lex} {lex}
        ZRANK {k} {m}
        ZREVRANK {k} {m}
        ZRANGE {k} {idx} {idx} [REV] [WITHSCORES]
        ZRANGE {k} {score} {score} BYSCORE [REV] [LIMIT {idx} {idx}] [WITHSCORES]
        ZRANGE {lk} {lex} {lex} BYLEX [REV] [LIMIT {idx} {idx}]
        ZADD {lk} 0 {m} 0 {m} 0 {m}
        ZADD {lk} 0 {m}
        ZRANGESTORE {lk} {lk} {lex} {lex} BYLEX [REV] [LIMIT {idx} {idx}]
        ZUNIONSTORE {lk} 2 {lk} {lk}
        ZREM {lk} {m}...
        ZRANGESTORE {k} {k} {idx} {idx} [REV]
        ZRANGESTORE {k} {k} {score} {score} BYSCORE
        ZREVRANGE {k} {idx} {idx} [WITHSCORES]
        ZRANGEBYSCORE {k} {score} {score} [WITHSCORES] [LIMIT {idx} {idx}]
        ZREVRANGEBYSCORE {k} {score} {score} [WITHSCORES] [LIMIT {idx} {idx}]
        ZRANGEBYLEX {lk} {lex} {lex} [LIMIT {idx} {idx}]
        ZREVRANGEBYLEX {lk} {lex} {lex}
        ZREM {k} {m}...
        ZREMRANGEBYRANK {k} {idx} {idx}
        ZREMRANGEBYSCORE {k} {score} {score}
        ZREMRANGEBYLEX {lk} {lex} {lex}
        ZPOPMIN {k} [{n}]
        ZPOPMAX {k} [{n}]
        ZMPOP {numkeys2} {k} {k} {minmax} [COUNT {n}]
        ZUNION {numkeys2} {k} {k} [WEIGHTS {f} {f}] [AGGREGATE {aggregate}] [WITHSCORES]
        ZINTER {numkeys2} {k} {k} [WEIGHTS {f} {f}] [AGGREGATE {aggregate}] [WITHSCORES]
        ZDIFF {numkeys2} {k} {k} [WITHSCORES]
        ZINTERCARD {numkeys2} {k} {k} [LIMIT {n}]
        ZUNIONSTORE {k} {numkeys2} {k} {k} [WEIGHTS {f} {f}] [AGGREGATE {aggregate}]
        ZINTERSTORE {k} {numkeys2} {k} {k} [AGGREGATE {aggregate}]
        ZDIFFSTORE {k} {numkeys2} {k} {k}
        ZRANDMEMBER {k} 0
        ZSCAN {k} 0 COUNT 100000 [MATCH {pattern}]
        SORT {k} ALPHA [DESC]
        SORT {k} BY nosort [DESC] LIMIT 0 100000
    """,
    "geo": """
        GEOADD {k} {lon} {lat} {m}
        GEOADD {k} [{zflag}] [CH] {lon} {lat} {m} {lon} {lat} {m}
        GEOPOS {k} {m}...
        GEODIST {k} {m} {m} [{unit}]
        GEOHASH {k} {m}...
        GEOSEARCH {k} FROMLONLAT {lon} {lat} BYRADIUS {radius} {unit} ASC [COUNT {n}] [WITHCOORD] [WITHDIST] [WITHHASH]
        GEOSEARCH {k} FROMMEMBER {m} BYBOX {radius} {radius} {unit} DESC [WITHDIST]
        GEOSEARCHSTORE {k} {k} FROMLONLAT {lon} {lat} BYRADIUS {radius} {unit} ASC [STOREDIST]
        GEORADIUS {k} {lon} {lat} {radius} {unit} [WITHDIST] [WITHCOORD] ASC
        GEORADIUSBYMEMBER {k} {m} {radius} {unit} ASC
        GEORADIUSBYMEMBER_RO {k} {m} {radius} {unit} DESC [WITHDIST]
        GEORADIUSBYMEMBER {k} {m} {radius} {unit} [COUNT {n}] [STOREDIST {k}]
        GEORADIUS {k} {lon} {lat} {radius} {unit} [{order}] [COUNT {n}] [STORE {k}]
        GEORADIUS {k} {lon} {lat} {radius} {unit} [{order}] [COUNT {n}] [ANY] [WITHDIST]
        GEOSEARCH {k} FROMLONLAT {lon} {lat} BYBOX {radius} {radius} {unit} [{order}] [COUNT {n}] [ANY] [WITHDIST]
        GEOSEARCHSTORE {k} {k} FROMMEMBER {m} BYBOX {radius} {radius} {unit} [COUNT {n}] [STOREDIST]
        GEORADIUS_RO {k} {lon} {lat} {radius} {unit} WITHHASH ASC
        ZRANGE {k} 0 -1 WITHSCORES
        ZREM {k} {m}
    """,
    "stream": """
        XADD {k} {id} {m} {v}
        XADD {k} {id} {m} {v} {m} {v}
        XADD {k} NOMKSTREAM {id} {m} {v}
        XADD {k} MAXLEN {n} {id} {m} {v}
        XADD {k} MINID {id} {id} {m} {v}
        XADD {k} MAXLEN ~ {n} LIMIT {n} {id} {m} {v}
        XADD {k} MINID = {id} {id} {m} {v}
        XLEN {k}
        XRANGE {k} {sid} {sid} [COUNT {n}]
        XREVRANGE {k} {sid} {sid} [COUNT {n}]
        XDEL {k} {id}...
        XTRIM {k} MAXLEN {n}
        XTRIM {k} MINID {id}
        XTRIM {k} MAXLEN ~ {n} [LIMIT {n}]
        XREAD [COUNT {n}] STREAMS {k} {k} {id} {id}
        XREAD STREAMS {k} $
        XGROUP CREATE {k} {group} {gid} [MKSTREAM]
        XGROUP SETID {k} {group} {gid}
        XGROUP DESTROY {k} {group}
        XGROUP CREATECONSUMER {k} {group} {consumer}
        XGROUP DELCONSUMER {k} {group} {consumer}
        XREADGROUP GROUP {group} {consumer} [COUNT {n}] [NOACK] STREAMS {k} >
        XREADGROUP GROUP {group} {consumer} STREAMS {k} {id}
        XACK {k} {group} {id}...
        XPENDING {k} {group}
        XPENDING {k} {group} {sid} {sid} {n}
        XPENDING {k} {group} IDLE 0 {sid} {sid} {n} {consumer}
        XCLAIM {k} {group} {consumer} 0 {id} [FORCE] [JUSTID]
        XCLAIM {k} {group} {consumer} {n} {id} {id} [IDLE 5000] [RETRYCOUNT {n}] [LASTID {id}]
        XAUTOCLAIM {k} {group} {consumer} 0 {sid0} [COUNT {n}] [JUSTID]
        XSETID {k} {topid} [ENTRIESADDED {n}]
        XINFO STREAM {k}
        XINFO STREAM {k} FULL [COUNT {n}]
        XINFO GROUPS {k}
        XINFO CONSUMERS {k} {group}
    """,
    "generic": """
        DEL {k}...
        UNLINK {k}
        EXISTS {k}...
        TYPE {k}
        RENAME {k} {k}
        RENAMENX {k} {k}
        COPY {k} {k} [REPLACE]
        EXPIRE {k} {ttl} [{xflag}]
        PEXPIRE {k} {ttlms}
        EXPIREAT {k} 99999999999
        PEXPIREAT {k} 99999999999999 [{xflag}]
        PTTL {k}
        PEXPIRETIME {k}
        COPY {k} {k} DB 1 [REPLACE]
        SCAN 0 COUNT 100000 TYPE {type} [MATCH {pattern}]
        PERSIST {k}
        TTL {k}
        EXPIRETIME {k}
        TOUCH {k}...
        KEYS {pattern}
        DBSIZE
        MOVE {k} 1
        OBJECT REFCOUNT {nokey}
        SORT {k}
        DUMP {nokey}
        {junk} {k}
        SCAN 0 COUNT 100000
        SWAPDB 0 1
    """,
}

SMALL = [str(i) for i in range(-3, 12)]
HOSTILE_NUMBERS = ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "", " 1", "1 ", "+1", "01", "-0", "1e5", "abc",
                   "0x10", "1.5", "nan", "inf", "18446744073709551615", "4294967296", "2147483648"]
FLOATS = ["0", "1", "-1", "1.5", "-2.25", "3.14159", "1e10", "1e-5", "inf", "-inf", "+inf", "0.1", "0.2", "100", "5.0e3", "-0", "1e300",
          "123456789.123", "9007199254740993"]
HOSTILE_FLOATS = ["nan", "", "abc", "1e400", "--1", "1.5.2", " 1", "1 ", "1e", "0x1p3", "infinityx"]

# Without its count each of these answers with a member of its choice.
RANDOM_WHEN_SHORTER = {"SPOP", "ZRANDMEMBER", "HRANDFIELD"}
# An option came, so that one word more is another error than for the reference.
LONGER_SINCE_7_2 = {"ZRANK", "ZREVRANK"}


def draws_lots(command):
    """Whether what a command answers (or takes) is drawn at random: two servers do not draw the same."""
    if command[0] not in ("SPOP", "SRANDMEMBER", "HRANDFIELD", "ZRANDMEMBER"):
        return False
    return len(command) == 2 or (len(command) > 2 and command[2] not in ("0", "100000"))


class Generator:
    def __init__(self, rng: random.Random, families):
        self.rng = rng
        self.families = families
        self.templates = {name: [line.split() for line in FAMILIES[name].strip().splitlines()] for name in families}
        self.clock = 0  # of stream ids
        self.makers = {
            "v": self.value, "m": self.member, "i": self.integer, "n": self.count, "f": self.float, "idx": self.index,
            "off": self.offset, "smalloff": lambda: str(rng.randrange(20)), "bit": lambda: self.mostly(["0", "1"], ["2", "-1", "x"]),
            "ttl": lambda: self.mostly(["1000", "5000", "100000"], ["0", "-1", "abc", "9223372036854775807"]),
            "ttlms": lambda: self.mostly(["1000000", "5000000"], ["0", "-5", "abc", "9223372036854775807"]),
            "junk": lambda: rng.choice(["NOSUCH", "", "EX", "GET", "foo"]),
            "side": lambda: self.mostly(["LEFT", "RIGHT", "left"], ["MIDDLE"]),
            "minmax": lambda: self.mostly(["MIN", "MAX"], ["MID"]),
            "bitop": lambda: self.mostly(["AND", "OR", "XOR"], ["NAND"]),
            "bftype": lambda: self.mostly(["u8", "i8", "u16", "i5", "u63", "i64", "u1", "i32"], ["u64", "i65", "u0", "x8"]),
            "overflow": lambda: self.mostly(["WRAP", "SAT", "FAIL"], ["X"]),
            "numkeys2": lambda: self.mostly(["2"], ["0", "1", "3", "-1", "x"]),
            "zflag": lambda: rng.choice(["NX", "XX"]), "zflag2": lambda: rng.choice(["GT", "LT"]),
            "xflag": lambda: rng.choice(["NX", "XX", "GT", "LT"]),
            "aggregate": lambda: self.mostly(["SUM", "MIN", "MAX"], ["AVG"]),
            "score": self.score, "lex": self.lex,
            "lon": lambda: self.mostly([f"{rng.uniform(-10, 30):.4f}", f"{rng.uniform(-180, 180):.3f}"], ["181", "abc"]),
            "lat": lambda: self.mostly([f"{rng.uniform(35, 60):.4f}", f"{rng.uniform(-85, 85):.3f}"], ["86", "-86"]),
            "radius": lambda: self.mostly(["1", "50", "200", "500.5", "2000", "7000", "0"], ["-1", "x", "nan", "1e9"]),
            "order": lambda: self.mostly(["ASC", "DESC"], ["UP"]),
            "unit": lambda: self.mostly(["m", "km", "mi", "ft", "KM"], ["cm"]),
            "id": self.stream_id, "topid": lambda: f"{self.clock}-{rng.randrange(3)}", "sid": self.range_id, "sid0": lambda: rng.choice(["0", "0-0", "-", "5"]),
            "gid": lambda: self.mostly(["$", "0", "3-0"], ["x"]), "group": lambda: f"g{rng.randrange(3)}",
            "consumer": lambda: f"c{rng.randrange(3)}", "pattern": lambda: rng.choice(["*", "k*", "m?", "list?", "[a-m]*", "*t*", "[^m]*", ""]),
            "type": lambda: rng.choice(["string", "list", "set", "hash", "zset", "stream", "SET", "none"]),
            "nokey": lambda: "missing",
            # Sets of one score: where scores are mixed, what a range by bytes finds in a skip list depends on chance.
            "lk": lambda: f"zset_lex{rng.randrange(3)}",
        }

    def mostly(self, good, bad):
        return self.rng.choice(good) if self.rng.random() < 0.93 else self.rng.choice(bad)

    def key(self, family):
        rng = self.rng
        if family == "generic" or rng.random() < 0.04:
            family = rng.choice(self.families)
        return f"{family}{rng.randrange(6)}"

    def value(self):
        rng = self.rng
        draw = rng.random()
        if draw < 0.35:
            return rng.choice(SMALL)
        if draw < 0.7:
            return f"value{rng.randrange(50)}"
        if draw < 0.8:
            return rng.choice(FLOATS)
        if draw < 0.85:
            return rng.choice(HOSTILE_NUMBERS)
        if draw < 0.9:
            return "x" * rng.choice([0, 40, 44, 45, 63, 64, 65, 100, 1023, 1025, 5000])
        if draw < 0.95:
            return rng.randbytes(rng.randrange(30))
        return str(rng.randrange(-10**12, 10**12))

    def member(self):
        rng = self.rng
        draw = rng.random()
        if draw < 0.7:
            return f"m{rng.randrange(40)}"
        if draw < 0.9:
            return rng.choice(SMALL)
        if draw < 0.95:
            return "m" * rng.choice([0, 63, 64, 65, 200])
        return rng.randbytes(rng.randrange(12))

    def integer(self):
        return self.mostly(SMALL + ["100", "-100", "1000000", str(self.rng.randrange(-10**15, 10**15))], HOSTILE_NUMBERS)

    def count(self):
        return self.mostly(["0", "1", "2", "3", "10", "100"], ["-1", "abc", "9223372036854775807"])

    def index(self):
        return self.mostly(SMALL + ["-100", "100", "-1", "-1"], HOSTILE_NUMBERS)

    def offset(self):
        return self.mostly([str(self.rng.randrange(200)), "0", "7", "8", "1000"], ["-1", "abc", "4294967296", "9223372036854775807"])

    def float(self):
        return self.mostly(FLOATS + SMALL, HOSTILE_FLOATS)

    def score(self):
        return self.mostly(["-inf", "+inf", "(1", "(5", "0", "1", "3", "10", "(-1", "1.5", "inf"], ["abc", "(", "", "nan", "(inf"])

    def lex(self):
        return self.mostly(["-", "+", "[m1", "(m1", "[m2", "(m39", "[", "(", "[1"], ["m", "", "abc", "[m5"])

    def stream_id(self):
        rng = self.rng
        if rng.random() < 0.6:
            self.clock += rng.randrange(3)
            return f"{self.clock}-{rng.randrange(3)}"
        if rng.random() < 0.8:
            return rng.choice([str(rng.randrange(self.clock + 2)), f"{rng.randrange(self.clock + 2)}-{rng.randrange(3)}",
                               f"{self.clock + 1}-*", "0-0", "0-1"])
        return rng.choice(["abc", "1-2-3", "-1", "18446744073709551615-18446744073709551615" if rng.random() < 0.02 else "x", ""])

    def range_id(self):
        return self.rng.choice(["-", "+", "0", "1", str(self.rng.randrange(self.clock + 1)), f"({self.rng.randrange(self.clock + 1)}", "abc"
                                if self.rng.random() < 0.1 else "+"])

    def word(self, token, family):
        if "{" not in token:
            return token
        before, rest = token.split("{", 1)
        name, after = rest.split("}", 1)
        made = self.key(family) if name == "k" else self.makers[name]()
        if isinstance(made, bytes):
            return made
        return before + made + after

    def command(self):
        rng = self.rng
        while True:
            family = rng.choice(self.families)
            command = self.fill(rng.choice(self.templates[family]), family)
            if not draws_lots(command):
                return command

    def fill(self, template, family):
        rng = self.rng
        words = []
        skipping = keeping = False
        for token in template:
            if token.startswith("["):
                keeping = rng.random() < 0.5
                skipping = not keeping
                token = token[1:]
            closes = token.endswith("]")
            if closes:
                token = token[:-1]
            if not skipping:
                times = 1
                if token.endswith("..."):
                    token = token[:-3]
                    times = rng.randrange(1, 5)
                words.extend(self.word(token, family) for _ in range(times))
            if closes:
                skipping = keeping = False
        if rng.random() < 0.01 and len(words) > 1 and words[0] not in RANDOM_WHEN_SHORTER:
            words.pop(rng.randrange(1, len(words)))
        # Not both: a value in the place of a time to live would be one of milliseconds.
        elif rng.random() < 0.01 and words[0] not in LONGER_SINCE_7_2:
            words.append(self.value())
        return words
