/**
 * Where attacks happen: a gateway with its publisher and its clients (a session of the latency suite), one of which is the
 * victim and alone in its process; the attacker's process; and the server that does nothing.
 */
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { symbolsOf } from '../fanout/layout.js';
import { Channel } from '../harness/channel.js';
import { Children } from '../harness/children.js';
import { cpuShare, sampleCpu } from '../harness/cpu.js';
import { residentBytes } from '../harness/memory.js';
import { mintToken, newSecret } from '../harness/tokens.js';
import { type LoadResult, type LoadTimes, Session } from '../latency/session.js';
import { attackedGateway } from './gateway.js';
import { type Limit, limitOf } from './limit.js';
import type { Market } from './market.js';
import type { AttackAnswer, AttackCommand, AttackPlan, AttackReport } from './messages.js';
import { Newcomers, type NewcomersReport } from './newcomers.js';
import type { NullAnswer, NullCommand } from './null-server.js';

const HOST = '127.0.0.1';
const RESIDENT_INTERVAL_MS = 100;
const SETTLE_POLL_MS = 250;
const END_SHOWS_WITHIN_MS = 10_000;
/** Heaps of a process differ by so much under the same load without any attack. */
export const HEAP_SCATTER_BYTES = 64e6;

export interface SceneSettings extends LoadTimes {
  readonly clients: number;
  readonly symbols: number;
  readonly rate: number;
  readonly market: Market;
  readonly workers: string;
  readonly encoders: string;
}

/** One stretch of the same load. `null server`: the attack goes to a server that does nothing. */
export type Phase = 'quiet' | 'null server' | 'attacked' | 'after';

export interface Stretch extends LoadResult {
  readonly phase: Phase;
  /** Clients that lost their connection in it. */
  readonly cutOff: number;
  readonly newcomers: NewcomersReport;
  /** Of the attacker, where there was one. */
  readonly attack: AttackReport | undefined;
  /** Cores that all programs used. */
  readonly machine: number;
  readonly limit: Limit;
  /** The gateway's resident memory, at its highest and at the end. */
  readonly residentPeak: number;
  readonly residentEnd: number;
}

export class Scene {
  readonly secret: string;
  readonly #settings: SceneSettings;
  readonly #session: Session;
  readonly #children: Children;
  readonly #attacker: Channel<AttackCommand, AttackAnswer>;
  readonly #nullServer: { readonly pid: number; readonly port: number };
  readonly #newcomerPath: string;
  #lost = 0;

  private constructor(
    settings: SceneSettings,
    secret: string,
    parts: {
      session: Session;
      children: Children;
      attacker: Channel<AttackCommand, AttackAnswer>;
      nullServer: { pid: number; port: number };
      newcomerPath: string;
    },
  ) {
    this.#settings = settings;
    this.secret = secret;
    this.#session = parts.session;
    this.#children = parts.children;
    this.#attacker = parts.attacker;
    this.#nullServer = parts.nullServer;
    this.#newcomerPath = parts.newcomerPath;
  }

  static async open(settings: SceneSettings, signal: AbortSignal): Promise<Scene> {
    const { clients, symbols, market } = settings;
    const secret = newSecret();
    const children = new Children(signal);
    try {
      const layout = { clients, symbolsPerClient: symbols, universe: symbols };
      const plan = { layout, shape: 'price', paddingBytes: 0, observers: 1 } as const;
      const session = await Session.open(attackedGateway(secret, market, settings), plan, signal);
      const token = await mintToken(secret, 'newcomer', 'institutional');
      const newcomerPath = `/ws/quotes?symbols=${symbolsOf(layout).join(',')}&token=${token}`;
      const attacker = new Channel<AttackCommand, AttackAnswer>(
        children.fork('attacker', new URL('./attacker.ts', import.meta.url)),
      );
      const idle = new Channel<NullCommand, NullAnswer>(
        children.fork('null server', new URL('./null-server.ts', import.meta.url)),
      );
      const { port } = await idle.ask({ type: 'start' }, 'started');
      const nullServer = { pid: idle.child.pid, port };
      return new Scene(settings, secret, { session, children, attacker, nullServer, newcomerPath });
    } catch (error) {
      await children.endAll();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#children.endAll();
    await this.#session.close();
  }

  /** Serves the load for a while, beside the attack where the phase has one. @throws {ChildFailure} when the gateway ends */
  async stretch(phase: Phase, plan: AttackPlan): Promise<Stretch> {
    const { server } = this.#session;
    const isBeside = phase === 'attacked' || phase === 'null server';
    const port = phase === 'null server' ? this.#nullServer.port : server.port;
    const target = { host: HOST, port };
    if (isBeside) await this.#attacker.ask({ type: 'attack', plan, target, isPolite: true }, 'attacking');
    const newcomers = new Newcomers(server.port, this.#newcomerPath);
    newcomers.start();
    const highest = watchResident(server.child.pid);
    const nullBefore = sampleCpu(this.#nullServer.pid);
    try {
      const result = await this.#session.load({ updatesPerSecond: this.#settings.rate, burst: 1 }, this.#settings);
      // They wait while the attack lasts.
      const came = await newcomers.finish();
      const nullCores = cpuShare(nullBefore, sampleCpu(this.#nullServer.pid)).process;
      const attack = isBeside ? (await this.#attacker.ask({ type: 'stop' }, 'stopped')).report : undefined;
      const cutOff = result.lostConnections - this.#lost;
      this.#lost = result.lostConnections;
      const { cpu, bulk, observers, otherLoad } = result;
      const machine = cpu.server + cpu.nats + cpu.publisher + bulk.cpu + observers.cpu + otherLoad;
      const usage = {
        busiestGatewayThread: result.busiestServerThread,
        attackerLoop: attack?.loopUtilisation ?? 0,
        machine,
      };
      return {
        ...result,
        phase,
        cutOff,
        newcomers: came,
        attack,
        machine,
        // The attacker and its server are no other programs.
        otherLoad: Math.max(0, otherLoad - (attack?.cpuShare ?? 0) - nullCores),
        limit: limitOf(usage, availableParallelism()),
        residentPeak: highest.stop(),
        residentEnd: residentBytes(server.child.pid),
      };
    } catch (error) {
      // That the gateway has ended may show first by a question that it does not answer.
      await server.child.during(sleep(END_SHOWS_WITHIN_MS));
      throw error;
    } finally {
      newcomers.end();
      highest.stop();
    }
  }

  /** The gateway's resident memory once it is near `quietBytes` again, or after so long. */
  async settled(quietBytes: number, secondsMax: number): Promise<number> {
    const { pid } = this.#session.server.child;
    const deadline = performance.now() + secondsMax * 1000;
    let resident = residentBytes(pid);
    while (resident > quietBytes + HEAP_SCATTER_BYTES && performance.now() < deadline) {
      await sleep(SETTLE_POLL_MS);
      resident = residentBytes(pid);
    }
    return resident;
  }
}

/** `stop` returns the highest figure since. */
function watchResident(pid: number): { stop(): number } {
  let highest = residentBytes(pid);
  const check = (): void => {
    highest = Math.max(highest, residentBytes(pid));
  };
  const timer = setInterval(check, RESIDENT_INTERVAL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      check();
      return highest;
    },
  };
}
