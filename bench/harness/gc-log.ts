/** Pauses of gateways' garbage collectors, and what they collect, thread by thread, as gc-watch.mjs writes them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Entry {
  readonly pid: number;
  readonly role: 'hub' | 'encoder' | 'worker';
  readonly threadId: number;
  /** When the watcher was told of it, since the Unix epoch: soon afterwards. */
  readonly seenMs: number;
  /** Of a pause. */
  readonly durationMs?: number;
  /** On the thread's heap since the last sample. */
  readonly allocatedBytes?: number;
}

/** One thread in a stretch of time. */
export interface GcReport {
  readonly role: Entry['role'];
  readonly pauses: number;
  /** Share of the time that the thread did nothing else. */
  readonly share: number;
  readonly maxMs: number;
  readonly allocatedBytesPerSecond: number;
}

/** The watcher writes once a second: what it has not written yet is waited for. */
export const GC_LOG_DELAY_MS = 1100;

export class GcLog {
  #folder = '';

  /** What makes a gateway write this log; several may. */
  get env(): Readonly<Record<string, string>> {
    return {
      NODE_OPTIONS: `--import=${new URL('./gc-watch.mjs', import.meta.url).href}`,
      MILLRACE_BENCH_GC_LOG: this.#file,
    };
  }

  /** Made when it is first asked for. */
  get #file(): string {
    if (this.#folder === '') this.#folder = mkdtempSync(join(tmpdir(), 'millrace-bench-gc-'));
    return join(this.#folder, 'pauses');
  }

  /** Every thread of that process whose event loop turns; times in ms since the Unix epoch. */
  between(pid: number, fromMs: number, toMs: number): GcReport[] {
    const threads = new Map<number, Entry[]>();
    for (const line of readFileSync(this.#file, { encoding: 'utf8', flag: 'a+' }).trimEnd().split('\n')) {
      if (line === '') continue;
      const entry = JSON.parse(line) as Entry;
      if (entry.pid !== pid) continue;
      const own = threads.get(entry.threadId);
      if (own === undefined) threads.set(entry.threadId, [entry]);
      else own.push(entry);
    }
    return [...threads.values()].map(all => {
      const within = all.filter(({ seenMs }) => seenMs >= fromMs && seenMs < toMs);
      const durations = within.flatMap(({ durationMs = [] }) => durationMs);
      const allocations = within.flatMap(({ allocatedBytes = [] }) => allocatedBytes);
      return {
        role: all[0]?.role ?? 'hub',
        pauses: durations.length,
        share: sumOf(durations) / (toMs - fromMs),
        maxMs: Math.max(0, ...durations),
        allocatedBytesPerSecond: (sumOf(allocations) * 1000) / (toMs - fromMs),
      };
    });
  }

  remove(): void {
    if (this.#folder === '') return;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
