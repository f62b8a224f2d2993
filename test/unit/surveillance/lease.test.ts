import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EXPIRE_MS, GIVE_UP_MS, Lease, type LeaseEntries, RENEW_MS } from '../../../src/surveillance/lease.js';

/** A bucket that two gateways share; a gateway may be cut off from it. */
class Bucket {
  text: string | undefined;
  revision = 0;
  isReachable = true;

  entries(isReachable: () => boolean): LeaseEntries {
    return {
      read: async () => {
        this.#check(isReachable());
        return this.text === undefined ? undefined : { text: this.text, revision: this.revision };
      },
      write: async (_key, text, revision) => {
        this.#check(isReachable());
        if (revision !== (this.text === undefined ? undefined : this.revision)) return undefined;
        this.text = text;
        return ++this.revision;
      },
    };
  }

  #check(isReachable: boolean): void {
    if (!isReachable || !this.isReachable) throw new Error('no answer');
  }
}

function gateway(bucket: Bucket, holder: string) {
  const state = { isReachable: true, told: [] as string[] };
  const lease = new Lease({
    entries: bucket.entries(() => state.isReachable),
    holder,
    nowMs: () => performance.now(),
    onHeld: () => void state.told.push('held'),
    onStandby: other => void state.told.push(`standby ${other}`),
    onUnavailable: cause => void state.told.push(`unavailable ${(cause as Error).message}`),
  });
  return { lease, state };
}

describe('the lease of surveillance (R72)', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function two() {
    const bucket = new Bucket();
    const [one, other] = [gateway(bucket, 'one'), gateway(bucket, 'other')];
    one.lease.start();
    await vi.advanceTimersByTimeAsync(0);
    other.lease.start();
    await vi.advanceTimersByTimeAsync(10 * RENEW_MS);
    return { bucket, one, other };
  }

  it('R72 is held by the first, for as long as it renews', async () => {
    const { one, other } = await two();
    expect(one.lease.isHeld).toBe(true);
    expect(other.lease.isHeld).toBe(false);
    expect(one.state.told).toEqual(['held']);
    expect(new Set(other.state.told)).toEqual(new Set(['standby one']));
  });

  it('R72 passes to another once the holder is silent, and never has two holders', async () => {
    const { one, other } = await two();
    one.state.isReachable = false;
    let wereBoth = false;
    for (let ms = 0; ms < EXPIRE_MS + 2 * RENEW_MS; ms += 50) {
      await vi.advanceTimersByTimeAsync(50);
      wereBoth ||= one.lease.isHeld && other.lease.isHeld;
    }
    expect(wereBoth).toBe(false);
    expect(other.lease.isHeld).toBe(true);
    // Back again, the first one stands by.
    one.state.isReachable = true;
    await vi.advanceTimersByTimeAsync(2 * RENEW_MS);
    expect(one.lease.isHeld).toBe(false);
    expect(one.state.told.at(-1)).toBe('standby other');
  });

  it('R72 is given up by a holder that cannot renew it, before another may take it', async () => {
    const { one } = await two();
    one.state.isReachable = false;
    await vi.advanceTimersByTimeAsync(GIVE_UP_MS);
    expect(one.lease.isHeld).toBe(false);
    expect(GIVE_UP_MS).toBeLessThan(EXPIRE_MS);
  });

  it('R72 is given back at the end, so that another takes it at once', async () => {
    const { one, other } = await two();
    await one.lease.close();
    await vi.advanceTimersByTimeAsync(RENEW_MS);
    expect(other.lease.isHeld).toBe(true);
    await other.lease.close();
  });

  it('R72 is lost to whoever wrote the entry by force', async () => {
    const { bucket, one } = await two();
    bucket.text = 'third';
    bucket.revision++;
    await vi.advanceTimersByTimeAsync(RENEW_MS);
    expect(one.lease.isHeld).toBe(false);
  });

  it('R72 says that the bucket cannot be used, and tries again', async () => {
    const bucket = new Bucket();
    bucket.isReachable = false;
    const { lease, state } = gateway(bucket, 'one');
    lease.start();
    await vi.advanceTimersByTimeAsync(RENEW_MS);
    expect(state.told[0]).toBe('unavailable no answer');
    bucket.isReachable = true;
    await vi.advanceTimersByTimeAsync(RENEW_MS);
    expect(lease.isHeld).toBe(true);
    await lease.close();
  });
});
