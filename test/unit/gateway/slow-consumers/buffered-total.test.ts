import { beforeEach, describe, expect, it } from 'vitest';
import { RankCells } from '../../../../src/gateway/limits/rank.js';
import type { Session, Socket } from '../../../../src/gateway/model/session.js';
import { BufferedTotal } from '../../../../src/gateway/slow-consumers/buffered-total.js';
import type { Tier } from '../../../../src/protocol/view-options.js';
import { newSession } from '../../../support/new-session.js';

const KIB = 1024;
const LIMIT = 1000 * KIB;

class Worker {
  readonly sessions = new Set<Session>();
  readonly buffered = new Set<Session>();
  readonly cut: string[] = [];
  readonly told: { sockets: number; bytes: number }[] = [];
  readonly total: BufferedTotal;
  readonly #waiting = new Map<Session, number>();

  constructor(cells: SharedArrayBuffer, worker: number) {
    this.total = new BufferedTotal({
      cells: new RankCells(cells, worker),
      bytesMax: LIMIT,
      sessions: this.sessions,
      buffered: this.buffered,
      cut: session => {
        this.cut.push(session.credential.sub || `anonymous ${session.id}`);
        this.sessions.delete(session);
        this.buffered.delete(session);
      },
      onClosed: (sockets, bytes) => this.told.push({ sockets, bytes }),
    });
  }

  /** A socket that this much waits for. */
  add(sub: string, tier: Tier, kib: number, isKnown = true): Session {
    const session = newSession({ id: this.sessions.size, sub, format: 'json', tier });
    session.open({ getBufferedAmount: () => this.#waiting.get(session) ?? 0 } as unknown as Socket);
    this.#waiting.set(session, kib * KIB);
    this.sessions.add(session);
    if (isKnown) this.buffered.add(session);
    return session;
  }

  /** As Ladder does, every 100 ms. */
  sample(): void {
    for (const session of this.buffered) session.flow.sample(session.socket?.getBufferedAmount() ?? 0);
    this.total.sampled();
  }
}

let workers: [Worker, Worker];

beforeEach(() => {
  const cells = RankCells.create(2);
  workers = [new Worker(cells, 0), new Worker(cells, 1)];
});

const sample = (times = 1) => {
  for (let i = 0; i < times; i++) for (const worker of workers) worker.sample();
};

describe('J8 what waits for all sockets', () => {
  it('J8 ends nobody up to the limit, over all threads', () => {
    const [first, second] = workers;
    first.add('a', 'retail', 500);
    second.add('b', 'institutional', 500);
    sample(3);
    expect([...first.cut, ...second.cut]).toEqual([]);
  });

  it('J8 ends those without a credential first, the worst first, and no more than is too much', () => {
    const [first] = workers;
    first.add('a', 'retail', 600);
    first.add('i', 'institutional', 600);
    for (const kib of [10, 300, 200, 40]) first.add('', 'retail', kib);
    sample(3);
    // 750 KiB are too much: all that are anonymous, then retail.
    expect(first.cut.slice(0, 2)).toEqual(['anonymous 3', 'anonymous 4']);
    expect(first.cut.at(-1)).toBe('a');
    expect(first.cut).toHaveLength(5);
    expect(first.total.closed).toEqual({ anonymous: 4, retail: 1, institutional: 0 });
  });

  it('J8 ends only the worst of a rank where that is enough', () => {
    const [first] = workers;
    first.add('a', 'retail', 900);
    for (let n = 0; n < 20; n++) first.add('', 'retail', n + 1);
    sample(3);
    // 110 KiB are too much: the six with most.
    expect(first.cut).toHaveLength(7);
    expect(first.cut[0]).toBe('anonymous 20');
    expect(first.told).toEqual([{ sockets: 7, bytes: (20 + 19 + 18 + 17 + 16 + 15 + 14) * KIB }]);
  });

  it('J8 ends institutional users last', () => {
    const [first] = workers;
    for (let n = 0; n < 5; n++) first.add(`i${n}`, 'institutional', 250);
    sample(3);
    expect(first.cut).toHaveLength(1);
  });

  it('J8 each thread ends its part, and anonymous ones of another thread go before its own retail ones', () => {
    const [first, second] = workers;
    for (let n = 0; n < 4; n++) first.add(`r${n}`, 'retail', 200);
    for (let n = 0; n < 6; n++) second.add('', 'retail', 100);
    second.sample();
    sample(5);
    expect(first.cut).toEqual([]);
    expect(second.cut).toHaveLength(4);
    const waiting = [first, second].flatMap(({ buffered }) => [...buffered]);
    expect(waiting.reduce((sum, { flow }) => sum + flow.sampledBytes, 0)).toBeLessThanOrEqual(LIMIT);
  });

  it('J8 finds sockets that nobody knew to be buffered, each within some looks', () => {
    const [first] = workers;
    for (let n = 0; n < 200; n++) first.add('', 'retail', n < 100 ? 0 : 11, false);
    sample(60);
    expect(first.cut.length).toBeGreaterThanOrEqual(10);
    expect(first.cut.length).toBeLessThan(20);
    expect(first.buffered.size).toBe(100 - first.cut.length);
  });
});
