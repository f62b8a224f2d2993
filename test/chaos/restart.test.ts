/** @module-tag slow */
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ownFreePort } from '../../src/cli/free-port.js';
import { Fleet, type MemberReport } from '../support/fleet.js';
import { startGateway, type TestGateway, testToken } from '../support/gateway.js';
import { startNatsServer } from '../support/nats-server.js';
import { TestPublisher } from '../support/publisher.js';
import { until } from '../support/until.js';

const CLIENTS = Number(process.env.RESTART_CLIENTS ?? 300);
const FLEETS = 2;
const RESTARTS = 3;
const SYMBOLS = ['A', 'B', 'C', 'D'];
/** More clients get less each: what all of them parse together is what two busy cores bear. */
const PUBLISH_INTERVAL_MS = 50 * Math.max(1, CLIENTS / 300);
const NEWCOMER_INTERVAL_MS = 50;
/** As long as a hundred clients a second take, which is the fastest that a gateway sends them away. */
const DRAIN_TIMEOUT_MS = Math.max(2_000, CLIENTS * 10);
/** Of the gateway: no client is asked to stay away longer. */
const RECONNECT_JITTER_MS = 1_000;
/** What a busy machine adds to a handshake. */
const HANDSHAKE_MAX_MS = 5_000;
const TEST_TIMEOUT_MS = 120_000 + 2 * RESTARTS * DRAIN_TIMEOUT_MS;

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const freePort = async () => String(await ownFreePort('127.0.0.1'));

/** Numbered trades and quotes of all symbols, as long as the test runs. */
function publishing(publisher: TestPublisher) {
  let n = 0;
  const timer = setInterval(() => {
    n++;
    for (const symbol of SYMBOLS) {
      publisher.put(`md.trades.${symbol}`, { symbol, trade_id: n, price: '1.5', quantity: '2' });
      publisher.put(`md.quotes.${symbol}`, { symbol, current_price: n, bid: n, ask: n + 1 });
    }
  }, PUBLISH_INTERVAL_MS);
  ends.push(async () => clearInterval(timer));
  return {
    /** @returns the number of the last */
    stop: () => {
      clearInterval(timer);
      return n;
    },
  };
}

/** Somebody new at any moment; whoever is not let in at the first attempt is named. */
function newcomers(url: string) {
  const refused: string[] = [];
  let welcomed = 0;
  const pending = new Set<WebSocket>();
  const timer = setInterval(() => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    pending.add(socket);
    let isOpen = false;
    socket.once('open', () => {
      isOpen = true;
      welcomed++;
      socket.close();
    });
    socket.on('error', cause => {
      if (!isOpen) refused.push(cause.message);
    });
    socket.once('close', () => pending.delete(socket));
  }, NEWCOMER_INTERVAL_MS);
  const stop = async () => {
    clearInterval(timer);
    await until(() => pending.size === 0, HANDSHAKE_MAX_MS);
    return { welcomed, refused };
  };
  ends.push(stop);
  return { stop };
}

/** Of these moments, the largest share within half a second. */
function rush(moments: readonly number[]): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let most = 0;
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) > 500) from++;
    most = Math.max(most, to - from + 1);
  }
  return most / sorted.length;
}

describe('R46 three restarts under load', () => {
  it(
    `R46 ${CLIENTS} SDK clients lose nothing, nobody is refused, and they come back one after another`,
    {
      timeout: TEST_TIMEOUT_MS,
    },
    async () => {
      const nats = await startNatsServer({ jetstream: true });
      ends.push(() => nats.stop());
      const env = {
        PORT: await freePort(),
        ADMIN_PORT: await freePort(),
        NATS_URL: nats.url,
        JETSTREAM: 'on',
        SYMBOLS: SYMBOLS.join(','),
        WORKERS: '2',
        ENCODERS: '1',
        DRAIN_TIMEOUT: `${DRAIN_TIMEOUT_MS}ms`,
        WS_MAX_CONNECTIONS_PER_IP: '20000',
      };
      let gateway: TestGateway = await startGateway({ ...env, NODE_NAME: 'version-0' });
      ends.push(() => gateway.stop('SIGINT'));
      const publisher = await TestPublisher.connect(nats.url);
      ends.push(() => publisher.close());
      const load = publishing(publisher);
      const token = await testToken({ ttlMs: 3_600_000 });
      const fleets = await Promise.all(
        Array.from({ length: FLEETS }, () => Fleet.launch(gateway.url, token, CLIENTS / FLEETS, SYMBOLS)),
      );
      for (const fleet of fleets) ends.push(() => fleet.close());
      const report = async () => (await Promise.all(fleets.map(fleet => fleet.report()))).flat();
      const strangers = newcomers(`${gateway.url}/ws?token=${token}`);

      for (let restart = 1; restart <= RESTARTS; restart++) {
        const old = gateway;
        gateway = await startGateway({ ...env, NODE_NAME: `version-${restart}` }, ['--takeover']);
        // At once, though the old one goes on until its clients are gone.
        expect((await fetch(`${gateway.adminUrl}/readyz`)).status).toBe(200);
        expect(await old.exited).toBe(0);
        expect(old.log()).not.toMatch(/"level":[56]0/);
        const isBack = ({ absences, state }: MemberReport) =>
          state === 'open' && absences.filter(({ backMs }) => backMs !== undefined).length >= restart;
        await until(async () => (await report()).every(isBack), RECONNECT_JITTER_MS + HANDSHAKE_MAX_MS, 'all are back');
      }

      const { welcomed, refused } = await strangers.stop();
      const last = load.stop();
      const isCurrent = ({ lastTrade, price }: MemberReport) => lastTrade === last && price === last;
      await until(async () => (await report()).every(isCurrent), 30_000, 'all have the last trade and quote');
      const members = await report();
      expect(members.length).toBe(CLIENTS);
      expect(members.flatMap(({ faults }) => faults)).toEqual([]);
      expect(refused).toEqual([]);
      expect(welcomed).toBeGreaterThan(20);

      for (let restart = 0; restart < RESTARTS; restart++) {
        const absences = members.map(member => member.absences[restart]);
        expect(absences.flatMap(absence => absence?.refusals)).toEqual([]);
        const away = absences.map(absence => (absence?.backMs ?? Number.NaN) - (absence?.downMs ?? Number.NaN));
        const promised = absences.map(absence => absence?.promisedMs ?? Number.NaN);
        const late = away.filter((ms, i) => !(ms <= (promised[i] as number) + HANDSHAKE_MAX_MS));
        expect(late).toEqual([]);
        expect(Math.max(...promised)).toBeLessThanOrEqual(RECONNECT_JITTER_MS);
        expect(new Set(promised.map(Math.round)).size).toBeGreaterThan(CLIENTS / 4);
        const backs = absences.map(absence => absence?.backMs ?? 0);
        expect(Math.max(...backs) - Math.min(...backs)).toBeGreaterThan(DRAIN_TIMEOUT_MS / 2);
        expect(rush(backs)).toBeLessThan(0.5);
      }
      // Exactly one absence for each restart: nobody was sent away twice.
      expect(members.filter(({ absences }) => absences.length !== RESTARTS)).toEqual([]);
    },
  );
});
