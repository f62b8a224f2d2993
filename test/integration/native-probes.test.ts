/**
 * @module-tag slow
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const runAll = fileURLToPath(new URL('../../native-notes/probes/run-all.mjs', import.meta.url));

/** The output of run-all and its exit code; the probes themselves may kill child processes, run-all never dies of it. */
function probes(only: string): Promise<{ code: number; out: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, [runAll, '--only', only], { timeout: 110_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, out: stdout + stderr });
    });
  });
}

describe('what Millrace relies on in uWebSockets', () => {
  it('holds for the installed binary: every deterministic probe says ok', { timeout: 120_000 }, async () => {
    const { code, out } = await probes('deterministic');
    // At once: a run of the suite that is ended early says what it was all the same.
    if (code !== 0) process.stderr.write(out);
    const rows = out.split('\n').filter(line => / deterministic +(ok|NOT OK) /.test(line));
    expect(rows.length, out).toBeGreaterThanOrEqual(17);
    expect(
      rows.filter(line => line.includes('NOT OK')),
      out,
    ).toEqual([]);
    expect(code, out).toBe(0);
  });

  it('is asked about probes that exist: an unknown name is refused, not silently skipped', async () => {
    const { code, out } = await probes('no-such-probe');
    expect(code, out).toBe(2);
  });
});
