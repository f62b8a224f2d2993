/** Clients that come and go: a process that opens connections at a rate and ends each after a while. */
import { serve } from '../harness/channel.js';
import { LatencyHistogram, type LatencyReport } from './latency-histogram.js';
import { LoadSocket, type LoadSocketContext } from './load-socket.js';
import { Tally } from './tally.js';

export interface ChurnPlan {
  readonly connectsPerSecond: number;
  /** From the 101 to the end of the connection. */
  readonly holdMs: number;
  readonly sourceAddresses: number;
}

interface ChurnTarget {
  readonly host: string;
  readonly port: number;
  /** Taken in turn. */
  readonly paths: readonly string[];
}

export interface Churned {
  readonly begun: number;
  readonly opened: number;
  readonly failed: number;
  /** Why the first one failed; '' where none did. */
  readonly firstFailure: string;
  /** From when it was to begin to the 101. */
  readonly upgrade: LatencyReport;
}

export type ChurnCommand = ({ readonly type: 'churn' } & ChurnPlan & ChurnTarget) | { readonly type: 'stop' };
export type ChurnAnswer = { readonly type: 'churning' } | ({ readonly type: 'stopped' } & Churned);

const TICK_MS = 2;
const READ_BUFFER_BYTES = 64 * 1024;

class Churner {
  #begun = 0;
  #opened = 0;
  #failed = 0;
  #firstFailure = '';
  #isStopped = false;
  readonly #upgrades = new LatencyHistogram();
  readonly #plan: ChurnPlan & ChurnTarget;
  readonly #context: LoadSocketContext;

  constructor(plan: ChurnPlan & ChurnTarget) {
    this.#plan = plan;
    this.#context = {
      host: plan.host,
      port: plan.port,
      tally: new Tally(undefined),
      inspector: undefined,
      buffer: new Uint8Array(READ_BUFFER_BYTES),
      lost: (_, reason) => this.#fail(reason),
    };
  }

  start(): void {
    const startedMs = performance.now();
    const { connectsPerSecond } = this.#plan;
    const tick = (): void => {
      if (this.#isStopped) return;
      const due = ((performance.now() - startedMs) / 1000) * connectsPerSecond;
      while (this.#begun < due) this.#open(startedMs + (this.#begun / connectsPerSecond) * 1000);
      setTimeout(tick, TICK_MS);
    };
    tick();
  }

  stop(): Churned {
    this.#isStopped = true;
    return {
      begun: this.#begun,
      opened: this.#opened,
      failed: this.#failed,
      firstFailure: this.#firstFailure,
      upgrade: this.#upgrades.take(),
    };
  }

  #open(dueMs: number): void {
    const { paths, sourceAddresses, holdMs } = this.#plan;
    const index = this.#begun++;
    const path = paths[index % paths.length] ?? '/ws';
    const localAddress = `127.0.0.${2 + (index % sourceAddresses)}`;
    const socket = new LoadSocket(index, { path }, this.#context, { localAddress });
    socket.open().then(
      () => {
        this.#opened++;
        this.#upgrades.record((performance.now() - dueMs) * 1000);
        setTimeout(() => socket.destroy(), holdMs);
      },
      (error: Error) => this.#fail(error.message),
    );
  }

  #fail(reason: string): void {
    if (this.#failed++ === 0) this.#firstFailure = reason;
  }
}

let running: Churner | undefined;

serve<ChurnCommand, ChurnAnswer>(command => {
  if (command.type === 'churn') {
    running = new Churner(command);
    running.start();
    return { type: 'churning' };
  }
  if (running === undefined) throw new Error('stop before churn');
  return { type: 'stopped', ...running.stop() };
});
