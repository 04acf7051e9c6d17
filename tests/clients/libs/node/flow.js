'use strict';

// Libraries whose work is done by scripts, and the middleware of docs/examples/express: rate limits, locks, caches, and
// queues whose worker dies in the middle of a job.

const http = require('http');
const express = require('express');
const Redis = require('ioredis');
const { createClient } = require('redis');
const { dieAs, stall } = require('./dying_worker.js');
const { rateLimit: exampleLimit } = require('./rate_limit.js');
const { assert, check, runParts, settings, sleep, within } = require('./node_checks.js');

const kServer = { host: settings.host, port: settings.port };

async function connect(extra) {
  const client = createClient({ socket: kServer, ...extra });
  client.on('error', () => {});
  await client.connect();
  return client;
}

// Serves one route behind `middleware` while `body(get)` runs; get(path) answers { status, headers, body }.
async function served(middleware, body) {
  const app = express();
  app.use(middleware);
  app.get(/.*/, (req, res) => res.send('served'));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  const get = (path) => within(new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let text = '';
      response.on('data', (piece) => { text += piece; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    }).on('error', reject);
  }), path);
  try {
    await body(get);
  } finally {
    server.close();
  }
}

async function expressExample() {
  for (const RESP of [2, 3]) {
    const client = await connect({ RESP });
    await client.flushAll();
    const limits = (req) => [{ key: `limit:path:${req.path}`, rule: ['GCRA', 3, 60_000] },
      { key: 'limit:all', rule: ['FIXED', 5, 60_000] }];
    await served(exampleLimit(client, limits), async (get) => {
      await check('express_example_limits', async () => {
        const first = await get('/a');
        assert.deepStrictEqual([first.status, first.body, first.headers['ratelimit-limit'],
          first.headers['ratelimit-remaining'], first.headers['ratelimit-reset']], [200, 'served', '3', '2', '20']);
        assert.strictEqual((await get('/a')).headers['ratelimit-remaining'], '1');
        assert.strictEqual((await get('/a')).status, 200);
      });
      await check('express_example_refuses_with_headers', async () => {
        const refused = await get('/a');
        assert.strictEqual(refused.status, 429);
        assert.strictEqual(JSON.parse(refused.body).limited_by, 'limit:path:/a');
        assert.strictEqual(refused.headers['ratelimit-remaining'], '0');
        const wait = Number(refused.headers['retry-after']);
        assert.ok(wait >= 19 && wait <= 20, `Retry-After ${wait}`);
      });
      await check('express_example_counts_in_all_or_none', async () => {
        for (let i = 0; i < 5; i += 1) assert.strictEqual((await get('/a')).status, 429);
        assert.deepStrictEqual([(await get('/b')).status, (await get('/b')).status, (await get('/b')).status], [200, 200, 429]);
        assert.strictEqual(JSON.parse((await get('/c')).body).limited_by, 'limit:all');
      });
    });
    client.destroy();
  }
}

async function rateLimits() {
  const { rateLimit } = require('express-rate-limit');
  const { RedisStore } = require('rate-limit-redis');
  const { RateLimiterRedis } = require('rate-limiter-flexible');
  const client = await connect();
  await check('rate_limit_redis_with_express', async () => {
    const store = new RedisStore({ sendCommand: (...words) => client.sendCommand(words), prefix: 'erl:' });
    const limiter = rateLimit({ windowMs: 1_000, limit: 3, standardHeaders: 'draft-6', legacyHeaders: false, store,
      keyGenerator: () => 'me' });
    await served(limiter, async (get) => {
      const answers = [];
      for (let i = 0; i < 5; i += 1) answers.push(await get('/'));
      assert.deepStrictEqual(answers.map((a) => a.status), [200, 200, 200, 429, 429]);
      assert.deepStrictEqual(answers.slice(0, 3).map((a) => a.headers['ratelimit-remaining']), ['2', '1', '0']);
      await sleep(1_050);
      assert.strictEqual((await get('/')).status, 200);
      await limiter.resetKey('me');
      assert.strictEqual((await get('/')).headers['ratelimit-remaining'], '2');
    });
  });
  const redis = new Redis(kServer);
  await check('rate_limiter_flexible_limits', async () => {
    const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: 'rlf', points: 5, duration: 1 });
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => limiter.consume('me')));
    assert.strictEqual(results.filter((r) => r.status === 'fulfilled').length, 5);
    const refused = results.find((r) => r.status === 'rejected').reason;
    assert.ok(refused.msBeforeNext > 0 && refused.msBeforeNext <= 1_000, `${refused.msBeforeNext} ms`);
    await sleep(refused.msBeforeNext + 20);
    assert.strictEqual((await limiter.consume('me')).remainingPoints, 4);
  });
  await check('rate_limiter_flexible_blocks_and_rewards', async () => {
    const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: 'rlf2', points: 2, duration: 10 });
    assert.strictEqual((await limiter.consume('me', 2)).remainingPoints, 0);
    await assert.rejects(limiter.consume('me'), (e) => e.consumedPoints === 3);
    assert.strictEqual((await limiter.reward('me', 2)).remainingPoints, 1);
    await limiter.block('other', 30);
    await assert.rejects(limiter.consume('other'), (e) => e.msBeforeNext > 29_000);
    assert.strictEqual(await limiter.delete('other'), true);
    assert.strictEqual((await limiter.consume('other')).remainingPoints, 1);
  });
  redis.disconnect();
  client.destroy();
}

async function locks() {
  const Redlock = require('redlock');
  const redis = new Redis(kServer);
  const redlock = new Redlock([redis], { retryCount: 200, retryDelay: 10, retryJitter: 5 });
  await check('redlock_excludes', async () => {
    let inside = 0;
    let most = 0;
    await within(Promise.all(Array.from({ length: 10 }, async () => {
      const lock = await redlock.lock('lock:a', 5_000);
      inside += 1;
      most = Math.max(most, inside);
      await sleep(2);
      inside -= 1;
      await lock.unlock();
    })), 'all locks');
    assert.strictEqual(most, 1);
    assert.strictEqual(await redis.exists('lock:a'), 0);
  });
  await check('redlock_extends_and_expires', async () => {
    const once = new Redlock([redis], { retryCount: 0 });
    const lock = await once.lock('lock:b', 100);
    await lock.extend(300);
    await sleep(150);
    await assert.rejects(once.lock('lock:b', 100));
    await sleep(200);
    await (await once.lock('lock:b', 100)).unlock();
    await assert.rejects(lock.unlock());
  });
  redis.disconnect();
}

async function caches() {
  const { Keyv } = require('keyv');
  const { default: KeyvRedis } = require('@keyv/redis');
  const { createCache } = require('cache-manager');
  const url = `redis://${settings.host}:${settings.port}`;
  await check('keyv_stores_and_expires', async () => {
    const keyv = new Keyv(new KeyvRedis(url), { namespace: 'users' });
    await keyv.set('a', { n: [1, 2, 3] });
    await keyv.set('b', 'soon gone', 100);
    assert.deepStrictEqual(await keyv.get(['a', 'b', 'c']), [{ n: [1, 2, 3] }, 'soon gone', undefined]);
    await sleep(130);
    assert.strictEqual(await keyv.get('b'), undefined);
    assert.strictEqual(await keyv.has('a'), true);
    await keyv.clear();
    assert.strictEqual(await keyv.has('a'), false);
    await keyv.disconnect();
  });
  await check('cache_manager_wraps', async () => {
    const cache = createCache({ stores: [new Keyv(new KeyvRedis(url), { namespace: 'cache' })], ttl: 60_000 });
    let made = 0;
    const make = async () => { made += 1; return { made }; };
    assert.deepStrictEqual(await cache.wrap('answer', make), { made: 1 });
    assert.deepStrictEqual(await cache.wrap('answer', make), { made: 1 });
    await cache.mset([{ key: 'x', value: 1 }, { key: 'y', value: 2 }]);
    assert.deepStrictEqual(await cache.mget(['x', 'y', 'z']), [1, 2, undefined]);
    await cache.del('answer');
    assert.deepStrictEqual(await cache.wrap('answer', make), { made: 2 });
    await cache.disconnect();
  });
}

// What a process left behind that was killed while it held all that.
async function survivors() {
  const Redlock = require('redlock');
  const { RateLimiterRedis } = require('rate-limiter-flexible');
  const { RedisStore } = require('rate-limit-redis');
  const { Keyv } = require('keyv');
  const { default: KeyvRedis } = require('@keyv/redis');
  const { createCache } = require('cache-manager');
  await dieAs('application');
  const redis = new Redis(kServer);
  await check('redlock_of_a_killed_process_runs_out', async () => {
    await assert.rejects(new Redlock([redis], { retryCount: 0 }).lock('lock:dying', 100));
    const began = Date.now();
    const lock = await new Redlock([redis], { retryCount: 100, retryDelay: 20 }).lock('lock:dying', 1_000);
    assert.ok(Date.now() - began < 1_000);
    await lock.unlock();
  });
  await check('rate_limits_outlive_a_killed_process', async () => {
    const limiter = new RateLimiterRedis({ storeClient: redis, keyPrefix: 'dying', points: 5, duration: 60 });
    assert.strictEqual((await limiter.consume('me')).remainingPoints, 0);
    await assert.rejects(limiter.consume('me'), (e) => e.consumedPoints === 6);
    const store = new RedisStore({ sendCommand: (...words) => redis.call(...words), prefix: 'dying:erl:' });
    store.init({ windowMs: 60_000 });
    assert.strictEqual((await store.increment('me')).totalHits, 2);
  });
  await check('caches_outlive_a_killed_process', async () => {
    const keyv = new Keyv(new KeyvRedis(`redis://${settings.host}:${settings.port}`), { namespace: 'dying' });
    assert.deepStrictEqual(await keyv.get('kept'), [1, 2]);
    const cache = createCache({ stores: [keyv] });
    assert.strictEqual(await cache.wrap('wrapped', () => 'made again'), 'made once');
    await cache.disconnect();
  });
  redis.disconnect();
}

async function bull() {
  const Bull = require('bull');
  const queue = new Bull('sums', { redis: kServer, settings: { ...stall, lockRenewTime: 100 } });
  queue.on('error', () => {});
  await check('bull_recovers_stalled_jobs', async () => {
    const job = await queue.add({ a: 20, b: 22 });
    await dieAs('bull');
    queue.process(2, async ({ data }) => {
      if (data.fails && !data.failed) throw new Error('on purpose');
      return data.a + data.b;
    });
    assert.strictEqual(await within(job.finished(), 'recovered job'), 42);
  });
  await check('bull_runs_jobs', async () => {
    const jobs = await queue.addBulk(Array.from({ length: 20 }, (_, i) => ({ data: { a: i, b: 1 } })));
    const results = await within(Promise.all(jobs.map((job) => job.finished())), 'results');
    assert.deepStrictEqual(results, Array.from({ length: 20 }, (_, i) => i + 1));
    const began = Date.now();
    const late = await queue.add({ a: 1, b: 2 }, { delay: 200, priority: 1 });
    assert.strictEqual(await within(late.finished(), 'late result'), 3);
    assert.ok(Date.now() - began >= 190);
    const failing = await queue.add({ fails: true }, { attempts: 2, backoff: 20 });
    await assert.rejects(within(failing.finished(), 'failure'), /on purpose/);
    assert.strictEqual((await queue.getJob(failing.id)).attemptsMade, 2);
  });
  await queue.close(true);
}

async function beeQueue() {
  const BeeQueue = require('bee-queue');
  const queue = new BeeQueue('sums', { redis: kServer, activateDelayedJobs: true, nearTermWindow: 500 });
  await check('bee_queue_runs_jobs', async () => {
    let tries = 0;
    queue.process(4, async ({ data }) => {
      if (data.fails && (tries += 1) === 1) throw new Error('on purpose');
      return data.a + data.b;
    });
    const results = (job) => within(new Promise((resolve, reject) => {
      job.on('succeeded', resolve);
      job.on('failed', reject);
    }), 'result');
    const jobs = Array.from({ length: 10 }, (_, i) => queue.createJob({ a: i, b: 1 }));
    const late = queue.createJob({ a: 1, b: 1 }).delayUntil(Date.now() + 150);
    const again = queue.createJob({ a: 1, b: 4, fails: true }).retries(2);
    const all = [...jobs, late, again];
    const waiting = Promise.all(all.map(results));
    await Promise.all(all.map((job) => job.save()));
    assert.deepStrictEqual(await waiting, [...Array.from({ length: 10 }, (_, i) => i + 1), 2, 5]);
    assert.strictEqual((await queue.checkHealth()).succeeded, 12);
  });
  await queue.close(100);
  const stalls = new BeeQueue('stalls', { redis: kServer, stallInterval: stall.lockDuration });
  await check('bee_queue_recovers_stalled_jobs', async () => {
    const job = await stalls.createJob({ a: 20, b: 22 }).save();
    const result = new Promise((resolve) => job.once('succeeded', resolve));
    await dieAs('bee');
    let stalled = null;
    stalls.once('stalled', (id) => { stalled = id; });
    stalls.process(async ({ data }) => data.a + data.b);
    stalls.checkStalledJobs(stall.stalledInterval);
    assert.strictEqual(await within(result, 'recovered job'), 42);
    assert.strictEqual(stalled, job.id);
  });
  await stalls.close(100);
}

runParts([expressExample, rateLimits, locks, caches, survivors, bull, beeQueue]);
