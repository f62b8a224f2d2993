/** What one repair costs when an encoder restarts: it must grow with lanes and clients, not with their product. */
import { expect, it } from 'vitest';
import { Gaps } from '../../../src/gateway/events/gaps.js';
import type { Session, View } from '../../../src/gateway/model/session.js';
import { Outbox } from '../../../src/gateway/sending/outbox.js';
import { SnapshotAssembly } from '../../../src/gateway/subscriptions/snapshot-assembly.js';
import { Subscriptions } from '../../../src/gateway/subscriptions/subscriptions.js';
import { Views } from '../../../src/gateway/views/views.js';
import { REALTIME } from '../../../src/protocol/view-options.js';
import { laneOf } from '../../../src/threads/lanes.js';
import type { InterestChange } from '../../../src/threads/thread-messages.js';
import { newSession } from '../../support/new-session.js';

const LANE = laneOf(REALTIME, 0, 'json', false);
const sentCell = () => ({ messages: 0, bytes: 0 });

/** A worker with so many lanes, and clients that resume one topic each. */
function build(lanes: number, clients: number) {
  const told: InterestChange[] = [];
  const views = new Views(1, change => told.push(change), sentCell);
  const outbox = new Outbox(
    () => true,
    () => 0,
    sentCell,
    false,
  );
  const gaps = new Gaps(outbox, () => undefined);
  const subscriptions = new Subscriptions({
    views,
    outbox,
    gaps,
    turn: { current: 0 },
    wake: () => {},
    bufferedBytesMax: 1024,
    nowMs: () => 1,
  });
  for (let i = 0; i < lanes; i++) views.acquire('quotes', `S${i}`, LANE, { tier: 'institutional' });
  /** How often anybody asked which lane a subscription is on. */
  const looks = { count: 0 };
  for (let i = 0; i < clients; i++) {
    const session: Session = newSession({ id: i, sub: `u${i}`, format: 'json', tier: 'institutional' });
    const wanted = [{ stream: 'rooms', symbol: `R${i}`, lane: LANE } as const];
    subscriptions.resumeFrom(
      session,
      wanted,
      { epoch: 'e', seq: 1 },
      () => {},
      () => {},
    );
    for (const subscription of session.subscriptions.values()) {
      const { view } = subscription;
      Object.defineProperty(subscription, 'view', {
        get: (): View => {
          looks.count++;
          return view;
        },
      });
    }
  }
  /** The hub answers whatever it is told, until it is told nothing more. */
  const answer = () => {
    for (const change of told) if ('request' in change) views.requests.settled(change.request);
  };
  answer();
  return { views, subscriptions, told, looks, answer };
}

it('S5: an encoder restart asks each lane and each client that resumes once, whatever their product', () => {
  const [lanes, clients] = [4_000, 1_000];
  const { views, subscriptions, told, looks, answer } = build(lanes, clients);
  told.length = 0;
  for (const view of views.all()) subscriptions.viewChanges.broken(view);
  answer();
  expect(told.filter(({ op }) => op === 'ask')).toHaveLength(lanes + clients);
  expect(told.filter(({ op }) => op === 'replay')).toHaveLength(clients);
  expect(looks.count).toBeLessThan(10 * (lanes + clients));
});

it('S5: a refusal of each lane ends those that wait for it, and looks at no others', () => {
  const clients = 1_000;
  const { views, subscriptions, looks } = build(4_000, clients);
  for (const view of [...views.all()]) subscriptions.viewChanges.refused(view, 'full');
  expect(looks.count).toBeLessThan(30 * clients);
  expect([...views.all()].every(({ stream }) => stream === 'quotes')).toBe(true);
});

it('S5: a thousand topics that leave a snapshot together do not walk what is queued behind it each', () => {
  const session = newSession({ id: 1, sub: 'u', format: 'json', tier: 'institutional' });
  const topics = 1_000;
  const assembly = new SnapshotAssembly(session, topics + 1, []);
  const entries = Array.from({ length: topics }, () => ({}) as View);
  const subscriptions = entries.map(view => ({ view, assembly, session }) as never);
  for (const subscription of subscriptions) {
    assembly.parts.set(subscription, { seq: 1, epoch: 'e', bytes: new Uint8Array(1) });
    assembly.missing--;
  }
  let looks = 0;
  const bytes = new Uint8Array(64);
  Object.defineProperty(bytes, 'length', {
    get: () => {
      looks++;
      return 64;
    },
  });
  for (const view of entries) assembly.queueBehind({ view, bytes });
  looks = 0;
  for (const subscription of subscriptions.slice(1)) assembly.leave(subscription);
  expect(looks).toBeLessThan(10 * topics);
  expect(assembly.queue.map(({ view }) => view)).toEqual([entries[0]]);
});
