/** The client SDK when gateways die and connections are cut. */
import { describe, expect, it } from 'vitest';
import type { StateChange } from '../../src/client/index.js';
import { testToken } from '../support/gateway.js';
import { type Encoding, TestPublisher } from '../support/publisher.js';
import {
  alert,
  ends,
  followed,
  gatewayWith,
  market,
  newClient,
  orderUpdate,
  portOf,
  quote,
  sockets,
  trade,
} from '../support/sdk-market.js';
import { until } from '../support/until.js';

const RECOVERY_TIMEOUT_MS = 30_000;

/** A token provider that keeps the client from connecting while the gate is shut. */
function gate() {
  let open = () => {};
  let isOpen = Promise.resolve();
  return {
    token: async () => {
      await isOpen;
      return testToken();
    },
    shut: () => {
      isOpen = new Promise<void>(resolve => {
        open = resolve;
      });
    },
    open: () => open(),
  };
}

/** The same text for the same document: the order of members means nothing. */
function sortedJson(document: unknown): string {
  return JSON.stringify(document, (_, value) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value;
  });
}

const FORMATS: readonly Encoding[] = ['json', 'msgpack'];

describe('R34 a gateway that dies', () => {
  it.each(FORMATS)(
    'R34 by kill -9 and is started again gives the client a correct document again, in %s',
    async format => {
      const { gateway, publisher, settings } = await market({ SYMBOLS: 'AAPL' });
      const client = newClient(gateway, { format });
      const states: string[] = [];
      client.on('status', ({ state }) => states.push(state));
      const known = client.quotes(['AAPL']);
      await known.ready;
      publisher.put('md.quotes.AAPL', quote('AAPL', 1));
      publisher.put('md.quotes.HEARD', quote('HEARD', 1));
      await publisher.settled(gateway);
      // Known to the gateway only because it was published: the next one does not know it at first.
      const heard = client.quotes(['HEARD']);
      await heard.ready;
      await until(() => known.get('AAPL')?.current_price === 1 && heard.get('HEARD')?.current_price === 1);

      await gateway.stop('SIGKILL');
      await until(() => client.status.state === 'waiting');
      expect(known.get('AAPL')).toEqual(quote('AAPL', 1));
      const snapshots: unknown[] = [];
      known.on('change', ({ isSnapshot, document }) => {
        if (isSnapshot) snapshots.push(document.current_price);
      });
      const retried: boolean[] = [];
      heard.on('error', ({ isRetried }) => retried.push(isRetried));
      const second = await gatewayWith({ ...settings, PORT: portOf(gateway) });
      await until(() => client.status.state === 'open', RECOVERY_TIMEOUT_MS, 'connected again');
      await until(() => retried.length > 0);
      const later = await TestPublisher.connect(settings.NATS_URL);
      ends.push(() => later.close());
      later.put('md.quotes.AAPL', { ...quote('AAPL', 2), note: 'after the restart' });
      later.put('md.quotes.HEARD', quote('HEARD', 3));
      await later.settled(second);
      await until(() => known.get('AAPL')?.current_price === 2, RECOVERY_TIMEOUT_MS, 'the quote after the restart');
      expect(known.get('AAPL')).toEqual({ ...quote('AAPL', 2), note: 'after the restart' });
      expect(snapshots).toEqual([2]);
      await until(() => heard.get('HEARD')?.current_price === 3, RECOVERY_TIMEOUT_MS, 'the symbol that was not known');
      expect(heard.get('HEARD')).toEqual(quote('HEARD', 3));
      expect(new Set(retried)).toEqual(new Set([true]));
      expect(states).toContain('waiting');
    },
  );

  it('R34 in an orderly way says when to come back', async () => {
    const { gateway, settings } = await market({ SYMBOLS: 'AAPL', DRAIN_TIMEOUT: '2s' });
    // By backoff alone the first delay would be a minute.
    const draws = [1];
    const random = () => draws.shift() ?? 0.001;
    const client = newClient(gateway, { reconnect: { baseMs: 60_000, maxMs: 60_000, random } });
    await client.quotes(['AAPL']).ready;
    const delays: number[] = [];
    client.on('status', ({ state, reconnectInMs }) => {
      if (state === 'waiting' && reconnectInMs !== undefined) delays.push(reconnectInMs);
    });
    await gateway.stop();
    await until(() => delays.length > 0);
    expect(delays[0]).toBeLessThanOrEqual(2_000);
    await gatewayWith({ ...settings, PORT: portOf(gateway) });
    await until(() => client.status.state === 'open', RECOVERY_TIMEOUT_MS, 'connected again');
  });
});

describe('R34 an interrupted connection', () => {
  it('R34 resumes trades, orders, alerts and rooms where they were', async () => {
    const { gateway, publisher } = await market({ SYMBOLS: 'A' });
    const { token, shut, open } = gate();
    const client = newClient(gateway, { token });
    const streams = [client.trades(['A']), client.orders(), client.analytics(['alerts']), client.rooms('desk-7')];
    const all = streams.map(stream => followed(stream as Parameters<typeof followed>[0]));
    await Promise.all(streams.map(({ ready }) => ready));
    const publish = (n: number) => {
      publisher.put('md.trades.A', trade('A', n));
      publisher.put('orders.alice', orderUpdate('alice', n));
      publisher.put('analytics.alerts', alert(n));
      publisher.put('rooms.desk-7', { type: 'room_message', room: 'desk-7', from: 'bob', data: { n } });
    };
    for (let n = 1; n <= 5; n++) publish(n);
    await publisher.settled(gateway);
    await until(() => all.every(({ events }) => events.length === 5), 30_000, 'the first five of each');

    shut();
    sockets.at(-1)?.terminate();
    await until(() => client.status.state === 'connecting', 30_000, 'the client waits for its token');
    for (let n = 6; n <= 20; n++) publish(n);
    await publisher.settled(gateway);
    expect(all.map(({ events }) => events.length)).toEqual([5, 5, 5, 5]);
    open();
    await until(() => all.every(({ events }) => events.length >= 20), RECOVERY_TIMEOUT_MS, 'all twenty of each');
    for (let n = 21; n <= 25; n++) publish(n);
    await publisher.settled(gateway);
    await until(() => all.every(({ events }) => events.length >= 25), 30_000, 'the live ones behind them');
    for (const { events, gaps } of all) {
      expect(gaps).toEqual([]);
      const seqs = events.map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: 25 }, (_, n) => (seqs[0] ?? 0) + n));
    }
  });

  it(
    'R34 again and again loses no trade, and shows no document that another client does not have',
    {
      tags: ['slow'],
    },
    async () => {
      const gateway = await gatewayWith({ SIM_RATE: '2000', SYMBOLS: 'AAPL,MSFT' });
      const reference = newClient(gateway, { format: 'msgpack' });
      const documents = new Map<string, string>();
      const place = ({ topic, epoch, seq }: StateChange<unknown>) => `${topic} ${epoch} ${seq}`;
      let compared = 0;
      const differences: string[] = [];
      // Whichever client is first at a place keeps what it has there; the other must have the same.
      const compare = (change: StateChange<unknown>) => {
        const text = sortedJson(change.document);
        const other = documents.get(place(change));
        if (other === undefined) documents.set(place(change), text);
        else if (++compared && other !== text) differences.push(`${place(change)}: ${other} ${text}`);
      };
      const symbols = ['AAPL', 'MSFT'];
      reference.quotes(symbols).on('change', compare);
      reference.depth(symbols).on('change', compare);
      await until(() => documents.size > 0);

      const before = sockets.length;
      const client = newClient(gateway);
      client.quotes(symbols).on('change', compare);
      client.depth(symbols).on('change', compare);
      const { events, gaps } = followed(client.trades(['AAPL']));
      for (let cuts = 0; cuts < 15; cuts++) {
        const enough = { compared: compared + 100, events: events.length + 10 };
        await until(() => compared > enough.compared && events.length > enough.events, 30_000, 'changes and trades');
        sockets.at(-1)?.terminate();
      }
      expect(sockets.length).toBeGreaterThanOrEqual(before + 15);
      expect(differences).toEqual([]);
      expect(gaps).toEqual([]);
      const [first] = events;
      expect(events.map(({ seq }) => seq)).toEqual(events.map((_, n) => (first?.seq ?? 0) + n));
    },
  );

  it('R34 resumes at a gateway that was started meanwhile, from JetStream', async () => {
    const { gateway, publisher, settings } = await market({ SYMBOLS: 'A', JETSTREAM: 'on' }, { jetstream: true });
    const client = newClient(gateway);
    const stream = client.trades(['A']);
    const { events, gaps } = followed(stream);
    await stream.ready;
    for (let n = 1; n <= 5; n++) publisher.put('md.trades.A', trade('A', n));
    await until(() => events.length === 5, 30_000, 'the first five');
    await gateway.stop('SIGKILL');
    for (let n = 6; n <= 20; n++) publisher.put('md.trades.A', trade('A', n));
    await publisher.nats.flush();
    await gatewayWith({ ...settings, PORT: portOf(gateway) });
    await until(() => events.length >= 20, RECOVERY_TIMEOUT_MS, 'what was published while no gateway ran');
    expect(gaps).toEqual([]);
    expect(events.map(({ message }) => message.trade_id)).toEqual(Array.from({ length: 20 }, (_, n) => `A-${n + 1}`));
  });

  it('R34 says what it could not get back', async () => {
    const { gateway, publisher, settings } = await market({ SYMBOLS: 'A' });
    const client = newClient(gateway);
    const stream = client.trades(['A']);
    const { events, gaps } = followed(stream);
    await stream.ready;
    publisher.put('md.trades.A', trade('A', 1));
    await until(() => events.length === 1);
    await gateway.stop('SIGKILL');
    const second = await gatewayWith({ ...settings, PORT: portOf(gateway) });
    await until(() => gaps.length > 0, RECOVERY_TIMEOUT_MS, 'the gap');
    expect(gaps[0]).toMatchObject({ topic: 'trades:A', reason: 'not_recovered' });
    const later = await TestPublisher.connect(settings.NATS_URL);
    ends.push(() => later.close());
    later.put('md.trades.A', trade('A', 2));
    await later.settled(second);
    await until(() => events.length === 2, 30_000, 'the next trade');
  });
});
