import { describe, expect, it } from 'vitest';
import type { Session, Subscription, View } from '../../../../src/gateway/model/session.js';
import { SnapshotAssembly } from '../../../../src/gateway/subscriptions/snapshot-assembly.js';
import { NO_DATA, type Part } from '../../../../src/gateway/views/views.js';

const session = {} as Session;
const AFTER = [{ type: 'warning' }];
const part: Part = { seq: 1, epoch: 'e', bytes: new Uint8Array(10) };
const topic = () => ({ view: {} as View }) as Subscription;

/** Of three topics, the first has its part. */
function begunOf(first: Subscription, its = part): SnapshotAssembly {
  const assembly = new SnapshotAssembly(session, 3, AFTER);
  assembly.add(first, its, its.bytes.length);
  return assembly;
}

describe('R6 the snapshot of several quotes', () => {
  it('takes no more behind it than may be sent at once', () => {
    const first = topic();
    const assembly = begunOf(first);
    const delta = new Uint8Array(1024);
    let queued = 0;
    while (queued < 1e6 && assembly.queueBehind({ view: first.view, bytes: delta })) queued++;
    expect(queued).toBe(256);
    expect(assembly.queue).toHaveLength(256);
  });

  it('has room again when a topic leaves', () => {
    const [first, other] = [topic(), topic()];
    const assembly = begunOf(first);
    expect(assembly.queueBehind({ view: first.view, bytes: new Uint8Array(80) }, 100)).toBe(true);
    expect(assembly.queueBehind({ view: other.view, bytes: new Uint8Array(80) }, 100)).toBe(false);
    expect(assembly.leave(first)).toBe(false);
    expect(assembly.queueBehind({ view: other.view, bytes: new Uint8Array(80) }, 100)).toBe(true);
  });

  it('gives away what has come, with what follows it, and goes on with the others', () => {
    const first = topic();
    const assembly = begunOf(first);
    assembly.queueBehind({ view: first.view, bytes: new Uint8Array(1) });
    const begun = assembly.takeBegun();
    expect([...begun.parts.keys()]).toEqual([first]);
    expect([begun.queue.length, begun.after, begun.isContinued, begun.isPartial]).toEqual([1, [], false, true]);
    expect([assembly.parts.size, assembly.partBytes, assembly.queue.length, assembly.missing]).toEqual([0, 0, 0, 2]);
    // What comes after the snapshot comes after all of it.
    expect([assembly.after, assembly.isContinued, assembly.isPartial]).toEqual([AFTER, true, false]);
  });

  it('is not continued by topics without data', () => {
    const assembly = begunOf(topic(), NO_DATA);
    expect(assembly.isWithoutData).toBe(true);
    assembly.takeBegun();
    expect(assembly.isContinued).toBe(false);
  });
});
