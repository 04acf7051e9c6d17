'use strict';

// The application flow of tests/clients/README.md on node-redis, with its
// default settings. The same file runs against every node-redis version here.

const { createClient, ErrorReply, RESP_TYPES } = require('redis');
const { assert, check, everyByte, finish, infoFields, retry, sleep, settings } =
  require('./node_checks.js');

const kAllowed = 100;
const kWindowSeconds = 2;

async function connect(extra) {
  const client = createClient({
    socket: { host: settings.host, port: settings.port },
    ...extra,
  });
  client.on('error', () => {}); // the failing command reports it
  await client.connect();
  return client;
}

// One request of the fixed-window limiter: the first of a window starts its clock.
async function takeSlot(client, key) {
  const [count] = await client.multi().incr(key).expire(key, kWindowSeconds, 'NX').execAsPipeline();
  return count <= kAllowed;
}

async function profileCache(client) {
  const key = 'app:profile:1';
  const profile = JSON.stringify({ id: 1, name: 'Ada', tags: ['a', 'b'] });
  await check('profile_miss', async () => assert.strictEqual(await client.get(key), null));
  await check('profile_set_with_ttl', async () =>
    assert.strictEqual(await client.set(key, profile, { EX: 60 }), 'OK'));
  await check('profile_hit', async () => assert.strictEqual(await client.get(key), profile));
  await check('profile_ttl_in_range', async () => {
    const ttl = await client.ttl(key);
    const pttl = await client.pTTL(key);
    assert.ok(ttl >= 58 && ttl <= 60, `ttl ${ttl}`);
    assert.ok(pttl > 58000 && pttl <= 60000, `pttl ${pttl}`);
  });
  await check('profile_multi_get', async () => {
    await client.mSet({ 'app:profile:2': 'two', 'app:profile:3': 'three' });
    assert.deepStrictEqual(
      await client.mGet(['app:profile:3', 'app:profile:absent', key, 'app:profile:2']),
      ['three', null, profile, 'two']);
  });
  await check('profile_invalidate_del', async () => {
    assert.strictEqual(await client.del([key, 'app:profile:absent']), 1);
    assert.strictEqual(await client.get(key), null);
  });
  await check('profile_invalidate_unlink', async () => {
    assert.strictEqual(await client.unlink(['app:profile:2', 'app:profile:3']), 2);
    assert.strictEqual(await client.exists(['app:profile:2', 'app:profile:3']), 0);
  });
  await check('value_binary_safe', async () => {
    await client.set('app:binary', everyByte());
    const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    assert.ok((await buffers.get('app:binary')).equals(everyByte()));
  });
  await check('value_one_megabyte', async () => {
    const value = 'larder!\n'.repeat(131072);
    assert.strictEqual(await client.set('app:large', value), 'OK');
    assert.strictEqual(await client.strLen('app:large'), 1048576);
    assert.strictEqual(await client.get('app:large'), value);
  });
  await check('key_utf8', async () => {
    await client.set('app:schlüssel:鍵:🔑', 'grün');
    assert.strictEqual(await client.get('app:schlüssel:鍵:🔑'), 'grün');
    assert.deepStrictEqual(await client.keys('app:schl*'), ['app:schlüssel:鍵:🔑']);
  });
}

async function sessionStore(client) {
  const key = 'app:session:7f';
  await check('session_create', async () =>
    assert.strictEqual(await client.set(key, 'user=1', { EX: 30, NX: true }), 'OK'));
  await check('session_second_create_refused', async () =>
    assert.strictEqual(await client.set(key, 'user=2', { EX: 30, NX: true }), null));
  await check('session_read', async () => assert.strictEqual(await client.get(key), 'user=1'));
  await check('session_sliding_expire', async () => {
    assert.strictEqual(await client.expire(key, 100), 1);
    const ttl = await client.ttl(key);
    assert.ok(ttl >= 98 && ttl <= 100, `ttl ${ttl}`);
  });
  await check('session_sliding_getex', async () => {
    assert.strictEqual(await client.getEx(key, { type: 'EX', value: 200 }), 'user=1');
    const ttl = await client.ttl(key);
    assert.ok(ttl >= 198 && ttl <= 200, `ttl ${ttl}`);
  });
  await check('session_expires_after_50_ms', async () => {
    await client.set('app:session:short', 'x', { PX: 50 });
    await sleep(120);
    assert.strictEqual(await client.get('app:session:short'), null);
    assert.strictEqual(await client.exists('app:session:short'), 0);
  });
  await check('session_delete', async () => {
    assert.strictEqual(await client.getDel(key), 'user=1');
    assert.strictEqual(await client.del(key), 0);
  });
  await check('ttl_codes', async () => {
    await client.set('app:session:forever', 'x');
    assert.strictEqual(await client.ttl('app:session:forever'), -1);
    assert.strictEqual(await client.pTTL('app:session:forever'), -1);
    assert.strictEqual(await client.ttl('app:session:absent'), -2);
    assert.strictEqual(await client.pTTL('app:session:absent'), -2);
  });
}

async function connectionFacts(client) {
  await check('client_name', async () => {
    assert.strictEqual(await client.clientGetName(), 'flow-node-redis');
    assert.strictEqual(infoFields(await client.sendCommand(['CLIENT', 'INFO'])).name, 'flow-node-redis');
  });
  await check('client_library_name', async () => {
    const fields = infoFields(await client.sendCommand(['CLIENT', 'INFO']));
    if (!settings.expectLibraryName) return;
    assert.ok(fields['lib-name'].startsWith('node-redis'), fields['lib-name']);
    assert.match(fields['lib-ver'], /^[56]\./);
  });
  await check('pipeline_1000_in_order', async () => {
    const pipeline = client.multi();
    for (let i = 0; i < 500; i += 1) pipeline.set(`app:order:${i}`, `v${i}`).get(`app:order:${i}`);
    const replies = await pipeline.execAsPipeline();
    assert.strictEqual(replies.length, 1000);
    replies.forEach((reply, i) => {
      assert.strictEqual(reply, i % 2 === 0 ? 'OK' : `v${(i - 1) / 2}`);
    });
  });
  await check('error_reply_is_typed', async () => {
    await client.set('app:text', 'not a number');
    await assert.rejects(client.incr('app:text'), (error) => {
      assert.ok(error instanceof ErrorReply, error.constructor.name);
      assert.strictEqual(error.message, 'ERR value is not an integer or out of range');
      return true;
    });
    assert.strictEqual(await client.get('app:text'), 'not a number');
  });
  await check('scan_5000_keys', async () => {
    // Unawaited calls of one turn travel as one pipeline.
    await Promise.all(Array.from({ length: 5000 }, (_, i) => client.set(`app:scan:${i}`, '1')));
    const seen = new Set();
    for await (const keys of client.scanIterator({ MATCH: 'app:scan:*', COUNT: 250 })) {
      keys.forEach((key) => seen.add(key));
    }
    assert.strictEqual(seen.size, 5000);
  });
  await check('reconnect_after_kill', async () => {
    const id = await client.clientId();
    const other = await connect();
    assert.strictEqual(await other.clientKill({ filter: 'ID', id }), 1);
    other.destroy();
    const text = await retry(() => client.get('app:text'));
    assert.strictEqual(text, 'not a number');
    assert.notStrictEqual(await client.clientId(), id);
    assert.strictEqual(await client.clientGetName(), 'flow-node-redis');
  });
}

async function main() {
  const client = await connect({ name: 'flow-node-redis' });
  await check('connect_protocol', async () => {
    assert.strictEqual(await client.ping(), 'PONG');
    assert.strictEqual(infoFields(await client.sendCommand(['CLIENT', 'INFO'])).resp, settings.resp);
  });

  // The limiter first: its window runs out while the other checks are at work.
  const counter = 'app:rate:client-9';
  const workers = await Promise.all(Array.from({ length: 8 }, () => connect()));
  await check('rate_counter_exact', async () => {
    const results = await Promise.all(workers.map(async (worker) => {
      const answers = [];
      for (let i = 0; i < 25; i += 1) answers.push(await takeSlot(worker, counter));
      return answers;
    }));
    assert.strictEqual(results.flat().length, 200);
    assert.strictEqual(results.flat().filter(Boolean).length, kAllowed);
    const ttl = await client.ttl(counter);
    assert.ok(ttl >= 0 && ttl <= kWindowSeconds, `ttl ${ttl}`);
  });
  workers.forEach((worker) => worker.destroy());

  await profileCache(client);
  await sessionStore(client);
  await connectionFacts(client);

  await check('rate_counter_resets', async () => {
    for (let i = 0; i < 80 && (await client.exists(counter)) === 1; i += 1) await sleep(50);
    assert.strictEqual(await client.get(counter), null);
    assert.strictEqual(await takeSlot(client, counter), true);
    assert.strictEqual(await client.get(counter), '1');
  });
  client.destroy();
}

main().then(finish, (error) => {
  console.log(`fail main: ${error && error.stack}`);
  finish();
});
