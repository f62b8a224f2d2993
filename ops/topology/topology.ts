/** All programs of the topology, its publisher and its clients, and what an operator can do with them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, Events, type NatsConnection, type StreamInfo, type StreamInfoRequestOptions } from 'nats';
import { subjectOf } from '../../src/protocol/topics.js';
import { connectPublisher, type Publisher } from '../../src/publisher/index.js';
import { type AlertInbox, openAlertInbox } from './alert-inbox.js';
import { Crowd } from './crowd.js';
import { type Deployment, prepareDeployment } from './deployment.js';
import { Market } from './market.js';
import { Program, type ProgramOptions } from './program.js';
import { findPrograms } from './programs.js';
import { tokenOf } from './shell-environment.js';
import { Site } from './site.js';
import { type Verdict, verdictOf } from './verdict.js';

const GUARD = fileURLToPath(new URL('./guard.mjs', import.meta.url));
/** At the end: for JetStream's last answers, and for what is on its way to clients. */
const SETTLE_MS_MAX = 20_000;
const SETTLE_POLL_MS = 100;
/** For a program to end when the topology ends. */
const END_MS_MAX = 5_000;
const RECONNECT_WAIT_MS = 100;
const STREAM = 'MILLRACE';
const STREAM_MS_MAX = 1_000;

interface TopologyOptions {
  /** Its files; it exists. */
  readonly directory: string;
  readonly clients: number;
  readonly symbols: number;
  /** Messages per second that the publisher sends. */
  readonly rate: number;
  /** Alerts and their notifications come after at most this time; undefined: as in ops/. */
  readonly alertsAfterSeconds: number | undefined;
  readonly say: (line: string) => void;
}

export class Topology {
  readonly #options: TopologyOptions;
  readonly #programs = new Map<string, Program>();
  readonly #guard: ChildProcess;
  #inbox: AlertInbox | undefined;
  #deployment: Deployment | undefined;
  #nats: NatsConnection | undefined;
  #publisher: Publisher | undefined;
  #market: Market | undefined;
  #crowd: Crowd | undefined;
  #isClosing = false;

  constructor(options: TopologyOptions) {
    this.#options = options;
    // In its own process group, so that no Ctrl-C ends it first.
    this.#guard = spawn(process.execPath, [GUARD], { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
  }

  /** Starts everything, in the order in which it is needed. @throws {Error} saying what does not start */
  async start(): Promise<void> {
    const { directory, say, alertsAfterSeconds } = this.#options;
    const programs = findPrograms();
    this.#inbox = await openAlertInbox(instance => this.#nameOf(instance), say);
    const deployment = await prepareDeployment({
      site: new Site(directory),
      programs,
      symbols: this.#symbols,
      inboxUrl: this.#inbox.url,
      alertsAfterSeconds,
    });
    this.#deployment = deployment;
    await this.#startAll(deployment.nats);
    await this.#startAll(deployment.gateways);
    await this.#startAll([deployment.balancer, ...deployment.monitoring]);
    await this.#startTraffic(deployment);
  }

  /** Where everything is. @throws {Error} before it has started */
  get deployed(): Deployment {
    if (this.#deployment === undefined) throw new Error('the topology has not started');
    return this.#deployment;
  }

  get names(): readonly string[] {
    return [...this.#programs.keys()];
  }

  /** @throws {Error} if there is no such program, or it does not run */
  async kill(name: string): Promise<void> {
    await this.#running(name).kill();
  }

  /** Asks it to end: a gateway drains its clients first. @throws {Error} like `kill` */
  async stop(name: string): Promise<void> {
    await this.#running(name).stop();
  }

  /** Starts a program that has ended, with its files. @throws {Error} if it runs, or does not start */
  async startAgain(name: string): Promise<void> {
    const startedMs = performance.now();
    await this.#named(name).start();
    this.#options.say(`${name} serves after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }

  /** Orders a gateway to send its clients elsewhere (`control.drain`). It keeps running, not ready, until it is stopped. */
  async drain(name: string): Promise<void> {
    const program = this.#running(name);
    if (this.deployed.adminUrls[name] === undefined) throw new Error(`${program.name} is no gateway`);
    this.#nats?.publish('control.drain', JSON.stringify({ node: name }));
    await this.#nats?.flush();
  }

  /** What runs, and how it is: lines for people. */
  async status(): Promise<string[]> {
    const leader = (await this.#stream())?.cluster?.leader;
    const programs = await Promise.all(
      [...this.#programs.values()].map(async program => {
        return `${await this.#statusOf(program)}${program.name === leader ? ', leads the stream' : ''}`;
      }),
    );
    const { published = 0, stored = 0, waiting = 0 } = this.#market?.trades.totals ?? {};
    const firing = this.#inbox?.firing() ?? [];
    return [
      ...programs,
      `publisher     ${published} trades published, ${stored} stored, ${waiting} waiting`,
      `clients       ${this.#crowd?.summary}`,
      `alerts        ${firing.length === 0 ? 'none' : firing.join(', ')}`,
    ];
  }

  /** Stops the publisher, waits for what is on its way, and says whether anything was lost. */
  async verdict(): Promise<Verdict> {
    const [market, crowd] = [this.#market, this.#crowd];
    if (market === undefined || crowd === undefined) throw new Error('the topology has not started');
    const { watchers } = crowd;
    const judge = async (): Promise<Verdict> => {
      const wrongDocuments = watchers.flatMap((watcher, at) =>
        watcher.differences(market).map(name => `client ${at + 1}: ${name}`),
      );
      const inStream = await this.#tradesInStream();
      return verdictOf({ ledger: market.trades, witnesses: watchers, wrongDocuments, inStream });
    };
    await Promise.race([market.stop(), delay(SETTLE_MS_MAX)]);
    const deadlineMs = performance.now() + SETTLE_MS_MAX;
    for (;;) {
      const verdict = await judge();
      if (verdict.isGood || performance.now() > deadlineMs) return verdict;
      await delay(SETTLE_POLL_MS);
    }
  }

  /** Ends everything that it started. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#crowd?.close();
    await this.#nats?.close();
    const ends = [...this.#programs.values()].map(program => program.stop('SIGINT', END_MS_MAX));
    await Promise.all(ends);
    this.#inbox?.close();
    this.#guard.stdin?.end();
    if (this.#guard.exitCode === null) await once(this.#guard, 'exit');
  }

  async #startAll(all: readonly ProgramOptions[]): Promise<void> {
    const { say } = this.#options;
    const programs = all.map(options => {
      const { name, logFile } = options;
      return new Program(options, {
        started: pid => this.#guard.stdin?.write(`+${pid}\n`),
        ended: (pid, how, wasAsked) => {
          this.#guard.stdin?.write(`-${pid}\n`);
          if (this.#isClosing) return;
          say(wasAsked ? `${name} ended (${how})` : `${name} DIED (${how}); its log is ${logFile}`);
        },
      });
    });
    for (const program of programs) this.#programs.set(program.name, program);
    await Promise.all(programs.map(program => program.start()));
    say(`${programs.map(({ name }) => name).join(', ')} ${programs.length === 1 ? 'serves' : 'serve'}`);
  }

  async #startTraffic({ natsUrl, clientUrl, jwtSecret }: Deployment): Promise<void> {
    const { clients, rate, say } = this.#options;
    const names = Array.from({ length: clients }, (_, n) => `client-${n + 1}`);
    const tokens = await Promise.all(names.map(name => tokenOf(name, jwtSecret)));
    this.#crowd = new Crowd({ url: clientUrl, tokens, symbols: this.#symbols, say });
    await this.#crowd.ready();
    const [first] = natsUrl.split(',');
    const { username: user, password: pass } = new URL(first ?? '');
    const servers = natsUrl.split(',').map(url => new URL(url).host);
    this.#nats = await connect({ servers, user, pass, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_WAIT_MS });
    void this.#followConnection(this.#nats);
    this.#publisher = await connectPublisher(this.#nats, { jetstream: true });
    this.#market = new Market({
      publisher: this.#publisher,
      symbols: this.#symbols,
      messagesPerSecond: rate,
      onPause: isPaused =>
        say(isPaused ? 'publisher: JetStream stores nothing; waiting' : 'publisher: JetStream stores again'),
    });
    this.#market.start();
    say(`publisher: ${rate} messages a second of ${this.#symbols.length} symbols`);
  }

  async #followConnection(nats: NatsConnection): Promise<void> {
    for await (const { type, data } of nats.status()) {
      if (type === Events.Disconnect) this.#options.say(`publisher: lost ${this.#nameOf(String(data))}`);
      if (type === Events.Reconnect) this.#options.say(`publisher: connected to ${this.#nameOf(String(data))}`);
    }
  }

  async #statusOf(program: Program): Promise<string> {
    const { name, pid, isRunning, end, options } = program;
    const state = isRunning ? `process ${pid}, ${options.address}` : `NOT RUNNING (${end})`;
    const admin = this.deployed.adminUrls[name];
    const more = isRunning && admin !== undefined ? await gatewayState(admin) : '';
    return `${name.padEnd(13)} ${state}${more}`;
  }

  async #tradesInStream(): Promise<number | undefined> {
    const counts = (await this.#stream({ subjects_filter: subjectOf('trades', '>') }))?.state.subjects;
    return counts === undefined ? undefined : Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  /** The stream of market data; undefined if JetStream does not answer. */
  async #stream(options: Partial<StreamInfoRequestOptions> = {}): Promise<StreamInfo | undefined> {
    try {
      const manager = await this.#nats?.jetstreamManager({ checkAPI: false, timeout: STREAM_MS_MAX });
      return await manager?.streams.info(STREAM, options);
    } catch {
      return undefined;
    }
  }

  get #symbols(): readonly string[] {
    return Array.from({ length: this.#options.symbols }, (_, n) => `TOPO-${n + 1}`);
  }

  /** The program at an address such as `127.0.0.1:4222`; the address if it is of none. */
  #nameOf(address: string): string {
    const admin = Object.entries(this.deployed.adminUrls).find(([, url]) => url.endsWith(`//${address}`));
    const program = [...this.#programs.values()].find(({ options }) => options.address.endsWith(`//${address}`));
    return admin?.[0] ?? program?.name ?? address;
  }

  #named(name: string): Program {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`there is no ${name}; there are ${this.names.join(', ')}`);
    return program;
  }

  #running(name: string): Program {
    const program = this.#named(name);
    if (!program.isRunning) throw new Error(`${name} does not run (${program.end})`);
    return program;
  }
}

/** Whether it is ready, and how many clients it has. */
async function gatewayState(adminUrl: string): Promise<string> {
  try {
    const ready = (await fetch(`${adminUrl}/readyz`)).ok ? 'ready' : 'not ready';
    const stats = await (await fetch(`${adminUrl}/api/v1/stats`)).json();
    const { open } = (stats as { readonly connections: { readonly open: number } }).connections;
    return `, admin ${adminUrl}, ${ready}, ${open} client${open === 1 ? '' : 's'}`;
  } catch {
    return `, admin ${adminUrl} does not answer`;
  }
}
