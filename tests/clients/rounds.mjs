// What the scripts that use clusters have in common.
import assert from 'node:assert/strict';

// Worker does a round of work after the other until it is stopped, and keeps the
// errors. Invariant: it awaits every round, so that none is lost.
export class Worker {
  constructor(round) {
    this.rounds = 0;
    this.errors = [];
    this.stopped = false;
    this.ended = this.#run(round);
  }

  async #run(round) {
    for (let n = 0; !this.stopped; n++) {
      try {
        await round(n);
        this.rounds++;
      } catch (err) {
        this.errors.push(`round ${n}: ${err.stack}`);
      }
    }
  }
}

// untilInputEnds lets workers work until then, and fails with their errors.
export async function untilInputEnds(workers) {
  for await (const _ of process.stdin);
  for (const w of workers) w.stopped = true;
  await Promise.all(workers.map((w) => w.ended));
  const rounds = workers.reduce((sum, w) => sum + w.rounds, 0);
  const errors = workers.flatMap((w) => w.errors);
  console.log(`${rounds} rounds without failure`);
  assert.ok(rounds > 0, 'no round succeeded');
  assert.equal(errors.length, 0, `${errors.length} rounds failed:\n${errors.slice(0, 5).join('\n')}`);
}

// arrives publishes in a channel until a message comes to its listener.
export async function arrives(listeners, channel, publish) {
  let come;
  const message = new Promise((resolve) => { come = resolve; });
  listeners.set(channel, come);
  for (let tries = 1; ; tries++) {
    await publish();
    const timeout = new Promise((resolve) => { setTimeout(resolve, 100); });
    const got = await Promise.race([message, timeout]);
    if (got !== undefined) return assert.equal(got, 'hello');
    assert.ok(tries < 200, `no message of ${tries} published in ${channel} has come`);
  }
}
