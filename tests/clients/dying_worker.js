'use strict';

// A process that takes a job, or holds what a library gave it, and is killed over that by the one that started it.
// As a program: `dying_worker.js ROLE` says "took" to its parent and then never ends by itself. As a module: dieAs(ROLE).

const { fork } = require('child_process');
const { settings, within } = require('./node_checks.js');

const server = { host: settings.host, port: settings.port };
// A job whose worker has not been heard of for so long is another's.
const stall = { lockDuration: 400, stalledInterval: 200 };

function takeAJob() {
  process.send('took');
  return new Promise(() => {});
}

const roles = {
  bull() {
    const Bull = require('bull');
    new Bull('sums', { redis: server, settings: { ...stall, lockRenewTime: 100 } }).process(takeAJob);
  },
  bullmq() {
    const { Worker } = require('bullmq');
    new Worker('stalls', takeAJob, { connection: server, ...stall }).on('error', () => {});
  },
  bee() {
    const BeeQueue = require('bee-queue');
    new BeeQueue('stalls', { redis: server, stallInterval: stall.lockDuration }).process(takeAJob);
  },
  // A server of an application that keeps its state elsewhere: limits, a lock, caches.
  async application() {
    const Redis = require('ioredis');
    const Redlock = require('redlock');
    const { RateLimiterRedis } = require('rate-limiter-flexible');
    const { RedisStore } = require('rate-limit-redis');
    const { Keyv } = require('keyv');
    const { default: KeyvRedis } = require('@keyv/redis');
    const { createCache } = require('cache-manager');
    const redis = new Redis(server);
    await new RateLimiterRedis({ storeClient: redis, keyPrefix: 'dying', points: 5, duration: 60 }).consume('me', 4);
    const store = new RedisStore({ sendCommand: (...words) => redis.call(...words), prefix: 'dying:erl:' });
    store.init({ windowMs: 60_000 });
    await store.increment('me');
    await new Redlock([redis]).lock('lock:dying', 700);
    const url = `redis://${server.host}:${server.port}`;
    await new Keyv(new KeyvRedis(url), { namespace: 'dying' }).set('kept', [1, 2]);
    await createCache({ stores: [new Keyv(new KeyvRedis(url), { namespace: 'dying' })] }).set('wrapped', 'made once');
    process.send('took');
    setInterval(() => {}, 1_000);
  },
};

// Starts a process in that role, and kills it when it says that it took what there is to take.
async function dieAs(role) {
  const child = fork(__filename, [role]);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  await within(new Promise((resolve) => child.once('message', resolve)), `sign of the dying ${role}`);
  child.kill('SIGKILL');
  await within(gone, 'end of the worker');
}

if (require.main === module) roles[process.argv[2]]();

module.exports = { dieAs, stall };
