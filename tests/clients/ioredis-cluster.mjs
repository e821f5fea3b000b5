// ioredis Cluster against a cluster of larders whose partitions move: prints
// ready, works until its input ends, and ends with an error when a request failed
// or something differs.
import assert from 'node:assert/strict';
import { Cluster } from 'ioredis';
import { Worker, untilInputEnds, arrives } from './rounds.mjs';

const seeds = [{ host: process.env.LARDER_HOST, port: Number(process.env.LARDER_PORT) }];

async function round(cluster, key, text) {
  assert.equal(await cluster.set(key, text, 'EX', 60), 'OK');
  assert.equal(await cluster.get(key), text);
  const keys = [0, 1, 2, 3, 4].map((i) => `{${key}}:${i}`);
  assert.equal(await cluster.mset(keys.flatMap((k) => [k, text])), 'OK');
  assert.deepEqual(await cluster.mget(keys), keys.map(() => text));
  const pipeline = cluster.pipeline(); // of one slot, as ioredis wants it
  for (const k of keys) pipeline.set(k, text, 'EX', 60).get(k);
  const replies = await pipeline.exec();
  for (let i = 0; i < replies.length; i++) assert.deepEqual(replies[i], [null, i % 2 ? text : 'OK']);
  const spread = await Promise.all(keys.map(async (k, i) => {
    await cluster.set(`${key}:p${i}`, text, 'EX', 60);
    return cluster.get(`${key}:p${i}`);
  }));
  assert.deepEqual(spread, keys.map(() => text));
  assert.deepEqual(await cluster.multi().set(keys[0], '41').incr(keys[0]).exec(), [[null, 'OK'], [null, 42]]);
  assert.equal(await cluster.del(...keys), 5);
}

async function subscriber(options, names, subscribe, event) {
  const cluster = new Cluster(seeds, options);
  const listeners = new Map();
  cluster.on(event, (channel, message) => listeners.get(channel)?.(message));
  for (const name of names) await cluster[subscribe](name);
  return { cluster, listeners };
}

const cluster = new Cluster(seeds);
const whole = await subscriber({}, ['io:news'], 'subscribe', 'message');
const shards = ['io:shard0', 'io:shard1', 'io:shard2', 'io:shard3'];
const sharded = await subscriber({ shardedSubscribers: true }, shards, 'ssubscribe', 'smessage');

async function messages() {
  await arrives(whole.listeners, 'io:news', () => cluster.publish('io:news', 'hello'));
  for (const name of shards) await arrives(sharded.listeners, name, () => cluster.spublish(name, 'hello'));
}

try {
  await messages();
  assert.equal(cluster.nodes('master').length, 3);
  await assert.rejects(cluster.mget('a', 'b'), /CROSSSLOT|same slot|same node/);
  const workers = [0, 1, 2, 3].map((w) => new Worker((n) => round(cluster, `io:${w}:${n % 50}`, String(n))));
  console.log('ready');
  await untilInputEnds(workers);
  await messages();
} finally {
  for (const c of [cluster, whole.cluster, sharded.cluster]) c.disconnect();
}
