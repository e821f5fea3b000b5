// ioredis against a larder: basic flows, pipelines, scans, pub/sub, errors. Ends
// with an assertion error when something differs.
import assert from 'node:assert/strict';
import Redis from 'ioredis';

const at = { host: process.env.LARDER_HOST, port: Number(process.env.LARDER_PORT) };

async function basics(redis) {
  assert.equal(await redis.ping(), 'PONG');
  assert.equal(await redis.set('io:a', 'one'), 'OK');
  assert.equal(await redis.get('io:a'), 'one');
  assert.equal(await redis.get('io:none'), null);
  assert.equal(await redis.set('io:a', 'two', 'EX', 100, 'NX'), null);
  assert.equal(await redis.set('io:a', 'two', 'PX', 100_000, 'XX', 'GET'), 'one');
  const ttl = await redis.ttl('io:a');
  assert.ok(ttl > 90 && ttl <= 100, `ttl ${ttl}`);
  assert.equal(await redis.incrby('io:n', 41), 41);
  assert.equal(await redis.incr('io:n'), 42);
  assert.equal(await redis.append('io:a', '!'), 4);
  assert.deepEqual(await redis.mget('io:a', 'io:none', 'io:n'), ['two!', null, '42']);
  assert.equal(await redis.mset({ 'io:x': '1', 'io:y': '2' }), 'OK');
  assert.equal(await redis.exists('io:x', 'io:y', 'io:none'), 2);
  assert.equal(await redis.del('io:x', 'io:y'), 2);
  assert.equal(await redis.type('io:a'), 'string');
  const bytes = Buffer.from([0, 255, 13, 10, 36]);
  await redis.set(Buffer.from([1, 0, 2]), bytes);
  assert.deepEqual(await redis.getBuffer(Buffer.from([1, 0, 2])), bytes);
  const big = Buffer.alloc(5 << 20, 'x');
  await redis.set('io:big', big);
  assert.ok(big.equals(await redis.getBuffer('io:big')));
  await redis.setbit('io:bits', 7, 1);
  assert.equal(await redis.bitcount('io:bits'), 1);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; i++) pipeline.set(`io:p:${i}`, String(i));
  for (let i = 0; i < 1000; i++) pipeline.get(`io:p:${i}`);
  const results = await pipeline.exec();
  assert.equal(results.length, 2000);
  assert.ok(results.every(([err]) => err === null));
  assert.equal(results[1999][1], '999');
  const mixed = await redis.pipeline().set('io:text', 'no number').incr('io:text').get('io:text').exec();
  assert.match(mixed[1][0].message, /^ERR value is not an integer or out of range/);
  assert.equal(mixed[2][1], 'no number');
}

async function transactions(redis) {
  assert.deepEqual(await redis.multi().set('io:t', '1').incr('io:t').get('io:t').exec(), [[null, 'OK'], [null, 2], [null, '2']]);
  await redis.watch('io:t');
  const other = redis.duplicate();
  await other.set('io:t', 'other');
  await other.quit();
  assert.equal(await redis.multi().set('io:t', 'mine').exec(), null);
}

async function scan(redis) {
  const seen = new Set();
  for await (const keys of redis.scanStream({ match: 'io:p:*', count: 100 })) keys.forEach((k) => seen.add(k));
  assert.equal(seen.size, 1000);
}

async function pubsub(redis) {
  const subscriber = new Redis(at);
  const messages = [];
  const got = new Promise((resolve) => {
    subscriber.on('message', (channel, message) => messages.push(`${channel}=${message}`));
    subscriber.on('pmessage', (pattern, channel, message) => {
      messages.push(`${pattern}:${channel}=${message}`);
      resolve();
    });
  });
  assert.equal(await subscriber.subscribe('io:news'), 1);
  assert.equal(await subscriber.psubscribe('io:w*'), 2);
  assert.equal(await redis.publish('io:news', 'hello'), 1);
  assert.equal(await redis.publish('io:weather', 'rain'), 1);
  await got;
  assert.deepEqual(messages, ['io:news=hello', 'io:w*:io:weather=rain']);
  await subscriber.unsubscribe('io:news');
  await subscriber.punsubscribe('io:w*');
  assert.equal(await subscriber.get('io:none'), null);
  await subscriber.quit();
}

async function errors(redis) {
  await assert.rejects(redis.call('NOSUCH', 'a'), /^ReplyError: ERR unknown command 'NOSUCH'/);
  await assert.rejects(redis.call('GET'), /wrong number of arguments for 'get' command/);
  await assert.rejects(redis.set('io:a', 'x', 'EX', 0), /invalid expire time in 'set' command/);
}

const redis = new Redis({ ...at, db: 3, enableReadyCheck: true, connectionName: 'larder-test' });
try {
  await basics(redis);
  await pipelines(redis);
  await transactions(redis);
  await scan(redis);
  await pubsub(redis);
  await errors(redis);
  assert.match(await redis.client('LIST'), /name=larder-test/);
  assert.match(await redis.info('server'), /redis_version:/);
  await redis.flushdb();
  assert.equal(await redis.dbsize(), 0);
} finally {
  await redis.quit();
}
