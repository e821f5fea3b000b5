// node-redis against a larder, in RESP2 and RESP3: basic flows, pipelines,
// scans, pub/sub, errors. Ends with an assertion error when something differs.
import assert from 'node:assert/strict';
import { createClient, RESP_TYPES } from 'redis';

const socket = { host: process.env.LARDER_HOST, port: Number(process.env.LARDER_PORT), reconnectStrategy: false };

async function basics(client) {
  assert.equal(await client.ping(), 'PONG');
  assert.equal(await client.set('nr:a', 'one'), 'OK');
  assert.equal(await client.get('nr:a'), 'one');
  assert.equal(await client.get('nr:none'), null);
  assert.equal(await client.setEx('nr:a', 100, 'two'), 'OK');
  assert.ok((await client.pTTL('nr:a')) > 90_000);
  assert.equal(await client.persist('nr:a'), 1);
  assert.equal(await client.ttl('nr:a'), -1);
  assert.equal(await client.incrBy('nr:n', 42), 42);
  assert.equal(await client.incrByFloat('nr:n', 0.5), '42.5');
  assert.deepEqual(await client.mGet(['nr:a', 'nr:none', 'nr:n']), ['two', null, '42.5']);
  assert.equal(await client.getDel('nr:n'), '42.5');
  assert.equal(await client.exists(['nr:a', 'nr:n']), 1);
  assert.equal(await client.getRange('nr:a', 0, 1), 'tw');
  const bytes = Buffer.from([0, 255, 13, 10, 36]);
  await client.set('nr:bytes', bytes);
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.deepEqual(await raw.get('nr:bytes'), bytes);
  const big = 'x'.repeat(5 << 20);
  await client.set('nr:big', big);
  assert.equal(await client.get('nr:big'), big);
}

async function pipelines(client) {
  const writes = [];
  for (let i = 0; i < 1000; i++) writes.push(client.set(`nr:p:${i}`, String(i)));
  await Promise.all(writes);
  const reads = [];
  for (let i = 0; i < 1000; i++) reads.push(client.get(`nr:p:${i}`));
  const values = await Promise.all(reads);
  assert.deepEqual(values.slice(997), ['997', '998', '999']);
}

async function scan(client) {
  const seen = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'nr:p:*', COUNT: 100 })) keys.forEach((k) => seen.add(k));
  assert.equal(seen.size, 1000);
}

async function pubsub(client) {
  const subscriber = client.duplicate();
  await subscriber.connect();
  const messages = [];
  await subscriber.subscribe('nr:news', (message, channel) => messages.push(`${channel}=${message}`));
  const got = new Promise((resolve) => {
    subscriber.pSubscribe('nr:w*', (message, channel) => {
      messages.push(`${channel}=${message}`);
      resolve();
    }).then(async () => {
      assert.equal(await client.publish('nr:news', 'hello'), 1);
      assert.equal(await client.publish('nr:weather', 'rain'), 1);
    });
  });
  await got;
  assert.deepEqual(messages, ['nr:news=hello', 'nr:weather=rain']);
  await subscriber.unsubscribe();
  await subscriber.pUnsubscribe();
  assert.equal(await subscriber.get('nr:none'), null);
  await subscriber.close();
}

async function errors(client) {
  await assert.rejects(client.sendCommand(['NOSUCH']), /unknown command 'NOSUCH'/);
  await assert.rejects(client.sendCommand(['GET']), /wrong number of arguments/);
  await client.set('nr:text', 'no number');
  await assert.rejects(client.incr('nr:text'), /value is not an integer/);
}

for (const RESP of [2, 3]) {
  const client = createClient({ socket, RESP, database: 4, name: `larder-resp${RESP}` });
  client.on('error', (err) => { throw err; });
  await client.connect();
  try {
    await basics(client);
    await pipelines(client);
    await scan(client);
    await pubsub(client);
    await errors(client);
    const info = await client.clientInfo();
    assert.equal(info.resp, RESP);
    assert.equal(info.name, `larder-resp${RESP}`);
    const parameters = await client.configGet('maxmemory*');
    assert.ok('maxmemory-policy' in parameters, JSON.stringify(parameters));
    await client.flushDb();
    assert.equal(await client.dbSize(), 0);
  } finally {
    await client.close();
  }
}
