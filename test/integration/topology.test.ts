/**
 * R66: the topology of the containers, run from processes as an operator does. A NATS node and a gateway are killed, the other
 * gateway drains: nothing is lost, Prometheus sees it, and the alert comes and goes. Its `for:` is shortened, and so are
 * Alertmanager's waits (`--alerts-after`).
 * @module-tag slow
 * @module-tag bulk
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, onTestFailed } from 'vitest';
import { findPrograms } from '../../ops/topology/programs.js';
import { PATIENCE_MS, until } from '../support/until.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ARGUMENTS = ['--import', 'tsx', 'ops/topology/run.ts', '--alerts-after', '1s'];
const CLIENTS = 20;

/** Why it cannot run here; '' where it can. */
function missing(): string {
  try {
    findPrograms();
    return '';
  } catch (error) {
    return (error as Error).message.split('\n', 1)[0] ?? '';
  }
}

/** The program as an operator sees it. */
class Terminal {
  output = '';
  readonly child: ChildProcess;

  constructor() {
    // As in the shell of an operator who asks another gateway.
    const env = { ...process.env, ADMIN_TOKEN: 'of-another-gateway-32-bytes-or-more' };
    this.child = spawn(process.execPath, ARGUMENTS, { cwd: ROOT, stdio: ['pipe', 'pipe', 'pipe'], env });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', chunk => {
        this.output += chunk;
      });
    }
  }

  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Waits for a line that was not there at `from`. */
  async says(pattern: RegExp, from = 0, timeoutMs = 2 * PATIENCE_MS): Promise<RegExpExecArray> {
    try {
      return (await until(() => pattern.exec(this.output.slice(from)), timeoutMs)) as RegExpExecArray;
    } catch (cause) {
      throw new Error(`the topology did not say ${pattern}:\n${this.output}`, { cause });
    }
  }

  /** Types a command and waits for what it says. */
  async answers(line: string, pattern: RegExp): Promise<RegExpExecArray> {
    const from = this.output.length;
    this.type(line);
    return this.says(pattern, from);
  }
}

/** Value of `up` by gateway, sorted. */
async function up(prometheusUrl: string): Promise<string[]> {
  const answer = await fetch(`${prometheusUrl}/api/v1/query?query=up`);
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result.map(({ value }) => value[1]).sort();
}

let terminal: Terminal;
afterEach(async () => {
  if (terminal.child.exitCode !== null || terminal.child.signalCode !== null) return;
  const ended = once(terminal.child, 'exit');
  terminal.child.kill('SIGKILL');
  await ended;
});

describe.skipIf(missing() !== '')(`R66 the topology${missing() === '' ? '' : ` (skipped: ${missing()})`}`, () => {
  it(
    'R66 R65 R46 loses nothing while a NATS node and a gateway die and the other one drains',
    { timeout: 180_000 },
    async () => {
      terminal = new Terminal();
      onTestFailed(() => console.log(terminal.output));
      const all = new RegExp(`clients: ${CLIENTS} of ${CLIENTS} connected`);
      const allAgain = new RegExp(`clients: ${CLIENTS} of ${CLIENTS} connected.* again`);
      await terminal.says(all);
      const [, prometheusUrl = ''] = await terminal.says(/Prometheus +(http:\S+)\/alerts/);
      await until(async () => (await up(prometheusUrl)).join() === '1,1', PATIENCE_MS, 'Prometheus sees both gateways');

      await terminal.answers('kill nats-1', /nats-1 ended \(SIGKILL\)/);
      const killed = terminal.output.length;
      await terminal.answers('kill gateway-1', /gateway-1 ended \(SIGKILL\)/);
      await terminal.says(allAgain, killed);
      await terminal.says(/ALERT firing to pager: MillraceDown gateway-1/, killed);
      expect(await up(prometheusUrl)).toEqual(['0', '1']);

      await terminal.answers('start nats-1', /nats-1 serves/);
      await terminal.answers('start gateway-1', /gateway-1 serves/);
      await terminal.says(/ALERT resolved to pager: MillraceDown gateway-1/, killed);
      const drained = terminal.output.length;
      terminal.type('drain gateway-2');
      await terminal.says(allAgain, drained);
      await until(async () => {
        const status = await terminal.answers('status', /^gateway-2 .*$/m);
        return status[0].endsWith('not ready, 0 clients');
      });

      const [verdict] = await terminal.answers('quit', /GOOD .*|BAD .*/);
      expect(terminal.output).toMatch(/ 0 lost,/);
      expect(verdict).toMatch(/^GOOD/);
      const published = Number(/([\d,]+) published/.exec(terminal.output)?.[1]?.replace(',', ''));
      expect(published).toBeGreaterThan(500);
      if (terminal.child.exitCode === null) await once(terminal.child, 'exit');
      expect(terminal.child.exitCode).toBe(0);
    },
  );

  it('R66 leaves no program behind when it is killed itself', async () => {
    terminal = new Terminal();
    await terminal.says(/quit +say/);
    await terminal.answers('status', /^alerts /m);
    const ids = [...terminal.output.matchAll(/^\S+ +process (\d+),/gm)].map(([, id]) => Number(id));
    expect(ids.length).toBe(8);
    terminal.child.kill('SIGKILL');
    const runs = (id: number): boolean => {
      try {
        return process.kill(id, 0);
      } catch {
        return false;
      }
    };
    await until(() => !ids.some(runs));
  });

  it('R66 says what is wrong with an option', async () => {
    terminal = new Terminal();
    terminal.child.kill('SIGKILL');
    const wrong = spawn(process.execPath, [...ARGUMENTS, '--clients', 'many'], { cwd: ROOT, stdio: 'pipe' });
    let said = '';
    wrong.stderr.on('data', chunk => {
      said += chunk;
    });
    const [code] = await once(wrong, 'close');
    expect([code, said]).toEqual([1, '--clients: 1 to 200\n']);
  });
});
