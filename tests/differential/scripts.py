"""Scripts of the differential tester: small random Lua programs that call commands and turn values into each other, run by EVAL on
Larder and on redis-server alike.

A program is a few statements, each of which keeps a value, and a return of some of them. Commands come from the generator
of the data rounds, without those whose order or digits may differ. No program depends on what differs from one run to the next:
the order of a table's names (so what becomes a map in a reply has one) and addresses (so nothing that may hold one is hashed).
What keys hold is not made a number: LuaJIT refuses a few texts that Lua 5.1 takes (docs/decisions/2026-11-21-luajit.md).
What may differ, and why, is in explained().
"""

import re

from generator import Generator

SCRIPTS = 300
BATCH_MAX = 20
FAMILIES = ("string", "list", "bitmap")
# Not inside scripts: what differs for reasons of its own (see differ.explained), which a script's reply would only hide.
EXCLUDED = {"SORT", "SORT_RO", "LPOS", "BITCOUNT", "BITPOS", "LCS", "OBJECT", "TTL", "PTTL", "GEOADD"}
COMMANDS = """
    redis.call('ZADD', 'zset1', '{i}', 'a', '{i}', 'b')
    redis.call('ZRANGE', 'zset1', 0, -1, 'WITHSCORES')
    redis.call('ZSCORE', 'zset1', 'a')
    redis.call('HSET', 'hash1', 'f', '{s}')
    redis.call('HGETALL', 'hash1')
    redis.call('SADD', 'set1', '{s}')
    redis.call('SMEMBERS', 'set2')
    redis.call('SISMEMBER', 'set1', '{s}')
    redis.call('XADD', 'stream1', '{i}-1', 'f', '{s}')
    redis.call('XLEN', 'stream1')
    redis.call('EXISTS', 'zset1', 'hash1', 'set1')
    redis.call('PING')
    redis.call('ECHO', '{s}')
    redis.call('TYPE', 'list1')
    redis.call('GET')
    redis.call('NOSUCH', 1)
    redis.call()
    redis.call({})
    redis.call('SET', 'string1', {n})
    redis.call('EVAL', 'return 1', 0)
    redis.call('SELECT', 0)
    redis.call('MULTI')
    redis.call('CLIENT', 'GETNAME')
    redis.sha1hex({l})
    redis.error_reply('{s}')
    redis.error_reply('MY {s}')
    redis.status_reply('{s}')
    redis.error_reply()
    redis.acl_check_cmd('GET', 'a')
"""
EXPRESSIONS = """
    type({v})
    tostring({x})
    tonumber({l})
    #{d}
    {n} + {n}
    {z} * {z}
    {n} % 7
    math.floor({n})
    {s1} .. {s1}
    {t}[{i}]
    {t}['ok']
    {t}['err']
    {t}['map']
    {v} == {v}
    cjson.encode({l})
    cjson.encode({d})
    cjson.decode(cjson.encode({l}))
    cjson.decode('{json}')
    cjson.decode({s1})
    cmsgpack.pack({l})
    cmsgpack.pack({l}, {d})
    cmsgpack.unpack(cmsgpack.pack({l}))
    cmsgpack.unpack({s1})
    {struct}
    struct.unpack('>I4', struct.pack('>I4', {i}))
    struct.size('{format}')
    bit.band({n}, {n})
    bit.bor({n}, {i})
    bit.bxor({n}, 255)
    bit.lshift({n}, {i})
    bit.arshift({n}, {i})
    bit.tohex({n})
    bit.bswap({n})
    string.rep({s1}, {i})
    string.sub({s1}, {i}, {i})
    string.upper({s1})
    string.format('%d|%s|%5.2f', {i}, '{s}', {n})
    string.find({s1}, '{pattern}')
    string.gsub({s1}, '{pattern}', '<%0>')
    string.byte({s1}, 1, -1)
    table.concat({d}, ',')
    select('#', unpack({d}))
    next({d})
    pcall(error, {v})
    pcall(error, {err='ERR {s}'})
    pcall(redis.call, 'GET')
    pcall(redis.call, 'INCR', 'list1')
    fields(redis.pcall('INCR', 'list1'))
    fields(redis.pcall('GET'))
    fields(redis.pcall('NOSUCH', {i}))
    fields(redis.pcall({d}))
    fields(redis.error_reply('{s}'))
    fields(redis.error_reply({n}))
    fields(select(2, xpcall(function() return {{v}, redis.call('INCR', 'list1')} end, function(e) return e end)))
    fields(select(2, xpcall(function() return {{v}, redis.call('GET')} end, function(e) return e end)))
    {s1}:len()
    loadstring('return ' .. {i})()
"""
TABLES = ("{v}", "{v}, {v}", "{v}, nil, {v}", "nil, {v}", "{v}, {{v}}, {v}", "", "ok={s1}", "err={s1}", "err='CODE text'", "double={n}",
          "map={[{s1}]={v}}", "set={[{s1}]=true}", "big_number='{i}'", "verbatim_string={string={s1},format='txt'}", "1, 2, x=3",
          "double='x'", "map={w}", "ok={v}", "err={v}", "big_number={v}")
JSON = ("[]", "{}", "[1,2.5,-3e10]", "{\"a\":[null,true]}", "\"\\\\u00e9\\\\n\"", "[1,", "nul", "1e400", "[[[[]]]]", "{\"a\":1} x", "123456789012345678")
FORMATS = ("bBhHlL", ">I2", "<i8", "s", "c3", ">d", "f", "z", "!4bi", "")
PATTERNS = ("a", ".", "%d+", "[a-c]*", "(.)(.)", "^b", "%w$", "%b()", "%f[a]", "[", "%", ".-x")


# What a script sees of an error: all of its fields.
FIELDS = """local function fields(value)
if type(value) ~= 'table' then return type(value) end
local seen = {}
for name, field in pairs(value) do seen[#seen + 1] = tostring(name) .. '=' .. tostring(field):sub(1, 90) end
table.sort(seen)
return table.concat(seen, ';')
end"""

ADDRESS = re.compile(r"(?<=table: )0x[0-9a-f]+")


class Programs:
    def __init__(self, rng):
        self.rng = rng
        self.generator = Generator(rng, FAMILIES)
        self.commands = [line.strip() for line in COMMANDS.strip().splitlines()]
        self.expressions = [line.strip() for line in EXPRESSIONS.strip().splitlines()]
        self.names = []

    def quoted(self, word):
        raw = word if isinstance(word, bytes) else word.encode()
        return "'" + "".join(chr(c) if 32 <= c < 127 and c not in (39, 92) else f"\\{c:03d}" for c in raw) + "'"

    def number(self):
        return self.rng.choice(["0", "1", "-1", "7", "3.5", "-2.75", "1e15", "9007199254740993", "1e100", "123456789", "0.1", "-3.999",
                                "2147483648", "4294967295"])

    def factor(self):
        """Not 0: where Lua 5.1 computes -0 at compile time, each 0 in the same function is -0 from there on."""
        while (number := self.number()) == "0":
            pass
        return number

    def string(self):
        return self.quoted(self.rng.choice(["", "a", "abc", "10", "-7", "3.25", "0x10", " 5 ", "a\0b", "OK", "tr\u00e9s", "x" * 50, "1e3",
                                            "line\r\nend"]))

    def table(self):
        return "{" + self.filled(self.rng.choice(TABLES)) + "}"

    def value(self):
        """An expression without errors: literals, and what earlier statements kept."""
        rng = self.rng
        return rng.choice(self.names) if self.names and rng.random() < 0.375 else self.fresh()

    def fresh(self):
        """A literal, or a table that is made where it stands: each has one key that is no position, so that its order is known."""
        rng = self.rng
        kind = rng.randrange(5)
        if kind == 0:
            return rng.choice(["nil", "true", "false"])
        return self.number() if kind == 1 else self.table() if kind == 2 and rng.random() < 0.5 else self.string()

    def literal(self):
        return self.rng.choice([self.number, self.string, self.dense])()

    def dense(self):
        """A table without holes: where its end is, each Lua decides for itself."""
        return "{" + ", ".join(self.rng.choice([self.number, self.string])() for _ in range(self.rng.randrange(4))) + "}"

    def filled(self, text):
        rng = self.rng
        makers = {"v": self.value, "w": self.fresh, "z": self.factor, "n": self.number, "i": lambda: str(rng.choice([-1, 0, 1, 2, 3, 5, 8, 31, 33])), "s1": self.string,
                  "s": lambda: rng.choice(["a", "abc", "two words", "", "10"]), "t": self.table_or_name, "x": self.value,
                  "l": self.literal, "d": self.dense,
                  "json": lambda: rng.choice(JSON), "format": lambda: rng.choice(FORMATS), "pattern": lambda: rng.choice(PATTERNS),
                  "struct": lambda: f"struct.pack('{rng.choice(FORMATS)}', {self.value()}, {self.number()}, {self.number()})"}
        return re.sub(r"\{(\w+)\}", lambda match: makers[match[1]]() if match[1] in makers else match[0], text)

    def table_or_name(self):
        return self.rng.choice(self.names) if self.names and self.rng.random() < 0.4 else self.table()

    def command(self):
        if self.rng.random() < 0.4:
            return self.filled(self.rng.choice(self.commands))
        while True:
            words = self.generator.command()
            if str(words[0]).upper() not in EXCLUDED:
                break
        arguments = [word if isinstance(word, str) and re.fullmatch(r"-?[1-9]\d{0,8}", word) and self.rng.random() < 0.5
                     else self.quoted(word) for word in words]
        return f"redis.call({', '.join(arguments)})"

    def expression(self):
        rng = self.rng
        made = self.command() if rng.random() < 0.5 else self.filled(rng.choice(self.expressions))
        if made.startswith("redis.call") and rng.random() < 0.4:
            made = "redis.pcall" + made[len("redis.call"):]
        return made

    def program(self):
        """Lines of Lua, and whether what they return may be compared to the byte."""
        rng = self.rng
        self.names = []
        lines = [FIELDS] + (["redis.setresp(3)"] if rng.random() < 0.3 else [])
        for i in range(rng.randrange(1, 6)):
            if rng.random() < 0.3:
                # No tail call: LuaJIT forgets the caller's line then, which the error's text begins with.
                lines.append(f"local _, r{i} = pcall(function() local v = {self.expression()} return v end)")
            else:
                lines.append(f"local r{i} = {self.expression()}")
            # LuaJIT takes no text with a zero byte for a number, Lua 5.1 reads up to it: none is made of what keys hold.
            lines.append(f"r{i} = type(r{i}) == 'string' and r{i}:gsub('%z', '0') or r{i}")
            self.names.append(f"r{i}")
        returned = rng.randrange(5)
        if returned == 0:
            lines.append(f"return {self.value()}")
        elif returned == 1:
            lines.append(f"return {rng.choice(self.names)}")
        elif returned == 2:
            lines.append("return {" + ", ".join(f"type({name}), tostring({name}):sub(1, 6)" for name in self.names) + "}")
        else:
            lines.append("return {" + ", ".join(self.names) + "}")
        return "\n".join(lines)


def explained(ours, theirs, differ):
    """Why two different replies to a script are both right, or None."""
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)) and len(ours) == len(theirs):
        return all(a == b or explained(a, b, differ) for a, b in zip(ours, theirs)) or None
    if differ.same_but_for_digits(ours, theirs):
        return "later versions write doubles in fewer digits"
    if isinstance(ours, str) and isinstance(theirs, str) and type(ours) is type(theirs) and ours.partition("\0")[0] == theirs:
        return "the reference ends a status and an error at its first zero byte"
    if type(ours) is not type(theirs) or not isinstance(ours, (bytes, str)):
        return None
    if isinstance(ours, bytes):
        ours, theirs = ours.decode("latin1"), theirs.decode("latin1")
    if ADDRESS.sub("", ours) == ADDRESS.sub("", theirs):
        return "values lie at other addresses"
    if "user_script" in ours and "user_script" in theirs and ours.split(" ")[0] == theirs.split(" ")[0]:
        return "LuaJIT names what is wrong in its own words"
    return None


class Scripts:
    def __init__(self, tester, rng, differ):
        self.tester = tester
        self.rng = rng
        self.differ = differ
        self.programs = Programs(rng)

    def round(self):
        tester = self.tester
        version = self.rng.choice(["2", "3"])
        for connection in tester.connections:
            connection.call("FLUSHALL")
            connection.call("HELLO", version)
        history = []
        while len(history) < SCRIPTS:
            batch = [["EVAL", self.programs.program(), "0"] for _ in range(self.rng.randrange(1, BATCH_MAX))]
            for command, ours, theirs in tester.both(batch) or ():
                if ours != theirs and not explained(ours, theirs, self.differ):
                    tester.fail(history, command, ours, theirs)
                    print("    " + command[1].replace("\n", "\n    "), flush=True)
                    return
            history.extend(batch)
            tester.compared += len(batch)
        tester.compare_keyspaces(history)
