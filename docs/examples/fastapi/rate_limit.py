"""Rate limits for FastAPI (and Starlette): one RL.TAKE for all limits of a request, which counts the request in each of
them or in none.

    from rate_limit import Limit, RateLimitMiddleware

    def limits(request):
        return [Limit(f"limit:ip:{request.client.host}", "GCRA", 100, 60_000),    # 100 a minute, evenly
                Limit(f"limit:path:{request.url.path}", "FIXED", 5_000, 1_000)]   # 5,000 a second for all

    app.add_middleware(RateLimitMiddleware, client=redis.asyncio.Redis(), limits=limits)

Requests pass while the server cannot be asked, unless `fail_open` is False.
"""

from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse


class Limit:
    """A key and the words of its rule."""

    def __init__(self, key, *rule):
        self.key = key
        self.rule = rule


def fields(reply):
    """RL.TAKE answers a map: a dict in RESP3, names and values by turns in RESP2."""
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2])
    return {name.decode() if isinstance(name, bytes) else name: value for name, value in pairs}


class RateLimitMiddleware(BaseHTTPMiddleware):
    def __init__(self, app, client, limits, cost=lambda request: 1, fail_open=True):
        super().__init__(app)
        self.client = client
        self.limits = limits
        self.cost = cost
        self.fail_open = fail_open

    async def take(self, request):
        limits = self.limits(request)
        return fields(await self.client.execute_command(
            "RL.TAKE", len(limits), *(limit.key for limit in limits),
            *(word for limit in limits for word in limit.rule), "COST", self.cost(request)))

    async def dispatch(self, request, call_next):
        try:
            verdict = await self.take(request)
        except Exception:
            if not self.fail_open:
                raise
            return await call_next(request)
        if verdict["allowed"]:  # 1, or true in RESP3
            response = await call_next(request)
        else:
            limited_by = verdict["limited_by"]
            if isinstance(limited_by, bytes):
                limited_by = limited_by.decode()
            response = JSONResponse({"error": "too many requests", "limited_by": limited_by}, status_code=429)
            if verdict["retry_after"] >= 0:  # -1: no waiting helps
                response.headers["Retry-After"] = str(verdict["retry_after"])
        response.headers["RateLimit-Limit"] = str(verdict["limit"])
        response.headers["RateLimit-Remaining"] = str(verdict["remaining"])
        response.headers["RateLimit-Reset"] = str(verdict["reset"])
        return response
