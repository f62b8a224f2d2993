/** Counts the `send` system calls of a probe's child process with strace, where there is one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './probe.mjs';

/** False where strace is missing or the kernel does not let it trace. */
export function straceWorks() {
  return process.platform === 'linux' && spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;
}

/** Called in the traced child: what follows belongs to the phase `name`. The empty name ends a phase. */
export function phase(name) {
  writeSync(1, `PHASE ${name}\n`);
}

/**
 * Runs `url` with `args` under strace.
 * @returns {Promise<Map<string, { fd: number, bytes: number }[]>>} each phase's sends that succeeded, in order
 */
export async function traceSends(url, args) {
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  const file = join(folder, 'trace');
  try {
    const strace = ['strace', '-f', '-qq', '-s', '80', '-e', 'trace=write,sendto,sendmsg', '-o', file];
    const { code, out } = await runChild(url, args, { command: [...strace, process.execPath], limitMs: 60_000 });
    if (code !== 0) throw new Error(`the traced child ended with ${code}: ${out}`);
    /** @type {Map<string, { fd: number, bytes: number }[]>} */
    const phases = new Map();
    let current = '';
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const mark = /write\(1, "PHASE (.*?)\\n"/.exec(line);
      if (mark) {
        current = mark[1];
        if (current !== '') phases.set(current, []);
        continue;
      }
      const send = /(?:sendto|sendmsg)\((\d+), .*= (\d+)$/.exec(line);
      if (send && current !== '') phases.get(current)?.push({ fd: Number(send[1]), bytes: Number(send[2]) });
    }
    return phases;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
