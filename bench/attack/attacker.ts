/**
 * The attacker: a process of its own that sends what its plan says at its rate, waits where it is told to wait, comes back
 * when it is closed, and says what it was answered.
 */
import { constants, setPriority } from 'node:os';
import { serve } from '../harness/channel.js';
import type { LoadSocket, LoadSocketContext } from '../load/load-socket.js';
import { Tally } from '../load/tally.js';
import { AnswerCounts } from './answer-inspector.js';
import { AttackConnection, type AttackShared } from './attack-connection.js';
import type { AttackAnswer, AttackCommand, AttackPlan, AttackReport, AttackTarget } from './messages.js';
import { prepare } from './payloads.js';

const READ_BUFFER_BYTES = 256 * 1024;
const TICK_MS = 2;
/** Who is closed or refused comes back after so long. */
const REOPEN_AFTER_MS = 1000;
/** The attack begins when all its connections have been tried, or after so long. */
const OPENING_MS_MAX = 5000;
const OPENING_AT_ONCE_MAX = 64;
/** Connections of a storm that are under way at most. */
const STORM_OPEN_MAX = 1000;
const NO_CLOSE_FRAME = 1006;

class Attacker implements LoadSocketContext {
  readonly host: string;
  readonly port: number;
  readonly tally = new Tally(undefined);
  readonly inspector = undefined;
  readonly buffer = new Uint8Array(READ_BUFFER_BYTES);
  readonly #plan: AttackPlan;
  readonly #shared: AttackShared;
  readonly #counts = new AnswerCounts();
  readonly #connections = new Map<number, AttackConnection>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #refusedUpgrades: Record<string, number> = {};
  readonly #closes: Record<string, number> = {};
  #startedMs = 0;
  #cpu = process.cpuUsage();
  #loop = performance.eventLoopUtilization();
  #turn = 0;
  #due = 0;
  #sent = 0;
  #sentBytes = 0;
  #heldBack = 0;
  #opened = 0;
  #stormed = 0;
  #isOver = false;

  constructor(plan: AttackPlan, { host, port }: AttackTarget) {
    this.host = host;
    this.port = port;
    this.#plan = plan;
    this.#shared = {
      plan,
      prelude: plan.prelude.map(prepare),
      messages: plan.messages.map(prepare),
      context: this,
      counts: this.#counts,
    };
  }

  /** Resolves once the attack is under way: a process that hardly gets a core takes its time for the first step. */
  async start(): Promise<void> {
    if (this.#plan.storm === undefined) await this.#openAll();
    this.#startedMs = performance.now();
    this.#cpu = process.cpuUsage();
    this.#loop = performance.eventLoopUtilization();
    this.#tick();
    while (this.#sent === 0 && this.#opened === 0 && Object.keys(this.#refusedUpgrades).length === 0) {
      await new Promise<void>(resolve => this.#after(TICK_MS, resolve));
    }
  }

  lost(socket: LoadSocket, _reason: string, code: number | undefined): void {
    const key = String(code ?? NO_CLOSE_FRAME);
    this.#closes[key] = (this.#closes[key] ?? 0) + 1;
    this.#connections.get(socket.index)?.lost();
    this.#comeBack(socket.index);
  }

  stop(): AttackReport {
    const report = this.report();
    this.#isOver = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const connection of this.#connections.values()) connection.end();
    return report;
  }

  /** What it has sent and was answered so far. */
  report(): AttackReport {
    const elapsedMs = performance.now() - this.#startedMs;
    const cpu = process.cpuUsage(this.#cpu);
    const loop = performance.eventLoopUtilization(this.#loop);
    return {
      seconds: elapsedMs / 1000,
      sent: this.#sent,
      sentBytes: this.#sentBytes,
      heldBack: this.#heldBack,
      accepted: this.#counts.accepted,
      refused: this.#counts.refused,
      frames: this.#counts.frames,
      receivedBytes: this.tally.wireBytes,
      opened: this.#opened,
      refusedUpgrades: this.#refusedUpgrades,
      closes: this.#closes,
      cpuShare: (cpu.user + cpu.system) / 1000 / elapsedMs,
      loopUtilisation: loop.utilization,
    };
  }

  async #openAll(): Promise<void> {
    const indexes = Array.from({ length: this.#plan.connections }, (_, index) => index).values();
    const openNext = async (): Promise<void> => {
      for (const index of indexes) await this.#open(index);
    };
    const all = Promise.all(Array.from({ length: OPENING_AT_ONCE_MAX }, openNext));
    await Promise.race([all, new Promise(resolve => this.#after(OPENING_MS_MAX, () => resolve(undefined)))]);
  }

  async #open(index: number): Promise<void> {
    if (this.#isOver) return;
    const connection = this.#connections.get(index) ?? new AttackConnection(index, this.#shared);
    this.#connections.set(index, connection);
    try {
      await connection.open();
      this.#opened++;
    } catch (refusal) {
      const status = /HTTP\/1\.1 (\d{3})/.exec(String(refusal))?.[1] ?? '0';
      this.#refusedUpgrades[status] = (this.#refusedUpgrades[status] ?? 0) + 1;
      this.#comeBack(index);
    }
  }

  #comeBack(index: number): void {
    if (this.#plan.storm === undefined) this.#after(REOPEN_AFTER_MS, () => void this.#open(index));
    else this.#connections.delete(index);
  }

  #tick(): void {
    const nowMs = performance.now();
    const elapsed = (nowMs - this.#startedMs) / 1000;
    if (this.#plan.storm !== undefined) this.#storm(elapsed * this.#plan.storm.perSecond, this.#plan.storm.holdMs);
    for (; this.#due < elapsed * this.#plan.perSecond; this.#due++) this.#sendOne(nowMs);
    this.#after(TICK_MS, () => this.#tick());
  }

  /** From the next connection in turn that may send. */
  #sendOne(nowMs: number): void {
    const { connections } = this.#plan;
    for (let tried = 0; tried < connections; tried++) {
      const connection = this.#connections.get(this.#turn++ % connections);
      if (connection?.canSend(nowMs) !== true) continue;
      this.#sentBytes += connection.send(this.#sent++);
      return;
    }
    this.#heldBack++;
  }

  #storm(due: number, holdMs: number): void {
    for (; this.#stormed < due; this.#stormed++) {
      const index = this.#stormed;
      if (this.#connections.size >= STORM_OPEN_MAX) {
        this.#heldBack++;
        continue;
      }
      void this.#open(index).then(() => {
        this.#after(holdMs, () => {
          this.#connections.get(index)?.end();
          this.#connections.delete(index);
        });
      });
    }
  }

  #after(ms: number, run: () => void): void {
    if (this.#isOver) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

let running: Attacker | undefined;

serve<AttackCommand, AttackAnswer>(async command => {
  if (command.type === 'attack') {
    if (command.isPolite) setPriority(constants.priority.PRIORITY_LOW);
    const attacker = new Attacker(command.plan, command.target);
    running = attacker;
    await attacker.start();
    return { type: 'attacking' };
  }
  if (running === undefined) throw new Error(`${command.type} before attack`);
  if (command.type === 'report') return { type: 'reported', report: running.report() };
  const report = running.stop();
  running = undefined;
  return { type: 'stopped', report };
});
