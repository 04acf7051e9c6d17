'use strict';

// What applications build on a server with pub/sub, blocking pops and streams: broadcasts of
// socket.io between two server processes, sessions of Express, client-side caching, BullMQ.

const { fork } = require('child_process');
const http = require('http');
const { createClient, BasicClientSideCache } = require('redis');
const { dieAs, stall } = require('./dying_worker.js');
const { assert, check, retry, runParts, settings, within } = require('./node_checks.js');

async function connect(extra) {
  const client = createClient({ socket: { host: settings.host, port: settings.port }, ...extra });
  client.on('error', () => {}); // the failing command reports it
  await client.connect();
  return client;
}

// A process of its own that serves socket.io; ends with this one.
async function startSocketServer() {
  const child = fork('./socket_server.js');
  const [message] = await within(new Promise((resolve) => child.once('message', (m) => resolve([m]))), 'socket server');
  return { child, url: `http://127.0.0.1:${message.port}` };
}

function joinRoom(io, url, room) {
  const socket = io(url, { transports: ['websocket'] });
  return within(new Promise((resolve, reject) => {
    socket.once('connect_error', reject);
    socket.emit('join', room, () => resolve(socket));
  }), `place in ${room}`);
}

async function socketIo() {
  const { io } = require('socket.io-client');
  const servers = await Promise.all([startSocketServer(), startSocketServer()]);
  const a = await joinRoom(io, servers[0].url, 'red');
  const b = await joinRoom(io, servers[1].url, 'red');
  const c = await joinRoom(io, servers[1].url, 'blue');
  await check('socketio_broadcast_between_processes', async () => {
    const got = new Promise((resolve) => b.once('news', resolve));
    const gotToo = new Promise((resolve) => c.once('news', resolve));
    a.emit('tell-all', { n: 1 });
    assert.deepStrictEqual(await within(Promise.all([got, gotToo]), 'broadcast'), [{ n: 1 }, { n: 1 }]);
  });
  await check('socketio_room_reaches_its_members_only', async () => {
    let strays = 0;
    c.on('news', () => { strays += 1; });
    const got = new Promise((resolve) => b.once('news', resolve));
    a.emit('tell-room', 'red', 'for red');
    assert.strictEqual(await within(got, 'message of the room'), 'for red');
    const blue = new Promise((resolve) => c.once('news', resolve));
    a.emit('tell-room', 'blue', 'for blue');
    assert.strictEqual(await within(blue, 'message of the other room'), 'for blue');
    assert.strictEqual(strays, 1);
  });
  await check('socketio_asks_all_servers', async () => {
    const count = await within(new Promise((resolve) => a.emit('count', resolve)), 'answer of all servers');
    assert.strictEqual(count, 3);
  });
  for (const socket of [a, b, c]) socket.disconnect();
  for (const server of servers) server.child.kill();
}

function request(port, path, cookie) {
  return within(new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path, headers: cookie ? { cookie } : {} }, (response) => {
      let body = '';
      response.on('data', (piece) => { body += piece; });
      response.on('end', () => resolve({ body, cookie: (response.headers['set-cookie'] || [''])[0].split(';')[0] }));
    }).on('error', reject);
  }), path);
}

async function sessions() {
  const express = require('express');
  const session = require('express-session');
  const { RedisStore } = require('connect-redis');
  const client = await connect();
  const app = express();
  const store = new RedisStore({ client, prefix: 'app:sess:', ttl: 60 });
  app.use(session({ store, secret: 'not secret', resave: false, saveUninitialized: false }));
  app.get('/visit', (req, res) => {
    req.session.visits = (req.session.visits || 0) + 1;
    res.send(String(req.session.visits));
  });
  app.get('/leave', (req, res) => req.session.destroy(() => res.send('left')));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  let cookie = '';
  await check('express_session_is_kept', async () => {
    const first = await request(port, '/visit');
    cookie = first.cookie;
    assert.strictEqual(first.body, '1');
    assert.strictEqual((await request(port, '/visit', cookie)).body, '2');
    assert.strictEqual((await request(port, '/visit')).body, '1');
  });
  await check('express_session_has_a_time_to_live', async () => {
    const ids = await new Promise((resolve, reject) => store.ids((error, all) => (error ? reject(error) : resolve(all))));
    assert.strictEqual(ids.length, 2);
    const ttl = await client.ttl(`app:sess:${ids[0]}`);
    assert.ok(ttl > 50 && ttl <= 60, `ttl ${ttl}`);
  });
  await check('express_session_ends', async () => {
    assert.strictEqual((await request(port, '/leave', cookie)).body, 'left');
    assert.strictEqual((await request(port, '/visit', cookie)).body, '1');
  });
  server.close();
  client.destroy();
}

async function clientSideCaching() {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: 'LRU' });
  const reader = await connect({ RESP: 3, clientSideCache: cache });
  const writer = await connect();
  await check('client_side_cache_answers_by_itself', async () => {
    await writer.set('app:cached', 'one');
    for (let i = 0; i < 10; i += 1) assert.strictEqual(await reader.get('app:cached'), 'one');
    assert.strictEqual(cache.stats().hitCount, 9);
  });
  await check('client_side_cache_is_invalidated', async () => {
    await writer.set('app:cached', 'two');
    await retry(async () => assert.strictEqual(await reader.get('app:cached'), 'two'));
    assert.strictEqual(await reader.get('app:cached'), 'two');
  });
  await check('client_side_cache_is_flushed', async () => {
    await writer.flushDb();
    await retry(async () => assert.strictEqual(await reader.get('app:cached'), null));
  });
  reader.destroy();
  writer.destroy();
}

async function bullmq() {
  const { FlowProducer, Queue, QueueEvents, Worker } = require('bullmq');
  const connection = { host: settings.host, port: settings.port };
  const queue = new Queue('sums', { connection });
  const events = new QueueEvents('sums', { connection });
  let tries = 0;
  const worker = new Worker('sums', async (job) => {
    if (job.name === 'fails-once' && (tries += 1) === 1) throw new Error('on purpose');
    return job.data.a + job.data.b;
  }, { connection, concurrency: 4 });
  worker.on('error', () => {});
  await within(Promise.all([events.waitUntilReady(), worker.waitUntilReady()]), 'worker');
  await check('bullmq_runs_jobs', async () => {
    const jobs = await queue.addBulk(Array.from({ length: 20 }, (_, i) => ({ name: 'sum', data: { a: i, b: 1 } })));
    const results = await within(Promise.all(jobs.map((job) => job.waitUntilFinished(events))), 'results');
    assert.deepStrictEqual(results, Array.from({ length: 20 }, (_, i) => i + 1));
  });
  await check('bullmq_delays_and_retries', async () => {
    const began = Date.now();
    const late = await queue.add('sum', { a: 1, b: 2 }, { delay: 200 });
    const again = await queue.add('fails-once', { a: 3, b: 4 }, { attempts: 2, backoff: 50 });
    const results = await within(Promise.all([late, again].map((job) => job.waitUntilFinished(events))), 'results');
    assert.deepStrictEqual(results, [3, 7]);
    assert.ok(Date.now() - began >= 190, `after ${Date.now() - began} ms`);
    assert.strictEqual(tries, 2);
  });
  await check('bullmq_flow_waits_for_children', async () => {
    const flow = new FlowProducer({ connection });
    const children = [1, 2, 3].map((n) => ({ name: 'sum', queueName: 'sums', data: { a: n, b: n } }));
    const tree = await flow.add({ name: 'sum', queueName: 'sums', data: { a: 10, b: 0 }, children });
    assert.strictEqual(await within(tree.job.waitUntilFinished(events), 'parent'), 10);
    assert.deepStrictEqual(Object.values(await tree.job.getChildrenValues()).sort(), [2, 4, 6]);
    await flow.close();
  });
  await Promise.all([worker.close(), events.close()]);
  await queue.close();
}

// Jobs in an order, at a pace, again and again, and taken over from a worker that was killed.
async function bullmqWorkers() {
  const { FlowProducer, Queue, QueueEvents, Worker } = require('bullmq');
  const connection = { host: settings.host, port: settings.port };
  const run = async (name, options, count, work) => { // until `count` jobs are done
    let worker;
    const times = [];
    const order = [];
    await within(new Promise((resolve) => {
      worker = new Worker(name, async (job) => {
        times.push(Date.now());
        order.push(job.name);
        return work ? work(job) : null;
      }, { connection, ...options });
      worker.on('error', () => {});
      worker.on('completed', () => { if (times.length >= count) resolve(); });
    }), `${count} jobs of ${name}`);
    await worker.close();
    return { times, order };
  };
  await check('bullmq_priorities', async () => {
    const queue = new Queue('ranks', { connection });
    for (const priority of [3, 1, 2, 0, 1]) {
      await queue.add(`p${priority}`, {}, { priority });
    }
    assert.deepStrictEqual(await queue.getCountsPerPriority([0, 1, 2, 3]), { 0: 1, 1: 2, 2: 1, 3: 1 });
    assert.deepStrictEqual((await run('ranks', {}, 5)).order, ['p0', 'p1', 'p1', 'p2', 'p3']);
    await queue.close();
  });
  await check('bullmq_rate_limit', async () => {
    const queue = new Queue('paced', { connection });
    await queue.addBulk(Array.from({ length: 9 }, (_, i) => ({ name: `${i}`, data: {} })));
    const { times } = await run('paced', { concurrency: 9, limiter: { max: 3, duration: 300 } }, 9);
    assert.ok(times[3] - times[0] >= 250 && times[6] - times[3] >= 250, `${times.map((t) => t - times[0])}`);
    await queue.close();
  });
  await check('bullmq_repeats_jobs', async () => {
    const queue = new Queue('ticks', { connection });
    await queue.upsertJobScheduler('tick', { every: 150 }, { name: 'tick' });
    await queue.add('old', {}, { repeat: { every: 150, limit: 3 } });
    // Two workers, one after the other: the series is the server's.
    const first = await run('ticks', {}, 4);
    const second = await run('ticks', {}, 4);
    const all = [...first.order, ...second.order];
    assert.strictEqual(all.filter((name) => name === 'old').length, 3);
    assert.ok(all.filter((name) => name === 'tick').length >= 5);
    assert.strictEqual((await queue.getJobScheduler('tick')).every, 150);
    assert.strictEqual(await queue.removeJobScheduler('tick'), true);
    assert.strictEqual(await queue.getJobScheduler('tick'), undefined);
    await queue.close();
  });
  await check('bullmq_recovers_stalled_jobs', async () => {
    const events = new QueueEvents('stalls', { connection });
    await within(events.waitUntilReady(), 'events');
    const flow = new FlowProducer({ connection });
    const tree = await flow.add({ name: 'parent', queueName: 'stalls', data: {},
      children: [{ name: 'child', queueName: 'stalls', data: { n: 42 } }] });
    await dieAs('bullmq'); // over the child: its parent waits
    const stalled = new Promise((resolve) => events.once('stalled', ({ jobId }) => resolve(jobId)));
    const { order } = await run('stalls', stall, 2, async (job) => (
      job.name === 'child' ? job.data.n : Object.values(await job.getChildrenValues())[0]));
    assert.deepStrictEqual(order, ['child', 'parent']);
    assert.strictEqual(await within(stalled, 'stalled'), tree.children[0].job.id);
    assert.strictEqual(await within(tree.job.waitUntilFinished(events), 'parent'), 42);
    await Promise.all([flow.close(), events.close()]);
  });
  await check('bullmq_gives_up_what_kills_its_workers', async () => {
    const queue = new Queue('stalls', { connection });
    const job = await queue.add('poison', {});
    await dieAs('bullmq');
    await dieAs('bullmq'); // recovers it, which is allowed once, and dies as well
    const worker = new Worker('stalls', async () => null, { connection, ...stall });
    worker.on('error', () => {});
    await retry(async () => assert.strictEqual(await job.getState(), 'failed'), 100);
    assert.match((await queue.getJob(job.id)).failedReason, /stalled more than/);
    await worker.close();
    await queue.close();
  });
}

runParts([socketIo, sessions, clientSideCaching, bullmq, bullmqWorkers]);
