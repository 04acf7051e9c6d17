'use strict';

// What applications build on a server with pub/sub, blocking pops and streams: broadcasts of
// socket.io between two server processes, sessions of Express, client-side caching, BullMQ.

const { fork } = require('child_process');
const http = require('http');
const { createClient, BasicClientSideCache } = require('redis');
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

runParts([socketIo, sessions, clientSideCaching, bullmq]);
