'use strict';

// Rate limits for Express: one RL.TAKE for all limits of a request, which counts the request in each of them or in none.
//
//   const { rateLimit } = require('./rate_limit.js');
//   app.use(rateLimit(client, (req) => [
//     { key: `limit:ip:${req.ip}`, rule: ['GCRA', 100, 60_000] },                 // 100 a minute, evenly
//     { key: `limit:user:${req.user}`, rule: ['BUCKET', 50, 10, 1_000] },         // bursts of 50, 10 a second
//   ]));
//
// `client` is a connected client of the package redis (or anything else with sendCommand(words)). Options: `cost` of a
// request, a number or (req) => number; `failOpen`, whether requests pass while the server cannot be asked (default: yes).

// RL.TAKE answers a map: an object in RESP3, names and values by turns in RESP2.
function fields(reply) {
  if (reply instanceof Map) return Object.fromEntries(reply);
  if (!Array.isArray(reply)) return reply;
  const object = {};
  for (let i = 0; i < reply.length; i += 2) object[String(reply[i])] = reply[i + 1];
  return object;
}

function rateLimit(client, limitsOf, { cost = 1, failOpen = true } = {}) {
  return async (req, res, next) => {
    const limits = limitsOf(req);
    const price = typeof cost === 'function' ? cost(req) : cost;
    const words = ['RL.TAKE', limits.length, ...limits.map((limit) => limit.key),
      ...limits.flatMap((limit) => limit.rule), 'COST', price];
    let verdict;
    try {
      verdict = fields(await client.sendCommand(words.map(String)));
    } catch (error) {
      return failOpen ? next() : next(error);
    }
    res.set('RateLimit-Limit', String(verdict.limit));
    res.set('RateLimit-Remaining', String(verdict.remaining));
    res.set('RateLimit-Reset', String(verdict.reset));
    if (verdict.allowed) return next(); // 1, or true in RESP3
    if (verdict.retry_after >= 0) res.set('Retry-After', String(verdict.retry_after)); // -1: no waiting helps
    return res.status(429).json({ error: 'too many requests', limited_by: String(verdict.limited_by) });
  };
}

module.exports = { rateLimit };
