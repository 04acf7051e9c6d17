'use strict';

// The application flow of tests/clients/README.md on ioredis, with its default
// settings. The same file runs against every ioredis version of this folder.

const Redis = require('ioredis');
const { assert, check, everyByte, finish, infoFields, retry, sleep, settings } =
  require('./node_checks.js');

const kAllowed = 100;
const kWindowSeconds = 2;

function connect(extra) {
  const client = new Redis({ host: settings.host, port: settings.port, ...extra });
  client.on('error', () => {}); // the failing command reports it
  return client;
}

// One request of the fixed-window limiter: the first of a window starts its clock.
async function takeSlot(client, key) {
  const [[incrError, count], [expireError]] = await client
    .pipeline().incr(key).expire(key, kWindowSeconds, 'NX').exec();
  if (incrError || expireError) throw incrError || expireError;
  return count <= kAllowed;
}

async function profileCache(client) {
  const key = 'app:profile:1';
  const profile = JSON.stringify({ id: 1, name: 'Ada', tags: ['a', 'b'] });
  await check('profile_miss', async () => assert.strictEqual(await client.get(key), null));
  await check('profile_set_with_ttl', async () =>
    assert.strictEqual(await client.set(key, profile, 'EX', 60), 'OK'));
  await check('profile_hit', async () => assert.strictEqual(await client.get(key), profile));
  await check('profile_ttl_in_range', async () => {
    const ttl = await client.ttl(key);
    const pttl = await client.pttl(key);
    assert.ok(ttl >= 58 && ttl <= 60, `ttl ${ttl}`);
    assert.ok(pttl > 58000 && pttl <= 60000, `pttl ${pttl}`);
  });
  await check('profile_multi_get', async () => {
    await client.mset('app:profile:2', 'two', 'app:profile:3', 'three');
    assert.deepStrictEqual(
      await client.mget('app:profile:3', 'app:profile:absent', key, 'app:profile:2'),
      ['three', null, profile, 'two']);
  });
  await check('profile_invalidate_del', async () => {
    assert.strictEqual(await client.del(key, 'app:profile:absent'), 1);
    assert.strictEqual(await client.get(key), null);
  });
  await check('profile_invalidate_unlink', async () => {
    assert.strictEqual(await client.unlink('app:profile:2', 'app:profile:3'), 2);
    assert.strictEqual(await client.exists('app:profile:2', 'app:profile:3'), 0);
  });
  await check('value_binary_safe', async () => {
    await client.set('app:binary', everyByte());
    assert.ok((await client.getBuffer('app:binary')).equals(everyByte()));
  });
  await check('value_one_megabyte', async () => {
    const value = 'larder!\n'.repeat(131072);
    assert.strictEqual(await client.set('app:large', value), 'OK');
    assert.strictEqual(await client.strlen('app:large'), 1048576);
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
    assert.strictEqual(await client.set(key, 'user=1', 'EX', 30, 'NX'), 'OK'));
  await check('session_second_create_refused', async () =>
    assert.strictEqual(await client.set(key, 'user=2', 'EX', 30, 'NX'), null));
  await check('session_read', async () => assert.strictEqual(await client.get(key), 'user=1'));
  await check('session_sliding_expire', async () => {
    assert.strictEqual(await client.expire(key, 100), 1);
    const ttl = await client.ttl(key);
    assert.ok(ttl >= 98 && ttl <= 100, `ttl ${ttl}`);
  });
  await check('session_sliding_getex', async () => {
    assert.strictEqual(await client.getex(key, 'EX', 200), 'user=1');
    const ttl = await client.ttl(key);
    assert.ok(ttl >= 198 && ttl <= 200, `ttl ${ttl}`);
  });
  await check('session_expires_after_50_ms', async () => {
    await client.set('app:session:short', 'x', 'PX', 50);
    await sleep(120);
    assert.strictEqual(await client.get('app:session:short'), null);
    assert.strictEqual(await client.exists('app:session:short'), 0);
  });
  await check('session_delete', async () => {
    assert.strictEqual(await client.getdel(key), 'user=1');
    assert.strictEqual(await client.del(key), 0);
  });
  await check('ttl_codes', async () => {
    await client.set('app:session:forever', 'x');
    assert.strictEqual(await client.ttl('app:session:forever'), -1);
    assert.strictEqual(await client.pttl('app:session:forever'), -1);
    assert.strictEqual(await client.ttl('app:session:absent'), -2);
    assert.strictEqual(await client.pttl('app:session:absent'), -2);
  });
}

async function connectionFacts(client) {
  await check('client_name', async () => {
    assert.strictEqual(await client.client('GETNAME'), 'flow-ioredis');
    assert.strictEqual(infoFields(await client.client('INFO')).name, 'flow-ioredis');
  });
  await check('client_library_name', async () => {
    const fields = infoFields(await client.client('INFO'));
    if (!settings.expectLibraryName) return;
    assert.ok(fields['lib-name'].startsWith('ioredis'), fields['lib-name']);
    assert.match(fields['lib-ver'], /^[56]\./);
  });
  await check('pipeline_1000_in_order', async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 500; i += 1) pipeline.set(`app:order:${i}`, `v${i}`).get(`app:order:${i}`);
    const replies = await pipeline.exec();
    assert.strictEqual(replies.length, 1000);
    replies.forEach(([error, reply], i) => {
      assert.strictEqual(error, null);
      assert.strictEqual(reply, i % 2 === 0 ? 'OK' : `v${(i - 1) / 2}`);
    });
  });
  await check('error_reply_is_typed', async () => {
    await client.set('app:text', 'not a number');
    await assert.rejects(client.incr('app:text'), (error) => {
      assert.strictEqual(error.name, 'ReplyError');
      assert.strictEqual(error.message, 'ERR value is not an integer or out of range');
      return true;
    });
    assert.strictEqual(await client.get('app:text'), 'not a number');
  });
  await check('scan_5000_keys', async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 5000; i += 1) pipeline.set(`app:scan:${i}`, '1');
    await pipeline.exec();
    const seen = new Set();
    for await (const keys of client.scanStream({ match: 'app:scan:*', count: 250 })) {
      keys.forEach((key) => seen.add(key));
    }
    assert.strictEqual(seen.size, 5000);
  });
  await check('reconnect_after_kill', async () => {
    const id = await client.client('ID');
    const other = connect();
    assert.strictEqual(await other.client('KILL', 'ID', id), 1);
    other.disconnect();
    const text = await retry(() => client.get('app:text'));
    assert.strictEqual(text, 'not a number');
    assert.notStrictEqual(await client.client('ID'), id);
    assert.strictEqual(await client.client('GETNAME'), 'flow-ioredis');
  });
}

async function main() {
  const client = connect({ connectionName: 'flow-ioredis' });
  await check('connect_protocol', async () => {
    assert.strictEqual(await client.ping(), 'PONG');
    assert.strictEqual(infoFields(await client.client('INFO')).resp, settings.resp);
  });

  // The limiter first: its window runs out while the other checks are at work.
  const counter = 'app:rate:client-9';
  const workers = Array.from({ length: 8 }, () => connect());
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
  workers.forEach((worker) => worker.disconnect());

  await profileCache(client);
  await sessionStore(client);
  await connectionFacts(client);

  await check('rate_counter_resets', async () => {
    for (let i = 0; i < 80 && (await client.exists(counter)) === 1; i += 1) await sleep(50);
    assert.strictEqual(await client.get(counter), null);
    assert.strictEqual(await takeSlot(client, counter), true);
    assert.strictEqual(await client.get(counter), '1');
  });
  client.disconnect();
}

main().then(finish, (error) => {
  console.log(`fail main: ${error && error.stack}`);
  finish();
});
