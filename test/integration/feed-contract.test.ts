/** The failure contract: every feed answers what it is asked by an outcome, at any time, whatever its server does. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/environment.js';
import { FailoverFeed } from '../../src/feed/failover.js';
import { JetStreamFeed } from '../../src/feed/jetstream.js';
import { NatsFeed } from '../../src/feed/nats.js';
import { headerLine } from '../../src/feed/recording.js';
import { ReplayFeed } from '../../src/feed/replay-feed.js';
import { SimulatorFeed } from '../../src/feed/simulator/simulator.js';
import { WaitingFeed } from '../../src/feed/waiting-feed.js';
import { type Feed, systemClock } from '../../src/feed-contract/feed.js';
import type { FeedOutcome } from '../../src/feed-contract/feed-outcome.js';
import { Collector } from '../support/collector.js';
import { feedOptions } from '../support/feed-options.js';
import { type NatsServer, startNatsServer } from '../support/nats-server.js';
import { until } from '../support/until.js';

const CODES = ['unreachable', 'refused', 'not_stored', 'incomplete', 'overloaded', 'unsupported', 'misconfigured'];
const SUBJECTS = ['md.quotes.A', 'md.trades.*', 'orders.alice', 'rooms.desk', 'analytics.all'];

/** Ends what a test has started, in the opposite order, also when the test fails. */
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

const natsConfig = (url: string) => readConfig({ FEED: 'nats', NATS_URL: url }).nats;
const natsFeed = (url: string) => new NatsFeed({ config: natsConfig(url), ...feedOptions() });
const jetStreamFeed = (url: string) => new JetStreamFeed({ config: natsConfig(url), ...feedOptions() });

/** A feed, and what it reads from. */
interface Subject {
  readonly feed: Feed;
  /** The server dies. Undefined where there is none. */
  readonly breakServer?: () => Promise<void>;
}

async function server(): Promise<NatsServer> {
  const started = await startNatsServer({ jetstream: true });
  ends.push(() => started.kill());
  return started;
}

async function at(open: (url: string) => Feed): Promise<Subject> {
  const nats = await server();
  return { feed: open(nats.url), breakServer: () => nats.kill() };
}

async function simulatorFeed(): Promise<Subject> {
  const { simulator } = readConfig({});
  return { feed: new SimulatorFeed({ config: simulator, symbols: [], clock: systemClock }) };
}

async function replayFeed(): Promise<Subject> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-contract-'));
  ends.push(() => rm(directory, { recursive: true }));
  const file = join(directory, 'empty.rec');
  await writeFile(file, headerLine(0));
  return { feed: new ReplayFeed({ config: { file, speed: 1, follow: true }, clock: systemClock }) };
}

async function failoverFeed(): Promise<Subject> {
  const [primary, backup] = [await server(), await server()];
  const { clock, errors } = feedOptions();
  const [openPrimary, openBackup] = [() => natsFeed(primary.url), () => natsFeed(backup.url)];
  const feed = new FailoverFeed({ name: 'nats', openPrimary, openBackup, staleAfterMs: 1_000, clock, errors });
  return { feed, breakServer: async () => void (await Promise.all([primary.kill(), backup.kill()])) };
}

async function waitingFeed(): Promise<Subject> {
  const nats = await server();
  const { clock, errors } = feedOptions();
  const feed = new WaitingFeed({ name: 'nats', open: () => natsFeed(nats.url), timeoutMs: 1, clock, errors });
  return { feed, breakServer: () => nats.kill() };
}

const FEEDS: readonly [name: string, open: () => Promise<Subject>][] = [
  ['NatsFeed', () => at(natsFeed)],
  ['JetStreamFeed', () => at(jetStreamFeed)],
  ['FailoverFeed', failoverFeed],
  ['WaitingFeed', waitingFeed],
  ['SimulatorFeed', simulatorFeed],
  ['ReplayFeed', replayFeed],
];

/** Asks for everything. @throws {Error} if a call throws, rejects, or answers with something that is no outcome */
async function expectOutcomes(feed: Feed): Promise<Readonly<Record<string, FeedOutcome>>> {
  const range = { subject: 'rooms.desk', epoch: 'e', afterSeq: 1, toSeq: 2, messagesMax: 10 };
  const outcomes: Record<string, FeedOutcome> = {};
  for (const subject of SUBJECTS) {
    outcomes[`follow ${subject}`] = await feed.follow(subject, true);
    outcomes[`leave ${subject}`] = await feed.follow(subject, false);
    outcomes[`position ${subject}`] = feed.position(subject);
  }
  outcomes.publish = await feed.publish('rooms.desk', Buffer.from('{}'), 'gw.1', '');
  outcomes['publish keyed'] = await feed.publish('rooms.desk', Buffer.from('{}'), 'gw.2 key content', 'key');
  outcomes.stored = await feed.stored(range);
  feed.deadLetter('md.quotes.A', Buffer.from('{'), 'invalid_json');
  for (const [call, outcome] of Object.entries(outcomes)) {
    if (outcome.ok) continue;
    expect(CODES, call).toContain(outcome.code);
    expect(outcome.detail, call).not.toBe('');
  }
  return outcomes;
}

const notRunning = { ok: false, code: 'unreachable' };

describe.each(FEEDS)('N1 the failure contract of %s', (_, open) => {
  it('N1: before the start, while it runs and after the stop every call has an outcome', async () => {
    const { feed } = await open();
    await expectOutcomes(feed);
    const sink = new Collector();
    ends.push(() => feed.stop());
    expect(await feed.start(sink)).toEqual({ ok: true });
    expect(sink.live).toBe(true);
    const running = await expectOutcomes(feed);
    for (const subject of SUBJECTS) expect(running[`follow ${subject}`], subject).toMatchObject({ ok: true });
    await feed.stop();
    const [statuses, messages] = [sink.statuses.length, sink.messages.length];
    await expectOutcomes(feed);
    await feed.stop();
    expect([sink.statuses.length, sink.messages.length]).toEqual([statuses, messages]);
  });

  it('N1: a feed that is stopped before or during its start does not start', async () => {
    const { feed } = await open();
    const sink = new Collector();
    const starting = feed.start(sink);
    await feed.stop();
    const outcome = await starting;
    if (!outcome.ok) expect(outcome).toMatchObject(notRunning);
    const said = sink.statuses.length;
    await expectOutcomes(feed);
    expect(sink.statuses).toHaveLength(said);
  });

  it('N1: a server that dies makes calls fail, not the process', async ctx => {
    const { feed, breakServer } = await open();
    if (breakServer === undefined) return ctx.skip('it has no server');
    ends.push(() => feed.stop());
    await feed.start(new Collector());
    const asked = expectOutcomes(feed);
    await breakServer();
    await asked;
    await until(async () => !(await feed.follow('rooms.desk', true)).ok);
    const broken = await expectOutcomes(feed);
    expect(broken['follow rooms.desk']).toMatchObject(notRunning);
    expect(broken.publish).toMatchObject({ ...notRunning, detail: expect.stringMatching(/^not published/) });
  });

  it('N1: a server that is not there fails the start with its name', async ctx => {
    const { feed, breakServer } = await open();
    if (breakServer === undefined) return ctx.skip('it has no server');
    await breakServer();
    const outcome = await feed.start(new Collector());
    expect(outcome).toMatchObject({ ...notRunning, detail: expect.stringContaining('nats://127.0.0.1') });
    await expectOutcomes(feed);
    await feed.stop();
  });
});
