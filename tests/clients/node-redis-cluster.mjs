// createCluster of node-redis against a cluster of larders whose partitions move:
// prints ready, works until its input ends, and ends with an error when a request
// failed or something differs.
import assert from 'node:assert/strict';
import { createCluster } from 'redis';
import { Worker, untilInputEnds, arrives } from './rounds.mjs';

const rootNodes = [{ url: `redis://${process.env.LARDER_HOST}:${process.env.LARDER_PORT}` }];

async function round(cluster, key, text) {
  assert.equal(await cluster.set(key, text, { EX: 60 }), 'OK');
  assert.equal(await cluster.get(key), text);
  const keys = [0, 1, 2, 3, 4].map((i) => `{${key}}:${i}`);
  assert.equal(await cluster.mSet(keys.flatMap((k) => [k, text])), 'OK');
  assert.deepEqual(await cluster.mGet(keys), keys.map(() => text));
  const spread = await Promise.all(keys.map(async (k, i) => {
    await cluster.set(`${key}:p${i}`, text, { EX: 60 });
    return cluster.get(`${key}:p${i}`);
  }));
  assert.deepEqual(spread, keys.map(() => text));
  assert.deepEqual(await cluster.multi().set(keys[0], '41').incr(keys[0]).exec(), ['OK', 42]);
  assert.equal(await cluster.del(keys), 5);
}

// persistent repeats a round once when the library itself has given requests up:
// when a node owns nothing any more, and is no longer in CLUSTER SLOTS, it closes
// its connection there, whatever is still to be answered, also with Redis.
async function persistent(cluster, key, text) {
  try {
    await round(cluster, key, text);
  } catch (err) {
    if (err.message !== 'Disconnects client') throw err;
    await round(cluster, key, text);
  }
}

for (const RESP of [2, 3]) {
  const cluster = createCluster({ rootNodes, RESP });
  cluster.on('error', () => {}); // what a request meets, it throws
  await cluster.connect();
  const listeners = new Map();
  const hear = (message, channel) => listeners.get(channel)?.(message);
  const shards = [0, 1, 2, 3].map((i) => `nr:shard${i}`);
  await cluster.subscribe('nr:news', hear);
  for (const name of shards) await cluster.sSubscribe(name, hear);
  const messages = async () => {
    await arrives(listeners, 'nr:news', () => cluster.publish('nr:news', 'hello'));
    for (const name of shards) await arrives(listeners, name, () => cluster.sPublish(name, 'hello'));
  };
  try {
    await messages();
    assert.equal(cluster.masters.length, 3);
    if (RESP === 3) {
      const workers = [0, 1, 2, 3].map((w) => new Worker((n) => persistent(cluster, `nr:${w}:${n % 50}`, String(n))));
      console.log('ready');
      await untilInputEnds(workers);
      await messages();
    } else {
      await round(cluster, 'nr:resp2', '1');
    }
  } finally {
    cluster.destroy();
  }
}
