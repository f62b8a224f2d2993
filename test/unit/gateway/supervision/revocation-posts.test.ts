import { describe, expect, it } from 'vitest';
import { RevocationPosts } from '../../../../src/gateway/supervision/revocation-posts.js';
import type { RevocationRecord } from '../../../../src/threads/thread-messages.js';

const user = (value: string, atMs = 1): RevocationRecord => ({ by: 'sub', value, atMs });

function setUp(workers: number) {
  const posted: (readonly RevocationRecord[])[][] = Array.from({ length: workers }, () => []);
  const posts = new RevocationPosts(workers, (worker, revocations) => posted[worker]?.push(revocations));
  for (let worker = 0; worker < workers; worker++) posts.started(worker);
  /** Whether they refuse it, now. */
  const tell = (revocation: RevocationRecord) => {
    const told = { isDone: false, promise: posts.tell([revocation]) };
    void told.promise.then(() => {
      told.isDone = true;
    });
    return told;
  };
  return { posts, posted, tell };
}

/** Lets settled promises tell whoever waits for them. */
const settled = () => new Promise(resolve => setImmediate(resolve));

describe('R33 R47 what gateway threads are told of revocations', () => {
  it('R33 R47 a flood of orders is two messages and one view a user to a thread that takes none of them', async () => {
    const { posts, posted, tell } = setUp(1);
    for (let n = 1; n <= 10_000; n++) void tell(user(`user ${n % 10}`, n));
    expect(posted[0]).toEqual([[user('user 1', 1)]]);
    posts.taken(0);
    expect(posted[0]).toHaveLength(2);
    // The latest of each counts.
    const values = (posted[0]?.[1] ?? []).map(({ atMs }) => atMs).sort();
    expect(values).toEqual([9991, 9992, 9993, 9994, 9995, 9996, 9997, 9998, 9999, 10_000].sort());
    posts.taken(0);
    expect(posted[0]).toHaveLength(2);
  });

  it('R33 a thread that is slow does not keep the others waiting, but whoever asks whether it is in effect', async () => {
    const { posts, posted, tell } = setUp(2);
    const first = tell(user('alice'));
    posts.taken(0);
    const second = tell(user('bob'));
    expect(posted).toEqual([[[user('alice')], [user('bob')]], [[user('alice')]]]);
    posts.taken(0);
    await settled();
    expect([first.isDone, second.isDone]).toEqual([false, false]);
    posts.taken(1);
    await settled();
    expect([first.isDone, second.isDone]).toEqual([true, false]);
    posts.taken(1);
    await second.promise;
  });

  it('R33 R45 a thread that ends keeps nobody waiting, and the next one is told what comes after its start', async () => {
    const { posts, posted, tell } = setUp(1);
    const [first, second] = [tell(user('alice')), tell(user('bob'))];
    posts.ended(0);
    await Promise.all([first.promise, second.promise]);
    await posts.tell([user('carol')]);
    posts.started(0);
    void tell(user('dave'));
    expect(posted[0]).toEqual([[user('alice')], [user('dave')]]);
  });

  it('R33 a thread that hangs is waited for a second only', async () => {
    const { tell } = setUp(1);
    await Promise.all([tell(user('alice')).promise, tell(user('bob')).promise]);
  });
});
