/**
 * CPU time of other processes. Linux: `/proc/<pid>/stat`, user + system of all threads, and the schedstat of each thread:
 * how long it ran and how long it was ready to run but had no core. Elsewhere: `ps -o time=` (hundredths of a second on
 * macOS and BSD), no thread figures; where that fails too (Windows), the figures are NaN and the report shows a dash.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** USER_HZ: the unit of /proc's CPU times. 100 on every Linux that Node runs on (proc(5), `getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100;

/** Seconds since the process began. */
export interface CpuSample {
  readonly atMs: number;
  readonly seconds: number;
  /** By thread id; empty where threads cannot be told apart. */
  readonly threads: ReadonlyMap<number, ThreadSeconds>;
}

interface ThreadSeconds {
  readonly ran: number;
  /** Ready to run, waiting for a core. */
  readonly waited: number;
}

/** Shares of one core between two samples: 1 = one core all the time. */
export interface CpuShare {
  readonly process: number;
  readonly busiestThread: number;
  /** What the busiest thread would have used, had it never waited for a core. */
  readonly busiestThreadDemand: number;
}

/** Reads the CPU time of a process; NaN when it is gone or cannot be read. */
export function sampleCpu(pid: number): CpuSample {
  const atMs = performance.now();
  try {
    const seconds = statSeconds(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return { atMs, seconds, threads: threadsOf(pid) };
  } catch {
    return { atMs, seconds: psSeconds(pid), threads: new Map() };
  }
}

/** What a process used between two samples. */
export function cpuShare(before: CpuSample, after: CpuSample): CpuShare {
  const elapsed = (after.atMs - before.atMs) / 1000;
  let [ran, demand, threads] = [Number.NaN, Number.NaN, 0];
  for (const [tid, thread] of after.threads) {
    const start = before.threads.get(tid) ?? { ran: 0, waited: 0 };
    const share = (thread.ran - start.ran) / elapsed;
    threads += share;
    if (share <= ran) continue;
    ran = share;
    demand = share + (thread.waited - start.waited) / elapsed;
  }
  // The process's own time counts in hundredths of a second, its threads' in nanoseconds, but only while they live.
  const process = Math.max((after.seconds - before.seconds) / elapsed, threads);
  return { process, busiestThread: ran, busiestThreadDemand: demand };
}

/** Threads that end while they are read are left out. */
function threadsOf(pid: number): Map<number, ThreadSeconds> {
  const threads = new Map<number, ThreadSeconds>();
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ran, waited] = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ').map(Number);
      threads.set(Number(tid), { ran: (ran ?? 0) / 1e9, waited: (waited ?? 0) / 1e9 });
    } catch {}
  }
  return threads;
}

/** Busy CPU seconds of the whole machine since it started; NaN where /proc/stat is missing. */
export function machineBusySeconds(): number {
  try {
    const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '';
    const [user, nice, system, , , irq, softirq] = line.trim().split(/\s+/).slice(1).map(Number);
    return ((user ?? 0) + (nice ?? 0) + (system ?? 0) + (irq ?? 0) + (softirq ?? 0)) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN;
  }
}

/** utime + stime; the command name before them may hold spaces and parentheses, so fields count from the last ')'. */
function statSeconds(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function psSeconds(pid: number): number {
  try {
    const text = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim();
    const [days, clock] = text.includes('-') ? text.split('-', 2) : ['0', text];
    const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
    return text === '' ? Number.NaN : Number(days) * 86_400 + seconds;
  } catch {
    return Number.NaN;
  }
}
