import { afterEach } from 'vitest';
import { MillraceClient, type MillraceOptions } from '../../src/client/index.js';
import { FakeClock } from './fake-clock.js';
import { type Command, FakeNetwork, type FakeSocket, subscribeAll } from './fake-socket.js';

/** A client on a network and a clock that stand still until the test moves them. */
interface Harness {
  readonly client: MillraceClient;
  readonly network: FakeNetwork;
  readonly clock: FakeClock;
  /** Codes of the client's 'error' events. */
  readonly errors: string[];
  /** States of its 'status' events. */
  readonly states: string[];
}

const clients: MillraceClient[] = [];

/** The client, not connected yet. Backoff delays are the whole ceiling unless `reconnect.random` says otherwise. */
export function newClient(options: Partial<MillraceOptions> = {}): Harness {
  const network = new FakeNetwork(options.format === 'msgpack' ? options.messagePack : undefined);
  const clock = new FakeClock();
  const client = new MillraceClient({
    url: 'ws://gateway.test',
    WebSocket: network.WebSocket,
    clock,
    ...options,
    reconnect: { baseMs: 100, maxMs: 10_000, random: () => 1, ...options.reconnect },
  });
  clients.push(client);
  const errors: string[] = [];
  const states: string[] = [];
  client.on('error', error => errors.push(error.code));
  client.on('status', ({ state }) => states.push(state));
  return { client, network, clock, errors, states };
}

/** The same, connected to a gateway that takes every subscription. */
export async function connected(options: Partial<MillraceOptions> = {}): Promise<Harness & { socket: FakeSocket }> {
  const harness = newClient(options);
  harness.network.onCommand = subscribeAll;
  return { ...harness, socket: await harness.network.accepted(1) };
}

/** Commands as they are whatever their ids. */
export const withoutId = (commands: readonly Command[]) => commands.map(({ id: _, ...rest }) => rest);

/** Replies subscriptions with `answer`, in place of a gateway that takes all. */
export function answering(answer: (command: Command) => readonly object[]) {
  return ({ ...command }: Command, socket: FakeSocket) => socket.frames(...answer(command));
}

export const subscribed = (id: unknown, topics: readonly string[], more: object = {}) => ({
  type: 'subscribed',
  id,
  topics,
  ...more,
});

export const refused = (id: unknown, code: string, more: object = {}) => ({
  type: 'error',
  id,
  code,
  message: 'no',
  ...more,
});

/** Everything that is due without any time passing has happened. */
export async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

/** A frame of the best level of `X`. */
export const bestLevel = (prevSeq: number, seq: number, more: object = {}) => ({
  type: 'orderbook_update',
  symbol: 'X',
  best_bid: String(seq),
  best_ask: null,
  epoch: 'e1',
  prev_seq: prevSeq,
  seq,
  ...more,
});
