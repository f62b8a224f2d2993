/** The pauses of gateways' garbage collectors, thread by thread, as gc-watch.mjs writes them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Pause {
  readonly pid: number;
  readonly role: 'hub' | 'encoder' | 'worker';
  readonly threadId: number;
  /** When the watcher was told of it, since the Unix epoch: soon afterwards. */
  readonly seenMs: number;
  readonly durationMs: number;
}

/** One thread's pauses in a stretch of time. */
export interface GcReport {
  readonly role: Pause['role'];
  readonly pauses: number;
  /** Share of the time that the thread did nothing else. */
  readonly share: number;
  readonly maxMs: number;
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

  /** Every thread of that process that has ever paused; times in ms since the Unix epoch. */
  between(pid: number, fromMs: number, toMs: number): GcReport[] {
    const threads = new Map<number, Pause[]>();
    for (const line of readFileSync(this.#file, { encoding: 'utf8', flag: 'a+' }).trimEnd().split('\n')) {
      if (line === '') continue;
      const pause = JSON.parse(line) as Pause;
      if (pause.pid !== pid) continue;
      threads.set(pause.threadId, [...(threads.get(pause.threadId) ?? []), pause]);
    }
    return [...threads.values()].map(all => {
      const durations = all.filter(({ seenMs }) => seenMs >= fromMs && seenMs < toMs).map(p => p.durationMs);
      return {
        role: all[0]?.role ?? 'hub',
        pauses: durations.length,
        share: durations.reduce((sum, ms) => sum + ms, 0) / (toMs - fromMs),
        maxMs: Math.max(0, ...durations),
      };
    });
  }

  remove(): void {
    if (this.#folder === '') return;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
